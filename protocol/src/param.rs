//! A query parameter before its type is known: the binder coerces it to the type it meets.

use crate::decimal::Decimal;
use crate::ids::{ConnectionId, Identity};
use crate::limits::SQL_PARAMS_MAX;
use crate::types::Type;
use crate::value::Value;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

#[cfg(test)]
mod tests;

/// A value as MessagePack and JSON can both write it. Integers over 64 bits (in JSON over 53), and
/// identities, ids and uuids in JSON, travel as text.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the variants say it")]
pub enum Param {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Param>),
}

/// Up to here a double holds every integer exactly.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

impl Param {
    /// The value of type `ty` that this stands for, if there is one. A number out of the type's range
    /// is none. For an option type null is nothing; no other type takes null.
    #[must_use]
    pub fn coerce(&self, ty: &Type) -> Option<Value> {
        Some(match (ty, self) {
            (Type::Option(_), Self::Null) => Value::Option(None),
            (Type::Option(inner), some) => Value::Option(Some(Box::new(some.coerce(inner)?))),
            (Type::Bool, Self::Bool(v)) => Value::Bool(*v),
            (Type::F32, Self::Float(v)) => Value::F32(*v as f32),
            (Type::F64, Self::Float(v)) => Value::F64(*v),
            (Type::F32, Self::Int(v)) => Value::F32(*v as f32),
            (Type::F64, Self::Int(v)) => Value::F64(*v as f64),
            (Type::F64 | Type::F32, Self::Text(text)) => {
                let number = match text.as_str() {
                    "NaN" => f64::NAN,
                    "Infinity" => f64::INFINITY,
                    "-Infinity" => f64::NEG_INFINITY,
                    digits => digits.parse::<i128>().ok()? as f64,
                };
                return Self::Float(number).coerce(ty);
            }
            (Type::String, Self::Text(v)) => Value::String(v.clone()),
            (Type::Bytes, Self::Bytes(v)) => Value::Bytes(v.clone()),
            (Type::Bytes, Self::Text(v)) => Value::Bytes(crate::json::from_base64(v)?),
            (Type::Identity | Type::ConnectionId | Type::Uuid, Self::Bytes(v)) => {
                crate::packed::decode(ty, v).ok()?
            }
            (Type::Identity | Type::ConnectionId | Type::Uuid, Self::Text(v)) => {
                crate::json::decode(ty, &serde_json::Value::String(v.clone())).ok()?
            }
            (Type::Decimal, Self::Int(v)) => Value::Decimal(Decimal::try_from(*v).ok()?),
            (Type::Decimal, Self::Float(v)) => Value::Decimal(Decimal::from_f64(*v)?),
            (Type::Decimal, Self::Text(v)) => Value::Decimal(v.parse().ok()?),
            (Type::Json, Self::Text(v)) => Value::Json(v.parse().ok()?),
            (Type::List(inner), Self::List(items)) => Value::List(
                items
                    .iter()
                    .map(|item| item.coerce(inner))
                    .collect::<Option<_>>()?,
            ),
            (_, Self::Int(v)) => integer(ty, *v)?,
            (_, Self::Float(v)) if v.fract() == 0.0 && v.abs() <= EXACT_MAX => {
                integer(ty, *v as i128)?
            }
            (Type::U128, Self::Text(v)) => Value::U128(v.parse().ok()?),
            (_, Self::Text(v)) => integer(ty, v.parse().ok()?)?,
            _ => return None,
        })
    }
}

fn integer(ty: &Type, v: i128) -> Option<Value> {
    Some(match ty {
        Type::I8 => Value::I8(v.try_into().ok()?),
        Type::I16 => Value::I16(v.try_into().ok()?),
        Type::I32 => Value::I32(v.try_into().ok()?),
        Type::I64 => Value::I64(v.try_into().ok()?),
        Type::I128 => Value::I128(v),
        Type::U8 => Value::U8(v.try_into().ok()?),
        Type::U16 => Value::U16(v.try_into().ok()?),
        Type::U32 => Value::U32(v.try_into().ok()?),
        Type::U64 => Value::U64(v.try_into().ok()?),
        Type::U128 => Value::U128(v.try_into().ok()?),
        Type::Timestamp => Value::Timestamp(v.try_into().ok()?),
        Type::Duration => Value::Duration(v.try_into().ok()?),
        _ => return None,
    })
}

macro_rules! from_integers {
    ($($int:ty),*) => {$(
        impl From<$int> for Param {
            fn from(value: $int) -> Self {
                Self::Int(value.into())
            }
        }
    )*};
}

