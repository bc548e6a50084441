//! What a commit log is to the rest of the store, whatever it is made of.

use std::fmt::Debug;
use std::io;

use syncline_protocol::Lsn;

use super::error::OpenError;
use super::group::GROUP_HEADER_BYTES;
use super::handover::Batch;
use super::record::{self, LoggedRecord};

/// An ordered sequence of records with dense Lsns, durable up to its tail. One writer appends; whoever else tries is told so.
///
/// The contract, which `log/tests/conformance.rs` holds every implementation to:
///
/// - [`Self::append`] adds records right after the Lsn that the caller expects to be the last, or nothing. It may
///   take only the first of them, whole records in order. What it has taken is durable when it returns.
/// - If the expected Lsn is not the last, nothing changes, and the error says which one is: somebody else has
///   appended.
/// - If it cannot tell whether the records are durable, the append is **ambiguous**: all, some or none of them may be
///   there, from the first on without a gap. The value is of no use any more; opening the log anew finds out.
/// - A reader sees every record from the one that it asks for up to the tail, in order, once.
/// - [`Self::trim`] may forget records before an Lsn, never the one with that Lsn or after it.
pub trait CommitLog: Debug + Send {
    /// The last Lsn that is durable.
    fn tail(&self) -> Lsn;

    /// Appends what `entries` has, if `after` is the last Lsn. Takes from the front of `entries` what it has appended,
    /// and returns the last Lsn now.
    fn append(&mut self, after: Lsn, entries: &mut Entries) -> Result<Lsn, AppendError>;

    /// Shows every record from `from` on to `visit`, and returns the last Lsn that it has shown.
    /// [`OpenError::NotKept`] if that was trimmed away. Changes nothing.
    fn read_from(
        &self,
        from: Lsn,
        visit: &mut dyn FnMut(LoggedRecord<'_>) -> Result<(), String>,
    ) -> Result<Lsn, OpenError>;

    /// Forgets records before `keep`, as far as that is easy. Returns the first Lsn that is still there.
    fn trim(&mut self, keep: Lsn) -> Result<Lsn, AppendError>;

    /// Bytes of records that surely fit, and whether more do not at the moment.
    fn room(&self) -> Room {
        Room {
            bytes: usize::MAX,
            is_full: false,
        }
    }

    /// Does some work ahead of the next appends. A log without room looks whether there is some by now.
    fn prepare(&mut self) -> Result<(), AppendError> {
        Ok(())
    }

    /// Nothing has come for a while: makes sure that damage to the last records is told from a write that was
    /// interrupted.
    fn seal(&mut self) -> Result<(), AppendError> {
        Ok(())
    }

    /// A bug to be caught by the tests.
    #[cfg(test)]
    fn acknowledge_before_sync(&mut self) {}
}

/// What a log has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes of records.
    pub bytes: usize,
    /// There is no room beyond them now.
    pub is_full: bool,
}

/// Why records were not appended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The last Lsn is another one.
    #[error("the last lsn of the log is {}", .tail.0)]
    Conflict {
        /// This one.
        tail: Lsn,
    },
    /// There is no room. Nothing was appended, and trying again later is fine.
    #[error("no room for the log")]
    Full,
    /// What is durable is not known. The value is of no use any more.
    #[error("{0}")]
    Ambiguous(io::Error),
}

/// Records to be appended, in order, with room in front of them for what a log puts before them.
#[derive(Debug)]
pub struct Entries {
    batch: Batch,
    /// Where the room begins; the bytes before are appended already.
    start: usize,
}

impl Default for Entries {
    fn default() -> Self {
        Self {
            batch: Batch::new(),
            start: 0,
        }
    }
}

impl Entries {
    /// Whether there is nothing left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// Lsn of the first.
    #[must_use]
    pub fn first(&self) -> Lsn {
        self.batch.first
    }

    /// How many there are, each with an Lsn.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.batch.count
    }

    /// The encoded records, one after the other.
    #[must_use]
    pub fn records(&self) -> &[u8] {
        &self.batch.bytes[self.start + GROUP_HEADER_BYTES..]
    }

    /// The longest run of whole records at the front with at most `room` bytes: its bytes and its records.
    #[must_use]
    pub fn prefix(&self, room: usize) -> (usize, u32) {
        let records = self.records();
        if records.len() <= room {
            return (records.len(), self.count());
        }
        let (mut len, mut count) = (0, 0);
        while let Some(next) = record::len_of_first(&records[len..]) {
            if len + next > room {
                break;
            }
            len += next;
            count += 1;
        }
        (len, count)
    }

    /// Bytes of the first record.
    #[must_use]
    pub fn first_len(&self) -> usize {
        record::len_of_first(self.records()).unwrap_or(self.records().len())
    }

    /// Puts a header into the room before the first `len` bytes of the records, and shows both together.
    pub(crate) fn with_header(&mut self, header: &[u8; GROUP_HEADER_BYTES], len: usize) -> &[u8] {
        // What stands there are the last bytes of what was appended before.
        let from = self.start;
        let records = from + GROUP_HEADER_BYTES;
        self.batch.bytes[from..records].copy_from_slice(header);
        &self.batch.bytes[from..records + len]
    }

    /// The first records are appended: so many bytes, and so many records.
    pub fn advance(&mut self, len: usize, count: u32) {
        self.start += len;
        self.batch.first = Lsn(self.batch.first.0 + u64::from(count));
        self.batch.count -= count;
        if self.batch.is_empty() {
            self.batch.clear();
            self.start = 0;
        }
    }

    /// Takes over a batch that follows; only if there is nothing left.
    pub(crate) fn take(&mut self, batch: &mut Batch) {
        debug_assert!(self.is_empty(), "the last ones are appended");
        self.batch.take(batch);
        self.start = 0;
    }
}
