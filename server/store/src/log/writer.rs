//! The disk's side of the log.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use syncline_protocol::{Epoch, Lsn};

use super::ahead::Ahead;
use super::error::LogError;
use super::group::{
    Chain, GROUP_ALIGN, GROUP_HEADER_BYTES, GroupHeader, Place, group_len, put_group,
};
use super::handover::{Batch, Handover, Inner};
use super::record;
use super::segment::{LOG_VERSION, SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::disk::{Disk, DiskFile, is_full};

/// How long nothing must come before [`LogWriter::wait`] says that the log is idle.
const IDLE: Duration = Duration::from_millis(500);
/// How often a full disk is asked again while records wait for it.
const FULL_RETRY: Duration = Duration::from_millis(100);

/// Writes what the appender hands over: one write and one sync for all that has come meanwhile, then the
/// durable Lsn moves. A state machine: whoever owns it waits ([`Self::wait`]) and works
/// ([`Self::run_once`]), on any thread; [`Self::run`] is that loop.
///
/// Groups are strictly one after the other: the next is written only after the one before is synced.
#[derive(Debug)]
pub struct LogWriter {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    handover: Arc<Handover>,
    segment: Segment,
    ahead: Ahead,
    segment_bytes_max: u64,
    /// Handed over and not written yet, from `start` on; the bytes before are written already.
    batch: Batch,
    start: usize,
    sealed: Lsn,
    /// A bug to be caught by the tests.
    #[cfg(test)]
    pub(crate) acknowledges_before_sync: bool,
}

/// The segment that groups go to.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) file: Box<dyn DiskFile>,
    pub(crate) number: u64,
    pub(crate) epoch: Epoch,
    pub(crate) salt: u64,
    /// Of the groups so far.
    pub(crate) chain: Chain,
    pub(crate) len: u64,
    /// Where the next group goes.
    pub(crate) position: u64,
}

/// What the writer waits for, and got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// There is something to do: [`LogWriter::run_once`].
    Work,
    /// Nothing has come for a while, and the last group is not sealed: [`LogWriter::seal`].
    Idle,
    /// The appender is gone and everything is written, or cannot be.
    Closed,
}

/// How far the writer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Everything up to it is durable.
    pub durable: Lsn,
    /// Bytes of records that have become so just now.
    pub bytes: usize,
    /// The disk is full, and records wait for room.
    pub is_stalled: bool,
}

