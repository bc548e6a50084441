//! `syncline token`.

use serde_json::{Map, Value, json};

use crate::api::Api;
use crate::args::{Common, Token};
use crate::failure::Failure;
use crate::output;

/// Prints a token; to stderr, whose it is, so that `$(syncline token ..)` is the token alone.
pub(crate) fn run(common: &Common, args: &Token) -> Result<(), Failure> {
    let api = Api::new(common)?;
    let ttl = args.ttl.map(|ttl| ttl.as_secs());
    let mut claims = Map::new();
    for given in &args.claims {
        let Some((name, text)) = given.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return Err(Failure::usage("a claim is NAME=VALUE, as role=admin"));
        };
        let plain = serde_json::from_str::<Value>(text);
        let plain = plain
            .ok()
            .filter(|value| value.is_boolean() || value.is_i64() || value.is_u64());
        let value = plain.unwrap_or_else(|| text.into());
        if claims.insert(name.to_owned(), value).is_some() {
            let message = format!("the claim {name} is given twice");
            return Err(Failure::usage(&message));
        }
    }
    let body = json!({ "subject": args.subject, "ttl_s": ttl, "claims": claims });
    let answer = api.post(&[&args.database, "tokens"], &body)?;
    if common.json {
        return output::line(&answer);
    }
    output::line(&answer["token"].as_str().unwrap_or_default())?;
    eprintln!(
        "for identity {}",
        answer["identity"].as_str().unwrap_or_default()
    );
    Ok(())
}
