//! Reading a backup.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use syncline_protocol::Lsn;

use super::{
    BODY_BYTES_MAX, FRAME_HEADER_BYTES, HEADER_BYTES, Header, Kind, crc_of_frame, u32_at, u64_at,
};
use crate::disk::{Disk, DiskFile, DiskLock};

/// The files in a backup, to be read: nothing can be changed. All of it is verified when it is opened.
///
/// The database's folder in it is [`BackupDisk::FOLDER`].
#[derive(Debug)]
pub struct BackupDisk {
    header: Header,
    files: BTreeMap<PathBuf, Arc<Packed>>,
    source: Arc<Mutex<Box<dyn DiskFile>>>,
}

/// Where a file of a backup lies in it.
#[derive(Debug, Default)]
struct Packed {
    len: u64,
    /// Offset in the file, position in the backup, and bytes; in order.
    pieces: Vec<(u64, u64, u64)>,
}

/// Why a backup cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// It begins with something else.
    #[error("it is no backup of a database")]
    NoBackup,
    /// It is of another version than this build reads.
    #[error(
        "a backup of version {found}, but this build reads version {}",
        super::VERSION
    )]
    Version {
        /// Its version.
        found: u32,
    },
    /// It ends in the middle.
    #[error("the backup ends at byte {offset}, before it is whole")]
    CutOff {
        /// Where what is missing begins.
        offset: u64,
    },
    /// It has other bytes than were written.
    #[error("the backup is damaged at byte {offset}: {detail}")]
    Damaged {
        /// Where the frame that is damaged begins.
        offset: u64,
        /// What is wrong.
        detail: &'static str,
    },
    /// It cannot be read.
    #[error("the backup cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Reads frames in order and knows what they must be.
struct Frames<'a> {
    source: &'a dyn DiskFile,
    len: u64,
    at: u64,
    number: u32,
    sha: Sha256,
    frame: Vec<u8>,
}

impl BackupDisk {
    /// Where the database lies on this disk.
    pub const FOLDER: &'static str = "/backup";

    /// Opens a backup, and reads all of it.
    pub fn open(source: Box<dyn DiskFile>) -> Result<Self, BackupError> {
        let len = source.byte_len()?;
        let mut header = [0; HEADER_BYTES];
        if len < HEADER_BYTES as u64 {
            return Err(BackupError::NoBackup);
        }
        source.read_at(0, &mut header)?;
        let mut frames = Frames {
            source: &*source,
            len,
            at: HEADER_BYTES as u64,
            number: 0,
            sha: Sha256::new_with_prefix(header),
            frame: Vec::new(),
        };
        let header = Header::decode(&header)?;
        let files = frames.files()?;
        Ok(Self {
            header,
            files,
            source: Arc::new(Mutex::new(source)),
        })
    }

    /// The last Lsn in it.
    #[must_use]
    pub fn last(&self) -> Lsn {
        self.header.last
    }

    /// When it was begun, in microseconds since the Unix epoch.
    #[must_use]
    pub fn time(&self) -> i64 {
        self.header.time
    }
}

