//! A decoded value: convenient, allocating, and therefore never on the hot path.

use crate::decimal::Decimal;
use crate::ids::{ConnectionId, Identity};
use crate::json_text::Json;

/// A value of some [`crate::Type`]. Floats are canonical once packed: no -0, one NaN.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the variants mirror those of Type")]
pub enum Value {
    Bool(bool),
    I8(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    I128(i128),
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    U128(u128),
    F32(f32),
    F64(f64),
    String(String),
    Bytes(Vec<u8>),
    Identity(Identity),
    ConnectionId(ConnectionId),
    /// Microseconds since the Unix epoch.
    Timestamp(i64),
    /// Microseconds.
    Duration(i64),
    Uuid([u8; 16]),
    Decimal(Decimal),
    Json(Json),
    Option(Option<Box<Value>>),
    List(Vec<Value>),
    /// Fields in declared order.
    Struct(Vec<Value>),
    /// Position of the variant, and what it carries.
    Enum(u8, Option<Box<Value>>),
}

/// The one NaN that is stored, as f64.
pub const NAN_F64: f64 = f64::from_bits(0x7ff8_0000_0000_0000);
/// The one NaN that is stored, as f32.
pub const NAN_F32: f32 = f32::from_bits(0x7fc0_0000);

/// -0 becomes 0 and every NaN becomes [`NAN_F64`].
#[must_use]
pub fn canonical_f64(value: f64) -> f64 {
    if value.is_nan() { NAN_F64 } else { value + 0.0 }
}

/// -0 becomes 0 and every NaN becomes [`NAN_F32`].
#[must_use]
pub fn canonical_f32(value: f32) -> f32 {
    if value.is_nan() { NAN_F32 } else { value + 0.0 }
}
