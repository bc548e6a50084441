//! `syncline history`.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::api::{Api, encoded};
use crate::args::{Common, History};
use crate::failure::{Failure, not_understood};
use crate::output::{self, printable, timestamp};
use crate::parse;

/// What the server knows of a row.
#[derive(Debug, Deserialize)]
struct Answer {
    after: u64,
    is_cut: bool,
    events: Vec<Event>,
}

#[derive(Debug, Deserialize)]
struct Event {
    lsn: u64,
    time: String,
    change: String,
    row: Option<Map<String, Value>>,
    by: Option<String>,
    caller: Option<String>,
    reducer: Option<String>,
    args: Option<Map<String, Value>>,
}

/// Prints what has become of a row, one transaction a line.
pub(crate) fn run(common: &Common, args: &History) -> Result<(), Failure> {
    let api = Api::new(common)?;
    let key: Value = args.key.iter().map(|text| parse::value(text)).collect();
    let query = format!(
        "?table={}&key={}&limit={}",
        encoded(&args.table),
        encoded(&key.to_string()),
        args.limit
    );
    let answer = api.get(&[&args.database, "history"], &query)?;
    if common.json {
        return output::line(&answer);
    }
    let answer: Answer = serde_json::from_value(answer).map_err(not_understood)?;
    if answer.is_cut {
        eprintln!("earlier ones are left out: --limit shows more");
    } else if answer.after > 0 {
        eprintln!(
            "what happened up to lsn {} is not kept any more",
            answer.after
        );
    }
    if answer.events.is_empty() {
        eprintln!("nothing has happened to this row");
    }
    for event in answer.events {
        output::line(&event.line())?;
    }
    Ok(())
}

impl Event {
    fn line(self) -> String {
        let time = self.time.parse().map_or(self.time, timestamp);
        let by = match (self.by.as_deref(), self.reducer) {
            (_, Some(reducer)) => format!("{reducer}({})", members(self.args.as_ref())),
            (Some("publish"), None) => "a publish".to_owned(),
            (Some(_), None) => "the server or an import".to_owned(),
            (None, None) => "(not recorded)".to_owned(),
        };
        let caller = self.caller.map_or(String::new(), |caller| {
            format!(" for {}", caller.get(..8).unwrap_or(&caller))
        });
        let (lsn, change) = (self.lsn, self.change);
        let row = members(self.row.as_ref());
        let gap = if row.is_empty() { "" } else { "  " };
        format!("{lsn}  {time}  {change:<6}{gap}{row}  by {by}{caller}")
    }
}

/// `id=1 name=x`; texts of the data cannot drive a terminal.
fn members(members: Option<&Map<String, Value>>) -> String {
    let members = members.into_iter().flatten().map(|(name, value)| {
        let value = match value {
            Value::String(text) => printable(text),
            other => printable(&other.to_string()),
        };
        format!("{name}={value}")
    });
    members.collect::<Vec<_>>().join(" ")
}
