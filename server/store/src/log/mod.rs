//! The commit log: every transaction of a database, in order, durable by the group.
//!
//! - [`LogAppender`] belongs to the engine: it gives each transaction its Lsn and encodes it into
//!   memory. [`LogWriter`] belongs to whoever waits for the disk: it writes and syncs what was handed over
//!   meanwhile, as one group, and moves the durable Lsn.
//! - The format, from the inside out: `varint`, [`changes`], [`record`], `group`, `segment`. Their
//!   documentation is the specification; docs/commit-log.md leads through it.
//! - `recovery` reads a log back, tells a torn tail from damage and begins a new segment; `open` makes a
//!   database of it.

use std::path::Path;

use recovery::Base;
use syncline_protocol::Lsn;
use syncline_protocol::limits::{
    CHECKPOINT_LOG_BYTES, CHECKPOINTS_MIN, HISTORY_BYTES_MAX, LOG_PENDING_BYTES_MAX,
    LOG_SEGMENT_BYTES,
};

use crate::disk::Disk;

pub(crate) mod appender;
pub mod changes;
pub mod commit_log;
pub mod error;
pub(crate) mod file;
pub(crate) mod group;
pub(crate) mod handover;
pub(crate) mod module_files;
pub mod record;
pub(crate) mod recovery;
pub(crate) mod segment;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod varint;
pub(crate) mod writer;

pub use appender::LogAppender;
pub use changes::{LoggedChange, LoggedChanges};
pub use commit_log::{AppendError, CommitLog, Entries, Room};
pub use error::{LogError, OpenError};
pub use module_files::{ModuleStore, StoredModule};
pub use record::{
    Audit, LoggedPublish, LoggedRecord, LoggedTransaction, OpenRecord, PublishRecord, RowSum,
    RowSums, TransactionRecord,
};
pub use segment::LOG_VERSION;
pub use writer::{LogWriter, Progress, Wake};

/// Reads the log of a database that nobody has open, and shows every record that is kept to `visit`, in order; what
/// `visit` returns as an error is damage. Changes nothing. Returns the last Lsn.
pub fn read_log(
    disk: &dyn Disk,
    folder: &Path,
    visit: &mut dyn FnMut(LoggedRecord<'_>) -> Result<(), String>,
) -> Result<Lsn, OpenError> {
    let survey = recovery::survey(disk, &folder.join(LOG_FOLDER))?;
    let base = Base {
        lsn: survey.start(),
        ..Base::default()
    };
    Ok(recovery::recover(disk, survey, base, visit)?.last)
}

/// Folder of the segments inside that of a database.
pub(crate) const LOG_FOLDER: &str = "log";
/// Folder of the modules inside that of a database.
pub(crate) const MODULES_FOLDER: &str = "modules";

/// What an operator may set about a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bytes of the largest segments. A record that is longer gets a segment of its own.
    pub segment_bytes: usize,
    /// Bytes of the segment that an open begins; the next ones double. A small database stays small.
    pub first_segment_bytes: usize,
    /// Whether caller, reducer, arguments and seed of each call are recorded. Recovery does not need them.
    pub audit: bool,
    /// Bytes that may wait for the disk before calls are refused.
    pub pending_bytes_max: usize,
    /// Bytes of records after which a checkpoint is due; or as many as the last one had, if those are more.
    pub checkpoint_bytes: u64,
    /// So many checkpoints are kept at least, with the log after the oldest of them.
    pub checkpoints_min: usize,
    /// More of both are kept as long as they have no more bytes together: what one can go back to.
    pub history_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: LOG_SEGMENT_BYTES,
            first_segment_bytes: 1 << 20,
            audit: true,
            pending_bytes_max: LOG_PENDING_BYTES_MAX,
            checkpoint_bytes: CHECKPOINT_LOG_BYTES,
            checkpoints_min: CHECKPOINTS_MIN,
            history_bytes: HISTORY_BYTES_MAX,
        }
    }
}
