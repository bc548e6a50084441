//! Recovery: what the segments say, and a new segment to go on in.
//!
//! Groups are read in order. The first that is not whole ends the log if nothing says that it was
//! ever durable: then it is a **torn tail**, from a power cut, and is cut off. It is **damage** if
//!
//! - anything that is whole names a durable Lsn at or beyond the one that is expected there,
//! - the next segment starts beyond that Lsn, or
//! - it lies in the front of a segment that was durable before the segment got its name.
//!
//! Whole groups beyond every named durable Lsn, the **unproven tail**, may be in the kernel's memory
//! alone: after a failed sync it can call lost pages clean. They are written again, into the new segment,
//! whose header makes it take their place.

use std::path::{Path, PathBuf};

use syncline_protocol::{Epoch, Lsn};

use super::error::OpenError;
use super::group::Chain;
use super::record::LoggedRecord;
use super::segment::{Beginning, SegmentHeader, segment_number, segment_path};
use crate::disk::{Disk, NEW};

mod begin;
mod evidence;
mod scan;

pub(crate) use begin::begin_segment;

/// What the segments of a log say.
#[derive(Debug)]
pub(crate) struct Recovered {
    /// Lsn of the last record.
    pub(crate) last: Lsn,
    /// Last Lsn that something names as durable.
    pub(crate) proven: Lsn,
    /// Of the last segment; 0 if there is none.
    pub(crate) epoch: Epoch,
    /// Of all segments.
    pub(crate) salt: Option<u64>,
    /// Of all groups before the tail.
    pub(crate) chain: Chain,
    /// The groups after `proven`, as they are.
    pub(crate) tail: Vec<u8>,
    /// Number of the segment to begin.
    pub(crate) next_number: u64,
    /// Transactions and publishes.
    pub(crate) record_count: u64,
    /// Segments that hold some of the log.
    pub(crate) segment_count: usize,
    /// Bytes of a torn tail.
    pub(crate) torn_bytes: u64,
    /// Files without a part in the log, to be removed.
    leftovers: Vec<PathBuf>,
    /// Segments, and the length to cut them to.
    cuts: Vec<(PathBuf, u64)>,
}

/// A segment as it is found.
#[derive(Debug)]
struct Found {
    path: PathBuf,
    number: u64,
    beginning: Beginning,
}

/// Reads the log in `folder` and shows every record to `visit`, in order; what `visit` says is wrong with
/// one is damage. Changes nothing.
pub(crate) fn recover(
    disk: &dyn Disk,
    folder: &Path,
    visit: &mut dyn FnMut(LoggedRecord<'_>) -> Result<(), String>,
) -> Result<Recovered, OpenError> {
    let mut recovered = Recovered {
        last: Lsn::ZERO,
        proven: Lsn::ZERO,
        epoch: Epoch(0),
        salt: None,
        chain: Chain::default(),
        tail: Vec::new(),
        next_number: 1,
        record_count: 0,
        segment_count: 0,
        torn_bytes: 0,
        leftovers: Vec::new(),
        cuts: Vec::new(),
    };
    let found = find(disk, folder, &mut recovered.leftovers)?;
    let headers = used(&found)?;
    let (used, unused) = found.split_at(headers.len());
    let mut scan = scan::Scan::new(&mut recovered, visit);
    for (index, (segment, header)) in used.iter().zip(&headers).enumerate() {
        let limit = headers.get(index + 1).map(|next| next.first);
        scan.segment(disk, segment, header, limit)?;
    }
    scan.finish(disk, used, unused)?;
    if let Some(header) = headers.last() {
        recovered.epoch = header.epoch;
        recovered.salt = Some(header.salt);
        recovered.next_number = header.number + 1;
        recovered.segment_count = headers.len();
        // Made ahead, and no group in it is proven: then its header is not either. All that is in it is in the
        // tail, so the new segment takes its number, and its name.
        if header.whole == 0 && recovered.proven < header.first {
            recovered.next_number = header.number;
            recovered
                .cuts
                .pop_if(|(path, _)| *path == segment_path(folder, header.number));
        }
    }
    recovered
        .leftovers
        .extend(unused.iter().map(|segment| segment.path.clone()));
    Ok(recovered)
}

/// The segments in order, and the files that were never finished.
fn find(
    disk: &dyn Disk,
    folder: &Path,
    unfinished: &mut Vec<PathBuf>,
) -> Result<Vec<Found>, OpenError> {
    let mut numbers = Vec::new();
    for name in disk.list(folder).map_err(OpenError::io(folder))? {
        let path = folder.join(&name);
        numbers.extend(segment_number(&name));
        if path.extension().is_some_and(|extension| extension == NEW) {
            unfinished.push(path);
        }
    }
    let mut found = Vec::new();
    for (expected, &number) in (1..).zip(&numbers) {
        if number != expected {
            return Err(OpenError::Missing {
                file: segment_path(folder, expected),
            });
        }
        let path = segment_path(folder, number);
        let beginning = read_beginning(disk, &path).map_err(OpenError::io(&path))?;
        found.push(Found {
            path,
            number,
            beginning,
        });
    }
    Ok(found)
}

fn read_beginning(disk: &dyn Disk, path: &Path) -> std::io::Result<Beginning> {
    let file = disk.open(path)?;
    let len = file
        .byte_len()?
        .min(super::segment::SEGMENT_HEADER_BYTES as u64);
    let mut bytes = vec![0; len as usize];
    file.read_at(0, &mut bytes)?;
    Ok(Beginning::decode(&bytes))
}

/// Headers of the segments in use: all up to the last that has one.
fn used(found: &[Found]) -> Result<Vec<SegmentHeader>, OpenError> {
    let mut headers: Vec<SegmentHeader> = Vec::new();
    let has_header = |segment: &Found| matches!(segment.beginning, Beginning::Header(_));
    let used_count = found
        .iter()
        .rposition(has_header)
        .map_or(0, |last| last + 1);
    for (index, segment) in found.iter().enumerate() {
        let damaged = |detail: &str| {
            Err(OpenError::Damaged {
                file: segment.path.clone(),
                offset: 0,
                detail: detail.to_owned(),
            })
        };
        match segment.beginning {
            Beginning::Version(found) => {
                let supported = super::segment::LOG_VERSION;
                return Err(OpenError::Version {
                    file: segment.path.clone(),
                    found,
                    supported,
                });
            }
            // The first is begun by an open, as a whole, and the others have one after them.
            Beginning::Blank | Beginning::Bad if index == 0 || index < used_count => {
                return damaged("the header of the segment");
            }
            Beginning::Blank | Beginning::Bad => {}
            Beginning::Header(header) => {
                let follows = headers.last().is_none_or(|last| {
                    last.first <= header.first
                        && last.epoch <= header.epoch
                        && last.salt == header.salt
                });
                if header.number != segment.number || !follows {
                    return damaged("the segment does not follow the one before");
                }
                headers.push(header);
            }
        }
    }
    Ok(headers)
}
