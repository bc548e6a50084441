//! Tables in memory with the behaviour of the host functions: sorted maps, and indexes by looking at
//! every row. For tests, where clarity beats speed.

use core::cmp::Ordering;
use core::ops::Range;
use std::collections::BTreeMap;

use syncline_protocol::packed::Reader;
use syncline_protocol::{RowLayout, Schema, TableDef, Type, abi, key};

use crate::level::Level;

const LEVELS: [Level; 5] = [
    Level::Error,
    Level::Warn,
    Level::Info,
    Level::Debug,
    Level::Trace,
];

/// All tables of a module.
#[derive(Clone, Debug)]
pub(crate) struct Tables {
    all: Vec<Table>,
    /// What is left of each open scan; the cursor is the position + 1.
    cursors: Vec<Vec<Vec<u8>>>,
    pub(crate) log: Vec<(Level, String)>,
}

#[derive(Clone, Debug)]
struct Table {
    def: TableDef,
    layout: RowLayout,
    /// By the memcomparable primary key.
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The highest auto-increment value so far.
    assigned: u128,
}

/// A bound of a scan: its kind and the memcomparable key.
struct Bound {
    kind: u8,
    key: Vec<u8>,
}

impl Tables {
    pub(crate) fn new(schema: &Schema) -> Self {
        let table = |def: &TableDef| Table {
            def: def.clone(),
            layout: def.layout(),
            rows: BTreeMap::new(),
            assigned: 0,
        };
        let all = schema.tables.iter().map(table).collect();
        Self {
            all,
            cursors: Vec::new(),
            log: Vec::new(),
        }
    }

    fn table(&mut self, number: u32) -> &mut Table {
        self.all
            .get_mut(number as usize)
            .expect("a table of the schema")
    }

    pub(crate) fn find(&mut self, table: u32, index: u32, key: &[u8], out: &mut [u8]) -> i64 {
        let table = self.table(table);
        let key = table.comparable(index, key);
        let Some(row) = table.with_key(index, &key) else {
            return abi::STATUS_NOT_FOUND;
        };
        if let Some(out) = out.get_mut(..row.len()) {
            out.copy_from_slice(row);
        }
        row.len() as i64
    }

    pub(crate) fn insert(&mut self, table: u32, row: &[u8], assigned: &mut [u8; 16]) -> i64 {
        let table = self.table(table);
        let mut row = row.to_vec();
        table
            .layout
            .canonicalize(&mut row)
            .expect("the SDK packs rows of the table");
        let filled = match table.fill(&mut row, assigned) {
            Ok(filled) => filled,
            Err(status) => return status,
        };
        let key = table.key_of(0, &row);
        if table.rows.contains_key(&key) || table.takes_unique_key(&row, None) {
            return abi::STATUS_UNIQUE;
        }
        table.raise(&row);
        table.rows.insert(key, row);
        filled.map_or(0, |len| len as i64)
    }

    pub(crate) fn update(&mut self, table: u32, row: &[u8]) -> i64 {
        let table = self.table(table);
        let mut row = row.to_vec();
        table
            .layout
            .canonicalize(&mut row)
            .expect("the SDK packs rows of the table");
        let key = table.key_of(0, &row);
        if !table.rows.contains_key(&key) {
            return abi::STATUS_NOT_FOUND;
        }
        if table.takes_unique_key(&row, Some(&key)) {
            return abi::STATUS_UNIQUE;
        }
        table.raise(&row);
        table.rows.insert(key, row);
        0
    }

    pub(crate) fn delete(&mut self, table: u32, key: &[u8]) -> i64 {
        let table = self.table(table);
        let key = table.comparable(0, key);
        i64::from(table.rows.remove(&key).is_some())
    }

    pub(crate) fn count(&mut self, table: u32) -> i64 {
        self.table(table).rows.len() as i64
    }

    pub(crate) fn scan_open(
        &mut self,
        table: u32,
        index: u32,
        flags: u32,
        bounds: &[u8],
        out: &mut [u8],
    ) -> i64 {
        let table = self.table(table);
        let bounds = table.bounds(index, bounds);
        let mut rows: Vec<_> = table
            .rows
            .iter()
            .map(|(primary, row)| ((table.key_of(index, row), primary), row))
            .filter(|((key, _), _)| bounds.as_ref().is_none_or(|bounds| within(key, bounds)))
            .collect();
        rows.sort();
        let mut rows: Vec<_> = rows.into_iter().map(|(_, row)| row.clone()).collect();
        // The next row is the last of the list.
        if flags & abi::SCAN_REVERSE == 0 {
            rows.reverse();
        }
        self.cursors.push(rows);
        let cursor = self.cursors.len() as u32;
        let status = self.scan_next(cursor, out);
        if status == abi::STATUS_ROW_TOO_LARGE {
            self.cursors.pop();
        }
        status
    }

    pub(crate) fn scan_next(&mut self, cursor: u32, out: &mut [u8]) -> i64 {
        let rows = &mut self.cursors[cursor as usize - 1];
        let mut end = 0;
        while let Some(row) = rows.last() {
            let Some(place) = out.get_mut(end..end + 4 + row.len()) else {
                if end == 0 {
                    return abi::STATUS_ROW_TOO_LARGE;
                }
                return i64::from(cursor) << 32 | end as i64;
            };
            place[..4].copy_from_slice(&(row.len() as u32).to_le_bytes());
            place[4..].copy_from_slice(row);
            end += 4 + row.len();
            rows.pop();
        }
        end as i64
    }

    pub(crate) fn scan_close(&mut self, cursor: u32) {
        let rows = &mut self.cursors[cursor as usize - 1];
        assert!(!rows.is_empty(), "a scan is closed while it has rows");
        rows.clear();
    }