impl Frames<'_> {
    fn files(&mut self) -> Result<BTreeMap<PathBuf, Arc<Packed>>, BackupError> {
        let mut files = BTreeMap::new();
        let mut open: Option<(PathBuf, Packed)> = None;
        loop {
            let offset = self.at;
            let damaged = |detail| BackupError::Damaged { offset, detail };
            let sha: [u8; 32] = self.sha.clone().finalize().into();
            let kind = self.next()?;
            let body = &self.frame[FRAME_HEADER_BYTES..];
            match kind {
                Kind::File => {
                    let name = body.get(8..).and_then(|name| str::from_utf8(name).ok());
                    let name = name.filter(|name| is_plain(name));
                    let name = name.ok_or_else(|| damaged("the path of a file"))?;
                    let file = Packed {
                        len: u64_at(body, 0),
                        pieces: Vec::new(),
                    };
                    let path = Path::new(BackupDisk::FOLDER).join(name);
                    let before = open.replace((path, file));
                    files.extend(before.map(|(path, file)| (path, Arc::new(file))));
                }
                Kind::Bytes => {
                    let (_, file) = open.as_mut().ok_or_else(|| damaged("bytes of no file"))?;
                    let (start, len) = (u64_at(body, 0), body.len().saturating_sub(8) as u64);
                    let end = start.checked_add(len).filter(|end| *end <= file.len);
                    let follows = file
                        .pieces
                        .last()
                        .is_none_or(|(at, _, len)| at + len <= start);
                    if end.is_none() || !follows {
                        return Err(damaged("bytes outside of their file"));
                    }
                    let position = offset + FRAME_HEADER_BYTES as u64 + 8;
                    file.pieces.push((start, position, len));
                }
                Kind::End => {
                    files.extend(open.take().map(|(path, file)| (path, Arc::new(file))));
                    let is_right = u64_at(body, 0) == files.len() as u64
                        && body.get(8..) == Some(&sha[..])
                        && self.at == self.len;
                    return is_right.then_some(files).ok_or_else(|| damaged("its end"));
                }
            }
        }
    }

    /// Reads the next frame.
    fn next(&mut self) -> Result<Kind, BackupError> {
        let offset = self.at;
        let damaged = |detail| BackupError::Damaged { offset, detail };
        self.frame.resize(FRAME_HEADER_BYTES, 0);
        self.fill(0)?;
        let len = u32_at(&self.frame, 4) as usize;
        if len > BODY_BYTES_MAX {
            return Err(damaged("the length of a frame"));
        }
        self.frame.resize(FRAME_HEADER_BYTES + len, 0);
        self.fill(FRAME_HEADER_BYTES)?;
        let (crc, number) = (u32_at(&self.frame, 0), u32_at(&self.frame, 12));
        if crc != crc_of_frame(&self.frame) || number != self.number {
            return Err(damaged("the checksum of a frame"));
        }
        self.number += 1;
        self.at += self.frame.len() as u64;
        self.sha.update(&self.frame);
        match u32_at(&self.frame, 8) {
            1 => Ok(Kind::File),
            2 => Ok(Kind::Bytes),
            3 => Ok(Kind::End),
            _ => Err(damaged("the kind of a frame")),
        }
    }

    /// Fills the frame from a byte on.
    fn fill(&mut self, from: usize) -> Result<(), BackupError> {
        let start = self.at + from as u64;
        let out = &mut self.frame[from..];
        if start.saturating_add(out.len() as u64) > self.len {
            return Err(BackupError::CutOff { offset: self.at });
        }
        Ok(self.source.read_at(start, out)?)
    }
}

/// A path that stays in its folder.
fn is_plain(name: &str) -> bool {
    let mut parts = name.split('/');
    let is_name = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains('\\');
    parts.clone().count() == 2 && parts.all(is_name)
}

fn read_only<T>() -> io::Result<T> {
    Err(io::Error::new(
        ErrorKind::ReadOnlyFilesystem,
        "a backup does not change",
    ))
}

impl Disk for BackupDisk {
    fn create(&self, _path: &Path) -> io::Result<Box<dyn DiskFile>> {
        read_only()
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = self.files.get(path).ok_or(ErrorKind::NotFound)?;
        Ok(Box::new(BackupFile {
            file: Arc::clone(file),
            source: Arc::clone(&self.source),
        }))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.files.keys().any(|file| file.starts_with(path)))
    }

    fn rename(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        read_only()
    }

    fn remove(&self, _path: &Path) -> io::Result<()> {
        read_only()
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let inside = self
            .files
            .keys()
            .filter_map(|path| path.strip_prefix(folder).ok());
        let mut names: Vec<_> = inside
            .filter_map(|path| path.iter().next()?.to_str().map(str::to_owned))
            .collect();
        names.dedup();
        if names.is_empty() {
            return Err(ErrorKind::NotFound.into());
        }
        Ok(names)
    }

    fn create_dir(&self, _folder: &Path) -> io::Result<()> {
        read_only()
    }

    fn sync_dir(&self, _folder: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, _folder: &Path) -> io::Result<Box<dyn DiskLock>> {
        Ok(Box::new(Unchanging))
    }

    fn free_bytes(&self, _folder: &Path) -> Option<u64> {
        None
    }
}

/// What nobody changes needs no lock.
#[derive(Debug)]
struct Unchanging;

impl DiskLock for Unchanging {}

#[derive(Debug)]
struct BackupFile {
    file: Arc<Packed>,
    source: Arc<Mutex<Box<dyn DiskFile>>>,
}

impl DiskFile for BackupFile {
    fn byte_len(&self) -> io::Result<u64> {
        Ok(self.file.len)
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(out.len() as u64);
        let end = end.filter(|end| *end <= self.file.len);
        let end = end.ok_or(ErrorKind::UnexpectedEof)?;
        out.fill(0);
        let pieces = &self.file.pieces;
        let first = pieces.partition_point(|(start, _, len)| start + len <= offset);
        let source = self.source.lock();
        for &(start, position, len) in pieces[first..].iter().take_while(|(at, ..)| *at < end) {
            let (from, to) = (offset.max(start), end.min(start + len));
            let inside = (from - offset) as usize..(to - offset) as usize;
            source.read_at(position + (from - start), &mut out[inside])?;
        }
        Ok(())
    }

    fn write_at(&mut self, _offset: u64, _bytes: &[u8]) -> io::Result<()> {
        read_only()
    }

    fn set_len(&mut self, _len: u64) -> io::Result<()> {
        read_only()
    }

    fn sync_data(&mut self) -> io::Result<()> {
        Ok(())
    }
}
