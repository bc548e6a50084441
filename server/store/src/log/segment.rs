//! Segments: the files of the log.
//!
//! A segment is named by its number in ten digits and `.log`; the numbers count up from 1 without a
//! gap. It is filled with zeros before its first use, so that a commit changes bytes and no metadata.
//! A header of zeros is that of a segment not used yet.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic `SYNCLOG` and a line feed |
//! | 8 | 4 | version of the format, 2. Bytes 0 to 16, and what the crc covers, are the same in every version |
//! | 12 | 4 | crc32c of bytes 0 to 12 and 16 to 128 |
//! | 16 | 8 | number of the segment |
//! | 24 | 8 | Lsn that comes first in it: it takes the place of what earlier segments have from it on |
//! | 32 | 8 | durable Lsn when it was begun |
//! | 40 | 8 | epoch |
//! | 48 | 8 | salt of the log, the same in every segment |
//! | 56 | 8 | bytes at its front that were durable before it got its name: a segment that an open begins is written whole, one made ahead has 0 |
//! | 64 | 32 | chain before its first group ([`super::group`]); 0 in version 1 |
//! | 96 | 32 | reserved, 0 |
//! | 128 | | groups ([`super::group`]), then zeros, or the end of the file |
//!
//! Version 1 is read as well: it has no chain and no row sums. A database of version 1 goes on in segments
//! of version 2 from its next open on, and a release that knows version 1 alone refuses it from then on.

use std::path::{Path, PathBuf};

use syncline_protocol::{Epoch, Lsn};

use super::group::{Chain, GROUP_ALIGN, is_blank};
use crate::disk::DiskFile;

/// Version of the log's format: what is written.
pub const LOG_VERSION: u32 = 2;
/// The oldest version that is read.
pub(crate) const LOG_VERSION_MIN: u32 = 1;
/// Bytes of a segment's header.
pub(crate) const SEGMENT_HEADER_BYTES: usize = 128;

const MAGIC: [u8; 8] = *b"SYNCLOG\n";
const EXTENSION: &str = ".log";

const _: () = assert!(
    SEGMENT_HEADER_BYTES.is_multiple_of(GROUP_ALIGN),
    "groups are aligned"
);

/// The header of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) number: u64,
    pub(crate) first: Lsn,
    pub(crate) durable: Lsn,
    pub(crate) epoch: Epoch,
    pub(crate) salt: u64,
    pub(crate) whole: u64,
    pub(crate) chain: Chain,
    /// Of the format; [`Self::encode`] writes [`LOG_VERSION`].
    pub(crate) version: u32,
}

/// The segment that groups go to.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) file: Box<dyn DiskFile>,
    pub(crate) number: u64,
    pub(crate) epoch: Epoch,
    pub(crate) salt: u64,
    /// Of the groups so far.
    pub(crate) chain: Chain,
    pub(crate) len: u64,
    /// Where the next group goes.
    pub(crate) position: u64,
}

/// What the beginning of a segment turns out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beginning {
    Header(SegmentHeader),
    /// Zeros, or fewer bytes than a header has: not used yet.
    Blank,
    /// A whole header of another version.
    Version(u32),
    /// Anything else.
    Bad,
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&LOG_VERSION.to_le_bytes());
        let (first, durable) = (self.first.0, self.durable.0);
        let fields = [
            self.number,
            first,
            durable,
            self.epoch.0,
            self.salt,
            self.whole,
        ];
        for (at, field) in (16..).step_by(8).zip(fields) {
            bytes[at..at + 8].copy_from_slice(&field.to_le_bytes());
        }
        bytes[64..96].copy_from_slice(&self.chain.0);
        let crc = crc_of_header(&bytes);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        bytes
    }
}

impl Beginning {
    /// Of a segment that starts with `bytes`.
    pub(crate) fn decode(bytes: &[u8]) -> Self {
        let Some(bytes) = bytes.first_chunk::<SEGMENT_HEADER_BYTES>() else {
            return if is_blank(bytes) {
                Self::Blank
            } else {
                Self::Bad
            };
        };
        if is_blank(bytes) {
            return Self::Blank;
        }
        let u32_at = |at: usize| {
            bytes[at..]
                .first_chunk()
                .map_or(0, |b| u32::from_le_bytes(*b))
        };
        let u64_at = |at: usize| {
            bytes[at..]
                .first_chunk()
                .map_or(0, |b| u64::from_le_bytes(*b))
        };
        if bytes[..8] != MAGIC || u32_at(12) != crc_of_header(bytes) {
            return Self::Bad;
        }
        let version = u32_at(8);
        if !(LOG_VERSION_MIN..=LOG_VERSION).contains(&version) {
            return Self::Version(version);
        }
        Self::Header(SegmentHeader {
            number: u64_at(16),
            first: Lsn(u64_at(24)),
            durable: Lsn(u64_at(32)),
            epoch: Epoch(u64_at(40)),
            salt: u64_at(48),
            whole: u64_at(56),
            chain: Chain(bytes[64..].first_chunk().copied().unwrap_or_default()),
            version,
        })
    }
}

fn crc_of_header(bytes: &[u8; SEGMENT_HEADER_BYTES]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..])
}

/// The file of a segment.
pub(crate) fn segment_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:010}{EXTENSION}"))
}

/// The number of the segment with this file name; `None` if it is the name of something else.
pub(crate) fn segment_number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(EXTENSION)?;
    let is_plain = digits.len() >= 10 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = is_plain.then(|| digits.parse().ok())??;
    (segment_path(Path::new(""), number) == Path::new(name)).then_some(number)
}
