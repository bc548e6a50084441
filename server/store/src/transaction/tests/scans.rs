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
    Ordered {
        lower: Bound<Vec<u8>>,
        upper: Bound<Vec<u8>>,
        reverse: bool,
        last: Option<Vec<u8>>,
    },
    Unordered {
        filter: Option<Vec<u8>>,
        /// Rows that were there when the first chunk was read, by primary key; visited ones go.
        open: Option<BTreeMap<Vec<u8>, Vec<u8>>>,
        visited: BTreeSet<Vec<u8>>,
    },
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
            Kind::Ordered {
                lower,
                upper,
                reverse,
                last: None,
            }
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
            Kind::Unordered {
                filter,
                open: None,
                visited: BTreeSet::new(),
            }
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
        assert!(out.len() - 3 <= cap_bytes);
        let rows = unpack(&out[3..]);
        let oracle = &now[self.table];
        match &mut self.kind {
            Kind::Ordered {
                lower,
                upper,
                reverse,
                last,
            } => {
                let mut expected: Vec<_> = oracle
                    .in_order(&self.columns)
                    .into_iter()
                    .filter(|(key, row)| {
                        let is_ahead = last
                            .as_ref()
                            .is_none_or(|last| if *reverse { key < last } else { key > last });
                        is_ahead
                            && end != ScanChunk::RowTooLarge
                            && is_inside(oracle, &self.columns, lower, upper, row)
                    })
                    .collect();
                if *reverse {
                    expected.reverse();
                }
                let fits = rows.len();
                assert!(
                    rows.iter()
                        .eq(expected.iter().take(fits).map(|(_, row)| *row))
                );
                match end {
                    ScanChunk::Done => assert_eq!(fits, expected.len()),
                    ScanChunk::More => {
                        assert!(out.len() - 3 + 4 + expected[fits].1.len() > cap_bytes);
                        *last = Some(expected[fits - 1].0.clone());
                    }
                    ScanChunk::RowTooLarge => assert!(rows.is_empty()),
                }
                if end == ScanChunk::Done {
                    // From here on, nothing.
                    *upper = Bound::Excluded(Vec::new());
                }
            }
            Kind::Unordered {
                filter,
                open,
                visited,
            } => {
                let is_match = |row: &Vec<u8>| {
                    filter
                        .as_ref()
                        .is_none_or(|key| oracle.packed(row, &self.columns) == *key)
                };
                let there = oracle.rows.iter().filter(|(_, row)| is_match(row));
                let at_open = open.get_or_insert_with(|| {
                    there.map(|(key, row)| (key.clone(), row.clone())).collect()
                });
                for row in &rows {
                    let key = oracle.primary_key(row);
                    assert_eq!(oracle.rows.get(&key), Some(row), "a row is as it is now");
                    assert!(is_match(row));
                    assert!(
                        at_open.remove(&key).is_some(),
                        "it was there, and is seen once"
                    );
                    visited.insert(key);
                }
                match end {
                    ScanChunk::Done => {
                        // Who was missed has changed or gone.
                        for (key, row) in std::mem::take(at_open) {
                            assert_ne!(oracle.rows.get(&key), Some(&row));
                        }
                    }
                    ScanChunk::More => assert!(!rows.is_empty()),
                    ScanChunk::RowTooLarge => {
                        assert!(rows.is_empty());
                        if visited.is_empty() {
                            *open = None;
                        }
                    }
                }
            }
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
