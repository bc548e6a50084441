//! The commit log in files of this machine: segments.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use syncline_protocol::{Epoch, Lsn};

use super::commit_log::{AppendError, CommitLog, Entries, Room};
use super::error::OpenError;
use super::group::{GROUP_ALIGN, GROUP_HEADER_BYTES, GroupHeader, Place, group_len, put_group};
use super::record::{self, LoggedRecord};
use super::recovery::{Base, recover, survey};
use super::segment::{LOG_VERSION, SEGMENT_HEADER_BYTES, Segment, SegmentHeader};
use crate::disk::{Disk, is_full};
use ahead::Ahead;

mod ahead;

/// Bytes of a group with nothing but a seal in it.
const SEAL_BYTES: usize = (GROUP_HEADER_BYTES + 13).next_multiple_of(GROUP_ALIGN);

/// Groups in segments, one after the other: each append is one write and one fdatasync, and the next is
/// written only after it. The folder's lock keeps other writers away.
#[derive(Debug)]
pub(crate) struct FileLog {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    segment: Segment,
    ahead: Ahead,
    segment_bytes_max: u64,
    durable: Lsn,
    is_full: bool,
    is_uncertain: bool,
    #[cfg(test)]
    acknowledges_before_sync: bool,
}

impl FileLog {
    /// Goes on in a segment of `folder` in which everything up to `durable` is durable.
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        folder: &Path,
        segment: Segment,
        durable: Lsn,
        segment_bytes_max: u64,
    ) -> Self {
        let ahead_len = segment.len.saturating_mul(2).min(segment_bytes_max);
        Self {
            ahead: Ahead::new(folder, segment.number + 1, ahead_len),
            disk,
            folder: folder.to_owned(),
            segment,
            segment_bytes_max,
            durable,
            is_full: false,
            is_uncertain: false,
            #[cfg(test)]
            acknowledges_before_sync: false,
        }
    }

    /// Bytes of records that fit in a group in what is left of the segment. Behind them there is always room for a seal: the
    /// last group before a pause must be known to be durable, wherever in a segment it ends.
    fn room_bytes(&self) -> usize {
        self.left_bytes()
            .saturating_sub(GROUP_HEADER_BYTES + SEAL_BYTES)
    }

    fn left_bytes(&self) -> usize {
        let left = self.segment.len.saturating_sub(self.segment.position) as usize;
        left & !(GROUP_ALIGN - 1)
    }

    fn place(&self, first: Lsn, count: u32) -> Place {
        Place {
            first,
            durable: self.durable,
            count,
            chain: self.segment.chain,
        }
    }

    /// Writes and syncs one group: all of the entries, or those that fit in the segment.
    fn write_group(&mut self, entries: &mut Entries) -> io::Result<()> {
        let (mut len, mut count) = entries.prefix(self.room_bytes());
        if count == 0 {
            self.rotate(entries.first(), entries.first_len())?;
            (len, count) = entries.prefix(self.room_bytes());
        }
        let place = self.place(entries.first(), count);
        let header = GroupHeader::of(&entries.records()[..len], place);
        let encoded = header.encode(self.segment.salt);
        // If the disk is full, what is there of it now is overwritten by the next try: not even the zeros of a segment
        // are room on every file system.
        let group = entries.with_header(&encoded, len);
        self.segment.file.write_at(self.segment.position, group)?;
        self.segment.position += header.len() as u64;
        self.segment.chain = place.chain.after(&encoded, count);
        self.sync()?;
        self.durable = Lsn(place.first.0 + u64::from(count) - 1);
        entries.advance(len, count);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        #[cfg(test)]
        if self.acknowledges_before_sync {
            return Ok(());
        }
        // A disk that says it is full now has lost what it took before.
        let synced = self.segment.file.sync_data();
        synced.map_err(|error| io::Error::other(error.to_string()))
    }

    /// Goes on to the next segment, made long enough for a record of this length.
    fn rotate(&mut self, first: Lsn, record_len: usize) -> io::Result<()> {
        let needed = SEGMENT_HEADER_BYTES + group_len(record_len) + SEAL_BYTES;
        self.ahead.grow(needed as u64);
        self.ahead.fill(&*self.disk, u64::MAX)?;
        let header = SegmentHeader {
            number: self.ahead.number,
            first,
            durable: self.durable,
            epoch: self.segment.epoch,
            salt: self.segment.salt,
            whole: 0,
            chain: self.segment.chain,
            version: LOG_VERSION,
        };
        #[cfg(test)]
        if self.acknowledges_before_sync {
            self.segment.file.sync_data()?;
        }
        // Synced with the first group.
        self.segment.file = self.ahead.begin(&header.encode())?;
        self.segment.number = header.number;
        self.segment.len = self.ahead.len();
        self.segment.position = SEGMENT_HEADER_BYTES as u64;
        let next_len = self.segment.len.saturating_mul(2);
        let next_len = next_len.min(self.segment_bytes_max);
        self.ahead = Ahead::new(&self.folder, header.number + 1, next_len);
        self.is_full = false;
        Ok(())
    }

    /// Fails for good if anything but a lack of room has happened.
    fn outcome<T>(&mut self, done: io::Result<T>) -> Result<T, AppendError> {
        match done {
            Err(error) if is_full(&error) => {
                self.is_full = true;
                Err(AppendError::Full)
            }
            Err(error) => {
                self.is_uncertain = true;
                Err(AppendError::Ambiguous(error))
            }
            Ok(value) => Ok(value),
        }
    }

    fn check(&self) -> Result<(), AppendError> {
        if self.is_uncertain {
            let what = "an append before it was ambiguous";
            return Err(AppendError::Ambiguous(io::Error::other(what)));
        }
        Ok(())
    }
}

