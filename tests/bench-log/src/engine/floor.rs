//! What the disk itself does: one write of a batch's rows and one fdatasync, in a file that was filled with zeros before.

use std::path::Path;

use anyhow::{Result, bail};
use syncline_store::disk::DiskFile;
use syncline_store::{Disk, RealDisk};

use super::{Engine, payload};

const FILE_BYTES: u64 = 64 << 20;

/// A file that is written from its beginning to its end, and again.
pub(crate) struct Floor {
    file: Box<dyn DiskFile>,
    at: u64,
    bytes: Vec<u8>,
}

impl Floor {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let mut file = RealDisk.create(path)?;
        file.write_at(0, &vec![0; FILE_BYTES as usize])?;
        file.sync_data()?;
        let (at, bytes) = (0, Vec::new());
        Ok(Self { file, at, bytes })
    }
}

impl Engine for Floor {
    fn insert(&mut self, ids: std::ops::Range<u64>, row_bytes: usize) -> Result<()> {
        let len = row_bytes * (ids.end - ids.start) as usize;
        if self.bytes.len() != len {
            payload(1, len, &mut self.bytes);
        }
        if self.at + len as u64 > FILE_BYTES {
            self.at = 0;
        }
        self.file.write_at(self.at, &self.bytes)?;
        self.file.sync_data()?;
        self.at += len as u64;
        Ok(())
    }

    fn update(&mut self, ids: &[u64], row_bytes: usize) -> Result<()> {
        self.insert(0..ids.len() as u64, row_bytes)
    }

    fn count(&mut self) -> Result<u64> {
        bail!("a file has no rows")
    }
}
