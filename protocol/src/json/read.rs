//! From JSON to packed values.

use core::fmt;

use serde_json::{Map, Value as Json};

use super::from_base64;
use crate::decimal::{Decimal, NotADecimal};
use crate::ids::{ConnectionId, Identity};
use crate::packed::put_sized;
use crate::types::{EnumType, Field, StructType, Type};
use crate::value::{canonical_f32, canonical_f64};

/// A value that is not of its type, and where it is.
#[derive(Debug)]
pub(super) struct Mismatch {
    /// Steps from the outermost value, innermost first: `.field` or `[position]`.
    path: Vec<String>,
    problem: String,
}

impl Mismatch {
    fn new(problem: impl Into<String>) -> Self {
        Self {
            path: Vec::new(),
            problem: problem.into(),
        }
    }

    fn expected(ty: &Type, json: &Json) -> Self {
        Self::new(format!("expected {ty}, found {}", excerpt(json)))
    }

    fn within(mut self, step: String) -> Self {
        self.path.push(step);
        self
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            f.write_str("in ")?;
            self.path
                .iter()
                .rev()
                .try_for_each(|step| f.write_str(step))?;
            f.write_str(": ")?;
        }
        f.write_str(&self.problem)
    }
}

/// The beginning of a value, for messages.
fn excerpt(json: &Json) -> String {
    const CHARS_MAX: usize = 40;
    let text = match json {
        Json::Array(_) => return "an array".into(),
        Json::Object(_) => return "an object".into(),
        scalar => scalar.to_string(),
    };
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text,
    }
}

/// Appends the packed form of what `json` stands for.
pub(super) fn value(ty: &Type, json: &Json, out: &mut Vec<u8>) -> Result<(), Mismatch> {
    let mismatch = || Mismatch::expected(ty, json);
    match (ty, json) {
        (Type::Bool, Json::Bool(v)) => out.push(u8::from(*v)),
        (Type::F32, _) => {
            let wide = float(json).ok_or_else(mismatch)?;
            let narrow = wide as f32;
            if narrow.is_infinite() && wide.is_finite() {
                return Err(Mismatch::new(format!("{wide} is out of the range of f32")));
            }
            out.extend_from_slice(&canonical_f32(narrow).to_le_bytes());
        }
        (Type::F64, _) => {
            let number = float(json).ok_or_else(mismatch)?;
            out.extend_from_slice(&canonical_f64(number).to_le_bytes());
        }
        (Type::String, Json::String(text)) => put_sized(text.as_bytes(), out),
        (Type::Bytes, Json::String(text)) => {
            put_sized(&from_base64(text).ok_or_else(mismatch)?, out);
        }
        (Type::Bytes, Json::Array(items)) => {
            let byte = |item: &Json| item.as_u64().and_then(|byte| u8::try_from(byte).ok());
            let bytes: Option<Vec<u8>> = items.iter().map(byte).collect();
            put_sized(&bytes.ok_or_else(mismatch)?, out);
        }
        (Type::Identity, Json::String(text)) => {
            out.extend_from_slice(&Identity::from_hex(text).ok_or_else(mismatch)?.0);
        }
        (Type::ConnectionId, Json::String(text)) => {
            out.extend_from_slice(&ConnectionId::from_hex(text).ok_or_else(mismatch)?.0);
        }
        (Type::Uuid, Json::String(text)) => {
            out.extend_from_slice(&uuid(text).ok_or_else(mismatch)?);
        }
        (Type::Decimal, Json::Number(number)) => decimal(&number.to_string(), json, out)?,
        (Type::Decimal, Json::String(text)) => decimal(text, json, out)?,
        (Type::Json, any) => {
            let canonical = crate::Json::parse(&any.to_string());
            let canonical = canonical.map_err(|error| Mismatch::new(error.problem.to_string()))?;
            put_sized(canonical.text().as_bytes(), out);
        }
        (Type::Option(_), Json::Null) => out.push(1),
        (Type::Option(inner), some) => {
            out.push(0);
            value(inner, some, out)?;
        }
        (Type::List(inner), Json::Array(items)) => {
            let count = u32::try_from(items.len()).map_err(|_| Mismatch::new("list too long"))?;
            out.extend_from_slice(&count.to_le_bytes());
            for (position, item) in items.iter().enumerate() {
                value(inner, item, out).map_err(|m| m.within(format!("[{position}]")))?;
            }
        }
        (Type::Struct(inner), Json::Object(members)) => struct_fields(inner, members, out)?,
        (Type::Enum(inner), _) => enum_variant(ty, inner, json, out)?,
        _ => integer(ty, json, out)?,
    }
    Ok(())
}

