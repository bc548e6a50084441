//! Writing a backup.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use syncline_protocol::Lsn;

use super::super::point::settled;
use super::{FRAME_HEADER_BYTES, Header, Kind, PIECE_BYTES, crc_of_frame};
use crate::checkpoint::{self, CHECKPOINTS_FOLDER};
use crate::disk::{Disk, DiskFile};
use crate::log::group::{GROUP_HEADER_BYTES, GroupHeader};
use crate::log::recovery::survey;
use crate::log::segment::SEGMENT_HEADER_BYTES;
use crate::log::{LOG_FOLDER, MODULES_FOLDER, OpenError};

/// A backup that is being written: [`Self::write`] until there is no more.
///
/// It holds the files open, so a server may drop what it no longer needs meanwhile; what it appends to them
/// lies behind what is copied.
#[derive(Debug)]
pub struct Backup {
    header: Header,
    files: VecDeque<Copied>,
    file_count: u64,
    bytes: u64,
    /// Bytes of the first file that are written.
    position: u64,
    frame_count: u32,
    sha: Sha256,
    step: Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Header,
    File,
    Bytes,
    Done,
}

/// A file, as far as it is copied.
#[derive(Debug)]
struct Copied {
    /// In the folder of the database.
    name: String,
    path: PathBuf,
    file: Box<dyn DiskFile>,
    len: u64,
}

/// Begins a backup of the database in a folder, with everything that is kept up to `last`. Takes no lock: a server
/// may run, as long as `last` is durable. `now` is microseconds since the Unix epoch.
pub fn begin_backup(
    disk: &dyn Disk,
    folder: &Path,
    last: Lsn,
    now: i64,
) -> Result<Backup, OpenError> {
    let files = settled(|| collect(disk, folder, last))?;
    if files.is_empty() {
        return Err(OpenError::NotKept);
    }
    Ok(Backup {
        header: Header { last, time: now },
        file_count: files.len() as u64,
        bytes: files.iter().map(|file| file.len).sum(),
        files,
        position: 0,
        frame_count: 0,
        sha: Sha256::new(),
        step: Step::Header,
    })
}

/// The files that matter, open.
fn collect(disk: &dyn Disk, folder: &Path, last: Lsn) -> Result<VecDeque<Copied>, OpenError> {
    let mut files = VecDeque::new();
    let modules = folder.join(MODULES_FOLDER);
    for name in names(disk, &modules)? {
        let path = modules.join(&name);
        if path
            .extension()
            .is_some_and(|extension| extension == "wasm")
        {
            files.push_back(open(disk, MODULES_FOLDER, path)?);
        }
    }
    // Segments before checkpoints: one that is gone by the time that it is opened is replaced by a checkpoint
    // that is there then.
    let mut segments = Vec::new();
    let survey = survey(disk, &folder.join(LOG_FOLDER))?;
    for (header, path) in survey.used() {
        if header.first > last.next() && !segments.is_empty() {
            break;
        }
        let mut copied = open(disk, LOG_FOLDER, path.to_owned())?;
        copied.len =
            len_up_to(&*copied.file, copied.len, header.salt, last).map_err(OpenError::io(path))?;
        segments.push(copied);
    }
    let checkpoints = folder.join(CHECKPOINTS_FOLDER);
    let all = checkpoint::list(disk, &checkpoints).map_err(OpenError::io(&checkpoints))?;
    // The one that the log follows may have been replaced meanwhile by one that is too new.
    let start = survey.start();
    let follows = |lsn: Lsn| (start..=last).contains(&lsn);
    if start > Lsn::ZERO && !all.iter().any(|(lsn, _)| follows(*lsn)) {
        return Err(OpenError::Missing { file: checkpoints });
    }
    for (lsn, path) in all {
        if lsn <= last {
            files.push_back(open(disk, CHECKPOINTS_FOLDER, path)?);
        }
    }
    files.extend(segments);
    Ok(files)
}

fn names(disk: &dyn Disk, folder: &Path) -> Result<Vec<String>, OpenError> {
    match disk.list(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(OpenError::io(folder)),
    }
}

