//! From packed values to Rust types, through serde.
//!
//! Structs are read by the names of their fields, or by position into a tuple; rows likewise by
//! the names of their visible columns. Ids and uuids are text (hex), times are microseconds, decimals are text
//! (`"-12.5"`), and JSON is what it would be read as from text.

use serde::Deserializer;
use serde::de::value::{Error, MapDeserializer, SeqDeserializer};
use serde::de::{self, DeserializeOwned, IntoDeserializer, Visitor};
use syncline_protocol::message::ResultColumn;
use syncline_protocol::{Json, Type, Value, json};

#[cfg(test)]
mod tests;

/// Reads a value.
pub(crate) fn value<T: DeserializeOwned>(ty: &Type, value: &Value) -> Result<T, crate::Error> {
    T::deserialize(Node { ty, value }).map_err(|error| crate::Error::Decode(error.to_string()))
}

/// Reads a row: the values of all columns, of which the visible ones count.
pub(crate) fn row<T: DeserializeOwned>(
    columns: &[ResultColumn],
    values: &[Value],
) -> Result<T, crate::Error> {
    T::deserialize(Row { columns, values }).map_err(|error| crate::Error::Decode(error.to_string()))
}

#[derive(Clone, Copy)]
struct Node<'a> {
    ty: &'a Type,
    value: &'a Value,
}

impl<'a> Node<'a> {
    fn items(self) -> Option<impl Iterator<Item = Node<'a>>> {
        match (self.ty, self.value) {
            (Type::List(ty), Value::List(items)) => {
                let items = items.iter().map(move |value| Node { ty, value });
                Some(Box::new(items) as Box<dyn Iterator<Item = Node<'a>>>)
            }
            (Type::Struct(ty), Value::Struct(values)) => {
                let fields = ty.fields.iter().zip(values);
                Some(Box::new(fields.map(|(field, value)| Node {
                    ty: &field.ty,
                    value,
                })))
            }
            _ => None,
        }
    }

    fn variant(self) -> Option<(&'a str, Option<Node<'a>>)> {
        let (Type::Enum(ty), Value::Enum(tag, carried)) = (self.ty, self.value) else {
            return None;
        };
        let variant = ty.variants.get(usize::from(*tag))?;
        let carried = variant.payload.as_ref().zip(carried.as_deref());
        Some((&variant.name, carried.map(|(ty, value)| Node { ty, value })))
    }
}

