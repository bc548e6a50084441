//! Rust values to packed bytes and back, without a detour through `Value`.

use core::cell::Cell;
use std::sync::Arc;

use syncline_protocol::packed::{DEPTH_MAX, Reader, put_sized};
use syncline_protocol::value::{canonical_f32, canonical_f64};
use syncline_protocol::{
    CodecError, ConnectionId, Decimal, EnumType, Field, Identity, Json, StructType, Type, Variant,
};

#[cfg(test)]
mod tests;

/// A Rust type that columns, parameters and results can have.
///
/// The bytes are those of `syncline_protocol::packed` for the type that [`Packed::ty`] names. Derive it for
/// structs and enums of your own with [`#[derive(syncline::Type)]`](macro@crate::Type).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the type of a column, a parameter or a result",
    label = "not a Syncline type",
    note = "Syncline types are bool, i8 to i128, u8 to u128, f32, f64, String, Vec<u8>, Identity, \
            ConnectionId, Timestamp, Duration, Uuid, Decimal, Json, Option<T>, Vec<T>, and tables",
    note = "for a struct or an enum of your own: #[derive(syncline::Type)]"
)]
pub trait Packed: Sized {
    /// Whether this is an option: options do not nest.
    #[doc(hidden)]
    const IS_OPTION: bool = false;

    /// The type in the schema.
    fn ty() -> Type;

    /// Appends the value.
    fn put(&self, out: &mut Vec<u8>);

    /// Takes a value off the front.
    fn take(reader: &mut Reader<'_>) -> Result<Self, CodecError>;

    /// The type of a `Vec` of these.
    #[doc(hidden)]
    fn list_ty() -> Type {
        Type::list(Self::ty())
    }

    /// Appends a list.
    #[doc(hidden)]
    fn put_list(items: &[Self], out: &mut Vec<u8>) {
        let count = u32::try_from(items.len()).expect("a row is far below 4 Gi items, see limits");
        out.extend_from_slice(&count.to_le_bytes());
        for item in items {
            item.put(out);
        }
    }

    /// Takes a list off the front.
    #[doc(hidden)]
    fn take_list(reader: &mut Reader<'_>) -> Result<Vec<Self>, CodecError> {
        let count = reader.count()?;
        let mut items = Vec::with_capacity(count.min(1024));
        for _ in 0..count {
            items.push(Self::take(reader)?);
        }
        Ok(items)
    }
}

macro_rules! integers {
    ($($rust:ident $ty:ident),*) => {$(
        impl Packed for $rust {
            fn ty() -> Type {
                Type::$ty
            }

            #[inline]
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            #[inline]
            fn take(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
                Ok(Self::from_le_bytes(reader.array()?))
            }
        }

        impl AutoIncrement for $rust {
            fn assigned(bytes: &[u8]) -> Self {
                let bytes = bytes.try_into().expect("the host writes a value of the column's width");
                Self::from_le_bytes(bytes)
            }
        }
    )*};
}

integers!(i8 I8, i16 I16, i32 I32, i64 I64, i128 I128, u16 U16, u32 U32, u64 U64, u128 U128);

/// What an auto-increment column can be.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "an auto-increment column is an integer, and `{Self}` is not",
    label = "not an integer"
)]
pub trait AutoIncrement: Packed {
    /// The value that the store chose, little-endian, of the column's width.
    fn assigned(bytes: &[u8]) -> Self;
}

impl AutoIncrement for u8 {
    fn assigned(bytes: &[u8]) -> Self {
        bytes[0]
    }
}

impl Packed for u8 {
    fn ty() -> Type {
        Type::U8
    }

    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }

    #[inline]
    fn take(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(reader.array::<1>()?[0])
    }

    fn list_ty() -> Type {
        Type::Bytes
    }

    fn put_list(items: &[Self], out: &mut Vec<u8>) {
        put_sized(items, out);
    }

    fn take_list(reader: &mut Reader<'_>) -> Result<Vec<Self>, CodecError> {
        Ok(reader.sized()?.to_vec())
    }
}

impl Packed for bool {
    fn ty() -> Type {
        Type::Bool
    }

    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    #[inline]
    fn take(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        match reader.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(CodecError::BadTag),
        }
    }
}

