//! What a database was, and copies of it. Nothing in here changes the database that it reads.
//!
//! - [`read_past`] reads it as it was at an Lsn or a time, as far back as its checkpoints and log go.
//! - [`found`] makes a new database of that, with an epoch of its own: a fork, or a restored backup.
//! - [`read_history`] says what has become of one row: when, by whom, by which call.
//! - [`begin_backup`] writes all that is kept of it as one stream, and [`BackupDisk`] reads that again.

mod backup;
mod found;
mod history;
mod point;
#[cfg(test)]
mod tests;

pub use backup::{Backup, BackupDisk, BackupError, begin_backup};
pub(crate) use found::UNFINISHED;
pub use found::{FoundError, found};
pub use history::{Cause, History, HistoryOf, RowEvent, RowFate, read_history};
pub use point::{Past, read_past};