impl LogWriter {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        folder: &Path,
        handover: Arc<Handover>,
        segment: Segment,
        segment_bytes_max: u64,
    ) -> Self {
        let durable = handover.durable();
        let ahead_len = segment.len.saturating_mul(2).min(segment_bytes_max);
        let writer = Self {
            ahead: Ahead::new(folder, segment.number + 1, ahead_len),
            disk,
            folder: folder.to_owned(),
            handover,
            segment,
            segment_bytes_max,
            batch: Batch::new(),
            start: 0,
            sealed: durable,
            #[cfg(test)]
            acknowledges_before_sync: false,
        };
        writer.publish_room(false);
        writer
    }

    /// The loop of a thread that does nothing else: works until the appender is gone and everything is
    /// durable, or the log has failed. Tells every step that moved the durable Lsn, or failed.
    pub fn run(mut self, mut advanced: impl FnMut(Result<Progress, &LogError>)) {
        loop {
            let done = match self.wait() {
                Wake::Work => self.run_once(),
                Wake::Idle => self.seal().map(|()| self.progress(0)),
                Wake::Closed => {
                    if let Err(error) = self.seal() {
                        advanced(Err(&error));
                    }
                    return;
                }
            };
            match done {
                Ok(progress) if progress.bytes == 0 => {}
                Ok(progress) => advanced(Ok(progress)),
                Err(error) => return advanced(Err(&error)),
            }
        }
    }

    /// Blocks until there is something to do. Nothing that is handed over waits for a timer.
    #[must_use]
    pub fn wait(&self) -> Wake {
        let mut inner = self.handover.lock();
        loop {
            if self.handover.is_poisoned() {
                return Wake::Closed;
            }
            if has_work(&inner) {
                return Wake::Work;
            }
            if inner.is_closed {
                return Wake::Closed;
            }
            if self.is_stalled() {
                let _ = self.handover.work().wait_for(&mut inner, FULL_RETRY);
                return Wake::Work;
            }
            if self.sealed == self.handover.durable() {
                self.handover.work().wait(&mut inner);
            } else if self.handover.work().wait_for(&mut inner, IDLE).timed_out()
                && !has_work(&inner)
                && !inner.is_closed
            {
                return Wake::Idle;
            }
        }
    }

    /// Writes and syncs everything that was handed over, then does some of the work on the next
    /// segment. After an error the log is poisoned: opening it again tells what is durable.
    ///
    /// A full disk is no error: the records wait, in memory, until there is room.
    pub fn run_once(&mut self) -> Result<Progress, LogError> {
        self.handover.check_poison()?;
        if self.batch.is_empty() {
            let mut inner = self.handover.lock();
            inner.asks_for_room = false;
            self.batch.take(&mut inner.batch);
            self.start = 0;
        }
        let mut bytes = 0;
        while !self.batch.is_empty() {
            match self.write_group() {
                Ok(0) => break,
                Ok(written) => bytes += written,
                Err(error) => return Err(self.poison("a write to the log", &error)),
            }
        }
        self.prepare()?;
        Ok(self.progress(bytes))
    }

    fn progress(&self, bytes: usize) -> Progress {
        Progress {
            durable: self.handover.durable(),
            bytes,
            is_stalled: self.is_stalled(),
        }
    }

    fn is_stalled(&self) -> bool {
        !self.batch.is_empty()
    }

    fn poison(&self, what: &str, error: &io::Error) -> LogError {
        self.handover.poison(&format!("{what} failed: {error}"))
    }

    /// Writes and syncs one group of the batch: all of it, or what fits in the segment. Returns the bytes of
    /// its records; none if the disk is full.
    fn write_group(&mut self) -> io::Result<usize> {
        let records_start = self.start + GROUP_HEADER_BYTES;
        let room = self.room();
        let records = &self.batch.bytes[records_start..];
        let (records_len, count) = if records.len() <= room {
            (records.len(), self.batch.count)
        } else {
            let (len, count) = prefix(records, room);
            if count == 0 {
                let first_len = record::len_of_first(records).unwrap_or(records.len());
                return match self.rotate(first_len) {
                    Ok(()) => self.write_group(),
                    Err(error) if is_full(&error) => Ok(0),
                    Err(error) => Err(error),
                };
            }
            (len, count)
        };
        let end = records_start + records_len;
        let first = self.batch.first;
        let records = &self.batch.bytes[records_start..end];
        let place = Place {
            first,
            durable: self.handover.durable(),
            count,
            chain: self.segment.chain,
        };
        let header = GroupHeader::of(records, place);
        let encoded = header.encode(self.segment.salt);
        // What stands there are the last bytes of the group before, which is written.
        self.batch.bytes[self.start..records_start].copy_from_slice(&encoded);
        let group = &self.batch.bytes[self.start..end];
        match self.segment.file.write_at(self.segment.position, group) {
            // Not even the zeros of a segment are room on every file system. What is there now is
            // overwritten by the next try.
            Err(error) if is_full(&error) => {
                self.publish_room(true);
                return Ok(0);
            }
            other => other?,
        }
        self.segment.position += header.len() as u64;
        self.segment.chain = place.chain.after(&encoded, count);
        let last = Lsn(first.0 + u64::from(count) - 1);
        self.finish_group(last, records_len)?;
        self.start = end - GROUP_HEADER_BYTES;
        self.batch.first = last.next();
        self.batch.count -= count;
        if self.batch.is_empty() {
            self.batch.clear();
        }
        Ok(records_len)
    }

    fn finish_group(&mut self, last: Lsn, bytes: usize) -> io::Result<()> {
        self.publish_room(self.handover.is_full());
        #[cfg(test)]
        if self.acknowledges_before_sync {
            self.handover.advance(last, bytes);
            return self.segment.file.sync_data();
        }
        self.segment.file.sync_data()?;
        self.handover.advance(last, bytes);
        Ok(())
    }

    /// Bytes of records that fit in a group in what is left of the segment.
    fn room(&self) -> usize {
        let left = self.segment.len.saturating_sub(self.segment.position) as usize;
        (left & !(GROUP_ALIGN - 1)).saturating_sub(GROUP_HEADER_BYTES)
    }

    fn publish_room(&self, is_full: bool) {
        self.handover.set_room(self.room(), is_full);
    }

    /// Goes on to the next segment, made long enough for a record of this length.
    fn rotate(&mut self, record_len: usize) -> io::Result<()> {
        self.ahead
            .grow((SEGMENT_HEADER_BYTES + group_len(record_len)) as u64);
        self.ahead
            .fill(&*self.disk, u64::MAX)
            .inspect_err(|_| self.publish_room(true))?;
        let header = SegmentHeader {
            number: self.ahead.number,
            first: self.batch.first,
            durable: self.handover.durable(),
            epoch: self.segment.epoch,
            salt: self.segment.salt,
            whole: 0,
            chain: self.segment.chain,
            version: LOG_VERSION,
        };
        // Synced with the first group.
        self.segment.file = self.ahead.begin(&header.encode())?;
        self.segment.number = header.number;
        self.segment.len = self.ahead.len();
        self.segment.position = SEGMENT_HEADER_BYTES as u64;
        let next_len = self
            .segment
            .len
            .saturating_mul(2)
            .min(self.segment_bytes_max);
        self.ahead = Ahead::new(&self.folder, header.number + 1, next_len);
        self.publish_room(false);
        Ok(())
    }

    /// Does as much on the next segment that it is whole when this one is half full.
    fn prepare(&mut self) -> Result<(), LogError> {
        if self.ahead.is_ready() {
            return Ok(());
        }
        let (position, len) = (
            u128::from(self.segment.position),
            u128::from(self.segment.len),
        );
        let share = u128::from(self.ahead.len()) * position * 2 / len.max(1);
        // After the disk was full, only a whole segment is room.
        let is_refused = self.ahead.is_refused();
        let until = if is_refused {
            u64::MAX
        } else {
            u64::try_from(share).unwrap_or(u64::MAX)
        };
        match self.ahead.fill(&*self.disk, until) {
            Ok(()) => {
                self.publish_room(false);
                Ok(())
            }
            Err(error) if is_full(&error) => {
                self.publish_room(true);
                Ok(())
            }
            Err(error) => Err(self.poison("making the next segment", &error)),
        }
    }

    /// Names the last group durable, so that damage to it is told from a torn tail.
    pub fn seal(&mut self) -> Result<(), LogError> {
        self.handover.check_poison()?;
        let durable = self.handover.durable();
        let mut records = Vec::new();
        record::put_seal(durable, &mut records);
        if self.sealed == durable || self.is_stalled() || records.len() > self.room() {
            self.sealed = durable;
            return Ok(());
        }
        let mut group = Vec::new();
        let place = Place {
            first: durable.next(),
            durable,
            count: 0,
            chain: self.segment.chain,
        };
        put_group(&records, place, self.segment.salt, &mut group);
        // Whether it succeeds or not, it is tried once.
        self.sealed = durable;
        let segment = &mut self.segment;
        let written = segment.file.write_at(segment.position, &group);
        let written = written.and_then(|()| segment.file.sync_data());
        match written {
            Err(error) if is_full(&error) => return Ok(()),
            other => other.map_err(|error| self.poison("sealing the log", &error))?,
        }
        self.segment.position += group.len() as u64;
        self.publish_room(self.handover.is_full());
        Ok(())
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        let inner = self.handover.lock();
        let is_finished = inner.is_closed && inner.batch.is_empty() && self.batch.is_empty();
        drop(inner);
        if !is_finished {
            self.handover.poison("the log writer is gone");
        }
    }
}

fn has_work(inner: &Inner) -> bool {
    !inner.batch.is_empty() || inner.asks_for_room
}

/// The longest run of whole records at the front with at most `room` bytes: its bytes and its records.
fn prefix(records: &[u8], room: usize) -> (usize, u32) {
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
