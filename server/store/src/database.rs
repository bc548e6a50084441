//! A database: its schema and its tables, between two transactions.

use std::sync::Arc;

use syncline_protocol::{ChangeSet, TableId};

use crate::schema::{self, DatabaseSchema, SchemaDifference, SchemaError};
use crate::table::Table;
use crate::transaction::Transaction;
use crate::view::ReadView;

/// Tables and schema. Moving it moves a pointer.
#[derive(Debug)]
pub struct Database {
    inner: Box<Inner>,
}

#[derive(Clone, Debug)]
struct Inner {
    schema: Arc<DatabaseSchema>,
    /// By id, ascending.
    tables: Vec<Table>,
    hash_seed: u64,
}

/// Why logged changes do not fit the database: one of the two is damaged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No table has this id.
    #[error("a change names table {}, which does not exist", .0.0)]
    NoTable(TableId),
    /// The changed row is not the one that is there, or there where none should be.
    #[error("a change of table {} does not fit the row that is there", .0.0)]
    Diverged(TableId),
    /// A row or key is malformed.
    #[error("a changed row of table {} is malformed", .0.0)]
    Malformed(TableId),
}

impl Database {
    /// A database that has the system's tables alone. The seed is that of its hash tables.
    #[must_use]
    pub fn new(hash_seed: u64) -> Self {
        let tables = vec![Table::new(
            TableId::CONNECTIONS,
            Arc::clone(schema::connections()),
        )];
        let schema = Arc::new(DatabaseSchema::empty());
        Self {
            inner: Box::new(Inner {
                schema,
                tables,
                hash_seed,
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

    /// Adds the tables and builds the indexes that `schema` has and the installed one has not. After
    /// [`Self::clear_user_tables`] also drops tables that it has not. On an error nothing changed.
    pub fn install(&mut self, schema: Arc<DatabaseSchema>) -> Result<(), SchemaError> {
        let mut tables: Vec<Table> = Vec::new();
        for table in &self.inner.tables {
            let kept = schema.tables().any(|(id, _)| id == table.id());
            if table.id() < TableId::FIRST_USER {
                tables.push(table.clone());
            } else if !kept && !table.is_empty() {
                let table = table.def().name.clone();
                let text = format!("table `{table}` is gone and has rows");
                return Err(SchemaError::Unrelated(SchemaDifference { table, text }));
            }
        }
        for (id, def) in schema.tables() {
            let def = Arc::new(def.clone());
            let Some(old) = self.table(id) else {
                tables.push(Table::new(id, def));
                continue;
            };
            if let Some(found) = schema::differences_between(old.def(), &def)
                .into_iter()
                .next()
            {
                return Err(SchemaError::Unrelated(found));
            }
            let new = old.with_def(def);
            for row in new.rows() {
                if let Some(index) = new.unique_conflict(row, &new.primary_key(row)) {
                    return Err(SchemaError::Unique {
                        table: new.def().name.clone(),
                        index: new.def().indexes[usize::from(index.0) - 1].name.clone(),
                    });
                }
            }
            tables.push(new);
        }
        tables.sort_by_key(Table::id);
        self.inner.tables = tables;
        self.inner.schema = schema;
        Ok(())
    }

    /// A table of the module or the system.
    pub fn table(&self, id: TableId) -> Option<&Table> {
        self.inner.tables.iter().find(|table| table.id() == id)
    }

    pub(crate) fn table_mut(&mut self, id: TableId) -> Option<&mut Table> {
        self.inner.tables.iter_mut().find(|table| table.id() == id)
    }

    /// All tables, by id.
    pub fn tables(&self) -> impl ExactSizeIterator<Item = &Table> {
        self.inner.tables.iter()
    }

    /// Starts the one transaction that may be open; commit or rollback give the database back.
    #[must_use]
    pub fn begin(self) -> Transaction {
        Transaction::new(self)
    }

    /// Makes logged changes again.
    pub fn apply(&mut self, changes: &ChangeSet) -> Result<(), StoreError> {
        for change in changes.iter() {
            let table = self
                .table_mut(change.table)
                .ok_or(StoreError::NoTable(change.table))?;
            for row in [change.old, change.new].into_iter().flatten() {
                table
                    .layout()
                    .validate(row)
                    .map_err(|_| StoreError::Malformed(change.table))?;
            }
            if let Some(old) = change.old {
                let removed = table.rows.remove(&table.primary_key(old));
                if removed.as_deref() != Some(old) {
                    return Err(StoreError::Diverged(change.table));
                }
            }
            if let Some(new) = change.new {
                let replaced = table.rows.insert(table.primary_key(new), new.to_vec());
                if replaced.is_some() {
                    return Err(StoreError::Diverged(change.table));
                }
            }
        }
        Ok(())
    }

    /// High-water mark of a table's auto_increment column; 0 if there is none.
    pub fn auto_increment(&self, id: TableId) -> u128 {
        self.table(id).map_or(0, Table::auto_increment)
    }

    /// Sets the high-water mark that the log recorded. Without such a table nothing happens.
    pub fn set_auto_increment(&mut self, id: TableId, high_water: u128) {
        if let Some(table) = self.table_mut(id) {
            table.auto_increment = high_water;
        }
    }

    /// Removes every row of every table of the module and resets their auto_increment marks.
    pub fn clear_user_tables(&mut self) {
        for table in &mut self.inner.tables {
            if table.id() >= TableId::FIRST_USER {
                table.rows.clear();
                table.auto_increment = 0;
            }
        }
    }

    /// All rows as of now.
    #[must_use]
    pub fn read_view(&self) -> ReadView {
        ReadView::new(Arc::clone(&self.inner.schema), self.inner.tables.clone())
    }

    /// A copy of the tables, to go back to.
    pub(crate) fn backup(&self) -> Self {
        Self {
            inner: self.inner.clone(),
        }
    }
}
