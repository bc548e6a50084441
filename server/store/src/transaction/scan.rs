//! Scans that stop when a buffer is full and go on later.

use std::ops::Bound;

use smallvec::SmallVec;
use syncline_protocol::abi::{BOUND_EXCLUDED, BOUND_INCLUDED, BOUND_NONE, SCAN_REVERSE};
use syncline_protocol::packed::Reader;
use syncline_protocol::{CodecError, key};

use crate::table::{IndexId, Table};

/// How far a scan has come. It borrows nothing and survives any change of the table.
#[derive(Debug)]
pub struct ScanPosition {
    what: What,
    skip: usize,
}

type Key = SmallVec<[u8; 24]>;

#[derive(Debug)]
enum What {
    All,
    Matching(IndexId, Key),
    Range {
        index: IndexId,
        lower: Bound<Key>,
        upper: Bound<Key>,
        reverse: bool,
    },
}

/// What [`crate::Transaction::scan_chunk`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanChunk {
    /// The scan is over.
    Done,
    /// There may be more rows.
    More,
    /// Not even the next row fits; nothing was appended and nothing is lost.
    RowTooLarge,
}

/// Why a scan was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// The table has no index of this number.
    #[error("the table has no such index")]
    NoIndex,
    /// A flag that is not known.
    #[error("unknown flags")]
    BadFlags,
    /// The bounds are malformed.
    #[error("the bounds are malformed: {0}")]
    BadBounds(#[from] CodecError),
    /// A range or prefix on an index that has no order.
    #[error("a scan of this index needs one value for every column")]
    NotOrdered,
}

impl ScanPosition {
    /// A scan from its beginning. Flags and bounds are those of `scan_open` in `protocol::abi`.
    pub fn open(
        table: &Table,
        index: IndexId,
        flags: u32,
        bounds: &[u8],
    ) -> Result<Self, ScanError> {
        let columns = table
            .def()
            .index_columns(usize::from(index.0))
            .ok_or(ScanError::NoIndex)?;
        if flags & !SCAN_REVERSE != 0 {
            return Err(ScanError::BadFlags);
        }
        let reverse = flags & SCAN_REVERSE != 0;
        let mut reader = Reader::new(bounds);
        let (lower, upper) = match bounds {
            [] => (Bound::Unbounded, Bound::Unbounded),
            _ => (read_bound(&mut reader)?, read_bound(&mut reader)?),
        };
        reader.finish()?;
        let what = if table.is_ordered(index) {
            let lower = match lower {
                Bound::Unbounded => Bound::Unbounded,
                Bound::Included(packed) => Bound::Included(prefix(table, columns, packed)?.0),
                Bound::Excluded(packed) => after(prefix(table, columns, packed)?.0),
            };
            let upper = match upper {
                Bound::Unbounded => Bound::Unbounded,
                Bound::Included(packed) => match after(prefix(table, columns, packed)?.0) {
                    Bound::Included(end) => Bound::Excluded(end),
                    other => other,
                },
                Bound::Excluded(packed) => Bound::Excluded(prefix(table, columns, packed)?.0),
            };
            What::Range {
                index,
                lower,
                upper,
                reverse,
            }
        } else {
            match (lower, upper) {
                (Bound::Unbounded, Bound::Unbounded) if !reverse => What::All,
                (Bound::Included(lower), Bound::Included(upper)) if lower == upper => {
                    if prefix(table, columns, lower)?.1 < columns.len() {
                        return Err(ScanError::NotOrdered);
                    }
                    What::Matching(index, lower.into())
                }
                _ => return Err(ScanError::NotOrdered),
            }
        };
        Ok(Self { what, skip: 0 })
    }

    pub(super) fn fill(&mut self, table: &Table, cap_bytes: usize, out: &mut Vec<u8>) -> ScanChunk {
        let rows = match &self.what {
            What::All => table.rows(),
            What::Matching(index, key) => table.matching(*index, key),
            What::Range {
                index,
                lower,
                upper,
                reverse,
            } => {
                let (lower, upper) = (
                    lower.as_ref().map(|k| k.as_slice()),
                    upper.as_ref().map(|k| k.as_slice()),
                );
                table.range(*index, lower, upper, *reverse)
            }
        };
        let start = out.len();
        for row in rows.skip(self.skip) {
            if out.len() - start + 4 + row.len() > cap_bytes {
                return if out.len() == start {
                    ScanChunk::RowTooLarge
                } else {
                    ScanChunk::More
                };
            }
            out.extend_from_slice(&(row.len() as u32).to_le_bytes());
            out.extend_from_slice(row);
            self.skip += 1;
        }
        ScanChunk::Done
    }
}

fn read_bound<'a>(reader: &mut Reader<'a>) -> Result<Bound<&'a [u8]>, ScanError> {
    Ok(match reader.array::<1>()? {
        [BOUND_NONE] => Bound::Unbounded,
        [BOUND_INCLUDED] => Bound::Included(reader.sized()?),
        [BOUND_EXCLUDED] => Bound::Excluded(reader.sized()?),
        _ => return Err(CodecError::BadTag.into()),
    })
}

/// Memcomparable form of packed values of the first columns, and how many they are.
fn prefix(table: &Table, columns: &[u16], packed: &[u8]) -> Result<(Key, usize), ScanError> {
    let mut out = Vec::new();
    let mut reader = Reader::new(packed);
    let mut count = 0;
    for &column in columns {
        if reader.rest().is_empty() {
            break;
        }
        let ty = &table.layout().types()[usize::from(column)];
        let mut value = Reader::new(reader.value(ty)?);
        key::encode(ty, &mut value, &mut out)?;
        count += 1;
    }
    reader.finish()?;
    Ok((out.into(), count))
}

/// A lower bound that leaves out all keys that start with `prefix`. A prefix of nothing but 0xff has
/// no key after it: then no key is in (no key is greater than itself and starts with it not).
fn after(prefix: Key) -> Bound<Key> {
    match key::prefix_end(&prefix) {
        Some(end) => Bound::Included(end.into()),
        None if prefix.is_empty() => Bound::Excluded(prefix),
        None => Bound::Unbounded,
    }
}