fn decimal(text: &str, json: &Json, out: &mut Vec<u8>) -> Result<(), Mismatch> {
    let number: Decimal = text.parse().map_err(|error| match error {
        NotADecimal::OutOfRange => Mismatch::new(format!("{}: {error}", excerpt(json))),
        _ => Mismatch::expected(&Type::Decimal, json),
    })?;
    out.extend_from_slice(&number.to_packed());
    Ok(())
}

fn float(json: &Json) -> Option<f64> {
    match json {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

fn uuid(text: &str) -> Option<[u8; 16]> {
    let hyphens_fit = match text.len() {
        32 => true,
        36 => [8, 13, 18, 23]
            .iter()
            .all(|&at| text.as_bytes()[at] == b'-'),
        _ => false,
    };
    let digits: String = text.chars().filter(|&c| c != '-').collect();
    if hyphens_fit {
        ConnectionId::from_hex(&digits).map(|id| id.0)
    } else {
        None
    }
}

fn integer(ty: &Type, json: &Json, out: &mut Vec<u8>) -> Result<(), Mismatch> {
    let is_integer = ty.is_integer() || matches!(ty, Type::Timestamp | Type::Duration);
    let digits = match json {
        _ if !is_integer => None,
        Json::Number(number) => whole(number),
        Json::String(text) => Some(text.clone()),
        _ => None,
    };
    let Some(digits) = digits else {
        return Err(Mismatch::expected(ty, json));
    };
    let is_number = digits.parse::<i128>().is_ok() || digits.parse::<u128>().is_ok();
    if !is_number {
        return Err(Mismatch::expected(ty, json));
    }
    put_integer(ty, &digits, out)
        .ok_or_else(|| Mismatch::new(format!("{digits} is out of the range of {ty}")))
}

/// Decimal digits of a number without a fraction, as far as a double holds it exactly.
fn whole(number: &serde_json::Number) -> Option<String> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    if number.is_f64() {
        let float = number.as_f64()?;
        let is_exact = float.fract() == 0.0 && float.abs() <= EXACT_MAX;
        return is_exact.then(|| (float as i64).to_string());
    }
    Some(number.to_string())
}

fn put_integer(ty: &Type, digits: &str, out: &mut Vec<u8>) -> Option<()> {
    match ty {
        Type::I8 => out.extend_from_slice(&digits.parse::<i8>().ok()?.to_le_bytes()),
        Type::I16 => out.extend_from_slice(&digits.parse::<i16>().ok()?.to_le_bytes()),
        Type::I32 => out.extend_from_slice(&digits.parse::<i32>().ok()?.to_le_bytes()),
        Type::I128 => out.extend_from_slice(&digits.parse::<i128>().ok()?.to_le_bytes()),
        Type::U8 => out.extend_from_slice(&digits.parse::<u8>().ok()?.to_le_bytes()),
        Type::U16 => out.extend_from_slice(&digits.parse::<u16>().ok()?.to_le_bytes()),
        Type::U32 => out.extend_from_slice(&digits.parse::<u32>().ok()?.to_le_bytes()),
        Type::U64 => out.extend_from_slice(&digits.parse::<u64>().ok()?.to_le_bytes()),
        Type::U128 => out.extend_from_slice(&digits.parse::<u128>().ok()?.to_le_bytes()),
        Type::I64 | Type::Timestamp | Type::Duration => {
            out.extend_from_slice(&digits.parse::<i64>().ok()?.to_le_bytes());
        }
        _ => return None,
    }
    Some(())
}

fn struct_fields(
    ty: &StructType,
    members: &Map<String, Json>,
    out: &mut Vec<u8>,
) -> Result<(), Mismatch> {
    if let Some(name) = unknown_member(&ty.fields, members) {
        return Err(Mismatch::new(format!("{} has no field `{name}`", ty.name)));
    }
    for field in &ty.fields {
        let json = members.get(&field.name);
        if json.is_none() && !matches!(field.ty, Type::Option(_)) {
            let problem = format!("field `{}` of {} is missing", field.name, ty.name);
            return Err(Mismatch::new(problem));
        }
        value(&field.ty, json.unwrap_or(&Json::Null), out)
            .map_err(|mismatch| mismatch.within(format!(".{}", field.name)))?;
    }
    Ok(())
}

fn unknown_member<'m>(fields: &[Field], members: &'m Map<String, Json>) -> Option<&'m str> {
    let is_known = |name: &str| fields.iter().any(|field| field.name == name);
    members
        .keys()
        .map(String::as_str)
        .find(|name| !is_known(name))
}

