//! The binary `syncline`: starts the server, and is its command-line client.
//!
//! [`args`] is the command line, [`commands`] has a file for each command. Commands that talk to a server go
//! through [`api`] (HTTP) or, for live queries, through the Rust client. [`project`] finds and builds
//! modules, [`kit`] is what the binary carries for new ones. A command returns a [`failure::Failure`], which knows how to tell itself and its exit code.

mod api;
mod args;
mod commands;
mod failure;
mod generate;
mod kit;
mod out;
mod output;
mod parse;
mod progress;
mod project;
mod rows;
mod signals;
mod tls;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

fn main() -> ExitCode {
    let Cli { common, command } = Cli::parse();
    let done = match &command {
        Command::Start(args) => commands::start::run(&common, args),
        Command::Init(args) => commands::init::run(&common, args),
        Command::Dev(args) => commands::dev::run(&common, args),
        Command::Publish(args) => commands::publish::run(&common, args),
        Command::Call(args) => commands::call::run(&common, args),
        Command::Query(args) => commands::query::run(&common, args),
        Command::Subscribe(args) => commands::subscribe::run(&common, args),
        Command::Logs(args) => commands::logs::run(&common, args),
        Command::Schema(args) => commands::schema::run(&common, args),
        Command::Generate(args) => commands::generate::run(&common, args),
        Command::Export(args) => commands::export::run(&common, args),
        Command::Import(args) => commands::import::run(&common, args),
        Command::Backup(args) => commands::backup::run(&common, args),
        Command::Restore(args) => commands::restore::run(&common, args),
        Command::Check(args) => commands::check::run(&common, args),
        Command::Salvage(args) => commands::check::salvage(&common, args),
        Command::Compact(args) => commands::check::compact(&common, args),
        Command::Fork(args) => commands::fork::run(&common, args),
        Command::History(args) => commands::history::run(&common, args),
        Command::Token(args) => commands::token::run(&common, args),
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
