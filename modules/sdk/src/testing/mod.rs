//! Running reducers in plain `cargo test`, against tables in memory. Not part of what is built for wasm.
//!
//! ```
//! use syncline::prelude::*;
//! use syncline::testing::Database;
//!
//! #[table]
//! pub struct Counter {
//!     #[primary_key]
//!     who: Identity,
//!     clicks: u64,
//! }
//!
//! #[reducer]
//! fn click(ctx: &Context) -> Result<u64, String> {
//!     let counters = ctx.db().counter();
//!     let before = counters.find(ctx.caller()).map_or(0, |counter| counter.clicks);
//!     let counter = counters.upsert(Counter { who: ctx.caller(), clicks: before + 1 })?;
//!     Ok(counter.clicks)
//! }
//!
//! let mut database = Database::new();
//! assert_eq!(database.call(click), Ok(1));
//! assert_eq!(database.call(click), Ok(2));
//! database.caller = Identity([7; 32]);
//! assert_eq!(database.call(click), Ok(1));
//! assert_eq!(database.run(|ctx| ctx.db().counter().count()), 2);
//! ```

use syncline_protocol::{ConnectionId, Identity};

use crate::guest::context::Context;
use crate::guest::registry::schema;
use crate::level::Level;
use crate::stand_in::{RUNNING, Tables};
use crate::time::{Duration, Timestamp};

#[cfg(test)]
mod tests;

/// The tables of this module, empty at first, and who the next caller is.
///
/// It keeps keys and unique keys apart, fills auto-increment columns and rolls back like a server, but has
/// none of a server's limits, and runs no lifecycle reducer by itself: pass `init` to [`Self::run`].
#[derive(Debug)]
pub struct Database {
    /// Who calls.
    pub caller: Identity,
    /// Over which connection; all zero for none.
    pub connection: ConnectionId,
    /// When. Every call is a millisecond after the one before.
    pub now: Timestamp,
    calls: u64,
    tables: Tables,
}

impl Default for Database {
    fn default() -> Self {
        Self::new()
    }
}

impl Database {
    /// All tables of the module, without rows.
    #[must_use]
    pub fn new() -> Self {
        Self {
            caller: Identity([1; 32]),
            connection: ConnectionId([1; 16]),
            now: Timestamp::from_micros(1_767_225_600_000_000),
            calls: 0,
            tables: Tables::new(&schema()),
        }
    }

    /// Runs a reducer as one transaction; an error, or a panic, takes back what it wrote.
    pub fn call<T, E>(&mut self, reducer: impl FnOnce(&Context) -> Result<T, E>) -> Result<T, E> {
        self.transaction(reducer, Result::is_ok)
    }

    /// Runs a reducer that cannot fail, or reads tables.
    pub fn run<T>(&mut self, reducer: impl FnOnce(&Context) -> T) -> T {
        self.transaction(reducer, |_result| true)
    }

    /// What the calls have logged since the last time.
    pub fn take_log(&mut self) -> Vec<(Level, String)> {
        core::mem::take(&mut self.tables.log)
    }

    fn transaction<T>(
        &mut self,
        reducer: impl FnOnce(&Context) -> T,
        commits: impl FnOnce(&T) -> bool,
    ) -> T {
        /// Clears the thread's tables when a reducer panics.
        struct Clear;
        impl Drop for Clear {
            fn drop(&mut self) {
                RUNNING.set(None);
            }
        }
        self.calls += 1;
        self.now += Duration::from_millis(1);
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.calls.to_le_bytes());
        let context = Context::new(self.caller, self.connection, self.now, seed);
        RUNNING.with_borrow_mut(|running| {
            assert!(running.is_none(), "a reducer runs inside another");
            *running = Some(self.tables.clone());
        });
        let clear = Clear;
        let result = reducer(&context);
        let after = RUNNING
            .take()
            .expect("only the end of the transaction takes the tables away");
        drop(clear);
        if commits(&result) {
            self.tables = after;
        } else {
            self.tables.log = after.log;
        }
        result
    }
}
