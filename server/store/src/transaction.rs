//! The one transaction that may be open on a database.

use std::sync::Arc;

use syncline_protocol::{ChangeSet, TableId};

use crate::database::{Database, Inner, Undo};
use crate::schema::DatabaseSchema;
use crate::table::{IndexId, Table, WriteError};

mod scan;

pub use scan::{ScanChunk, ScanError, ScanPosition};

/// Writes in place and sees its own writes, until [`Self::commit`] or [`Self::rollback`] give the
/// database back. A write that fails changed nothing but, perhaps, the caller's `row`.
#[derive(Debug)]
#[must_use = "a transaction owns the database: commit it or roll it back"]
pub struct Transaction {
    database: Database,
}

impl Database {
    /// Starts the one transaction that may be open; commit or rollback give the database back.
    pub fn begin(self) -> Transaction {
        debug_assert!(
            self.inner.undo.entries.is_empty(),
            "the last transaction has ended"
        );
        Transaction { database: self }
    }
}

impl Transaction {
    /// The schema that is installed.
    pub fn schema(&self) -> &Arc<DatabaseSchema> {
        self.database.inner.schema()
    }

    /// A table, with the writes of this transaction.
    #[inline]
    pub fn table(&self, id: TableId) -> Option<&Table> {
        self.database.inner.table(id)
    }

    /// The database with the writes of this transaction, to read.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Inserts a row; its floats become canonical in `row`. A 0 in the auto_increment column is
    /// replaced, in `row` too, by the next value, which is returned.
    pub fn insert(&mut self, id: TableId, row: &mut [u8]) -> Result<Option<u128>, WriteError> {
        let (number, table, undo) = self.open(id)?;
        table.check(row)?;
        let assigned = match table.auto_increment_column() {
            Some(column) => column.fill(table.layout(), row)?,
            None => None,
        };
        let (hash, found) = table.locate(row);
        if found.is_some() {
            return Err(WriteError::Unique {
                index: IndexId::PRIMARY,
            });
        }
        if let Some(index) = table.unique_conflict(row, None) {
            return Err(WriteError::Unique { index });
        }
        if table.is_full() {
            return Err(WriteError::TableFull);
        }
        let entry = undo.find_gone(number, table, hash, row);
        undo.check_room(entry, row.len())?;
        let at = table.put(hash, row).ok_or(WriteError::TableFull)?;
        match entry {
            Some(entry) => undo.entries[entry].now = Some(at),
            None => {
                undo.push(number, hash, None, Some(at));
            }
        }
        undo.written_bytes += row.len();
        raise_mark(number, table, undo, row);
        Ok(assigned)
    }

    /// Replaces the row that has the primary key of `row`; its floats become canonical in `row`.
    pub fn update(&mut self, id: TableId, row: &mut [u8]) -> Result<(), WriteError> {
        let (number, table, undo) = self.open(id)?;
        table.check(row)?;
        let (hash, found) = table.locate(row);
        let at = found.ok_or(WriteError::NotFound)?;
        if let Some(index) = table.unique_conflict(row, Some(at)) {
            return Err(WriteError::Unique { index });
        }
        let entry = undo.find(number, hash, at);
        let old = table.row(at);
        let bytes = row.len().max(old.len());
        undo.check_room(entry, bytes)?;
        if row.len() > old.len() && table.is_full() {
            return Err(WriteError::TableFull);
        }
        let entry = entry.unwrap_or_else(|| undo.push(number, hash, Some(old), Some(at)));
        let now = table.replace(hash, at, row).ok_or(WriteError::TableFull)?;
        undo.entries[entry].now = Some(now);
        undo.written_bytes += bytes;
        raise_mark(number, table, undo, row);
        Ok(())
    }

