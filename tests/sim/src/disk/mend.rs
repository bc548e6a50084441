//! The bug of a recovery that does not look at checksums, planted below it: on the way from the disk, the
//! checksum of every group is made to fit whatever its records are.

use crc32c::{crc32c, crc32c_append};

const MAGIC: &[u8] = b"SLGP";
const HEADER_BYTES: usize = 72;
const SALT: std::ops::Range<usize> = 48..56;

/// Gives each group of a segment the checksum of the bytes that are there (docs/commit-log.md).
pub(crate) fn mend_groups(segment: &mut [u8]) {
    let Some(salt) = segment.get(SALT).map(<[u8]>::to_vec) else {
        return;
    };
    let mut at = 128;
    while at + HEADER_BYTES <= segment.len() {
        let header = &segment[at..at + HEADER_BYTES];
        let len = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
        let end = at + HEADER_BYTES + len;
        if !header.starts_with(MAGIC) || end > segment.len() {
            at += 8;
            continue;
        }
        let records = crc32c(&segment[at + HEADER_BYTES..end]);
        segment[at + 12..at + 16].copy_from_slice(&records.to_le_bytes());
        let header = crc32c_append(crc32c(&salt), &segment[at + 8..at + HEADER_BYTES]);
        segment[at + 4..at + 8].copy_from_slice(&header.to_le_bytes());
        at = end.next_multiple_of(8);
    }
}
