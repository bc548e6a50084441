//! A bound query: names are positions, types are checked.

use syncline_protocol::{RowLayout, TableId, Type};

use crate::expr::Expr;

/// A query of one table. Without a grouping its expressions read the table's rows, with one the
/// grouping's.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) table: TableId,
    /// A row passes if it is TRUE. Reads the table's rows.
    pub(crate) filter: Option<Expr>,
    pub(crate) grouping: Option<Grouping>,
    /// At least one.
    pub(crate) outputs: Vec<Output>,
    pub(crate) order: Vec<OrderKey>,
    pub(crate) limit: Option<u64>,
    pub(crate) offset: u64,
}

/// A column of the result.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Output {
    pub(crate) name: String,
    pub(crate) expr: Expr,
    pub(crate) ty: Type,
    pub(crate) hidden: bool,
}

/// A key of the order; the first one decides.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OrderKey {
    pub(crate) expr: Expr,
    pub(crate) ty: Type,
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

/// An aggregate of an expression over the table's rows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AggregateCall {
    pub(crate) function: Aggregate,
    /// Absent in `COUNT(*)`.
    pub(crate) arg: Option<Expr>,
    /// Of the argument; of the result for `COUNT(*)`.
    pub(crate) arg_ty: Type,
    pub(crate) ty: Type,
}

/// Functions over many rows. All but COUNT(*) skip NULLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aggregate {
    Count,
    Sum,
    Min,
    Max,
    Average,
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
