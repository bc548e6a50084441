//! Values as JSON, in one form for arguments, results, rows and HTTP:
//!
//! | type | JSON |
//! |---|---|
//! | bool | `true`, `false` |
//! | integers up to 32 bits | number |
//! | integers from 64 bits up, Timestamp, Duration | decimal string |
//! | f32, f64 | number, or `"NaN"`, `"Infinity"`, `"-Infinity"` |
//! | string | string |
//! | bytes | string: base64 with padding |
//! | Identity, ConnectionId | string: hex, 64 and 32 digits |
//! | Uuid | string: hyphenated hex |
//! | Decimal | decimal string, as `"-12.5"`: plain digits, no zeros at the end |
//! | Json | the value itself |
//! | option | the value, or `null` |
//! | list | array |
//! | struct | object, members in declared order |
//! | enum | `"Variant"`, or `{"Variant": value}` if it carries one |
//!
//! Readers take what a person would write as well: any integer as a number or a decimal string, a uuid
//! without hyphens, hex in upper case, bytes as an array of numbers; where a struct field or an argument
//! is missing, null; a decimal as a number. Integers and decimals are never rounded. An option of Json cannot
//! tell the JSON value `null` from nothing: in this form both are `null`, and that is read as nothing.

use base64::Engine as _;
use serde_json::Value as Json;

use crate::error::CodecError;
use crate::packed;
use crate::types::{Field, Type};
use crate::value::Value;

mod read;
mod write;

#[cfg(test)]
mod tests;

pub use write::write_packed;

/// Standard base64 with padding.
#[must_use]
pub fn to_base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Reads what [`to_base64`] wrote.
#[must_use]
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

/// JSON of a value of this type. A value of another type, which packing would refuse, is null.
#[must_use]
pub fn encode(ty: &Type, value: &Value) -> Json {
    write::encode(ty, value)
}

/// JSON of exactly one packed value.
pub fn encode_packed(ty: &Type, bytes: &[u8]) -> Result<Json, CodecError> {
    Ok(write::encode(ty, &packed::decode(ty, bytes)?))
}

/// The value of this type that the JSON stands for. [`pack`] says what is wrong and where.
pub fn decode(ty: &Type, json: &Json) -> Result<Value, CodecError> {
    let mut bytes = Vec::new();
    decode_into(ty, json, &mut bytes)?;
    packed::decode(ty, &bytes)
}

/// Appends the packed form of the value of this type that the JSON stands for. A failure can leave
/// a part of it in `out`.
pub fn decode_into(ty: &Type, json: &Json, out: &mut Vec<u8>) -> Result<(), CodecError> {
    read::value(ty, json, out).map_err(|_| CodecError::TypeMismatch)
}

/// Like [`decode_into`], with an error for people: `in .position.x: expected f32, found "left"`.
pub fn pack(ty: &Type, json: &Json, out: &mut Vec<u8>) -> Result<(), String> {
    read::value(ty, json, out).map_err(|mismatch| mismatch.to_string())
}

/// Packs the arguments of a reducer: a JSON array by position or an object by name. What is missing
/// is null, so options may be left out (of an array only at its end); null is no arguments at all.
pub fn args_to_packed(params: &[Field], args: &Json) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    match args {
        Json::Null => read::array(params, &[], &mut out)?,
        Json::Array(items) => read::array(params, items, &mut out)?,
        Json::Object(members) => read::object(params, members, &mut out)?,
        _ => return Err("arguments are a JSON array, or an object with their names".into()),
    }
    Ok(out)
}
