//! A bound query: names are positions, types are checked, and what can be said in several ways is said
//! in one. Equal queries are equal plans.
//!
//! A [`Query`] is a relation: its rows are its outputs, packed in their order. The rows of a [`Select`]
//! come from its sources, tables or queries again. A [`SubQuery`] in an expression is a function of the
//! parameters and of a tuple that the query around it computes, so nothing is resolved by name any more.

pub(crate) mod expr;
mod shape;

use syncline_protocol::{RowLayout, TableId, Type};

use expr::Expr;

/// A relation with a row layout.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Query {
    pub(crate) body: Body,
    /// At least one. Hidden ones come last.
    pub(crate) outputs: Vec<Column>,
    /// Outputs whose values together are unique in the result. A query that is bound to live has them at
    /// every level, hidden ones where they are needed; empty if there is exactly one row. A query for once
    /// has them only if it is ordered.
    pub(crate) key: Vec<u16>,
    /// What was asked for; see [`Self::total_order`].
    pub(crate) order: Vec<OrderKey>,
    pub(crate) limit: Option<u64>,
    pub(crate) offset: u64,
}

/// Where the rows of a query come from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Body {
    Select(Box<Select>),
    /// UNION, or with `all` UNION ALL. All branches have outputs of the same types.
    Union {
        all: bool,
        branches: Vec<Query>,
    },
}

/// The rows of some sources together, filtered, grouped and computed with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Select {
    /// At least one. The inner ones come before those of LEFT JOINs.
    pub(crate) sources: Vec<Source>,
    /// A combination of rows passes if this is TRUE. Has the conditions of inner joins too.
    pub(crate) filter: Option<Expr>,
    /// If there is one, `exprs` read its rows, as source 0.
    pub(crate) grouping: Option<Grouping>,
    /// One for each output of the query.
    pub(crate) exprs: Vec<Expr>,
    /// Rows with equal outputs are one row.
    pub(crate) distinct: bool,
}

/// One relation of FROM.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Source {
    pub(crate) relation: Relation,
    /// Of its rows.
    pub(crate) layout: RowLayout,
    /// The condition of a LEFT JOIN, over the sources before it and itself. Where no row meets it the
    /// source has one row of NULLs.
    pub(crate) left_on: Option<Expr>,
}

/// What a source is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Relation {
    Table(TableId),
    Derived(Box<Query>),
}

/// A column of a result.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) ty: Type,
    /// Not asked for: a key, or something that the order needs.
    pub(crate) hidden: bool,
}

/// A key of the order; the first one decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OrderKey {
    /// Among the outputs.
    pub(crate) column: u16,
    pub(crate) descending: bool,
}

/// Makes one row of all rows with equal keys: the keys, then the results of the calls. Without keys
/// there is one row, even of no rows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Grouping {
    pub(crate) keys: Vec<(Expr, Type)>,
    pub(crate) calls: Vec<AggregateCall>,
    /// Reads the grouping's rows.
    pub(crate) having: Option<Expr>,
}

/// An aggregate of an expression over the sources' rows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AggregateCall {
    pub(crate) function: Aggregate,
    /// Absent in `COUNT(*)`.
    pub(crate) arg: Option<Expr>,
    /// Equal values count once.
    pub(crate) distinct: bool,
    /// Of the argument; of the result for `COUNT(*)`.
    pub(crate) arg_ty: Type,
    pub(crate) ty: Type,
}

/// Functions over many rows. All but COUNT(*) skip NULLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Aggregate {
    Count,
    Sum,
    Min,
    Max,
    Average,
    /// `BOOL_AND`
    All,
    /// `BOOL_OR`
    Any,
}

/// A query inside an expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SubQuery {
    pub(crate) query: Query,
    /// What it reads of the query around it, as [`Expr::Outer`]: computed in the scope of the expression
    /// that it stands in, packed one after the other.
    pub(crate) outer: Vec<(Expr, Type)>,
}

impl Query {
    /// The select, if it is no UNION.
    pub(crate) fn select(&self) -> Option<&Select> {
        match &self.body {
            Body::Select(select) => Some(select),
            Body::Union { .. } => None,
        }
    }

    /// Outputs that are not hidden.
    pub(crate) fn visible_count(&self) -> usize {
        self.outputs.iter().filter(|column| !column.hidden).count()
    }

    /// Where the outputs lie in a row.
    pub(crate) fn layout(&self) -> RowLayout {
        RowLayout::new(
            self.outputs
                .iter()
                .map(|column| column.ty.clone())
                .collect(),
        )
    }

    /// The order in which no two rows are equal: ties are broken by the key, in the direction of the last
    /// one that was asked for. Empty if no order was asked for.
    pub(crate) fn total_order(&self) -> Vec<OrderKey> {
        let mut order = self.order.clone();
        if let Some(descending) = order.last().map(|key| key.descending) {
            for column in &self.key {
                if order.iter().all(|key| key.column != *column) {
                    order.push(OrderKey {
                        column: *column,
                        descending,
                    });
                }
            }
        }
        order
    }
}

impl Select {
    /// The table, if it is the only source.
    pub(crate) fn only_table(&self) -> Option<TableId> {
        match self.sources.as_slice() {
            [
                Source {
                    relation: Relation::Table(table),
                    ..
                },
            ] => Some(*table),
            _ => None,
        }
    }
}

impl Grouping {
    /// Where the columns of the grouping's rows lie.
    pub(crate) fn layout(&self) -> RowLayout {
        let keys = self.keys.iter().map(|(_, ty)| ty.clone());
        RowLayout::new(
            keys.chain(self.calls.iter().map(|call| call.ty.clone()))
                .collect(),
        )
    }
}
