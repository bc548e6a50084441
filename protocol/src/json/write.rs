//! From values to JSON.

use serde_json::{Map, Value as Json};

use super::to_base64;
use crate::decimal::Decimal;
use crate::error::CodecError;
use crate::ids::{ConnectionId, Identity};
use crate::json_text;
use crate::packed::Reader;
use crate::types::Type;
use crate::value::Value;

pub(super) fn encode(ty: &Type, value: &Value) -> Json {
    match (ty, value) {
        (_, Value::Bool(v)) => (*v).into(),
        (_, Value::I8(v)) => (*v).into(),
        (_, Value::I16(v)) => (*v).into(),
        (_, Value::I32(v)) => (*v).into(),
        (_, Value::U8(v)) => (*v).into(),
        (_, Value::U16(v)) => (*v).into(),
        (_, Value::U32(v)) => (*v).into(),
        (_, Value::I64(v) | Value::Timestamp(v) | Value::Duration(v)) => v.to_string().into(),
        (_, Value::I128(v)) => v.to_string().into(),
        (_, Value::U64(v)) => v.to_string().into(),
        (_, Value::U128(v)) => v.to_string().into(),
        (_, Value::F32(v)) => float(f64::from(*v)),
        (_, Value::F64(v)) => float(*v),
        (_, Value::String(v)) => v.as_str().into(),
        (_, Value::Bytes(v)) => to_base64(v).into(),
        (_, Value::Identity(v)) => v.to_hex().into(),
        (_, Value::ConnectionId(v)) => v.to_hex().into(),
        (_, Value::Uuid(v)) => hyphenated(*v).into(),
        (_, Value::Decimal(v)) => v.to_string().into(),
        (_, Value::Json(v)) => serde_json::from_str(v.text()).unwrap_or_default(),
        (Type::Option(inner), Value::Option(Some(v))) => encode(inner, v),
        (Type::List(inner), Value::List(items)) => {
            items.iter().map(|item| encode(inner, item)).collect()
        }
        (Type::Struct(inner), Value::Struct(values)) => {
            let members = inner.fields.iter().zip(values);
            let members = members.map(|(field, v)| (field.name.clone(), encode(&field.ty, v)));
            Json::Object(members.collect())
        }
        (Type::Enum(inner), Value::Enum(tag, carried)) => {
            let Some(variant) = inner.variants.get(usize::from(*tag)) else {
                return Json::Null;
            };
            match (&variant.payload, carried) {
                (Some(ty), Some(v)) => {
                    Json::Object(Map::from_iter([(variant.name.clone(), encode(ty, v))]))
                }
                _ => variant.name.as_str().into(),
            }
        }
        _ => Json::Null,
    }
}

fn float(value: f64) -> Json {
    match non_finite(value) {
        Some(text) => text.into(),
        None => value.into(),
    }
}

fn non_finite(value: f64) -> Option<&'static str> {
    if value.is_finite() {
        None
    } else if value.is_nan() {
        Some("NaN")
    } else if value > 0.0 {
        Some("Infinity")
    } else {
        Some("-Infinity")
    }
}

fn hyphenated(uuid: [u8; 16]) -> String {
    let mut text = ConnectionId(uuid).to_hex();
    for at in [20, 16, 12, 8] {
        text.insert(at, '-');
    }
    text
}

/// Appends the JSON text of the packed value at the front of `reader`, without building it in memory
/// first: how rows are written. A failure leaves a part of it in `out`.
pub fn write_packed(
    ty: &Type,
    reader: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    match ty {
        Type::Bool => match reader.array()? {
            [0u8] => out.extend_from_slice(b"false"),
            [1] => out.extend_from_slice(b"true"),
            _ => return Err(CodecError::BadTag),
        },
        Type::I8 => put(&i8::from_le_bytes(reader.array()?), out),
        Type::I16 => put(&i16::from_le_bytes(reader.array()?), out),
        Type::I32 => put(&i32::from_le_bytes(reader.array()?), out),
        Type::U8 => put(&u8::from_le_bytes(reader.array()?), out),
        Type::U16 => put(&u16::from_le_bytes(reader.array()?), out),
        Type::U32 => put(&u32::from_le_bytes(reader.array()?), out),
        Type::I64 | Type::Timestamp | Type::Duration => {
            put_quoted(&i64::from_le_bytes(reader.array()?), out);
        }
        Type::I128 => put_quoted(&i128::from_le_bytes(reader.array()?), out),
        Type::U64 => put_quoted(&u64::from_le_bytes(reader.array()?), out),
        Type::U128 => put_quoted(&u128::from_le_bytes(reader.array()?), out),
        Type::F32 => put_float(f64::from(f32::from_le_bytes(reader.array()?)), out),
        Type::F64 => put_float(f64::from_le_bytes(reader.array()?), out),
        Type::String => {
            let text = core::str::from_utf8(reader.sized()?).map_err(|_| CodecError::NotUtf8)?;
            put(text, out);
        }
        Type::Bytes => put(&to_base64(reader.sized()?), out),
        Type::Identity => put(&Identity(reader.array()?).to_hex(), out),
        Type::ConnectionId => put(&ConnectionId(reader.array()?).to_hex(), out),
        Type::Uuid => put(&hyphenated(reader.array()?), out),
        Type::Decimal => put_quoted(&Decimal::from_packed(reader.array()?)?, out),
        Type::Json => {
            let text = reader.sized()?;
            json_text::check(text)?;
            out.extend_from_slice(text);
        }
        nested => write_nested(nested, reader, out)?,
    }
    Ok(())
}

fn write_nested(ty: &Type, reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<(), CodecError> {
    match ty {
        Type::Option(inner) => match reader.array()? {
            [0u8] => write_packed(inner, reader, out)?,
            [1] => out.extend_from_slice(b"null"),
            _ => return Err(CodecError::BadTag),
        },
        Type::List(inner) => {
            let count = reader.count()?;
            out.push(b'[');
            for position in 0..count {
                if position > 0 {
                    out.push(b',');
                }
                write_packed(inner, reader, out)?;
            }
            out.push(b']');
        }
        Type::Struct(inner) => {
            out.push(b'{');
            for (position, field) in inner.fields.iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                put(&field.name, out);
                out.push(b':');
                write_packed(&field.ty, reader, out)?;
            }
            out.push(b'}');
        }
        Type::Enum(inner) => {
            let [tag] = reader.array()?;
            let variant = inner
                .variants
                .get(usize::from(tag))
                .ok_or(CodecError::BadTag)?;
            if let Some(payload) = &variant.payload {
                out.push(b'{');
                put(&variant.name, out);
                out.push(b':');
                write_packed(payload, reader, out)?;
                out.push(b'}');
            } else {
                put(&variant.name, out);
            }
        }
        _ => unreachable!("scalars are written by the caller"),
    }
    Ok(())
}

fn put<T: serde::Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("writing to memory cannot fail");
}

fn put_quoted(number: &impl core::fmt::Display, out: &mut Vec<u8>) {
    use std::io::Write;
    write!(out, "\"{number}\"").expect("writing to memory cannot fail");
}

fn put_float(value: f64, out: &mut Vec<u8>) {
    match non_finite(value) {
        Some(text) => put(text, out),
        None => put(&value, out),
    }
}
