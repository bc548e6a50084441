//! Arithmetic. What has no result, or none that its class holds, is NULL, and counted.

use syncline_protocol::Decimal;

use super::NumberClass;
use crate::scalar::{Scalar, exact_int, failed, or_failed};
use crate::syntax::ArithmeticOp;

pub(super) fn as_float(value: &Scalar<'_>) -> Option<f64> {
    match value {
        Scalar::Int(value) => Some(*value as f64),
        Scalar::Huge(value) => Some(*value as f64),
        Scalar::Float(value) => Some(*value),
        Scalar::Decimal(value) => Some(value.to_f64()),
        _ => None,
    }
}

/// A whole number or a decimal as a decimal.
pub(super) fn as_decimal(value: &Scalar<'_>) -> Option<Decimal> {
    match value {
        Scalar::Int(value) => Decimal::try_from(*value).ok(),
        Scalar::Decimal(value) => Some(*value),
        _ => None,
    }
}

fn in_class<'a>(class: NumberClass, value: Option<i128>) -> Scalar<'a> {
    match value {
        Some(value) if class != NumberClass::Int64 || i64::try_from(value).is_ok() => {
            Scalar::Int(value)
        }
        _ => failed(),
    }
}

pub(super) fn arithmetic<'a>(
    op: ArithmeticOp,
    class: NumberClass,
    left: &Scalar<'_>,
    right: &Scalar<'_>,
) -> Scalar<'a> {
    if *left == Scalar::Null || *right == Scalar::Null {
        return Scalar::Null;
    }
    match class {
        NumberClass::Float => or_failed(of_floats(op, left, right)),
        NumberClass::Decimal => or_failed(of_decimals(op, left, right)),
        NumberClass::Int64 | NumberClass::Int128 => match (left, right) {
            (Scalar::Int(left), Scalar::Int(right)) => in_class(class, of_ints(op, *left, *right)),
            _ => failed(),
        },
    }
}

fn of_ints(op: ArithmeticOp, left: i128, right: i128) -> Option<i128> {
    match op {
        ArithmeticOp::Add => left.checked_add(right),
        ArithmeticOp::Subtract => left.checked_sub(right),
        ArithmeticOp::Multiply => left.checked_mul(right),
        ArithmeticOp::Divide => left.checked_div(right),
        ArithmeticOp::Remainder => left.checked_rem(right),
    }
}

fn of_floats<'a>(op: ArithmeticOp, left: &Scalar<'_>, right: &Scalar<'_>) -> Option<Scalar<'a>> {
    let (left, right) = (as_float(left)?, as_float(right)?);
    Some(Scalar::Float(match op {
        ArithmeticOp::Add => left + right,
        ArithmeticOp::Subtract => left - right,
        ArithmeticOp::Multiply => left * right,
        ArithmeticOp::Divide | ArithmeticOp::Remainder if right == 0.0 => return None,
        ArithmeticOp::Divide => left / right,
        ArithmeticOp::Remainder => left % right,
    }))
}

fn of_decimals<'a>(op: ArithmeticOp, left: &Scalar<'_>, right: &Scalar<'_>) -> Option<Scalar<'a>> {
    decimal_result(op, as_decimal(left)?, as_decimal(right)?).map(Scalar::Decimal)
}

/// `left op right`, if there is such a decimal.
pub(crate) fn decimal_result(op: ArithmeticOp, left: Decimal, right: Decimal) -> Option<Decimal> {
    match op {
        ArithmeticOp::Add => left.checked_add(right),
        ArithmeticOp::Subtract => left.checked_sub(right),
        ArithmeticOp::Multiply => left.checked_mul(right),
        ArithmeticOp::Divide => left.checked_div(right),
        ArithmeticOp::Remainder => left.checked_rem(right),
    }
}

pub(super) fn negate<'a>(class: NumberClass, value: &Scalar<'_>) -> Scalar<'a> {
    match value {
        Scalar::Decimal(value) => Scalar::Decimal(-*value),
        other => arithmetic(ArithmeticOp::Subtract, class, &Scalar::Int(0), other),
    }
}

pub(super) fn abs<'a>(class: NumberClass, value: &Scalar<'_>) -> Scalar<'a> {
    match value {
        Scalar::Int(value) => in_class(class, value.checked_abs()),
        Scalar::Float(value) => Scalar::Float(value.abs()),
        Scalar::Decimal(value) => Scalar::Decimal(value.abs()),
        Scalar::Null => Scalar::Null,
        _ => failed(),
    }
}

/// -1, 0 or 1; NaN has no sign.
pub(super) fn sign<'a>(value: &Scalar<'_>) -> Scalar<'a> {
    Scalar::Int(match value {
        Scalar::Int(value) => value.signum(),
        Scalar::Huge(_) => 1,
        Scalar::Decimal(value) => value.mantissa().signum(),
        Scalar::Float(value) if !value.is_nan() => {
            i128::from(*value > 0.0) - i128::from(*value < 0.0)
        }
        Scalar::Float(_) => return failed(),
        _ => return Scalar::Null,
    })
}

/// Rounds to `places` digits behind the point, a half away from zero. A float is rounded as it is written, so
/// `round(2.675, 2)` is 2.68.
pub(super) fn round<'a>(class: NumberClass, value: &Scalar<'_>, places: i128) -> Scalar<'a> {
    // All digits there are lie between these.
    let places = places.clamp(-400, 400) as i32;
    match value {
        Scalar::Int(value) if places >= 0 => in_class(class, Some(*value)),
        Scalar::Int(value) => in_class(class, round_int(*value, places.unsigned_abs())),
        Scalar::Decimal(value) => or_failed(value.round_away(places).map(Scalar::Decimal)),
        Scalar::Float(value) => Scalar::Float(round_float(*value, places)),
        Scalar::Null => Scalar::Null,
        _ => failed(),
    }
}

