//! Which types go together.

use syncline_protocol::logical;
use syncline_protocol::param::Param;
use syncline_protocol::{ConnectionId, Decimal, Identity, Type};

use super::expr::Expr;

/// A Rust type that a column can be read as. Generated structs and enums are their own base.
pub trait SqlType {
    /// What can be compared with each other has the same base.
    type Base;
    /// The type without `Option`.
    type Plain: SqlType<Base = Self::Base>;
}

/// One side of an operator: an expression, or a value.
pub trait Operand {
    /// What it can be compared with.
    type Base;
    /// As the server reads it.
    fn node(self) -> logical::Expr;
}

/// The base of all numbers; times are numbers of microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Number;

impl<T: SqlType> SqlType for Option<T> {
    type Base = T::Base;
    type Plain = T::Plain;
}

impl<T: SqlType> SqlType for Vec<T> {
    type Base = Vec<T::Base>;
    type Plain = Self;
}

impl<T: SqlType> Operand for Expr<T> {
    type Base = T::Base;

    fn node(self) -> logical::Expr {
        self.node
    }
}

macro_rules! values {
    ($base:ty: $($ty:ty),+) => {$(
        impl SqlType for $ty {
            type Base = $base;
            type Plain = Self;
        }

        impl Operand for $ty {
            type Base = $base;

            fn node(self) -> logical::Expr {
                logical::Expr::Value(Param::from(self))
            }
        }
    )+};
}

values!(Number: i8, i16, i32, i64, i128, u8, u16, u32, u64, f64);
values!(bool: bool);
values!(String: String);
values!(Identity: Identity);
values!(ConnectionId: ConnectionId);

impl SqlType for Decimal {
    type Base = Number;
    type Plain = Self;
}

impl Operand for Decimal {
    type Base = Number;

    /// It travels as text, which meets numbers only when it says what it is.
    fn node(self) -> logical::Expr {
        let text = logical::Expr::Value(Param::from(self));
        logical::Expr::Cast(Box::new(text), Type::Decimal)
    }
}

impl SqlType for f32 {
    type Base = Number;
    type Plain = Self;
}

impl Operand for f32 {
    type Base = Number;

    fn node(self) -> logical::Expr {
        logical::Expr::Value(Param::Float(self.into()))
    }
}

impl SqlType for u128 {
    type Base = Number;
    type Plain = Self;
}

impl Operand for u128 {
    type Base = Number;

    /// A number that fits no other type travels as text.
    fn node(self) -> logical::Expr {
        let fits = i128::try_from(self).map(Param::Int);
        logical::Expr::Value(fits.unwrap_or_else(|_| Param::Text(self.to_string())))
    }
}

impl SqlType for serde_json::Value {
    type Base = Self;
    type Plain = Self;
}

impl Operand for &str {
    type Base = String;

    fn node(self) -> logical::Expr {
        logical::Expr::Value(self.into())
    }
}

/// A number, and what arithmetic makes of it.
pub trait Numeric: SqlType<Base = Number> {
    /// Whether integers have 64 bits or 128, or it is a float or a decimal.
    type Width;
    /// What AVG gives: a decimal of decimals, else a float.
    type Average;
}

macro_rules! widths {
    ($($width:ty, $average:ty: $($ty:ty),+;)+) => {$($(
        impl Numeric for $ty {
            type Width = $width;
            type Average = $average;
        }
    )+)+};
}

widths! {
    i64, f64: i8, i16, i32, i64, u8, u16, u32;
    i128, f64: i128, u64, u128;
    f64, f64: f32, f64;
    Decimal, Decimal: Decimal;
}

impl<T: Numeric> Numeric for Option<T> {
    type Width = T::Width;
    type Average = T::Average;
}

/// A number as an operand.
pub trait NumericOperand: Operand<Base = Number> {
    /// As of [`Numeric`].
    type Width;
}

impl<T: Numeric> NumericOperand for Expr<T> {
    type Width = T::Width;
}

macro_rules! literals {
    ($($ty:ty),+) => {$(
        impl NumericOperand for $ty {
            type Width = <$ty as Numeric>::Width;
        }
    )+};
}

literals!(
    i8, i16, i32, i64, i128, u8, u16, u32, u64, u128, f32, f64, Decimal
);

/// The wider of two widths.
pub trait Meet<Other> {
    /// What arithmetic of both makes.
    type Wider;
}

macro_rules! meets {
    ($($one:ty, $other:ty => $wider:ty;)+) => {$(
        impl Meet<$other> for $one {
            type Wider = $wider;
        }
    )+};
}

meets! {
    i64, i64 => i64;
    i64, i128 => i128;
    i64, f64 => f64;
    i64, Decimal => Decimal;
    i128, i64 => i128;
    i128, i128 => i128;
    i128, f64 => f64;
    i128, Decimal => Decimal;
    f64, i64 => f64;
    f64, i128 => f64;
    f64, f64 => f64;
    Decimal, i64 => Decimal;
    Decimal, i128 => Decimal;
    Decimal, Decimal => Decimal;
}
