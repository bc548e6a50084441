//! The model: a map of rows per table, and every question answered by looking at all of them.

use std::collections::BTreeMap;
use std::ops::Bound;

use syncline_protocol::limits::KEY_BYTES_MAX;
use syncline_protocol::packed::{self, Reader};
use syncline_protocol::{IndexKind, RowLayout, TableDef, Type, Value, key};

use crate::table::{IndexId, IndexShape, Table, WriteError};

#[derive(Clone, Debug)]
pub(super) struct Oracle {
    pub(super) def: TableDef,
    pub(super) layout: RowLayout,
    /// By memcomparable primary key.
    pub(super) rows: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) mark: u128,
}

impl Oracle {
    pub(super) fn new(def: TableDef) -> Self {
        let layout = def.layout();
        Self {
            def,
            layout,
            rows: BTreeMap::new(),
            mark: 0,
        }
    }

    pub(super) fn packed(&self, row: &[u8], columns: &[u16]) -> Vec<u8> {
        let mut key = Vec::new();
        self.layout.project(row, columns, &mut key);
        key
    }

    pub(super) fn memcomparable(&self, row: &[u8], columns: &[u16]) -> Vec<u8> {
        let mut key = Vec::new();
        for &column in columns {
            let column = usize::from(column);
            let mut value = Reader::new(self.layout.column(row, column));
            key::encode(&self.layout.types()[column], &mut value, &mut key).unwrap();
        }
        key
    }

    pub(super) fn primary_key(&self, row: &[u8]) -> Vec<u8> {
        self.memcomparable(row, &self.def.primary_key)
    }

    fn has_null(&self, row: &[u8], columns: &[u16]) -> bool {
        columns.iter().any(|&column| {
            let column = usize::from(column);
            let ty = &self.layout.types()[column];
            let value = packed::decode(ty, self.layout.column(row, column)).unwrap();
            value == Value::Option(None)
        })
    }

    /// What a write of `row` must be refused for, whatever else it is.
    fn refusal(&self, row: &[u8]) -> Option<WriteError> {
        let too_large = |columns: &[u16], ordered: bool| {
            self.packed(row, columns).len() > KEY_BYTES_MAX
                || ordered && self.memcomparable(row, columns).len() > KEY_BYTES_MAX
        };
        let is_too_large = too_large(&self.def.primary_key, false)
            || self
                .def
                .indexes
                .iter()
                .any(|i| too_large(&i.columns, i.kind != IndexKind::Hash));
        is_too_large.then_some(WriteError::KeyTooLarge)
    }

    fn conflict(&self, row: &[u8]) -> Option<WriteError> {
        let own = self.primary_key(row);
        for (position, index) in self.def.indexes.iter().enumerate() {
            let clash = |(key, other): (&Vec<u8>, &Vec<u8>)| {
                *key != own
                    && self.packed(other, &index.columns) == self.packed(row, &index.columns)
            };
            if index.unique && !self.has_null(row, &index.columns) && self.rows.iter().any(clash) {
                return Some(WriteError::Unique {
                    index: IndexId::secondary(position),
                });
            }
        }
        None
    }

    /// The value of the auto_increment column, 0 if negative, and the greatest that it can have.
    fn increment(&self, row: &[u8]) -> Option<(u128, u128)> {
        let column = usize::from(self.def.auto_increment?);
        let ty = &self.layout.types()[column];
        let value = packed::decode(ty, self.layout.column(row, column)).unwrap();
        let clip = |value: i128| value.max(0) as u128;
        Some(match value {
            Value::U8(v) => (u128::from(v), u128::from(u8::MAX)),
            Value::U64(v) => (u128::from(v), u128::from(u64::MAX)),
            Value::I8(v) => (clip(v.into()), clip(i8::MAX.into())),
            Value::I64(v) => (clip(v.into()), clip(i64::MAX.into())),
            Value::I128(v) => (clip(v), clip(i128::MAX)),
            other => panic!("{other:?} is no integer of the test"),
        })
    }

    /// Inserts a canonical row, which gets its auto_increment value.
    pub(super) fn insert(&mut self, row: &mut Vec<u8>) -> Result<Option<u128>, WriteError> {
        if let Some(error) = self.refusal(row) {
            return Err(error);
        }
        let mut assigned = None;
        if let Some((0, max)) = self.increment(row)
            && self.is_zero(row)
        {
            if self.mark >= max {
                return Err(WriteError::Exhausted);
            }
            assigned = Some(self.mark + 1);
            self.set_increment(row, self.mark + 1);
        }
        let key = self.primary_key(row);
        if self.rows.contains_key(&key) {
            return Err(WriteError::Unique {
                index: IndexId::PRIMARY,
            });
        }
        self.conflict(row).map_or(Ok(()), Err)?;
        self.raise(row);
        self.rows.insert(key, row.clone());
        Ok(assigned)
    }

    pub(super) fn update(&mut self, row: &[u8]) -> Result<(), WriteError> {
        self.refusal(row).map_or(Ok(()), Err)?;
        let key = self.primary_key(row);
        if !self.rows.contains_key(&key) {
            return Err(WriteError::NotFound);
        }
        self.conflict(row).map_or(Ok(()), Err)?;
        self.raise(row);
        self.rows.insert(key, row.to_vec());
        Ok(())
    }

