//! Scans that stop when a buffer is full and go on later, whatever was written meanwhile.

use std::ops::Bound;

use syncline_protocol::abi::{BOUND_EXCLUDED, BOUND_INCLUDED, BOUND_NONE, SCAN_REVERSE};
use syncline_protocol::packed::Reader;
use syncline_protocol::{CodecError, TableId};

use crate::index::{KeyBuffer, KeyColumns, OrderedKey, advance};
use crate::pages::{PagesView, RowRef};
use crate::table::{IndexId, Table};

/// How far a scan has come. It borrows nothing and survives any change of the table.
///
/// A scan of an ordered index remembers the last key: it sees the rows that have greater keys (smaller
/// ones, in reverse) when it goes on, so a row whose key is moved ahead of the scan is seen again. A scan
/// of the whole table or of a hash key sees the rows that were there when its first chunk was filled, each
/// once, as they are now, unless they are gone.
#[derive(Debug)]
pub struct ScanPosition {
    table: TableId,
    state: State,
}

#[derive(Debug)]
enum State {
    /// What is left of an ordered index.
    Range {
        index: IndexId,
        lower: Bound<OrderedKey>,
        upper: Bound<OrderedKey>,
        reverse: bool,
    },
    /// All rows, or those with a packed key; nothing was read yet.
    Fresh(Option<Filter>),
    /// The rest of those.
    Started(Option<Filter>, Rest),
    Done,
}

#[derive(Clone, Debug)]
struct Filter {
    index: IndexId,
    packed_key: Box<[u8]>,
}

/// Rows that are still to be visited, and the pages in which they were when the scan began. While the
/// table has the same page, nothing in it has changed; else the row is looked up by its primary key.
#[derive(Debug)]
struct Rest {
    pages: PagesView,
    places: Places,
}

#[derive(Debug)]
enum Places {
    /// All from here on.
    From(RowRef),
    /// These, the next one last.
    List(Vec<RowRef>),
}

/// What [`crate::Transaction::scan_chunk`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanChunk {
    /// The scan is over.
    Done,
    /// There are more rows.
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
    /// A range, a prefix or the reverse order of an index that has no order.
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
        let columns = table.columns(index).ok_or(ScanError::NoIndex)?;
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
        let state = if table.is_ordered(index) {
            let lower = lower_key(table, columns, lower)?;
            let upper = upper_key(table, columns, upper)?;
            lower
                .zip(upper)
                .map_or(State::Done, |(lower, upper)| State::Range {
                    index,
                    lower,
                    upper,
                    reverse,
                })
        } else {
            match (lower, upper) {
                (Bound::Unbounded, Bound::Unbounded) if !reverse => State::Fresh(None),
                (Bound::Included(lower), Bound::Included(upper)) if lower == upper => {
                    let (_, count) = prefix(table, columns, lower)?;
                    if count < columns.columns().len() {
                        return Err(ScanError::NotOrdered);
                    }
                    State::Fresh(Some(Filter {
                        index,
                        packed_key: lower.into(),
                    }))
                }
                _ => return Err(ScanError::NotOrdered),
            }
        };
        Ok(Self {
            table: table.id(),
            state,
        })
    }

    /// Appends rows of the table it was opened on, each a u32 length and the row.
    pub(super) fn fill(&mut self, table: &Table, cap_bytes: usize, out: &mut Vec<u8>) -> ScanChunk {
        if table.id() != self.table {
            return ScanChunk::Done;
        }
        let mut chunk = Chunk {
            start: out.len(),
            cap_bytes,
            out,
        };
        let end = match &mut self.state {
            State::Range { .. } => self.fill_range(table, &mut chunk),
            State::Fresh(filter) => {
                let filter = filter.take();
                self.fill_fresh(table, filter, &mut chunk)
            }
            State::Started(filter, rest) => rest.fill(table, filter.as_ref(), &mut chunk),
            State::Done => ScanChunk::Done,
        };
        if end == ScanChunk::Done {
            self.state = State::Done;
        }
        end
    }

    fn fill_range(&mut self, table: &Table, chunk: &mut Chunk<'_>) -> ScanChunk {
        let State::Range {
            index,
            lower,
            upper,
            reverse,
        } = &mut self.state
        else {
            return ScanChunk::Done;
        };
        let Some(entries) = table.ordered(*index) else {
            return ScanChunk::Done;
        };
        let mut entries = entries.range(
            lower.as_ref().map(OrderedKey::as_slice),
            upper.as_ref().map(OrderedKey::as_slice),
        );
        let mut last = None;
        let end = loop {
            let next = if *reverse {
                entries.next_back()
            } else {
                entries.next()
            };
            let Some((key, at)) = next else {
                return ScanChunk::Done;
            };
            if !chunk.push(table.row(at)) {
                break chunk.full();
            }
            last = Some(key);
        };
        if let Some(last) = last {
            let bound = if *reverse { upper } else { lower };
            *bound = Bound::Excluded(last.clone());
        }
        end
    }

    fn fill_fresh(
        &mut self,
        table: &Table,
        filter: Option<Filter>,
        chunk: &mut Chunk<'_>,
    ) -> ScanChunk {
        let places = match &filter {
            None => {
                let mut rows = table.pages().places();
                let stop = rows.find(|(_, row)| !chunk.push(row));
                stop.map(|(at, _)| Places::From(at))
            }
            Some(filter) => {
                let mut places = table.matches(filter.index, &filter.packed_key);
                let stop = places.find(|&at| !chunk.push(table.row(at)));
                stop.map(|stop| {
                    let mut rest: Vec<_> = std::iter::once(stop).chain(places).collect();
                    rest.reverse();
                    Places::List(rest)
                })
            }
        };
        let Some(places) = places else {
            return ScanChunk::Done;
        };
        self.state = if chunk.is_empty() {
            State::Fresh(filter)
        } else {
            State::Started(
                filter,
                Rest {
                    pages: table.pages().clone(),
                    places,
                },
            )
        };
        chunk.full()
    }
}

