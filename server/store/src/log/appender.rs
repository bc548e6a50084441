//! The engine's side of the log.

use std::path::PathBuf;
use std::sync::Arc;

use syncline_protocol::limits::{LOG_RECORD_BYTES_MAX, LOG_SUMS_BYTES};
use syncline_protocol::{ChangeSet, Epoch, Lsn};

use super::error::LogError;
use super::handover::{Batch, Handover};
use super::module_files::{ModuleStore, StoredModule};
use super::record::{self, Encoder, Made, OVERHEAD_BYTES, Parts, PublishRecord, TransactionRecord};
use super::writer::{LogWriter, Progress};
use crate::database::Database;
use crate::disk::Disk;

/// Takes what is committed and gives it its Lsn, in memory: nothing here waits for the disk. The
/// [`LogWriter`] makes it durable, in the order of the Lsns; [`Self::durable`] says how far it is.
///
/// Appending allocates nothing once the buffers have grown to what a batch needs. Dropping the appender hands over
/// what it still has, and lets the writer come to an end.
#[derive(Debug)]
pub struct LogAppender {
    handover: Arc<Handover>,
    batch: Batch,
    last: Lsn,
    encoder: Encoder,
    /// Bytes of records since the last that had row sums.
    unsummed_bytes: usize,
    disk: Arc<dyn Disk>,
    origin: Arc<Origin>,
    last_time: i64,
    /// Bytes of records since the last checkpoint was begun.
    unchecked_bytes: u64,
    is_checkpoint_wanted: bool,
    modules: ModuleStore,
    options: super::Options,
}

/// Which database it is, and which open of it.
#[derive(Debug)]
pub(crate) struct Origin {
    /// Folder of the database.
    pub(crate) folder: PathBuf,
    pub(crate) salt: u64,
    pub(crate) epoch: Epoch,
    /// All of them, with the Lsn that each started after.
    pub(crate) epochs: Arc<[(Epoch, Lsn)]>,
}

impl LogAppender {
    pub(crate) fn new(
        handover: Arc<Handover>,
        disk: Arc<dyn Disk>,
        origin: Origin,
        (last, last_time): (Lsn, i64),
        module: Option<[u8; 32]>,
        options: &super::Options,
    ) -> Self {
        let folder = origin.folder.join(super::MODULES_FOLDER);
        let modules = ModuleStore::new(disk.clone(), folder, &handover, (last, module));
        Self {
            handover,
            batch: Batch::new(),
            last,
            encoder: Encoder::default(),
            unsummed_bytes: 0,
            disk,
            origin: Arc::new(origin),
            last_time,
            unchecked_bytes: 0,
            is_checkpoint_wanted: false,
            modules,
            options: *options,
        }
    }

    /// Appends a committed transaction: `changes` are what it did, `database` is how it left things. The
    /// Lsn counts up by one; the record waits for [`Self::flush`].
    ///
    /// # Panics
    /// If a change is of a table that the database does not have: its own commit made the change set.
    pub fn append(
        &mut self,
        record: &TransactionRecord<'_>,
        database: &Database,
        changes: &ChangeSet,
    ) -> Lsn {
        let lsn = self.last.next();
        let made = Made { database, changes };
        let out = &mut self.batch.bytes;
        let start = out.len();
        let sums = self.unsummed_bytes >= LOG_SUMS_BYTES;
        let audit = self.options.audit;
        if sums {
            self.unsummed_bytes = 0;
        }
        let parts = Parts { audit, sums };
        record::put_transaction(lsn, record, parts, &made, &mut self.encoder, out);
        self.last_time = record.time;
        self.appended(lsn, start)
    }

    /// Appends a publish: `changes` are what `init` did, or nothing, `database` is how it left things.
    ///
    /// # Panics
    /// If the schema has no module hash.
    pub fn append_publish(
        &mut self,
        publish: &PublishRecord<'_>,
        database: &Database,
        changes: &ChangeSet,
    ) -> Lsn {
        let lsn = self.last.next();
        let made = Made { database, changes };
        let out = &mut self.batch.bytes;
        let start = out.len();
        record::put_publish(lsn, publish, &made, &mut self.encoder, out);
        self.last_time = publish.time;
        if let Some(hash) = &database.schema().module_hash {
            self.modules.published(lsn, hash);
        }
        self.appended(lsn, start)
    }

    fn appended(&mut self, lsn: Lsn, start: usize) -> Lsn {
        let len = self.batch.bytes.len() - start;
        if len > LOG_RECORD_BYTES_MAX {
            // The limits of a call are far below this; going on without the record would be a lie.
            let why = format!("a record of {len} bytes is over log_record_bytes_max");
            self.handover.poison(&why);
            self.batch.bytes.truncate(start);
            return self.last;
        }
        if self.batch.is_empty() {
            self.batch.first = lsn;
        }
        self.batch.count += 1;
        self.unsummed_bytes += len;
        self.unchecked_bytes += len as u64;
        self.last = lsn;
        lsn
    }

