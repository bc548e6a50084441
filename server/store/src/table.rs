//! A table: rows, and how to find them.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use syncline_protocol::packed::Reader;
use syncline_protocol::{IndexKind, RowLayout, TableDef, TableId, key};

/// An index of a table: 0 is the primary key, `i + 1` is `indexes[i]` of the definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexId(pub u16);

impl IndexId {
    /// The primary key.
    pub const PRIMARY: Self = Self(0);

    /// The index at this position of the definition's `indexes`.
    #[must_use]
    pub const fn secondary(position: usize) -> Self {
        Self(position as u16 + 1)
    }
}

/// Packed rows, one after the other.
pub struct Rows<'a>(Box<dyn Iterator<Item = &'a [u8]> + 'a>);

impl Rows<'_> {
    /// No rows.
    #[must_use]
    pub fn none() -> Self {
        Self(Box::new(std::iter::empty()))
    }
}

impl<'a> Iterator for Rows<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.0.next()
    }
}

/// The rows of one table and its indexes.
#[derive(Clone, Debug)]
pub struct Table {
    id: TableId,
    def: Arc<TableDef>,
    layout: Arc<RowLayout>,
    pub(crate) rows: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) auto_increment: u128,
}

impl Table {
    pub(crate) fn new(id: TableId, def: Arc<TableDef>) -> Self {
        let layout = Arc::new(def.layout());
        Self {
            id,
            def,
            layout,
            rows: BTreeMap::new(),
            auto_increment: 0,
        }
    }

    pub(crate) fn with_def(&self, def: Arc<TableDef>) -> Self {
        Self {
            def,
            ..self.clone()
        }
    }

    /// Id of the table.
    pub fn id(&self) -> TableId {
        self.id
    }

    /// What the module declares.
    pub fn def(&self) -> &TableDef {
        &self.def
    }

    pub(crate) fn shared_def(&self) -> &Arc<TableDef> {
        &self.def
    }

    /// Where its columns lie.
    pub fn layout(&self) -> &RowLayout {
        &self.layout
    }

    pub(crate) fn shared_layout(&self) -> &Arc<RowLayout> {
        &self.layout
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// High-water mark of the auto_increment column: the next row that asks gets one more.
    pub fn auto_increment(&self) -> u128 {
        self.auto_increment
    }

    /// Whether the index is ordered, so that [`Self::range`] works on it.
    pub fn is_ordered(&self, index: IndexId) -> bool {
        let secondary = usize::from(index.0).checked_sub(1);
        let def = secondary.and_then(|position| self.def.indexes.get(position));
        def.is_some_and(|def| def.kind == IndexKind::Ordered)
    }

    /// The row with this key in the primary key or a unique index. The key is the packed columns of
    /// the index, concatenated. A key with a NULL identifies no row.
    pub fn find(&self, index: IndexId, packed_key: &[u8]) -> Option<&[u8]> {
        self.matching(index, packed_key).next()
    }

    /// The rows with this packed key, all columns of the index given.
    pub fn matching(&self, index: IndexId, packed_key: &[u8]) -> Rows<'_> {
        let Some(columns) = self.def.index_columns(usize::from(index.0)) else {
            return Rows::none();
        };
        let wanted = packed_key.to_vec();
        Rows(Box::new(self.rows().filter(move |row| {
            let mut own = Vec::new();
            self.layout.project(row, columns, &mut own);
            own == wanted
        })))
    }

    /// How many rows have this packed key.
    pub fn matching_len(&self, index: IndexId, packed_key: &[u8]) -> usize {
        self.matching(index, packed_key).count()
    }

    /// The rows between two memcomparable keys (`protocol::key`) of an ordered index, prefixes
    /// expanded by the caller; rows with equal keys in the order of their primary keys. No rows if
    /// the index is not ordered.
    pub fn range(
        &self,
        index: IndexId,
        lower: Bound<&[u8]>,
        upper: Bound<&[u8]>,
        reverse: bool,
    ) -> Rows<'_> {
        if !self.is_ordered(index) {
            return Rows::none();
        }
        let columns = self
            .def
            .index_columns(usize::from(index.0))
            .unwrap_or_default();
        let mut found: Vec<_> = self
            .rows()
            .map(|row| (self.memcomparable(row, columns), row))
            .filter(|(key, _)| {
                std::ops::RangeBounds::<[u8]>::contains(&(lower, upper), key.as_slice())
            })
            .collect();
        found.sort_by_cached_key(|(key, row)| {
            (key.clone(), self.memcomparable(row, &self.def.primary_key))
        });
        if reverse {
            found.reverse();
        }
        Rows(Box::new(found.into_iter().map(|(_, row)| row)))
    }

    fn memcomparable(&self, row: &[u8], columns: &[u16]) -> Vec<u8> {
        let mut out = Vec::new();
        for &column in columns {
            let column = usize::from(column);
            let mut reader = Reader::new(self.layout.column(row, column));
            key::encode(&self.layout.types()[column], &mut reader, &mut out)
                .expect("rows are validated where they enter");
        }
        out
    }

    /// All rows in page order, which is a function of the table's history.
    pub fn rows(&self) -> Rows<'_> {
        Rows(Box::new(self.rows.values().map(Vec::as_slice)))
    }

    pub(crate) fn primary_key(&self, row: &[u8]) -> Vec<u8> {
        let mut key = Vec::new();
        self.layout.project(row, &self.def.primary_key, &mut key);
        key
    }

    pub(crate) fn index_key(&self, row: &[u8], columns: &[u16]) -> Option<Vec<u8>> {
        let mut key = Vec::new();
        for &column in columns {
            let bytes = self.layout.column(row, usize::from(column));
            let nullable = matches!(
                self.layout.types()[usize::from(column)],
                syncline_protocol::Type::Option(_)
            );
            if nullable && bytes[0] == 1 {
                return None;
            }
            key.extend_from_slice(bytes);
        }
        Some(key)
    }

    /// The unique index in which another row than that with `primary_key` has the key of `row`.
    pub(crate) fn unique_conflict(&self, row: &[u8], primary_key: &[u8]) -> Option<IndexId> {
        for (position, index) in self
            .def
            .indexes
            .iter()
            .enumerate()
            .filter(|(_, i)| i.unique)
        {
            let Some(wanted) = self.index_key(row, &index.columns) else {
                continue;
            };
            let other = self.rows.iter().find(|(key, other)| {
                key.as_slice() != primary_key
                    && self.index_key(other, &index.columns).as_ref() == Some(&wanted)
            });
            if other.is_some() {
                return Some(IndexId::secondary(position));
            }
        }
        None
    }
}
