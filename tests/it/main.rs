//! Integration tests: real servers on real sockets, and the corpus.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says where and why"
)]

mod peer;
mod server;
mod socket;

mod smoke;

mod corpus;
