//! Which types operators take and give.

use syncline_protocol::param::Param;
use syncline_protocol::{ErrorCode, Type};

use super::operand::{Family, Free, Operand, is_number, null_of, nullable};
use crate::error::QueryError;
use crate::plan::expr::{CastTo, Expr, JsonTo, NumberClass, decimal_result};
use crate::scalar::{Kind, Scalar, is_nullable};
use crate::syntax::{ArithmeticOp, Position};

pub(super) fn type_error(message: impl Into<String>, at: Position) -> QueryError {
    QueryError::new(ErrorCode::SqlType, message).at(at)
}

/// In what a number type is computed.
pub(super) fn class_of(ty: &Type) -> NumberClass {
    match ty.non_null() {
        Type::F32 | Type::F64 => NumberClass::Float,
        Type::I128 | Type::U64 | Type::U128 => NumberClass::Int128,
        Type::Decimal => NumberClass::Decimal,
        _ => NumberClass::Int64,
    }
}

fn with_null(ty: Type, is_null: bool) -> Type {
    if is_null { nullable(&ty) } else { ty }
}

/// `left op right` of two literals or parameters, computed now: so `:x - 10` can meet an index. Of numbers with
/// a point both as floats and as decimals: what they meet decides.
fn fold(op: ArithmeticOp, left: &Free, right: &Free, at: Position) -> Option<Free> {
    let float = |value: &Param| match value {
        Param::Int(value) => Some(*value as f64),
        Param::Float(value) => Some(*value),
        _ => None,
    };
    let mut exact = None;
    let value = match (&left.value, &right.value) {
        (Param::Null, Param::Null | Param::Int(_) | Param::Float(_))
        | (Param::Int(_) | Param::Float(_), Param::Null) => Param::Null,
        (Param::Int(a), Param::Int(b)) => {
            let result = match op {
                ArithmeticOp::Add => a.checked_add(*b),
                ArithmeticOp::Subtract => a.checked_sub(*b),
                ArithmeticOp::Multiply => a.checked_mul(*b),
                ArithmeticOp::Divide => a.checked_div(*b),
                ArithmeticOp::Remainder => a.checked_rem(*b),
            };
            result.map_or(Param::Null, Param::Int)
        }
        (a, b) => {
            let (a, b) = (float(a)?, float(b)?);
            if let (Some(a), Some(b)) = (left.decimal(), right.decimal()) {
                exact = decimal_result(op, a, b);
            }
            match op {
                ArithmeticOp::Add => Param::Float(a + b),
                ArithmeticOp::Subtract => Param::Float(a - b),
                ArithmeticOp::Multiply => Param::Float(a * b),
                ArithmeticOp::Divide | ArithmeticOp::Remainder if b == 0.0 => Param::Null,
                ArithmeticOp::Divide => Param::Float(a / b),
                ArithmeticOp::Remainder => Param::Float(a % b),
            }
        }
    };
    Some(Free {
        exact,
        ..Free::new(value, None, at)
    })
}

fn symbol(op: ArithmeticOp) -> char {
    match op {
        ArithmeticOp::Add => '+',
        ArithmeticOp::Subtract => '-',
        ArithmeticOp::Multiply => '*',
        ArithmeticOp::Divide => '/',
        ArithmeticOp::Remainder => '%',
    }
}