impl CommitLog for FileLog {
    fn tail(&self) -> Lsn {
        self.durable
    }

    fn append(&mut self, after: Lsn, entries: &mut Entries) -> Result<Lsn, AppendError> {
        self.check()?;
        if after != self.durable || entries.first() != after.next() && !entries.is_empty() {
            return Err(AppendError::Conflict { tail: self.durable });
        }
        if !entries.is_empty() {
            let written = self.write_group(entries);
            self.outcome(written)?;
        }
        Ok(self.durable)
    }

    fn read_from(
        &self,
        from: Lsn,
        visit: &mut dyn FnMut(LoggedRecord<'_>) -> Result<(), String>,
    ) -> Result<Lsn, OpenError> {
        let survey = survey(&*self.disk, &self.folder)?;
        let before = Lsn(from.0.saturating_sub(1));
        if survey.start() > before {
            return Err(OpenError::NotKept);
        }
        if before >= self.durable {
            return Ok(self.durable);
        }
        let base = Base {
            lsn: before,
            epoch: Epoch(0),
            // What is behind it may be in the middle of being written.
            enough: Some(self.durable),
        };
        Ok(recover(&*self.disk, survey, base, visit)?.last)
    }

    fn trim(&mut self, keep: Lsn) -> Result<Lsn, AppendError> {
        let found = survey(&*self.disk, &self.folder);
        let failed = |error: OpenError| AppendError::Ambiguous(io::Error::other(error));
        let found = found.map_err(failed)?;
        let before = Lsn(keep.0.saturating_sub(1)).min(self.durable);
        let mut first = found.start().next();
        for (path, next) in found.superfluous(before).zip(found.headers.iter().skip(1)) {
            let removed = self.disk.remove(path);
            removed.map_err(AppendError::Ambiguous)?;
            first = next.first;
        }
        let synced = self.disk.sync_dir(&self.folder);
        synced.map_err(AppendError::Ambiguous)?;
        Ok(first)
    }

    fn room(&self) -> Room {
        Room {
            bytes: self.room_bytes(),
            is_full: self.is_full,
        }
    }

    /// Does as much on the next segment that it is whole when this one is half full.
    fn prepare(&mut self) -> Result<(), AppendError> {
        self.check()?;
        #[cfg(test)]
        if self.acknowledges_before_sync {
            let synced = self.segment.file.sync_data();
            self.outcome(synced)?;
        }
        if self.ahead.is_ready() {
            return Ok(());
        }
        let position = u128::from(self.segment.position);
        let len = u128::from(self.segment.len);
        let share = u128::from(self.ahead.len()) * position * 2 / len.max(1);
        // After the disk was full, only a whole segment is room.
        let until = if self.ahead.is_refused() {
            u64::MAX
        } else {
            u64::try_from(share).unwrap_or(u64::MAX)
        };
        let filled = self.ahead.fill(&*self.disk, until);
        self.outcome(filled)?;
        self.is_full = false;
        Ok(())
    }

    /// Names the last group durable. On a disk without room it is left out.
    fn seal(&mut self) -> Result<(), AppendError> {
        self.check()?;
        let mut records = Vec::new();
        record::put_seal(self.durable, &mut records);
        debug_assert!(group_len(records.len()) <= SEAL_BYTES);
        // Of a log that was opened and got nothing since, all is known to be durable without it.
        if SEAL_BYTES > self.left_bytes() {
            return Ok(());
        }
        let mut group = Vec::new();
        let place = self.place(self.durable.next(), 0);
        put_group(&records, place, self.segment.salt, &mut group);
        let segment = &mut self.segment;
        match segment.file.write_at(segment.position, &group) {
            Err(error) if is_full(&error) => return Ok(()),
            other => self.outcome(other)?,
        }
        let synced = self.segment.file.sync_data();
        self.outcome(synced.map_err(|error| io::Error::other(error.to_string())))?;
        self.segment.position += group.len() as u64;
        Ok(())
    }

    #[cfg(test)]
    fn acknowledge_before_sync(&mut self) {
        self.acknowledges_before_sync = true;
    }
}
