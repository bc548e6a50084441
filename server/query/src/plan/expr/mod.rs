//! Typed expressions over the columns of rows, one of each source, and a tuple of parameters.
//!
//! All of them are total: an overflow, a division by zero or a failed cast is NULL, and counted, so a live query
//! never fails a transaction. Logic is three-valued; a row passes a filter if that is TRUE.

mod call;
mod cast;
mod eval;
mod function;
mod json;
mod like;
mod number;
mod shape;
mod sub_query;
#[cfg(test)]
mod tests;
mod text;

use syncline_protocol::limits::COLUMNS_MAX;
use syncline_protocol::{RowLayout, Type};

use super::SubQuery;
use crate::scalar::{Kind, Scalar, is_nullable};
use crate::syntax::{ArithmeticOp, CompareOp};

pub(crate) use function::{CastTo, Function, JsonTo, NumberClass};
pub(crate) use like::like_prefix;
pub(crate) use number::decimal_result;

/// An expression whose types were checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expr {
    /// A column of a source's row; NULL if the source has none.
    Column(Slot),
    /// A value of the parameter tuple.
    Param(Slot),
    /// Inside a sub-query, a value of the tuple that the query around it computes.
    Outer(Slot),
    /// A value; what a template lifts into its parameters.
    Literal(Literal),
    /// `column = parameter` of one type, decided by their bytes.
    ColumnIs(Slot, Slot),
    Not(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Compare(CompareOp, Box<Expr>, Box<Expr>),
    /// `IS NOT DISTINCT FROM`.
    Same(Box<Expr>, Box<Expr>),
    IsNull(Box<Expr>),
    /// `IS TRUE`, `IS FALSE`.
    IsTruth(Box<Expr>, bool),
    In(Box<Expr>, Vec<Expr>),
    Like {
        operand: Box<Expr>,
        pattern: Box<Expr>,
        escape: Option<u8>,
    },
    Arithmetic(ArithmeticOp, NumberClass, Box<Expr>, Box<Expr>),
    Negate(NumberClass, Box<Expr>),
    Concat(Box<Expr>, Box<Expr>),
    Call(Function, Vec<Expr>),
    /// The first arm whose condition is TRUE.
    Case(Vec<(Expr, Expr)>, Option<Box<Expr>>),
    Coalesce(Vec<Expr>),
    Cast(Box<Expr>, CastTo),
    /// Result of an aggregate, while a grouped query is bound; afterwards it is a column.
    Aggregate(u16),
    /// Whether a sub-query has a row.
    Exists(Box<SubQuery>),
    /// Whether the value is among those of a sub-query's one column; unknown if it is not and a NULL is
    /// among them, or the value is NULL and there are any.
    InQuery(Box<Expr>, Box<SubQuery>),
    /// The value of a sub-query with one column and exactly one row: an aggregate without keys.
    Scalar(Box<SubQuery>),
}

/// A place in a tuple and how to read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Slot {
    /// Which source's row it is in; 0 for everything but columns.
    pub(crate) source: u8,
    pub(crate) index: u16,
    pub(crate) kind: Kind,
    pub(crate) nullable: bool,
}

/// A packed value and its type.
#[derive(Clone, Debug)]
pub(crate) struct Literal {
    pub(crate) ty: Type,
    pub(crate) packed: Box<[u8]>,
    /// The use of a parameter that it is the value of, counted from 1, if another value of this type would
    /// have done to the plan what this one did.
    pub(crate) origin: u16,
}

impl PartialEq for Literal {
    fn eq(&self, other: &Self) -> bool {
        (&self.ty, &self.packed) == (&other.ty, &other.packed)
    }
}

/// What an expression is evaluated over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    /// The row of source 0, beside the others so that a query of one table needs no list.
    pub(crate) first: Row<'a>,
    /// The rows of the sources from 1 on.
    pub(crate) rest: &'a [Row<'a>],
    pub(crate) params: Params<'a>,
    /// Needed only if a sub-query is in the expression, or around it.
    pub(crate) scope: Option<&'a Scope<'a>>,
}

/// The row of a source.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    pub(crate) layout: &'a RowLayout,
    /// `None` is a row of NULLs.
    pub(crate) packed: Option<&'a [u8]>,
}

/// What expressions with sub-queries, and inside them, need beside rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    /// What [`Expr::Outer`] reads.
    pub(crate) outer: Params<'a>,
    pub(crate) sub_queries: &'a dyn SubQueries,
}

/// Answers the sub-queries of an expression. `outer` is their packed outer tuple. Whoever cannot answer
/// remembers why, and answers anything.
pub(crate) trait SubQueries: std::fmt::Debug {
    /// Whether there is a row.
    fn exists(&self, sub_query: &SubQuery, outer: &[u8]) -> bool;

