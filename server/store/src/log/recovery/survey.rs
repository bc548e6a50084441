//! Which segments there are.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use syncline_protocol::Lsn;

use crate::disk::{Disk, NEW};
use crate::log::error::OpenError;
use crate::log::segment::{
    Beginning, LOG_VERSION, SEGMENT_HEADER_BYTES, SegmentHeader, segment_number, segment_path,
};

/// A segment as it is found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) number: u64,
    beginning: Beginning,
}

/// The segments in a folder, in order and without a gap: what lies before a gap is of no use.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    pub(super) found: Vec<Found>,
    /// Of the segments in use, which come first.
    pub(crate) headers: Vec<SegmentHeader>,
    /// Files that were never finished, and segments before a gap.
    pub(super) leftovers: Vec<PathBuf>,
    /// The segment that would close the last gap.
    pub(super) missing: Option<PathBuf>,
}

impl Survey {
    /// Of all segments.
    pub(crate) fn salt(&self) -> Option<u64> {
        self.headers.first().map(|header| header.salt)
    }

    /// Lsn before the first that the log can have.
    pub(crate) fn start(&self) -> Lsn {
        self.headers.first().map_or(Lsn::ZERO, before)
    }

    /// Lsn that comes first in each segment in use, and the bytes of its file.
    pub(crate) fn lens(&self, disk: &dyn Disk) -> io::Result<Vec<(Lsn, u64)>> {
        let used = self.headers.iter().zip(&self.found);
        used.map(|(header, found)| Ok((header.first, disk.open(&found.path)?.byte_len()?)))
            .collect()
    }

    /// The segment before the first, if that is not the first of all.
    pub(crate) fn missing(&self) -> Option<&Path> {
        self.missing.as_deref()
    }

    /// The segments in use with their headers.
    pub(crate) fn used(&self) -> impl ExactSizeIterator<Item = (&SegmentHeader, &Path)> {
        let used = self.headers.iter().zip(&self.found);
        used.map(|(header, found)| (header, found.path.as_path()))
    }

    /// The first segments, as far as nothing in them comes after `kept`, and one that is durable follows
    /// them: because it has something durable in it, or was so before it got its name.
    pub(crate) fn superfluous(&self, kept: Lsn) -> impl Iterator<Item = &Path> {
        let is_durable = move |next: &&SegmentHeader| {
            next.first <= kept || next.whole > 0 && next.first <= kept.next()
        };
        let count = self.headers.iter().skip(1).take_while(is_durable).count();
        self.found[..count].iter().map(|found| found.path.as_path())
    }
}

/// Which of the segments, if there is a gap between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    /// Those after the last gap: what a database goes on with.
    Last,
    /// Those before the first gap.
    First,
}

/// The Lsn before a segment's first.
pub(super) fn before(header: &SegmentHeader) -> Lsn {
    Lsn(header.first.0.saturating_sub(1))
}

/// Looks at the headers of all segments. No folder is no segments.
pub(crate) fn survey(disk: &dyn Disk, folder: &Path) -> Result<Survey, OpenError> {
    let mut survey = Survey::list(disk, folder, Run::Last)?;
    survey.read_headers()?;
    Ok(survey)
}

impl Survey {
    /// What there is after the last gap, headers not yet read; or before the first one.
    pub(crate) fn list(disk: &dyn Disk, folder: &Path, run: Run) -> Result<Self, OpenError> {
        let mut survey = Self::default();
        survey.find(disk, folder, run)?;
        Ok(survey)
    }

    /// Leaves out the first segment whose header is of no use, and all after it.
    pub(crate) fn keep_usable(&mut self) {
        while self.read_headers().is_err() && !self.found.is_empty() {
            self.headers.clear();
            self.found.pop();
        }
    }

    fn find(&mut self, disk: &dyn Disk, folder: &Path, run: Run) -> Result<(), OpenError> {
        let names = match disk.list(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            other => other.map_err(OpenError::io(folder))?,
        };
        let mut numbers = Vec::new();
        for name in names {
            let path = folder.join(&name);
            numbers.extend(segment_number(&name));
            if path.extension().is_some_and(|extension| extension == NEW) {
                self.leftovers.push(path);
            }
        }
        numbers.sort_unstable();
        let follows = |pair: &[u64]| pair[1] == pair[0] + 1;
        if run == Run::First
            && let Some(gap) = numbers.windows(2).position(|pair| !follows(pair))
        {
            numbers.truncate(gap + 1);
        }
        let gap = numbers.windows(2).rposition(|pair| !follows(pair));
        let start = gap.map_or(0, |gap| gap + 1);
        let first = numbers.get(start).copied().unwrap_or(1);
        if first > 1 {
            self.missing = Some(segment_path(folder, first - 1));
        }
        let path_of = |number: &u64| segment_path(folder, *number);
        self.leftovers.extend(numbers[..start].iter().map(path_of));
        for &number in &numbers[start..] {
            let path = segment_path(folder, number);
            let beginning = match read_beginning(disk, &path) {
                // One made ahead, given up while this looks.
                Err(error) if error.kind() == ErrorKind::NotFound => break,
                other => other.map_err(OpenError::io(&path))?,
            };
            self.found.push(Found {
                path,
                number,
                beginning,
            });
        }
        Ok(())
    }

    /// Headers of the segments in use: all up to the last that has one.
    fn read_headers(&mut self) -> Result<(), OpenError> {
        let has_header = |segment: &Found| matches!(segment.beginning, Beginning::Header(_));
        let used = self.found.iter().rposition(has_header);
        let used_count = used.map_or(0, |last| last + 1);
        for (index, segment) in self.found.iter().enumerate() {
            let damaged = |detail: &str| {
                Err(OpenError::Damaged {
                    file: segment.path.clone(),
                    offset: 0,
                    detail: detail.to_owned(),
                })
            };
            match segment.beginning {
                Beginning::Version(found) => {
                    let supported = LOG_VERSION;
                    return Err(OpenError::Version {
                        file: segment.path.clone(),
                        found,
                        supported,
                    });
                }
                // The first is begun by an open, as a whole, and the others have one after them.
                Beginning::Blank | Beginning::Bad if index == 0 || index < used_count => {
                    return match &self.missing {
                        Some(file) if index == 0 && segment.beginning == Beginning::Blank => {
                            Err(OpenError::Missing { file: file.clone() })
                        }
                        _ => damaged("the header of the segment"),
                    };
                }
                Beginning::Blank | Beginning::Bad => {}
                Beginning::Header(header) => {
                    let follows = self.headers.last().is_none_or(|last| {
                        last.first <= header.first
                            && last.epoch <= header.epoch
                            && last.salt == header.salt
                    });
                    if header.number != segment.number || !follows {
                        return damaged("the segment does not follow the one before");
                    }
                    self.headers.push(header);
                }
            }
        }
        Ok(())
    }
}

fn read_beginning(disk: &dyn Disk, path: &Path) -> io::Result<Beginning> {
    let file = disk.open(path)?;
    let len = file.byte_len()?.min(SEGMENT_HEADER_BYTES as u64);
    let mut bytes = vec![0; len as usize];
    file.read_at(0, &mut bytes)?;
    Ok(Beginning::decode(&bytes))
}
