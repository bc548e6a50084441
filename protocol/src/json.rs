//! Values as JSON: integers of 64 bits and more as decimal strings (numbers are read too), bytes as
//! base64, identities, ids and uuids as hex, NaN and infinities as strings, options as the value or
//! null, structs as objects, enums as a string or an object with one member.

use base64::Engine as _;
use serde_json::Value as Json;

use crate::error::CodecError;
use crate::types::Type;
use crate::value::Value;

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

/// JSON of a value of this type.
#[must_use]
pub fn encode(_ty: &Type, _value: &Value) -> Json {
    unimplemented!("helper")
}

/// The value of this type that the JSON stands for.
pub fn decode(_ty: &Type, _json: &Json) -> Result<Value, CodecError> {
    unimplemented!("helper")
}
