//! Why a row was not written.

use core::fmt;

use syncline_protocol::abi;

use super::{PRIMARY, Row, fetch};
use crate::guest::registry::TableEntry;

/// Why a row was not written. Nothing changed, and the reducer may go on; with `?` the error becomes the
/// reducer's own and the transaction is rolled back.
///
/// Rows, keys or transactions over a size limit are not among these: they end the call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteError {
    /// Another row has the same primary key or unique key.
    Conflict {
        /// The table.
        table: &'static str,
        /// The columns of that key, separated by a comma and a space.
        columns: String,
    },
    /// There is no row with this primary key.
    NotFound {
        /// The table.
        table: &'static str,
    },
    /// The auto-increment column has no numbers left.
    Exhausted {
        /// The table.
        table: &'static str,
    },
}

impl WriteError {
    #[cold]
    pub(super) fn of_insert<R: Row>(row: &R, status: i64) -> Self {
        match status {
            abi::STATUS_UNIQUE => Self::conflict(row),
            abi::STATUS_EXHAUSTED => Self::Exhausted {
                table: R::entry().name,
            },
            other => unknown(other),
        }
    }

    #[cold]
    pub(super) fn of_update<R: Row>(row: &R, status: i64) -> Self {
        match status {
            abi::STATUS_UNIQUE => Self::conflict(row),
            abi::STATUS_NOT_FOUND => Self::NotFound {
                table: R::entry().name,
            },
            other => unknown(other),
        }
    }

    fn conflict<R: Row>(row: &R) -> Self {
        let primary_key = |row: &R| {
            let mut key = Vec::new();
            row.put_index_key(PRIMARY, &mut key);
            key
        };
        taken(R::entry(), &primary_key(row), &|index| {
            fetch(index, |out| row.put_index_key(index, out))
                .as_ref()
                .map(primary_key)
        })
    }
}

/// Looks for the key that is taken: the host does not say which, and it matters only here. `holder` gives
/// the primary key of the row that has our key of a unique index.
#[cold]
fn taken(entry: &TableEntry, own: &[u8], holder: &dyn Fn(u32) -> Option<Vec<u8>>) -> WriteError {
    let index = (1..).zip(entry.indexes).find(|(number, index)| {
        index.unique && holder(*number).is_some_and(|primary_key| primary_key != own)
    });
    let columns = index.map_or(entry.primary_key, |(_, index)| index.columns);
    let mut names = String::new();
    for &column in columns {
        if !names.is_empty() {
            names.push_str(", ");
        }
        names.push_str(entry.columns[usize::from(column)].0);
    }
    WriteError::Conflict {
        table: entry.name,
        columns: names,
    }
}

#[cold]
fn unknown(status: i64) -> ! {
    panic!("the host answered a write with status {status}")
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict { table, columns } => {
                write!(f, "`{table}` has a row with this {columns} already")
            }
            Self::NotFound { table } => write!(f, "`{table}` has no row with this primary key"),
            Self::Exhausted { table } => {
                write!(
                    f,
                    "the auto-increment column of `{table}` has no numbers left"
                )
            }
        }
    }
}

impl core::error::Error for WriteError {}

/// For `?` in reducers that return `Result<_, String>`.
impl From<WriteError> for String {
    fn from(error: WriteError) -> Self {
        error.to_string()
    }
}
