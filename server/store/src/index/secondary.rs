//! A secondary index of a table, of any kind.

use std::ops::Bound;

use syncline_protocol::limits::KEY_BYTES_MAX;
use syncline_protocol::{IndexDef, IndexKind, RowLayout};

use super::columns::{KeyBuffer, KeyColumns};
use super::hash::HashIndex;
use super::heap::Heap;
use super::key::OrderedKey;
use super::ordered::{OrderedIndex, OrderedRefs};
use super::posting::{PostingIndex, Refs};
use crate::pages::RowRef;

/// One index: its definition, its columns, and the places of all rows of the table.
#[derive(Debug)]
pub(crate) struct Secondary {
    def: IndexDef,
    columns: KeyColumns,
    places: Places,
}

#[derive(Debug)]
enum Places {
    /// At most one row per key, and no key is NULL.
    Unique(HashIndex),
    /// Any number of rows per key; in a unique index, of a NULL key.
    Postings(PostingIndex),
    Ordered(OrderedIndex),
}

/// Why an index cannot be built of the rows that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BuildError {
    /// Two rows have the same key.
    Unique,
    /// A row has a key over the limit.
    KeyTooLarge,
}

/// Places of rows that a look-up found.
#[derive(Clone, Debug)]
pub(crate) enum Matches<'a> {
    One(Option<RowRef>),
    /// In page order.
    Postings(Refs<'a>),
    /// In key order.
    Ordered(OrderedRefs<'a>),
    /// In key order, from the end.
    Reversed(OrderedRefs<'a>),
}

impl Secondary {
    /// The index of no rows.
    pub(crate) fn new(def: &IndexDef, layout: &RowLayout) -> Self {
        let columns = KeyColumns::new(&def.columns, layout);
        let places = match def.kind {
            IndexKind::Ordered | IndexKind::Counted => {
                Places::Ordered(OrderedIndex::new(def.kind == IndexKind::Counted))
            }
            IndexKind::Hash if def.unique && !columns.is_nullable() => {
                Places::Unique(HashIndex::default())
            }
            IndexKind::Hash => Places::Postings(PostingIndex::default()),
        };
        Self {
            def: def.clone(),
            columns,
            places,
        }
    }

    /// What the module declares.
    pub(crate) fn def(&self) -> &IndexDef {
        &self.def
    }

    /// Its columns.
    pub(crate) fn columns(&self) -> &KeyColumns {
        &self.columns
    }

    /// The index of all rows of the table.
    pub(crate) fn build(def: &IndexDef, heap: &Heap) -> Result<Self, BuildError> {
        let empty = Self::new(def, &heap.layout);
        let mut rows = heap.pages.view().places();
        if rows
            .clone()
            .any(|(_, row)| empty.is_too_large(&heap.layout, row))
        {
            return Err(BuildError::KeyTooLarge);
        }
        let index = empty.filled(heap);
        if def.unique && rows.any(|(at, row)| index.forbids(heap, row, Some(at))) {
            return Err(BuildError::Unique);
        }
        Ok(index)
    }

    /// With all rows of the table, whatever their keys.
    pub(crate) fn filled(mut self, heap: &Heap) -> Self {
        let index = &mut self;
        let rows = heap.pages.view().places();
        match &mut index.places {
            Places::Ordered(places) => {
                let key = |row| OrderedKey::from(&ordered_key(&index.columns, heap, row)[..]);
                *places = places.rebuilt(rows.map(|(at, row)| (key(row), at)).collect());
            }
            Places::Unique(places) => {
                places.reserve(heap.pages.view().len());
                rows.for_each(|(at, row)| places.insert(heap.hash(&index.columns, row), at));
            }
            Places::Postings(_) => rows.for_each(|(at, row)| index.insert(heap, row, at)),
        }
        self
    }

    /// Bytes that it takes with so many rows, roughly.
    pub(crate) fn byte_len(&self, rows: usize) -> usize {
        match &self.places {
            Places::Unique(index) => index.byte_len(),
            Places::Postings(index) => index.byte_len(rows),
            Places::Ordered(index) => index.byte_len(rows),
        }
    }

    /// Adds a row that lies there.
    pub(crate) fn insert(&mut self, heap: &Heap, row: &[u8], at: RowRef) {
        match &mut self.places {
            Places::Unique(index) => index.insert(heap.hash(&self.columns, row), at),
            Places::Postings(index) => {
                let mut buffer = KeyBuffer::new();
                let key = self.columns.packed(&heap.layout, row, &mut buffer);
                let is_match = |other| heap.has_key(other, &self.columns, key);
                index.insert(heap.hasher.hash(key), at, is_match);
            }
            Places::Ordered(index) => index.insert(&ordered_key(&self.columns, heap, row), at),
        }
    }

    /// Removes a row that lay there; it need not any more.
    pub(crate) fn remove(&mut self, heap: &Heap, row: &[u8], at: RowRef) {
        match &mut self.places {
            Places::Unique(index) => index.remove(heap.hash(&self.columns, row), at),
            Places::Postings(index) => index.remove(heap.hash(&self.columns, row), at),
            Places::Ordered(index) => index.remove(&ordered_key(&self.columns, heap, row)),
        }
    }

    /// A row moved, its key is the same.
    pub(crate) fn relocate(&mut self, heap: &Heap, row: &[u8], from: RowRef, to: RowRef) {
        match &mut self.places {
            Places::Unique(index) => index.relocate(heap.hash(&self.columns, row), from, to),
            Places::Postings(index) => index.relocate(heap.hash(&self.columns, row), from, to),
            Places::Ordered(index) => index.relocate(&ordered_key(&self.columns, heap, row), to),
        }
    }

    /// Whether the index is unique and another row than the one at `own` has the key of `row`.
    pub(crate) fn forbids(&self, heap: &Heap, row: &[u8], own: Option<RowRef>) -> bool {
        if !self.def.unique || self.columns.has_null(&heap.layout, row) {
            return false;
        }
        let mut buffer = KeyBuffer::new();
        let mut found = match &self.places {
            Places::Ordered(index) => {
                self.columns
                    .put_memcomparable(&heap.layout, row, &mut buffer);
                Matches::Ordered(index.prefixed(&mut buffer))
            }
            Places::Unique(_) | Places::Postings(_) => {
                let key = self.columns.packed(&heap.layout, row, &mut buffer);
                self.matching(heap, key)
            }
        };
        found.any(|at| Some(at) != own)
    }

    /// Whether the key of a row is over the limit, packed or memcomparable.
    pub(crate) fn is_too_large(&self, layout: &RowLayout, row: &[u8]) -> bool {
        if self.columns.fixed_len().is_some() {
            return false;
        }
        let mut buffer = KeyBuffer::new();
        if self.columns.packed(layout, row, &mut buffer).len() > KEY_BYTES_MAX {
            return true;
        }
        if !matches!(self.places, Places::Ordered(_)) {
            return false;
        }
        buffer.clear();
        self.columns.put_memcomparable(layout, row, &mut buffer);
        buffer.len() > KEY_BYTES_MAX
    }

    /// The rows with this packed key: canonical, all columns given.
    pub(crate) fn matching(&self, heap: &Heap, packed_key: &[u8]) -> Matches<'_> {
        let is_match = |at| heap.has_key(at, &self.columns, packed_key);
        match &self.places {
            Places::Unique(index) => {
                Matches::One(index.find(heap.hasher.hash(packed_key), is_match))
            }
            Places::Postings(index) => {
                Matches::Postings(index.find(heap.hasher.hash(packed_key), is_match))
            }
            Places::Ordered(index) => {
                let mut buffer = KeyBuffer::new();
                let columns = &self.columns;
                match columns.put_memcomparable_prefix(&heap.layout, packed_key, &mut buffer) {
                    Ok(count) if count == columns.columns().len() => {
                        Matches::Ordered(index.prefixed(&mut buffer))
                    }
                    _ => Matches::One(None),
                }
            }
        }
    }

    /// The ordered index inside, if it is one.
    pub(crate) fn ordered(&self) -> Option<&OrderedIndex> {
        match &self.places {
            Places::Ordered(index) => Some(index),
            Places::Unique(_) | Places::Postings(_) => None,
        }
    }

    /// Places between two memcomparable bounds; none if the index is not ordered.
    pub(crate) fn range(
        &self,
        lower: Bound<&[u8]>,
        upper: Bound<&[u8]>,
        reverse: bool,
    ) -> Matches<'_> {
        match self.ordered().map(|index| index.range(lower, upper)) {
            None => Matches::One(None),
            Some(found) if reverse => Matches::Reversed(found),
            Some(found) => Matches::Ordered(found),
        }
    }
}

impl Secondary {
    /// The key that a row has in an ordered index.
    pub(crate) fn ordered_key(&self, heap: &Heap, row: &[u8]) -> KeyBuffer {
        ordered_key(&self.columns, heap, row)
    }
}

/// The key of a row in an ordered index: its columns, then the primary key.
fn ordered_key(columns: &KeyColumns, heap: &Heap, row: &[u8]) -> KeyBuffer {
    let mut key = KeyBuffer::new();
    columns.put_memcomparable(&heap.layout, row, &mut key);
    heap.primary_key
        .put_memcomparable(&heap.layout, row, &mut key);
    key
}

impl Iterator for Matches<'_> {
    type Item = RowRef;

    #[inline]
    fn next(&mut self) -> Option<RowRef> {
        match self {
            Self::One(at) => at.take(),
            Self::Postings(refs) => refs.next(),
            Self::Ordered(refs) => refs.next().map(|(_, at)| at),
            Self::Reversed(refs) => refs.next_back().map(|(_, at)| at),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::One(at) => (usize::from(at.is_some()), Some(usize::from(at.is_some()))),
            Self::Postings(refs) => refs.size_hint(),
            Self::Ordered(refs) | Self::Reversed(refs) => refs.size_hint(),
        }
    }
}
