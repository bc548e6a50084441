//! A value while an expression is evaluated: read from packed bytes without copying them.

use std::borrow::Cow;
use std::cmp::Ordering;

use syncline_protocol::packed::put_sized;
use syncline_protocol::value::{canonical_f32, canonical_f64};
use syncline_protocol::{Decimal, Type};

use crate::failures;

/// NULL in place of a value that there is not, counted.
#[cold]
pub(crate) fn failed<'a>() -> Scalar<'a> {
    failures::note();
    Scalar::Null
}

/// The value, or a failure.
#[inline]
pub(crate) fn or_failed(value: Option<Scalar<'_>>) -> Scalar<'_> {
    value.unwrap_or_else(failed)
}

/// A value of any type. All integers, times among them, are one kind, so they compare with each
/// other whatever their width.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar<'a> {
    Null,
    Bool(bool),
    Int(i128),
    /// A u128 that no i128 holds; a smaller one is an `Int`.
    Huge(u128),
    Float(f64),
    Decimal(Decimal),
    /// Text, bytes, identifiers, and the packed form of everything composed.
    Bytes(Cow<'a, [u8]>),
}

/// How to read packed bytes: a type without its nested parts, so that it is a byte and not a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Kind {
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
    Decimal,
    /// Behind a length: text, bytes and JSON.
    Sized,
    /// As it is: identifiers and composed values.
    Raw,
}

impl Kind {
    /// The kind of the type without its option.
    pub(crate) fn of(ty: &Type) -> Self {
        match ty.non_null() {
            Type::Bool => Self::Bool,
            Type::I8 => Self::I8,
            Type::I16 => Self::I16,
            Type::I32 => Self::I32,
            Type::I64 | Type::Timestamp | Type::Duration => Self::I64,
            Type::I128 => Self::I128,
            Type::U8 => Self::U8,
            Type::U16 => Self::U16,
            Type::U32 => Self::U32,
            Type::U64 => Self::U64,
            Type::U128 => Self::U128,
            Type::F32 => Self::F32,
            Type::F64 => Self::F64,
            Type::Decimal => Self::Decimal,
            Type::String | Type::Bytes | Type::Json => Self::Sized,
            _ => Self::Raw,
        }
    }

    /// Whether its values are whole numbers, times among them.
    pub(crate) fn is_integer(self) -> bool {
        !matches!(
            self,
            Self::Bool | Self::F32 | Self::F64 | Self::Decimal | Self::Sized | Self::Raw
        )
    }
}

/// Whether a value of this kind can hold the integer.
pub(crate) fn int_fits(value: i128, kind: Kind) -> bool {
    match kind {
        Kind::I8 => i8::try_from(value).is_ok(),
        Kind::I16 => i16::try_from(value).is_ok(),
        Kind::I32 => i32::try_from(value).is_ok(),
        Kind::I64 => i64::try_from(value).is_ok(),
        Kind::I128 => true,
        Kind::U8 => u8::try_from(value).is_ok(),
        Kind::U16 => u16::try_from(value).is_ok(),
        Kind::U32 => u32::try_from(value).is_ok(),
        Kind::U64 => u64::try_from(value).is_ok(),
        Kind::U128 => value >= 0,
        Kind::Bool | Kind::F32 | Kind::F64 | Kind::Decimal | Kind::Sized | Kind::Raw => false,
    }
}

/// Whether values of the type can be NULL.
pub(crate) fn is_nullable(ty: &Type) -> bool {
    matches!(ty, Type::Option(_))
}

fn wide<const N: usize>(packed: &[u8]) -> [u8; N] {
    *packed
        .first_chunk()
        .expect("packed values were validated where they entered")
}

