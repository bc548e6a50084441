#![allow(clippy::unwrap_used)]

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use super::{Cli, Command};

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

#[test]
fn clap_finds_no_fault() {
    Cli::command().debug_assert();
}

#[test]
fn global_options_stand_anywhere() {
    for line in [
        "syncline --json --data x version",
        "syncline version --data x --json",
    ] {
        let cli = parse(line).unwrap();
        assert!(cli.common.json && cli.common.data.is_some(), "{line}");
    }
}

#[test]
fn a_near_miss_is_told() {
    for (line, meant) in [
        ("syncline pubish", "publish"),
        ("syncline qurey x y", "query"),
        ("syncline start --lisen 127.0.0.1:0", "--listen"),
    ] {
        let error = parse(line).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line}");
        assert!(
            error.to_string().contains(&format!("'{meant}'")),
            "{line}: {error}"
        );
    }
}

#[test]
fn arguments_of_calls_may_be_negative() {
    let cli = parse("syncline call bank deposit -5 -2.5 hello").unwrap();
    let Command::Call(call) = cli.command else {
        panic!("it is a call")
    };
    assert_eq!(call.values, ["-5", "-2.5", "hello"]);
    let both = parse("syncline call bank deposit 1 --args [1]").unwrap_err();
    assert_eq!(both.kind(), ErrorKind::ArgumentConflict);
}

#[test]
fn exit_codes_are_in_the_help() {
    let help = Cli::command().render_long_help().to_string();
    for code in [
        "0  done",
        "1  the server refused",
        "2  the",
        "3  the server cannot",
        "4  the module",
    ] {
        assert!(help.contains(code), "{help}");
    }
}
