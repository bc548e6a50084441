//! What live queries cost a commit: `cargo xtask bench live`.
//!
//! The engine itself, in process: real transactions on a real database, then a step up to the encoded operations of every
//! affected subscription. [`work`] has the works, [`world`] the tables and the clock, [`figure`] says what a line is and holds
//! the bars. Every figure is the median over the commits of its work, so that what other processes take counts little; naive
//! figures are of the same run.

mod figure;
mod measure;
mod work;
mod world;

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Parser;

use figure::Report;
use work::{WORKS, Work};

/// Measures live queries.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Works to measure; all if none is named, `list` names them.
    works: Vec<String>,
    /// One JSON object a line instead of a table; the bars go to stderr.
    #[arg(long)]
    json: bool,
    /// Subscriptions of the works that have many.
    #[arg(long, default_value_t = 100_000)]
    subscriptions: u64,
    /// Commits that are measured, at most.
    #[arg(long, default_value_t = 20_000)]
    commits: u64,
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    pub(crate) subscriptions: u64,
    pub(crate) commits: u64,
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
    if cli.works.iter().any(|work| work == "list") {
        for work in WORKS {
            println!("{:<16} {}", work.name, work.about);
        }
        return Ok(true);
    }
    for name in &cli.works {
        let is_known = WORKS.iter().any(|work| work.name == *name);
        ensure!(is_known, "there is no work {name}; `list` names them");
    }
    ensure!(
        cli.subscriptions > 0 && cli.commits > 0,
        "--subscriptions and --commits are positive"
    );
    let scale = Scale {
        subscriptions: cli.subscriptions,
        commits: cli.commits,
    };
    let mut report = Report::new(cli.json);
    let is_meant = |work: &&Work| cli.works.is_empty() || cli.works.iter().any(|w| w == work.name);
    for work in WORKS.iter().filter(is_meant) {
        if let Err(error) = (work.run)(scale, &mut report) {
            report.failed(work.name, &error);
        }
    }
    Ok(report.verdict())
}
