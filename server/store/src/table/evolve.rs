//! How a table gains indexes, loses them while a log is replayed, and gets them back.

use std::sync::Arc;

use syncline_protocol::TableDef;

use super::error::IndexId;
use super::{AutoIncrement, Pages, Table, hidden, row_bytes};
use crate::index::{BuildError, HashIndex, Secondary};

/// Indexes that a table is about to have: `None` where it has the index already.
pub(crate) type NewIndexes = Vec<Option<Secondary>>;

impl Table {
    /// Builds the indexes that `def` has and the table has not.
    pub(crate) fn build_indexes(
        &self,
        def: &TableDef,
    ) -> Result<NewIndexes, (IndexId, BuildError)> {
        let build = |(position, index)| {
            if self.secondary.iter().any(|own| own.def() == index) {
                return Ok(None);
            }
            let built = Secondary::build(index, &self.heap);
            built
                .map(Some)
                .map_err(|error| (IndexId::secondary(position), error))
        };
        def.indexes.iter().enumerate().map(build).collect()
    }

    /// Takes over a definition that differs in its indexes and the `public` mark alone, with the
    /// indexes that [`Self::build_indexes`] made for it. Hidden ones stay.
    pub(crate) fn evolve(&mut self, def: Arc<TableDef>, new: NewIndexes) {
        let mut old = std::mem::take(&mut self.secondary);
        for (index, built) in def.indexes.iter().zip(new) {
            let own = |old: &mut Vec<Secondary>| {
                let position = old.iter().position(|own| own.def() == index);
                old.swap_remove(position.expect("what was not built is there"))
            };
            self.secondary.push(built.unwrap_or_else(|| own(&mut old)));
        }
        self.def = def;
    }

    /// Drops the secondary indexes, until [`Self::build_indexes`] and [`Self::evolve`] bring them
    /// back; hidden ones for good.
    pub(crate) fn drop_indexes(&mut self) {
        self.secondary.clear();
        self.drop_hidden_indexes();
    }

    /// Removes all rows and resets the auto_increment mark.
    pub(crate) fn clear(&mut self) {
        self.heap.pages = Pages::new(row_bytes(&self.heap.layout));
        self.primary = HashIndex::default();
        self.row_sum = 0;
        self.auto_increment = AutoIncrement::new(&self.def);
        for index in hidden::all(&mut self.secondary, &mut self.hidden) {
            *index = Secondary::new(&index.def().clone(), &self.heap.layout);
        }
    }
}
