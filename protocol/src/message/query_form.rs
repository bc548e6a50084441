//! A query as a message has it: SQL text, or structure.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::logical::{LogicalError, LogicalQuery};

/// What stands in the `sql` field of Subscribe and Query.
#[derive(Clone, Debug, PartialEq)]
pub enum QueryForm<'a> {
    /// A SELECT statement.
    Sql(Cow<'a, str>),
    /// An encoded [`LogicalQuery`], not yet looked at. Only in MessagePack.
    Logical(Cow<'a, [u8]>),
    /// A [`LogicalQuery`], not yet looked at. Only in JSON.
    LogicalJson(serde_json::Value),
}

impl QueryForm<'_> {
    /// The query in the form that the server works with. Fails if JSON is no query; whether bytes are
    /// one shows when they are read.
    pub fn into_owned(self) -> Result<OwnedQueryForm, LogicalError> {
        Ok(match self {
            Self::Sql(sql) => OwnedQueryForm::Sql(sql.into_owned()),
            Self::Logical(bytes) => OwnedQueryForm::Logical(bytes.into_owned()),
            Self::LogicalJson(json) => {
                OwnedQueryForm::Logical(LogicalQuery::from_json(json)?.encode())
            }
        })
    }
}

/// A query of its own, independent of a message and its encoding.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OwnedQueryForm {
    /// A SELECT statement.
    Sql(String),
    /// An encoded [`LogicalQuery`].
    Logical(Vec<u8>),
}

impl OwnedQueryForm {
    /// As it stands in a message of MessagePack.
    #[must_use]
    pub fn as_form(&self) -> QueryForm<'_> {
        match self {
            Self::Sql(sql) => QueryForm::Sql(sql.into()),
            Self::Logical(bytes) => QueryForm::Logical(bytes.into()),
        }
    }
}

impl From<LogicalQuery> for OwnedQueryForm {
    fn from(query: LogicalQuery) -> Self {
        Self::Logical(query.encode())
    }
}

impl From<&str> for OwnedQueryForm {
    fn from(sql: &str) -> Self {
        Self::Sql(sql.into())
    }
}

impl From<String> for OwnedQueryForm {
    fn from(sql: String) -> Self {
        Self::Sql(sql)
    }
}

impl<'a> From<&'a str> for QueryForm<'a> {
    fn from(sql: &'a str) -> Self {
        Self::Sql(sql.into())
    }
}

impl Serialize for QueryForm<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Sql(sql) => s.serialize_str(sql),
            Self::Logical(bytes) if !s.is_human_readable() => s.serialize_bytes(bytes),
            Self::LogicalJson(json) if s.is_human_readable() => json.serialize(s),
            _ => Err(serde::ser::Error::custom(
                "the query is of the other encoding",
            )),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for QueryForm<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = QueryForm<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("SQL text or a logical query")
            }
            fn visit_borrowed_str<E>(self, sql: &'de str) -> Result<QueryForm<'de>, E> {
                Ok(QueryForm::Sql(sql.into()))
            }
            fn visit_str<E>(self, sql: &str) -> Result<QueryForm<'de>, E> {
                Ok(QueryForm::Sql(sql.to_owned().into()))
            }
            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<QueryForm<'de>, E> {
                Ok(QueryForm::Logical(bytes.into()))
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<QueryForm<'de>, E> {
                Ok(QueryForm::Logical(bytes.to_owned().into()))
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<QueryForm<'de>, A::Error> {
                let members = de::value::MapAccessDeserializer::new(map);
                serde_json::Value::deserialize(members).map(QueryForm::LogicalJson)
            }
        }
        let form = d.deserialize_any(Visitor)?;
        Ok(form)
    }
}