/// `left op right`.
pub(super) fn arithmetic(
    op: ArithmeticOp,
    left: Operand,
    right: Operand,
    at: Position,
) -> Result<Operand, QueryError> {
    let (left, right) = match (left, right) {
        (Operand::Free(left), Operand::Free(right)) => {
            let is_claim = left.is_claim || right.is_claim;
            let nothing = || is_claim.then(|| Free::new(Param::Null, None, at));
            let Some(folded) = fold(op, &left, &right, at).or_else(nothing) else {
                let (left, right) = (left.describe(), right.describe());
                return Err(type_error(
                    format!("{left} {} {right} has no value", symbol(op)),
                    at,
                ));
            };
            return Ok(Operand::Free(Free { is_claim, ..folded }));
        }
        (left, right) => {
            let (left_ty, right_ty) = (typed(&left), typed(&right));
            let for_left = right_ty.map(|ty| partner(op, &ty, true));
            let for_right = left_ty.map(|ty| partner(op, &ty, false));
            (
                number(left, for_left.as_ref(), at)?,
                number(right, for_right.as_ref(), at)?,
            )
        }
    };
    let is_null = is_nullable(&left.1) || is_nullable(&right.1);
    let (class, ty) = match (left.1.non_null(), right.1.non_null()) {
        (a, b) if is_number(a) && is_number(b) => {
            let class = class_of(a).max_with(class_of(b));
            let divides = matches!(op, ArithmeticOp::Divide | ArithmeticOp::Remainder);
            let ty = match class {
                NumberClass::Float => with_null(Type::F64, is_null || divides),
                NumberClass::Decimal => nullable(&Type::Decimal),
                NumberClass::Int128 => nullable(&Type::I128),
                NumberClass::Int64 => nullable(&Type::I64),
            };
            (class, ty)
        }
        (a, b) => {
            let Some(ty) = time_arithmetic(op, a, b) else {
                let error = type_error(format!("{a} {} {b} is not defined", symbol(op)), at);
                let is_text = *a == Type::String || *b == Type::String;
                return Err(if is_text {
                    error.hint("texts are joined with ||")
                } else {
                    error
                });
            };
            (NumberClass::Int64, nullable(&ty))
        }
    };
    let expr = Expr::Arithmetic(op, class, Box::new(left.0), Box::new(right.0));
    Ok(Operand::Typed(expr, ty))
}

impl NumberClass {
    /// The class that holds values of both.
    pub(super) fn max_with(self, other: Self) -> Self {
        if (self as u8) < other as u8 {
            other
        } else {
            self
        }
    }
}

fn typed(operand: &Operand) -> Option<Type> {
    match operand {
        Operand::Typed(_, ty) => Some(ty.non_null().clone()),
        Operand::Free(_) => None,
    }
}

/// The type that a literal on one side takes when the other side has `ty`.
fn partner(op: ArithmeticOp, ty: &Type, is_left: bool) -> Type {
    let additive = matches!(op, ArithmeticOp::Add | ArithmeticOp::Subtract);
    match ty {
        Type::Timestamp if is_left && op == ArithmeticOp::Subtract => Type::Timestamp,
        Type::Timestamp => Type::Duration,
        Type::Duration if additive => Type::Duration,
        Type::Duration => Type::I64,
        other => other.clone(),
    }
}

fn number(
    operand: Operand,
    partner: Option<&Type>,
    at: Position,
) -> Result<(Expr, Type), QueryError> {
    let (free, partner) = match (operand, partner) {
        (Operand::Free(free), Some(partner)) => (free, partner),
        (operand, _) => return operand.settle(),
    };
    match free.value {
        Param::Null => Ok(null_of(partner)),
        Param::Int(_) | Param::Float(_) if is_number(partner) => {
            match free.exactly(&Type::Decimal) {
                Some(exact) if *partner == Type::Decimal => Ok(exact),
                _ => free.settle(),
            }
        }
        // A wide integer travels in JSON as text.
        Param::Text(_) if partner.is_integer() => {
            let found = free
                .exactly(&Type::I64)
                .or_else(|| free.exactly(&Type::I128));
            found.map_or_else(|| free.or_null(partner), Ok)
        }
        _ if is_number(partner) || matches!(partner, Type::Timestamp | Type::Duration) => {
            free.or_null(partner)
        }
        _ => Err(type_error(
            format!("arithmetic with {partner} is not defined"),
            at,
        )),
    }
}

fn time_arithmetic(op: ArithmeticOp, left: &Type, right: &Type) -> Option<Type> {
    use ArithmeticOp::{Add, Divide, Multiply, Subtract};
    Some(match (left, op, right) {
        (Type::Timestamp, Subtract, Type::Timestamp)
        | (Type::Duration, Add | Subtract, Type::Duration) => Type::Duration,
        (Type::Timestamp, Add | Subtract, Type::Duration)
        | (Type::Duration, Add, Type::Timestamp) => Type::Timestamp,
        (Type::Duration, Multiply | Divide, factor) if factor.is_integer() => Type::Duration,
        (factor, Multiply, Type::Duration) if factor.is_integer() => Type::Duration,
        _ => return None,
    })
}

