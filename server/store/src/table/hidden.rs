//! Indexes that live queries make for themselves. They are of this process alone: no schema names them, no
//! module can use them, neither the log nor a checkpoint has them. They forbid no row: none is unique, and the
//! keys of an ordered one are short whatever the row.

use syncline_protocol::{IndexDef, IndexKind, Type};

use super::Table;
use super::error::IndexId;
use crate::index::Secondary;

/// A hidden index and its number.
#[derive(Debug)]
pub(super) struct Hidden {
    id: IndexId,
    index: Secondary,
}

/// All indexes of a table that are not its primary key.
#[inline]
pub(super) fn all<'a>(
    declared: &'a mut [Secondary],
    hidden: &'a mut [Hidden],
) -> impl Iterator<Item = &'a mut Secondary> {
    declared
        .iter_mut()
        .chain(hidden.iter_mut().map(|hidden| &mut hidden.index))
}

/// An index of a table as those see it who look for rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexShape<'a> {
    /// What names it.
    pub id: IndexId,
    /// Positions of its columns.
    pub columns: &'a [u16],
    /// Whether no two rows have the same key, NULLs aside.
    pub is_unique: bool,
}

impl Table {
    /// All indexes: the primary key, those of the definition, then hidden ones.
    pub fn indexes(&self) -> impl Iterator<Item = IndexShape<'_>> {
        let def = self.def();
        let primary = IndexShape {
            id: IndexId::PRIMARY,
            columns: &def.primary_key,
            is_unique: true,
        };
        let declared = def.indexes.iter().enumerate().map(|(at, own)| IndexShape {
            id: IndexId::secondary(at),
            columns: &own.columns,
            is_unique: own.unique,
        });
        let hidden = self.hidden.iter().map(|own| IndexShape {
            id: own.id,
            columns: &own.index.def().columns,
            is_unique: false,
        });
        std::iter::once(primary).chain(declared).chain(hidden)
    }

    /// Columns of any index.
    pub fn index_columns(&self, id: IndexId) -> Option<&[u16]> {
        let declared = self.def().index_columns(usize::from(id.0));
        declared.or_else(|| Some(&self.hidden_index(id)?.def().columns))
    }

    /// Whether an index is of the primary key, or unique.
    pub fn is_unique(&self, id: IndexId) -> bool {
        let declared = id.position().map(|at| self.def().indexes.get(at));
        declared.is_none_or(|index| index.is_some_and(|index| index.unique))
    }

    /// Bytes that a hidden index takes, roughly; 0 if there is no such one.
    pub fn hidden_index_bytes(&self, id: IndexId) -> usize {
        let index = self.hidden_index(id);
        index.map_or(0, |index| index.byte_len(self.len()))
    }

    pub(super) fn hidden_index(&self, id: IndexId) -> Option<&Secondary> {
        let own = self.hidden.iter().find(|own| own.id == id)?;
        Some(&own.index)
    }

    pub(crate) fn drop_hidden_index(&mut self, id: IndexId) {
        self.hidden.retain(|own| own.id != id);
    }

    pub(crate) fn drop_hidden_indexes(&mut self) {
        self.hidden.clear();
    }

    pub(crate) fn add_hidden_index(&mut self, columns: &[u16], kind: IndexKind) -> Option<IndexId> {
        let types = self.layout().types();
        let is_known = |column: &u16| usize::from(*column) < types.len();
        let is_short = |column: &u16| has_short_keys(&types[usize::from(*column)]);
        if columns.is_empty() || !columns.iter().all(is_known) {
            return None;
        }
        if kind != IndexKind::Hash && !columns.iter().all(is_short) {
            return None;
        }
        let mut numbers = (IndexId::FIRST_HIDDEN..=u16::MAX).map(IndexId);
        let id = numbers.find(|id| self.hidden.iter().all(|own| own.id != *id))?;
        let def = IndexDef {
            name: String::new(),
            columns: columns.to_vec(),
            kind,
            unique: false,
        };
        let index = Secondary::new(&def, self.layout()).filled(&self.heap);
        self.hidden.push(Hidden { id, index });
        Some(id)
    }
}

/// Whether the keys of a type are a few bytes, so that an ordered index of any rows can hold them.
fn has_short_keys(ty: &Type) -> bool {
    match ty {
        Type::Option(inner) => has_short_keys(inner),
        other => other.fixed_len().is_some(),
    }
}

#[cfg(test)]
mod tests;
