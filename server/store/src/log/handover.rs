//! Where the engine's side of the log and the disk's side meet.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use parking_lot::{Condvar, Mutex, MutexGuard};
use syncline_protocol::Lsn;

use super::error::LogError;
use super::group::GROUP_HEADER_BYTES;
use crate::disk::DiskLock;

/// Memory that an emptied buffer keeps.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// Records, behind room for the header of their group.
#[derive(Debug)]
pub(crate) struct Batch {
    /// `GROUP_HEADER_BYTES` of anything, then whole records.
    pub(crate) bytes: Vec<u8>,
    /// Lsn of the first record.
    pub(crate) first: Lsn,
    /// How many there are; each has an Lsn.
    pub(crate) count: u32,
}

impl Batch {
    pub(crate) fn new() -> Self {
        Self {
            bytes: vec![0; GROUP_HEADER_BYTES],
            first: Lsn::ZERO,
            count: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of the records.
    pub(crate) fn records_len(&self) -> usize {
        self.bytes.len() - GROUP_HEADER_BYTES
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.truncate(GROUP_HEADER_BYTES);
        self.count = 0;
        if self.bytes.capacity() > KEPT_BYTES_MAX {
            self.bytes.shrink_to(KEPT_BYTES_MAX);
        }
    }

    /// Takes over the records of `other`, which follow its own, and leaves it empty.
    pub(crate) fn take(&mut self, other: &mut Self) {
        if self.is_empty() {
            std::mem::swap(self, other);
        } else if !other.is_empty() {
            debug_assert_eq!(self.first.0 + u64::from(self.count), other.first.0);
            self.bytes
                .extend_from_slice(&other.bytes[GROUP_HEADER_BYTES..]);
            self.count += other.count;
        }
        other.clear();
    }
}

/// What both sides share.
#[derive(Debug)]
pub(crate) struct Handover {
    inner: Mutex<Inner>,
    work: Condvar,
    durable: AtomicU64,
    /// Bytes of records handed over and not durable.
    pending_bytes: AtomicUsize,
    /// Bytes of records that surely fit: in what is left of the segment.
    room_bytes: AtomicUsize,
    is_full: AtomicBool,
    is_poisoned: AtomicBool,
    /// Of the last checkpoint.
    checkpoint_bytes: AtomicU64,
    /// Lsn after which the log and the checkpoints are kept; 0 while that is not known.
    kept: AtomicU64,
    /// Ends when both sides are gone, and no module is being stored.
    _lock: Box<dyn DiskLock>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) batch: Batch,
    /// The appender is gone: nothing will come any more.
    pub(crate) is_closed: bool,
    /// A call was refused for lack of room: see whether there is some by now.
    pub(crate) asks_for_room: bool,
    poison: String,
}

impl Handover {
    pub(crate) fn new(durable: Lsn, lock: Box<dyn DiskLock>) -> Self {
        let inner = Inner {
            batch: Batch::new(),
            is_closed: false,
            asks_for_room: false,
            poison: String::new(),
        };
        Self {
            inner: Mutex::new(inner),
            work: Condvar::new(),
            durable: AtomicU64::new(durable.0),
            pending_bytes: AtomicUsize::new(0),
            room_bytes: AtomicUsize::new(0),
            is_full: AtomicBool::new(false),
            is_poisoned: AtomicBool::new(false),
            checkpoint_bytes: AtomicU64::new(0),
            kept: AtomicU64::new(0),
            _lock: lock,
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }

    pub(crate) fn work(&self) -> &Condvar {
        &self.work
    }

    /// Hands records over and wakes the writer.
    pub(crate) fn hand_over(&self, batch: &mut Batch) {
        if batch.is_empty() {
            return;
        }
        self.pending_bytes
            .fetch_add(batch.records_len(), Ordering::Relaxed);
        self.lock().batch.take(batch);
        self.work.notify_one();
    }

    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.work.notify_one();
    }

    pub(crate) fn ask_for_room(&self) {
        self.lock().asks_for_room = true;
        self.work.notify_one();
    }

    /// Whether a full disk takes so many bytes beside those that are pending. If not, the writer looks for room again.
    pub(crate) fn check_room(&self, bytes: usize) -> Result<(), LogError> {
        if self.is_full() && self.pending_bytes().saturating_add(bytes) > self.room_bytes() {
            self.ask_for_room();
            return Err(LogError::DiskFull);
        }
        Ok(())
    }

    pub(crate) fn durable(&self) -> Lsn {
        Lsn(self.durable.load(Ordering::Acquire))
    }

    /// Everything up to this Lsn is durable; of the pending bytes, so many more are.
    pub(crate) fn advance(&self, durable: Lsn, bytes: usize) {
        self.pending_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.durable.store(durable.0, Ordering::Release);
    }

    pub(crate) fn pending_bytes(&self) -> usize {
        self.pending_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn room_bytes(&self) -> usize {
        self.room_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn set_room(&self, bytes: usize, is_full: bool) {
        self.room_bytes.store(bytes, Ordering::Relaxed);
        self.is_full.store(is_full, Ordering::Release);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Acquire)
    }

    /// Bytes of the last checkpoint.
    pub(crate) fn checkpoint_bytes(&self) -> u64 {
        self.checkpoint_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn set_checkpoint_bytes(&self, bytes: u64) {
        self.checkpoint_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Lsn after which the past is kept, as far as is known.
    pub(crate) fn kept(&self) -> Lsn {
        Lsn(self.kept.load(Ordering::Acquire))
    }

    pub(crate) fn set_kept(&self, lsn: Lsn) {
        self.kept.store(lsn.0, Ordering::Release);
    }

    pub(crate) fn is_poisoned(&self) -> bool {
        self.is_poisoned.load(Ordering::Acquire)
    }

    /// The first poison stays.
    pub(crate) fn poison(&self, why: &str) -> LogError {
        let mut inner = self.lock();
        if !self.is_poisoned.swap(true, Ordering::AcqRel) {
            why.clone_into(&mut inner.poison);
            self.work.notify_one();
        }
        LogError::Poisoned(inner.poison.clone())
    }

    pub(crate) fn check_poison(&self) -> Result<(), LogError> {
        if self.is_poisoned() {
            return Err(LogError::Poisoned(self.lock().poison.clone()));
        }
        Ok(())
    }
}
