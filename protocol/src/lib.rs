//! Ground floor of Syncline: values, rows, schema, change sets, messages, limits and the module ABI.
//!
//! Everything above speaks in these types; this crate does no I/O, holds no state, spawns nothing,
//! contains no unsafe code and compiles to wasm32 (a module links it without the `wire` feature).
//!
//! - [`Type`] and [`Value`] describe data; [`packed`] is its one binary form, used in memory, in the
//!   log, in indexes and on the wire; [`key`] is the memcomparable form of ordered index keys.
//! - [`Schema`] is what a module declares; [`RowLayout`] finds a column inside a packed row.
//! - [`ChangeSet`] is what one committed transaction did, net per primary key.
//! - [`logical`] (feature `wire`) is a query as structure, which query builders send in place of SQL.
//! - [`message`] (feature `wire`) is what travels over a WebSocket, in MessagePack and in JSON.
//! - [`limits`] holds every limit with its default; [`abi`] the contract between host and module.
//!
//! ```
//! use syncline_protocol::{packed, Type, Value};
//! let mut bytes = Vec::new();
//! packed::encode(&Type::I64, &Value::I64(-2), &mut bytes).expect("the value has the type");
//! assert_eq!(packed::decode(&Type::I64, &bytes).expect("it was just encoded"), Value::I64(-2));
//! ```

pub mod ids;
pub mod limits;

pub mod error;

pub mod decimal;
pub mod json_text;

pub mod types;
pub mod value;

pub mod key;
pub mod packed;

pub mod layout;
pub mod schema;
pub mod schema_check;
pub mod schema_codec;

pub mod change;

pub mod abi;

#[cfg(feature = "wire")]
pub mod claims;
#[cfg(feature = "wire")]
pub mod json;
#[cfg(feature = "wire")]
pub mod logical;
#[cfg(feature = "wire")]
pub mod message;
#[cfg(feature = "wire")]
pub mod param;

#[cfg(test)]
mod strategies;

pub use change::{ChangeSet, Changed};
#[cfg(feature = "wire")]
pub use claims::Claims;
pub use decimal::Decimal;
pub use error::{CodecError, ErrorCode, WireError};
pub use ids::{ConnectionId, Epoch, Identity, Lsn, TableId};
pub use json_text::Json;
pub use layout::RowLayout;
pub use schema::{
    ColumnDef, IndexDef, IndexKind, PolicyDef, ReducerDef, ReducerKind, Schema, TableDef, ViewDef,
};
pub use schema_check::SchemaError;
pub use types::{EnumType, Field, StructType, Type, Variant};
pub use value::Value;