impl<'a> Scalar<'a> {
    /// Reads a valid packed value.
    pub(crate) fn read(kind: Kind, nullable: bool, mut packed: &'a [u8]) -> Self {
        if nullable {
            match packed.split_first() {
                Some((0, value)) => packed = value,
                _ => return Self::Null,
            }
        }
        match kind {
            Kind::Bool => Self::Bool(packed.first() == Some(&1)),
            Kind::I8 => Self::Int(i8::from_le_bytes(wide(packed)).into()),
            Kind::I16 => Self::Int(i16::from_le_bytes(wide(packed)).into()),
            Kind::I32 => Self::Int(i32::from_le_bytes(wide(packed)).into()),
            Kind::I64 => Self::Int(i64::from_le_bytes(wide(packed)).into()),
            Kind::I128 => Self::Int(i128::from_le_bytes(wide(packed))),
            Kind::U8 => Self::Int(u8::from_le_bytes(wide(packed)).into()),
            Kind::U16 => Self::Int(u16::from_le_bytes(wide(packed)).into()),
            Kind::U32 => Self::Int(u32::from_le_bytes(wide(packed)).into()),
            Kind::U64 => Self::Int(u64::from_le_bytes(wide(packed)).into()),
            Kind::U128 => Self::from_u128(u128::from_le_bytes(wide(packed))),
            Kind::F32 => Self::Float(f32::from_le_bytes(wide(packed)).into()),
            Kind::F64 => Self::Float(f64::from_le_bytes(wide(packed))),
            Kind::Decimal => Self::Decimal(
                Decimal::from_packed(wide(packed))
                    .expect("packed values were validated where they entered"),
            ),
            Kind::Sized => Self::Bytes(Cow::Borrowed(packed.get(4..).unwrap_or_default())),
            Kind::Raw => Self::Bytes(Cow::Borrowed(packed)),
        }
    }

    pub(crate) fn from_u128(value: u128) -> Self {
        i128::try_from(value).map_or(Self::Huge(value), Self::Int)
    }

    /// NULL becomes NULL, everything else what it is.
    pub(crate) fn from_bool(value: Option<bool>) -> Self {
        value.map_or(Self::Null, Self::Bool)
    }