fn round_int(value: i128, zeros: u32) -> Option<i128> {
    // No integer has so many digits that a half of this unit is one.
    let Some(unit) = 10_u128.checked_pow(zeros) else {
        return Some(0);
    };
    let magnitude = value.unsigned_abs();
    let rest = magnitude % unit;
    let kept = magnitude - rest;
    let rounded = if rest >= unit - rest {
        kept.checked_add(unit)?
    } else {
        kept
    };
    let rounded = i128::try_from(rounded).ok()?;
    Some(if value < 0 { -rounded } else { rounded })
}

fn round_float(value: f64, places: i32) -> f64 {
    // From here on a double has nothing behind the point.
    const WHOLE: f64 = 9_007_199_254_740_992.0;
    if value.is_nan() || places >= 0 && value.abs() >= WHOLE {
        return value;
    }
    match Decimal::from_f64(value).map(|written| written.round_away(places)) {
        Some(Some(rounded)) => rounded.to_f64(),
        _ => round_huge(value, places).unwrap_or(value),
    }
}

/// Rounds a float that is too large for a decimal: its digits are one, its magnitude goes to the places.
fn round_huge(value: f64, places: i32) -> Option<f64> {
    let written = format!("{value:e}");
    let (digits, magnitude) = written.split_once('e')?;
    let places = places + magnitude.parse::<i32>().ok()?;
    let digits: Decimal = digits.parse().ok()?;
    let rounded = digits.round_away(places)?;
    let value: f64 = format!("{rounded}e{magnitude}").parse().ok()?;
    // Above the largest float there is none.
    value.is_finite().then_some(value)
}

/// Which way to the next whole number.
#[derive(Clone, Copy)]
pub(super) enum Whole {
    Down,
    Up,
    ToZero,
}

pub(super) fn whole<'a>(value: &Scalar<'_>, way: Whole) -> Scalar<'a> {
    match (value, way) {
        (Scalar::Float(value), Whole::Down) => Scalar::Float(value.floor()),
        (Scalar::Float(value), Whole::Up) => Scalar::Float(value.ceil()),
        (Scalar::Float(value), Whole::ToZero) => Scalar::Float(value.trunc()),
        (Scalar::Decimal(value), Whole::Down) => Scalar::Decimal(value.floor()),
        (Scalar::Decimal(value), Whole::Up) => Scalar::Decimal(value.ceil()),
        (Scalar::Decimal(value), Whole::ToZero) => Scalar::Decimal(value.trunc()),
        (Scalar::Int(value), _) => Scalar::Int(*value),
        (Scalar::Huge(value), _) => Scalar::Huge(*value),
        _ => Scalar::Null,
    }
}

/// IEEE 754 says what it is, to the last bit.
pub(super) fn square_root<'a>(value: &Scalar<'_>) -> Scalar<'a> {
    match as_float(value) {
        Some(value) if value >= 0.0 => Scalar::Float(value.sqrt()),
        Some(value) if value.is_nan() => Scalar::Float(value),
        Some(_) => failed(),
        None => Scalar::Null,
    }
}

/// A power with a whole exponent, by squaring: the same on every machine, as the one of the C library is not.
pub(super) fn power<'a>(
    class: NumberClass,
    base: &Scalar<'_>,
    exponent: &Scalar<'_>,
) -> Scalar<'a> {
    let exponent = match exponent {
        Scalar::Int(exponent) => Some(*exponent),
        Scalar::Decimal(exponent) => exponent.to_i128(),
        Scalar::Float(exponent) => exact_int(*exponent),
        Scalar::Null => return Scalar::Null,
        _ => None,
    };
    let (Some(exponent), false) = (exponent, *base == Scalar::Null) else {
        return if *base == Scalar::Null {
            Scalar::Null
        } else {
            failed()
        };
    };
    let Ok(steps) = u32::try_from(exponent.unsigned_abs()) else {
        return failed();
    };
    or_failed(match class {
        NumberClass::Float => as_float(base).and_then(|base| {
            let power = raise(base, steps, |a, b| Some(a * b), 1.0)?;
            let power = if exponent < 0 { 1.0 / power } else { power };
            (power.is_finite() || !base.is_finite()).then_some(Scalar::Float(power))
        }),
        NumberClass::Decimal => as_decimal(base).and_then(|base| {
            let power = raise(base, steps, Decimal::checked_mul, Decimal::ONE)?;
            let power = if exponent < 0 {
                Decimal::ONE.checked_div(power)?
            } else {
                power
            };
            Some(Scalar::Decimal(power))
        }),
        NumberClass::Int64 | NumberClass::Int128 => match base {
            Scalar::Int(base) if exponent >= 0 => match base.checked_pow(steps) {
                Some(power) => return in_class(class, Some(power)),
                None => None,
            },
            _ => None,
        },
    })
}

fn raise<T: Copy>(
    mut base: T,
    mut steps: u32,
    multiply: impl Fn(T, T) -> Option<T>,
    one: T,
) -> Option<T> {
    let mut power = one;
    while steps > 0 {
        if steps % 2 == 1 {
            power = multiply(power, base)?;
        }
        steps /= 2;
        if steps > 0 {
            base = multiply(base, base)?;
        }
    }
    Some(power)
}
