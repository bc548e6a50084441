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

use std::path::PathBuf;

use syncline_protocol::{Epoch, Lsn};

use super::error::OpenError;
use super::group::Chain;
use super::record::LoggedRecord;
use crate::disk::Disk;

mod begin;
mod evidence;
mod scan;
mod survey;

pub(crate) use begin::{Begin, begin_segment};
pub(crate) use survey::{Run, Survey, survey};

/// From where on a log is replayed, which is what is known already, and how far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Base {
    /// Everything up to it, which was durable.
    pub(crate) lsn: Lsn,
    /// The epochs up to it.
    pub(crate) epoch: Epoch,
    /// Transactions after it need not be read, and may be in any state; `None` for all of the log.
    pub(crate) enough: Option<Lsn>,
}

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
    /// Transactions and publishes that were shown.
    pub(crate) record_count: u64,
    /// Bytes of the groups that they are in.
    pub(crate) read_bytes: u64,
    /// Segments that hold some of the log.
    pub(crate) segment_count: usize,
    /// Bytes of a torn tail.
    pub(crate) torn_bytes: u64,
    /// Files without a part in the log, to be removed.
    leftovers: Vec<PathBuf>,
    /// Segments, and the length to cut them to.
    cuts: Vec<(PathBuf, u64)>,
}

impl Recovered {
    /// What there is to go on from where there is no log, but a checkpoint at `last`: as if the segment before
    /// the next had been dropped.
    pub(crate) fn after(last: Lsn) -> Self {
        Self {
            last,
            proven: last,
            next_number: 2,
            ..Self::of_nothing()
        }
    }

    fn of_nothing() -> Self {
        Self {
            last: Lsn::ZERO,
            proven: Lsn::ZERO,
            epoch: Epoch(0),
            salt: None,
            chain: Chain::default(),
            tail: Vec::new(),
            next_number: 1,
            record_count: 0,
            read_bytes: 0,
            segment_count: 0,
            torn_bytes: 0,
            leftovers: Vec::new(),
            cuts: Vec::new(),
        }
    }
}

/// Reads the log from `base` on and shows every record after it to `visit`, in order; what `visit` says is
/// wrong with one is damage. Changes nothing.
pub(crate) fn recover(
    disk: &dyn Disk,
    survey: Survey,
    base: Base,
    visit: &mut dyn FnMut(LoggedRecord<'_>) -> Result<(), String>,
) -> Result<Recovered, OpenError> {
    let Survey {
        found,
        headers,
        leftovers,
        missing,
    } = survey;
    if let (Some(first), Some(file)) = (headers.first(), missing)
        && first.first > base.lsn.next()
    {
        return Err(OpenError::Missing { file });
    }
    // Segments with nothing after the base are not even read.
    let needed = headers.iter().rposition(|header| header.first <= base.lsn);
    let start = needed.unwrap_or(0);
    let mut recovered = Recovered {
        last: headers.get(start).map_or(Lsn::ZERO, survey::before),
        proven: base.lsn,
        leftovers,
        ..Recovered::of_nothing()
    };
    let (used, unused) = found.split_at(headers.len());
    let mut scan = scan::Scan::new(&mut recovered, base, visit);
    for (index, (segment, header)) in used.iter().zip(&headers).enumerate().skip(start) {
        let limit = headers.get(index + 1).map(|next| next.first);
        if scan.is_of_interest(header.first) {
            scan.segment(disk, segment, header, limit)?;
        }
    }
    if !scan.has_enough() {
        scan.finish(disk, used, unused)?;
    }
    if let (Some(header), Some(last)) = (headers.last(), used.last()) {
        recovered.epoch = header.epoch;
        recovered.salt = Some(header.salt);
        recovered.next_number = header.number + 1;
        recovered.segment_count = headers.len();
        // Made ahead, and no group in it is proven: then its header is not either. All that is in it is in the
        // tail, so the new segment takes its number, and its name.
        if header.whole == 0 && recovered.proven < header.first {
            recovered.next_number = header.number;
            recovered.cuts.pop_if(|(path, _)| *path == last.path);
        }
    }
    let unused = unused.iter().map(|segment| segment.path.clone());
    recovered.leftovers.extend(unused);
    Ok(recovered)
}
