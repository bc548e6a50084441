//! `cargo xtask`: one tool for every chore of the repository.
//!
//! Each command is a list of [`step`]s: a step has a name, shows what it is doing, takes its time in
//! public and, when it fails, shows its whole log. [`workspace`] knows folders and artifacts,
//! [`tools`] what else must be on the machine.

mod bench;
mod bench_live;
mod bench_log;
mod demo;
mod fuzz;
mod modules;
mod sim;
mod step;
mod test;
mod tools;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Chores of the Syncline repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Build everything, start a server with the demo published and print its address.
    Demo(demo::Options),
    /// Run every check: format, lints, tests, rules, TypeScript, browser.
    Test(test::Options),
    /// Build the WASM modules into target/modules.
    Modules,
    /// Measure a release server (all works, or the ones named).
    Bench(bench::Options),
    /// Measure every bar of the repository: figure, bar, PASS or FAIL.
    Bars(bench::BarsOptions),
    /// Churn connects, subscribes, calls and cuts, and watch the server's memory.
    Soak(bench::SoakOptions),
    /// Simulate a database on a disk that crashes, seed by seed.
    Sim(sim::Options),
    /// Compare random live queries with SQLite, after every transaction of random histories.
    FuzzQueries(fuzz::Options),
    /// What `demo` runs beside the server.
    #[command(hide = true)]
    PublishDemo(demo::PublishOptions),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().chore {
        Chore::Demo(options) => demo::run(&options),
        Chore::Test(options) => test::run(&options),
        Chore::Modules => modules::run(),
        Chore::Bench(options) if bench_log::is_meant(&options) => bench_log::run(&options),
        Chore::Bench(options) if bench_live::is_meant(&options) => bench_live::run(&options),
        Chore::Bench(options) => bench::run(&options),
        Chore::Bars(options) => bench::bars(&options),
        Chore::Soak(options) => bench::soak(&options),
        Chore::Sim(options) => sim::run(&options),
        Chore::FuzzQueries(options) => fuzz::run(&options),
        Chore::PublishDemo(options) => demo::publish(&options),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
