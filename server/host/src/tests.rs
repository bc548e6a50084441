//! Modules written by hand, good ones and hostile ones.
#![allow(clippy::unwrap_used)]

mod fixture;

mod calls;
mod hostile;
mod load;
mod random;
mod reuse;
mod scans;
