//! Evaluation: a walk over the tree. Comparisons and logic copy and allocate nothing.

use std::cmp::Ordering;

use super::call::call;
use super::cast::cast;
use super::like::is_like;
use super::number::{arithmetic, negate};
use super::{Expr, Input, Slot, text};
use crate::scalar::{Scalar, or_failed};
use crate::syntax::CompareOp;

impl Expr {
    /// The value over a row.
    pub(crate) fn eval<'a>(&'a self, input: &Input<'a>) -> Scalar<'a> {
        match self {
            Self::Column(slot) => read_column(*slot, input),
            Self::Param(slot) => {
                Scalar::read(slot.kind, slot.nullable, input.params.get(slot.index))
            }
            Self::Literal(literal) => {
                let slot = Slot::new(0, &literal.ty);
                Scalar::read(slot.kind, slot.nullable, &literal.packed)
            }
            Self::Arithmetic(op, class, left, right) => {
                arithmetic(*op, *class, &left.eval(input), &right.eval(input))
            }
            Self::Negate(class, inner) => negate(*class, &inner.eval(input)),
            Self::Concat(left, right) => match (left.eval(input), right.eval(input)) {
                (Scalar::Bytes(left), Scalar::Bytes(right)) => {
                    or_failed(text::concat(left, &right))
                }
                _ => Scalar::Null,
            },
            Self::Call(function, args) => call(*function, args, input),
            Self::Case(arms, otherwise) => {
                let arm = arms
                    .iter()
                    .find(|(condition, _)| condition.truth(input) == Some(true));
                match (arm, otherwise) {
                    (Some((_, result)), _) => result.eval(input),
                    (None, Some(otherwise)) => otherwise.eval(input),
                    (None, None) => Scalar::Null,
                }
            }
            Self::Coalesce(items) => {
                let mut values = items.iter().map(|item| item.eval(input));
                values
                    .find(|value| *value != Scalar::Null)
                    .unwrap_or(Scalar::Null)
            }
            Self::Cast(inner, to) => cast(inner.eval(input), *to),
            Self::Outer(slot) => match input.scope {
                Some(scope) => Scalar::read(slot.kind, slot.nullable, scope.outer.get(slot.index)),
                None => Scalar::Null,
            },
            Self::Scalar(sub_query) => sub_query.scalar(input),
            Self::Aggregate(_) => Scalar::Null,
            _ => Scalar::from_bool(self.truth(input)),
        }
    }

    /// A condition over a row; `None` is unknown.
    pub(crate) fn truth(&self, input: &Input<'_>) -> Option<bool> {
        match self {
            Self::ColumnIs(column, param) => {
                let value = input.row(column.source).column(column.index)?;
                let wanted = input.params.get(param.index);
                let null = |packed: &[u8]| column.nullable && packed.first() == Some(&1);
                (!null(value) && !null(wanted)).then(|| value == wanted)
            }
            Self::Not(inner) => inner.truth(input).map(|value| !value),
            Self::And(items) => all(items.iter().map(|item| item.truth(input))),
            Self::Or(items) => any(items.iter().map(|item| item.truth(input))),
            Self::Compare(op, left, right) => {
                Some(compare(*op, left.eval(input).compare(&right.eval(input))?))
            }
            Self::Same(left, right) => Some(left.eval(input).is_same(&right.eval(input))),
            Self::IsNull(inner) => Some(inner.eval(input) == Scalar::Null),
            Self::IsTruth(inner, wanted) => Some(inner.truth(input) == Some(*wanted)),
            Self::In(operand, items) => {
                let value = operand.eval(input);
                any(items.iter().map(|item| {
                    value
                        .compare(&item.eval(input))
                        .map(|order| order == Ordering::Equal)
                }))
            }
            Self::Like {
                operand,
                pattern,
                escape,
            } => match (operand.eval(input), pattern.eval(input)) {
                (Scalar::Bytes(value), Scalar::Bytes(pattern)) => {
                    Some(is_like(&value, &pattern, *escape))
                }
                _ => None,
            },
            Self::Exists(sub_query) => sub_query.exists(input),
            Self::InQuery(operand, sub_query) => sub_query.contains(&operand.eval(input), input),
            _ => self.eval(input).truth(),
        }
    }
}

#[inline]
fn read_column<'a>(slot: Slot, input: &Input<'a>) -> Scalar<'a> {
    match input.row(slot.source).column(slot.index) {
        Some(packed) => Scalar::read(slot.kind, slot.nullable, packed),
        None => Scalar::Null,
    }
}

/// FALSE wins, then unknown.
fn all(items: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut result = Some(true);
    for item in items {
        match item {
            Some(false) => return Some(false),
            Some(true) => {}
            None => result = None,
        }
    }
    result
}

/// TRUE wins, then unknown.
fn any(items: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut result = Some(false);
    for item in items {
        match item {
            Some(true) => return Some(true),
            Some(false) => {}
            None => result = None,
        }
    }
    result
}

fn compare(op: CompareOp, order: Ordering) -> bool {
    match op {
        CompareOp::Equal => order.is_eq(),
        CompareOp::NotEqual => order.is_ne(),
        CompareOp::Less => order.is_lt(),
        CompareOp::LessOrEqual => order.is_le(),
        CompareOp::Greater => order.is_gt(),
        CompareOp::GreaterOrEqual => order.is_ge(),
    }
}
