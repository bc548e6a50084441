//! Why a query is refused.

use syncline_protocol::{ErrorCode, TableId, WireError};

use crate::syntax::Position;

/// A refused query: a stable code, what is wrong and where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}{}", code.as_str(), position.map(|at| format!(" at {at}")).unwrap_or_default())]
pub struct QueryError {
    /// For programs.
    pub code: ErrorCode,
    /// For people: lower case, without a full stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Where in the text, if it is about a place in it.
    pub position: Option<Position>,
    /// The index with which it would not be refused, or for something else.
    pub(crate) missing: Option<Box<MissingIndex>>,
}

/// An index that leads to rows that are asked for, and that the table has not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MissingIndex {
    pub(crate) table: TableId,
    pub(crate) columns: Vec<u16>,
    /// Whether order matters; else a hash index does.
    pub(crate) is_ordered: bool,
}

impl MissingIndex {
    /// For people.
    pub(crate) fn kind(&self) -> &'static str {
        if self.is_ordered {
            "an ordered index"
        } else {
            "an index"
        }
    }
}

impl QueryError {
    /// An error about the query as a whole.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
            position: None,
            missing: None,
        }
    }

    /// The same error about a place in the text.
    #[must_use]
    pub fn at(mut self, position: Position) -> Self {
        self.position = Some(position);
        self
    }

    /// The same error with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// As it travels; the place becomes a part of the message.
    #[must_use]
    pub fn to_wire(&self) -> WireError {
        let message = match self.position {
            Some(at) => format!("{} at {at}", self.message),
            None => self.message.clone(),
        };
        let error = WireError::new(self.code, message);
        match &self.hint {
            Some(hint) => error.hint(hint.clone()),
            None => error,
        }
    }
}