fn open(disk: &dyn Disk, folder: &str, path: PathBuf) -> Result<Copied, OpenError> {
    let opened = disk.open(&path);
    let opened = opened.and_then(|file| Ok((file.byte_len()?, file)));
    let (len, file) = opened.map_err(OpenError::io(&path))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(Copied {
        name: format!("{folder}/{name}"),
        path,
        file,
        len,
    })
}

/// Bytes of a segment up to the group after which `last` is in.
fn len_up_to(file: &dyn DiskFile, len: u64, salt: u64, last: Lsn) -> io::Result<u64> {
    let mut at = SEGMENT_HEADER_BYTES as u64;
    let mut header = [0; GROUP_HEADER_BYTES];
    while at + GROUP_HEADER_BYTES as u64 <= len {
        file.read_at(at, &mut header)?;
        let Some(group) = GroupHeader::decode(&header, salt) else {
            break;
        };
        // An open or a seal names the Lsn that comes next.
        let is_beyond = match group.count {
            0 => group.first > last.next(),
            _ => group.first > last,
        };
        if is_beyond {
            break;
        }
        at += group.len() as u64;
    }
    Ok(at.min(len))
}

impl Backup {
    /// The last Lsn in it.
    #[must_use]
    pub fn last(&self) -> Lsn {
        self.header.last
    }

    /// Bytes of all files: about as many as the backup will have, or less where they are zeros.
    #[must_use]
    pub fn byte_len(&self) -> u64 {
        self.bytes
    }

    /// Appends the next part, of a quarter of a MiB at most. False: there was none, the backup is whole.
    pub fn write(&mut self, out: &mut Vec<u8>) -> Result<bool, OpenError> {
        let start = out.len();
        match self.step {
            Step::Header => {
                out.extend_from_slice(&self.header.encode());
                self.step = Step::File;
            }
            Step::File => self.next_file(out),
            Step::Bytes => self.bytes(out)?,
            Step::Done => return Ok(false),
        }
        self.sha.update(&out[start..]);
        Ok(true)
    }

    /// The frame of the next file, or the end.
    fn next_file(&mut self, out: &mut Vec<u8>) {
        if let Some(file) = self.files.front() {
            let mut body = file.len.to_le_bytes().to_vec();
            body.extend_from_slice(file.name.as_bytes());
            self.frame(Kind::File, &body, out);
            self.position = 0;
            self.step = Step::Bytes;
            return;
        }
        let mut body = self.file_count.to_le_bytes().to_vec();
        body.extend_from_slice(&self.sha.clone().finalize());
        self.frame(Kind::End, &body, out);
        self.step = Step::Done;
    }

    /// The next piece of the first file; nothing for one of zeros.
    fn bytes(&mut self, out: &mut Vec<u8>) -> Result<(), OpenError> {
        let Some(file) = self.files.front() else {
            self.step = Step::File;
            return Ok(());
        };
        let len = (file.len - self.position).min(PIECE_BYTES as u64) as usize;
        if len == 0 {
            self.files.pop_front();
            self.step = Step::File;
            return Ok(());
        }
        let mut body = vec![0; 8 + len];
        body[..8].copy_from_slice(&self.position.to_le_bytes());
        file.file
            .read_at(self.position, &mut body[8..])
            .map_err(OpenError::io(&file.path))?;
        self.position += len as u64;
        let used = body[8..].iter().rposition(|&byte| byte != 0);
        if let Some(used) = used {
            body.truncate(8 + used + 1);
            self.frame(Kind::Bytes, &body, out);
        }
        Ok(())
    }

    fn frame(&mut self, kind: Kind, body: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        let fields = [0, body.len() as u32, kind as u32, self.frame_count];
        for field in fields {
            out.extend_from_slice(&field.to_le_bytes());
        }
        debug_assert_eq!(out.len() - start, FRAME_HEADER_BYTES);
        out.extend_from_slice(body);
        let crc = crc_of_frame(&out[start..]);
        out[start..start + 4].copy_from_slice(&crc.to_le_bytes());
        self.frame_count += 1;
    }
}
