//! A query as it is asked: SQL text, or structure.

use syncline_protocol::logical::LogicalQuery;
use syncline_protocol::message::OwnedQueryForm;

use crate::error::QueryError;
use crate::syntax::Query;
use crate::{logical, parse};

/// A query that nothing has looked at yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryRef<'a> {
    /// A SELECT statement.
    Sql(&'a str),
    /// An encoded [`LogicalQuery`].
    Logical(&'a [u8]),
}

impl QueryRef<'_> {
    /// The syntax, which is the same for both forms of one query.
    pub(crate) fn read(self) -> Result<Query, QueryError> {
        match self {
            Self::Sql(sql) => parse::parse(sql),
            Self::Logical(bytes) => {
                let query = LogicalQuery::decode(bytes)
                    .map_err(|error| QueryError::new(error.code(), error.to_string()))?;
                logical::convert(&query)
            }
        }
    }

    /// An error about it, for who asked: there are no lines in a structure, so a place in it becomes the
    /// path to it.
    pub(crate) fn locate(self, mut error: QueryError) -> QueryError {
        if let Self::Logical(bytes) = self
            && let Some(at) = error.position.take()
            && let Ok(query) = LogicalQuery::decode(bytes)
            && let Some(path) = logical::path(&query, at)
        {
            error.message.push_str(" at ");
            error.message.push_str(&path);
        }
        error
    }

    /// What tells it from others.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Sql(sql) => sql.as_bytes(),
            Self::Logical(bytes) => bytes,
        }
    }
}

impl<'a> From<&'a str> for QueryRef<'a> {
    fn from(sql: &'a str) -> Self {
        Self::Sql(sql)
    }
}

impl<'a> From<&'a String> for QueryRef<'a> {
    fn from(sql: &'a String) -> Self {
        Self::Sql(sql)
    }
}

impl<'a> From<&'a OwnedQueryForm> for QueryRef<'a> {
    fn from(form: &'a OwnedQueryForm) -> Self {
        match form {
            OwnedQueryForm::Sql(sql) => Self::Sql(sql),
            OwnedQueryForm::Logical(bytes) => Self::Logical(bytes),
        }
    }
}
