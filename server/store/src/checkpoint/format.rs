//! What is in the file of a checkpoint.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic `SYNCKPT` and a line feed |
//! | 8 | 4 | version of the format, 1. Bytes 0 to 16, and what the crc covers, are the same in every version |
//! | 12 | 4 | crc32c of bytes 0 to 12 and 16 to 128 |
//! | 16 | 8 | Lsn: every transaction up to it is in, none after it |
//! | 24 | 8 | epoch in which it was taken |
//! | 32 | 8 | salt of the log |
//! | 40 | 8 | time of the record with this Lsn, or of the open after it |
//! | 48 | 8 | seed of the hash tables |
//! | 56 | 72 | reserved, 0 |
//! | 128 | | chunks |
//!
//! Chunks start at multiples of 8:
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | magic `SLCK` |
//! | 4 | 4 | crc32c of the salt and bytes 8 to 32 |
//! | 8 | 4 | length of the body |
//! | 12 | 4 | crc32c of the body |
//! | 16 | 4 | number of the chunk, from 0 |
//! | 20 | 4 | kind |
//! | 24 | 4 | table id; 0 if the chunk is of no table |
//! | 28 | 4 | number of rows in it |
//! | 32 | | body, then zeros to a multiple of 8 |
//!
//! | kind | body |
//! |---|---|
//! | 1 description, the first chunk | varint count, that many epochs: u64 epoch, u64 Lsn it started after; u8 1 and 32 module hash, or u8 0; varint next table id; varint count, that many varint table ids; sized schema ([`schema_codec`]); varint count, that many tables by id, the system's among them: varint id, varint rows, varint auto_increment mark |
//! | 2 rows | rows in page order, one after the other: each as it is if all rows of the table have one length, else a varint length before it |
//! | 3 end, the last chunk | u64 bytes of the file before this chunk; [`sums`] of all tables |
//!
//! Chunks of a table follow each other, tables in the order of their ids. The file is whole if it ends with
//! its end chunk, and right if the rows have the sums that the end chunk says.

use syncline_protocol::packed::Reader;
use syncline_protocol::{CodecError, Epoch, Lsn, TableId, schema_codec};

use crate::log::group::is_blank;
use crate::log::record::sums;
use crate::log::varint;
use crate::schema::DatabaseSchema;
use crate::view::ReadView;

/// Version of the format.
pub(crate) const CHECKPOINT_VERSION: u32 = 1;
/// Bytes of the header of the file.
pub(crate) const HEADER_BYTES: usize = 128;
/// Bytes of the header of a chunk.
pub(crate) const CHUNK_HEADER_BYTES: usize = 32;

const MAGIC: [u8; 8] = *b"SYNCKPT\n";
const CHUNK_MAGIC: [u8; 4] = *b"SLCK";
const ALIGN: usize = 8;

/// The header of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) lsn: Lsn,
    pub(crate) epoch: Epoch,
    pub(crate) salt: u64,
    pub(crate) time: i64,
    pub(crate) hash_seed: u64,
}

impl Header {
    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&CHECKPOINT_VERSION.to_le_bytes());
        let fields = [
            self.lsn.0,
            self.epoch.0,
            self.salt,
            self.time.cast_unsigned(),
            self.hash_seed,
        ];
        for (at, field) in (16..).step_by(8).zip(fields) {
            bytes[at..at + 8].copy_from_slice(&field.to_le_bytes());
        }
        let crc = crc_of_header(&bytes);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The header at the front, or what is there instead.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, String> {
        let bytes: &[u8; HEADER_BYTES] = bytes.first_chunk().ok_or("it ends in its header")?;
        let u64_at = |at: usize| u64_at(bytes, at);
        if bytes[..8] != MAGIC || u32_at(bytes, 12) != crc_of_header(bytes) {
            return Err("its header".to_owned());
        }
        let version = u32_at(bytes, 8);
        if version != CHECKPOINT_VERSION {
            return Err(format!(
                "version {version}, this build reads {CHECKPOINT_VERSION}"
            ));
        }
        Ok(Self {
            lsn: Lsn(u64_at(16)),
            epoch: Epoch(u64_at(24)),
            salt: u64_at(32),
            time: u64_at(40).cast_signed(),
            hash_seed: u64_at(48),
        })
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let field = bytes.get(at..).and_then(<[u8]>::first_chunk);
    field.map_or(0, |field| u32::from_le_bytes(*field))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let field = bytes.get(at..).and_then(<[u8]>::first_chunk);
    field.map_or(0, |field| u64::from_le_bytes(*field))
}

fn crc_of_header(bytes: &[u8; HEADER_BYTES]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..])
}

/// What a chunk is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Description = 1,
    Rows = 2,
    End = 3,
}

/// The header of a chunk, but for what follows from the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkHeader {
    pub(crate) number: u32,
    pub(crate) kind: Kind,
    pub(crate) table: TableId,
    pub(crate) rows: u32,
}

impl ChunkHeader {
    /// Finishes a chunk whose body stands behind room for a header: fills that in, and pads the end.
    pub(crate) fn finish(&self, salt: u64, chunk: &mut Vec<u8>) {
        let body = &chunk[CHUNK_HEADER_BYTES..];
        // Chunks are cut far below 4 GiB.
        let fields = [
            body.len() as u32,
            crc32c::crc32c(body),
            self.number,
            self.kind as u32,
            self.table.0,
            self.rows,
        ];
        chunk[..4].copy_from_slice(&CHUNK_MAGIC);
        for (at, field) in (8..).step_by(4).zip(fields) {
            chunk[at..at + 4].copy_from_slice(&field.to_le_bytes());
        }
        let crc = crc_of_chunk(&chunk[..CHUNK_HEADER_BYTES], salt);
        chunk[4..8].copy_from_slice(&crc.to_le_bytes());
        chunk.resize(chunk.len().next_multiple_of(ALIGN), 0);
    }

