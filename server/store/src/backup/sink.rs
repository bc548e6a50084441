//! Taking a backup apart.

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use syncline_protocol::Lsn;

use super::{DATA, END, FILE, FRAME_BYTES_MAX, FRAME_HEADER_BYTES, MAGIC, PREFIX_BYTES, VERSION};
use crate::checkpoint::{CHECKPOINTS_FOLDER, checkpoint_lsn};
use crate::disk::{Disk, DiskFile, create_dir_all};
use crate::log::segment::segment_number;
use crate::log::{LOG_FOLDER, MODULES_FOLDER};

/// Why a stream is no backup, or cannot be taken apart.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// It does not begin like one.
    #[error("this is no backup")]
    NotABackup,
    /// It is of another version.
    #[error("a backup of version {found}, but this build reads version {VERSION}")]
    Version {
        /// Its version.
        found: u32,
    },
    /// It was changed on its way.
    #[error("the backup is damaged at byte {offset}: {detail}")]
    Damaged {
        /// Where in the stream.
        offset: u64,
        /// What is wrong there.
        detail: &'static str,
    },
    /// It ends before its end.
    #[error("the backup ends in the middle: it was not finished, or is cut off")]
    CutOff,
    /// The disk failed or is full, or there is something in the folder.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Puts the files of a stream into a folder. Every frame is verified before any of it is written; that the stream
/// is whole is known at [`Self::finish`].
#[derive(Debug)]
pub struct BackupSink<'a> {
    disk: &'a dyn Disk,
    folder: PathBuf,
    /// What has come of a frame that is not whole.
    pending: Vec<u8>,
    /// Where in the stream `pending` begins.
    offset: u64,
    has_prefix: bool,
    open: Option<Target>,
    hash: Sha256,
    end: Option<Lsn>,
}

#[derive(Debug)]
struct Target {
    path: PathBuf,
    file: Box<dyn DiskFile>,
    written: u64,
    len: u64,
}

impl<'a> BackupSink<'a> {
    /// Into this folder, which must not be there or be empty.
    pub fn new(disk: &'a dyn Disk, folder: &Path) -> Result<Self, BackupError> {
        for inside in [LOG_FOLDER, CHECKPOINTS_FOLDER, MODULES_FOLDER] {
            let inside = folder.join(inside);
            let is_empty = create_dir_all(disk, &inside)
                .and_then(|()| disk.list(&inside))
                .map_err(io_at(&inside))?
                .is_empty();
            if !is_empty {
                return Err(io_at(&inside)(io::ErrorKind::DirectoryNotEmpty.into()));
            }
        }
        Ok(Self {
            disk,
            folder: folder.to_owned(),
            pending: Vec::new(),
            offset: 0,
            has_prefix: false,
            open: None,
            hash: Sha256::new(),
            end: None,
        })
    }

