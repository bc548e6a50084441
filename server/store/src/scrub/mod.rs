//! Reading old files again, to find rot while there is still something to repair it with.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use syncline_protocol::Lsn;

use crate::check::Problem;
use crate::checkpoint::format::{self, CHUNK_HEADER_BYTES, ChunkHeader, Kind};
use crate::checkpoint::{CHECKPOINTS_FOLDER, list};
use crate::disk::{Disk, DiskFile};
use crate::log::group::{Chain, GROUP_HEADER_BYTES, GroupHeader};
use crate::log::recovery::{Survey, survey};
use crate::log::segment::{Beginning, SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::log::{LOG_FOLDER, LogAppender, OpenError};

#[cfg(test)]
mod tests;

/// Bytes that one step reads, about.
const STEP_BYTES: usize = 1 << 20;

/// Reads the segments and checkpoints of a database that runs, bit by bit, and verifies their checksums and the chain:
/// somebody else's thread drives it, as slowly as it likes. The segment that is being written is left out.
#[derive(Debug)]
pub struct Scrub {
    disk: Arc<dyn Disk>,
    salt: u64,
    files: VecDeque<Item>,
    /// The first of them, if it is begun.
    open: Option<Open>,
    /// After the segment before.
    chain: Option<(u64, Chain)>,
    report: ScrubReport,
    buffer: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Item {
    /// With its header as it was seen, and the Lsn that comes first in the next.
    Segment(PathBuf, SegmentHeader, Lsn),
    Checkpoint(PathBuf, Lsn),
}

#[derive(Debug)]
struct Open {
    file: Box<dyn DiskFile>,
    len: u64,
    at: u64,
    part: Part,
}

/// Where in a file it is.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// At the header of the file.
    Start,
    /// At a group or chunk; of a segment, the Lsn that comes next.
    Between { next: Lsn, chunk: u32 },
    /// In the body of a group: so many bytes are left, and the crc so far and at the end.
    Body {
        left: u64,
        crc: u32,
        wanted: u32,
        next: Lsn,
    },
}

/// How far a scrub is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScrubProgress {
    /// There is more.
    Working,
    /// It has seen everything that was there when it began.
    Done(ScrubReport),
}

/// What a scrub has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScrubReport {
    /// Files that were read.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// What is wrong. Take a checkpoint, or a backup, while the database is still in memory.
    pub problems: Vec<Problem>,
}

impl Scrub {
    /// Of what a running database has now.
    pub fn begin(log: &LogAppender) -> Result<Self, OpenError> {
        let disk = log.disk();
        let mut files = VecDeque::new();
        let mut report = ScrubReport::default();
        let survey = match survey(&*disk, &log.folder().join(LOG_FOLDER)) {
            Err(OpenError::Io { path, source }) => return Err(OpenError::Io { path, source }),
            Err(error) => {
                report.problems.push(Problem::of(&error));
                Survey::default()
            }
            Ok(survey) => survey,
        };
        let salt = log.salt();
        let used: Vec<_> = survey.used().collect();
        for pair in used.windows(2) {
            let [(header, path), (next, _)] = pair else {
                continue;
            };
            if next.first <= log.durable() {
                files.push_back(Item::Segment((*path).to_owned(), **header, next.first));
            }
        }
        let folder = log.folder().join(CHECKPOINTS_FOLDER);
        let checkpoints = list(&*disk, &folder).map_err(OpenError::io(&folder))?;
        let newest_first = checkpoints.into_iter().rev();
        files.extend(newest_first.map(|(lsn, path)| Item::Checkpoint(path, lsn)));
        Ok(Self {
            disk,
            salt,
            files,
            open: None,
            chain: None,
            report,
            buffer: Vec::new(),
        })
    }

    /// Reads the next MiB or so.
    pub fn run_once(&mut self) -> ScrubProgress {
        let Some(item) = self.files.front().cloned() else {
            return ScrubProgress::Done(self.report.clone());
        };
        let (Item::Segment(path, ..) | Item::Checkpoint(path, _)) = &item;
        let mut read = 0;
        let outcome = loop {
            match self.step(&item, path, &mut read) {
                Ok(true) if read < STEP_BYTES => {}
                other => break other,
            }
        };
        self.report.bytes += read as u64;
        match outcome {
            Ok(true) => return ScrubProgress::Working,
            Ok(false) => self.report.files += 1,
            // It is no longer needed and gone.
            Err(Wrong::Io(error)) if error.kind() == ErrorKind::NotFound => {}
            Err(wrong) => {
                let offset = self.open.as_ref().map_or(0, |open| open.at);
                self.report.problems.push(wrong.at(path, offset));
                self.chain = None;
            }
        }
        self.open = None;
        self.files.pop_front();
        ScrubProgress::Working
    }

    /// One group, chunk, or part of one; `false` at the end of the file.
    fn step(&mut self, item: &Item, path: &Path, read: &mut usize) -> Result<bool, Wrong> {
        let open = match &mut self.open {
            Some(open) => open,
            none => {
                let file = self.disk.open(path)?;
                let len = file.byte_len()?;
                none.insert(Open {
                    file,
                    len,
                    at: 0,
                    part: Part::Start,
                })
            }
        };
        let mut source = Source {
            open,
            buffer: &mut self.buffer,
            read,
        };
        match item {
            Item::Segment(_, header, limit) => {
                source.segment(header, *limit, self.salt, &mut self.chain)
            }
            Item::Checkpoint(_, lsn) => source.checkpoint(*lsn, self.salt),
        }
    }
}

