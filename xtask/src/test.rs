//! `cargo xtask test`: everything that must hold before a change is done.
//!
//! Two lanes run side by side, Rust and TypeScript; the corpus in TypeScript and the browser need both. No release build is made.

use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Result, ensure};

use crate::step::{Ended, Step, Steps, clock};
use crate::workspace::{Workspace, cargo};
use crate::{fuzz, modules, tools};

/// Options of `cargo xtask test`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Run only these steps (and none that they need).
    #[arg(long, value_name = "STEP", num_args = 1.., value_delimiter = ',')]
    only: Vec<String>,
    /// Leave out the browser test.
    #[arg(long)]
    skip_browser: bool,
}

/// Seeds of the simulation, and the time that they must not be over.
const SIM_SEEDS: &str = "2000";
const SIM_SECONDS: &str = "300";

type Work = fn(&Workspace, &Step) -> Result<()>;

const RUST: &[(&str, Work)] = &[
    ("format", |w, step| {
        step.run(cargo(&w.root).args(["fmt", "--all", "--check", "--", "--color=never"]))
    }),
    ("modules", modules::build),
    ("clippy", |w, step| step.run(cargo(&w.root).args(CLIPPY))),
    ("without-tls", |w, step| {
        step.run(cargo(&w.root).args(CLIENT_WITHOUT_TLS))
    }),
    ("binaries", |w, step| {
        step.run(cargo(&w.root).args(["build", "--locked", "--workspace", "--bins"]))
    }),
    ("tests", tests),
    ("fuzz-queries", fuzz::gate),
    ("doc-tests", |w, step| {
        step.run(cargo(&w.root).args(["test", "--locked", "--workspace", "--doc", "--quiet"]))
    }),
];

const TYPESCRIPT: &[(&str, Work)] = &[
    ("npm-ci", |w, step| tools::npm_ci(&w.root, step)),
    ("npm-build", |w, step| npm_run(w, step, "build")),
    ("npm-typecheck", |w, step| npm_run(w, step, "typecheck")),
    ("npm-lint", |w, step| npm_run(w, step, "lint")),
];

/// The corpus in TypeScript and the scripts named `e2e` in the packages: both start the server that
/// `binaries` built.
const BOTH: &[(&str, Work)] = &[("npm-test", npm_test), ("browser", browser)];

const CLIPPY: [&str; 7] = [
    "clippy",
    "--locked",
    "--workspace",
    "--all-targets",
    "--",
    "--deny",
    "warnings",
];

/// What an embedder gets who leaves the client's features out.
const CLIENT_WITHOUT_TLS: [&str; 8] = [
    "clippy",
    "--locked",
    "--package",
    "syncline-client",
    "--no-default-features",
    "--",
    "--deny",
    "warnings",
];

/// Runs the steps, prints a table, and as the last line how many passed and failed.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let names = || {
        RUST.iter()
            .chain(TYPESCRIPT)
            .chain(BOTH)
            .map(|(name, _)| *name)
    };
    for only in &options.only {
        let known = names().collect::<Vec<_>>().join(", ");
        ensure!(
            names().any(|name| name == only),
            "no step {only}; there are {known}"
        );
    }
    let is_wanted = |name: &str| {
        let left_out = options.skip_browser && name == "browser";
        !left_out && (options.only.is_empty() || options.only.iter().any(|only| only == name))
    };
    let workspace = Workspace::find()?;
    let start = Instant::now();
    let steps = Steps::new();
    let lane = |list: &[(&'static str, Work)]| {
        for (name, work) in list.iter().filter(|(name, _)| is_wanted(name)) {
            if steps.run(name, |step| work(&workspace, step)).is_err() {
                break;
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| lane(TYPESCRIPT));
        lane(RUST);
    });
    lane(BOTH);
    let wanted: Vec<_> = names().filter(|name| is_wanted(name)).collect();
    Ok(summary(
        &wanted,
        &steps.finish(),
        start.elapsed().as_secs_f64(),
    ))
}

fn summary(wanted: &[&str], ended: &[Ended], seconds: f64) -> ExitCode {
    println!();
    for name in wanted {
        match ended.iter().find(|step| step.name == *name) {
            Some(step) => {
                let verdict = if step.passed { "passed" } else { "FAILED" };
                let note = step.note.as_deref().unwrap_or_default();
                println!(
                    "{name:<14} {verdict:<8} {:>12}  {note}",
                    clock(step.seconds)
                );
            }
            None => println!("{name:<14} not run"),
        }
    }
    println!("{:<14} {:<8} {:>12}\n", "all", "", clock(seconds));
    let passed = ended.iter().filter(|step| step.passed).count();
    println!("{passed} passed, {} failed", wanted.len() - passed);
    if passed == wanted.len() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn tests(workspace: &Workspace, step: &Step) -> Result<()> {
    let mut command = cargo(&workspace.root);
    if tools::has_nextest() {
        command.args(["nextest", "run", "--locked", "--workspace"]);
    } else {
        command.args([
            "test",
            "--locked",
            "--workspace",
            "--lib",
            "--bins",
            "--tests",
        ]);
    }
    command.env("SYNCLINE_MODULES", workspace.modules_folder());
    command.env("SIM_SEEDS", SIM_SEEDS);
    command.env("SIM_SECONDS", SIM_SECONDS);
    step.run(&mut command)
}

fn npm_run(workspace: &Workspace, step: &Step, script: &str) -> Result<()> {
    step.run(&mut tools::npm(&workspace.root, &["run", script]))
}

fn npm_test(workspace: &Workspace, step: &Step) -> Result<()> {
    let mut command = tools::npm(&workspace.root, &["run", "test"]);
    step.run(with_server(workspace, &mut command))
}

fn browser(workspace: &Workspace, step: &Step) -> Result<()> {
    let mut command: Command = tools::npm(
        &workspace.root,
        &["run", "e2e", "--workspaces", "--if-present"],
    );
    command.env("CHROMIUM", tools::chromium()?);
    step.run(with_server(workspace, &mut command))
}

/// Tells scripts where the server and the modules are.
fn with_server<'c>(workspace: &Workspace, command: &'c mut Command) -> &'c mut Command {
    command
        .env("SYNCLINE_BIN", workspace.target.join("debug/syncline"))
        .env("SYNCLINE_MODULES", workspace.modules_folder())
}
