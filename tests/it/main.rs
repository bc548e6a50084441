//! Integration tests: real servers on real sockets, and the corpus.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says where and why"
)]

mod builder;
mod client;
mod host;
mod made_module;
mod peer;
mod server;
mod socket;
mod tls_proxy;

mod budgets;
mod corpus;
mod crash;
mod disk;
mod durable;
mod gateway;
mod kill;
mod past;
mod rust_client;
mod smoke;
mod tls;
mod transfer;
mod turns;
