//! `syncline check`, `salvage` and `compact`: work on the files of a server that does not run.

use std::path::{Path, PathBuf};

use serde_json::json;
use syncline_server::offline::{self, CheckReport, Databases, OfflineError, Say};

use crate::api::{DEFAULT_DATA, named_data};
use crate::args::{Check, Common, Compact, Salvage};
use crate::failure::Failure;
use crate::output::{self, timestamp};
use crate::progress::Progress;

/// Verifies databases or a backup, and prints what was found. What is wrong is a failure.
pub(crate) fn run(common: &Common, args: &Check) -> Result<(), Failure> {
    let mut problems = 0;
    if let Some(file) = &args.backup {
        let name = file.display().to_string();
        let report = watched(common, &name, |say| offline::check_backup(file, say))?;
        problems += report.problems.len();
        print(common, &name, &report)?;
    } else {
        let databases = open(common)?;
        let names: Vec<_> = match args.databases.as_slice() {
            [] => databases.names().map(str::to_owned).collect(),
            names => names.to_vec(),
        };
        for name in names {
            let report = watched(common, &name, |say| databases.check(&name, say))?;
            problems += report.problems.len();
            print(common, &name, &report)?;
        }
    }
    match problems {
        0 => Ok(()),
        1 => Err(Failure::Other(anyhow::anyhow!("1 problem was found"))),
        count => Err(Failure::Other(anyhow::anyhow!(
            "{count} problems were found"
        ))),
    }
}

/// Does something that reads all that this names, and shows how far it is.
pub(super) fn watched<R>(
    common: &Common,
    name: &str,
    work: impl FnOnce(Say<'_>) -> Result<R, OfflineError>,
) -> Result<R, Failure> {
    let progress = Progress::reading(name, common.json);
    let done = work(&|read, of| progress.read(read, of));
    progress.end();
    done.map_err(|error| failure(&error))
}

fn print(common: &Common, name: &str, report: &CheckReport) -> Result<(), Failure> {
    if common.json {
        let mut line = serde_json::to_value(report).expect("a report is plain data");
        line["name"] = name.into();
        return output::line(&line);
    }
    let rows: u64 = report.tables.iter().map(|table| table.rows).sum();
    let (tables, checkpoints) = (report.tables.len(), report.checkpoints.len());
    output::line(&format_args!(
        "{name}: {rows} rows of {tables} tables at lsn {}; {} transactions and {checkpoints} \
         checkpoints are kept, from lsn {} on",
        report.last, report.records, report.oldest
    ))?;
    if report.torn_bytes > 0 {
        output::line(&format_args!(
            "  {} bytes of a write that was interrupted will be cut off",
            report.torn_bytes
        ))?;
    }
    for problem in &report.problems {
        let (file, offset) = (problem.file.display(), problem.offset);
        output::line(&format_args!(
            "  {file} at byte {offset}: {}",
            problem.detail
        ))?;
    }
    Ok(())
}

/// Copies what is provably good of a database into a new one.
pub(crate) fn salvage(common: &Common, args: &Salvage) -> Result<(), Failure> {
    let mut databases = open(common)?;
    let (name, new) = (&args.database, &args.new);
    let saved = watched(common, name, |say| databases.salvage(name, new, say))?;
    if common.json {
        return output::line(&json!({
            "database": args.new,
            "lsn": saved.last,
            "time": saved.time.to_string(),
            "rows": saved.rows,
            "seen": saved.seen,
            "is_module_lost": saved.is_module_lost,
            "problems": saved.problems,
        }));
    }
    output::line(&format_args!(
        "{} has {} rows of {} as of lsn {}, {}",
        args.new,
        saved.rows,
        args.database,
        saved.last,
        timestamp(saved.time)
    ))?;
    if saved.seen > saved.last {
        output::line(&format_args!(
            "  lost: what came after, up to lsn {} at least",
            saved.seen
        ))?;
    }
    for problem in &saved.problems {
        let (file, offset) = (problem.file.display(), problem.offset);
        output::line(&format_args!(
            "  {file} at byte {offset}: {}",
            problem.detail
        ))?;
    }
    if saved.is_module_lost {
        output::line(&"  the module is lost: publish one that fits the tables")?;
    }
    Ok(())
}

/// Gives up the past of a database.
pub(crate) fn compact(common: &Common, args: &Compact) -> Result<(), Failure> {
    let report = open(common)?.compact(&args.database);
    let report = report.map_err(|error| failure(&error))?;
    if common.json {
        return output::line(&json!({
            "database": args.database,
            "lsn": report.lsn,
            "rows": report.rows,
            "bytes": report.bytes,
        }));
    }
    output::line(&format_args!(
        "{} begins at lsn {} now: {} rows, {} bytes",
        args.database, report.lsn, report.rows, report.bytes
    ))
}

fn open(common: &Common) -> Result<Databases, Failure> {
    let data = named_data(common).unwrap_or_else(|| PathBuf::from(DEFAULT_DATA));
    Databases::open(Path::new(&data)).map_err(|error| failure(&error))
}

/// What there is to do about it.
fn failure(error: &OfflineError) -> Failure {
    let message = error.to_string();
    match error {
        OfflineError::Running(_) => Failure::usage(message).hint(
            "stop the server first; of one that runs take a `syncline backup`, which is checked",
        ),
        OfflineError::NoDatabase { .. } | OfflineError::Catalog(_) => {
            Failure::usage(message).hint("name the data folder with --data")
        }
        _ => Failure::Other(anyhow::anyhow!(message)),
    }
}
