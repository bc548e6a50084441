//! The client side of a connection, as thin as it can be: the generator must not be the bottleneck.
//!
//! [`frame`] is RFC 6455 as far as a client needs it, [`Link`] a blocking connection that has said
//! Hello, [`Lane`] the same connection in a nonblocking load group, [`reply`] reads the messages of
//! the hot path without building them.

pub(crate) mod frame;
mod lane;
mod link;
pub(crate) mod reply;
#[cfg(test)]
mod tests;

pub(crate) use lane::{Lane, READ_BYTES};
pub(crate) use link::{Link, Target, open_many};