/// An expression and its type.
type Typed = (Expr, Type);

/// Both sides of a comparison, of one family.
pub(super) fn comparable(
    left: Operand,
    right: Operand,
    at: Position,
) -> Result<(Typed, Typed), QueryError> {
    let (left, right) = match (left, right) {
        (Operand::Typed(expr, ty), right) => {
            let right = right.meet(&ty)?;
            ((expr, ty), right)
        }
        (left, Operand::Typed(expr, ty)) => (left.meet(&ty)?, (expr, ty)),
        (Operand::Free(left), Operand::Free(right))
            if left.value == Param::Null || left.is_claim && !right.is_claim =>
        {
            let right = right.settle()?;
            (left.meet(&right.1)?, right)
        }
        (Operand::Free(left), Operand::Free(right)) => {
            let left = left.settle()?;
            let right = right.meet(&left.1)?;
            (left, right)
        }
    };
    if Family::of(&left.1) == Family::of(&right.1) {
        let (left_ty, right_ty) = (left.1.clone(), right.1.clone());
        return Ok((align(left, &right_ty), align(right, &left_ty)));
    }
    let (left, right) = (left.1.non_null(), right.1.non_null());
    let error = type_error(format!("{left} and {right} do not compare"), at);
    Err(if *left == Type::Json || *right == Type::Json {
        error.hint("j ->> 'name' is text, CAST(j -> 'n' AS f64) a number")
    } else {
        error
    })
}

/// A literal that has a type already (`:me`, a cast one) gets that of the other side if it is a value
/// of it, so that equal values have equal bytes.
fn align(side: (Expr, Type), other: &Type) -> (Expr, Type) {
    let Expr::Literal(literal) = &side.0 else {
        return side;
    };
    if literal.ty == *other {
        return side;
    }
    let value = Scalar::read(
        Kind::of(&literal.ty),
        is_nullable(&literal.ty),
        &literal.packed,
    );
    let value = match value {
        Scalar::Null => return side,
        // A constant is rounded to what the column is.
        Scalar::Float(value) if *other.non_null() == Type::F32 => {
            Scalar::Float((value as f32).into())
        }
        value if is_number(other.non_null()) => match value.fit(Kind::of(other)) {
            Some(value) => value,
            None => return side,
        },
        value if literal.ty.non_null() == other.non_null() => value,
        _ => return side,
    };
    let mut packed = Vec::new();
    value.write(other, &mut packed);
    (Expr::literal(other.clone(), packed), other.clone())
}

/// Values of one type, as the arms of CASE and the arguments of COALESCE must be. The type is without
/// NULL; the flags say which values can be NULL.
pub(super) fn unify(
    operands: Vec<Operand>,
    at: Position,
) -> Result<(Vec<(Expr, bool)>, Type), QueryError> {
    let mut target: Option<Type> = None;
    for operand in &operands {
        if let Operand::Typed(_, ty) = operand {
            target = Some(join(target, ty.non_null(), at)?);
        }
    }
    let free = operands.iter().filter_map(|operand| match operand {
        Operand::Free(free) => Some(free),
        Operand::Typed(..) => None,
    });
    // A claim takes what type there is.
    let (claims, plain): (Vec<&Free>, Vec<&Free>) = free.partition(|free| free.is_claim);
    for free in plain.into_iter().chain(claims) {
        if free.value != Param::Null
            && !(free.is_claim && target.is_some())
            && target.as_ref().is_none_or(|ty| free.exactly(ty).is_none())
        {
            let (_, own) = free.clone().settle()?;
            if target
                .as_ref()
                .is_some_and(|ty| Family::of(ty) != Family::of(&own))
            {
                return Err(free.mismatch(&target.unwrap_or(own)));
            }
            target = Some(join(target, &own, at)?);
        }
    }
    let target = target.unwrap_or(Type::String);
    let mut unified = Vec::with_capacity(operands.len());
    for operand in operands {
        unified.push(match operand {
            Operand::Typed(expr, ty) if *ty.non_null() == target => (expr, is_nullable(&ty)),
            Operand::Typed(expr, ty) => match cast_to(&target) {
                Some(to) => {
                    let is_null = is_nullable(&ty) || !is_total(ty.non_null(), &target);
                    (Expr::Cast(Box::new(expr), to), is_null)
                }
                None => return Err(type_error(format!("{ty} is no {target}"), at)),
            },
            Operand::Free(free) => {
                let found = free.or_null(&target)?;
                (found.0, is_nullable(&found.1))
            }
        });
    }
    Ok((unified, target))
}

