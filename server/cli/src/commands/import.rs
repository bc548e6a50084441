//! `syncline import`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use serde_json::json;
use syncline_protocol::{ErrorCode, WireError};

use super::export::{format_of, query};
use crate::api::Api;
use crate::args::{Common, Import, ImportMode, RowFormat};
use crate::failure::{Failure, at, not_understood};
use crate::output;
use crate::progress::{Progress, rows_text};
use crate::rows::{Part, Parts};

/// What the server says of a part, whether it took all of it or not.
#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    lsn: u64,
    #[serde(default)]
    inserted: u64,
    #[serde(default)]
    updated: u64,
    error: Option<WireError>,
}

/// What is in so far.
#[derive(Debug, Default)]
struct Done {
    skipped: u64,
    inserted: u64,
    updated: u64,
    lsn: u64,
}

/// Sends a file in parts. The server answers each when its rows are on disk, so that it is known what is in
/// whatever happens.
pub(crate) fn run(common: &Common, args: &Import) -> Result<(), Failure> {
    let api = Api::new(common)?;
    let format = args.format.unwrap_or_else(|| format_of(&args.file));
    let query = query(args.table.as_deref(), format)?;
    let (input, len) = open(&args.file)?;
    let mut parts = Parts::new(input, format)?;
    let mut done = Done {
        skipped: parts.skip(args.skip)?,
        ..Done::default()
    };
    if done.skipped < args.skip {
        let message = format!("--skip {}: there are {} rows", args.skip, done.skipped);
        return Err(Failure::usage(message));
    }
    let progress = Progress::bytes(len, common.json);
    let sent = send_all(&api, args, format, &query, &mut parts, &mut done, &progress);
    progress.end();
    sent?;
    let rows = done.inserted + done.updated;
    if common.json {
        return output::line(&json!({
            "rows": rows,
            "inserted": done.inserted,
            "updated": done.updated,
            "lsn": done.lsn,
        }));
    }
    let (rows, inserted, updated) = (rows_text(rows), done.inserted, done.updated);
    output::line(&format_args!(
        "{rows} imported: {inserted} new, {updated} replaced (lsn {})",
        done.lsn
    ))
}

fn open(file: &Path) -> Result<(Box<dyn Read>, Option<u64>), Failure> {
    if file == Path::new("-") {
        return Ok((Box::new(std::io::stdin().lock()), None));
    }
    let opened = File::open(file).map_err(at(file))?;
    let len = opened.metadata().map_err(at(file))?.len();
    Ok((Box::new(opened), Some(len)))
}

fn send_all(
    api: &Api,
    args: &Import,
    format: RowFormat,
    query: &str,
    parts: &mut Parts<Box<dyn Read>>,
    done: &mut Done,
    progress: &Progress,
) -> Result<(), Failure> {
    let mut is_first = true;
    while let Some(part) = parts.next()? {
        send(api, args, format, query, &part, done)?;
        progress.add(part.text.len() as u64, done.rows());
        is_first = false;
    }
    if is_first && done.skipped == 0 {
        // Nothing to do is no error, but a wrong database, table or token is.
        let empty = Part {
            text: parts.head().to_vec(),
            ..Part::default()
        };
        send(api, args, format, query, &empty, done)?;
    }
    Ok(())
}

fn send(
    api: &Api,
    args: &Import,
    format: RowFormat,
    query: &str,
    part: &Part,
    done: &mut Done,
) -> Result<(), Failure> {
    let mode = match args.mode {
        ImportMode::Insert => "insert",
        ImportMode::Upsert => "upsert",
    };
    let query = format!("{query}&mode={mode}&line={}", part.line.max(1));
    let content_type = match format {
        RowFormat::Jsonl => "application/x-ndjson",
        RowFormat::Csv => "text/csv",
    };
    let path = [args.database.as_str(), "import"];
    let answer = api.post_whole(&path, &query, content_type, &part.text);
    let answer = answer.map_err(|failure| lost(failure, done))?;
    let answer: Answer = serde_json::from_value(answer).map_err(not_understood)?;
    done.inserted += answer.inserted;
    done.updated += answer.updated;
    done.lsn = done.lsn.max(answer.lsn);
    let Some(error) = answer.error else {
        return Ok(());
    };
    let rows = done.rows();
    match error.known_code() {
        Some(ErrorCode::OutcomeUnknown) => Err(lost(Failure::Refused(error), done)),
        _ if rows == 0 => Err(api.explained(error)),
        code => {
            let is_row = code == Some(ErrorCode::BadRow);
            let hint = error.hint.clone().map_or(String::new(), |hint| hint + "; ");
            let correct = if is_row { "correct the row and " } else { "" };
            let what = rows_text(rows);
            let hint = format!("{hint}the first {what} are in: {correct}go on with --skip {rows}");
            Err(Failure::Refused(error).hint(hint))
        }
    }
}

/// The answer did not come: more than is known may be in.
fn lost(failure: Failure, done: &Done) -> Failure {
    match (failure, done.rows()) {
        (Failure::Unreachable(local), 0) if done.inserted + done.updated == 0 => {
            Failure::Unreachable(local)
        }
        (failure, rows) => failure.hint(format!(
            "the first {} are in, maybe more: go on with --skip {rows} --mode upsert",
            rows_text(rows)
        )),
    }
}

impl Done {
    /// Rows at the beginning of the file that are in.
    fn rows(&self) -> u64 {
        self.skipped + self.inserted + self.updated
    }
}
