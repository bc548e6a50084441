//! Reading a checkpoint back.

use std::path::Path;
use std::sync::Arc;

use syncline_protocol::packed::Reader;
use syncline_protocol::{Epoch, Lsn, RowLayout, Type};

use super::format::{self, ChunkHeader, Header, Kind};
use crate::database::{Database, Recovery};
use crate::disk::{Disk, DiskFile};
use crate::log::varint;

/// Bytes that are read at once.
const READ_BYTES: usize = 4 << 20;

/// What a checkpoint says.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// With all rows; without secondary indexes.
    pub(crate) recovery: Recovery,
    pub(crate) lsn: Lsn,
    pub(crate) epoch: Epoch,
    pub(crate) time: i64,
    pub(crate) epochs: Vec<(Epoch, Lsn)>,
    pub(crate) bytes: u64,
}

/// Why a checkpoint is not used: where in the file, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unusable {
    pub(crate) offset: u64,
    pub(crate) detail: String,
}

/// Reads and verifies a checkpoint. It must be that of the Lsn that its name says, and of the log with
/// this salt if that is given.
pub(crate) fn load(
    disk: &dyn Disk,
    path: &Path,
    lsn: Lsn,
    salt: Option<u64>,
) -> Result<Loaded, Unusable> {
    let mut source = Source::open(disk, path)?;
    let header = source.header(lsn, salt)?;
    let (chunk, range) = source.chunk(header.salt)?;
    let described = match chunk.kind {
        Kind::Description => format::take_description(source.body(range)),
        _ => return Err(source.unusable("it does not begin with its description")),
    };
    let described = described.map_err(|error| source.unusable(error))?;
    let mut recovery = Recovery::new(Database::new(header.hash_seed));
    recovery
        .install(Arc::new(described.schema))
        .map_err(|error| source.unusable(error))?;
    for table in &described.tables {
        let rows = usize::try_from(table.rows).unwrap_or(usize::MAX);
        // No more than the file can hold, whatever it says.
        recovery.reserve(table.id, rows.min(source.rows_max()));
    }
    loop {
        let (chunk, range) = source.chunk(header.salt)?;
        match chunk.kind {
            Kind::Description => return Err(source.unusable("a second description")),
            Kind::Rows => {
                let loaded = load_rows(&mut recovery, &chunk, source.body(range));
                loaded.map_err(|detail| source.unusable(detail))?;
            }
            Kind::End => {
                let end = format::take_end(source.body(range));
                let (before, sums) = end.map_err(|error| source.unusable(error))?;
                if before != source.chunk_start || source.offset != source.len {
                    return Err(source.unusable("its end is not where it was"));
                }
                let checked = sums.check(recovery.database());
                checked.map_err(|table| {
                    source.unusable(format_args!("table {}: row sums differ", table.0))
                })?;
                break;
            }
        }
    }
    for table in &described.tables {
        recovery.set_auto_increment(table.id, table.mark);
    }
    Ok(Loaded {
        recovery,
        lsn: header.lsn,
        epoch: header.epoch,
        time: header.time,
        epochs: described.epochs,
        bytes: source.len,
    })
}

fn load_rows(recovery: &mut Recovery, chunk: &ChunkHeader, body: &[u8]) -> Result<(), String> {
    let table = recovery.database().table(chunk.table);
    let Some(table) = table else {
        return Err(format!(
            "rows of table {}, which is not there",
            chunk.table.0
        ));
    };
    let fixed = fixed_len(table.layout());
    let mut reader = Reader::new(body);
    for _ in 0..chunk.rows {
        let row = match fixed {
            Some(len) => reader.take(len),
            None => varint::take_sized(&mut reader),
        };
        let row = row.map_err(|error| error.to_string())?;
        let loaded = recovery.load(chunk.table, row);
        loaded.map_err(|error| error.to_string())?;
    }
    reader.finish().map_err(|error| error.to_string())
}

fn fixed_len(layout: &RowLayout) -> Option<usize> {
    layout.types().iter().map(Type::fixed_len).sum()
}

/// The file, some of it in memory.
struct Source {
    file: Box<dyn DiskFile>,
    len: u64,
    buffer: Vec<u8>,
    /// Offset in the file of the buffer's first byte.
    buffered_from: u64,
    /// Where the next chunk is.
    offset: u64,
    /// Where the last one was.
    chunk_start: u64,
    chunk_number: u32,
}

impl Source {
    fn open(disk: &dyn Disk, path: &Path) -> Result<Self, Unusable> {
        let failed = |error: std::io::Error| Unusable {
            offset: 0,
            detail: error.to_string(),
        };
        let file = disk.open(path).map_err(failed)?;
        let len = file.byte_len().map_err(failed)?;
        Ok(Self {
            file,
            len,
            buffer: Vec::new(),
            buffered_from: 0,
            offset: 0,
            chunk_start: 0,
            chunk_number: 0,
        })
    }

    fn unusable(&self, detail: impl std::fmt::Display) -> Unusable {
        Unusable {
            offset: self.chunk_start,
            detail: detail.to_string(),
        }
    }

    /// Rows have a byte at least.
    fn rows_max(&self) -> usize {
        usize::try_from(self.len).unwrap_or(usize::MAX)
    }

    fn header(&mut self, lsn: Lsn, salt: Option<u64>) -> Result<Header, Unusable> {
        let available = self.buffer(format::HEADER_BYTES)?;
        let header = Header::decode(available).map_err(|detail| self.unusable(detail))?;
        if header.lsn != lsn {
            return Err(self.unusable(format_args!("it is of lsn {}", header.lsn)));
        }
        if salt.is_some_and(|salt| salt != header.salt) {
            return Err(self.unusable("it is of another database"));
        }
        self.offset = format::HEADER_BYTES as u64;
        Ok(header)
    }

    /// At least `wanted` bytes from `offset` on, or all that are left.
    fn buffer(&mut self, wanted: usize) -> Result<&[u8], Unusable> {
        let start = (self.offset - self.buffered_from) as usize;
        let left = self.len - self.offset;
        if self.buffer.len() - start < wanted && ((self.buffer.len() - start) as u64) < left {
            let len = (wanted.max(READ_BYTES) as u64).min(left) as usize;
            self.buffer.resize(len, 0);
            let read = self.file.read_at(self.offset, &mut self.buffer);
            read.map_err(|error| self.unusable(error))?;
            self.buffered_from = self.offset;
            return Ok(&self.buffer);
        }
        Ok(&self.buffer[start..])
    }

    /// The next chunk, and where in the buffer its body is.
    fn chunk(&mut self, salt: u64) -> Result<(ChunkHeader, std::ops::Range<usize>), Unusable> {
        self.chunk_start = self.offset;
        let available = self.buffer(format::CHUNK_HEADER_BYTES)?;
        let Some((header, len)) = ChunkHeader::decode(available, salt) else {
            return Err(self.unusable("the header of a chunk"));
        };
        if header.number != self.chunk_number {
            return Err(self.unusable("a chunk in the place of another"));
        }
        let available = self.buffer(format::CHUNK_HEADER_BYTES + len + 8)?;
        let Some((_, chunk_len)) = format::body(available, len) else {
            return Err(self.unusable("a chunk"));
        };
        let start = (self.offset - self.buffered_from) as usize + format::CHUNK_HEADER_BYTES;
        self.offset += chunk_len as u64;
        self.chunk_number += 1;
        Ok((header, start..start + len))
    }

    fn body(&self, range: std::ops::Range<usize>) -> &[u8] {
        &self.buffer[range]
    }
}
