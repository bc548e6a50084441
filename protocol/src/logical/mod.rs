//! A query as structure instead of SQL text: what query builders send.
//!
//! A [`LogicalQuery`] says the same as a SELECT, clause by clause, with names for tables and columns and
//! nothing resolved: the server turns it into the syntax that SQL text parses to and goes on from
//! there, so both share templates, results and errors. It travels where SQL text may stand, in one form:
//! an object with named members, as JSON or as MessagePack. Members that say nothing are left out.
//! docs/wire.md has the members.
//!
//! Input is bounded before anything is built of it: bytes, values and nesting
//! ([`LOGICAL_BYTES_MAX`](crate::limits::LOGICAL_BYTES_MAX) and its neighbours).
//!
//! ```
//! use syncline_protocol::logical::{Expr, LogicalQuery};
//! let json = serde_json::json!({"version": 1, "query": {
//!     "from": {"of": {"table": "message"}, "as": "m"},
//!     "where": {"eq": [{"column": ["m", "room"]}, {"param": "room"}]},
//!     "order": [{"by": {"column": ["m", "sent_at"]}, "descending": true}],
//!     "limit": {"value": 50},
//! }});
//! let query = LogicalQuery::from_json(json).expect("it is well-formed");
//! assert_eq!(query.query.limit, Some(Expr::Value(50.into())));
//! assert_eq!(LogicalQuery::decode(&query.encode()).as_ref(), Ok(&query));
//! ```

mod codec;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use codec::LogicalError;

use crate::param::Param;
use crate::types::Type;

/// The version of the structure that this crate writes, and the only one it reads.
pub const LOGICAL_VERSION: u8 = 1;

/// A query and the version of its structure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogicalQuery {
    /// [`LOGICAL_VERSION`].
    pub version: u8,
    /// The query.
    pub query: Query,
}

/// SELECT .. FROM .. WHERE .. GROUP BY .. HAVING .. UNION .. ORDER BY .. LIMIT .. OFFSET.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// SELECT DISTINCT.
    #[serde(default, skip_serializing_if = "is_false")]
    pub distinct: bool,
    /// The select list; empty for all columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub select: Vec<Item>,
    /// The first source.
    pub from: Source,
    /// The others, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joins: Vec<Join>,
    /// WHERE.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<Expr>,
    /// GROUP BY.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub group: Vec<Expr>,
    /// HAVING.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub having: Option<Expr>,
    /// What is united with this, from left to right; `order` and what follows are of the whole. These
    /// queries have no `order`, `limit`, `offset` and `after` of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub union: Vec<Union>,
    /// ORDER BY.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<Order>,
    /// LIMIT: a value or parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Expr>,
    /// OFFSET: a value or parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<Expr>,
    /// Only rows behind the one with these values of the `order` columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Expr>,
}

/// An item of the select list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// `*`
    All,
    /// `m.*`: all columns of the source of this name.
    AllOf(String),
    /// An expression; a column has its own name, the server names others.
    Expr(Expr),
    /// A named expression.
    As(String, Expr),
}

/// What rows come from, and the name that columns go by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The rows.
    pub of: Relation,
    /// Name of the source in columns; by default that of the table or view.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
}

/// Rows of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// A table, or a view without parameters.
    Table(String),
    /// A query in place of a table; its source needs a name.
    Query(Box<Query>),
    /// A view with its arguments by position.
    View(String, Vec<Expr>),
}

/// A further source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// How.
    #[serde(default)]
    pub kind: JoinKind,
    /// With what.
    pub of: Relation,
    /// Its name.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// ON; a cross join has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Expr>,
}

/// What becomes of rows that nothing joins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinKind {
    /// They are left out.
    #[default]
    Inner,
    /// They stay, with NULL in the columns of the further source.
    Left,
    /// There are none: every row meets every other.
    Cross,
}

/// A query that is united with the ones before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Union {
    /// UNION ALL: equal rows are not made one.
    #[serde(default, skip_serializing_if = "is_false")]
    pub all: bool,
    /// The query.
    pub query: Query,
}

/// An item of ORDER BY.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// An expression, or a column of the result by its name.
    pub by: Expr,
    /// Largest first.
    #[serde(default, skip_serializing_if = "is_false")]
    pub descending: bool,
}

/// An expression. What it means, and which types go together, is SQL's (docs/query.md).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the operators are SQL's")]
pub enum Expr {
    /// A literal.
    Value(Param),
    /// `:name`; `me` is the caller.
    Param(String),
    /// A column of the source of this name; without one of any source, or of the select list.
    Column(Option<String>, String),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Eq(Box<Expr>, Box<Expr>),
    Ne(Box<Expr>, Box<Expr>),
    Lt(Box<Expr>, Box<Expr>),
    Le(Box<Expr>, Box<Expr>),
    Gt(Box<Expr>, Box<Expr>),
    Ge(Box<Expr>, Box<Expr>),
    Add(Box<Expr>, Box<Expr>),
    Subtract(Box<Expr>, Box<Expr>),
    Multiply(Box<Expr>, Box<Expr>),
    Divide(Box<Expr>, Box<Expr>),
    Remainder(Box<Expr>, Box<Expr>),
    /// `||`
    Concat(Box<Expr>, Box<Expr>),
    /// `IS NOT DISTINCT FROM`: equal, or both NULL.
    Same(Box<Expr>, Box<Expr>),
    /// `->`: a part of a JSON value, as JSON.
    Get(Box<Expr>, Box<Expr>),
    /// `->>`: a part of a JSON value, as text.
    GetText(Box<Expr>, Box<Expr>),
    IsNull(Box<Expr>),
    IsTrue(Box<Expr>),
    IsFalse(Box<Expr>),
    /// Operand, low, high.
    Between(Box<Expr>, Box<Expr>, Box<Expr>),
    /// A list; a parameter alone in it may be a list itself.
    In(Box<Expr>, Vec<Expr>),
    InQuery(Box<Expr>, Box<Query>),
    Exists(Box<Query>),
    /// A query of one value.
    Scalar(Box<Query>),
    /// Text and pattern.
    Like(Box<Expr>, Box<Expr>),
    /// Text, pattern and the character that takes `%` and `_` their meaning.
    LikeEscape(Box<Expr>, Box<Expr>, char),
    Case(Case),
    /// To a scalar type.
    Cast(Box<Expr>, Type),
    /// A function or an aggregate.
    Call(String, Vec<Expr>),
    /// An aggregate over distinct values.
    CallDistinct(String, Vec<Expr>),
    /// `COUNT(*)`
    CountRows,
}

/// CASE.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What is compared with each `when`; without it they are conditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operand: Option<Box<Expr>>,
    /// Pairs of WHEN and THEN.
    pub arms: Vec<(Expr, Expr)>,
    /// ELSE; NULL without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<Box<Expr>>,
}

impl LogicalQuery {
    /// A query in the present version.
    #[must_use]
    pub fn new(query: Query) -> Self {
        Self {
            version: LOGICAL_VERSION,
            query,
        }
    }
}

impl Query {
    /// All columns of a source.
    #[must_use]
    pub fn new(from: Source) -> Self {
        Self {
            distinct: false,
            select: Vec::new(),
            from,
            joins: Vec::new(),
            filter: None,
            group: Vec::new(),
            having: None,
            union: Vec::new(),
            order: Vec::new(),
            limit: None,
            offset: None,
            after: Vec::new(),
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde gives it a reference"
)]
fn is_false(value: &bool) -> bool {
    !value
}
