//! The commit log, restarts and checkpoints beside other stores, on a real disk: `cargo xtask bench log | restart |
//! checkpoint`.
//!
//! [`engine`] has the stores, ours and the peers, behind one trait; [`log`], [`restart`] and [`checkpoint`] are the works;
//! [`figure`] says what a line is and holds the bars, [`machine`] reads what the system counted. Engines of one work take
//! turns in short windows, so that a disk that is slow for a while is slow for all of them.

mod checkpoint;
mod engine;
mod figure;
mod log;
mod machine;
mod restart;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};

use figure::Report;

/// Measures the store's disk side beside its peers.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    work: Work,
    /// One JSON object a line instead of a table; the bars go to stderr.
    #[arg(long, global = true)]
    json: bool,
    /// Measured time of each figure of `log`.
    #[arg(long, global = true, default_value_t = 2.0)]
    seconds: f64,
    /// Rows of `restart` (one run for each) and of `checkpoint` (the first); 1 and 10 million, and 1 million.
    #[arg(long, global = true, value_delimiter = ',', num_args = 1..)]
    rows: Vec<u64>,
    /// Folder in which data folders are made: on the disk to measure.
    #[arg(long, global = true, default_value = "target/bench")]
    data: PathBuf,
}

#[derive(Subcommand)]
enum Work {
    /// Records made durable, in groups of 1 to 1000.
    Log,
    /// Opening a database after SIGKILL.
    Restart,
    /// What a checkpoint costs commits that go on.
    Checkpoint,
    /// Fills a folder and goes on writing until it is killed.
    #[command(hide = true)]
    Fill(restart::Stage),
    /// Opens it, says how long that took, and goes on writing until it is killed.
    #[command(hide = true)]
    Open(restart::Stage),
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<bool> {
    match &cli.work {
        Work::Fill(stage) => return restart::fill(stage).map(|()| true),
        Work::Open(stage) => return restart::open(stage).map(|()| true),
        Work::Log | Work::Restart | Work::Checkpoint => {}
    }
    ensure!(cli.seconds > 0.0, "--seconds is positive");
    let folder = cli.data.join(format!("log-{}", std::process::id()));
    std::fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
    let mut report = Report::new(cli.json);
    let first = cli.rows.first().copied();
    let done = match &cli.work {
        Work::Log => log::run(&folder, cli.seconds, &mut report),
        Work::Restart if cli.rows.is_empty() => {
            restart::run(&folder, &[1_000_000, 10_000_000], &mut report)
        }
        Work::Restart => restart::run(&folder, &cli.rows, &mut report),
        _ => checkpoint::run(&folder, first.unwrap_or(1_000_000), &mut report),
    };
    let removed = std::fs::remove_dir_all(&folder);
    done?;
    removed.with_context(|| format!("{}", folder.display()))?;
    Ok(report.verdict())
}
