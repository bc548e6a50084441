//! The packed form of values: how rows, arguments and results are stored, logged, compared and sent.
//!
//! | type | bytes |
//! |---|---|
//! | bool | 1: 0 or 1 |
//! | i8..i128, u8..u128 | 1 to 16, little-endian, two's complement |
//! | f32, f64 | 4, 8: IEEE 754 little-endian, canonical (no -0, one NaN) |
//! | string, bytes | u32 length, then the bytes (UTF-8 for string) |
//! | Identity, ConnectionId, Uuid | 32, 16, 16 |
//! | Timestamp, Duration | 8: microseconds as i64 |
//! | Decimal | 17: mantissa as i128, u8 scale; canonical, see [`crate::decimal`] |
//! | Json | u32 length, then the text; canonical, see [`crate::json_text`] |
//! | option | tag 0, then the value; or tag 1 for nothing |
//! | list | u32 count, then the values |
//! | struct | its fields, in order |
//! | enum | u8 tag, then the payload of that variant if it has one |
//!
//! A row is its columns in order, without separators. The layout is the documented BSATN one.
//! Equal values have equal bytes.

use crate::decimal::Decimal;
use crate::error::CodecError;
use crate::ids::{ConnectionId, Identity};
use crate::json_text::{self, Json};
use crate::types::Type;
use crate::value::{Value, canonical_f32, canonical_f64};

#[cfg(test)]
mod tests;

/// Types nest at most this deep (checked when a schema is validated, and by every walk here).
pub const DEPTH_MAX: usize = 16;

/// Takes values off the front of packed bytes.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What was not read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], CodecError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or(CodecError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let (taken, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(CodecError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// A little-endian u32.
    pub fn u32(&mut self) -> Result<u32, CodecError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// A u32 length, then that many bytes.
    pub fn sized(&mut self) -> Result<&'a [u8], CodecError> {
        let len = self.u32()? as usize;
        self.take(len)
    }

    /// The count of a list. Every element has at least one byte, so a count over the bytes that
    /// are left is a lie and nothing is allocated for it.
    pub fn count(&mut self) -> Result<usize, CodecError> {
        let count = self.u32()? as usize;
        if count > self.rest.len() {
            return Err(CodecError::TooLong);
        }
        Ok(count)
    }

    /// Fails unless everything was read.
    pub fn finish(self) -> Result<(), CodecError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(CodecError::TrailingBytes)
        }
    }

    /// Steps over one value and returns its bytes, checking structure (tags, lengths, UTF-8, the
    /// canonical form of decimals and JSON).
    pub fn value(&mut self, ty: &Type) -> Result<&'a [u8], CodecError> {
        let start = self.rest;
        skip(ty, self, 0)?;
        Ok(&start[..start.len() - self.rest.len()])
    }
}

fn skip(ty: &Type, reader: &mut Reader<'_>, depth: usize) -> Result<(), CodecError> {
    if depth > DEPTH_MAX {
        return Err(CodecError::TooDeep);
    }
    match ty {
        Type::Bool => match reader.array::<1>()? {
            [0 | 1] => {}
            _ => return Err(CodecError::BadTag),
        },
        Type::String => {
            core::str::from_utf8(reader.sized()?).map_err(|_| CodecError::NotUtf8)?;
        }
        Type::Bytes => {
            reader.sized()?;
        }
        Type::Decimal => {
            Decimal::from_packed(reader.array()?)?;
        }
        Type::Json => json_text::check(reader.sized()?)?,
        Type::Option(inner) => match reader.array::<1>()? {
            [0] => skip(inner, reader, depth + 1)?,
            [1] => {}
            _ => return Err(CodecError::BadTag),
        },
        Type::List(inner) => {
            for _ in 0..reader.count()? {
                skip(inner, reader, depth + 1)?;
            }
        }
        Type::Struct(inner) => {
            for field in &inner.fields {
                skip(&field.ty, reader, depth + 1)?;
            }
        }
        Type::Enum(inner) => {
            let [tag] = reader.array()?;
            let variant = inner
                .variants
                .get(usize::from(tag))
                .ok_or(CodecError::BadTag)?;
            if let Some(payload) = &variant.payload {
                skip(payload, reader, depth + 1)?;
            }
        }
        scalar => {
            let len = scalar
                .fixed_len()
                .expect("all other types have a fixed length");
            reader.take(len)?;
        }
    }
    Ok(())
}

/// Checks that `bytes` are exactly one value of each type in turn, as rows and arguments are.
pub fn validate<'t>(
    types: impl IntoIterator<Item = &'t Type>,
    bytes: &[u8],
) -> Result<(), CodecError> {
    let mut reader = Reader::new(bytes);
    for ty in types {
        skip(ty, &mut reader, 0)?;
    }
    reader.finish()
}

