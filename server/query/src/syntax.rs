//! The syntax of a query as the parser hands it over: names and literals, nothing resolved yet.

use std::fmt;

use syncline_protocol::param::Param;
use syncline_protocol::{Decimal, Type};

/// A place in a SQL text, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Line.
    pub line: u32,
    /// Character of the line.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// A name as written. A quoted one is taken literally, another finds names that differ in case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) quoted: bool,
    pub(crate) at: Position,
}

/// `WITH with body ORDER BY order AFTER (after) LIMIT limit OFFSET offset`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Query {
    /// Queries that stand for tables by a name, each known to those after it.
    pub(crate) with: Vec<(Name, Query)>,
    pub(crate) body: Body,
    pub(crate) order: Vec<OrderItem>,
    /// Values of the order's keys: only rows behind them are wanted.
    pub(crate) after: Vec<Node>,
    pub(crate) limit: Option<Node>,
    pub(crate) offset: Option<Node>,
    pub(crate) at: Position,
}

/// What a query's rows are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Body {
    Select(Box<Select>),
    /// Two or more, joined by UNION or by UNION ALL.
    Union {
        all: bool,
        branches: Vec<Query>,
    },
}

/// `SELECT [DISTINCT] items FROM from WHERE filter GROUP BY group HAVING having`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Select {
    pub(crate) distinct: bool,
    pub(crate) items: Vec<Item>,
    /// At least one.
    pub(crate) from: Vec<Source>,
    pub(crate) filter: Option<Node>,
    pub(crate) group: Vec<Node>,
    pub(crate) having: Option<Node>,
}

/// A source of FROM and how it joins those before it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Source {
    pub(crate) relation: Relation,
    pub(crate) alias: Option<Name>,
    /// Whether rows stay that it has nothing for: LEFT JOIN.
    pub(crate) left: bool,
    pub(crate) on: On,
    /// Comes before the source ahead of it in `*`: a RIGHT JOIN that became a LEFT one.
    pub(crate) swapped: bool,
    pub(crate) at: Position,
}

/// What a source's rows are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Relation {
    /// A table, what WITH names so, or a view whose parameters are the query's.
    Table(Name),
    /// A view with its arguments.
    View(Name, Vec<Node>),
    Query(Box<Query>),
}

/// The condition of a join.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum On {
    /// The first source, a comma, CROSS JOIN.
    Nothing,
    Condition(Node),
    Using(Vec<Name>),
}

/// An item of the select list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    /// `*`
    All,
    /// `table.*`
    AllOf(Name),
    /// An expression with its alias.
    One(Node, Option<Name>),
}

/// An item of ORDER BY.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OrderItem {
    pub(crate) node: Node,
    pub(crate) descending: bool,
}

/// An expression and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    pub(crate) at: Position,
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum NodeKind {
    Literal(Param),
    /// A number with more digits than a float keeps.
    Digits(Decimal),
    /// `:name`
    Parameter(String),
    Column {
        table: Option<Name>,
        name: Name,
    },
    Not(Box<Node>),
    Negate(Box<Node>),
    Arithmetic(ArithmeticOp, Box<Node>, Box<Node>),
    /// `||`
    Concat(Box<Node>, Box<Node>),
    /// `json -> key`; as text `->>`.
    JsonPart {
        json: Box<Node>,
        key: Box<Node>,
        as_text: bool,
    },
    Compare(CompareOp, Box<Node>, Box<Node>),
    /// `IS [NOT] DISTINCT FROM`; `same` for the form with NOT.
    Distinct {
        same: bool,
        left: Box<Node>,
        right: Box<Node>,
    },
    /// Two or more, flat.
    And(Vec<Node>),
    /// Two or more, flat.
    Or(Vec<Node>),
    IsNull(Box<Node>),
    /// `IS TRUE`, `IS FALSE`; `IS UNKNOWN` is `IS NULL`.
    IsTruth(Box<Node>, bool),
    In(Box<Node>, Vec<Node>),
    Between {
        operand: Box<Node>,
        low: Box<Node>,
        high: Box<Node>,
    },
    Like {
        operand: Box<Node>,
        pattern: Box<Node>,
        escape: Option<char>,
    },
    Case {
        operand: Option<Box<Node>>,
        arms: Vec<(Node, Node)>,
        otherwise: Option<Box<Node>>,
    },
    Cast(Box<Node>, Type),
    /// A function by its lower-case name.
    Call(String, Vec<Node>),
    /// `COUNT(*)`
    CountRows,
    /// `COUNT(DISTINCT x)`: an aggregate of distinct values, by its lower-case name.
    CallDistinct(String, Vec<Node>),
    /// `EXISTS (query)`
    Exists(Box<Query>),
    /// `x IN (query)`
    InQuery(Box<Node>, Box<Query>),
    /// `(query)`, for its one value.
    Scalar(Box<Query>),
    /// `RANK() OVER (PARTITION BY partition ORDER BY order)`; with `unique` ROW_NUMBER.
    Rank {
        unique: bool,
        partition: Vec<Node>,
        order: Vec<OrderItem>,
    },
}

/// `+ - * / %`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum ArithmeticOp {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// `= <> < <= > >=`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum CompareOp {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl CompareOp {
    /// The operator with its operands exchanged.
    pub(crate) fn flip(self) -> Self {
        match self {
            Self::Equal => Self::Equal,
            Self::NotEqual => Self::NotEqual,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }
}
