//! The types a column, a parameter or a result can have.

use std::sync::Arc;

/// The type of a value. Nested types share their inner part, so a clone is cheap.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "wire", serde(rename_all = "snake_case"))]
#[expect(
    missing_docs,
    reason = "the scalar variants are named like what they are"
)]
pub enum Type {
    Bool,
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
    U128,
    F32,
    F64,
    String,
    Bytes,
    /// 32 bytes: who calls.
    Identity,
    /// 16 bytes: one connection.
    ConnectionId,
    /// Microseconds since the Unix epoch, i64.
    Timestamp,
    /// Microseconds, i64.
    Duration,
    /// 16 bytes, in the order of the text form.
    Uuid,
    /// An exact decimal number, see [`crate::Decimal`].
    Decimal,
    /// Any JSON value, as canonical text, see [`crate::Json`]. It has no order, so it is no part of a key.
    Json,
    /// A value or nothing. In SQL nothing is NULL. Options do not nest.
    Option(Arc<Type>),
    List(Arc<Type>),
    Struct(Arc<StructType>),
    Enum(Arc<EnumType>),
}

/// A named product of fields.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct StructType {
    /// Name in the module's source, for generated code and messages.
    pub name: String,
    /// At least one field, in packed order.
    pub fields: Vec<Field>,
}

/// A field of a struct, or a parameter of a reducer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct Field {
    /// Unique within its struct or parameter list.
    pub name: String,
    /// Type of the field.
    #[cfg_attr(feature = "wire", serde(rename = "type"))]
    pub ty: Type,
}

/// A named sum of variants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct EnumType {
    /// Name in the module's source, for generated code and messages.
    pub name: String,
    /// One to 256 variants; the position is the packed tag.
    pub variants: Vec<Variant>,
}

/// A variant of an enum.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct Variant {
    /// Unique within its enum.
    pub name: String,
    /// What it carries; several things travel as a struct.
    #[cfg_attr(
        feature = "wire",
        serde(rename = "type", default, skip_serializing_if = "Option::is_none")
    )]
    pub payload: Option<Type>,
}

impl Type {
    /// Bytes of every packed value of this type, if they are all of one length.
    #[must_use]
    pub fn fixed_len(&self) -> Option<usize> {
        Some(match self {
            Self::Bool | Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 | Self::Timestamp | Self::Duration => 8,
            Self::I128 | Self::U128 | Self::ConnectionId | Self::Uuid => 16,
            Self::Decimal => crate::decimal::PACKED_BYTES,
            Self::Identity => 32,
            Self::String | Self::Bytes | Self::Json | Self::Option(_) | Self::List(_) => {
                return None;
            }
            Self::Struct(inner) => {
                let mut sum = 0;
                for field in &inner.fields {
                    sum += field.ty.fixed_len()?;
                }
                sum
            }
            Self::Enum(inner) => {
                if inner
                    .variants
                    .iter()
                    .any(|variant| variant.payload.is_some())
                {
                    return None;
                }
                1
            }
        })
    }

    /// An integer of any width, signed or not (times are not).
    #[must_use]
    pub fn is_integer(&self) -> bool {
        matches!(
            self,
            Self::I8
                | Self::I16
                | Self::I32
                | Self::I64
                | Self::I128
                | Self::U8
                | Self::U16
                | Self::U32
                | Self::U64
                | Self::U128
        )
    }

    /// `option<T>`.
    #[must_use]
    pub fn option(inner: Type) -> Self {
        Self::Option(Arc::new(inner))
    }

    /// `list<T>`.
    #[must_use]
    pub fn list(inner: Type) -> Self {
        Self::List(Arc::new(inner))
    }

    /// The type without its option, if it has one.
    #[must_use]
    pub fn non_null(&self) -> &Self {
        match self {
            Self::Option(inner) => inner,
            other => other,
        }
    }

    /// Whether the type holds a float somewhere, so that its bytes may need canonicalising.
    #[must_use]
    pub fn has_float(&self) -> bool {
        self.has(&|ty| matches!(ty, Self::F32 | Self::F64))
    }

    /// Whether the type holds JSON somewhere, so that its values have no order.
    #[must_use]
    pub fn has_json(&self) -> bool {
        self.has(&|ty| matches!(ty, Self::Json))
    }

    /// Whether this is such a type, or has one in it.
    fn has(&self, is_it: &impl Fn(&Self) -> bool) -> bool {
        match self {
            Self::Option(inner) | Self::List(inner) => inner.has(is_it),
            Self::Struct(inner) => inner.fields.iter().any(|field| field.ty.has(is_it)),
            Self::Enum(inner) => inner
                .variants
                .iter()
                .any(|v| v.payload.as_ref().is_some_and(|ty| ty.has(is_it))),
            scalar => is_it(scalar),
        }
    }
}

impl core::fmt::Display for Type {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Option(inner) => write!(f, "option<{inner}>"),
            Self::List(inner) => write!(f, "list<{inner}>"),
            Self::Struct(inner) => f.write_str(&inner.name),
            Self::Enum(inner) => f.write_str(&inner.name),
            Self::Identity => f.write_str("Identity"),
            Self::ConnectionId => f.write_str("ConnectionId"),
            Self::Timestamp => f.write_str("Timestamp"),
            Self::Duration => f.write_str("Duration"),
            Self::Uuid => f.write_str("Uuid"),
            Self::Decimal => f.write_str("Decimal"),
            Self::Json => f.write_str("Json"),
            scalar => f.write_str(&format!("{scalar:?}").to_lowercase()),
        }
    }
}
