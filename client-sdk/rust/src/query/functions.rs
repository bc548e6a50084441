//! Arithmetic, functions and aggregates. What they mean is SQL's: docs/query.md.

use std::ops::{Add, Div, Mul, Neg, Rem, Sub};

use syncline_protocol::logical;

use super::builder::SubQuery;
use super::expr::{Condition, Expr};
use super::types::{Meet, Numeric, NumericOperand, Operand, SqlType};

macro_rules! arithmetic {
    ($($operator:ident, $method:ident => $variant:ident;)+) => {$(
        impl<T, O> $operator<O> for Expr<T>
        where
            T: Numeric,
            O: NumericOperand,
            T::Width: Meet<O::Width>,
        {
            type Output = Expr<Option<<T::Width as Meet<O::Width>>::Wider>>;

            fn $method(self, other: O) -> Self::Output {
                Expr::new(logical::Expr::$variant(self.boxed(), Box::new(other.node())))
            }
        }
    )+};
}

arithmetic! {
    Add, add => Add;
    Sub, sub => Subtract;
    Mul, mul => Multiply;
    Div, div => Divide;
    Rem, rem => Remainder;
}

impl<T: Numeric> Neg for Expr<T> {
    type Output = Expr<Option<T::Width>>;

    fn neg(self) -> Self::Output {
        Expr::new(logical::Expr::Negate(self.boxed()))
    }
}

pub(super) fn call<T>(name: &str, args: Vec<logical::Expr>) -> Expr<T> {
    Expr::new(logical::Expr::Call(name.into(), args))
}

impl<T: SqlType<Base = String>> Expr<T> {
    /// `LIKE`: `%` is any text, `_` one character.
    #[must_use]
    pub fn like(self, pattern: impl Operand<Base = String>) -> Condition {
        Expr::new(logical::Expr::Like(self.boxed(), Box::new(pattern.node())))
    }

    /// `starts_with`
    #[must_use]
    pub fn starts_with(self, prefix: impl Operand<Base = String>) -> Condition {
        call("starts_with", vec![self.node, prefix.node()])
    }

    /// `lower`
    #[must_use]
    pub fn lower(self) -> Self {
        call("lower", vec![self.node])
    }

    /// `upper`
    #[must_use]
    pub fn upper(self) -> Self {
        call("upper", vec![self.node])
    }

    /// Number of characters.
    #[must_use]
    pub fn length(self) -> Expr<Option<i64>> {
        call("length", vec![self.node])
    }

    /// `||`
    #[must_use]
    pub fn concat(self, other: impl Operand<Base = String>) -> Expr<Option<String>> {
        let other = Box::new(other.node());
        Expr::new(logical::Expr::Concat(self.boxed(), other))
    }
}

impl<T: SqlType> Expr<Option<T>> {
    /// The value, or another one where it is NULL.
    #[must_use]
    pub fn or_else(self, other: impl Operand<Base = T::Base>) -> Expr<T> {
        call("coalesce", vec![self.node, other.node()])
    }
}

/// `COUNT(*)`: rows.
#[must_use]
pub fn count() -> Expr<i64> {
    Expr::new(logical::Expr::CountRows)
}

/// `EXISTS (query)`
#[must_use]
pub fn exists(query: impl SubQuery) -> Condition {
    Expr::new(logical::Expr::Exists(Box::new(query.sub_query())))
}

impl<T> Expr<T> {
    /// `COUNT(x)`: rows where it is not NULL.
    #[must_use]
    pub fn count(self) -> Expr<i64> {
        call("count", vec![self.node])
    }

    /// `COUNT(DISTINCT x)`
    #[must_use]
    pub fn count_distinct(self) -> Expr<i64> {
        Expr::new(logical::Expr::CallDistinct("count".into(), vec![self.node]))
    }

    /// `IN (query)`, a query of one column.
    #[must_use]
    pub fn is_in_query(self, query: impl SubQuery) -> Condition {
        let query = Box::new(query.sub_query());
        Expr::new(logical::Expr::InQuery(self.boxed(), query))
    }
}

impl<T: Numeric> Expr<T> {
    /// `SUM`; NULL of no rows.
    #[must_use]
    pub fn sum(self) -> Expr<Option<T::Width>> {
        call("sum", vec![self.node])
    }

    /// `AVG`; NULL of no rows.
    #[must_use]
    pub fn avg(self) -> Expr<Option<T::Average>> {
        call("avg", vec![self.node])
    }

    /// `abs`
    #[must_use]
    pub fn abs(self) -> Expr<Option<T::Width>> {
        call("abs", vec![self.node])
    }
}

/// The smallest; NULL of no rows.
#[must_use]
pub fn min<T: SqlType>(of: Expr<T>) -> Expr<Option<T::Plain>> {
    call("min", vec![of.node])
}

/// The largest; NULL of no rows.
#[must_use]
pub fn max<T: SqlType>(of: Expr<T>) -> Expr<Option<T::Plain>> {
    call("max", vec![of.node])
}
