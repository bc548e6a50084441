//! What authors of Syncline modules use: tables, reducers and their context.
//!
//! A module is a crate of type `cdylib`, built for `wasm32-unknown-unknown` and published to a server.
//! It declares **tables** as structs and **reducers** as functions; a reducer is one transaction, and
//! an error it returns (or a panic) takes back everything it wrote.
//!
//! ```
//! use syncline::prelude::*;
//!
//! #[table(public, index(ordered, columns(room, sent_at)))]
//! pub struct Message {
//!     #[primary_key]
//!     #[auto_increment]
//!     pub id: u64,
//!     pub room: u32,
//!     pub author: Identity,
//!     pub text: String,
//!     pub sent_at: Timestamp,
//! }
//!
//! #[reducer]
//! pub fn send(ctx: &Context, room: u32, text: String) -> Result<u64, String> {
//!     if text.is_empty() {
//!         return Err("a message needs a text".to_owned());
//!     }
//!     let message = ctx.db().message().insert(Message {
//!         id: 0,
//!         room,
//!         author: ctx.caller(),
//!         text,
//!         sent_at: ctx.timestamp(),
//!     })?;
//!     Ok(message.id)
//! }
//!
//! // The twenty latest messages of a room.
//! fn latest(ctx: &Context, room: u32) -> Vec<Message> {
//!     ctx.db().message().by_room_sent_at().rev().filter(room).take(20).collect()
//! }
//! # let mut database = syncline::testing::Database::new();
//! # assert_eq!(database.call(|ctx| send(ctx, 7, "hello".to_owned())), Ok(1));
//! # assert_eq!(database.run(|ctx| latest(ctx, 7)).len(), 1);
//! ```
//!
//! - [`table`](macro@table) and [`Table`]: declare a table; insert, find, update, delete, iterate.
//! - [`Index`]: what a secondary index answers: equality, prefixes, ranges, in both directions.
//! - [`reducer`] and [`Context`]: who called, when, the tables, and randomness that can be replayed.
//! - [`Type`](macro@Type): structs and enums of your own as columns, parameters and results.
//! - [`Decimal`]: exact decimal numbers, for money; [`Json`]: what has no shape of its own.
//! - [`log`]: lines in the module's log.
//! - [`testing`] (not in wasm): run reducers in plain `cargo test`, against tables in memory.
//!
//! Tables and reducers register themselves; there is no list to keep. They must lie in the module's own
//! crate. A reducer has no clock, no files, no network and no randomness but its seed, so that it does
//! the same thing every time it is given the same input.

#[cfg(test)]
extern crate self as syncline;

mod guest;
mod level;
mod packed;
mod random;
#[cfg(not(target_arch = "wasm32"))]
mod stand_in;
mod table;
mod time;
mod uuid;

pub mod log;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

pub use guest::context::Context;
pub use guest::db::Db;
pub use guest::query::{Query, QueryError, QueryRow, Value};
pub use guest::registry::schema;
pub use packed::Packed;
pub use random::Random;
pub use syncline_protocol::decimal::NotADecimal;
pub use syncline_protocol::json_text::{JsonError, JsonKind, JsonRef};
pub use syncline_protocol::{ConnectionId, Decimal, Identity, Json};
pub use syncline_sdk_macros::{Type, reducer, table, view};
pub use table::error::WriteError;
pub use table::index::Index;
pub use table::rows::Rows;
pub use table::{Row, Table};
pub use time::{Duration, Timestamp};
pub use uuid::Uuid;

/// Everything a module needs: `use syncline::prelude::*;`.
pub mod prelude {
    pub use crate::log;
    pub use crate::{
        ConnectionId, Context, Db, Decimal, Duration, Identity, Json, QueryError, Timestamp, Type,
        Uuid, WriteError, reducer, table, view,
    };
}

/// How keys and ranges of indexes are written: what the traits in signatures mean.
pub mod key {
    pub use crate::table::index::{Hash, Ordered, Unique, UniqueOrdered};
    pub use crate::table::key::{AsColumn, ColumnRange, Key, KeyRange, Prefix};
}

/// What the macros' output refers to. Not for people: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use crate::guest::outcome::{LifecycleOutcome, Outcome};
    pub use crate::guest::query::field_types;
    pub use crate::guest::registry::{
        IndexEntry, ReducerEntry, TableEntry, TableNumber, ViewEntry, register_reducer,
        register_table, register_view,
    };
    pub use crate::packed::{AutoIncrement, enum_type, struct_type};
    pub use syncline_protocol::packed::Reader;
    pub use syncline_protocol::{CodecError, ReducerKind, Type};
}
