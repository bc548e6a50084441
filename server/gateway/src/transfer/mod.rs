//! Rows as text, in and out: what `export` writes and `import` reads. No socket and no engine in here.
//!
//! [`write`] makes text of packed rows, [`read`] rows of text that comes in pieces. JSON Lines has an object
//! a line; CSV a head with names and a record a row, whose [`cell`]s have rules of their own.

pub(crate) mod cell;
pub(crate) mod read;
pub(crate) mod write;

use serde::Deserialize;

/// How rows are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// An object a line.
    #[default]
    Jsonl,
    /// RFC 4180, with a head.
    Csv,
}

impl Format {
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Jsonl => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }
}
