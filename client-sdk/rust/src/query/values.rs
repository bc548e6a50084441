//! Functions of numbers and texts, parts of JSON, and casts. What they mean is SQL's: docs/query.md.

use syncline_protocol::param::Param;
use syncline_protocol::{Decimal, Type, logical};

use super::expr::{Condition, Expr};
use super::functions::call;
use super::types::{Numeric, NumericOperand, Operand, SqlType};

impl<T: Numeric> Expr<T> {
    /// Rounded to a whole number, a half away from zero.
    #[must_use]
    pub fn round(self) -> Expr<Option<T::Width>> {
        call("round", vec![self.node])
    }

    /// Rounded to a number of digits behind the point, or before it if that is below zero.
    #[must_use]
    pub fn round_to(self, places: impl NumericOperand) -> Expr<Option<T::Width>> {
        call("round", vec![self.node, places.node()])
    }

    /// The greatest whole number that is not greater.
    #[must_use]
    pub fn floor(self) -> Expr<Option<T::Width>> {
        call("floor", vec![self.node])
    }

    /// The least whole number that is not less.
    #[must_use]
    pub fn ceil(self) -> Expr<Option<T::Width>> {
        call("ceil", vec![self.node])
    }

    /// Without what is behind the point.
    #[must_use]
    pub fn trunc(self) -> Expr<Option<T::Width>> {
        call("trunc", vec![self.node])
    }

    /// -1, 0 or 1.
    #[must_use]
    pub fn sign(self) -> Expr<Option<i64>> {
        call("sign", vec![self.node])
    }

    /// A power with a whole exponent.
    #[must_use]
    pub fn power(self, exponent: impl NumericOperand) -> Expr<Option<T::Width>> {
        call("power", vec![self.node, exponent.node()])
    }

    /// The square root.
    #[must_use]
    pub fn sqrt(self) -> Expr<Option<f64>> {
        call("sqrt", vec![self.node])
    }
}

impl<T: SqlType<Base = String>> Expr<T> {
    /// Without blanks at its ends.
    #[must_use]
    pub fn trim(self) -> Self {
        call("trim", vec![self.node])
    }

    /// `count` characters from the place `from`, which begins at 1.
    #[must_use]
    pub fn substr(
        self,
        from: impl NumericOperand,
        count: impl NumericOperand,
    ) -> Expr<Option<String>> {
        call("substr", vec![self.node, from.node(), count.node()])
    }

    /// The first characters; below zero all but the last ones.
    #[must_use]
    pub fn left(self, count: impl NumericOperand) -> Expr<Option<String>> {
        call("left", vec![self.node, count.node()])
    }

    /// The last characters; below zero all but the first ones.
    #[must_use]
    pub fn right(self, count: impl NumericOperand) -> Expr<Option<String>> {
        call("right", vec![self.node, count.node()])
    }

    /// With `to` in every place of `from`.
    #[must_use]
    pub fn replace(
        self,
        from: impl Operand<Base = String>,
        to: impl Operand<Base = String>,
    ) -> Expr<Option<String>> {
        call("replace", vec![self.node, from.node(), to.node()])
    }

    /// Whether it ends so.
    #[must_use]
    pub fn ends_with(self, suffix: impl Operand<Base = String>) -> Condition {
        call("ends_with", vec![self.node, suffix.node()])
    }

    /// Where a part begins, from 1; 0 if it is not there.
    #[must_use]
    pub fn position(self, part: impl Operand<Base = String>) -> Expr<Option<i64>> {
        call("strpos", vec![self.node, part.node()])
    }
}

impl<T: SqlType<Base = serde_json::Value>> Expr<T> {
    /// `->`: the member of this name, or the item of this place (from 0; -1 is the last). NULL if there is none.
    #[must_use]
    pub fn get(self, key: impl Into<Param>) -> Expr<Option<serde_json::Value>> {
        let key = Box::new(logical::Expr::Value(key.into()));
        Expr::new(logical::Expr::Get(self.boxed(), key))
    }

    /// `->>`: that part as text; NULL for a JSON null too.
    #[must_use]
    pub fn get_text(self, key: impl Into<Param>) -> Expr<Option<String>> {
        let key = Box::new(logical::Expr::Value(key.into()));
        Expr::new(logical::Expr::GetText(self.boxed(), key))
    }

    /// `null boolean number string array object`, whichever it is.
    #[must_use]
    pub fn json_type(self) -> Expr<Option<String>> {
        call("json_type", vec![self.node])
    }

    /// Items of an array; NULL of anything else.
    #[must_use]
    pub fn json_array_length(self) -> Expr<Option<i64>> {
        call("json_array_length", vec![self.node])
    }
}

/// What an expression can be cast to.
pub trait CastType: SqlType {
    /// The type, as the server names it.
    const TYPE: Type;
}

macro_rules! cast_types {
    ($($ty:ty => $type:ident),+) => {$(
        impl CastType for $ty {
            const TYPE: Type = Type::$type;
        }
    )+};
}

cast_types!(
    bool => Bool, String => String, Decimal => Decimal, serde_json::Value => Json, f32 => F32, f64 => F64,
    i8 => I8, i16 => I16, i32 => I32, i64 => I64, i128 => I128, u8 => U8, u16 => U16, u32 => U32, u64 => U64,
    u128 => U128
);

impl<T> Expr<T> {
    /// The value as one of another type; NULL if it has none.
    #[must_use]
    pub fn cast<U: CastType>(self) -> Expr<Option<U>> {
        Expr::new(logical::Expr::Cast(self.boxed(), U::TYPE))
    }
}

/// The greatest of some values; NULL if one is.
#[must_use]
pub fn greatest<T: SqlType>(values: impl IntoIterator<Item = Expr<T>>) -> Expr<Option<T::Plain>> {
    call(
        "greatest",
        values.into_iter().map(|value| value.node).collect(),
    )
}

/// The least of some values; NULL if one is.
#[must_use]
pub fn least<T: SqlType>(values: impl IntoIterator<Item = Expr<T>>) -> Expr<Option<T::Plain>> {
    call(
        "least",
        values.into_iter().map(|value| value.node).collect(),
    )
}
