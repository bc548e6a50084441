//! What a committed transaction did.

use crate::ids::TableId;

/// Net changes of one transaction: at most one per primary key, none where a row is as it was.
/// Grouped by table in ascending id; inside a table in the order of the rows' first change.
/// All bytes lie in one buffer, so a change set is reused from transaction to transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeSet {
    bytes: Vec<u8>,
    rows: Vec<Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    table: TableId,
    old: Option<(u32, u32)>,
    new: Option<(u32, u32)>,
}

/// One changed row, packed. Both are there for an update, which keeps the primary key; an update of
/// the key is a delete and an insert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed<'a> {
    /// The table.
    pub table: TableId,
    /// The row before; `None` for an insert.
    pub old: Option<&'a [u8]>,
    /// The row after; `None` for a delete.
    pub new: Option<&'a [u8]>,
}

impl ChangeSet {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the changes and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.rows.clear();
    }

    /// Appends a change. The caller keeps the order that the type promises.
    pub fn push(&mut self, table: TableId, old: Option<&[u8]>, new: Option<&[u8]>) {
        debug_assert!(
            old.is_some() || new.is_some(),
            "a change has an old or a new row"
        );
        debug_assert!(old != new, "a row that is as it was is no change");
        let old = old.map(|row| self.store(row));
        let new = new.map(|row| self.store(row));
        self.rows.push(Entry { table, old, new });
    }

    fn store(&mut self, row: &[u8]) -> (u32, u32) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(row);
        let end = u32::try_from(self.bytes.len()).expect("a change set is far below 4 GiB");
        (start as u32, end)
    }

    /// Number of changed rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bytes of all old and new rows.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// The changes in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Changed<'_>> + Clone {
        self.rows.iter().map(|entry| self.read(entry))
    }

    /// The change at a position of the order.
    #[must_use]
    pub fn get(&self, position: usize) -> Option<Changed<'_>> {
        self.rows.get(position).map(|entry| self.read(entry))
    }

    fn read(&self, entry: &Entry) -> Changed<'_> {
        let row = |(start, end): (u32, u32)| &self.bytes[start as usize..end as usize];
        Changed {
            table: entry.table,
            old: entry.old.map(row),
            new: entry.new.map(row),
        }
    }
}
