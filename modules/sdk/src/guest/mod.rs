//! The guest's side of the module ABI, from the imports up to what a reducer is handed.

#[cfg(target_arch = "wasm32")]
#[path = "wasm.rs"]
pub(crate) mod host;
#[cfg(not(target_arch = "wasm32"))]
#[path = "native.rs"]
pub(crate) mod host;

mod call;
pub(crate) mod context;
pub(crate) mod db;
pub(crate) mod outcome;
pub(crate) mod query;
pub(crate) mod registry;
