//! The groups of a segment (docs/commit-log.md), and bugs of a recovery that are planted below it, on the way from the
//! disk: the checksum of every group is made to fit whatever its records are, or the log ends before the first bad one.

use crc32c::{crc32c, crc32c_append};

const MAGIC: &[u8] = b"SLGP";
const SEGMENT_HEADER_BYTES: usize = 128;
const HEADER_BYTES: usize = 72;
const SALT: std::ops::Range<usize> = 48..56;

/// A group, by the lengths that stand there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Lsn of its first transaction.
    pub(crate) first: u64,
    /// How many there are.
    pub(crate) count: u32,
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let found = bytes[at..].first_chunk();
    *found.expect("a header is that long")
}

/// The groups of a segment, in order.
pub(crate) fn groups(segment: &[u8]) -> Vec<Group> {
    let mut at = SEGMENT_HEADER_BYTES;
    let mut groups = Vec::new();
    while at + HEADER_BYTES <= segment.len() {
        let header = &segment[at..at + HEADER_BYTES];
        let len = u32::from_le_bytes(number(header, 8)) as usize;
        let end = at + HEADER_BYTES + len;
        if !header.starts_with(MAGIC) || end > segment.len() {
            at += 8;
            continue;
        }
        groups.push(Group {
            start: at,
            end,
            first: u64::from_le_bytes(number(header, 16)),
            count: u32::from_le_bytes(number(header, 32)),
        });
        at = end.next_multiple_of(8);
    }
    groups
}

/// The two checksums that a group must have.
fn checksums(segment: &[u8], group: Group) -> ([u8; 4], [u8; 4]) {
    let records = crc32c(&segment[group.start + HEADER_BYTES..group.end]).to_le_bytes();
    let hashed = &segment[group.start + 8..group.start + HEADER_BYTES];
    let header = [&hashed[..4], &records, &hashed[8..]].concat();
    let header = crc32c_append(crc32c(&segment[SALT]), &header);
    (header.to_le_bytes(), records)
}

/// Gives each group the checksums of the bytes that are there.
pub(crate) fn mend_groups(segment: &mut [u8]) {
    for group in groups(segment) {
        let (header, records) = checksums(segment, group);
        segment[group.start + 12..group.start + 16].copy_from_slice(&records);
        segment[group.start + 4..group.start + 8].copy_from_slice(&header);
    }
}

/// Leaves nothing of the first group whose checksums do not fit, nor of what comes after it.
pub(crate) fn cut_groups(segment: &mut [u8]) {
    let bad = groups(segment).into_iter().find(|group| {
        let (header, records) = checksums(segment, *group);
        let at = group.start;
        segment[at + 4..at + 8] != header || segment[at + 12..at + 16] != records
    });
    if let Some(group) = bad {
        segment[group.start..].fill(0);
    }
}