    pub(crate) fn log(&mut self, level: u32, line: &str) {
        self.log.push((LEVELS[level as usize], line.to_owned()));
    }
}

impl Table {
    fn types(&self, index: u32) -> impl Iterator<Item = &Type> {
        let columns = self
            .def
            .index_columns(index as usize)
            .expect("an index of the table");
        columns
            .iter()
            .map(|&column| &self.def.columns[usize::from(column)].ty)
    }

    /// The memcomparable form of packed values for the first columns of an index.
    fn comparable(&self, index: u32, packed: &[u8]) -> Vec<u8> {
        let (mut reader, mut out) = (Reader::new(packed), Vec::new());
        for ty in self.types(index) {
            if !reader.rest().is_empty() {
                key::encode(ty, &mut reader, &mut out).expect("the SDK packs keys of the index");
            }
        }
        reader.finish().expect("a key has the columns of the index");
        out
    }

    fn key_of(&self, index: u32, row: &[u8]) -> Vec<u8> {
        let columns = self
            .def
            .index_columns(index as usize)
            .expect("an index of the table");
        let mut packed = Vec::new();
        self.layout.project(row, columns, &mut packed);
        self.comparable(index, &packed)
    }

    fn with_key(&self, index: u32, key: &[u8]) -> Option<&Vec<u8>> {
        if index == 0 {
            return self.rows.get(key);
        }
        assert!(
            self.def.indexes[index as usize - 1].unique,
            "only unique indexes find a row"
        );
        self.rows
            .values()
            .find(|row| !self.has_null(index, row) && self.key_of(index, row) == key)
    }

    fn has_null(&self, index: u32, row: &[u8]) -> bool {
        let columns = self
            .def
            .index_columns(index as usize)
            .expect("an index of the table");
        columns.iter().any(|&column| {
            let column = usize::from(column);
            let nullable = matches!(self.def.columns[column].ty, Type::Option(_));
            nullable && self.layout.column(row, column) == [1]
        })
    }

    /// Whether another row than `own` has one of the unique keys of this one.
    fn takes_unique_key(&self, row: &[u8], own: Option<&[u8]>) -> bool {
        (1..).zip(&self.def.indexes).any(|(number, index)| {
            index.unique
                && !self.has_null(number, row)
                && self
                    .with_key(number, &self.key_of(number, row))
                    .is_some_and(|other| Some(&*self.key_of(0, other)) != own)
        })
    }

    /// The auto-increment column: where it lies in a row, and the largest number it can hold.
    fn auto_increment(&self, row: &[u8]) -> Option<(Range<usize>, u128)> {
        let column = usize::from(self.def.auto_increment?);
        let bytes = self.layout.column(row, column);
        let start = bytes.as_ptr().addr() - row.as_ptr().addr();
        let signed = matches!(
            self.def.columns[column].ty,
            Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::I128
        );
        let bits = bytes.len() as u32 * 8 - u32::from(signed);
        Some((start..start + bytes.len(), u128::MAX >> (128 - bits)))
    }

    /// Fills the auto-increment column if it is 0. The length of what was assigned, or a status.
    fn fill(&self, row: &mut [u8], assigned: &mut [u8; 16]) -> Result<Option<usize>, i64> {
        let Some((place, max)) = self.auto_increment(row) else {
            return Ok(None);
        };
        if row[place.clone()].iter().any(|&byte| byte != 0) {
            return Ok(None);
        }
        let value = self.assigned.checked_add(1).filter(|value| *value <= max);
        let value = value.ok_or(abi::STATUS_EXHAUSTED)?;
        let len = place.len();
        assigned[..len].copy_from_slice(&value.to_le_bytes()[..len]);
        row[place].copy_from_slice(&assigned[..len]);
        Ok(Some(len))
    }

    /// Numbers up to that of a row that was written are not assigned any more.
    fn raise(&mut self, row: &[u8]) {
        let Some((place, max)) = self.auto_increment(row) else {
            return;
        };
        let mut bytes = [0; 16];
        bytes[..place.len()].copy_from_slice(&row[place]);
        let value = u128::from_le_bytes(bytes);
        if value <= max {
            self.assigned = self.assigned.max(value);
        }
    }

    /// The bounds of a scan; none for all rows.
    fn bounds(&self, index: u32, bytes: &[u8]) -> Option<[Bound; 2]> {
        if bytes.is_empty() {
            return None;
        }
        let mut reader = Reader::new(bytes);
        let mut bound = || {
            let [kind] = reader.array().expect("a bound has a kind");
            let key = match kind {
                abi::BOUND_NONE => Vec::new(),
                _ => self.comparable(index, reader.sized().expect("a bound has a key")),
            };
            Bound { kind, key }
        };
        let bounds = [bound(), bound()];
        reader.finish().expect("there are two bounds");
        Some(bounds)
    }
}

/// Whether a key lies within bounds, which stand for all keys that start with them.
fn within(key: &[u8], [lower, upper]: &[Bound; 2]) -> bool {
    let compare = |bound: &Bound| {
        if key.starts_with(&bound.key) {
            Ordering::Equal
        } else {
            key.cmp(&bound.key)
        }
    };
    let above = match lower.kind {
        abi::BOUND_NONE => true,
        abi::BOUND_INCLUDED => compare(lower).is_ge(),
        _ => compare(lower).is_gt(),
    };
    let below = match upper.kind {
        abi::BOUND_NONE => true,
        abi::BOUND_INCLUDED => compare(upper).is_le(),
        _ => compare(upper).is_lt(),
    };
    above && below
}