/// Like [`validate`], and rewrites every float that is not canonical in place.
pub fn canonicalize<'t>(
    types: impl IntoIterator<Item = &'t Type>,
    bytes: &mut [u8],
) -> Result<(), CodecError> {
    let mut at = 0;
    for ty in types {
        let len = Reader::new(&bytes[at..]).value(ty)?.len();
        if ty.has_float() {
            canonicalize_value(ty, bytes, &mut at)?;
        } else {
            at += len;
        }
    }
    if at == bytes.len() {
        Ok(())
    } else {
        Err(CodecError::TrailingBytes)
    }
}

/// Walks one value that [`Reader::value`] has already checked.
fn canonicalize_value(ty: &Type, bytes: &mut [u8], at: &mut usize) -> Result<(), CodecError> {
    match ty {
        Type::F32 => {
            let slot = bytes[*at..]
                .first_chunk_mut()
                .ok_or(CodecError::Truncated)?;
            *slot = canonical_f32(f32::from_le_bytes(*slot)).to_le_bytes();
            *at += 4;
        }
        Type::F64 => {
            let slot = bytes[*at..]
                .first_chunk_mut()
                .ok_or(CodecError::Truncated)?;
            *slot = canonical_f64(f64::from_le_bytes(*slot)).to_le_bytes();
            *at += 8;
        }
        Type::Option(inner) => {
            *at += 1;
            if bytes[*at - 1] == 0 {
                canonicalize_value(inner, bytes, at)?;
            }
        }
        Type::List(inner) => {
            let count = Reader::new(&bytes[*at..]).count()?;
            *at += 4;
            for _ in 0..count {
                canonicalize_value(inner, bytes, at)?;
            }
        }
        Type::Struct(inner) => {
            for field in &inner.fields {
                canonicalize_value(&field.ty, bytes, at)?;
            }
        }
        Type::Enum(inner) => {
            let tag = bytes[*at];
            *at += 1;
            if let Some(payload) = &inner.variants[usize::from(tag)].payload {
                canonicalize_value(payload, bytes, at)?;
            }
        }
        other => *at += Reader::new(&bytes[*at..]).value(other)?.len(),
    }
    Ok(())
}

/// Appends a length and bytes.
pub fn put_sized(bytes: &[u8], out: &mut Vec<u8>) {
    let len = u32::try_from(bytes.len()).expect("values are far below 4 GiB, see limits");
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(bytes);
}

/// Appends one value. Fails, leaving `out` with a part of it, if the value is not of the type.
pub fn encode(ty: &Type, value: &Value, out: &mut Vec<u8>) -> Result<(), CodecError> {
    match (ty, value) {
        (Type::Bool, Value::Bool(v)) => out.push(u8::from(*v)),
        (Type::I8, Value::I8(v)) => out.extend_from_slice(&v.to_le_bytes()),
        (Type::I16, Value::I16(v)) => out.extend_from_slice(&v.to_le_bytes()),
        (Type::I32, Value::I32(v)) => out.extend_from_slice(&v.to_le_bytes()),
        (Type::I64, Value::I64(v))
        | (Type::Timestamp, Value::Timestamp(v))
        | (Type::Duration, Value::Duration(v)) => out.extend_from_slice(&v.to_le_bytes()),
        (Type::I128, Value::I128(v)) => out.extend_from_slice(&v.to_le_bytes()),
        (Type::U8, Value::U8(v)) => out.push(*v),
        (Type::U16, Value::U16(v)) => out.extend_from_slice(&v.to_le_bytes()),
        (Type::U32, Value::U32(v)) => out.extend_from_slice(&v.to_le_bytes()),
        (Type::U64, Value::U64(v)) => out.extend_from_slice(&v.to_le_bytes()),
        (Type::U128, Value::U128(v)) => out.extend_from_slice(&v.to_le_bytes()),
        (Type::F32, Value::F32(v)) => out.extend_from_slice(&canonical_f32(*v).to_le_bytes()),
        (Type::F64, Value::F64(v)) => out.extend_from_slice(&canonical_f64(*v).to_le_bytes()),
        (Type::Decimal, Value::Decimal(v)) => out.extend_from_slice(&v.to_packed()),
        (Type::Json, Value::Json(v)) => put_sized(v.text().as_bytes(), out),
        (Type::String, Value::String(v)) => put_sized(v.as_bytes(), out),
        (Type::Bytes, Value::Bytes(v)) => put_sized(v, out),
        (Type::Identity, Value::Identity(v)) => out.extend_from_slice(&v.0),
        (Type::ConnectionId, Value::ConnectionId(v)) => out.extend_from_slice(&v.0),
        (Type::Uuid, Value::Uuid(v)) => out.extend_from_slice(v),
        (Type::Option(_), Value::Option(None)) => out.push(1),
        (Type::Option(inner), Value::Option(Some(v))) => {
            out.push(0);
            encode(inner, v, out)?;
        }
        (Type::List(inner), Value::List(items)) => {
            let count = u32::try_from(items.len()).map_err(|_| CodecError::TooLong)?;
            out.extend_from_slice(&count.to_le_bytes());
            for item in items {
                encode(inner, item, out)?;
            }
        }
        (Type::Struct(inner), Value::Struct(fields)) => {
            if inner.fields.len() != fields.len() {
                return Err(CodecError::TypeMismatch);
            }
            for (field, value) in inner.fields.iter().zip(fields) {
                encode(&field.ty, value, out)?;
            }
        }
        (Type::Enum(inner), Value::Enum(tag, carried)) => {
            let variant = inner
                .variants
                .get(usize::from(*tag))
                .ok_or(CodecError::BadTag)?;
            out.push(*tag);
            match (&variant.payload, carried) {
                (Some(payload), Some(value)) => encode(payload, value, out)?,
                (None, None) => {}
                _ => return Err(CodecError::TypeMismatch),
            }
        }
        _ => return Err(CodecError::TypeMismatch),
    }
    Ok(())
}

