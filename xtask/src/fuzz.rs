//! `cargo xtask fuzz-queries`: random live queries against SQLite, from a number.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Result, anyhow};

use crate::step::{Step, Steps};
use crate::workspace::{Workspace, cargo};

/// Options of `cargo xtask fuzz-queries`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Stop when so many live queries were met.
    #[arg(long, default_value_t = 1000)]
    queries: u64,
    /// Stop after so many seconds.
    #[arg(long)]
    seconds: Option<f64>,
    /// One JSON object instead of tables.
    #[arg(long)]
    json: bool,
    /// Play a case that a run has kept.
    #[arg(long)]
    case: Option<PathBuf>,
}

/// What the test command runs: some two and a half minutes of two quiet cores. A machine on which the time is not
/// enough for so many comparisons fails.
const GATE: [&str; 4] = [
    "--seed=1000000",
    "--queries=40000",
    "--seconds=400",
    "--comparisons-min=500000",
];

fn build(workspace: &Workspace, step: &Step) -> Result<()> {
    let build = ["build", "--locked", "--profile", "oracle"];
    let package = ["--package", "syncline-oracle"];
    step.run(cargo(&workspace.root).args(build).args(package))
}

fn oracle(workspace: &Workspace) -> Command {
    Command::new(workspace.target.join("oracle/syncline-oracle"))
}

/// A step of `cargo xtask test`.
pub(crate) fn gate(workspace: &Workspace, step: &Step) -> Result<()> {
    build(workspace, step)?;
    let kept = workspace.target.join("failed-case.json");
    let mut command = oracle(workspace);
    step.run(command.args(GATE).arg("--keep").arg(kept))
}

/// Builds the oracle and becomes it.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    let steps = Steps::new();
    steps.run("oracle", |step| build(&workspace, step))?;
    drop(steps.finish());
    let mut command = oracle(&workspace);
    command.arg(format!("--seed={}", options.seed));
    command.arg(format!("--queries={}", options.queries));
    if options.json {
        command.arg("--json");
    }
    let seconds = options
        .seconds
        .map(|seconds| format!("--seconds={seconds}"));
    command.args(seconds);
    if let Some(case) = &options.case {
        command.arg("--case").arg(case);
    }
    Err(anyhow!(command.exec()).context("the oracle does not start"))
}
