//! What names an index, and why a row is not written.

use syncline_protocol::CodecError;
use syncline_protocol::limits::{
    CALL_ROWS_MAX, CALL_WRITE_BYTES_MAX, INDEXES_MAX, KEY_BYTES_MAX, ROW_BYTES_MAX,
};

/// An index of a table: 0 is the primary key, `i + 1` is `indexes[i]` of the definition; see
/// [`Self::is_hidden`] for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexId(pub u16);

impl IndexId {
    /// The primary key.
    pub const PRIMARY: Self = Self(0);

    /// From here on no definition has indexes.
    pub(super) const FIRST_HIDDEN: u16 = 1 << 15;

    /// The index at this position of the definition's `indexes`.
    #[must_use]
    pub const fn secondary(position: usize) -> Self {
        Self(position as u16 + 1)
    }

    /// Whether it is the number of a hidden index: one that no definition has, nor a module can name.
    #[must_use]
    pub const fn is_hidden(self) -> bool {
        self.0 >= Self::FIRST_HIDDEN
    }

    /// Position in the definition's `indexes`; `None` for the primary key.
    #[must_use]
    pub fn position(self) -> Option<usize> {
        usize::from(self.0).checked_sub(1)
    }
}

const _: () = assert!(
    INDEXES_MAX < IndexId::FIRST_HIDDEN as usize,
    "no declared index has the number of a hidden one"
);

/// Why a row was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// Another row has the same key.
    #[error("another row has the same key")]
    Unique {
        /// The index in which it has.
        index: IndexId,
    },
    /// No row has this primary key.
    #[error("no row has this primary key")]
    NotFound,
    /// The row is malformed.
    #[error("the row is malformed: {0}")]
    Codec(#[from] CodecError),
    /// The row is over `row_bytes_max`.
    #[error("the row has more than {ROW_BYTES_MAX} bytes")]
    RowTooLarge,
    /// A key of the row is over `key_bytes_max`.
    #[error("a key of the row has more than {KEY_BYTES_MAX} bytes")]
    KeyTooLarge,
    /// The auto_increment column has no values left.
    #[error("the auto_increment column has no values left")]
    Exhausted,
    /// The transaction changes more than `call_rows_max` rows.
    #[error("the transaction changes more than {CALL_ROWS_MAX} rows")]
    TooManyRows,
    /// The transaction writes more than `call_write_bytes_max`.
    #[error("the transaction writes more than {CALL_WRITE_BYTES_MAX} bytes")]
    TooManyBytes,
    /// The table takes no more pages.
    #[error("the table is full")]
    TableFull,
    /// No table has this id.
    #[error("no table has this id")]
    NoTable,
}
