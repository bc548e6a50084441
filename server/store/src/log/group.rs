//! Groups: what is written and synced as one.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | magic `SLGP` |
//! | 4 | 4 | crc32c of the log's salt and bytes 8 to 72 |
//! | 8 | 4 | length of the records |
//! | 12 | 4 | crc32c of the records |
//! | 16 | 8 | Lsn of its first transaction or publish; if it has none, the Lsn that comes next |
//! | 24 | 8 | durable Lsn when it was written: all up to it had been synced |
//! | 32 | 4 | number of its transactions and publishes |
//! | 36 | 4 | reserved, 0 |
//! | 40 | 32 | chain: SHA-256 of bytes 8 to 72 of the last group before with an Lsn in it; 0 if there is none |
//! | 72 | | records, then zeros to a multiple of 8 |
//!
//! The salt keeps a client from writing bytes into a row that pass for a group: recovery searches for
//! headers byte by byte when it must tell a torn tail from damage.
//!
//! The chain makes a group fit one history alone: what came before it cannot be swapped, lost or taken from a copy
//! that went on by itself. The hash covers the header, and with it the crc of the records: it costs the
//! same for a group of any size, and finds accidents, not forgers. In version 1 the chain is 0.

use sha2::{Digest, Sha256};
use syncline_protocol::{CodecError, Lsn};

/// Bytes of a group's header.
pub(crate) const GROUP_HEADER_BYTES: usize = 72;
/// Groups start at multiples of this.
pub(crate) const GROUP_ALIGN: usize = 8;

const MAGIC: [u8; 4] = *b"SLGP";

/// Hash of all that came before in a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chain(pub(crate) [u8; 32]);

impl Chain {
    /// What the next group holds, after one with this encoded header. Groups without an Lsn, which a
    /// recovery may have seen in the kernel's memory alone, are no part of it.
    #[must_use]
    pub(crate) fn after(self, header: &[u8], count: u32) -> Self {
        match header.get(8..GROUP_HEADER_BYTES) {
            Some(hashed) if count > 0 => Self(Sha256::digest(hashed).into()),
            _ => self,
        }
    }
}

/// Where a group belongs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Lsn of its first record that has one, or the Lsn that comes next.
    pub(crate) first: Lsn,
    /// Durable Lsn as it is written.
    pub(crate) durable: Lsn,
    /// Records with an Lsn.
    pub(crate) count: u32,
    /// Of the groups before.
    pub(crate) chain: Chain,
}

/// The header of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupHeader {
    pub(crate) records_len: u32,
    pub(crate) records_crc: u32,
    pub(crate) first: Lsn,
    pub(crate) durable: Lsn,
    pub(crate) count: u32,
    pub(crate) chain: Chain,
}

impl GroupHeader {
    /// Of these records.
    pub(crate) fn of(records: &[u8], place: Place) -> Self {
        let Place {
            first,
            durable,
            count,
            chain,
        } = place;
        // `LogWriter` cuts groups at the size of a segment, far below 4 GiB.
        let records_len = records.len() as u32;
        Self {
            records_len,
            records_crc: crc32c::crc32c(records),
            first,
            durable,
            count,
            chain,
        }
    }

    pub(crate) fn encode(&self, salt: u64) -> [u8; GROUP_HEADER_BYTES] {
        let mut bytes = [0; GROUP_HEADER_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&self.records_len.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.records_crc.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first.0.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.durable.0.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.count.to_le_bytes());
        bytes[40..72].copy_from_slice(&self.chain.0);
        let crc = crc_of_header(&bytes, salt);
        bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The header at the front of `bytes`; `None` if there is none, whole and with this salt.
    pub(crate) fn decode(bytes: &[u8], salt: u64) -> Option<Self> {
        let bytes: &[u8; GROUP_HEADER_BYTES] = bytes.first_chunk()?;
        let u32_at = |at: usize| Some(u32::from_le_bytes(*bytes[at..].first_chunk()?));
        let u64_at = |at: usize| Some(u64::from_le_bytes(*bytes[at..].first_chunk()?));
        if bytes[..4] != MAGIC || u32_at(4)? != crc_of_header(bytes, salt) {
            return None;
        }
        Some(Self {
            records_len: u32_at(8)?,
            records_crc: u32_at(12)?,
            first: Lsn(u64_at(16)?),
            durable: Lsn(u64_at(24)?),
            count: u32_at(32)?,
            chain: Chain(*bytes[40..].first_chunk()?),
        })
    }

    /// The records behind this header, which is at the front of `bytes`: `None` if they are not whole.
    pub(crate) fn records<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let end = GROUP_HEADER_BYTES.checked_add(self.records_len as usize)?;
        let records = bytes.get(GROUP_HEADER_BYTES..end)?;
        let padding = bytes.get(end..self.len()).unwrap_or(&bytes[end..]);
        let is_whole = crc32c::crc32c(records) == self.records_crc && is_blank(padding);
        is_whole.then_some(records)
    }

    /// Bytes of the group, with its padding.
    pub(crate) fn len(&self) -> usize {
        group_len(self.records_len as usize)
    }

    /// The Lsn after its last.
    pub(crate) fn end(&self) -> Result<Lsn, CodecError> {
        let end = self.first.0.checked_add(u64::from(self.count));
        end.map(Lsn).ok_or(CodecError::TooLong)
    }
}

/// Bytes of a group with that many bytes of records.
pub(crate) fn group_len(records_len: usize) -> usize {
    (GROUP_HEADER_BYTES + records_len).next_multiple_of(GROUP_ALIGN)
}

/// A whole group with its padding; returns the chain after it.
pub(crate) fn put_group(records: &[u8], place: Place, salt: u64, out: &mut Vec<u8>) -> Chain {
    debug_assert!(out.len().is_multiple_of(GROUP_ALIGN), "groups are aligned");
    let header = GroupHeader::of(records, place).encode(salt);
    out.extend_from_slice(&header);
    out.extend_from_slice(records);
    out.resize(out.len().next_multiple_of(GROUP_ALIGN), 0);
    place.chain.after(&header, place.count)
}

/// Whether all bytes are zero.
pub(crate) fn is_blank(bytes: &[u8]) -> bool {
    let (chunks, rest) = bytes.as_chunks::<16>();
    chunks.iter().all(|chunk| u128::from_ne_bytes(*chunk) == 0) && rest.iter().all(|&b| b == 0)
}

fn crc_of_header(bytes: &[u8; GROUP_HEADER_BYTES], salt: u64) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&salt.to_le_bytes()), &bytes[8..])
}
