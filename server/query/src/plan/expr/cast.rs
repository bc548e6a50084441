//! Casts. What the target does not hold is NULL, and counted.

use std::borrow::Cow;

use syncline_protocol::json_text::{JsonKind, JsonRef};
use syncline_protocol::{Decimal, Json};

use super::number::{as_decimal, as_float};
use super::{CastTo, JsonTo, text};
use crate::scalar::{Kind, Scalar, exact_int, int_fits, or_failed};

pub(super) fn cast(value: Scalar<'_>, to: CastTo) -> Scalar<'_> {
    if value == Scalar::Null {
        return Scalar::Null;
    }
    if let (CastTo::Text, Scalar::Bytes(_)) = (to, &value) {
        return value;
    }
    or_failed(match (to, &value) {
        (CastTo::Bool, value) => to_bool(value).map(Scalar::Bool),
        (CastTo::Int(kind), value) => to_int(value, kind),
        (CastTo::F32, value) => to_float(value).map(|v| Scalar::Float((v as f32).into())),
        (CastTo::F64, value) => to_float(value).map(Scalar::Float),
        (CastTo::Decimal, value) => to_decimal(value).map(Scalar::Decimal),
        (CastTo::Text, value) => text::to_text(value),
        (CastTo::Json, value) => to_json(value),
        (CastTo::FromJson(to), Scalar::Bytes(json)) => std::str::from_utf8(json)
            .ok()
            .and_then(|json| from_json(JsonRef::trusted(json), to)),
        (CastTo::FromJson(_), _) => None,
    })
}

fn utf8(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().map(str::trim)
}

fn to_bool(value: &Scalar<'_>) -> Option<bool> {
    match value {
        Scalar::Bool(value) => Some(*value),
        Scalar::Int(value) => Some(*value != 0),
        Scalar::Huge(_) => Some(true),
        Scalar::Decimal(value) => Some(!value.is_zero()),
        Scalar::Float(value) => (!value.is_nan()).then_some(*value != 0.0),
        Scalar::Bytes(value) => match value.as_ref() {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => None,
        },
        Scalar::Null => None,
    }
}

fn to_int<'a>(value: &Scalar<'_>, kind: Kind) -> Option<Scalar<'a>> {
    let wide = match value {
        Scalar::Int(value) => Scalar::Int(*value),
        Scalar::Huge(value) => Scalar::Huge(*value),
        Scalar::Bool(value) => Scalar::Int((*value).into()),
        Scalar::Float(value) => Scalar::Int(exact_int(value.trunc())?),
        Scalar::Decimal(value) => Scalar::Int(value.trunc().to_i128()?),
        Scalar::Bytes(value) => {
            let digits = utf8(value)?;
            match digits.parse() {
                Ok(value) => Scalar::Int(value),
                Err(_) => Scalar::from_u128(digits.parse().ok()?),
            }
        }
        Scalar::Null => return None,
    };
    let fits = match (&wide, kind) {
        (Scalar::Huge(_), Kind::U128) => true,
        (Scalar::Int(value), kind) => int_fits(*value, kind),
        _ => false,
    };
    fits.then_some(wide)
}

fn to_float(value: &Scalar<'_>) -> Option<f64> {
    match value {
        Scalar::Bool(value) => Some(f64::from(u8::from(*value))),
        Scalar::Bytes(value) => utf8(value)?.parse().ok(),
        number => as_float(number),
    }
}

/// A float is the decimal that it is written as; a text must be one exactly.
fn to_decimal(value: &Scalar<'_>) -> Option<Decimal> {
    match value {
        Scalar::Bool(value) => Some(Decimal::from(u8::from(*value))),
        Scalar::Bytes(value) => utf8(value)?.parse().ok(),
        Scalar::Float(value) => Decimal::from_f64(*value),
        number => as_decimal(number),
    }
}

fn to_json<'a>(value: &Scalar<'_>) -> Option<Scalar<'a>> {
    let json = match value {
        Scalar::Bytes(text) => Json::parse(std::str::from_utf8(text).ok()?).ok()?,
        Scalar::Bool(value) => Json::from(*value),
        Scalar::Float(value) => Json::number(*value)?,
        // A number that a double does not hold is none of JSON's.
        Scalar::Int(value) => Json::parse(&value.to_string()).ok()?,
        Scalar::Decimal(value) => {
            let float = value.to_f64();
            (Decimal::from_f64(float) == Some(*value)).then(|| Json::number(float))??
        }
        Scalar::Huge(_) | Scalar::Null => return None,
    };
    Some(Scalar::Bytes(Cow::Owned(json.text().as_bytes().to_vec())))
}

/// A JSON number is a number, a JSON boolean a boolean; nothing is read out of a JSON text.
fn from_json<'a>(json: JsonRef<'_>, to: JsonTo) -> Option<Scalar<'a>> {
    if to == JsonTo::Bool {
        return json.as_bool().map(Scalar::Bool);
    }
    if json.kind() != JsonKind::Number {
        return None;
    }
    let float = json.as_f64()?;
    match to {
        JsonTo::Bool => None,
        JsonTo::F64 => Some(Scalar::Float(float)),
        JsonTo::F32 => Some(Scalar::Float((float as f32).into())),
        JsonTo::Int(kind) => to_int(&Scalar::Float(float), kind),
        JsonTo::Decimal => json.text().parse().ok().map(Scalar::Decimal),
    }
}