    fn raise(&mut self, row: &[u8]) {
        if let Some((value, _)) = self.increment(row) {
            self.mark = self.mark.max(value);
        }
    }

    fn is_zero(&self, row: &[u8]) -> bool {
        let column = self.def.auto_increment.map(usize::from).unwrap();
        self.layout
            .column(row, column)
            .iter()
            .all(|&byte| byte == 0)
    }

    fn set_increment(&self, row: &mut Vec<u8>, value: u128) {
        let column = self.def.auto_increment.map(usize::from).unwrap();
        let mut filled = Vec::new();
        for at in 0..self.def.columns.len() {
            let bytes = self.layout.column(row, at);
            let value = value.to_le_bytes();
            filled.extend_from_slice(if at == column {
                &value[..bytes.len()]
            } else {
                bytes
            });
        }
        *row = filled;
    }

    /// Rows of an index in its order: by key, then by primary key.
    pub(super) fn in_order(&self, columns: &[u16]) -> Vec<(Vec<u8>, &Vec<u8>)> {
        let keyed = self.rows.iter().map(|(primary, row)| {
            (
                [self.memcomparable(row, columns), primary.clone()].concat(),
                row,
            )
        });
        let mut rows: Vec<_> = keyed.collect();
        rows.sort();
        rows
    }

    /// Asks the table everything that this model can answer, with the keys of `probes` too.
    pub(super) fn check(&self, table: &Table, probes: &[Vec<u8>]) {
        assert_eq!(table.len(), self.rows.len());
        assert_eq!(table.row_sum(), table.row_hash_sum());
        assert_eq!(table.auto_increment(), self.mark);
        let mut all: Vec<_> = table.rows().map(<[u8]>::to_vec).collect();
        assert_eq!(table.rows().size_hint(), (all.len(), Some(all.len())));
        all.sort_by_key(|row| self.primary_key(row));
        assert!(all.iter().eq(self.rows.values()), "all rows, each once");
        for IndexShape {
            id: index, columns, ..
        } in table.indexes()
        {
            assert_eq!(table.index_columns(index), Some(columns));
            for row in self.rows.values().chain(probes) {
                self.check_key(table, index, columns, row);
            }
            if table.is_ordered(index) {
                self.check_ranges(table, index, columns, probes);
            } else {
                assert_eq!(
                    table
                        .range(index, Bound::Unbounded, Bound::Unbounded, false)
                        .count(),
                    0
                );
            }
        }
    }

    fn check_key(&self, table: &Table, index: IndexId, columns: &[u16], row: &[u8]) {
        let key = self.packed(row, columns);
        let ordered = self.in_order(columns);
        let matching = ordered.iter().map(|(_, row)| *row);
        let expected: Vec<_> = matching
            .filter(|other| self.packed(other, columns) == key)
            .collect();
        let mut found: Vec<_> = table.matching(index, &key).map(<[u8]>::to_vec).collect();
        assert_eq!(table.matching_len(index, &key), expected.len());
        if !table.is_ordered(index) {
            found.sort_by_key(|row| self.primary_key(row));
        }
        assert!(found.iter().eq(expected.iter().copied()), "rows of one key");
        let identifies = table.is_unique(index) && !self.has_null(row, columns);
        let one = expected
            .first()
            .map(|row| row.as_slice())
            .filter(|_| identifies);
        assert_eq!(table.find(index, &key), one);
    }

    fn check_ranges(&self, table: &Table, index: IndexId, columns: &[u16], probes: &[Vec<u8>]) {
        let ordered = self.in_order(columns);
        let keys: Vec<_> = probes
            .iter()
            .map(|row| self.memcomparable(row, columns))
            .collect();
        let bounds = |key| [Bound::Included(key), Bound::Excluded(key), Bound::Unbounded];
        for lower in keys.iter().flat_map(|key| bounds(key.as_slice())) {
            for upper in keys.iter().flat_map(|key| bounds(key.as_slice())) {
                let is_in = |(key, _): &&(Vec<u8>, &Vec<u8>)| {
                    std::ops::RangeBounds::<[u8]>::contains(&(lower, upper), key.as_slice())
                };
                let rows = ordered.iter().filter(is_in).map(|(_, row)| row.as_slice());
                assert!(table.range(index, lower, upper, false).eq(rows.clone()));
                assert!(table.range(index, lower, upper, true).eq(rows.rev()));
            }
        }
    }

    /// A row of values whose floats are, now and then, not canonical, and the canonical row.
    pub(super) fn row(&self, values: &[Value], is_dirty: bool) -> (Vec<u8>, Vec<u8>) {
        let canonical = crate::schema::tests::fixtures::row(&self.def, values);
        let mut dirty = Vec::new();
        for (at, ty) in self.layout.types().iter().enumerate() {
            let bytes = self.layout.column(&canonical, at);
            match (ty, values.get(at)) {
                (Type::F64, Some(Value::F64(value))) if is_dirty => {
                    let other = if value.is_nan() {
                        f64::from_bits(u64::MAX)
                    } else {
                        *value
                    };
                    dirty.extend_from_slice(&other.to_le_bytes());
                }
                _ => dirty.extend_from_slice(bytes),
            }
        }
        (dirty, canonical)
    }
}
