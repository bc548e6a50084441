//! A database: its schema and its tables.

use std::sync::Arc;

use syncline_protocol::{ChangeSet, TableId};

mod hidden;
mod install;
mod recovery;
mod undo;

pub use recovery::Recovery;
pub(crate) use undo::Undo;

use crate::schema::{self, DatabaseSchema};
use crate::table::Table;
use crate::view::ReadView;

/// Tables and schema. Moving it moves a pointer.
#[derive(Debug)]
pub struct Database {
    pub(crate) inner: Box<Inner>,
}

/// What a [`Database`] or the transaction that holds it points at.
#[derive(Debug)]
pub(crate) struct Inner {
    schema: Arc<DatabaseSchema>,
    /// Ascending.
    ids: Vec<TableId>,
    /// Parallel to `ids`.
    pub(crate) tables: Vec<Table>,
    hash_seed: u64,
    /// Of the open transaction; empty if there is none.
    pub(crate) undo: Undo,
}

/// Why logged changes do not fit the database: one of the two is damaged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No table has this id.
    #[error("a change names table {}, which does not exist", .0.0)]
    NoTable(TableId),
    /// The changed row is not the one that is there, or there where none should be.
    #[error("a change of table {} does not fit the rows that are there", .0.0)]
    Diverged(TableId),
    /// A row or key is malformed.
    #[error("a changed row of table {} is malformed", .0.0)]
    Malformed(TableId),
    /// The table takes no more pages.
    #[error("table {} is full", .0.0)]
    TableFull(TableId),
}

impl Database {
    /// A database that has the system's tables alone. The seed is that of its hash tables.
    #[must_use]
    pub fn new(hash_seed: u64) -> Self {
        let connections = Arc::clone(schema::connections());
        let table = Table::new(TableId::CONNECTIONS, connections, hash_seed);
        Self {
            inner: Box::new(Inner {
                schema: Arc::new(DatabaseSchema::empty()),
                ids: vec![table.id()],
                tables: vec![table],
                hash_seed,
                undo: Undo::default(),
            }),
        }
    }

    /// What is installed.
    pub fn schema(&self) -> &Arc<DatabaseSchema> {
        &self.inner.schema
    }

    /// The seed of its hash tables.
    pub fn hash_seed(&self) -> u64 {
        self.inner.hash_seed
    }

    /// A table of the module or the system.
    pub fn table(&self, id: TableId) -> Option<&Table> {
        self.inner.table(id)
    }

    /// All tables, by id.
    pub fn tables(&self) -> impl ExactSizeIterator<Item = &Table> {
        self.inner.tables.iter()
    }

    /// High-water mark of a table's auto_increment column; 0 if there is none.
    pub fn auto_increment(&self, id: TableId) -> u128 {
        self.table(id).map_or(0, Table::auto_increment)
    }

    /// Sets the high-water mark that the log recorded. Without such a table nothing happens.
    pub fn set_auto_increment(&mut self, id: TableId, high_water: u128) {
        if let Some(table) = self.table_mut(id) {
            table.set_auto_increment(high_water);
        }
    }

    /// Removes every row of every table of the module and resets their auto_increment marks.
    pub fn clear_user_tables(&mut self) {
        let tables = self.inner.tables.iter_mut();
        tables
            .filter(|table| table.id() >= TableId::FIRST_USER)
            .for_each(Table::clear);
    }

    /// Makes logged changes again. On an error the database is left half changed and of no use.
    pub fn apply(&mut self, changes: &ChangeSet) -> Result<(), StoreError> {
        for change in changes.iter() {
            let table = self
                .table_mut(change.table)
                .ok_or(StoreError::NoTable(change.table))?;
            table.apply(change.old, change.new)?;
        }
        for change in changes.iter() {
            let Some(table) = self.table(change.table) else {
                continue;
            };
            let at = change.new.map(|new| (new, table.locate(new).1));
            if at.is_some_and(|(new, at)| table.is_forbidden(new, at)) {
                return Err(StoreError::Diverged(change.table));
            }
        }
        Ok(())
    }

    /// All rows as of now.
    #[must_use]
    pub fn read_view(&self) -> ReadView {
        ReadView::new(Arc::clone(&self.inner.schema), &self.inner.tables)
    }

    fn table_mut(&mut self, id: TableId) -> Option<&mut Table> {
        let position = self.inner.position(id)?;
        self.inner.tables.get_mut(position)
    }
}

impl Inner {
    pub(crate) fn schema(&self) -> &Arc<DatabaseSchema> {
        &self.schema
    }

    #[inline]
    pub(crate) fn table(&self, id: TableId) -> Option<&Table> {
        self.tables.get(self.position(id)?)
    }

    /// Position of a table in `tables`.
    #[inline]
    pub(crate) fn position(&self, id: TableId) -> Option<usize> {
        self.ids.binary_search(&id).ok()
    }
}

impl Table {
    /// Makes a logged change of a row again; uniqueness is the caller's.
    fn apply(&mut self, old: Option<&[u8]>, new: Option<&[u8]>) -> Result<(), StoreError> {
        let id = self.id();
        for row in [old, new].into_iter().flatten() {
            self.validate(row).map_err(|_| StoreError::Malformed(id))?;
        }
        let diverged = StoreError::Diverged(id);
        let full = StoreError::TableFull(id);
        match (old, new) {
            (Some(old), new) => {
                let (hash, at) = self.locate(old);
                let at = at
                    .filter(|&at| self.row(at) == old)
                    .ok_or(diverged.clone())?;
                match new {
                    None => self.take(hash, at),
                    Some(new) if self.same_primary_key(old, new) => {
                        self.replace(hash, at, new).ok_or(full)?;
                    }
                    Some(_) => return Err(diverged),
                }
            }
            (None, Some(new)) => {
                let (hash, at) = self.locate(new);
                if at.is_some() {
                    return Err(diverged);
                }
                self.put(hash, new).ok_or(full)?;
            }
            (None, None) => {}
        }
        if let Some(new) = new {
            self.raise_auto_increment(new);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