/// Decodes exactly one value.
pub fn decode(ty: &Type, bytes: &[u8]) -> Result<Value, CodecError> {
    let mut reader = Reader::new(bytes);
    let value = decode_from(ty, &mut reader)?;
    reader.finish()?;
    Ok(value)
}

/// Decodes one value off the front.
pub fn decode_from(ty: &Type, reader: &mut Reader<'_>) -> Result<Value, CodecError> {
    decode_at(ty, reader, 0)
}

fn decode_at(ty: &Type, reader: &mut Reader<'_>, depth: usize) -> Result<Value, CodecError> {
    if depth > DEPTH_MAX {
        return Err(CodecError::TooDeep);
    }
    Ok(match ty {
        Type::Bool => match reader.array::<1>()? {
            [0] => Value::Bool(false),
            [1] => Value::Bool(true),
            _ => return Err(CodecError::BadTag),
        },
        Type::I8 => Value::I8(i8::from_le_bytes(reader.array()?)),
        Type::I16 => Value::I16(i16::from_le_bytes(reader.array()?)),
        Type::I32 => Value::I32(i32::from_le_bytes(reader.array()?)),
        Type::I64 => Value::I64(i64::from_le_bytes(reader.array()?)),
        Type::I128 => Value::I128(i128::from_le_bytes(reader.array()?)),
        Type::U8 => Value::U8(u8::from_le_bytes(reader.array()?)),
        Type::U16 => Value::U16(u16::from_le_bytes(reader.array()?)),
        Type::U32 => Value::U32(u32::from_le_bytes(reader.array()?)),
        Type::U64 => Value::U64(u64::from_le_bytes(reader.array()?)),
        Type::U128 => Value::U128(u128::from_le_bytes(reader.array()?)),
        Type::F32 => Value::F32(f32::from_le_bytes(reader.array()?)),
        Type::F64 => Value::F64(f64::from_le_bytes(reader.array()?)),
        Type::String => {
            let text = core::str::from_utf8(reader.sized()?).map_err(|_| CodecError::NotUtf8)?;
            Value::String(text.to_owned())
        }
        Type::Bytes => Value::Bytes(reader.sized()?.to_vec()),
        Type::Identity => Value::Identity(Identity(reader.array()?)),
        Type::ConnectionId => Value::ConnectionId(ConnectionId(reader.array()?)),
        Type::Timestamp => Value::Timestamp(i64::from_le_bytes(reader.array()?)),
        Type::Duration => Value::Duration(i64::from_le_bytes(reader.array()?)),
        Type::Uuid => Value::Uuid(reader.array()?),
        Type::Decimal => Value::Decimal(Decimal::from_packed(reader.array()?)?),
        Type::Json => {
            let text = core::str::from_utf8(reader.sized()?).map_err(|_| CodecError::NotUtf8)?;
            Value::Json(Json::from_canonical(text)?)
        }
        Type::Option(inner) => match reader.array::<1>()? {
            [0] => Value::Option(Some(Box::new(decode_at(inner, reader, depth + 1)?))),
            [1] => Value::Option(None),
            _ => return Err(CodecError::BadTag),
        },
        Type::List(inner) => {
            let count = reader.count()?;
            let mut items = Vec::with_capacity(count.min(1024));
            for _ in 0..count {
                items.push(decode_at(inner, reader, depth + 1)?);
            }
            Value::List(items)
        }
        Type::Struct(inner) => {
            let mut fields = Vec::with_capacity(inner.fields.len());
            for field in &inner.fields {
                fields.push(decode_at(&field.ty, reader, depth + 1)?);
            }
            Value::Struct(fields)
        }
        Type::Enum(inner) => {
            let [tag] = reader.array()?;
            let variant = inner
                .variants
                .get(usize::from(tag))
                .ok_or(CodecError::BadTag)?;
            let carried = match &variant.payload {
                Some(payload) => Some(Box::new(decode_at(payload, reader, depth + 1)?)),
                None => None,
            };
            Value::Enum(tag, carried)
        }
    })
}