    /// The value with bytes of its own.
    pub(crate) fn into_owned(self) -> Scalar<'static> {
        match self {
            Self::Null => Scalar::Null,
            Self::Bool(value) => Scalar::Bool(value),
            Self::Int(value) => Scalar::Int(value),
            Self::Huge(value) => Scalar::Huge(value),
            Self::Float(value) => Scalar::Float(value),
            Self::Decimal(value) => Scalar::Decimal(value),
            Self::Bytes(bytes) => Scalar::Bytes(Cow::Owned(bytes.into_owned())),
        }
    }

    /// Appends bytes that are equal for equal values of comparable types, whatever their width, and for no
    /// others. No form is the beginning of another one.
    pub(crate) fn write_canonical(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.push(0),
            Self::Bool(value) => out.extend_from_slice(&[1, u8::from(*value)]),
            Self::Int(value) => {
                out.push(2);
                out.extend_from_slice(&value.to_le_bytes());
            }
            Self::Huge(value) => {
                out.push(3);
                out.extend_from_slice(&value.to_le_bytes());
            }
            Self::Float(value) => match exact_int(*value) {
                Some(whole) => Self::Int(whole).write_canonical(out),
                None if (I128_END..U128_END).contains(value) => {
                    Self::Huge(*value as u128).write_canonical(out);
                }
                None => {
                    out.push(4);
                    out.extend_from_slice(&canonical_f64(*value).to_le_bytes());
                }
            },
            Self::Bytes(bytes) => {
                out.push(5);
                put_sized(bytes, out);
            }
            // As an integer or a float where it equals one.
            Self::Decimal(value) => {
                let float = value.to_f64();
                if let Some(whole) = value.to_i128() {
                    Self::Int(whole).write_canonical(out);
                } else if value.cmp_f64(float).is_eq() {
                    Self::Float(float).write_canonical(out);
                } else {
                    out.push(6);
                    out.extend_from_slice(&value.to_packed());
                }
            }
        }
    }

    /// A condition: `None` is unknown.
    pub(crate) fn truth(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// Appends the packed value of type `ty`. What the type cannot hold (an overflow) is NULL; the
    /// binder makes every type option whose values can overflow.
    pub(crate) fn write(&self, ty: &Type, out: &mut Vec<u8>) {
        let (inner, nullable) = match ty {
            Type::Option(inner) => (inner.as_ref(), true),
            other => (other, false),
        };
        let start = out.len();
        if nullable {
            out.push(0);
        }
        if self.write_inner(inner, out).is_none() {
            out.truncate(start);
            assert!(nullable, "a value that can be NULL has an option type");
            if *self != Self::Null {
                failures::note();
            }
            out.push(1);
        }
    }

    fn write_inner(&self, ty: &Type, out: &mut Vec<u8>) -> Option<()> {
        match self {
            Self::Bool(value) => out.push(u8::from(*value)),
            Self::Int(value) => write_int(Kind::of(ty), *value, out)?,
            Self::Huge(value) if *ty == Type::U128 => out.extend_from_slice(&value.to_le_bytes()),
            Self::Null | Self::Huge(_) => return None,
            Self::Float(value) if *ty == Type::F32 => {
                out.extend_from_slice(&canonical_f32(*value as f32).to_le_bytes());
            }
            Self::Float(value) => {
                out.extend_from_slice(&canonical_f64(*value).to_le_bytes());
            }
            Self::Decimal(value) => out.extend_from_slice(&value.to_packed()),
            Self::Bytes(bytes) if Kind::of(ty) == Kind::Sized => put_sized(bytes, out),
            Self::Bytes(bytes) => out.extend_from_slice(bytes),
        }
        Some(())
    }

    /// The same value as a column of the kind has it, if it can have exactly that. NULL is of no kind.
    pub(crate) fn fit(self, kind: Kind) -> Option<Self> {
        let value = match (self, kind) {
            (Self::Int(value), Kind::F32 | Kind::F64) => Self::Float(exact_float(value)?),
            (Self::Int(value), Kind::Decimal) => Self::Decimal(Decimal::try_from(value).ok()?),
            (Self::Float(value), Kind::Decimal) => Self::Decimal(Decimal::exactly_f64(value)?),
            (Self::Float(value), kind) if kind.is_integer() => match exact_int(value) {
                Some(value) => Self::Int(value),
                None if (I128_END..U128_END).contains(&value) => Self::Huge(value as u128),
                None => return None,
            },
            (Self::Huge(value), Kind::F32 | Kind::F64) => {
                let float = value as f64;
                compare_huge_float(value, float)
                    .is_eq()
                    .then_some(Self::Float(float))?
            }
            (Self::Decimal(value), Kind::F32 | Kind::F64) => {
                let float = value.to_f64();
                value.cmp_f64(float).is_eq().then_some(Self::Float(float))?
            }
            (Self::Decimal(value), kind) if kind.is_integer() => Self::Int(value.to_i128()?),
            (value, _) => value,
        };
        let fits = match &value {
            Self::Null => false,
            Self::Bool(_) => kind == Kind::Bool,
            Self::Int(value) => int_fits(*value, kind),
            Self::Huge(_) => kind == Kind::U128,
            Self::Float(value) if kind == Kind::F32 => {
                f64::from(*value as f32).to_bits() == value.to_bits()
            }
            Self::Float(_) => kind == Kind::F64,
            Self::Decimal(_) => kind == Kind::Decimal,
            Self::Bytes(_) => matches!(kind, Kind::Sized | Kind::Raw),
        };
        fits.then_some(value)
    }

    /// Order of two values of comparable types; `None` if one is NULL. Numbers compare exactly,
    /// whatever kinds they are; NaN equals itself and is the greatest; text is compared by bytes.
    pub(crate) fn compare(&self, other: &Self) -> Option<Ordering> {
        Some(match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Bytes(a), Self::Bytes(b)) => a.cmp(b),
            (Self::Float(a), Self::Float(b)) => compare_floats(*a, *b),
            (Self::Decimal(a), Self::Decimal(b)) => a.cmp(b),
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Huge(a), Self::Huge(b)) => a.cmp(b),
            (Self::Int(_), Self::Huge(_)) => Ordering::Less,
            (Self::Huge(_), Self::Int(_)) => Ordering::Greater,
            (Self::Int(a), Self::Float(b)) => compare_int_float(*a, *b),
            (Self::Float(a), Self::Int(b)) => compare_int_float(*b, *a).reverse(),
            (Self::Huge(a), Self::Float(b)) => compare_huge_float(*a, *b),
            (Self::Float(a), Self::Huge(b)) => compare_huge_float(*b, *a).reverse(),
            (Self::Decimal(a), Self::Int(b)) => a.cmp_i128(*b),
            (Self::Int(a), Self::Decimal(b)) => b.cmp_i128(*a).reverse(),
            (Self::Decimal(a), Self::Float(b)) => a.cmp_f64(*b),
            (Self::Float(a), Self::Decimal(b)) => b.cmp_f64(*a).reverse(),
            (Self::Decimal(a), Self::Huge(b)) => a.cmp_u128(*b),
            (Self::Huge(a), Self::Decimal(b)) => b.cmp_u128(*a).reverse(),
            // NULL; the binder lets nothing else meet.
            _ => return None,
        })
    }

    /// `IS NOT DISTINCT FROM`: NULL is the same as NULL.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            _ => self.compare(other) == Some(Ordering::Equal),
        }
    }
}

