//! Sources of a query and their columns.

use std::sync::atomic::{AtomicU32, Ordering};

use serde::de::DeserializeOwned;
use syncline_protocol::logical;

use super::expr::Expr;
use super::types::{Operand, SqlType};
use crate::Error;
use crate::rows::Row;

/// A table that generated code knows: `syncline generate --lang rust` writes one for each.
pub trait Table: Copy {
    /// Its rows.
    type Row: DeserializeOwned;
    /// Its columns as expressions.
    type Columns: Columns;
    /// Its name.
    const NAME: &'static str;
}

/// The columns of a source as expressions.
pub trait Columns: Clone {
    /// Those of this source.
    fn of(source: &Alias) -> Self;
}

/// The name of a source within a query; it gets its last form when the query is finished.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Alias(pub(super) String);

impl Alias {
    /// Unlike all others of the process, so that sources of queries inside each other differ.
    pub(super) fn fresh() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self(format!("#{}", NEXT.fetch_add(1, Ordering::Relaxed)))
    }

    /// A column of the source.
    #[must_use]
    pub fn column<T>(&self, name: &str) -> Expr<T> {
        Expr::new(logical::Expr::Column(Some(self.0.clone()), name.into()))
    }
}

/// What a query can read.
pub trait Source {
    /// Its rows, if all columns of them are asked for.
    type Row;
    /// Its columns.
    type Columns: Columns;
    /// As the server reads it.
    fn relation(self) -> logical::Relation;
    /// How its rows are read.
    fn reader(&self) -> Reader<Self::Row>;
}

/// Reads a row of a result.
pub type Reader<R> = fn(&Row) -> Result<R, Error>;

impl<T: Table> Source for T {
    type Row = T::Row;
    type Columns = T::Columns;

    fn relation(self) -> logical::Relation {
        logical::Relation::Table(T::NAME.into())
    }

    fn reader(&self) -> Reader<T::Row> {
        Row::parse
    }
}

/// A table or view by its name alone; what its columns are is known to the server.
#[derive(Clone, Debug)]
pub struct ByName(logical::Relation);

/// A table or view by its name, without generated code. Rows are JSON objects unless columns are
/// selected.
#[must_use]
pub fn table(name: &str) -> ByName {
    ByName(logical::Relation::Table(name.into()))
}

impl ByName {
    /// The next argument of a view's parameters.
    #[must_use]
    pub fn arg(self, value: impl Operand) -> Self {
        let (name, mut args) = match self.0 {
            logical::Relation::View(name, args) => (name, args),
            logical::Relation::Table(name) => (name, Vec::new()),
            other @ logical::Relation::Query(_) => return Self(other),
        };
        args.push(value.node());
        Self(logical::Relation::View(name, args))
    }
}

impl Source for ByName {
    type Row = serde_json::Value;
    type Columns = AnyColumns;

    fn relation(self) -> logical::Relation {
        self.0
    }

    fn reader(&self) -> Reader<serde_json::Value> {
        |row| Ok(row.json())
    }
}

/// Columns by name.
#[derive(Clone, Debug)]
pub struct AnyColumns(Alias);

impl AnyColumns {
    /// The column of this name, whose values are read as `T`. If they are of another type, the server
    /// refuses the query or reading its rows fails.
    #[must_use]
    pub fn col<T>(&self, name: &str) -> Expr<T> {
        self.0.column(name)
    }
}

impl Columns for AnyColumns {
    fn of(source: &Alias) -> Self {
        Self(source.clone())
    }
}

/// The columns of a source of LEFT JOIN, which can be NULL all of them.
#[derive(Clone, Debug)]
pub struct Maybe<C>(pub(super) C);

impl<C> Maybe<C> {
    /// An expression over them: `b.get(|b| b.user)`.
    #[must_use]
    pub fn get<T: SqlType>(&self, of: impl FnOnce(&C) -> Expr<T>) -> Expr<Option<T::Plain>> {
        of(&self.0).read_as()
    }
}

/// The columns of a query's sources; what closures get.
pub trait Scope: Clone {
    /// One source alone, several as a tuple.
    type Args;
    /// As arguments.
    fn args(&self) -> Self::Args;
}

/// A scope with one source more.
pub trait With<C>: Scope {
    /// The larger scope.
    type Out: Scope;
    /// Adds the columns.
    fn with(self, columns: C) -> Self::Out;
}

impl<A: Clone> Scope for (A,) {
    type Args = A;

    fn args(&self) -> A {
        self.0.clone()
    }
}

macro_rules! scopes {
    ($($($name:ident)+;)+) => {$(
        #[expect(non_snake_case, reason = "the names of the types name the parts")]
        impl<$($name: Clone),+> Scope for ($($name,)+) {
            type Args = Self;

            fn args(&self) -> Self {
                let ($($name,)+) = self;
                ($($name.clone(),)+)
            }
        }
    )+};
}

scopes! {
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
}

macro_rules! larger {
    ($($($name:ident)+;)+) => {$(
        #[expect(non_snake_case, reason = "the names of the types name the parts")]
        impl<$($name: Clone,)+ Z: Clone> With<Z> for ($($name,)+) {
            type Out = ($($name,)+ Z);

            fn with(self, columns: Z) -> Self::Out {
                let ($($name,)+) = self;
                ($($name,)+ columns)
            }
        }
    )+};
}

larger! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
}
