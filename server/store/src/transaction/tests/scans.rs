//! A scan and what it must see.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use syncline_protocol::TableId;
use syncline_protocol::abi::{BOUND_EXCLUDED, BOUND_INCLUDED};
use syncline_protocol::packed::Reader;

use super::oracle::Oracle;
use crate::table::IndexId;
use crate::transaction::{ScanChunk, ScanPosition, Transaction};

pub(super) struct Scan {
    position: ScanPosition,
    id: TableId,
    table: usize,
    columns: Vec<u16>,
    kind: Kind,
}

enum Kind {
    Ordered(Ordered),
    Unordered(Unordered),
}

struct Ordered {
    lower: Bound<Vec<u8>>,
    upper: Bound<Vec<u8>>,
    reverse: bool,
    last: Option<Vec<u8>>,
}

#[derive(Default)]
struct Unordered {
    filter: Option<Vec<u8>>,
    /// Rows that were there when the first chunk was read, by primary key; visited ones go.
    open: Option<BTreeMap<Vec<u8>, Vec<u8>>>,
    /// Those of them that were as they are at every chunk since: they must be seen.
    owed: BTreeMap<Vec<u8>, Vec<u8>>,
    visited: BTreeSet<Vec<u8>>,
}

/// The rows of a chunk.
pub(super) fn unpack(chunk: &[u8]) -> Vec<Vec<u8>> {
    let mut reader = Reader::new(chunk);
    let mut rows = Vec::new();
    while !reader.rest().is_empty() {
        rows.push(reader.sized().unwrap().to_vec());
    }
    rows
}

/// A bound with a packed prefix, turned into values of as many columns.
fn read_bound(reader: &mut Reader<'_>) -> Bound<Vec<u8>> {
    match reader.array::<1>().unwrap() {
        [BOUND_INCLUDED] => Bound::Included(reader.sized().unwrap().to_vec()),
        [BOUND_EXCLUDED] => Bound::Excluded(reader.sized().unwrap().to_vec()),
        _ => Bound::Unbounded,
    }
}

impl Scan {
    /// Opens a scan; `None` if it is refused, as it must be.
    pub(super) fn open(
        tx: &Transaction,
        now: &[Oracle],
        id: TableId,
        table: usize,
        index: usize,
        flags: u32,
        bounds: &[u8],
    ) -> Option<Self> {
        let oracle = &now[table];
        let columns = oracle.def.index_columns(index).unwrap().to_vec();
        let live = tx.table(id).unwrap();
        let position = ScanPosition::open(live, IndexId(index as u16), flags, bounds);
        let mut reader = Reader::new(bounds);
        let (lower, upper) = match bounds {
            [] => (Bound::Unbounded, Bound::Unbounded),
            _ => (read_bound(&mut reader), read_bound(&mut reader)),
        };
        let reverse = flags == 1;
        let kind = if live.is_ordered(IndexId(index as u16)) {
            Kind::Ordered(Ordered {
                lower,
                upper,
                reverse,
                last: None,
            })
        } else {
            let filter = match (lower, upper) {
                (Bound::Unbounded, Bound::Unbounded) if !reverse => None,
                (Bound::Included(lower), Bound::Included(upper))
                    if lower == upper && covers(oracle, &columns, &lower) =>
                {
                    Some(canonical(oracle, &columns, &lower))
                }
                _ => {
                    assert!(position.is_err());
                    return None;
                }
            };
            Kind::Unordered(Unordered {
                filter,
                ..Unordered::default()
            })
        };
        Some(Self {
            position: position.unwrap(),
            id,
            table,
            columns,
            kind,
        })
    }

    /// Reads a chunk and checks it.
    pub(super) fn read(&mut self, tx: &Transaction, now: &[Oracle], cap_bytes: usize) {
        let mut out = vec![1, 2, 3];
        let end = tx.scan_chunk(self.id, &mut self.position, cap_bytes, &mut out);
        assert_eq!(&out[..3], [1, 2, 3]);
        let left = cap_bytes.checked_sub(out.len() - 3).unwrap();
        let rows = unpack(&out[3..]);
        match end {
            ScanChunk::Done => {}
            ScanChunk::More => assert!(!rows.is_empty()),
            ScanChunk::RowTooLarge => assert!(rows.is_empty()),
        }
        let oracle = &now[self.table];
        match &mut self.kind {
            Kind::Ordered(scan) => scan.check(oracle, &self.columns, &rows, end, left),
            Kind::Unordered(scan) => scan.check(oracle, &self.columns, &rows, end),
        }
    }
}