    /// Takes the next bytes of the stream. After an error it is over.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), BackupError> {
        self.pending.extend_from_slice(bytes);
        let pending = std::mem::take(&mut self.pending);
        let mut rest = &pending[..];
        if !self.has_prefix && rest.len() >= PREFIX_BYTES {
            let (prefix, after) = rest.split_at(PREFIX_BYTES);
            check_prefix(prefix)?;
            self.take(prefix);
            self.has_prefix = true;
            rest = after;
        }
        while self.has_prefix
            && let Some(frame) = self.frame(rest)?
        {
            if self.end.is_some() {
                return Err(self.damaged("something follows the end"));
            }
            self.body(&frame[FRAME_HEADER_BYTES..])?;
            self.take(frame);
            rest = &rest[frame.len()..];
        }
        self.pending = rest.to_vec();
        Ok(())
    }

    fn take(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.offset += bytes.len() as u64;
    }

    /// The frame at the front, if it is there in full.
    fn frame<'b>(&self, rest: &'b [u8]) -> Result<Option<&'b [u8]>, BackupError> {
        let Some((len, after)) = rest.split_first_chunk() else {
            return Ok(None);
        };
        let len = u32::from_le_bytes(*len) as usize;
        if len == 0 || len > FRAME_BYTES_MAX {
            return Err(self.damaged("the length of a frame"));
        }
        let Some((crc, _)) = after.split_first_chunk() else {
            return Ok(None);
        };
        let Some(frame) = rest.get(..FRAME_HEADER_BYTES + len) else {
            return Ok(None);
        };
        let body = &frame[FRAME_HEADER_BYTES..];
        if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
            return Err(self.damaged("a frame"));
        }
        Ok(Some(frame))
    }

    fn body(&mut self, body: &[u8]) -> Result<(), BackupError> {
        let (kind, body) = body.split_first().ok_or(BackupError::CutOff)?;
        let is_filled = self
            .open
            .as_ref()
            .is_none_or(|open| open.written == open.len);
        match *kind {
            FILE if is_filled => {
                self.close()?;
                let Some((len, name)) = body.split_first_chunk() else {
                    return Err(self.damaged("the name of a file"));
                };
                self.create(u64::from_le_bytes(*len), name)
            }
            DATA => {
                let offset = self.offset;
                let fits =
                    |open: &&mut Target| open.written.saturating_add(body.len() as u64) <= open.len;
                let Some(open) = self.open.as_mut().filter(fits) else {
                    return Err(BackupError::Damaged {
                        offset,
                        detail: "more than the file has",
                    });
                };
                let written = open.file.write_at(open.written, body);
                written.map_err(io_at(&open.path))?;
                open.written += body.len() as u64;
                Ok(())
            }
            END if is_filled => {
                self.close()?;
                let Some((lsn, hash)) = body.split_first_chunk() else {
                    return Err(self.damaged("the end"));
                };
                if self.hash.clone().finalize().as_slice() != hash {
                    return Err(self.damaged("the hash of all that came before"));
                }
                self.end = Some(Lsn(u64::from_le_bytes(*lsn)));
                Ok(())
            }
            _ => Err(self.damaged("a frame in the place of another")),
        }
    }

    fn create(&mut self, len: u64, name: &[u8]) -> Result<(), BackupError> {
        let name = std::str::from_utf8(name).ok().filter(|name| is_ours(name));
        let Some(name) = name else {
            return Err(self.damaged("a file that no backup has"));
        };
        let path = self.folder.join(name);
        let file = self.disk.create(&path).map_err(io_at(&path))?;
        self.open = Some(Target {
            path,
            file,
            written: 0,
            len,
        });
        Ok(())
    }

    fn close(&mut self) -> Result<(), BackupError> {
        if let Some(mut open) = self.open.take() {
            open.file.sync_data().map_err(io_at(&open.path))?;
        }
        Ok(())
    }

    fn damaged(&self, detail: &'static str) -> BackupError {
        BackupError::Damaged {
            offset: self.offset,
            detail,
        }
    }

    /// The stream is over: the Lsn up to which the backup goes. [`BackupError::CutOff`] if the end has not come.
    pub fn finish(self) -> Result<Lsn, BackupError> {
        let end = self.end.filter(|_| self.pending.is_empty());
        end.ok_or(BackupError::CutOff)
    }
}

fn check_prefix(prefix: &[u8]) -> Result<(), BackupError> {
    let version = prefix.strip_prefix(&MAGIC).and_then(<[u8]>::first_chunk);
    match version.map(|version| u32::from_le_bytes(*version)) {
        Some(VERSION) => Ok(()),
        Some(found) => Err(BackupError::Version { found }),
        None => Err(BackupError::NotABackup),
    }
}

/// Whether a name is that of a file of a database, so that nothing is written elsewhere.
fn is_ours(name: &str) -> bool {
    let is_wasm = |name: &str| {
        let hash = name.strip_suffix(".wasm");
        hash.is_some_and(|hash| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    match name.split_once('/') {
        Some((LOG_FOLDER, name)) => segment_number(name).is_some(),
        Some((CHECKPOINTS_FOLDER, name)) => checkpoint_lsn(name).is_some(),
        Some((MODULES_FOLDER, name)) => is_wasm(name),
        _ => false,
    }
}

/// Removes the files that a sink has made.
pub(super) fn clear(disk: &dyn Disk, folder: &Path) -> io::Result<()> {
    for inside in [LOG_FOLDER, CHECKPOINTS_FOLDER, MODULES_FOLDER] {
        let inside = folder.join(inside);
        for name in disk.list(&inside)? {
            if is_ours(&format!("{}/{name}", inside_name(&inside))) {
                disk.remove(&inside.join(name))?;
            }
        }
    }
    Ok(())
}

fn inside_name(inside: &Path) -> &str {
    let name = inside.file_name().and_then(|name| name.to_str());
    name.unwrap_or_default()
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::Io { path, source }
}
