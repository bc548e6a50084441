//! Why a query is refused.

use syncline_protocol::{ErrorCode, WireError};

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
}

impl QueryError {
    /// An error about the query as a whole.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
            position: None,
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