impl Ordered {
    /// The rows are the first of those that are ahead; `left` bytes were not enough for one more.
    fn check(
        &mut self,
        oracle: &Oracle,
        columns: &[u16],
        rows: &[Vec<u8>],
        end: ScanChunk,
        left: usize,
    ) {
        let is_ahead = |key: &Vec<u8>| {
            self.last
                .as_ref()
                .is_none_or(|last| if self.reverse { key < last } else { key > last })
        };
        let mut expected = oracle.in_order(columns);
        expected.retain(|(key, row)| {
            is_ahead(key) && is_inside(oracle, columns, &self.lower, &self.upper, row)
        });
        if self.reverse {
            expected.reverse();
        }
        assert!(
            rows.iter()
                .eq(expected.iter().take(rows.len()).map(|(_, row)| *row))
        );
        if end == ScanChunk::Done {
            assert_eq!(rows.len(), expected.len());
            // From here on, nothing.
            self.upper = Bound::Excluded(Vec::new());
            return;
        }
        assert!(4 + expected[rows.len()].1.len() > left);
        if let Some(last) = rows.len().checked_sub(1) {
            self.last = Some(expected[last].0.clone());
        }
    }
}

impl Unordered {
    /// Each row was there when the scan began, is as it is now, and is seen once; who was never
    /// changed is not missed.
    fn check(&mut self, oracle: &Oracle, columns: &[u16], rows: &[Vec<u8>], end: ScanChunk) {
        let is_match = |row: &Vec<u8>| {
            self.filter
                .as_ref()
                .is_none_or(|key| oracle.packed(row, columns) == *key)
        };
        let open = self.open.get_or_insert_with(|| {
            let there = oracle.rows.iter().filter(|(_, row)| is_match(row));
            self.owed = there.map(|(key, row)| (key.clone(), row.clone())).collect();
            self.owed.clone()
        });
        self.owed
            .retain(|key, row| oracle.rows.get(key) == Some(row));
        for row in rows {
            let key = oracle.primary_key(row);
            assert_eq!(oracle.rows.get(&key), Some(row));
            assert!(is_match(row) && open.remove(&key).is_some());
            self.owed.remove(&key);
            self.visited.insert(key);
        }
        if end == ScanChunk::Done {
            assert!(self.owed.is_empty());
            open.clear();
        } else if self.visited.is_empty() {
            // Nothing was read: the scan has not begun.
            self.open = None;
        }
    }
}

/// Whether packed bytes have a value for every column.
fn covers(oracle: &Oracle, columns: &[u16], packed: &[u8]) -> bool {
    let mut reader = Reader::new(packed);
    columns.iter().all(|&column| {
        reader
            .value(&oracle.layout.types()[usize::from(column)])
            .is_ok()
    })
}

fn canonical(oracle: &Oracle, columns: &[u16], packed: &[u8]) -> Vec<u8> {
    let mut key = packed.to_vec();
    let types = columns
        .iter()
        .map(|&column| &oracle.layout.types()[usize::from(column)]);
    syncline_protocol::packed::canonicalize(types, &mut key).unwrap();
    key
}

/// Whether a row lies between two bounds of packed prefixes.
fn is_inside(
    oracle: &Oracle,
    columns: &[u16],
    lower: &Bound<Vec<u8>>,
    upper: &Bound<Vec<u8>>,
    row: &[u8],
) -> bool {
    use std::cmp::Ordering::{Equal, Greater, Less};
    // How the first columns of the row compare with a prefix.
    let compare = |prefix: &[u8]| {
        let mut reader = Reader::new(prefix);
        let mut count = 0;
        let mut key = Vec::new();
        while !reader.rest().is_empty() {
            let ty = &oracle.layout.types()[usize::from(columns[count])];
            let bytes = canonical(oracle, &columns[count..=count], reader.value(ty).unwrap());
            syncline_protocol::key::encode(ty, &mut Reader::new(&bytes), &mut key).unwrap();
            count += 1;
        }
        oracle.memcomparable(row, &columns[..count]).cmp(&key)
    };
    let above = match lower {
        Bound::Unbounded => true,
        Bound::Included(prefix) => compare(prefix) != Less,
        Bound::Excluded(prefix) => compare(prefix) == Greater,
    };
    let below = match upper {
        Bound::Unbounded => true,
        Bound::Included(prefix) => matches!(compare(prefix), Less | Equal),
        Bound::Excluded(prefix) => compare(prefix) == Less,
    };
    above && below
}
