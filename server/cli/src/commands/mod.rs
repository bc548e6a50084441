//! One file a command.

pub(crate) mod backup;
pub(crate) mod call;
pub(crate) mod check;
pub(crate) mod dev;
pub(crate) mod export;
pub(crate) mod fork;
pub(crate) mod generate;
pub(crate) mod history;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod logs;
pub(crate) mod publish;
pub(crate) mod query;
pub(crate) mod restore;
pub(crate) mod schema;
pub(crate) mod start;
pub(crate) mod subscribe;
pub(crate) mod token;

use serde_json::json;

use crate::args::Common;
use crate::failure::Failure;
use crate::output;

/// `syncline version`.
pub(crate) fn version(common: &Common) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    if common.json {
        return output::line(&json!({ "version": version }));
    }
    output::line(&format_args!("syncline {version}"))
}
