//! `cargo xtask bench log | restart | checkpoint`: the store's disk side beside its peers, without a server.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Result, anyhow, ensure};

use crate::bench::{Options, release};
use crate::step::Steps;
use crate::workspace::Workspace;

/// Works that need no server.
const WORKS: [&str; 3] = ["log", "restart", "checkpoint"];

/// Whether one of these works is ours.
pub(crate) fn is_meant(options: &Options) -> bool {
    let mut works = options.works.iter();
    works.any(|work| WORKS.contains(&work.as_str()))
}

/// Builds the benchmark of tests/bench-log and becomes it.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let [work] = &*options.works else {
        let works = WORKS.join(", ");
        return Err(anyhow!("{works}: one at a time, and none beside it"));
    };
    ensure!(WORKS.contains(&work.as_str()), "no work {work}");
    let workspace = Workspace::find()?;
    let steps = Steps::new();
    steps.run("release build", |step| {
        release(&workspace, step, &["syncline-bench-log"])
    })?;
    drop(steps.finish());
    let mut command = Command::new(workspace.release_binary("syncline-bench-log"));
    command.arg(work);
    command.arg("--data").arg(workspace.target.join("bench"));
    if options.json {
        command.arg("--json");
    }
    if let Some(seconds) = options.seconds {
        command.arg(format!("--seconds={seconds}"));
    }
    Err(anyhow!(command.exec()).context("the benchmark does not start"))
}
