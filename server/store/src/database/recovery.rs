//! A database that is being read from a checkpoint and a log.

use std::sync::Arc;

use syncline_protocol::{ChangeSet, TableId};

use super::{Database, StoreError};
use crate::schema::{DatabaseSchema, SchemaError};
use crate::table::Table;

/// Takes rows and logged changes without secondary indexes and builds those once, at the end: quicker
/// than [`Database::apply`], and indifferent to the order of changes within a commit. After an error
/// it is of no use.
#[derive(Debug)]
pub struct Recovery {
    database: Database,
}

impl Recovery {
    /// Goes on from a database, usually a new one.
    #[must_use]
    pub fn new(mut database: Database) -> Self {
        database
            .inner
            .tables
            .iter_mut()
            .for_each(Table::drop_indexes);
        Self { database }
    }

    /// The database so far: rows and primary keys, no secondary indexes.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// [`Database::install`], except that unique indexes are checked by [`Self::finish`].
    pub fn install(&mut self, schema: Arc<DatabaseSchema>) -> Result<(), SchemaError> {
        self.database.install_with(schema, false)
    }

    /// [`Database::clear_user_tables`].
    pub fn clear_user_tables(&mut self) {
        self.database.clear_user_tables();
    }

    /// [`Database::set_auto_increment`].
    pub fn set_auto_increment(&mut self, id: TableId, high_water: u128) {
        self.database.set_auto_increment(id, high_water);
    }

    /// Inserts a row, or replaces the one that has its primary key. Rows that are put into an empty
    /// table in page order lie in that order again.
    pub fn put(&mut self, id: TableId, row: &[u8]) -> Result<(), StoreError> {
        let table = self.database.table_mut(id).ok_or(StoreError::NoTable(id))?;
        table.validate(row).map_err(|_| StoreError::Malformed(id))?;
        let (hash, at) = table.locate(row);
        let at = match at {
            Some(at) => table.replace(hash, at, row),
            None => table.put(hash, row),
        };
        table.raise_auto_increment(row);
        at.map(|_| ()).ok_or(StoreError::TableFull(id))
    }

    /// Makes room for so many rows of a table at once.
    pub(crate) fn reserve(&mut self, id: TableId, rows: usize) {
        if let Some(table) = self.database.table_mut(id) {
            table.reserve(rows);
        }
    }

    /// Adds a row whose primary key no other row has.
    pub(crate) fn load(&mut self, id: TableId, row: &[u8]) -> Result<(), StoreError> {
        let table = self.database.table_mut(id).ok_or(StoreError::NoTable(id))?;
        table.validate(row).map_err(|_| StoreError::Malformed(id))?;
        let (hash, at) = table.locate(row);
        if at.is_some() {
            return Err(StoreError::Diverged(id));
        }
        let at = table.put(hash, row);
        at.map(|_| ()).ok_or(StoreError::TableFull(id))
    }

    /// Removes the row with this packed primary key.
    pub fn remove(&mut self, id: TableId, packed_primary_key: &[u8]) -> Result<(), StoreError> {
        let table = self.database.table_mut(id).ok_or(StoreError::NoTable(id))?;
        let (hash, at) = table.locate_key(packed_primary_key);
        table.take(hash, at.ok_or(StoreError::Diverged(id))?);
        Ok(())
    }

    /// Makes the logged changes of a commit again.
    pub fn apply(&mut self, changes: &ChangeSet) -> Result<(), StoreError> {
        self.database.apply(changes)
    }

    /// Builds the secondary indexes.
    pub fn finish(mut self) -> Result<Database, StoreError> {
        for table in &mut self.database.inner.tables {
            let def = Arc::clone(table.shared_def());
            let built = table
                .build_indexes(&def)
                .map_err(|_| StoreError::Diverged(table.id()))?;
            table.evolve(def, built);
        }
        Ok(self.database)
    }
}
