//! `syncline logs`.

use std::io::{BufRead, BufReader};

use serde::Deserialize;

use crate::api::Api;
use crate::args::{Common, Logs};
use crate::failure::{Failure, not_understood};
use crate::output::{self, printable, timestamp};

#[derive(Deserialize)]
struct Line {
    time: String,
    level: String,
    reducer: String,
    text: String,
}

/// Prints lines as they come.
pub(crate) fn run(common: &Common, args: &Logs) -> Result<(), Failure> {
    let api = Api::new(common)?;
    let query = format!("?follow={}&limit={}", args.follow, args.limit);
    let body = api.open(&[&args.database, "logs"], &query)?.into_body();
    for line in BufReader::new(body.into_reader()).lines() {
        let text = line.map_err(|error| {
            Failure::unreachable(format!("the server stopped sending lines: {error}"))
        })?;
        if common.json {
            output::line(&text)?;
            continue;
        }
        let line: Line = serde_json::from_str(&text).map_err(not_understood)?;
        let time = line.time.parse().map_or(line.time, timestamp);
        let (level, reducer, text) = (line.level, line.reducer, printable(&line.text));
        output::line(&format_args!("{time}  {level:<5}  {reducer}: {text}"))?;
    }
    Ok(())
}
