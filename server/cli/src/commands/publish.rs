//! `syncline publish`.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::api::Api;
use crate::args::{Common, Publish};
use crate::failure::{Failure, at, not_understood};
use crate::output;
use crate::project::Project;

/// What the server says of a publish.
#[derive(Debug, Deserialize)]
pub(crate) struct Published {
    lsn: u64,
    module_hash: String,
    tables_added: Vec<String>,
    indexes_added: Vec<String>,
    reducers_added: Vec<String>,
    reducers_removed: Vec<String>,
    data_cleared: bool,
}

/// Builds unless a file is given, publishes, says what changed.
pub(crate) fn run(common: &Common, args: &Publish) -> Result<(), Failure> {
    let api = Api::new(common)?;
    let (wasm, database) = what_and_where(args)?;
    let answer = send(&api, &database, &wasm, args.clear_data)?;
    if common.json {
        return output::line(&answer);
    }
    let published: Published = serde_json::from_value(answer).map_err(not_understood)?;
    for line in published.lines(&database) {
        output::line(&line)?;
    }
    Ok(())
}

/// The module's file, built if need be, and the database.
fn what_and_where(args: &Publish) -> Result<(PathBuf, String), Failure> {
    if let Some(file) = &args.wasm {
        let database = args.database.clone().ok_or_else(no_database)?;
        return Ok((file.clone(), database));
    }
    let project = Project::find(&args.source.project)?;
    let database = args.database.clone().or_else(|| project.database());
    // Before minutes of building.
    let database = database.ok_or_else(no_database)?;
    Ok((project.build()?, database))
}

/// Neither command line nor project say where to publish to.
pub(crate) fn no_database() -> Failure {
    Failure::usage("no database is named").hint("say `--database NAME`")
}

/// Publishes a file; the server's answer.
pub(crate) fn send(
    api: &Api,
    database: &str,
    wasm: &Path,
    clear_data: bool,
) -> Result<Value, Failure> {
    let code = std::fs::read(wasm).map_err(at(wasm))?;
    let query = if clear_data { "?clear_data=true" } else { "" };
    api.post_bytes(&[database, "publish"], query, "application/wasm", &code)
}

impl Published {
    /// For people: one line that it is done, one for each kind of change.
    pub(crate) fn lines(&self, database: &str) -> Vec<String> {
        let hash = self.module_hash.get(..12).unwrap_or(&self.module_hash);
        let mut lines = vec![format!(
            "published to {database} (module {hash}, lsn {})",
            self.lsn
        )];
        if self.data_cleared {
            lines.push("  all data was cleared".to_owned());
        }
        let kinds = [
            ("+ tables  ", &self.tables_added),
            ("+ indexes ", &self.indexes_added),
            ("+ reducers", &self.reducers_added),
            ("- reducers", &self.reducers_removed),
        ];
        let changes = kinds.iter().filter(|(_, names)| !names.is_empty());
        lines.extend(changes.map(|(kind, names)| format!("  {kind} {}", names.join(", "))));
        if lines.len() == 1 {
            lines.push("  the schema is the same".to_owned());
        }
        lines
    }
}
