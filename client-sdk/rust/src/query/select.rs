//! What a query selects, and the type of its rows.

use std::collections::HashSet;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use syncline_protocol::logical::{self, Item};

use super::expr::Expr;
use super::source::{AnyColumns, Columns};
use crate::Error;
use crate::rows::Row;

/// A selection: an expression, a tuple of them, or [`Named`].
pub trait Select {
    /// The rows.
    type Row;
    /// The columns, if the query is a source of another one.
    type Columns: Columns;
    /// As the server reads them.
    fn items(self) -> Vec<Item>;
    /// Reads a row.
    fn read(row: &Row) -> Result<Self::Row, Error>;
}

/// Expressions with names, for rows of a struct with these fields.
#[derive(Clone, Debug)]
pub struct Named<R> {
    items: Vec<Item>,
    row: PhantomData<fn() -> R>,
}

/// Columns by name for rows that are read as `R`, a struct with such fields.
#[must_use]
pub fn row<R: DeserializeOwned>() -> Named<R> {
    Named {
        items: Vec::new(),
        row: PhantomData,
    }
}

impl<R> Named<R> {
    /// One more column.
    #[must_use]
    pub fn with<T>(mut self, name: &str, expr: Expr<T>) -> Self {
        self.items.push(Item::As(name.into(), expr.node));
        self
    }
}

impl<R: DeserializeOwned> Select for Named<R> {
    type Row = R;
    type Columns = AnyColumns;

    fn items(self) -> Vec<Item> {
        self.items
    }

    fn read(row: &Row) -> Result<R, Error> {
        row.parse()
    }
}

/// A struct for rows of a query, and `select`, which takes its columns in the order of the fields.
///
/// ```
/// use syncline_client::query::{count, table};
///
/// syncline_client::row! {
///     /// Messages of a room.
///     pub struct Unread {
///         room: u32,
///         n: i64,
///     }
/// }
///
/// let unread = syncline_client::query::from(table("message"))
///     .group_by(|m| m.col::<u32>("room"))
///     .select(|m| Unread::select(m.col("room"), count()));
/// # let _ = unread;
/// ```
#[macro_export]
macro_rules! row {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($(#[$field_meta:meta])* $field:ident: $ty:ty),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        $vis struct $name {
            $($(#[$field_meta])* pub $field: $ty,)+
        }

        impl $name {
            /// Selects the columns of these rows.
            $vis fn select($($field: $crate::query::Expr<$ty>),+) -> $crate::query::Fields<Self> {
                $crate::query::Fields::of([
                    $((stringify!($field), $field.logical().clone())),+
                ])
            }
        }

        impl $crate::query::FromFields for $name {
            fn read(row: &$crate::Row) -> Result<Self, $crate::Error> {
                let ($($field,)+) = row.parse()?;
                Ok(Self { $($field),+ })
            }
        }
    };
}

/// A struct that [`row!`](crate::row!) made.
pub trait FromFields: Sized {
    /// Reads a row with its fields in order.
    fn read(row: &Row) -> Result<Self, Error>;
}

/// The selection of a struct that [`row!`](crate::row!) made.
#[derive(Clone, Debug)]
pub struct Fields<R> {
    items: Vec<Item>,
    row: PhantomData<fn() -> R>,
}

impl<R: FromFields> Fields<R> {
    /// Expressions with the names of the fields.
    #[must_use]
    pub fn of<const N: usize>(fields: [(&str, logical::Expr); N]) -> Self {
        let items = fields.map(|(name, node)| Item::As(name.into(), node));
        Self {
            items: items.into(),
            row: PhantomData,
        }
    }
}

impl<R: FromFields> Select for Fields<R> {
    type Row = R;
    type Columns = AnyColumns;

    fn items(self) -> Vec<Item> {
        self.items
    }

    fn read(row: &Row) -> Result<R, Error> {
        R::read(row)
    }
}

fn shown(node: &logical::Expr) -> Option<&str> {
    match node {
        logical::Expr::Column(_, name) => Some(name),
        _ => None,
    }
}

/// Columns keep their names; other expressions, and names that are there already, are `c0`, `c1`, .. by position.
fn named_by_position(nodes: Vec<logical::Expr>) -> Vec<Item> {
    let mut seen = HashSet::new();
    let items = nodes.into_iter().enumerate();
    items
        .map(|(position, node)| match shown(&node) {
            Some(name) if seen.insert(name.to_owned()) => Item::Expr(node),
            _ => Item::As(format!("c{position}"), node),
        })
        .collect()
}

impl<T: DeserializeOwned> Select for Expr<T> {
    type Row = T;
    type Columns = AnyColumns;

    fn items(self) -> Vec<Item> {
        named_by_position(vec![self.node])
    }

    fn read(row: &Row) -> Result<T, Error> {
        row.parse::<(T,)>().map(|(value,)| value)
    }
}

macro_rules! tuples {
    ($($($name:ident)+;)+) => {$(
        #[expect(non_snake_case, reason = "the names of the types name the parts")]
        impl<$($name: DeserializeOwned),+> Select for ($(Expr<$name>,)+) {
            type Row = ($($name,)+);
            type Columns = AnyColumns;

            fn items(self) -> Vec<Item> {
                let ($($name,)+) = self;
                named_by_position(vec![$($name.node),+])
            }

            fn read(row: &Row) -> Result<Self::Row, Error> {
                row.parse()
            }
        }
    )+};
}

tuples! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
    A B C D E F G H I;
    A B C D E F G H I J;
    A B C D E F G H I J K;
    A B C D E F G H I J K L;
}
