//! The query: its clauses as methods.

use syncline_protocol::logical::{self, Join, JoinKind, LogicalQuery, Order, Relation, Union};
use syncline_protocol::message::OwnedQueryForm;

use super::expr::Expr;
use super::names;
use super::select::Select;
use super::source::{Alias, AnyColumns, Columns, Maybe, Reader, Scope, Source, With};
use super::types::{Operand, SqlType};
use crate::Error;
use crate::rows::Row;

/// A query over the sources `S` with rows of type `R`.
#[derive(Debug)]
pub struct Query<S, R> {
    scope: S,
    logical: logical::Query,
    read: Reader<R>,
}

/// Rows of a query without `select` over several sources: name the columns first.
#[derive(Clone, Copy, Debug)]
pub struct Unselected;

impl<S: Clone, R> Clone for Query<S, R> {
    fn clone(&self) -> Self {
        Self {
            scope: self.scope.clone(),
            logical: self.logical.clone(),
            read: self.read,
        }
    }
}

/// A query of all rows of a source.
pub fn from<T: Source>(source: T) -> Query<(T::Columns,), T::Row> {
    let alias = Alias::fresh();
    let read = source.reader();
    Query {
        scope: (T::Columns::of(&alias),),
        logical: logical::Query::new(logical::Source {
            of: source.relation(),
            alias: Some(alias.0),
        }),
        read,
    }
}

/// One or several keys to order by: an [`Order`], or an array of them.
pub trait Orders {
    /// All of them.
    fn orders(self) -> Vec<Order>;
}

impl Orders for Order {
    fn orders(self) -> Vec<Order> {
        vec![self]
    }
}

impl<const N: usize> Orders for [Order; N] {
    fn orders(self) -> Vec<Order> {
        self.into()
    }
}

/// One or several keys to group by: an expression, or a tuple.
pub trait Keys {
    /// All of them.
    fn keys(self) -> Vec<logical::Expr>;
}

impl<T> Keys for Expr<T> {
    fn keys(self) -> Vec<logical::Expr> {
        vec![self.node]
    }
}

impl<A, B> Keys for (Expr<A>, Expr<B>) {
    fn keys(self) -> Vec<logical::Expr> {
        vec![self.0.node, self.1.node]
    }
}

impl<A, B, C> Keys for (Expr<A>, Expr<B>, Expr<C>) {
    fn keys(self) -> Vec<logical::Expr> {
        vec![self.0.node, self.1.node, self.2.node]
    }
}

/// A number of rows: given, or a parameter.
pub trait Count {
    /// As the server reads it.
    fn count(self) -> logical::Expr;
}

impl Count for u32 {
    fn count(self) -> logical::Expr {
        logical::Expr::Value(self.into())
    }
}

impl<T> Count for Expr<T> {
    fn count(self) -> logical::Expr {
        self.node
    }
}

/// Both conditions, if there are two.
fn both(one: Option<logical::Expr>, other: logical::Expr) -> logical::Expr {
    match one {
        None => other,
        Some(logical::Expr::And(mut items)) => {
            items.push(other);
            logical::Expr::And(items)
        }
        Some(one) => logical::Expr::And(vec![one, other]),
    }
}

impl<S: Scope, R> Query<S, R> {
    /// Rows that meet a row of another source.
    pub fn join<T: Source, B: SqlType<Base = bool>>(
        self,
        source: T,
        on: impl FnOnce(S::Args, T::Columns) -> Expr<B>,
    ) -> Query<<S as With<T::Columns>>::Out, Unselected>
    where
        S: With<T::Columns>,
    {
        let alias = Alias::fresh();
        let columns = T::Columns::of(&alias);
        let on = on(self.scope.args(), columns.clone());
        self.joined(JoinKind::Inner, source, alias, columns, Some(on.node))
    }

    /// All rows, with NULL where the other source has none that meets.
    pub fn left_join<T: Source, B: SqlType<Base = bool>>(
        self,
        source: T,
        on: impl FnOnce(S::Args, T::Columns) -> Expr<B>,
    ) -> Query<<S as With<Maybe<T::Columns>>>::Out, Unselected>
    where
        S: With<Maybe<T::Columns>>,
    {
        let alias = Alias::fresh();
        let columns = T::Columns::of(&alias);
        let on = on(self.scope.args(), columns.clone());
        let columns = Maybe(columns);
        self.joined(JoinKind::Left, source, alias, columns, Some(on.node))
    }

    /// Every row with every row of another source.
    pub fn cross_join<T: Source>(self, source: T) -> Query<<S as With<T::Columns>>::Out, Unselected>
    where
        S: With<T::Columns>,
    {
        let alias = Alias::fresh();
        let columns = T::Columns::of(&alias);
        self.joined(JoinKind::Cross, source, alias, columns, None)
    }

