//! Load generator, benchmarks and endurance checks of Syncline.
//!
//! `cargo xtask bench` builds a release server and runs this beside it. [`work`] has the works and how
//! each checks its own result, [`check`] what takes a server to its edges, [`bars`] the bars. Below lie
//! [`load`] (pumps, floors, the measuring gate) and [`socket`] (framing, connections).

mod bank;
mod bars;
mod check;
mod clock;
mod load;
mod report;
mod server;
mod socket;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};

use check::{abuse, kill, soak};
use report::Report;
use server::Site;
use work::Bench;

/// Measures a Syncline server.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// What to run.
    #[arg(required = true)]
    works: Vec<Work>,
    /// One JSON object a line instead of a table.
    #[arg(long)]
    json: bool,
    /// Measured time of each figure; of `soak` in all (600 if not given).
    #[arg(long)]
    seconds: Option<f64>,
    /// Threads of the generator.
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// The server's binary.
    #[arg(long, env = "SYNCLINE_BIN", default_value = "target/release/syncline")]
    server: PathBuf,
    /// Folder of the modules' wasm.
    #[arg(long, env = "SYNCLINE_MODULES", default_value = "target/modules")]
    modules: PathBuf,
    /// Folder in which data folders are made: on the disk to measure.
    #[arg(long, default_value = "target/bench")]
    data: PathBuf,
    /// Of `bars`: only those whose names contain this.
    #[arg(long)]
    filter: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Work {
    /// Every work (not the checks).
    All,
    Transfer,
    Empty,
    RoundTrip,
    FanOut,
    ManySubscriptions,
    Idle,
    /// SIGKILL under load.
    Kill,
    /// Bad input.
    Abuse,
    /// Churn, memory watched.
    Soak,
    /// Every bar.
    Bars,
    /// What the sockets alone cost.
    Floors,
    #[value(hide = true)]
    FloorEcho,
    #[value(hide = true)]
    FloorFanOut,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<ExitCode> {
    rlimit::increase_nofile_limit(u64::MAX).context("cannot raise the limit of open files")?;
    let site = Site {
        binary: options.server.clone(),
        modules: options.modules.clone(),
        data: options.data.clone(),
    };
    let mut bench = Bench {
        site,
        seconds: options.seconds.unwrap_or(4.0),
        workers: options.workers,
        report: Report::new(options.json),
    };
    ensure!(
        bench.seconds > 0.0 && bench.workers > 0,
        "--seconds and --workers are positive"
    );
    let mut passed = true;
    for work in &options.works {
        passed &= one(&mut bench, *work, options)?;
    }
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn one(bench: &mut Bench, work: Work, options: &Options) -> Result<bool> {
    match work {
        Work::All => {
            work::transfer(bench)?;
            work::empty(bench)?;
            work::round_trip(bench)?;
            work::fan_out(bench)?;
            work::many_subscriptions(bench)?;
            work::idle(bench)?;
        }
        Work::Transfer => work::transfer(bench)?,
        Work::Empty => work::empty(bench)?,
        Work::RoundTrip => work::round_trip(bench)?,
        Work::FanOut => work::fan_out(bench)?,
        Work::ManySubscriptions => work::many_subscriptions(bench)?,
        Work::Idle => work::idle(bench)?,
        Work::Kill => println!("{}", kill::run(bench, kill::ROUNDS)?),
        Work::Abuse => {
            let outcomes = abuse::run(bench)?;
            for outcome in &outcomes {
                println!(
                    "{:<34} others' p99 {:>9.2?} of {:>7.2?}  {}",
                    outcome.name, outcome.p99, outcome.allowed, outcome.reaction
                );
            }
            return Ok(outcomes
                .iter()
                .all(|outcome| outcome.p99 <= outcome.allowed));
        }
        Work::Soak => {
            let outcome = soak::run(bench, options.seconds.unwrap_or(600.0))?;
            println!("{outcome}");
            return Ok(outcome.is_flat());
        }
        Work::Bars => return Ok(bars::run(bench, options.filter.as_deref())),
        Work::Floors => work::floors(bench)?,
        Work::FloorEcho => load::floor::serve(false)?,
        Work::FloorFanOut => load::floor::serve(true)?,
    }
    Ok(true)
}
