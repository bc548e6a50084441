//! Modules written by hand, good ones and hostile ones.
#![allow(clippy::unwrap_used, reason = "tests")]

mod fixture;

mod calls;
mod compiled;
mod hostile;
mod load;
mod random;
mod reuse;
mod scans;
