//! The stream of a backup.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use syncline_protocol::Lsn;

use super::{DATA, DATA_BYTES, END, FILE, FRAME_HEADER_BYTES, MAGIC, VERSION};
use crate::checkpoint::{CHECKPOINTS_FOLDER, list};
use crate::disk::{Disk, DiskFile, DiskLock};
use crate::log::group::GroupHeader;
use crate::log::recovery::survey;
use crate::log::segment::SEGMENT_HEADER_BYTES;
use crate::log::{LOG_FOLDER, LogAppender, MODULES_FOLDER, OpenError};
use crate::open::lock_folder;

/// How often the files are looked for anew if some are dropped meanwhile.
const TRIES: usize = 8;

/// A database as a stream of bytes. It may go to another thread; the database goes on meanwhile.
#[derive(Debug)]
pub struct BackupSource {
    files: VecDeque<Source>,
    /// What is sent of the first of `files`.
    sent: u64,
    is_named: bool,
    lsn: Lsn,
    hash: Sha256,
    /// Of all files.
    len: u64,
    step: Step,
    /// Of a database that nobody else has open. Ends with the stream.
    lock: Option<Box<dyn DiskLock>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Prefix,
    Files,
    Done,
}

#[derive(Debug)]
struct Source {
    name: String,
    file: Box<dyn DiskFile>,
    len: u64,
}

