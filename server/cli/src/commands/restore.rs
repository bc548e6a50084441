//! `syncline restore`.

use std::fs::File;
use std::io::Read;

use serde_json::Value;
use syncline_protocol::{ErrorCode, WireError};

use super::fork::Made;
use crate::api::Api;
use crate::args::{Common, Restore};
use crate::failure::{Failure, at, not_understood};
use crate::output;
use crate::progress::Progress;

/// Sends a backup to the server, which makes a database of it.
pub(crate) fn run(common: &Common, args: &Restore) -> Result<(), Failure> {
    let api = Api::new(common)?;
    let file = File::open(&args.file).map_err(at(&args.file))?;
    let len = file.metadata().map_err(at(&args.file))?.len();
    // Before gigabytes are sent for nothing.
    if api.databases()?.contains(&args.database) {
        let message = format!("there is a database named {}", args.database);
        let error = WireError::new(ErrorCode::DatabaseExists, message);
        return Err(Failure::Refused(error).hint("take another name"));
    }
    let point = args.as_of.as_ref().and_then(Value::as_object);
    let query = point.and_then(|point| point.iter().next());
    let query = query.map_or(String::new(), |(name, value)| format!("?{name}={value}"));
    let progress = Progress::bytes(Some(len), common.json);
    let mut body = Watched {
        file,
        sent: 0,
        progress: &progress,
    };
    let path = [args.database.as_str(), "restore"];
    let answer = api.post_stream(&path, &query, &mut body, len);
    progress.end();
    let answer = answer?;
    if common.json {
        return output::line(&answer);
    }
    let made: Made = serde_json::from_value(answer).map_err(not_understood)?;
    output::line(&made.line("is restored"))
}

/// Tells how much of a file was read.
struct Watched<'a> {
    file: File,
    sent: u64,
    progress: &'a Progress,
}

impl Read for Watched<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(into)?;
        self.sent += read as u64;
        self.progress.at(self.sent);
        Ok(read)
    }
}