from_integers!(i8, i16, i32, i64, i128, u8, u16, u32, u64);

impl From<bool> for Param {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for Param {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<Decimal> for Param {
    fn from(value: Decimal) -> Self {
        Self::Text(value.to_string())
    }
}

impl From<&str> for Param {
    fn from(value: &str) -> Self {
        Self::Text(value.into())
    }
}

impl From<String> for Param {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&[u8]> for Param {
    fn from(value: &[u8]) -> Self {
        Self::Bytes(value.into())
    }
}

impl From<Identity> for Param {
    fn from(value: Identity) -> Self {
        Self::Bytes(value.0.into())
    }
}

impl From<ConnectionId> for Param {
    fn from(value: ConnectionId) -> Self {
        Self::Bytes(value.0.into())
    }
}

impl<T: Into<Self>> From<Option<T>> for Param {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Param {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

impl Serialize for Param {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => s.serialize_unit(),
            Self::Bool(v) => s.serialize_bool(*v),
            Self::Int(v) => match (i64::try_from(*v), u64::try_from(*v)) {
                (Ok(v), _) if !s.is_human_readable() || v.unsigned_abs() < 1 << 53 => {
                    s.serialize_i64(v)
                }
                (_, Ok(v)) if !s.is_human_readable() => s.serialize_u64(v),
                _ => s.serialize_str(&v.to_string()),
            },
            Self::Float(v) if v.is_finite() || !s.is_human_readable() => s.serialize_f64(*v),
            Self::Float(v) if v.is_nan() => s.serialize_str("NaN"),
            Self::Float(v) => s.serialize_str(if *v > 0.0 { "Infinity" } else { "-Infinity" }),
            Self::Text(v) => s.serialize_str(v),
            Self::Bytes(v) if s.is_human_readable() => s.serialize_str(&crate::json::to_base64(v)),
            Self::Bytes(v) => s.serialize_bytes(v),
            Self::List(v) => v.serialize(s),
        }
    }
}

impl<'de> Deserialize<'de> for Param {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Param;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("null, a bool, a number, text, bytes or a list")
            }
            fn visit_unit<E>(self) -> Result<Param, E> {
                Ok(Param::Null)
            }
            fn visit_none<E>(self) -> Result<Param, E> {
                Ok(Param::Null)
            }
            fn visit_bool<E>(self, v: bool) -> Result<Param, E> {
                Ok(Param::Bool(v))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Param, E> {
                Ok(Param::Int(v.into()))
            }
            fn visit_u64<E>(self, v: u64) -> Result<Param, E> {
                Ok(Param::Int(v.into()))
            }
            fn visit_f64<E>(self, v: f64) -> Result<Param, E> {
                Ok(Param::Float(v))
            }
            fn visit_str<E>(self, v: &str) -> Result<Param, E> {
                Ok(Param::Text(v.to_owned()))
            }
            fn visit_bytes<E>(self, v: &[u8]) -> Result<Param, E> {
                Ok(Param::Bytes(v.to_vec()))
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Param, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    if items.len() == SQL_PARAMS_MAX {
                        return Err(de::Error::custom("a list parameter has too many items"));
                    }
                    items.push(item);
                }
                Ok(Param::List(items))
            }
        }
        d.deserialize_any(Visitor)
    }
}

/// Parameters with their names: pairs in MessagePack, an object in JSON. Both forms are read in both.
pub mod named {
    use super::Param;
    use crate::limits::SQL_PARAMS_MAX;
    use serde::{Deserializer, Serialize, Serializer, de};

    /// Writes the parameters.
    pub fn serialize<S: Serializer>(
        params: &Vec<(String, Param)>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() {
            s.collect_map(params.iter().map(|(name, value)| (name, value)))
        } else {
            params.serialize(s)
        }
    }

    /// Reads the parameters.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<(String, Param)>, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Vec<(String, Param)>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("parameters: an object, or pairs of name and value")
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Vec::new())
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut params = Vec::new();
                while let Some(param) = seq.next_element()? {
                    push(&mut params, param)?;
                }
                Ok(params)
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut params = Vec::new();
                while let Some(param) = map.next_entry()? {
                    push(&mut params, param)?;
                }
                Ok(params)
            }
        }
        fn push<E: de::Error>(
            params: &mut Vec<(String, Param)>,
            param: (String, Param),
        ) -> Result<(), E> {
            if params.len() == SQL_PARAMS_MAX {
                return Err(E::custom("too many parameters"));
            }
            params.push(param);
            Ok(())
        }
        d.deserialize_any(Visitor)
    }
}