impl BackupSource {
    /// A backup of a database that runs, up to what is durable now. `history` adds all older checkpoints and log
    /// that are kept, so that one can go back within the backup.
    pub fn of_running(log: &LogAppender, history: bool) -> Result<Self, OpenError> {
        let (disk, folder, durable) = (log.disk(), log.folder().to_owned(), log.durable());
        for _ in 1..TRIES {
            match Self::new(&*disk, &folder, Some(durable), history) {
                // Retention has dropped a file between the look at its name and the look into it.
                Err(OpenError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                Err(OpenError::Missing { .. }) => {}
                other => return other,
            }
        }
        Self::new(&*disk, &folder, Some(durable), history)
    }

    /// A backup of a database that nobody has open: it is locked meanwhile.
    pub fn of_folder(disk: &dyn Disk, folder: &Path, history: bool) -> Result<Self, OpenError> {
        if !disk.exists(folder).map_err(OpenError::io(folder))? {
            return Err(OpenError::Missing {
                file: folder.to_owned(),
            });
        }
        let lock = lock_folder(disk, folder)?;
        let mut source = Self::new(disk, folder, None, history)?;
        source.lock = Some(lock);
        Ok(source)
    }

    fn new(
        disk: &dyn Disk,
        folder: &Path,
        durable: Option<Lsn>,
        history: bool,
    ) -> Result<Self, OpenError> {
        let end = durable.unwrap_or(Lsn(u64::MAX));
        let mut files = VecDeque::new();
        let mut last = Lsn::ZERO;
        let checkpoints = folder.join(CHECKPOINTS_FOLDER);
        let found = list(disk, &checkpoints).map_err(OpenError::io(&checkpoints))?;
        let usable: Vec<_> = found.into_iter().filter(|(lsn, _)| *lsn <= end).collect();
        let from = if history {
            0
        } else {
            usable.len().saturating_sub(1)
        };
        let base = match usable.get(from) {
            Some((lsn, _)) if !history => *lsn,
            _ => Lsn::ZERO,
        };
        for (lsn, path) in &usable[from..] {
            files.push_back(Source::open(disk, folder, path, None)?);
            last = last.max(*lsn);
        }
        let survey = survey(disk, &folder.join(LOG_FOLDER))?;
        let used: Vec<_> = survey.used().collect();
        for (index, (header, path)) in used.iter().enumerate() {
            let next = used.get(index + 1).map(|(next, _)| next.first);
            let is_old = next.is_some_and(|next| next <= base);
            if is_old || header.first > end.next_or_same() {
                continue;
            }
            // One that is followed by something durable is so itself.
            let is_whole = next.is_some_and(|next| next <= end);
            let mut len = None;
            if !is_whole {
                let (durable_len, lsn) = durable_len(disk, path, header.salt, end)?;
                last = last.max(lsn);
                len = durable.map(|_| durable_len);
            }
            files.push_back(Source::open(disk, folder, path, len)?);
        }
        let modules = folder.join(MODULES_FOLDER);
        for name in disk.list(&modules).map_err(OpenError::io(&modules))? {
            let path = modules.join(name);
            if path
                .extension()
                .is_some_and(|extension| extension == "wasm")
            {
                files.push_back(Source::open(disk, folder, &path, None)?);
            }
        }
        Ok(Self {
            len: files.iter().map(|source| source.len).sum(),
            files,
            sent: 0,
            is_named: false,
            lsn: durable.unwrap_or(last),
            hash: Sha256::new(),
            step: Step::Prefix,
            lock: None,
        })
    }

    /// Bytes of all files: about what the stream will have.
    #[must_use]
    pub fn byte_len(&self) -> u64 {
        self.len
    }

    /// Appends the next quarter of a MiB or so to `out`; `false` if nothing is left.
    pub fn next_chunk(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        let start = out.len();
        match self.step {
            Step::Done => return Ok(false),
            Step::Prefix => {
                out.extend_from_slice(&MAGIC);
                out.extend_from_slice(&VERSION.to_le_bytes());
                self.step = Step::Files;
            }
            Step::Files => match self.files.front() {
                None => {
                    let hash = self.hash.clone().finalize();
                    frame(END, out, |body| {
                        body.extend_from_slice(&self.lsn.0.to_le_bytes());
                        body.extend_from_slice(&hash);
                        Ok(())
                    })?;
                    self.step = Step::Done;
                    self.lock = None;
                }
                Some(source) if !self.is_named => {
                    frame(FILE, out, |body| {
                        body.extend_from_slice(&source.len.to_le_bytes());
                        body.extend_from_slice(source.name.as_bytes());
                        Ok(())
                    })?;
                    self.is_named = true;
                }
                Some(source) => {
                    let len = (source.len - self.sent).min(DATA_BYTES as u64);
                    if len > 0 {
                        frame(DATA, out, |body| {
                            let at = body.len();
                            body.resize(at + len as usize, 0);
                            source.file.read_at(self.sent, &mut body[at..])
                        })?;
                    }
                    self.sent += len;
                    if self.sent == source.len {
                        self.files.pop_front();
                        (self.sent, self.is_named) = (0, false);
                    }
                }
            },
        }
        self.hash.update(&out[start..]);
        Ok(true)
    }
}

impl Source {
    /// Of a file in a database's folder, the first `len` bytes of it or all.
    fn open(
        disk: &dyn Disk,
        folder: &Path,
        path: &Path,
        len: Option<u64>,
    ) -> Result<Self, OpenError> {
        let file = disk.open(path).map_err(OpenError::io(path))?;
        let whole = file.byte_len().map_err(OpenError::io(path))?;
        let name = path.strip_prefix(folder).unwrap_or(path);
        let name: PathBuf = name.components().collect();
        Ok(Self {
            name: name.to_string_lossy().into_owned(),
            len: len.unwrap_or(whole).min(whole),
            file,
        })
    }
}

/// Appends a frame whose body `put` makes.
fn frame(
    kind: u8,
    out: &mut Vec<u8>,
    put: impl FnOnce(&mut Vec<u8>) -> io::Result<()>,
) -> io::Result<()> {
    let start = out.len();
    out.resize(start + FRAME_HEADER_BYTES, 0);
    out.push(kind);
    if let Err(error) = put(out) {
        out.truncate(start);
        return Err(error);
    }
    let body = &out[start + FRAME_HEADER_BYTES..];
    let (len, crc) = (body.len() as u32, crc32c::crc32c(body));
    out[start..start + 4].copy_from_slice(&len.to_le_bytes());
    out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
    Ok(())
}

/// Bytes of a segment up to the end of the last group with nothing beyond `durable`, and the last Lsn
/// in them. What is behind that may be in the middle of being written.
fn durable_len(
    disk: &dyn Disk,
    path: &Path,
    salt: u64,
    durable: Lsn,
) -> Result<(u64, Lsn), OpenError> {
    let bytes = crate::disk::read_file(disk, path).map_err(OpenError::io(path))?;
    let (mut at, mut last) = (SEGMENT_HEADER_BYTES, Lsn::ZERO);
    while let Some(header) = GroupHeader::decode(bytes.get(at..).unwrap_or_default(), salt) {
        let is_durable = header.end().is_ok_and(|end| end <= durable.next_or_same());
        if !is_durable || header.records(&bytes[at..]).is_none() {
            break;
        }
        last = Lsn(header.first.0 + u64::from(header.count)).max(Lsn(1));
        at += header.len();
    }
    Ok((at as u64, Lsn(last.0.saturating_sub(1))))
}

trait Next {
    /// The Lsn after it, if there can be one.
    fn next_or_same(self) -> Self;
}

impl Next for Lsn {
    fn next_or_same(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}