impl Packed for f32 {
    fn ty() -> Type {
        Type::F32
    }

    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&canonical_f32(*self).to_le_bytes());
    }

    #[inline]
    fn take(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(canonical_f32(Self::from_le_bytes(reader.array()?)))
    }
}

impl Packed for f64 {
    fn ty() -> Type {
        Type::F64
    }

    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&canonical_f64(*self).to_le_bytes());
    }

    #[inline]
    fn take(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(canonical_f64(Self::from_le_bytes(reader.array()?)))
    }
}

impl Packed for String {
    fn ty() -> Type {
        Type::String
    }

    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        put_sized(self.as_bytes(), out);
    }

    #[inline]
    fn take(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let text = core::str::from_utf8(reader.sized()?).map_err(|_| CodecError::NotUtf8)?;
        Ok(text.to_owned())
    }
}

impl Packed for Identity {
    fn ty() -> Type {
        Type::Identity
    }

    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    #[inline]
    fn take(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self(reader.array()?))
    }
}

impl Packed for ConnectionId {
    fn ty() -> Type {
        Type::ConnectionId
    }

    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    #[inline]
    fn take(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self(reader.array()?))
    }
}

impl Packed for Decimal {
    fn ty() -> Type {
        Type::Decimal
    }

    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_packed());
    }

    #[inline]
    fn take(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Self::from_packed(reader.array()?)
    }
}

impl Packed for Json {
    fn ty() -> Type {
        Type::Json
    }

    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        put_sized(self.text().as_bytes(), out);
    }

    /// The host checks what it hands over, rows and arguments alike.
    #[inline]
    fn take(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let text = core::str::from_utf8(reader.sized()?).map_err(|_| CodecError::NotUtf8)?;
        Ok(Self::from_trusted(text))
    }
}

impl<T: Packed> Packed for Option<T> {
    const IS_OPTION: bool = true;

    fn ty() -> Type {
        const {
            assert!(
                !T::IS_OPTION,
                "an option of an option has no place in a schema"
            );
        };
        Type::option(T::ty())
    }

    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Some(value) => {
                out.push(0);
                value.put(out);
            }
            None => out.push(1),
        }
    }

    #[inline]
    fn take(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        match reader.array()? {
            [0] => Ok(Some(T::take(reader)?)),
            [1] => Ok(None),
            _ => Err(CodecError::BadTag),
        }
    }
}

impl<T: Packed> Packed for Vec<T> {
    fn ty() -> Type {
        T::list_ty()
    }

    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        T::put_list(self, out);
    }

    #[inline]
    fn take(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        T::take_list(reader)
    }
}

/// A field, a column or a parameter: its name and how to get its type.
pub(crate) type FieldEntry = (&'static str, fn() -> Type);

/// A variant: its name and how to get the type of what it carries.
pub(crate) type VariantEntry = (&'static str, Option<fn() -> Type>);

pub(crate) fn fields(entries: &[FieldEntry]) -> Vec<Field> {
    entries
        .iter()
        .map(|(name, ty)| Field {
            name: (*name).to_owned(),
            ty: ty(),
        })
        .collect()
}

/// The type of a derived struct.
#[doc(hidden)]
pub fn struct_type(name: &str, entries: &[FieldEntry]) -> Type {
    nested(name, || {
        let inner = StructType {
            name: name.to_owned(),
            fields: fields(entries),
        };
        Type::Struct(Arc::new(inner))
    })
}

/// The type of a derived enum.
#[doc(hidden)]
pub fn enum_type(name: &str, entries: &[VariantEntry]) -> Type {
    nested(name, || {
        let variants = entries
            .iter()
            .map(|(name, ty)| Variant {
                name: (*name).to_owned(),
                payload: ty.map(|ty| ty()),
            })
            .collect();
        Type::Enum(Arc::new(EnumType {
            name: name.to_owned(),
            variants,
        }))
    })
}

/// Stops at a type that contains itself, before the stack does.
fn nested(name: &str, build: impl FnOnce() -> Type) -> Type {
    thread_local! {
        static DEPTH: Cell<usize> = const { Cell::new(0) };
    }
    let depth = DEPTH.get();
    assert!(
        depth < DEPTH_MAX,
        "type `{name}` nests deeper than {DEPTH_MAX} levels: does it contain itself?"
    );
    DEPTH.set(depth + 1);
    let ty = build();
    DEPTH.set(depth);
    ty
}
