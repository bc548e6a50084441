//! The one transaction that may be open on a database.

use syncline_protocol::limits::{
    CALL_ROWS_MAX, CALL_WRITE_BYTES_MAX, KEY_BYTES_MAX, ROW_BYTES_MAX,
};
use syncline_protocol::{ChangeSet, CodecError, TableId, Type};

use crate::database::Database;
use crate::table::{IndexId, Table};

mod scan;

pub use scan::{ScanChunk, ScanError, ScanPosition};

/// Writes in place and sees its own writes, until [`Self::commit`] or [`Self::rollback`] give the
/// database back. A write that fails changed nothing.
#[derive(Debug)]
#[must_use = "a transaction owns the database: commit it or roll it back"]
pub struct Transaction {
    database: Database,
    before: Database,
    touched: Vec<(TableId, Vec<u8>)>,
    written_bytes: usize,
}

/// Why a row was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// Another row has the same key.
    #[error("another row has the same key")]
    Unique {
        /// The index in which it has.
        index: IndexId,
    },
    /// No row has this primary key.
    #[error("no row has this primary key")]
    NotFound,
    /// The row is malformed.
    #[error("the row is malformed: {0}")]
    Codec(#[from] CodecError),
    /// The row is over `row_bytes_max`.
    #[error("the row has more than {ROW_BYTES_MAX} bytes")]
    RowTooLarge,
    /// A key of the row is over `key_bytes_max`.
    #[error("a key of the row has more than {KEY_BYTES_MAX} bytes")]
    KeyTooLarge,
    /// The auto_increment column has no values left.
    #[error("the auto_increment column has no values left")]
    Exhausted,
    /// The transaction changes more than `call_rows_max` rows.
    #[error("the transaction changes more than {CALL_ROWS_MAX} rows")]
    TooManyRows,
    /// The transaction writes more than `call_write_bytes_max`.
    #[error("the transaction writes more than {CALL_WRITE_BYTES_MAX} bytes")]
    TooManyBytes,
    /// The table takes no more pages.
    #[error("the table is full")]
    TableFull,
    /// No table has this id.
    #[error("no table has this id")]
    NoTable,
}

impl Transaction {
    pub(crate) fn new(database: Database) -> Self {
        let before = database.backup();
        Self {
            database,
            before,
            touched: Vec::new(),
            written_bytes: 0,
        }
    }

    /// A table, with the writes of this transaction.
    pub fn table(&self, id: TableId) -> Option<&Table> {
        self.database.table(id)
    }

    /// Inserts a row; its floats become canonical in `row`. A 0 in the auto_increment column is
    /// replaced, in `row` too, by the next value, which is returned.
    pub fn insert(&mut self, id: TableId, row: &mut Vec<u8>) -> Result<Option<u128>, WriteError> {
        let table = self.database.table(id).ok_or(WriteError::NoTable)?;
        check(table, row)?;
        let (assigned, mark) = auto_increment(table, row)?;
        let key = table.primary_key(row);
        if table.rows.contains_key(&key) {
            return Err(WriteError::Unique {
                index: IndexId::PRIMARY,
            });
        }
        if let Some(index) = table.unique_conflict(row, &key) {
            return Err(WriteError::Unique { index });
        }
        self.touch(id, &key, row.len())?;
        let table = self.database.table_mut(id).ok_or(WriteError::NoTable)?;
        table.auto_increment = mark;
        table.rows.insert(key, row.clone());
        Ok(assigned)
    }

    /// Replaces the row that has the primary key of `row`; its floats become canonical in `row`.
    pub fn update(&mut self, id: TableId, row: &mut [u8]) -> Result<(), WriteError> {
        let table = self.database.table(id).ok_or(WriteError::NoTable)?;
        check(table, row)?;
        let key = table.primary_key(row);
        let old_len = table.rows.get(&key).ok_or(WriteError::NotFound)?.len();
        if let Some(index) = table.unique_conflict(row, &key) {
            return Err(WriteError::Unique { index });
        }
        let mut probe = row.to_vec();
        let mark = match auto_increment(table, &mut probe) {
            Ok((None, mark)) => mark,
            _ => table.auto_increment,
        };
        self.touch(id, &key, row.len().max(old_len))?;
        let table = self.database.table_mut(id).ok_or(WriteError::NoTable)?;
        table.auto_increment = mark;
        table.rows.insert(key, row.to_vec());
        Ok(())
    }

