//! Rust client of Syncline: call reducers, subscribe to queries, hold a live local copy.
//!
//! [`Client`] is a connection that comes back by itself. [`Subscription`] is a live query: [`Rows`] that
//! follow the database, and [`Events`] that say what changed, each Commit as a whole. Schema and types come
//! from the server, so nothing has to be generated; values are packed bytes, [`protocol::Value`]s,
//! JSON, or any Rust type that serde can read. [`cache`] holds the rows without any I/O.
//!
//! ```no_run
//! # async fn example() -> Result<(), syncline_client::Error> {
//! use syncline_client::Client;
//!
//! #[derive(serde::Deserialize)]
//! struct Message {
//!     author: syncline_client::protocol::Identity,
//!     text: String,
//! }
//!
//! let client = Client::builder("http://127.0.0.1:4510", "chat").connect().await?;
//! let sql = "SELECT author, text FROM message WHERE room = :room";
//! let mut messages = client.subscribe(sql, &[("room", 1.into())]).await?;
//! client.call("send", (1, "hello")).await?;
//! loop {
//!     messages.changed().await?;
//!     for message in messages.rows().parse::<Message>()? {
//!         println!("{}: {}", message.author, message.text);
//!     }
//! }
//! # }
//! ```
//!
//! An address that begins with `https://` or `wss://` asks for TLS (feature `tls`, on by default), with the
//! certificates that the platform trusts or those of [`Builder::roots`].
//!
//! A call whose reply did not come before the connection was lost fails with
//! [`Error::OutcomeUnknown`] and is never sent again by the client itself.

mod builder;
pub mod cache;
mod client;
mod connection;
mod decode;
mod error;
mod events;
pub mod query;
mod rows;
mod shared;
mod state;
mod subscription;
#[cfg(feature = "tls")]
pub mod tls;

pub use builder::Builder;
pub use client::Client;
pub use error::{Error, TlsError, TlsProblem};
pub use events::{Batch, Event, Events, RowChange};
pub use rows::{Outcome, Row, Rows};
pub use state::ConnectionState;
pub use subscription::Subscription;

/// The ground floor: values, types, messages and limits.
pub use syncline_protocol as protocol;
/// The value of a query's parameter.
pub use syncline_protocol::param::Param;