    /// Deletes the row with this packed primary key; `false` if there is none.
    pub fn delete(&mut self, id: TableId, packed_primary_key: &[u8]) -> Result<bool, WriteError> {
        let (number, table, undo) = self.open(id)?;
        let (hash, found) = table.locate_any_key(packed_primary_key);
        let Some(at) = found else { return Ok(false) };
        let entry = undo.find(number, hash, at);
        let old = table.row(at);
        let bytes = old.len();
        undo.check_room(entry, bytes)?;
        let entry = entry.unwrap_or_else(|| undo.push(number, hash, Some(old), Some(at)));
        table.take(hash, at);
        undo.entries[entry].now = None;
        undo.written_bytes += bytes;
        Ok(true)
    }

    /// Appends rows of a scan to `out`, each a u32 length and the row, up to `cap_bytes` in all, and
    /// moves `scan` on. Rows are as they are now. A scan of another table is over.
    pub fn scan_chunk(
        &self,
        id: TableId,
        scan: &mut ScanPosition,
        cap_bytes: usize,
        out: &mut Vec<u8>,
    ) -> ScanChunk {
        self.table(id)
            .map_or(ScanChunk::Done, |table| scan.fill(table, cap_bytes, out))
    }

    /// The tables whose auto_increment mark this transaction raised, with the mark: what the log has
    /// to record beside the changes.
    pub fn high_water(&self) -> impl Iterator<Item = (TableId, u128)> {
        self.database.inner.undo.marks.iter().map(|&(number, _)| {
            let table = &self.database.inner.tables[number as usize];
            (table.id(), table.auto_increment())
        })
    }

    /// Keeps the writes. `changes` is cleared and filled with what they changed, net.
    #[must_use]
    pub fn commit(mut self, changes: &mut ChangeSet) -> Database {
        changes.clear();
        let Inner { tables, undo, .. } = &mut *self.database.inner;
        undo.group();
        for entry in &undo.entries {
            let table = &tables[entry.table as usize];
            let old = undo.old(entry);
            let new = entry.now.map(|at| table.row(at));
            if old != new {
                changes.push(table.id(), old, new);
            }
        }
        undo.clear();
        self.database
    }

    /// Undoes the writes, auto_increment too. Rows that had to move may lie elsewhere than before.
    #[must_use]
    pub fn rollback(mut self) -> Database {
        const ROOM: &str = "a table that had this row has room for it";
        let Inner { tables, undo, .. } = &mut *self.database.inner;
        for entry in undo.entries.iter().rev() {
            let table = &mut tables[entry.table as usize];
            match (undo.old(entry), entry.now) {
                (Some(old), Some(at)) if table.row(at) != old => {
                    table.replace(entry.hash, at, old).expect(ROOM);
                }
                (Some(old), None) => {
                    table.put(entry.hash, old).expect(ROOM);
                }
                (None, Some(at)) => table.take(entry.hash, at),
                (Some(_), Some(_)) | (None, None) => {}
            }
        }
        for &(number, mark) in &undo.marks {
            tables[number as usize].set_auto_increment(mark);
        }
        undo.clear();
        self.database
    }

    /// Primary keys that it has written so far.
    pub fn written_rows(&self) -> usize {
        self.database.inner.undo.entries.len()
    }

    /// Bytes that it has written so far: of new rows, or of the old ones where those were larger.
    pub fn written_bytes(&self) -> usize {
        self.database.inner.undo.written_bytes
    }

    #[inline]
    fn open(&mut self, id: TableId) -> Result<(u32, &mut Table, &mut Undo), WriteError> {
        let inner = &mut *self.database.inner;
        let number = inner.position(id).ok_or(WriteError::NoTable)?;
        Ok((number as u32, &mut inner.tables[number], &mut inner.undo))
    }
}

/// Raises the auto_increment mark to the value of a row that was written.
fn raise_mark(number: u32, table: &mut Table, undo: &mut Undo, row: &[u8]) {
    let before = table.auto_increment();
    table.raise_auto_increment(row);
    if table.auto_increment() != before {
        undo.note_mark(number, before);
    }
}

#[cfg(test)]
mod tests;
