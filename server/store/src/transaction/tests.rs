#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod choices;
mod cursors;
mod model;
mod oracle;
mod scans;
mod writes;
