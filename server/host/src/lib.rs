//! Runs WASM reducers against a transaction, within limits. The one crate that knows wasmtime.
//!
//! A [`Host`] compiles wasm into a [`Module`], or says precisely why not ([`LoadError`]). A [`Runner`]
//! keeps an instance of the module and runs one reducer at a time within a [`Transaction`] that is lent to
//! it; the caller commits it or rolls it back. What host and module say to each other is written down
//! in docs/module-abi.md.
//!
//! Invariants: no clock and no randomness reach a module but those of its [`CallContext`]; whatever a
//! module does, the worst that comes of it is an error of its own call; nothing that a failed call left
//! behind in an instance is seen by another call.
//!
//! [`Transaction`]: syncline_store::Transaction

mod checks;
mod compiled;
mod error;
mod guest_memory;
mod imports;
mod instance;
mod module;
mod outcome;
mod runner;
mod shape;
mod state;
#[cfg(test)]
mod tests;

pub use compiled::{CompiledCounts, CompiledModules};
pub use error::{CallError, CallLimit, LoadError};
pub use instance::{RunLimits, TICK_MS};
pub use module::{Host, HostError, Module};
pub use outcome::validate_args;
pub use runner::{CallContext, Runner};
pub use state::{AnswerQuery, LogLine};
