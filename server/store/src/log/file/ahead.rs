//! The next segment, made before it is needed.

use std::io;
use std::path::{Path, PathBuf};

use crate::disk::{Disk, DiskFile, remove_if_there};
use crate::log::segment::segment_path;

/// Most zeros that are written and synced in one go.
const CHUNK_BYTES_MAX: u64 = 1 << 20;
/// Fewest.
const CHUNK_BYTES_MIN: u64 = 16 << 10;
/// Room to leave to others when a segment is tried again on a disk that was full.
const SPARE_BYTES: u64 = 1 << 20;

/// A segment that is being filled with zeros, bit by bit while the one before it fills with groups: so
/// no commit waits for all of it. When it is whole, its contents and its name are durable.
#[derive(Debug)]
pub(crate) struct Ahead {
    folder: PathBuf,
    pub(crate) number: u64,
    len: u64,
    zeroed: u64,
    file: Option<Box<dyn DiskFile>>,
    is_named: bool,
    is_refused: bool,
    zeros: Vec<u8>,
}

impl Ahead {
    pub(crate) fn new(folder: &Path, number: u64, len: u64) -> Self {
        let zeros = vec![0; (len / 16).clamp(CHUNK_BYTES_MIN, CHUNK_BYTES_MAX) as usize];
        Self {
            folder: folder.to_owned(),
            number,
            len,
            zeroed: 0,
            file: None,
            is_named: false,
            is_refused: false,
            zeros,
        }
    }

    /// Makes it at least this long.
    pub(crate) fn grow(&mut self, len: u64) {
        self.len = self.len.max(len);
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Whether the disk was full at the last try.
    pub(crate) fn is_refused(&self) -> bool {
        self.is_refused
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.is_named && self.zeroed >= self.len
    }

    /// Sees to it that at least so many of its bytes are there. If the disk is full, gives back the room it has
    /// taken and says so.
    pub(crate) fn fill(&mut self, disk: &dyn Disk, until: u64) -> io::Result<()> {
        if self.is_refused {
            let free = disk.free_bytes(&self.folder);
            if free.is_some_and(|free| free < self.len.saturating_add(SPARE_BYTES)) {
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        let filled = self.try_fill(disk, until.min(self.len));
        self.is_refused = filled.as_ref().is_err_and(crate::disk::is_full);
        if self.is_refused {
            self.file = None;
            self.zeroed = 0;
            self.is_named = false;
            remove_if_there(disk, &segment_path(&self.folder, self.number))?;
        }
        filled
    }

    fn try_fill(&mut self, disk: &dyn Disk, until: u64) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            empty => {
                let path = segment_path(&self.folder, self.number);
                remove_if_there(disk, &path)?;
                empty.insert(disk.create(&path)?)
            }
        };
        while self.zeroed < until {
            let len = (self.len - self.zeroed).min(self.zeros.len() as u64);
            file.write_at(self.zeroed, &self.zeros[..len as usize])?;
            file.sync_data()?;
            self.zeroed += len;
        }
        if self.zeroed >= self.len && !self.is_named {
            disk.sync_dir(&self.folder)?;
            self.is_named = true;
        }
        Ok(())
    }

    /// Writes the first bytes of the segment, which must be whole, and gives it away. What was
    /// written is not synced.
    pub(crate) fn begin(&mut self, header: &[u8]) -> io::Result<Box<dyn DiskFile>> {
        let not_whole = || io::Error::other("the next segment is not whole");
        if !self.is_ready() {
            return Err(not_whole());
        }
        self.file
            .as_mut()
            .ok_or_else(not_whole)?
            .write_at(0, header)?;
        self.file.take().ok_or_else(not_whole)
    }
}
