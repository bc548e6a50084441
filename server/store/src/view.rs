//! Read views: all rows as of one moment, while the writer goes on.

use std::sync::Arc;

use syncline_protocol::{RowLayout, TableDef, TableId};

use crate::schema::DatabaseSchema;
use crate::table::{Rows, Table};

/// The rows of every table at the moment it was taken. It has no indexes. It may go to another
/// thread; what it holds stays in memory until it is dropped.
#[derive(Debug)]
pub struct ReadView {
    schema: Arc<DatabaseSchema>,
    tables: Vec<Table>,
}

impl ReadView {
    pub(crate) fn new(schema: Arc<DatabaseSchema>, tables: Vec<Table>) -> Self {
        Self { schema, tables }
    }

    /// The schema at that moment.
    pub fn schema(&self) -> &Arc<DatabaseSchema> {
        &self.schema
    }

    /// Ids of the tables, ascending, the system's among them.
    pub fn table_ids(&self) -> impl ExactSizeIterator<Item = TableId> {
        self.tables.iter().map(Table::id)
    }

    fn table(&self, id: TableId) -> Option<&Table> {
        self.tables.iter().find(|table| table.id() == id)
    }

    /// Definition of a table.
    pub fn def(&self, id: TableId) -> Option<&Arc<TableDef>> {
        Some(self.table(id)?.shared_def())
    }

    /// Where the columns of a table lie.
    pub fn layout(&self, id: TableId) -> Option<&Arc<RowLayout>> {
        Some(self.table(id)?.shared_layout())
    }

    /// Number of rows of a table; 0 if there is no such table.
    pub fn len(&self, id: TableId) -> usize {
        self.table(id).map_or(0, Table::len)
    }

    /// Whether a table has no rows.
    pub fn is_empty(&self, id: TableId) -> bool {
        self.len(id) == 0
    }

    /// High-water mark of a table's auto_increment column.
    pub fn auto_increment(&self, id: TableId) -> u128 {
        self.table(id).map_or(0, Table::auto_increment)
    }

    /// All rows of a table in page order; none if there is no such table.
    pub fn rows(&self, id: TableId) -> Rows<'_> {
        self.table(id).map_or_else(Rows::none, Table::rows)
    }
}