    /// Whether the value is among those of the only column; `None` is unknown.
    fn contains(&self, sub_query: &SubQuery, outer: &[u8], value: &Scalar<'_>) -> Option<bool>;

    /// Appends the packed value of the only column of the only row.
    fn scalar(&self, sub_query: &SubQuery, outer: &[u8], out: &mut Vec<u8>);
}

/// A tuple of parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Params<'a> {
    pub(crate) layout: &'a RowLayout,
    pub(crate) packed: &'a [u8],
}

impl<'a> Params<'a> {
    /// Packed bytes of one parameter.
    pub(crate) fn get(&self, index: u16) -> &'a [u8] {
        self.layout.column(self.packed, usize::from(index))
    }
}

impl<'a> Input<'a> {
    /// One row of the only source.
    #[inline]
    pub(crate) fn one(layout: &'a RowLayout, row: &'a [u8], params: Params<'a>) -> Self {
        Self {
            first: Row {
                layout,
                packed: Some(row),
            },
            rest: &[],
            params,
            scope: None,
        }
    }

    /// The row of a source.
    #[inline]
    pub(crate) fn row(&self, source: u8) -> Row<'a> {
        match source {
            0 => self.first,
            other => self.rest[usize::from(other) - 1],
        }
    }
}

impl<'a> Row<'a> {
    /// Packed bytes of a column; `None` in a row of NULLs.
    #[inline]
    pub(crate) fn column(&self, index: u16) -> Option<&'a [u8]> {
        let row = self.packed?;
        Some(self.layout.column(row, usize::from(index)))
    }
}

impl Slot {
    /// A place in the row of source 0 or in any other tuple.
    pub(crate) fn new(index: usize, ty: &Type) -> Self {
        Self::of(0, index, ty)
    }

    /// A place in the row of a source.
    pub(crate) fn of(source: usize, index: usize, ty: &Type) -> Self {
        Self {
            source: source as u8,
            index: index as u16,
            kind: Kind::of(ty),
            nullable: is_nullable(ty),
        }
    }

    fn same_type(self, other: Self) -> bool {
        self.kind == other.kind && self.nullable == other.nullable
    }
}

/// Columns of one table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ColumnSet([u64; COLUMNS_MAX / 64]);

impl ColumnSet {
    pub(crate) fn insert(&mut self, column: u16) {
        self.0[usize::from(column) / 64] |= 1 << (column % 64);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u16> {
        let words = (0..).zip(self.0);
        words.flat_map(|(at, word)| {
            let mut rest: u64 = word;
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros();
                rest &= rest.checked_sub(1)?;
                Some(at * 64 + bit as u16)
            })
        })
    }

    pub(crate) fn is_disjoint(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a & b == 0)
    }
}

impl Expr {
    /// A condition that no row meets, whatever the constants are.
    pub(crate) const NEVER: Self = Self::Or(Vec::new());

    pub(crate) fn is_never(&self) -> bool {
        matches!(self, Self::Or(items) if items.is_empty())
    }

    pub(crate) fn literal(ty: Type, packed: Vec<u8>) -> Self {
        Self::Literal(Literal {
            ty,
            packed: packed.into(),
            origin: 0,
        })
    }

    /// The sub-query that this is an atom of.
    pub(crate) fn sub_query(&self) -> Option<&SubQuery> {
        match self {
            Self::Exists(sub_query) | Self::Scalar(sub_query) | Self::InQuery(_, sub_query) => {
                Some(sub_query)
            }
            _ => None,
        }
    }

    /// The sub-query that this is an atom of, to change it.
    pub(crate) fn sub_query_mut(&mut self) -> Option<&mut SubQuery> {
        match self {
            Self::Exists(sub_query) | Self::Scalar(sub_query) | Self::InQuery(_, sub_query) => {
                Some(sub_query)
            }
            _ => None,
        }
    }

    /// Calls `visit` with each direct part: of a sub-query, what it reads of the scope around it.
    pub(crate) fn for_each_part<'e>(&'e self, visit: &mut dyn FnMut(&'e Self)) {
        match self {
            Self::Column(_)
            | Self::Param(_)
            | Self::Outer(_)
            | Self::Literal(_)
            | Self::ColumnIs(..)
            | Self::Aggregate(_) => {}
            Self::Exists(sub_query) | Self::Scalar(sub_query) => {
                sub_query.outer.iter().for_each(|(part, _)| visit(part));
            }
            Self::InQuery(operand, sub_query) => {
                visit(operand);
                sub_query.outer.iter().for_each(|(part, _)| visit(part));
            }
            Self::Not(inner)
            | Self::IsNull(inner)
            | Self::IsTruth(inner, _)
            | Self::Negate(_, inner)
            | Self::Cast(inner, _) => visit(inner),
            Self::And(items) | Self::Or(items) | Self::Coalesce(items) | Self::Call(_, items) => {
                items.iter().for_each(visit);
            }
            Self::Compare(_, left, right)
            | Self::Same(left, right)
            | Self::Arithmetic(_, _, left, right)
            | Self::Concat(left, right)
            | Self::Like {
                operand: left,
                pattern: right,
                ..
            } => {
                visit(left);
                visit(right);
            }
            Self::In(operand, items) => {
                visit(operand);
                items.iter().for_each(visit);
            }
            Self::Case(arms, otherwise) => {
                for (condition, result) in arms {
                    visit(condition);
                    visit(result);
                }
                if let Some(otherwise) = otherwise {
                    visit(otherwise);
                }
            }
        }
    }