    /// Deletes the row with this packed primary key; `false` if there is none.
    pub fn delete(&mut self, id: TableId, packed_primary_key: &[u8]) -> Result<bool, WriteError> {
        let table = self.database.table(id).ok_or(WriteError::NoTable)?;
        let Some(old) = table.rows.get(packed_primary_key) else {
            return Ok(false);
        };
        self.touch(id, packed_primary_key, old.len())?;
        let table = self.database.table_mut(id).ok_or(WriteError::NoTable)?;
        Ok(table.rows.remove(packed_primary_key).is_some())
    }

    fn touch(&mut self, id: TableId, key: &[u8], bytes: usize) -> Result<(), WriteError> {
        if self.written_bytes + bytes > CALL_WRITE_BYTES_MAX {
            return Err(WriteError::TooManyBytes);
        }
        if !self
            .touched
            .iter()
            .any(|(table, own)| *table == id && own == key)
        {
            if self.touched.len() == CALL_ROWS_MAX {
                return Err(WriteError::TooManyRows);
            }
            self.touched.push((id, key.to_vec()));
        }
        self.written_bytes += bytes;
        Ok(())
    }

    /// Appends rows of a scan to `out`, each a u32 length and the row, up to `cap_bytes` in all, and
    /// moves `scan` on. Rows are as they are now.
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

    /// Tables whose auto_increment mark this transaction raised, with the mark.
    pub fn high_water(&self) -> impl Iterator<Item = (TableId, u128)> {
        let marks = self
            .database
            .tables()
            .map(|table| (table.id(), table.auto_increment()));
        marks.filter(|&(id, mark)| mark != self.before.auto_increment(id))
    }

    /// Keeps the writes. `changes` is cleared and filled with what they changed, net.
    pub fn commit(self, changes: &mut ChangeSet) -> Database {
        changes.clear();
        let mut touched = self.touched;
        touched.sort_by_key(|(id, _)| *id);
        for (id, key) in &touched {
            let row = |database: &'_ Database| {
                database
                    .table(*id)
                    .and_then(|table| table.rows.get(key).cloned())
            };
            let (old, new) = (row(&self.before), row(&self.database));
            if old != new {
                changes.push(*id, old.as_deref(), new.as_deref());
            }
        }
        self.database
    }

    /// Undoes the writes, auto_increment too.
    #[must_use]
    pub fn rollback(self) -> Database {
        self.before
    }

    /// Rows that it has written so far.
    pub fn written_rows(&self) -> usize {
        self.touched.len()
    }

    /// Bytes that it has written so far: of new rows, and of old ones where they were larger.
    pub fn written_bytes(&self) -> usize {
        self.written_bytes
    }
}

/// Limits and form of a row; makes its floats canonical.
fn check(table: &Table, row: &mut [u8]) -> Result<(), WriteError> {
    if row.len() > ROW_BYTES_MAX {
        return Err(WriteError::RowTooLarge);
    }
    table.layout().canonicalize(row)?;
    let indexes = table.def().indexes.iter().map(|index| &index.columns);
    for columns in indexes.chain([&table.def().primary_key]) {
        let lens = columns
            .iter()
            .map(|&c| table.layout().column(row, usize::from(c)).len());
        if lens.sum::<usize>() > KEY_BYTES_MAX {
            return Err(WriteError::KeyTooLarge);
        }
    }
    Ok(())
}

/// Fills the auto_increment column if it is 0: the value it got, and the mark after the write.
fn auto_increment(table: &Table, row: &mut [u8]) -> Result<(Option<u128>, u128), WriteError> {
    let mark = table.auto_increment;
    let Some(column) = table.def().auto_increment else {
        return Ok((None, mark));
    };
    let column = usize::from(column);
    let signed = matches!(
        table.layout().types()[column],
        Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::I128
    );
    let mut start = 0;
    for before in 0..column {
        start += table.layout().column(row, before).len();
    }
    let len = table.layout().column(row, column).len();
    let bytes = &mut row[start..start + len];
    let mut wide = [0; 16];
    wide[..len].copy_from_slice(bytes);
    let value = u128::from_le_bytes(wide);
    if value == 0 {
        let max = u128::MAX >> (128 - len * 8 + usize::from(signed));
        if mark >= max {
            return Err(WriteError::Exhausted);
        }
        let next = mark + 1;
        bytes.copy_from_slice(&next.to_le_bytes()[..len]);
        return Ok((Some(next), next));
    }
    let negative = signed && bytes[len - 1] >> 7 == 1;
    Ok((None, if negative { mark } else { mark.max(value) }))
}
