#![allow(clippy::unwrap_used)]

use clap::{CommandFactory, Parser};


use super::Cli;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

#[test]
fn clap_finds_no_fault() {
    Cli::command().debug_assert();
}

#[test]
fn global_options_stand_anywhere() {
    for line in ["syncline --json --data x version", "syncline version --data x --json"] {
        let cli = parse(line).unwrap();
        assert!(cli.common.json && cli.common.data.is_some(), "{line}");
    }
}
