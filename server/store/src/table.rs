//! A table: rows, and how to find them.

use std::ops::Bound;
use std::sync::Arc;

use syncline_protocol::{RowLayout, TableDef, TableId, Type};

mod auto_increment;
mod error;
mod evolve;
mod hidden;
mod rank;
mod row_hash;
mod rows;
mod write;

pub use error::{IndexId, WriteError};
pub use hidden::IndexShape;
pub use row_hash::row_hash;
pub use rows::Rows;

use crate::index::{HashIndex, Heap, KeyBuffer, KeyColumns, KeyHasher, Matches, Secondary};
use crate::pages::{Pages, PagesView};
use auto_increment::AutoIncrement;
use hidden::Hidden;

/// The rows of one table and its indexes. Every row is valid for the layout, canonical, within the
/// limits, and in every index, hidden ones too.
#[derive(Debug)]
pub struct Table {
    id: TableId,
    def: Arc<TableDef>,
    heap: Heap,
    primary: HashIndex,
    /// In the order of the definition.
    secondary: Vec<Secondary>,
    /// Those that no definition names.
    hidden: Vec<Hidden>,
    auto_increment: Option<AutoIncrement>,
    /// Length of every row if any bytes of that length are a row.
    plain_len: Option<usize>,
    /// The row before an update, for the indexes.
    old_row: Vec<u8>,
    /// Wrapping sum of the hashes of all rows.
    row_sum: u64,
}

impl Table {
    /// A table without rows. The definition is valid.
    pub(crate) fn new(id: TableId, def: Arc<TableDef>, hash_seed: u64) -> Self {
        let layout = Arc::new(def.layout());
        Self {
            id,
            primary: HashIndex::default(),
            secondary: def
                .indexes
                .iter()
                .map(|index| Secondary::new(index, &layout))
                .collect(),
            hidden: Vec::new(),
            auto_increment: AutoIncrement::new(&def),
            plain_len: write::plain_len(layout.types()),
            heap: Heap {
                primary_key: KeyColumns::new(&def.primary_key, &layout),
                pages: Pages::new(row_bytes(&layout)),
                layout,
                hasher: KeyHasher::new(hash_seed),
            },
            def,
            old_row: Vec::new(),
            row_sum: 0,
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
        &self.heap.layout
    }

    pub(crate) fn shared_layout(&self) -> &Arc<RowLayout> {
        &self.heap.layout
    }

    pub(crate) fn pages(&self) -> &PagesView {
        self.heap.pages.view()
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.pages().len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// High-water mark of the auto_increment column: the next row that asks gets one more. 0 if there
    /// is no such column.
    pub fn auto_increment(&self) -> u128 {
        self.auto_increment.map_or(0, |column| column.high_water)
    }

    pub(crate) fn auto_increment_column(&self) -> Option<&AutoIncrement> {
        self.auto_increment.as_ref()
    }

    pub(crate) fn set_auto_increment(&mut self, high_water: u128) {
        if let Some(column) = &mut self.auto_increment {
            column.high_water = high_water;
        }
    }

    fn secondary(&self, index: IndexId) -> Option<&Secondary> {
        let declared = self.secondary.get(index.position()?);
        declared.or_else(|| self.hidden_index(index))
    }

    /// Columns of an index.
    pub(crate) fn columns(&self, index: IndexId) -> Option<&KeyColumns> {
        match index {
            IndexId::PRIMARY => Some(&self.heap.primary_key),
            _ => Some(self.secondary(index)?.columns()),
        }
    }

    /// Whether the index is ordered, so that [`Self::range`] works on it.
    pub fn is_ordered(&self, index: IndexId) -> bool {
        self.secondary(index)
            .is_some_and(|index| index.ordered().is_some())
    }

    /// The row with this key in the primary key or a unique index. The key is the packed columns of
    /// the index, concatenated. A key with a NULL identifies no row, nor does any key of an index that
    /// is not unique.
    pub fn find(&self, index: IndexId, packed_key: &[u8]) -> Option<&[u8]> {
        let mut buffer = KeyBuffer::new();
        let columns = self.columns(index)?;
        let key = columns.canonical(self.layout(), packed_key, &mut buffer);
        let Some(index) = self.secondary(index) else {
            return self.locate_key(key).1.map(|at| self.row(at));
        };
        if !index.def().unique || columns.is_nullable() && columns.is_null_key(self.layout(), key) {
            return None;
        }
        index
            .matching(&self.heap, key)
            .next()
            .map(|at| self.row(at))
    }

    /// The rows with this packed key, all columns of the index given: in page order if the index is a
    /// hash index, in the order of their primary keys if it is ordered.
    pub fn matching(&self, index: IndexId, packed_key: &[u8]) -> Rows<'_> {
        Rows::at(self.pages(), self.matches(index, packed_key))
    }

    pub(crate) fn matches(&self, index: IndexId, packed_key: &[u8]) -> Matches<'_> {
        let mut buffer = KeyBuffer::new();
        let Some(columns) = self.columns(index) else {
            return Matches::One(None);
        };
        let key = columns.canonical(self.layout(), packed_key, &mut buffer);
        match self.secondary(index) {
            None => Matches::One(self.locate_key(key).1),
            Some(index) => index.matching(&self.heap, key),
        }
    }

    /// How many rows have this packed key. Constant time in a hash index, the logarithm of the table in a
    /// counted one, linear in the result in an ordered one.
    pub fn matching_len(&self, index: IndexId, packed_key: &[u8]) -> usize {
        let found = self.matches(index, packed_key);
        match found.size_hint() {
            (len, Some(exact)) if len == exact => len,
            _ => found.count(),
        }
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
        match self.secondary(index) {
            None => Rows::none(),
            Some(index) => Rows::at(self.pages(), index.range(lower, upper, reverse)),
        }
    }

    pub(crate) fn ordered(&self, index: IndexId) -> Option<&crate::index::OrderedIndex> {
        self.secondary(index)?.ordered()
    }

    /// All rows in page order, which is a function of the table's history.
    pub fn rows(&self) -> Rows<'_> {
        Rows::all(self.pages())
    }

    /// Whether a row has this packed key.
    pub(crate) fn has_key(&self, row: &[u8], index: IndexId, packed_key: &[u8]) -> bool {
        let mut buffer = KeyBuffer::new();
        self.columns(index).is_some_and(|columns| {
            let key = columns.canonical(self.layout(), packed_key, &mut buffer);
            columns.is_key_of(self.layout(), row, key)
        })
    }

    /// The row that has the primary key of `row` now.
    pub(crate) fn current(&self, row: &[u8]) -> Option<&[u8]> {
        self.locate(row).1.map(|at| self.row(at))
    }
}

/// Length of every row, if it is the same.
fn row_bytes(layout: &RowLayout) -> Option<usize> {
    layout.types().iter().map(Type::fixed_len).sum()
}
