//! The disk of a database that lives in memory alone.

use std::io::{self, ErrorKind};
use std::path::Path;

use super::{Disk, DiskFile, DiskLock};

/// Takes everything and keeps nothing: no file is ever there, so every open makes a new database,
/// and its log costs neither memory nor time.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiscardDisk;

#[derive(Debug)]
struct DiscardFile {
    len: u64,
}

#[derive(Debug)]
struct DiscardLock;

impl Disk for DiscardDisk {
    fn create(&self, _path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(DiscardFile { len: 0 }))
    }

    fn open(&self, _path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Err(ErrorKind::NotFound.into())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(path.parent().is_none())
    }

    fn rename(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        Ok(())
    }

    fn remove(&self, _path: &Path) -> io::Result<()> {
        Err(ErrorKind::NotFound.into())
    }

    fn list(&self, _folder: &Path) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn create_dir(&self, _folder: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_dir(&self, _folder: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, _folder: &Path) -> io::Result<Box<dyn DiskLock>> {
        Ok(Box::new(DiscardLock))
    }

    fn free_bytes(&self, _folder: &Path) -> Option<u64> {
        None
    }
}

impl DiskFile for DiscardFile {
    fn byte_len(&self) -> io::Result<u64> {
        Ok(self.len)
    }

    fn read_at(&self, _offset: u64, _out: &mut [u8]) -> io::Result<()> {
        Err(ErrorKind::UnexpectedEof.into())
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.len = self.len.max(offset.saturating_add(bytes.len() as u64));
        Ok(())
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.len = len;
        Ok(())
    }

    fn sync_data(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl DiskLock for DiscardLock {}
