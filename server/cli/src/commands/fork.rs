//! `syncline fork`.

use serde::Deserialize;
use serde_json::json;

use crate::api::Api;
use crate::args::{Common, Fork};
use crate::failure::{Failure, not_understood};
use crate::output::{self, timestamp};

/// What the server says of a database that it has made of another.
#[derive(Debug, Deserialize)]
pub(super) struct Made {
    database: String,
    lsn: u64,
    time: String,
}

impl Made {
    /// As of when it is what the other was.
    pub(super) fn line(self, made: &str) -> String {
        let time = self.time.parse().map_or(self.time, timestamp);
        format!("{} {made} as of lsn {}, {time}", self.database, self.lsn)
    }
}

/// Makes a database of another.
pub(crate) fn run(common: &Common, args: &Fork) -> Result<(), Failure> {
    let api = Api::new(common)?;
    let body = json!({ "from": args.from, "as_of": args.as_of });
    let answer = api.post(&[&args.database, "fork"], &body)?;
    if common.json {
        return output::line(&answer);
    }
    let made: Made = serde_json::from_value(answer).map_err(not_understood)?;
    output::line(&made.line(&format!("is {}", args.from)))
}
