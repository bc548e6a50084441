//! Evaluation: a walk over the tree. Comparisons and logic copy and allocate nothing.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::{CastTo, Expr, Function, Input, NumberClass, Slot, text};
use crate::scalar::{Kind, Scalar, exact_int};
use crate::syntax::{ArithmeticOp, CompareOp};

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
            Self::Negate(class, inner) => arithmetic(
                ArithmeticOp::Subtract,
                *class,
                &Scalar::Int(0),
                &inner.eval(input),
            ),
            Self::Concat(left, right) => match (left.eval(input), right.eval(input)) {
                (Scalar::Bytes(left), Scalar::Bytes(right)) => {
                    let mut joined = left.into_owned();
                    joined.extend_from_slice(&right);
                    Scalar::Bytes(Cow::Owned(joined))
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
                    Some(text::is_like(&value, &pattern, *escape))
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

fn as_float(value: &Scalar<'_>) -> Option<f64> {
    match value {
        Scalar::Int(value) => Some(*value as f64),
        Scalar::Huge(value) => Some(*value as f64),
        Scalar::Float(value) => Some(*value),
        _ => None,
    }
}

fn arithmetic<'a>(
    op: ArithmeticOp,
    class: NumberClass,
    left: &Scalar<'_>,
    right: &Scalar<'_>,
) -> Scalar<'a> {
    if class == NumberClass::Float {
        let (Some(left), Some(right)) = (as_float(left), as_float(right)) else {
            return Scalar::Null;
        };
        return Scalar::Float(match op {
            ArithmeticOp::Add => left + right,
            ArithmeticOp::Subtract => left - right,
            ArithmeticOp::Multiply => left * right,
            ArithmeticOp::Divide | ArithmeticOp::Remainder if right == 0.0 => return Scalar::Null,
            ArithmeticOp::Divide => left / right,
            ArithmeticOp::Remainder => left % right,
        });
    }
    let (Scalar::Int(left), Scalar::Int(right)) = (left, right) else {
        return Scalar::Null;
    };
    let result = match op {
        ArithmeticOp::Add => left.checked_add(*right),
        ArithmeticOp::Subtract => left.checked_sub(*right),
        ArithmeticOp::Multiply => left.checked_mul(*right),
        ArithmeticOp::Divide => left.checked_div(*right),
        ArithmeticOp::Remainder => left.checked_rem(*right),
    };
    match result {
        Some(result) if class == NumberClass::Int64 && i64::try_from(result).is_err() => {
            Scalar::Null
        }
        Some(result) => Scalar::Int(result),
        None => Scalar::Null,
    }
}

fn call<'a>(function: Function, args: &'a [Expr], input: &Input<'a>) -> Scalar<'a> {
    let mut args = args.iter().map(|arg| arg.eval(input));
    let Some(first) = args.next() else {
        return Scalar::Null;
    };
    match (function, first) {
        (Function::Lower, Scalar::Bytes(value)) => text::change_case(&value, str::to_lowercase),
        (Function::Upper, Scalar::Bytes(value)) => text::change_case(&value, str::to_uppercase),
        (Function::CharCount, Scalar::Bytes(value)) => Scalar::Int(text::char_count(&value)),
        (Function::ByteCount, Scalar::Bytes(value)) => Scalar::Int(value.len() as i128),
        (Function::Abs(NumberClass::Float), value) => {
            as_float(&value).map_or(Scalar::Null, |value| Scalar::Float(value.abs()))
        }
        (Function::Abs(class), Scalar::Int(value)) => {
            let op = if value < 0 {
                ArithmeticOp::Subtract
            } else {
                ArithmeticOp::Add
            };
            arithmetic(op, class, &Scalar::Int(0), &Scalar::Int(value))
        }
        (Function::StartsWith, Scalar::Bytes(value)) => match args.next() {
            Some(Scalar::Bytes(prefix)) => Scalar::Bool(value.starts_with(&prefix)),
            _ => Scalar::Null,
        },
        _ => Scalar::Null,
    }
}

fn cast(value: Scalar<'_>, to: CastTo) -> Scalar<'_> {
    let cast = match (to, &value) {
        (_, Scalar::Null) | (CastTo::Bool, Scalar::Float(_) | Scalar::Decimal(_)) => None,
        (CastTo::Bool, Scalar::Bool(value)) => Some(Scalar::Bool(*value)),
        (CastTo::Bool, Scalar::Int(value)) => Some(Scalar::Bool(*value != 0)),
        (CastTo::Bool, Scalar::Huge(_)) => Some(Scalar::Bool(true)),
        (CastTo::Bool, Scalar::Bytes(value)) => match value.as_ref() {
            b"true" => Some(Scalar::Bool(true)),
            b"false" => Some(Scalar::Bool(false)),
            _ => None,
        },
        (CastTo::Int(kind), value) => cast_to_int(value, kind),
        (CastTo::F32, value) => cast_to_float(value).map(|v| Scalar::Float((v as f32).into())),
        (CastTo::F64, value) => cast_to_float(value).map(Scalar::Float),
        (CastTo::Text, Scalar::Bytes(_)) => return value,
        (CastTo::Text, value) => text::to_text(value),
    };
    cast.unwrap_or(Scalar::Null)
}

fn cast_to_int<'a>(value: &Scalar<'_>, kind: Kind) -> Option<Scalar<'a>> {
    let wide = match value {
        Scalar::Int(value) => Scalar::Int(*value),
        Scalar::Huge(value) => Scalar::Huge(*value),
        Scalar::Bool(value) => Scalar::Int((*value).into()),
        Scalar::Float(value) => Scalar::Int(exact_int(value.trunc())?),
        Scalar::Bytes(value) => {
            let digits = std::str::from_utf8(value).ok()?.trim();
            match digits.parse() {
                Ok(value) => Scalar::Int(value),
                Err(_) => Scalar::from_u128(digits.parse().ok()?),
            }
        }
        Scalar::Null | Scalar::Decimal(_) => return None,
    };
    let fits = match (&wide, kind) {
        (Scalar::Huge(_), Kind::U128) => true,
        (Scalar::Int(value), kind) => int_fits(*value, kind),
        _ => false,
    };
    fits.then_some(wide)
}

/// Whether a value of this kind can hold the integer.
pub(crate) fn int_fits(value: i128, kind: Kind) -> bool {
    match kind {
        Kind::I8 => i8::try_from(value).is_ok(),
        Kind::I16 => i16::try_from(value).is_ok(),
        Kind::I32 => i32::try_from(value).is_ok(),
        Kind::I64 => i64::try_from(value).is_ok(),
        Kind::I128 => true,
        Kind::U8 => u8::try_from(value).is_ok(),
        Kind::U16 => u16::try_from(value).is_ok(),
        Kind::U32 => u32::try_from(value).is_ok(),
        Kind::U64 => u64::try_from(value).is_ok(),
        Kind::U128 => value >= 0,
        Kind::Bool | Kind::F32 | Kind::F64 | Kind::Decimal | Kind::Sized | Kind::Raw => false,
    }
}

fn cast_to_float(value: &Scalar<'_>) -> Option<f64> {
    match value {
        Scalar::Bool(value) => Some(f64::from(u8::from(*value))),
        Scalar::Bytes(value) => std::str::from_utf8(value).ok()?.trim().parse().ok(),
        number => as_float(number),
    }
}
