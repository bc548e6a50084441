//! Messages between client and server, in two encodings with the same meaning.
//!
//! In MessagePack a message is `[tag, [field, ..]]`: fields in declared order; absent ones at the end may be left off.
//! In JSON it is an object whose `type` is the message's name in snake case. Packed data (arguments,
//! rows, results) is one `bin` in MessagePack and plain JSON values in JSON. docs/wire.md has both.

mod client;
mod delta;
mod query_form;
mod server;
pub mod text;
mod text_read;

#[cfg(test)]
mod tests;

pub use client::{
    Args, Auth, Call, ClientMessage, Delivery, Hello, Ping, Query, SetParams, Subscribe,
    Unsubscribe,
};
pub use delta::{DeltaOp, DeltaReader, DeltaWriter, OrderColumn, ResultColumn, ResultDescription};
pub use query_form::{OwnedQueryForm, QueryForm};
pub use server::{
    Commit, CommitFrame, Delta, ErrorMessage, Moved, Pong, Reply, Reset, Rows, SchemaChanged,
    ServerMessage, Snapshot, Welcome,
};
pub use text::{ReplyTypes, server_to_json};
pub use text_read::server_from_json;

/// How messages of a connection are written; the WebSocket subprotocol chooses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// `syncline.v1.msgpack`, binary frames.
    MessagePack,
    /// `syncline.v1.json`, text frames.
    Json,
}

impl Encoding {
    /// Both, in the server's order of preference.
    pub const ALL: [Self; 2] = [Self::MessagePack, Self::Json];

    /// Name of the WebSocket subprotocol.
    #[must_use]
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::MessagePack => "syncline.v1.msgpack",
            Self::Json => "syncline.v1.json",
        }
    }
}
