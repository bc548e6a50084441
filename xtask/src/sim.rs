//! `cargo xtask sim`: a database on a disk that crashes, from a number.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, anyhow};

use crate::modules;
use crate::step::Steps;
use crate::workspace::{Workspace, cargo};

/// Options of `cargo xtask sim`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The first seed; 0 if not given.
    #[arg(long)]
    seed: Option<u64>,
    /// How many; 1 if not given.
    #[arg(long)]
    seeds: Option<u64>,
    /// An hour of seeds that nobody has run before, optimised with all checks left in, and a JSON report.
    #[arg(long)]
    nightly: bool,
    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// Stop after so many seconds.
    #[arg(long)]
    seconds: Option<f64>,
    /// Plant this bug, which must be found: skip-sync, release-early, ..
    #[arg(long)]
    mutant: Option<String>,
    /// Print what happens, line by line (one seed).
    #[arg(long)]
    trace: bool,
}

/// Seeds of a night: more than an hour is enough for, and each night has its own.
const NIGHT_SEEDS: u64 = 1_000_000;
const NIGHT_SECONDS: f64 = 3600.0;
const DAY_SECONDS: u64 = 86_400;

/// The first seed of this night.
fn night_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs() / DAY_SECONDS * NIGHT_SEEDS)
}

/// Builds the simulator and the modules, and becomes the simulator.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    let steps = Steps::new();
    steps.run("modules", |step| modules::build(&workspace, step))?;
    // Not the release profile: its checks of itself are what a simulation is for.
    let (profile, folder) = if options.nightly {
        ("sim", "sim")
    } else {
        ("dev", "debug")
    };
    steps.run("simulator", |step| {
        let mut build = cargo(&workspace.root);
        build.args(["build", "--locked", "--package", "syncline-sim"]);
        step.run(build.args(["--profile", profile]))
    })?;
    drop(steps.finish());
    let (seed, seeds, seconds) = if options.nightly {
        (night_seed(), NIGHT_SEEDS, Some(NIGHT_SECONDS))
    } else {
        (0, 1, None)
    };
    let mut command = Command::new(workspace.target.join(folder).join("syncline-sim"));
    command.arg(format!("--seed={}", options.seed.unwrap_or(seed)));
    command.arg(format!("--seeds={}", options.seeds.unwrap_or(seeds)));
    if options.json || options.nightly {
        command.arg("--json");
    }
    if options.trace {
        command.arg("--trace");
    }
    command.args(
        options
            .seconds
            .or(seconds)
            .map(|seconds| format!("--seconds={seconds}")),
    );
    command.args(
        options
            .mutant
            .as_ref()
            .map(|name| format!("--mutant={name}")),
    );
    command.env("SYNCLINE_MODULES", workspace.modules_folder());
    Err(anyhow!(command.exec()).context("the simulator does not start"))
}
