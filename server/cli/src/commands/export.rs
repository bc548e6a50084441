//! `syncline export`.

use std::io::Read;
use std::path::Path;

use serde_json::json;
use ureq::Body;
use ureq::http::Response;

use crate::api::{Api, encoded};
use crate::args::{Common, Export, RowFormat};
use crate::failure::{Failure, not_understood};
use crate::out::Out;
use crate::output;
use crate::progress::{Progress, rows_text};
use crate::rows::RowCount;

/// Writes rows as they come.
pub(crate) fn run(common: &Common, args: &Export) -> Result<(), Failure> {
    let api = Api::new(common)?;
    let format = args.format.unwrap_or_else(|| format_of(&args.out));
    let query = query(args.table.as_deref(), format)?;
    let answer = api.open(&[&args.database, "export"], &query)?;
    let (expected, lsn) = (
        number(&answer, "syncline-rows")?,
        number(&answer, "syncline-lsn")?,
    );
    let progress = Progress::rows(expected, common.json);
    let mut out = Out::open(&args.out)?;
    let copied = copy(answer, format, &mut out, &progress);
    progress.end();
    let (rows, bytes) = copied?;
    if rows != expected {
        let message = format!("{expected} rows were promised, {rows} came");
        return Err(Failure::unreachable(message).hint("try again"));
    }
    out.finish()?;
    if args.out == Path::new("-") {
        eprintln!("{} at lsn {lsn}", rows_text(rows));
        return Ok(());
    }
    if common.json {
        return output::line(&json!({ "rows": rows, "bytes": bytes, "lsn": lsn }));
    }
    let (rows, file) = (rows_text(rows), args.out.display());
    output::line(&format_args!(
        "{rows} at lsn {lsn} written to {file} ({bytes} bytes)"
    ))
}

/// A number in a header.
pub(super) fn number(answer: &Response<Body>, name: &str) -> Result<u64, Failure> {
    let value = answer.headers().get(name).and_then(|v| v.to_str().ok());
    let value = value.and_then(|value| value.parse().ok());
    value.ok_or_else(|| not_understood(format!("it has no header {name}")))
}

/// The form that a file's name tells.
pub(crate) fn format_of(file: &Path) -> RowFormat {
    match file.extension() {
        Some(ending) if ending.eq_ignore_ascii_case("csv") => RowFormat::Csv,
        _ => RowFormat::Jsonl,
    }
}

/// What export and import tell the server alike.
pub(crate) fn query(table: Option<&str>, format: RowFormat) -> Result<String, Failure> {
    let name = match format {
        RowFormat::Jsonl => "jsonl",
        RowFormat::Csv => "csv",
    };
    match table {
        Some(table) => Ok(format!("?format={name}&table={}", encoded(table))),
        None if format == RowFormat::Csv => {
            Err(Failure::usage("CSV has the rows of one table").hint("name it with --table"))
        }
        None => Ok(format!("?format={name}")),
    }
}

fn copy(
    answer: Response<Body>,
    format: RowFormat,
    out: &mut Out,
    progress: &Progress,
) -> Result<(u64, u64), Failure> {
    let mut body = answer.into_body().into_reader();
    let mut rows = RowCount::new(format);
    let mut bytes = 0;
    let mut piece = vec![0; 64 << 10];
    loop {
        let read = body.read(&mut piece).map_err(|error| {
            Failure::unreachable(format!(
                "the server stopped after {}: {error}",
                rows_text(rows.rows())
            ))
            .hint("try again; its log says why if it was not the network")
        })?;
        if read == 0 {
            return Ok((rows.rows(), bytes));
        }
        out.write(&piece[..read])?;
        rows.add(&piece[..read]);
        bytes += read as u64;
        progress.at(rows.rows());
    }
}