    /// Makes sure that the wasm of a module is stored, durably, before the publish that names it: it stays as long as what
    /// this returns. Waits for the disk unless [`ModuleStore::put`] was there before, on another thread, whose own
    /// [`StoredModule`] is still there.
    pub fn put_module(&mut self, hash: &[u8; 32], wasm: &[u8]) -> Result<StoredModule, LogError> {
        self.handover.check_poison()?;
        match self.modules.find(hash) {
            Some(stored) => Ok(stored),
            None => self.modules.put(hash, wasm),
        }
    }

    /// Where modules are stored before they are published.
    #[must_use]
    pub fn modules(&self) -> ModuleStore {
        self.modules.clone()
    }

    /// Removes the modules that nothing names which is kept.
    pub(crate) fn remove_unused_modules(&mut self) -> std::io::Result<()> {
        self.modules.remove_unused(self.handover.kept())
    }

    /// Asks before a transaction begins whether the log takes it. `bytes` is what is known of its size: of
    /// its arguments, or of its rows when it is asked again before the commit.
    ///
    /// While the disk is full, what is left of the segment is still used; a call that asks and is refused
    /// makes the writer look for room again.
    pub fn reserve(&self, bytes: usize) -> Result<(), LogError> {
        self.handover.check_poison()?;
        let appended = self.batch.records_len();
        let needed = appended.saturating_add(bytes);
        self.handover
            .check_room(needed.saturating_add(OVERHEAD_BYTES))?;
        let pending = appended + self.handover.pending_bytes();
        if pending > self.options.pending_bytes_max {
            return Err(LogError::Busy);
        }
        Ok(())
    }

    /// Hands what was appended to the writer: a swap of buffers under a lock that nobody holds for long.
    pub fn flush(&mut self) {
        self.handover.hand_over(&mut self.batch);
    }

    /// [`Self::flush`], and then the writer's work on this thread: for one that has both sides.
    pub fn flush_inline(&mut self, writer: &mut LogWriter) -> Result<Progress, LogError> {
        self.flush();
        writer.run_once()
    }

    /// Lsn of the last record.
    #[must_use]
    pub fn last(&self) -> Lsn {
        self.last
    }

    /// Every record up to this one is durable. Never goes back.
    #[must_use]
    pub fn durable(&self) -> Lsn {
        self.handover.durable()
    }

    /// Time of the last record, or of the open if there is none since.
    #[must_use]
    pub fn last_time(&self) -> i64 {
        self.last_time
    }

    /// Whether so much was appended since the last checkpoint that it is time for one: as much as the options
    /// say, and as much as the checkpoint itself had, so that checkpoints cost no more than the log does.
    #[must_use]
    pub fn is_checkpoint_due(&self) -> bool {
        let due = self
            .options
            .checkpoint_bytes
            .max(self.handover.checkpoint_bytes());
        self.is_checkpoint_wanted || self.unchecked_bytes >= due
    }

    /// Makes a checkpoint due whatever was appended: what lies on the disk is not to be relied on any more.
    pub fn want_checkpoint(&mut self) {
        self.is_checkpoint_wanted = true;
    }

    /// A checkpoint of what was appended is begun.
    pub(crate) fn begin_checkpoint(&mut self) -> Arc<Origin> {
        self.unchecked_bytes = 0;
        self.is_checkpoint_wanted = false;
        Arc::clone(&self.origin)
    }

    /// Bytes that an open has replayed count as well.
    pub(crate) fn set_unchecked(&mut self, log_bytes: u64, checkpoint_bytes: u64) {
        self.unchecked_bytes = log_bytes;
        self.handover.set_checkpoint_bytes(checkpoint_bytes);
    }

    pub(crate) fn options(&self) -> &super::Options {
        &self.options
    }

    pub(crate) fn handover(&self) -> Arc<Handover> {
        Arc::clone(&self.handover)
    }

    pub(crate) fn salt(&self) -> u64 {
        self.origin.salt
    }

    /// Of the database.
    pub(crate) fn folder(&self) -> &std::path::Path {
        &self.origin.folder
    }

    pub(crate) fn disk(&self) -> Arc<dyn Disk> {
        Arc::clone(&self.disk)
    }

    #[cfg(test)]
    pub(crate) fn buffer_address(&self) -> usize {
        self.batch.bytes.as_ptr().addr()
    }

    /// Whether the disk was full when the writer last looked. It looks again when a call is refused for it, and when it
    /// is asked to.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.handover.is_full()
    }

    /// Makes the writer look whether a full disk has room by now.
    pub fn ask_for_room(&self) {
        self.handover.ask_for_room();
    }

    /// Whether a write or sync has failed: nothing will become durable any more.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.handover.is_poisoned()
    }
}

impl Drop for LogAppender {
    fn drop(&mut self) {
        self.flush();
        self.handover.close();
    }
}
