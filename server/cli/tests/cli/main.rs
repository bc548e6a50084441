//! The binary `syncline` as people and scripts use it. One test binary; every test has servers of its own.
#![allow(clippy::unwrap_used)]

mod backup;
#[cfg(target_os = "linux")]
mod full_disk;
mod init;
mod past;
mod refusals;
mod server;
mod talk;
mod tls;
#[path = "../../../../tests/it/tls_proxy.rs"]
mod tls_proxy;
mod transfer;
