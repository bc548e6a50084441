//! Rust client of Syncline: call reducers, subscribe to queries, hold a live local copy.

pub mod cache;
