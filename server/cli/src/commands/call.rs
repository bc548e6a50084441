//! `syncline call`.

use serde_json::Value;

use crate::api::Api;
use crate::args::{Call, Common};
use crate::failure::Failure;
use crate::{output, parse};

/// Calls a reducer and prints what it returns.
pub(crate) fn run(common: &Common, args: &Call) -> Result<(), Failure> {
    let api = Api::new(common)?.anonymous(args.who.anonymous);
    let arguments = match &args.args {
        Some(text) => whole(text)?,
        None => args.values.iter().map(|text| parse::value(text)).collect(),
    };
    let answer = api.post(&[&args.database, "call", &args.reducer], &arguments)?;
    if common.json {
        return output::line(&answer);
    }
    match &answer["value"] {
        Value::Null => output::line(&format_args!("done (lsn {})", answer["lsn"])),
        Value::String(text) => output::line(&output::printable(text)),
        value => output::line(value),
    }
}

fn whole(text: &str) -> Result<Value, Failure> {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Array(_) | Value::Object(_))) => Ok(value),
        Ok(_) => Err(Failure::usage(
            "--args is a JSON array, or an object by name",
        )),
        Err(error) => Err(Failure::usage(format!("--args is not JSON: {error}"))),
    }
}
