//! `cargo xtask sim`: a database on a disk that crashes, from a number.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Result, anyhow};

use crate::modules;
use crate::step::Steps;
use crate::workspace::{Workspace, cargo};

/// Options of `cargo xtask sim`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many; the nightly form is `--seeds 100000 --seconds 3600`.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
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

/// Builds the simulator and the modules, and becomes the simulator.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    let steps = Steps::new();
    steps.run("modules", |step| modules::build(&workspace, step))?;
    // Not the release profile: its checks of itself are what a simulation is for.
    steps.run("simulator", |step| {
        step.run(cargo(&workspace.root).args(["build", "--locked", "--package", "syncline-sim"]))
    })?;
    drop(steps.finish());
    let mut command = Command::new(workspace.target.join("debug/syncline-sim"));
    command.arg(format!("--seed={}", options.seed));
    command.arg(format!("--seeds={}", options.seeds));
    if options.json {
        command.arg("--json");
    }
    if options.trace {
        command.arg("--trace");
    }
    command.args(
        options
            .seconds
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
