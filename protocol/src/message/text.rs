//! The JSON form of server messages.

use serde_json::Value as Json;

use super::delta::ResultDescription;
use super::server::ServerMessage;
use crate::types::Type;

/// What a JSON reader or writer must know of requests and instances to turn packed data into JSON.
pub trait ReplyTypes {
    /// Type of the value that the Reply to this request carries; `None`: no value.
    fn reply(&self, id: u32) -> Option<Type>;
    /// Description of the rows of an instance.
    fn instance(&self, handle: u64) -> Option<&ResultDescription>;
}

/// Appends the JSON form of a message.
pub fn server_to_json(_message: &ServerMessage, _types: &dyn ReplyTypes, _out: &mut Vec<u8>) {
    unimplemented!("helper")
}

/// Reads the JSON form back.
pub fn server_from_json(_json: &Json, _types: &dyn ReplyTypes) -> Result<ServerMessage, String> {
    unimplemented!("helper")
}