fn write_int(kind: Kind, value: i128, out: &mut Vec<u8>) -> Option<()> {
    match kind {
        Kind::I8 => out.extend_from_slice(&i8::try_from(value).ok()?.to_le_bytes()),
        Kind::I16 => out.extend_from_slice(&i16::try_from(value).ok()?.to_le_bytes()),
        Kind::I32 => out.extend_from_slice(&i32::try_from(value).ok()?.to_le_bytes()),
        Kind::I64 => out.extend_from_slice(&i64::try_from(value).ok()?.to_le_bytes()),
        Kind::I128 => out.extend_from_slice(&value.to_le_bytes()),
        Kind::U8 => out.extend_from_slice(&u8::try_from(value).ok()?.to_le_bytes()),
        Kind::U16 => out.extend_from_slice(&u16::try_from(value).ok()?.to_le_bytes()),
        Kind::U32 => out.extend_from_slice(&u32::try_from(value).ok()?.to_le_bytes()),
        Kind::U64 => out.extend_from_slice(&u64::try_from(value).ok()?.to_le_bytes()),
        Kind::U128 => out.extend_from_slice(&u128::try_from(value).ok()?.to_le_bytes()),
        Kind::Bool | Kind::F32 | Kind::F64 | Kind::Decimal | Kind::Sized | Kind::Raw => {
            return None;
        }
    }
    Some(())
}

fn compare_floats(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b)
        .unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// 2^127 and 2^128, which f64 holds exactly.
const I128_END: f64 = 170_141_183_460_469_231_731_687_303_715_884_105_728.0;
const U128_END: f64 = I128_END * 2.0;

fn compare_int_float(a: i128, b: f64) -> Ordering {
    if b.is_nan() || b >= I128_END {
        return Ordering::Less;
    }
    if b < -I128_END {
        return Ordering::Greater;
    }
    // In range, so the whole part converts exactly; the rest decides between equal whole parts.
    a.cmp(&(b.trunc() as i128))
        .then_with(|| compare_floats(0.0, b.fract()))
}

fn compare_huge_float(a: u128, b: f64) -> Ordering {
    if b.is_nan() || b >= U128_END {
        return Ordering::Less;
    }
    if b < I128_END {
        return Ordering::Greater;
    }
    a.cmp(&(b as u128))
}

/// The float that equals the integer, if there is one.
pub(crate) fn exact_float(value: i128) -> Option<f64> {
    let float = value as f64;
    (compare_int_float(value, float) == Ordering::Equal).then_some(float)
}

/// The integer that equals the float, if there is one.
pub(crate) fn exact_int(value: f64) -> Option<i128> {
    let fits = (-I128_END..I128_END).contains(&value) && value.fract() == 0.0;
    fits.then_some(value as i128)
}
