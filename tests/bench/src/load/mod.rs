//! Load: groups of connections that keep requests in flight, and the floors beside them.
//!
//! A [`pump`] is one thread with one poll over its [`crate::socket::Lane`]s; [`Gate`] is how the measuring
//! thread and the pumps agree on when it counts. [`floor`] holds the servers that do nothing but
//! echo, measured in the same way, so that every figure stands beside what the sockets alone cost.

pub(crate) mod calls;
pub(crate) mod echo;
pub(crate) mod fan_out;
pub(crate) mod floor;
mod gate;
mod pump;
#[cfg(test)]
mod tests;

pub(crate) use gate::{Gate, Window, measure};
pub(crate) use pump::{Pumped, Taken, Traffic, pump};

use hdrhistogram::Histogram;

/// An empty histogram of nanoseconds up to two minutes.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 120_000_000_000, 3).expect("the bounds are valid")
}