    fn joined<T: Source, C>(
        mut self,
        kind: JoinKind,
        source: T,
        alias: Alias,
        columns: C,
        on: Option<logical::Expr>,
    ) -> Query<S::Out, Unselected>
    where
        S: With<C>,
    {
        self.logical.joins.push(Join {
            kind,
            of: source.relation(),
            alias: Some(alias.0),
            on,
        });
        Query {
            scope: self.scope.with(columns),
            logical: self.logical,
            read: |_| Err(Error::Decode("a join needs `select`".into())),
        }
    }

    /// Only rows that pass; called again, all conditions must.
    #[must_use]
    pub fn filter<B: SqlType<Base = bool>>(
        mut self,
        condition: impl FnOnce(S::Args) -> Expr<B>,
    ) -> Self {
        let condition = condition(self.scope.args()).node;
        self.logical.filter = Some(both(self.logical.filter.take(), condition));
        self
    }

    /// GROUP BY.
    #[must_use]
    pub fn group_by<K: Keys>(mut self, keys: impl FnOnce(S::Args) -> K) -> Self {
        self.logical.group = keys(self.scope.args()).keys();
        self
    }

    /// Only groups that pass.
    #[must_use]
    pub fn having<B: SqlType<Base = bool>>(
        mut self,
        condition: impl FnOnce(S::Args) -> Expr<B>,
    ) -> Self {
        let condition = condition(self.scope.args()).node;
        self.logical.having = Some(both(self.logical.having.take(), condition));
        self
    }

    /// What the rows are: an expression, a tuple of them, [`super::row`] or a struct of
    /// [`row!`](crate::row!).
    pub fn select<T: Select>(mut self, items: impl FnOnce(S::Args) -> T) -> Query<S, T::Row> {
        self.logical.select = items(self.scope.args()).items();
        Query {
            scope: self.scope,
            logical: self.logical,
            read: T::read,
        }
    }

    /// Equal rows once.
    #[must_use]
    pub fn distinct(mut self) -> Self {
        self.logical.distinct = true;
        self
    }

    /// And the rows of another query; equal ones once.
    #[must_use]
    pub fn union<S2>(self, other: Query<S2, R>) -> Self {
        self.united(false, other.logical)
    }

    /// And the rows of another query.
    #[must_use]
    pub fn union_all<S2>(self, other: Query<S2, R>) -> Self {
        self.united(true, other.logical)
    }

    fn united(mut self, all: bool, query: logical::Query) -> Self {
        self.logical.union.push(Union { all, query });
        self
    }

    /// ORDER BY: `|m| m.sent_at.desc()`, or an array of such.
    #[must_use]
    pub fn order_by<O: Orders>(mut self, order: impl FnOnce(S::Args) -> O) -> Self {
        self.logical.order = order(self.scope.args()).orders();
        self
    }

    /// At most so many rows.
    #[must_use]
    pub fn limit(mut self, count: impl Count) -> Self {
        self.logical.limit = Some(count.count());
        self
    }

    /// Without the first so many rows.
    #[must_use]
    pub fn offset(mut self, count: impl Count) -> Self {
        self.logical.offset = Some(count.count());
        self
    }

    /// Only rows behind the one with this value of the one column of `order_by`.
    #[must_use]
    pub fn after(mut self, value: impl Operand) -> Self {
        self.logical.after = vec![value.node()];
        self
    }

    /// The query as it travels.
    #[must_use]
    pub fn logical(&self) -> LogicalQuery {
        LogicalQuery::new(names::given(self.logical.clone()))
    }
}

/// A query inside another one.
pub trait SubQuery {
    /// As the server reads it.
    fn sub_query(self) -> logical::Query;
}

impl<S, R> SubQuery for Query<S, R> {
    fn sub_query(self) -> logical::Query {
        self.logical
    }
}

/// A query is a source; its columns go by their names.
impl<S, R> Source for Query<S, R> {
    type Row = R;
    type Columns = AnyColumns;

    fn relation(self) -> Relation {
        Relation::Query(Box::new(self.logical))
    }

    fn reader(&self) -> Reader<R> {
        self.read
    }
}

/// What [`Client::subscribe`](crate::Client::subscribe) takes: SQL text, or a query of the builder.
pub trait IntoQuery {
    /// The rows.
    type Row;
    /// As it travels.
    fn form(self) -> OwnedQueryForm;
    /// How rows are read.
    fn reader(&self) -> Reader<Self::Row>;
}

impl<S: Scope, R> IntoQuery for Query<S, R> {
    type Row = R;

    fn form(self) -> OwnedQueryForm {
        self.logical().into()
    }

    fn reader(&self) -> Reader<R> {
        self.read
    }
}

impl IntoQuery for &str {
    type Row = Row;

    fn form(self) -> OwnedQueryForm {
        self.into()
    }

    fn reader(&self) -> Reader<Row> {
        |row| Ok(row.clone())
    }
}

impl IntoQuery for &String {
    type Row = Row;

    fn form(self) -> OwnedQueryForm {
        self.as_str().into()
    }

    fn reader(&self) -> Reader<Row> {
        |row| Ok(row.clone())
    }
}