impl IntoDeserializer<'_> for Node<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Node<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Bool(v) => visitor.visit_bool(*v),
            Value::I8(v) => visitor.visit_i8(*v),
            Value::I16(v) => visitor.visit_i16(*v),
            Value::I32(v) => visitor.visit_i32(*v),
            Value::I64(v) | Value::Timestamp(v) | Value::Duration(v) => visitor.visit_i64(*v),
            Value::I128(v) => visitor.visit_i128(*v),
            Value::U8(v) => visitor.visit_u8(*v),
            Value::U16(v) => visitor.visit_u16(*v),
            Value::U32(v) => visitor.visit_u32(*v),
            Value::U64(v) => visitor.visit_u64(*v),
            Value::U128(v) => visitor.visit_u128(*v),
            Value::F32(v) => visitor.visit_f32(*v),
            Value::F64(v) => visitor.visit_f64(*v),
            Value::String(v) => visitor.visit_str(v),
            Value::Bytes(v) => visitor.visit_bytes(v),
            Value::Decimal(v) => visitor.visit_string(v.to_string()),
            Value::Json(json) => plain(json)?.deserialize_any(visitor).map_err(from_json),
            Value::Identity(_) | Value::ConnectionId(_) | Value::Uuid(_) => visitor.visit_str(
                json::encode(self.ty, self.value)
                    .as_str()
                    .unwrap_or_default(),
            ),
            Value::Option(None) => visitor.visit_unit(),
            Value::Option(Some(_)) => match some(self) {
                Some(inner) => inner.deserialize_any(visitor),
                None => Err(mismatch()),
            },
            Value::List(_) => self.deserialize_seq(visitor),
            Value::Struct(values) => {
                let Type::Struct(ty) = self.ty else {
                    return Err(mismatch());
                };
                let fields = ty.fields.iter().zip(values);
                let fields = fields.map(|(field, value)| {
                    (
                        field.name.as_str(),
                        Node {
                            ty: &field.ty,
                            value,
                        },
                    )
                });
                visitor.visit_map(MapDeserializer::new(fields))
            }
            Value::Enum(..) => match self.variant().ok_or_else(mismatch)? {
                (name, None) => visitor.visit_str(name),
                (name, Some(carried)) => {
                    visitor.visit_map(MapDeserializer::new(std::iter::once((name, carried))))
                }
            },
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Option(None) => visitor.visit_none(),
            Value::Json(json) => plain(json)?.deserialize_option(visitor).map_err(from_json),
            _ => visitor.visit_some(some(self).unwrap_or(self)),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if let Some(items) = self.items() {
            return visitor.visit_seq(SeqDeserializer::new(items));
        }
        match self.value {
            Value::Bytes(bytes) => visitor.visit_seq(SeqDeserializer::new(bytes.iter().copied())),
            Value::Option(Some(_)) => match some(self) {
                Some(inner) => inner.deserialize_seq(visitor),
                None => Err(mismatch()),
            },
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if let Value::Json(json) = self.value {
            let plain = plain(json)?;
            return plain
                .deserialize_enum(name, variants, visitor)
                .map_err(from_json);
        }
        match self.variant() {
            Some(variant) => visitor.visit_enum(EnumNode(variant)),
            None => self.deserialize_any(visitor),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct map struct identifier ignored_any
    }
}

/// What an option holds.
fn some(node: Node<'_>) -> Option<Node<'_>> {
    match (node.ty, node.value) {
        (Type::Option(ty), Value::Option(Some(value))) => Some(Node { ty, value }),
        _ => None,
    }
}

fn plain(json: &Json) -> Result<serde_json::Value, Error> {
    serde_json::from_str(json.text()).map_err(from_json)
}

fn from_json(error: serde_json::Error) -> Error {
    de::Error::custom(error)
}

fn mismatch() -> Error {
    de::Error::custom("a value is not of its type")
}

struct EnumNode<'a>((&'a str, Option<Node<'a>>));

impl<'de, 'a> de::EnumAccess<'de> for EnumNode<'a> {
    type Error = Error;
    type Variant = Payload<'a>;

    fn variant_seed<S: de::DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Payload<'a>), Error> {
        let (name, carried) = self.0;
        Ok((
            seed.deserialize(name.into_deserializer())?,
            Payload(carried),
        ))
    }
}

/// What a variant carries.
struct Payload<'a>(Option<Node<'a>>);

impl<'de> de::VariantAccess<'de> for Payload<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.0 {
            None => Ok(()),
            Some(_) => Err(de::Error::custom("the variant carries a value")),
        }
    }

    fn newtype_variant_seed<S: de::DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self.0.ok_or_else(no_payload)?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        self.0
            .ok_or_else(no_payload)?
            .deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.ok_or_else(no_payload)?.deserialize_any(visitor)
    }
}

fn no_payload() -> Error {
    de::Error::custom("the variant carries nothing")
}

#[derive(Clone, Copy)]
struct Row<'a> {
    columns: &'a [ResultColumn],
    values: &'a [Value],
}

impl<'a> Row<'a> {
    fn visible(self) -> impl Iterator<Item = (&'a str, Node<'a>)> {
        let columns = self
            .columns
            .iter()
            .zip(self.values)
            .filter(|(column, _)| !column.hidden);
        columns.map(|(column, value)| {
            (
                column.name.as_str(),
                Node {
                    ty: &column.ty,
                    value,
                },
            )
        })
    }
}

impl<'de> Deserializer<'de> for Row<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(MapDeserializer::new(self.visible()))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(SeqDeserializer::new(self.visible().map(|(_, node)| node)))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct map struct identifier ignored_any option enum newtype_struct
    }
}
