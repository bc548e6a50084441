//! `cargo xtask bench | bars | soak`: a release server and the load generator of tests/bench.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Result, anyhow};

use crate::modules;
use crate::step::{Step, Steps};
use crate::workspace::{Workspace, cargo};

/// Options of `cargo xtask bench`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Works to measure: transfer, empty, round-trip, fan-out, many-subscriptions, idle (all if none);
    /// or one of the checks kill and abuse; or alone, without a server: log, restart, checkpoint;
    /// live, with works of its own behind it (`bench live list`).
    pub(crate) works: Vec<String>,
    /// One JSON object a line instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    /// Measured time of each figure.
    #[arg(long)]
    pub(crate) seconds: Option<f64>,
}

/// Options of `cargo xtask bars`.
#[derive(clap::Args)]
pub(crate) struct BarsOptions {
    /// Only the bars whose names contain this.
    filter: Option<String>,
}

/// Options of `cargo xtask soak`.
#[derive(clap::Args)]
pub(crate) struct SoakOptions {
    /// How long.
    #[arg(long, default_value_t = 600.0)]
    seconds: f64,
}

/// `cargo xtask bench`.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let mut arguments = options.works.clone();
    if arguments.is_empty() {
        arguments.push("all".into());
    }
    if options.json {
        arguments.push("--json".into());
    }
    if let Some(seconds) = options.seconds {
        arguments.push(format!("--seconds={seconds}"));
    }
    generator(&arguments)
}

/// `cargo xtask bars`.
pub(crate) fn bars(options: &BarsOptions) -> Result<ExitCode> {
    let mut arguments = vec!["bars".to_owned()];
    arguments.extend(
        options
            .filter
            .as_ref()
            .map(|filter| format!("--filter={filter}")),
    );
    generator(&arguments)
}

/// `cargo xtask soak`.
pub(crate) fn soak(options: &SoakOptions) -> Result<ExitCode> {
    generator(&["soak".to_owned(), format!("--seconds={}", options.seconds)])
}

/// Builds server, generator and modules, and becomes the generator.
fn generator(arguments: &[String]) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    let steps = Steps::new();
    steps.run("modules", |step| modules::build(&workspace, step))?;
    steps.run("release build", |step| {
        release(&workspace, step, &["syncline-cli", "syncline-bench"])
    })?;
    drop(steps.finish());
    let mut command = Command::new(workspace.release_binary("syncline-bench"));
    command
        .args(arguments)
        .env("SYNCLINE_BIN", workspace.release_binary("syncline"))
        .env("SYNCLINE_MODULES", workspace.modules_folder());
    Err(anyhow!(command.exec()).context("the load generator does not start"))
}

/// Builds packages with the release profile.
pub(crate) fn release(workspace: &Workspace, step: &Step, packages: &[&str]) -> Result<()> {
    let mut command = cargo(&workspace.root);
    command.args(["build", "--locked", "--release"]);
    for package in packages {
        command.args(["--package", package]);
    }
    step.run(&mut command)
}
