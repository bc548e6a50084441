//! `syncline backup`.

use std::io::Read;

use serde_json::json;
use syncline_server::offline;

use super::check;
use super::export::number;
use crate::api::Api;
use crate::args::{Backup, Common};
use crate::failure::Failure;
use crate::out::Out;
use crate::output;
use crate::progress::Progress;

/// Writes a backup to a file, and reads it again.
pub(crate) fn run(common: &Common, args: &Backup) -> Result<(), Failure> {
    let api = Api::new(common)?;
    let file = args.out.clone();
    let file = file.unwrap_or_else(|| format!("{}.backup", args.database).into());
    if file.as_os_str() == "-" {
        return Err(Failure::usage("a backup goes to a file, to be read again"));
    }
    let answer = api.open(&[&args.database, "backup"], "")?;
    let (lsn, expected) = (
        number(&answer, "syncline-lsn")?,
        number(&answer, "syncline-bytes")?,
    );
    let progress = Progress::bytes(Some(expected), common.json);
    let mut out = Out::open(&file)?;
    let copied = copy(&mut answer.into_body().into_reader(), &mut out, &progress);
    progress.end();
    let bytes = copied?;
    out.finish()?;
    let rows = if args.no_check {
        None
    } else {
        let name = file.display().to_string();
        let report = check::watched(common, &name, |say| offline::check_backup(&file, say))?;
        if let Some(problem) = report.problems.first() {
            let message = format!("the backup is not good: {}", problem.detail);
            return Err(Failure::Other(anyhow::anyhow!(message)));
        }
        Some(report.tables.iter().map(|table| table.rows).sum::<u64>())
    };
    if common.json {
        let file = file.display().to_string();
        return output::line(&json!({ "lsn": lsn, "bytes": bytes, "rows": rows, "file": file }));
    }
    let checked = rows.map_or(String::new(), |rows| format!(", {rows} rows verified"));
    output::line(&format_args!(
        "{} at lsn {lsn} written to {} ({bytes} bytes{checked})",
        args.database,
        file.display()
    ))
}

fn copy(body: &mut dyn Read, out: &mut Out, progress: &Progress) -> Result<u64, Failure> {
    let mut bytes = 0;
    let mut piece = vec![0; 64 << 10];
    loop {
        let read = body.read(&mut piece).map_err(|error| {
            Failure::unreachable(format!("the server stopped after {bytes} bytes: {error}"))
                .hint("try again; its log says why if it was not the network")
        })?;
        if read == 0 {
            return Ok(bytes);
        }
        out.write(&piece[..read])?;
        bytes += read as u64;
        progress.at(bytes);
    }
}
