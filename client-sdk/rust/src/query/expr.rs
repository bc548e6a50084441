//! Expressions: what they are to the server, and the Rust type of their values.

use std::marker::PhantomData;
use std::ops::{BitAnd, BitOr, Not};

use syncline_protocol::Identity;
use syncline_protocol::logical;
use syncline_protocol::param::Param;

use super::types::{Operand, SqlType};

/// An expression whose values are read as `T`. A column of nullable type has `Option<T>`.
#[derive(Debug)]
pub struct Expr<T> {
    pub(super) node: logical::Expr,
    ty: PhantomData<fn() -> T>,
}

/// A condition: rows pass where it is true.
pub type Condition = Expr<Option<bool>>;

impl<T> Clone for Expr<T> {
    fn clone(&self) -> Self {
        Self::new(self.node.clone())
    }
}

impl<T> Expr<T> {
    pub(super) fn new(node: logical::Expr) -> Self {
        let ty = PhantomData;
        Self { node, ty }
    }

    /// The expression as the server reads it.
    #[must_use]
    pub fn logical(&self) -> &logical::Expr {
        &self.node
    }

    pub(super) fn boxed(self) -> Box<logical::Expr> {
        Box::new(self.node)
    }

    /// The same with values that are read as another type, which only the rows will tell.
    #[must_use]
    pub fn read_as<U>(self) -> Expr<U> {
        Expr::new(self.node)
    }

    /// Largest first, for `order_by`.
    #[must_use]
    pub fn desc(self) -> logical::Order {
        logical::Order {
            by: self.node,
            descending: true,
        }
    }

    /// Smallest first, for `order_by`.
    #[must_use]
    pub fn asc(self) -> logical::Order {
        logical::Order {
            by: self.node,
            descending: false,
        }
    }

    /// `IS NULL`
    #[must_use]
    pub fn is_null(self) -> Condition {
        Expr::new(logical::Expr::IsNull(self.boxed()))
    }

    /// `IS NOT NULL`
    #[must_use]
    pub fn is_not_null(self) -> Condition {
        !self.is_null()
    }
}

/// A parameter: `:name`.
#[must_use]
pub fn param<T>(name: &str) -> Expr<T> {
    Expr::new(logical::Expr::Param(name.into()))
}

/// The identity of who asks: `:me`.
#[must_use]
pub fn me() -> Expr<Identity> {
    param("me")
}

/// A value as an expression, where one is needed.
#[must_use]
pub fn lit<T: Into<Param>>(value: T) -> Expr<T> {
    Expr::new(logical::Expr::Value(value.into()))
}

/// A column of the result by its name, for `order_by` and `having`.
#[must_use]
pub fn named<T>(name: &str) -> Expr<T> {
    Expr::new(logical::Expr::Column(None, name.into()))
}

type Binary = fn(Box<logical::Expr>, Box<logical::Expr>) -> logical::Expr;

impl<T: SqlType> Expr<T> {
    fn compare(self, with: Binary, other: impl Operand<Base = T::Base>) -> Condition {
        Expr::new(with(self.boxed(), Box::new(other.node())))
    }

    /// `=`
    #[must_use]
    pub fn eq(self, other: impl Operand<Base = T::Base>) -> Condition {
        self.compare(logical::Expr::Eq, other)
    }

    /// `<>`
    #[must_use]
    pub fn ne(self, other: impl Operand<Base = T::Base>) -> Condition {
        self.compare(logical::Expr::Ne, other)
    }

    /// `<`
    #[must_use]
    pub fn lt(self, other: impl Operand<Base = T::Base>) -> Condition {
        self.compare(logical::Expr::Lt, other)
    }

    /// `<=`
    #[must_use]
    pub fn le(self, other: impl Operand<Base = T::Base>) -> Condition {
        self.compare(logical::Expr::Le, other)
    }

    /// `>`
    #[must_use]
    pub fn gt(self, other: impl Operand<Base = T::Base>) -> Condition {
        self.compare(logical::Expr::Gt, other)
    }

    /// `>=`
    #[must_use]
    pub fn ge(self, other: impl Operand<Base = T::Base>) -> Condition {
        self.compare(logical::Expr::Ge, other)
    }

    /// `IS NOT DISTINCT FROM`: equal, or both NULL.
    #[must_use]
    pub fn same(self, other: impl Operand<Base = T::Base>) -> Condition {
        self.compare(logical::Expr::Same, other)
    }

    /// `BETWEEN low AND high`
    #[must_use]
    pub fn between(
        self,
        low: impl Operand<Base = T::Base>,
        high: impl Operand<Base = T::Base>,
    ) -> Condition {
        let (low, high) = (Box::new(low.node()), Box::new(high.node()));
        Expr::new(logical::Expr::Between(self.boxed(), low, high))
    }

    /// `IN (a, b)`
    #[must_use]
    pub fn is_in<O: Operand<Base = T::Base>>(
        self,
        items: impl IntoIterator<Item = O>,
    ) -> Condition {
        let items = items.into_iter().map(Operand::node).collect();
        Expr::new(logical::Expr::In(self.boxed(), items))
    }

    /// `IN (:list)`, where the parameter is a list.
    #[must_use]
    pub fn is_in_param(self, name: &str) -> Condition {
        let list = vec![logical::Expr::Param(name.into())];
        Expr::new(logical::Expr::In(self.boxed(), list))
    }
}

impl<A, B> BitAnd<Expr<B>> for Expr<A>
where
    A: SqlType<Base = bool>,
    B: SqlType<Base = bool>,
{
    type Output = Condition;

    /// Flat, so that a long chain is no deep one.
    fn bitand(self, other: Expr<B>) -> Condition {
        let mut items = match self.node {
            logical::Expr::And(items) => items,
            one => vec![one],
        };
        items.push(other.node);
        Expr::new(logical::Expr::And(items))
    }
}

impl<A, B> BitOr<Expr<B>> for Expr<A>
where
    A: SqlType<Base = bool>,
    B: SqlType<Base = bool>,
{
    type Output = Condition;

    fn bitor(self, other: Expr<B>) -> Condition {
        let mut items = match self.node {
            logical::Expr::Or(items) => items,
            one => vec![one],
        };
        items.push(other.node);
        Expr::new(logical::Expr::Or(items))
    }
}

impl<A: SqlType<Base = bool>> Not for Expr<A> {
    type Output = Condition;

    fn not(self) -> Condition {
        Expr::new(logical::Expr::Not(self.boxed()))
    }
}
