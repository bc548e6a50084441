//! Runs WASM reducers against a transaction, within limits.
