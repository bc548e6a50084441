//! How a table changes. Uniqueness and limits are checked before, by [`Table::check`] and
//! [`Table::unique_conflict`]; these functions keep rows and indexes in step.

use syncline_protocol::limits::{KEY_BYTES_MAX, ROW_BYTES_MAX};
use syncline_protocol::{CodecError, Type};

use super::error::{IndexId, WriteError};
use super::{Heap, Table, hidden, row_hash};
use crate::index::{KeyBuffer, KeyHash};
use crate::pages::RowRef;

impl Table {
    /// Checks size and form of a row and the size of its keys; makes its floats canonical.
    pub(crate) fn check(&self, row: &mut [u8]) -> Result<(), WriteError> {
        if row.len() > ROW_BYTES_MAX {
            return Err(WriteError::RowTooLarge);
        }
        if self.plain_len != Some(row.len()) {
            self.heap.layout.canonicalize(row)?;
        }
        let Heap {
            layout,
            primary_key,
            ..
        } = &self.heap;
        if primary_key.fixed_len().is_none() {
            let mut buffer = KeyBuffer::new();
            if primary_key.packed(layout, row, &mut buffer).len() > KEY_BYTES_MAX {
                return Err(WriteError::KeyTooLarge);
            }
        }
        if self
            .secondary
            .iter()
            .any(|index| index.is_too_large(layout, row))
        {
            return Err(WriteError::KeyTooLarge);
        }
        Ok(())
    }

    /// Checks the form of a row.
    pub(crate) fn validate(&self, row: &[u8]) -> Result<(), CodecError> {
        if self.plain_len == Some(row.len()) {
            Ok(())
        } else {
            self.heap.layout.validate(row)
        }
    }

    /// Hash of the primary key of `row`, and where the row with this key lies.
    #[inline]
    pub(crate) fn locate(&self, row: &[u8]) -> (KeyHash, Option<RowRef>) {
        let mut buffer = KeyBuffer::new();
        self.locate_key(
            self.heap
                .primary_key
                .packed(&self.heap.layout, row, &mut buffer),
        )
    }

    /// Hash of a primary key, and where the row with this key lies.
    #[inline]
    pub(crate) fn locate_key(&self, packed_key: &[u8]) -> (KeyHash, Option<RowRef>) {
        let heap = &self.heap;
        let hash = heap.hasher.hash(packed_key);
        let is_match = |at| heap.has_key(at, &heap.primary_key, packed_key);
        (hash, self.primary.find(hash, is_match))
    }

    /// [`Self::locate_key`] of a key from outside, whose floats need not be canonical.
    #[inline]
    pub(crate) fn locate_any_key(&self, packed_key: &[u8]) -> (KeyHash, Option<RowRef>) {
        let mut buffer = KeyBuffer::new();
        let Heap {
            layout,
            primary_key,
            ..
        } = &self.heap;
        self.locate_key(primary_key.canonical(layout, packed_key, &mut buffer))
    }

    /// The row that lies there.
    #[inline]
    pub(crate) fn row(&self, at: RowRef) -> &[u8] {
        self.heap.row(at).expect("an index points at rows")
    }

    /// Whether two rows have the same primary key.
    pub(crate) fn same_primary_key(&self, one: &[u8], two: &[u8]) -> bool {
        self.heap.primary_key.same(&self.heap.layout, one, two)
    }

    /// The first unique index that forbids `row`, which takes the place of the row at `own`.
    pub(crate) fn unique_conflict(&self, row: &[u8], own: Option<RowRef>) -> Option<IndexId> {
        let heap = &self.heap;
        let old = own.map(|at| self.row(at));
        let forbids = |index: &crate::index::Secondary| {
            index.def().unique
                && !old.is_some_and(|old| index.columns().same(&heap.layout, old, row))
                && index.forbids(heap, row, own)
        };
        self.secondary
            .iter()
            .position(forbids)
            .map(IndexId::secondary)
    }

    /// Whether another row than the one at `own`, which is `row`, has its key in a unique index.
    pub(crate) fn is_forbidden(&self, row: &[u8], own: Option<RowRef>) -> bool {
        self.secondary
            .iter()
            .any(|index| index.forbids(&self.heap, row, own))
    }

    /// Raises the auto_increment mark to the value of a valid row.
    pub(crate) fn raise_auto_increment(&mut self, row: &[u8]) {
        if let Some(column) = &mut self.auto_increment {
            column.high_water = column.mark_with(&self.heap.layout, row);
        }
    }

    /// Whether a transaction may add no row and lengthen none.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.heap.pages.is_full()
    }

    /// Makes room for so many rows in the primary key.
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.primary.reserve(rows);
    }

    /// Adds a row whose primary key has this hash; `None` if the table is full.
    pub(crate) fn put(&mut self, hash: KeyHash, row: &[u8]) -> Option<RowRef> {
        let at = self.heap.pages.insert(row)?;
        self.row_sum = self.row_sum.wrapping_add(row_hash(row));
        self.primary.insert(hash, at);
        for index in hidden::all(&mut self.secondary, &mut self.hidden) {
            index.insert(&self.heap, row, at);
        }
        Some(at)
    }

    /// Replaces the row that lies there by one with the same primary key and returns where that
    /// lies; `None`, and nothing changed, if the table is full.
    pub(crate) fn replace(&mut self, hash: KeyHash, at: RowRef, row: &[u8]) -> Option<RowRef> {
        let old = self.heap.row(at).expect("an index points at rows");
        let gone = row_hash(old);
        if !self.secondary.is_empty() || !self.hidden.is_empty() {
            self.old_row.clear();
            self.old_row.extend_from_slice(old);
        }
        let now_at = self.heap.pages.update(at, row)?;
        let sum = self.row_sum.wrapping_sub(gone);
        self.row_sum = sum.wrapping_add(row_hash(row));
        if now_at != at {
            self.primary.relocate(hash, at, now_at);
        }
        for index in hidden::all(&mut self.secondary, &mut self.hidden) {
            let old = &self.old_row;
            if !index.columns().same(&self.heap.layout, old, row) {
                index.remove(&self.heap, old, at);
                index.insert(&self.heap, row, now_at);
            } else if now_at != at {
                index.relocate(&self.heap, old, at, now_at);
            }
        }
        Some(now_at)
    }

    /// Removes the row that lies there.
    pub(crate) fn take(&mut self, hash: KeyHash, at: RowRef) {
        let row = self.heap.row(at).expect("an index points at rows");
        self.row_sum = self.row_sum.wrapping_sub(row_hash(row));
        for index in hidden::all(&mut self.secondary, &mut self.hidden) {
            index.remove(&self.heap, row, at);
        }
        self.primary.remove(hash, at);
        self.heap.pages.remove(at);
    }
}

/// Length of every row if all bytes of that length are a valid and canonical row.
pub(super) fn plain_len(types: &[Type]) -> Option<usize> {
    fn is_plain(ty: &Type) -> bool {
        match ty {
            Type::Struct(inner) => inner.fields.iter().all(|field| is_plain(&field.ty)),
            Type::Bool | Type::F32 | Type::F64 | Type::Decimal | Type::Enum(_) => false,
            other => other.fixed_len().is_some(),
        }
    }
    types
        .iter()
        .map(|ty| ty.fixed_len().filter(|_| is_plain(ty)))
        .sum()
}
