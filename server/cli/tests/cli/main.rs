//! The binary `syncline` as people and scripts use it. One test binary; every test has servers of its own.
#![allow(clippy::unwrap_used)]

mod init;
mod refusals;
mod server;
mod talk;
