//! `syncline generate`.

use std::path::Path;

use serde_json::Value;
use syncline_protocol::Schema;
use syncline_server::{Config, Data, Server};

use super::{publish, schema};
use crate::api::Api;
use crate::args::{Common, Generate, Language};
use crate::failure::{Failure, at};
use crate::generate::{rust, typescript};
use crate::output;
use crate::project::Project;

/// Generates, and writes or prints.
pub(crate) fn run(common: &Common, args: &Generate) -> Result<(), Failure> {
    let (schema, named_out) = match (&args.database, &args.from) {
        (Some(database), _) => (
            schema::of_answer(Api::new(common)?.get(&[database, "schema"], "")?)?,
            None,
        ),
        (None, from) => schema_from(from.as_deref().unwrap_or(Path::new(".")))?,
    };
    let text = match args.lang {
        Language::Typescript => typescript(&schema),
        Language::Rust => rust(&schema),
    };
    let Some(out) = args.out.as_ref().or(named_out.as_ref()) else {
        print!("{text}");
        return Ok(());
    };
    let changed = write_if_changed(out, &text)?;
    let out = out.strip_prefix(".").unwrap_or(out).display();
    if common.json {
        let file = out.to_string();
        return output::line(&serde_json::json!({ "file": file, "changed": changed }));
    }
    let what = if changed { "written" } else { "unchanged" };
    output::line(&format_args!("{out}: {what}"))
}

/// The schema of a file or project, and the file that the project names for its types.
fn schema_from(from: &Path) -> Result<(Schema, Option<std::path::PathBuf>), Failure> {
    if from.is_dir() {
        let project = Project::find(from)?;
        return Ok((of_module(&project.build()?)?, project.types()));
    }
    let extension = from.extension().and_then(|extension| extension.to_str());
    match extension {
        Some("wasm") => Ok((of_module(from)?, None)),
        Some("json") => Ok((of_json(from)?, None)),
        _ => Err(Failure::usage(format!(
            "{} is no folder, .wasm or .json file",
            from.display()
        ))),
    }
}

/// A schema, or the server's answer with one in it.
fn of_json(file: &Path) -> Result<Schema, Failure> {
    let text = std::fs::read_to_string(file).map_err(at(file))?;
    let wrong = |error| Failure::usage(format!("{}: {error}", file.display()));
    let mut value: Value = serde_json::from_str(&text).map_err(wrong)?;
    let inner = value.get_mut("schema").map(Value::take);
    serde_json::from_value(inner.unwrap_or(value)).map_err(wrong)
}

/// The schema that a module declares. A server in memory reads it, with the checks of a real publish.
fn of_module(wasm: &Path) -> Result<Schema, Failure> {
    let config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        data: Data::Memory,
        home_threads: 1,
        ..Config::default()
    };
    let server = Server::start(config).map_err(|error| Failure::unreachable(error.to_string()))?;
    let api = Api::with_token(&server.url(), server.admin_token());
    publish::send(&api, "module", wasm, false)?;
    let schema = schema::of_answer(api.get(&["module", "schema"], "")?);
    server.shut_down();
    schema
}

/// Writes a file unless it is so already: what watches it should not wake for nothing.
pub(crate) fn write_if_changed(file: &Path, text: &str) -> Result<bool, Failure> {
    if std::fs::read_to_string(file).is_ok_and(|old| old == text) {
        return Ok(false);
    }
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(at(folder))?;
    }
    std::fs::write(file, text).map_err(at(file))?;
    Ok(true)
}