fn enum_variant(
    ty: &Type,
    inner: &EnumType,
    json: &Json,
    out: &mut Vec<u8>,
) -> Result<(), Mismatch> {
    let (name, carried) = match json {
        Json::String(name) => (name, None),
        Json::Object(members) if members.len() == 1 => {
            let (name, carried) = members.iter().next().expect("it has one member");
            (name, Some(carried))
        }
        _ => return Err(Mismatch::expected(ty, json)),
    };
    let Some(tag) = inner
        .variants
        .iter()
        .position(|variant| variant.name == *name)
    else {
        return Err(Mismatch::new(format!("{ty} has no variant `{name}`")));
    };
    let too_far = |_| Mismatch::new(format!("{ty} has more variants than a tag can name"));
    out.push(u8::try_from(tag).map_err(too_far)?);
    match (&inner.variants[tag].payload, carried) {
        (None, None) => Ok(()),
        (Some(payload), Some(json)) => {
            value(payload, json, out).map_err(|mismatch| mismatch.within(format!(".{name}")))
        }
        (Some(payload), None) => Err(Mismatch::new(format!(
            "variant `{name}` of {ty} carries a {payload}"
        ))),
        (None, Some(_)) => Err(Mismatch::new(format!(
            "variant `{name}` of {ty} carries nothing"
        ))),
    }
}

/// Arguments by position.
pub(super) fn array(params: &[Field], items: &[Json], out: &mut Vec<u8>) -> Result<(), String> {
    let required = params
        .iter()
        .rposition(|param| !matches!(param.ty, Type::Option(_)));
    let required = required.map_or(0, |position| position + 1);
    if items.len() < required || items.len() > params.len() {
        let expected = signature(params);
        return Err(format!(
            "expected arguments ({expected}), found {}",
            items.len()
        ));
    }
    for (position, param) in params.iter().enumerate() {
        argument(param, items.get(position).unwrap_or(&Json::Null), out)?;
    }
    Ok(())
}

/// Arguments by name.
pub(super) fn object(
    params: &[Field],
    members: &Map<String, Json>,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    if let Some(name) = unknown_member(params, members) {
        return Err(format!(
            "no argument `{name}`: expected ({})",
            signature(params)
        ));
    }
    for param in params {
        match members.get(&param.name) {
            Some(json) => argument(param, json, out)?,
            None if matches!(param.ty, Type::Option(_)) => out.push(1),
            None => {
                return Err(format!(
                    "argument `{}` ({}) is missing",
                    param.name, param.ty
                ));
            }
        }
    }
    Ok(())
}

fn argument(param: &Field, json: &Json, out: &mut Vec<u8>) -> Result<(), String> {
    value(&param.ty, json, out).map_err(|mismatch| format!("argument `{}`: {mismatch}", param.name))
}

fn signature(params: &[Field]) -> String {
    let params: Vec<_> = params
        .iter()
        .map(|p| format!("{}: {}", p.name, p.ty))
        .collect();
    params.join(", ")
}
