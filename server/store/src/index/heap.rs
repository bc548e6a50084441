//! The rows that indexes point at.

use std::sync::Arc;

use syncline_protocol::RowLayout;

use super::columns::{KeyBuffer, KeyColumns};
use super::hash::{KeyHash, KeyHasher};
use crate::pages::{Pages, RowRef};

/// A table's rows and what reads them: every index looks its rows up here.
#[derive(Debug)]
pub(crate) struct Heap {
    pub(crate) layout: Arc<RowLayout>,
    pub(crate) pages: Pages,
    pub(crate) primary_key: KeyColumns,
    pub(crate) hasher: KeyHasher,
}

impl Heap {
    /// The row that lies there, if one does.
    #[inline]
    pub(crate) fn row(&self, at: RowRef) -> Option<&[u8]> {
        self.pages.view().get(at)
    }

    /// Whether the row that lies there has this packed key.
    #[inline]
    pub(crate) fn has_key(&self, at: RowRef, columns: &KeyColumns, packed_key: &[u8]) -> bool {
        self.row(at)
            .is_some_and(|row| columns.is_key_of(&self.layout, row, packed_key))
    }

    /// Hash of a row's key.
    #[inline]
    pub(crate) fn hash(&self, columns: &KeyColumns, row: &[u8]) -> KeyHash {
        let mut buffer = KeyBuffer::new();
        self.hasher
            .hash(columns.packed(&self.layout, row, &mut buffer))
    }
}
