//! Indexes of this process alone, for live queries: see `table/hidden.rs`.

use syncline_protocol::{IndexKind, TableId};

use super::Database;
use crate::table::{IndexId, Table};

impl Database {
    /// Makes a hidden index of a table, which costs a look at all its rows. `None` if there is no such table or
    /// column, or if the index would be ordered and keys of a column can be long.
    pub fn add_hidden_index(
        &mut self,
        table: TableId,
        columns: &[u16],
        kind: IndexKind,
    ) -> Option<IndexId> {
        self.table_mut(table)?.add_hidden_index(columns, kind)
    }

    /// Drops a hidden index; there need not be one.
    pub fn drop_hidden_index(&mut self, table: TableId, index: IndexId) {
        if let Some(table) = self.table_mut(table) {
            table.drop_hidden_index(index);
        }
    }

    /// Drops all hidden indexes.
    pub fn drop_hidden_indexes(&mut self) {
        let tables = self.inner.tables.iter_mut();
        tables.for_each(Table::drop_hidden_indexes);
    }
}