    /// Calls `visit` with each direct part, to change it.
    pub(crate) fn for_each_part_mut(&mut self, visit: &mut dyn FnMut(&mut Self)) {
        match self {
            Self::Column(_)
            | Self::Param(_)
            | Self::Outer(_)
            | Self::Literal(_)
            | Self::ColumnIs(..)
            | Self::Aggregate(_) => {}
            Self::Exists(sub_query) | Self::Scalar(sub_query) => {
                sub_query.outer.iter_mut().for_each(|(part, _)| visit(part));
            }
            Self::InQuery(operand, sub_query) => {
                visit(operand);
                sub_query.outer.iter_mut().for_each(|(part, _)| visit(part));
            }
            Self::Not(inner)
            | Self::IsNull(inner)
            | Self::IsTruth(inner, _)
            | Self::Negate(_, inner)
            | Self::Cast(inner, _) => visit(inner),
            Self::And(items) | Self::Or(items) | Self::Coalesce(items) | Self::Call(_, items) => {
                items.iter_mut().for_each(visit);
            }
            Self::Compare(_, left, right)
            | Self::Same(left, right)
            | Self::Arithmetic(_, _, left, right)
            | Self::Concat(left, right)
            | Self::Like {
                operand: left,
                pattern: right,
                ..
            } => {
                visit(left);
                visit(right);
            }
            Self::In(operand, items) => {
                visit(operand);
                items.iter_mut().for_each(visit);
            }
            Self::Case(arms, otherwise) => {
                for (condition, result) in arms {
                    visit(condition);
                    visit(result);
                }
                if let Some(otherwise) = otherwise {
                    visit(otherwise);
                }
            }
        }
    }

    /// Adds every column of a source that is read.
    pub(crate) fn add_columns(&self, source: u8, set: &mut ColumnSet) {
        match self {
            Self::Column(slot) | Self::ColumnIs(slot, _) if slot.source == source => {
                set.insert(slot.index);
            }
            other => other.for_each_part(&mut |part| part.add_columns(source, set)),
        }
    }

    /// Whether this or a part of it is so.
    pub(crate) fn any(&self, is_so: &mut dyn FnMut(&Self) -> bool) -> bool {
        let mut found = is_so(self);
        self.for_each_part(&mut |part| found = found || part.any(is_so));
        found
    }

    /// Whether this itself, not a part of it, reads a parameter.
    pub(crate) fn is_param(&self) -> bool {
        matches!(self, Self::Param(_) | Self::ColumnIs(..))
    }

    /// Whether an aggregate is used.
    pub(crate) fn has_aggregate(&self) -> bool {
        self.any(&mut |part| matches!(part, Self::Aggregate(_)))
    }

    /// The parts of a conjunction; an expression that is none is its only part.
    pub(crate) fn conjuncts(&self) -> &[Self] {
        match self {
            Self::And(items) => items,
            other => std::slice::from_ref(other),
        }
    }

    /// The packed value of a literal or parameter.
    pub(crate) fn constant<'a>(&'a self, params: Params<'a>) -> Option<&'a [u8]> {
        match self {
            Self::Literal(literal) => Some(&literal.packed),
            Self::Param(slot) => Some(params.get(slot.index)),
            _ => None,
        }
    }

    /// `column = constant` where both have one type, so that equal values are equal bytes.
    pub(crate) fn as_column_is(&self) -> Option<(Slot, Self)> {
        match self {
            Self::ColumnIs(column, param) => Some((*column, Self::Param(*param))),
            Self::Compare(CompareOp::Equal, left, right) => {
                let Self::Column(column) = left.as_ref() else {
                    return None;
                };
                let constant = match right.as_ref() {
                    Self::Literal(literal) => Slot::new(0, &literal.ty),
                    Self::Param(slot) => *slot,
                    _ => return None,
                };
                column
                    .same_type(constant)
                    .then(|| (*column, right.as_ref().clone()))
            }
            _ => None,
        }
    }
}