struct Source<'a> {
    open: &'a mut Open,
    buffer: &'a mut Vec<u8>,
    read: &'a mut usize,
}

impl Source<'_> {
    /// The next bytes, as far as there are any.
    fn fill(&mut self, wanted: u64) -> io::Result<()> {
        let len = wanted.min(self.open.len.saturating_sub(self.open.at)) as usize;
        self.buffer.resize(len, 0);
        self.open.file.read_at(self.open.at, self.buffer)?;
        *self.read += len;
        Ok(())
    }

    fn segment(
        &mut self,
        header: &SegmentHeader,
        limit: Lsn,
        salt: u64,
        chain: &mut Option<(u64, Chain)>,
    ) -> Result<bool, Wrong> {
        match self.open.part {
            Part::Start => {
                self.fill(SEGMENT_HEADER_BYTES as u64)?;
                if Beginning::decode(self.buffer) != Beginning::Header(*header) {
                    return Err(Wrong::Content("the header of the segment"));
                }
                let before = chain.filter(|(number, _)| number + 1 == header.number);
                if before.is_some_and(|(_, chain)| chain != header.chain) && header.version > 1 {
                    return Err(Wrong::Content("it follows another history"));
                }
                *chain = Some((header.number, header.chain));
                self.open.at = SEGMENT_HEADER_BYTES as u64;
                let next = header.first;
                self.open.part = Part::Between { next, chunk: 0 };
            }
            Part::Between { next, .. } => {
                self.fill(GROUP_HEADER_BYTES as u64)?;
                let group = GroupHeader::decode(self.buffer, salt);
                let is_mine = |group: &GroupHeader| {
                    group.first < limit || group.count == 0 && group.first <= limit
                };
                let Some(group) = group.filter(is_mine) else {
                    let is_whole = next == limit;
                    return is_whole.then_some(false).ok_or(Wrong::Content("a group"));
                };
                let held = chain.map_or(group.chain, |(_, chain)| chain);
                if group.first != next || header.version > 1 && group.chain != held {
                    return Err(Wrong::Content("a group of another history"));
                }
                *chain = Some((header.number, held.after(self.buffer, group.count)));
                self.open.at += GROUP_HEADER_BYTES as u64;
                self.open.part = Part::Body {
                    left: u64::from(group.records_len),
                    crc: 0,
                    wanted: group.records_crc,
                    next: group.end().map_err(|_| Wrong::Content("a group"))?,
                };
            }
            Part::Body {
                left,
                crc,
                wanted,
                next,
            } => {
                self.fill(left.min(STEP_BYTES as u64))?;
                let len = self.buffer.len() as u64;
                if len == 0 && left > 0 {
                    return Err(Wrong::Content("a group that ends with the file"));
                }
                let crc = crc32c::crc32c_append(crc, self.buffer);
                let left = left - len;
                if left == 0 && crc != wanted {
                    return Err(Wrong::Content("the records of a group"));
                }
                self.open.at += len;
                self.open.part = Part::Body {
                    left,
                    crc,
                    wanted,
                    next,
                };
                if left == 0 {
                    self.open.at = self.open.at.next_multiple_of(8);
                    self.open.part = Part::Between { next, chunk: 0 };
                }
            }
        }
        Ok(true)
    }

    fn checkpoint(&mut self, lsn: Lsn, salt: u64) -> Result<bool, Wrong> {
        let Part::Between { chunk, .. } = self.open.part else {
            self.fill(format::HEADER_BYTES as u64)?;
            let header = format::Header::decode(self.buffer).map_err(Wrong::Text)?;
            if header.lsn != lsn || header.salt != salt {
                return Err(Wrong::Content(
                    "it is not the checkpoint that its name says",
                ));
            }
            self.open.at = format::HEADER_BYTES as u64;
            self.open.part = Part::Between {
                next: lsn,
                chunk: 0,
            };
            return Ok(true);
        };
        self.fill(CHUNK_HEADER_BYTES as u64)?;
        let header = ChunkHeader::decode(self.buffer, salt);
        let Some((header, len)) = header.filter(|(header, _)| header.number == chunk) else {
            return Err(Wrong::Content("the header of a chunk"));
        };
        self.fill((CHUNK_HEADER_BYTES + len + 8) as u64)?;
        let Some((_, chunk_len)) = format::body(self.buffer, len) else {
            return Err(Wrong::Content("a chunk"));
        };
        self.open.at += chunk_len as u64;
        self.open.part = Part::Between {
            next: lsn,
            chunk: chunk + 1,
        };
        if header.kind != Kind::End {
            return Ok(true);
        }
        let is_end = self.open.at == self.open.len;
        let at_end = is_end.then_some(false);
        at_end.ok_or(Wrong::Content("something after its end"))
    }
}

#[derive(Debug)]
enum Wrong {
    Io(io::Error),
    Content(&'static str),
    Text(String),
}

impl From<io::Error> for Wrong {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Wrong {
    fn at(self, path: &Path, offset: u64) -> Problem {
        Problem {
            file: path.to_owned(),
            offset,
            detail: match self {
                Self::Io(error) => error.to_string(),
                Self::Content(text) => text.to_owned(),
                Self::Text(text) => text,
            },
        }
    }
}