impl Rest {
    fn fill(&mut self, table: &Table, filter: Option<&Filter>, chunk: &mut Chunk<'_>) -> ScanChunk {
        while let Some((at, then)) = self.places.peek(&self.pages) {
            let now = if self.pages.shares_page(table.pages(), at) {
                Some(then)
            } else {
                table.current(then).filter(|row| {
                    filter.is_none_or(|filter| table.has_key(row, filter.index, &filter.packed_key))
                })
            };
            if now.is_some_and(|row| !chunk.push(row)) {
                return chunk.full();
            }
            if !self.places.advance(at) {
                break;
            }
        }
        ScanChunk::Done
    }
}

impl Places {
    /// The next row and where it lies in the pages that the scan holds.
    fn peek<'a>(&self, pages: &'a PagesView) -> Option<(RowRef, &'a [u8])> {
        match self {
            Self::From(at) => pages.next_row(*at),
            Self::List(places) => {
                let at = *places.last()?;
                Some((at, pages.get(at)?))
            }
        }
    }

    /// Goes on after the row at `at`; `false` if it was the last that can be.
    fn advance(&mut self, at: RowRef) -> bool {
        match self {
            Self::From(from) => at.next().map(|next| *from = next).is_some(),
            Self::List(places) => places.pop().is_some(),
        }
    }
}

/// The part of a buffer that a chunk may fill.
struct Chunk<'a> {
    start: usize,
    cap_bytes: usize,
    out: &'a mut Vec<u8>,
}

impl Chunk<'_> {
    fn is_empty(&self) -> bool {
        self.out.len() == self.start
    }

    /// Appends a row if it fits.
    #[inline]
    fn push(&mut self, row: &[u8]) -> bool {
        if self.out.len() - self.start + 4 + row.len() > self.cap_bytes {
            return false;
        }
        self.out
            .extend_from_slice(&(row.len() as u32).to_le_bytes());
        self.out.extend_from_slice(row);
        true
    }

    /// What it means that a row did not fit.
    fn full(&self) -> ScanChunk {
        if self.is_empty() {
            ScanChunk::RowTooLarge
        } else {
            ScanChunk::More
        }
    }
}

fn read_bound<'a>(reader: &mut Reader<'a>) -> Result<Bound<&'a [u8]>, CodecError> {
    Ok(match reader.array::<1>()? {
        [BOUND_NONE] => Bound::Unbounded,
        [BOUND_INCLUDED] => Bound::Included(reader.sized()?),
        [BOUND_EXCLUDED] => Bound::Excluded(reader.sized()?),
        _ => return Err(CodecError::BadTag),
    })
}

/// Memcomparable form of packed values of the first columns, and how many they are.
fn prefix(
    table: &Table,
    columns: &KeyColumns,
    packed: &[u8],
) -> Result<(KeyBuffer, usize), CodecError> {
    let mut key = KeyBuffer::new();
    let count = columns.put_memcomparable_prefix(table.layout(), packed, &mut key)?;
    Ok((key, count))
}

/// The lower bound of full keys that a bound of prefixes means; `None` if no key is above it.
fn lower_key(
    table: &Table,
    columns: &KeyColumns,
    bound: Bound<&[u8]>,
) -> Result<Option<Bound<OrderedKey>>, CodecError> {
    Ok(match bound {
        Bound::Unbounded => Some(Bound::Unbounded),
        Bound::Included(packed) => {
            let (key, _) = prefix(table, columns, packed)?;
            Some(Bound::Included(key[..].into()))
        }
        Bound::Excluded(packed) => {
            let (mut key, _) = prefix(table, columns, packed)?;
            advance(&mut key).then(|| Bound::Included(key[..].into()))
        }
    })
}

/// The upper bound of full keys that a bound of prefixes means; `None` if no key is below it.
fn upper_key(
    table: &Table,
    columns: &KeyColumns,
    bound: Bound<&[u8]>,
) -> Result<Option<Bound<OrderedKey>>, CodecError> {
    Ok(match bound {
        Bound::Unbounded => Some(Bound::Unbounded),
        Bound::Included(packed) => {
            let (mut key, _) = prefix(table, columns, packed)?;
            let has_end = advance(&mut key);
            Some(if has_end {
                Bound::Excluded(key[..].into())
            } else {
                Bound::Unbounded
            })
        }
        Bound::Excluded(packed) => {
            let (key, _) = prefix(table, columns, packed)?;
            (!key.is_empty()).then(|| Bound::Excluded(key[..].into()))
        }
    })
}
