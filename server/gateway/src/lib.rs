//! Sockets, HTTP, auth and metrics around the engine; the library one embeds.
//!
//! ```no_run
//! use syncline_server::{Config, Data, Server};
//! let config = Config { listen: ([127, 0, 0, 1], 0).into(), data: Data::Memory, ..Config::default() };
//! let server = Server::start(config)?;
//! println!("listening on {}", server.url());
//! server.shut_down();
//! # Ok::<(), syncline_server::StartError>(())
//! ```
//!
//! [`Server::start`] opens every database of the data folder and gives each to a home thread, which
//! runs its engine and all its sockets; its commit log has a thread of its own, and a checkpoint has
//! one while it is written. HTTP runs on a runtime
//! beside them: it upgrades WebSockets and hands them to the database's home.

mod auth;
mod background;
mod checkpoints;
mod config;
mod connection;
mod context;
mod database;
mod files;
mod home;
mod http;
mod metrics;
pub mod offline;
mod opening;
mod outbox;
mod requests;
mod scrubs;
mod server;
mod shared;
mod state;
mod tickets;
mod ticks;
mod transfer;
mod websocket;

pub use auth::{AuthError, Authenticated, Authority};
pub use config::{Config, DEFAULT_PORT, Data};
pub use files::FileError;
pub use server::Server;
pub use state::StartError;
pub use syncline_engine::Disk;

/// Microseconds since the Unix epoch.
pub(crate) fn now_us() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_micros() as i64)
}

/// Seconds since the Unix epoch.
pub(crate) fn now_s() -> u64 {
    (now_us() / 1_000_000).unsigned_abs()
}
