//! `cargo xtask bench live [WORK ..]`: what live queries cost a commit, without a server.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Result, anyhow};

use crate::bench::{Options, release};
use crate::step::Steps;
use crate::workspace::Workspace;

/// Whether the first work is ours.
pub(crate) fn is_meant(options: &Options) -> bool {
    options.works.first().is_some_and(|work| work == "live")
}

/// Builds the benchmark of tests/bench-live and becomes it.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    if options.seconds.is_some() {
        return Err(anyhow!(
            "--seconds is not of `bench live`, which counts commits"
        ));
    }
    let workspace = Workspace::find()?;
    let steps = Steps::new();
    steps.run("release build", |step| {
        release(&workspace, step, &["syncline-bench-live"])
    })?;
    drop(steps.finish());
    let mut command = Command::new(workspace.release_binary("syncline-bench-live"));
    command.args(&options.works[1..]);
    if options.json {
        command.arg("--json");
    }
    Err(anyhow!(command.exec()).context("the benchmark does not start"))
}