/// The type that holds values of both.
pub(super) fn join(first: Option<Type>, second: &Type, at: Position) -> Result<Type, QueryError> {
    let Some(first) = first else {
        return Ok(second.clone());
    };
    if first == *second {
        return Ok(first);
    }
    if !is_number(&first) || !is_number(second) {
        return Err(type_error(format!("{first} and {second} do not mix"), at));
    }
    Ok(match class_of(&first).max_with(class_of(second)) {
        NumberClass::Float => Type::F64,
        NumberClass::Decimal => Type::Decimal,
        NumberClass::Int128 => Type::I128,
        NumberClass::Int64 => Type::I64,
    })
}

/// The cast that gives values of the type, if there is one.
pub(super) fn cast_to(ty: &Type) -> Option<CastTo> {
    Some(match ty {
        Type::Bool => CastTo::Bool,
        Type::F32 => CastTo::F32,
        Type::F64 => CastTo::F64,
        Type::Decimal => CastTo::Decimal,
        Type::String => CastTo::Text,
        Type::Json => CastTo::Json,
        integer if integer.is_integer() => CastTo::Int(Kind::of(integer)),
        _ => return None,
    })
}

/// The cast of JSON to a type.
fn cast_from_json(ty: &Type) -> Option<CastTo> {
    Some(CastTo::FromJson(match cast_to(ty)? {
        // Canonical text is what JSON is here.
        CastTo::Text | CastTo::Json => return Some(CastTo::Text),
        CastTo::Bool => JsonTo::Bool,
        CastTo::F32 => JsonTo::F32,
        CastTo::F64 => JsonTo::F64,
        CastTo::Decimal => JsonTo::Decimal,
        CastTo::Int(kind) => JsonTo::Int(kind),
        CastTo::FromJson(_) => return None,
    }))
}

/// Whether every value of a type casts to another one. The types are without NULL.
pub(super) fn is_total(from: &Type, to: &Type) -> bool {
    if from == to || *to == Type::String {
        return true;
    }
    let class = class_of(from);
    match to {
        Type::F32 | Type::F64 => is_number(from) || *from == Type::Bool,
        Type::Bool => from.is_integer() || *from == Type::Decimal,
        Type::Json => *from == Type::Bool,
        Type::I64 => from.is_integer() && class == NumberClass::Int64 || *from == Type::Bool,
        Type::I128 => from.is_integer() && *from != Type::U128 || *from == Type::Bool,
        Type::Decimal => {
            *from == Type::Bool || from.is_integer() && !matches!(from, Type::I128 | Type::U128)
        }
        _ => false,
    }
}

/// `CAST(operand AS ty)`.
pub(super) fn cast(operand: Operand, ty: &Type, at: Position) -> Result<Operand, QueryError> {
    if let Operand::Free(free) = &operand
        && let Some((expr, ty)) = free.exactly(ty)
    {
        return Ok(Operand::Typed(expr, ty));
    }
    let (expr, from) = operand.settle()?;
    let inner = from.non_null();
    let to = match inner {
        Type::Json => cast_from_json(ty),
        Type::Bool | Type::String => cast_to(ty),
        Type::Timestamp | Type::Duration => cast_to(ty).filter(|to| *to != CastTo::Json),
        number if is_number(number) => cast_to(ty),
        _ => None,
    };
    let Some(to) = to else {
        return Err(type_error(format!("{inner} does not cast to {ty}"), at));
    };
    let result = with_null(ty.clone(), !is_total(inner, ty) || is_nullable(&from));
    Ok(Operand::Typed(Expr::Cast(Box::new(expr), to), result))
}
