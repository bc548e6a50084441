//! Rows by key and in order.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use syncline_protocol::message::ResultDescription;
use syncline_protocol::packed::Reader;
use syncline_protocol::{RowLayout, Type, key};

use super::{CacheError, Change, PackedRow};

/// What the rows of a table are: the description, and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    description: Arc<ResultDescription>,
    layout: RowLayout,
    key_types: Vec<Type>,
}

impl Shape {
    /// `None` if the description names columns that it does not have. An empty key is that of a result with one
    /// row at most.
    pub(super) fn new(description: ResultDescription) -> Option<Self> {
        let key_types: Vec<Type> = description.key_types().ok()?.cloned().collect();
        let column_count = description.columns.len();
        let order = &description.order;
        if order
            .iter()
            .any(|by| usize::from(by.column) >= column_count)
        {
            return None;
        }
        let layout = RowLayout::new(description.types().cloned().collect());
        Some(Self {
            description: Arc::new(description),
            layout,
            key_types,
        })
    }

    pub(super) fn description(&self) -> &Arc<ResultDescription> {
        &self.description
    }

    fn key_of(&self, row: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        self.layout.project(row, &self.description.key, &mut out);
        out
    }

    /// The place of a key where the result has no order.
    fn place_of_key(&self, packed_key: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let mut reader = Reader::new(packed_key);
        for ty in &self.key_types {
            key::encode(ty, &mut reader, &mut out).ok()?;
        }
        Some(out)
    }

    /// The place of a row where the result has an order: the ordering columns, inverted where the
    /// largest comes first, then the key. No memcomparable key is the start of another, so inverting
    /// one turns its order around and concatenations compare column by column.
    fn place_of_row(&self, row: &[u8], packed_key: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        for by in &self.description.order {
            let column = usize::from(by.column);
            let start = out.len();
            let mut reader = Reader::new(self.layout.column(row, column));
            key::encode(&self.layout.types()[column], &mut reader, &mut out).ok()?;
            if by.descending {
                out[start..].iter_mut().for_each(|byte| *byte = !*byte);
            }
        }
        out.extend(self.place_of_key(packed_key)?);
        Some(out)
    }
}

/// Rows, unique by key.
#[derive(Clone, Debug)]
pub(super) struct Table {
    shape: Arc<Shape>,
    /// Memcomparable bytes that sort as the result does.
    by_place: BTreeMap<Vec<u8>, PackedRow>,
    /// Where the result has an order: places by packed key. Else the key gives the place.
    places: HashMap<Vec<u8>, Vec<u8>>,
}

impl Table {
    pub(super) fn new(shape: Arc<Shape>) -> Self {
        Self {
            shape,
            by_place: BTreeMap::new(),
            places: HashMap::new(),
        }
    }

    pub(super) fn shape(&self) -> &Arc<Shape> {
        &self.shape
    }

    pub(super) fn len(&self) -> usize {
        self.by_place.len()
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &PackedRow> {
        self.by_place.values()
    }

    fn is_ordered(&self) -> bool {
        !self.shape.description.order.is_empty()
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&PackedRow> {
        if self.is_ordered() {
            return self.by_place.get(self.places.get(key)?);
        }
        self.by_place.get(&self.shape.place_of_key(key)?)
    }

    /// Adds a row that was checked against the types of the columns.
    pub(super) fn insert(&mut self, row: PackedRow) -> Result<(), CacheError> {
        let key = self.shape.key_of(&row);
        let place = if self.is_ordered() {
            self.shape.place_of_row(&row, &key)
        } else {
            self.shape.place_of_key(&key)
        };
        let place = place.expect("the row is valid, so its columns have keys");
        if self.is_ordered() && self.places.insert(key, place.clone()).is_some() {
            return Err(CacheError::Duplicate);
        }
        match self.by_place.insert(place, row) {
            None => Ok(()),
            Some(_) => Err(CacheError::Duplicate),
        }
    }

    /// Takes a row out.
    pub(super) fn remove(&mut self, key: &[u8]) -> Option<PackedRow> {
        let place = if self.is_ordered() {
            self.places.remove(key)?
        } else {
            self.shape.place_of_key(key)?
        };
        self.by_place.remove(&place)
    }

    /// Adds `row_count` packed rows that stand one after the other.
    pub(super) fn extend(&mut self, rows: &[u8], row_count: u32) -> Result<(), CacheError> {
        let shape = self.shape.clone();
        let mut reader = Reader::new(rows);
        for _ in 0..row_count {
            let start = reader.rest();
            for ty in shape.layout.types() {
                reader.value(ty)?;
            }
            self.insert(start[..start.len() - reader.rest().len()].into())?;
        }
        Ok(reader.finish()?)
    }

    /// Appends what makes `new` out of this table: deletes, then the others in the order of `new`.
    /// Rows of another shape share nothing.
    pub(super) fn difference(&self, new: &Self, changes: &mut Vec<Change>) {
        let is_same_shape = self.shape == new.shape;
        let find = |table: &'_ Self, row: &PackedRow| -> Option<PackedRow> {
            if is_same_shape {
                table.get(&self.shape.key_of(row)).cloned()
            } else {
                None
            }
        };
        for row in self.rows() {
            if find(new, row).is_none() {
                changes.push(Change::Delete(row.clone()));
            }
        }
        for row in new.rows() {
            match find(self, row) {
                None => changes.push(Change::Insert(row.clone())),
                Some(old) if old != *row => {
                    changes.push(Change::Update {
                        old,
                        new: row.clone(),
                    });
                }
                Some(_) => {}
            }
        }
    }
}
