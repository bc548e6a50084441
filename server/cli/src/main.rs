//! The binary `syncline`: starts the server, and is its command-line client.
//!
//! [`args`] is the command line, [`commands`] has a file for each command. Commands that talk to a server go
//! through [`api`] (HTTP) or, for live queries, through the Rust client. [`project`] finds and builds
//! modules. A command returns a [`failure::Failure`], which knows how to tell itself and its exit code.

mod api;
mod args;
mod commands;
mod failure;
mod output;
mod parse;
mod project;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

fn main() -> ExitCode {
    let Cli { common, command } = Cli::parse();
    let done = match &command {
        Command::Start(args) => commands::start::run(&common, args),
        Command::Publish(args) => commands::publish::run(&common, args),
        Command::Version => commands::version(&common),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads our output has seen enough, as in `syncline logs .. | head`.
        Err(failure) if failure.is_closed_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{}", failure.render(common.json));
            ExitCode::from(failure.exit_code())
        }
    }
}
