//! `syncline token`.

use serde_json::json;

use crate::api::Api;
use crate::args::{Common, Token};
use crate::failure::Failure;
use crate::output;

/// Prints a token; to stderr, whose it is, so that `$(syncline token ..)` is the token alone.
pub(crate) fn run(common: &Common, args: &Token) -> Result<(), Failure> {
    let api = Api::new(common)?;
    let ttl = args.ttl.map(|ttl| ttl.as_secs());
    let body = json!({ "subject": args.subject, "ttl_s": ttl });
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
