//! Read views: all rows as of one moment, while the writer goes on.

use std::sync::Arc;

use syncline_protocol::{RowLayout, TableDef, TableId};

use crate::pages::PagesView;
use crate::schema::DatabaseSchema;
use crate::table::{Rows, Table};

/// The rows of every table at the moment it was taken. It has no indexes. It may go to another
/// thread; the pages it holds stay in memory, and the writer copies each that it changes, until the
/// view is dropped.
#[derive(Clone, Debug)]
pub struct ReadView {
    schema: Arc<DatabaseSchema>,
    /// By id, ascending.
    tables: Vec<TableView>,
}

#[derive(Clone, Debug)]
struct TableView {
    id: TableId,
    def: Arc<TableDef>,
    layout: Arc<RowLayout>,
    pages: PagesView,
    auto_increment: u128,
    row_sum: u64,
}

const _: () = {
    const fn goes_to_another_thread<T: Send + Sync>() {}
    goes_to_another_thread::<ReadView>();
};

impl ReadView {
    pub(crate) fn new(schema: Arc<DatabaseSchema>, tables: &[Table]) -> Self {
        let view = |table: &Table| TableView {
            id: table.id(),
            def: Arc::clone(table.shared_def()),
            layout: Arc::clone(table.shared_layout()),
            pages: table.pages().clone(),
            auto_increment: table.auto_increment(),
            row_sum: table.row_sum(),
        };
        Self {
            schema,
            tables: tables.iter().map(view).collect(),
        }
    }

    /// The schema at that moment.
    pub fn schema(&self) -> &Arc<DatabaseSchema> {
        &self.schema
    }

    /// Ids of the tables, ascending, the system's among them.
    pub fn table_ids(&self) -> impl ExactSizeIterator<Item = TableId> {
        self.tables.iter().map(|table| table.id)
    }

    fn table(&self, id: TableId) -> Option<&TableView> {
        let position = self
            .tables
            .binary_search_by_key(&id, |table| table.id)
            .ok()?;
        self.tables.get(position)
    }

    /// Definition of a table.
    pub fn def(&self, id: TableId) -> Option<&Arc<TableDef>> {
        Some(&self.table(id)?.def)
    }

    /// Where the columns of a table lie.
    pub fn layout(&self, id: TableId) -> Option<&Arc<RowLayout>> {
        Some(&self.table(id)?.layout)
    }

    /// Number of rows of a table; 0 if there is no such table.
    pub fn len(&self, id: TableId) -> usize {
        self.table(id).map_or(0, |table| table.pages.len())
    }

    /// Whether a table has no rows.
    pub fn is_empty(&self, id: TableId) -> bool {
        self.len(id) == 0
    }

    /// High-water mark of a table's auto_increment column.
    pub fn auto_increment(&self, id: TableId) -> u128 {
        self.table(id).map_or(0, |table| table.auto_increment)
    }

    /// Wrapping sum of the hashes of a table's rows, as the writer kept it.
    pub fn row_sum(&self, id: TableId) -> u64 {
        self.table(id).map_or(0, |table| table.row_sum)
    }

    pub(crate) fn pages(&self, id: TableId) -> Option<&PagesView> {
        Some(&self.table(id)?.pages)
    }

    /// All rows of a table in page order; none if there is no such table.
    pub fn rows(&self, id: TableId) -> Rows<'_> {
        self.table(id)
            .map_or_else(Rows::none, |table| Rows::all(&table.pages))
    }
}

#[cfg(test)]
mod tests;