    /// The header at the front and the length of the body; `None` if it is not one, whole.
    pub(crate) fn decode(bytes: &[u8], salt: u64) -> Option<(Self, usize)> {
        let bytes = bytes.get(..CHUNK_HEADER_BYTES)?;
        if bytes[..4] != CHUNK_MAGIC || u32_at(bytes, 4) != crc_of_chunk(bytes, salt) {
            return None;
        }
        let kind = match u32_at(bytes, 20) {
            1 => Kind::Description,
            2 => Kind::Rows,
            3 => Kind::End,
            _ => return None,
        };
        let header = Self {
            number: u32_at(bytes, 16),
            kind,
            table: TableId(u32_at(bytes, 24)),
            rows: u32_at(bytes, 28),
        };
        Some((header, u32_at(bytes, 8) as usize))
    }
}

/// The body behind the header of a chunk at the front of `bytes`, and the bytes of the whole chunk;
/// `None` if it is not whole.
pub(crate) fn body(bytes: &[u8], len: usize) -> Option<(&[u8], usize)> {
    let end = CHUNK_HEADER_BYTES.checked_add(len)?;
    let body = bytes.get(CHUNK_HEADER_BYTES..end)?;
    let padded = end.next_multiple_of(ALIGN);
    let padding = bytes.get(end..padded)?;
    let is_whole = u32_at(bytes, 12) == crc32c::crc32c(body) && is_blank(padding);
    is_whole.then_some((body, padded))
}

fn crc_of_chunk(bytes: &[u8], salt: u64) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&salt.to_le_bytes()), &bytes[8..])
}

/// A table as the description has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DescribedTable {
    pub(crate) id: TableId,
    pub(crate) rows: u64,
    pub(crate) mark: u128,
}

/// Everything but the rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Description {
    pub(crate) epochs: Vec<(Epoch, Lsn)>,
    pub(crate) schema: DatabaseSchema,
    pub(crate) tables: Vec<DescribedTable>,
}

/// Appends the description of what a view shows.
pub(crate) fn put_description(epochs: &[(Epoch, Lsn)], view: &ReadView, out: &mut Vec<u8>) {
    varint::put(epochs.len() as u128, out);
    for (epoch, start) in epochs {
        out.extend_from_slice(&epoch.0.to_le_bytes());
        out.extend_from_slice(&start.0.to_le_bytes());
    }
    let schema = view.schema();
    out.push(u8::from(schema.module_hash.is_some()));
    out.extend_from_slice(
        schema
            .module_hash
            .as_ref()
            .map_or(&[], <[u8; 32]>::as_slice),
    );
    varint::put(u128::from(schema.next_table_id), out);
    varint::put(schema.table_ids.len() as u128, out);
    for id in &schema.table_ids {
        varint::put(u128::from(id.0), out);
    }
    varint::put_sized(&schema_codec::encode(&schema.module), out);
    varint::put(view.table_ids().len() as u128, out);
    for id in view.table_ids() {
        varint::put(u128::from(id.0), out);
        varint::put(view.len(id) as u128, out);
        varint::put(view.auto_increment(id), out);
    }
}

/// Reads a count of things that have at least one byte each.
fn take_count(reader: &mut Reader<'_>) -> Result<usize, CodecError> {
    let count = varint::take_u32(reader)? as usize;
    if count > reader.rest().len() {
        return Err(CodecError::TooLong);
    }
    Ok(count)
}

/// Reads a description.
pub(crate) fn take_description(body: &[u8]) -> Result<Description, CodecError> {
    let mut reader = Reader::new(body);
    let reader = &mut reader;
    let mut epochs = Vec::new();
    for _ in 0..take_count(reader)? {
        let epoch = Epoch(u64::from_le_bytes(reader.array()?));
        epochs.push((epoch, Lsn(u64::from_le_bytes(reader.array()?))));
    }
    let module_hash = match reader.array()? {
        [0] => None,
        [1] => Some(reader.array()?),
        _ => return Err(CodecError::BadTag),
    };
    let next_table_id = varint::take_u32(reader)?;
    let count = take_count(reader)?;
    let ids = (0..count).map(|_| varint::take_u32(reader).map(TableId));
    let table_ids = ids.collect::<Result<_, _>>()?;
    let module = schema_codec::decode(varint::take_sized(reader)?)?;
    let mut tables = Vec::new();
    for _ in 0..take_count(reader)? {
        tables.push(DescribedTable {
            id: TableId(varint::take_u32(reader)?),
            rows: varint::take_u64(reader)?,
            mark: varint::take(reader)?,
        });
    }
    reader.finish()?;
    let schema = DatabaseSchema {
        module,
        table_ids,
        next_table_id,
        module_hash,
    };
    Ok(Description {
        epochs,
        schema,
        tables,
    })
}

/// Appends the body of the end chunk.
pub(crate) fn put_end(
    bytes_before: u64,
    all: impl ExactSizeIterator<Item = sums::RowSum>,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(&bytes_before.to_le_bytes());
    sums::put(all, out);
}

/// Reads the body of the end chunk.
pub(crate) fn take_end(body: &[u8]) -> Result<(u64, sums::RowSums<'_>), CodecError> {
    let mut reader = Reader::new(body);
    let bytes_before = u64::from_le_bytes(reader.array()?);
    let all = sums::take(&mut reader)?;
    reader.finish()?;
    Ok((bytes_before, all))
}
