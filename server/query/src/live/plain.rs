//! Queries of one table without state: a filter, a projection, and perhaps a window in an index's order.

use syncline_protocol::{ErrorCode, TableDef, TableId};
use syncline_store::{Database, Table};

use super::regions::Edges;
use crate::error::QueryError;
use crate::execute::access::{RangePath, choose_ordered};
use crate::execute::missing::missing_index;
use crate::execute::project::Projection;
use crate::execute::sort::{SortKey, sort_keys};
use crate::plan::expr::{ColumnSet, Expr};
use crate::plan::{Query, Select};
use crate::router::{Route, cover};

/// What a template of one table is kept current with.
#[derive(Debug)]
pub(super) struct Plain {
    pub(super) table: TableId,
    pub(super) filter: Option<Expr>,
    pub(super) projection: Projection,
    /// Columns that decide about a row or show in the result.
    pub(super) reads: ColumnSet,
    /// Columns that decide whether a row is in the result: of two rows that agree in them both are or none is.
    pub(super) decides: ColumnSet,
    pub(super) cover: Option<Vec<Route>>,
    /// Whether where a row leads says if it is in the result, without a look at the filter.
    pub(super) is_routed: bool,
    /// Whether what a change of a row becomes is the same for all in whose results it is.
    pub(super) is_shared: bool,
    /// To move the parameters.
    pub(super) edges: Edges,
    /// For a window, the index that has its rows in order.
    pub(super) window: Option<RangePath>,
}

/// The table of a query that is plain.
pub(super) fn plain_table(db: &Database, plan: &Query) -> Option<TableId> {
    let select = plan.select()?;
    let table = select.only_table()?;
    let mut exprs = select.exprs.iter().chain(&select.filter);
    let has_sub_query = exprs.any(|expr| expr.any(&mut |part| part.sub_query().is_some()));
    let has_end = plan.limit.is_some() || plan.offset == 0;
    let is_plain = !has_sub_query && select.grouping.is_none() && !select.distinct && has_end;
    let is_ordered = plan.limit.is_none()
        || db
            .table(table)
            .is_some_and(|table| window_path(plan, select, table).is_some());
    (is_plain && is_ordered).then_some(table)
}

/// The index that gives a window its rows in order.
fn window_path(plan: &Query, select: &Select, table: &Table) -> Option<RangePath> {
    let order = sort_keys(plan, select, &plan.order);
    choose_ordered(table, select.filter.as_ref(), &order)
}

impl Plain {
    pub(super) fn new(plan: &Query, table: &Table, is_window: bool) -> Self {
        let select = plan.select().expect("a plain query is a select");
        let mut reads = ColumnSet::default();
        for expr in select.exprs.iter().chain(&select.filter) {
            expr.add_columns(0, &mut reads);
        }
        let column_count = table.def().columns.len();
        let path = is_window
            .then(|| window_path(plan, select, table))
            .flatten();
        let cover = cover(select.filter.as_ref());
        let is_routed = match (cover.as_deref(), &select.filter) {
            (Some([route]), Some(filter)) => !is_window && route.is_all_of(filter),
            _ => false,
        };
        let reads_params = |expr: &Expr| expr.any(&mut Expr::is_param);
        Self {
            table: table.id(),
            is_routed,
            is_shared: !is_window && !select.exprs.iter().any(reads_params),
            decides: deciding(table, select.filter.as_ref(), path.as_ref()),
            filter: select.filter.clone(),
            projection: Projection::new(&select.exprs, &plan.outputs, Some(column_count)),
            reads,
            cover,
            edges: Edges::new(table, select.filter.as_ref(), &select.exprs),
            window: path,
        }
    }

    /// Finds its index again.
    pub(super) fn rebind(&mut self, plan: &Query, db: &Database) -> Result<(), QueryError> {
        let (Some(table), Some(select)) = (db.table(self.table), plan.select()) else {
            return Ok(());
        };
        self.edges = Edges::new(table, select.filter.as_ref(), &select.exprs);
        if self.window.is_some() {
            self.window = window_path(plan, select, table);
            if self.window.is_none() {
                return Err(no_window(
                    table.def(),
                    select,
                    &sort_keys(plan, select, &plan.order),
                ));
            }
        }
        self.decides = deciding(table, self.filter.as_ref(), self.window.as_ref());
        Ok(())
    }
}

/// Columns that decide whether a row is in a result, and in which place of a window.
fn deciding(table: &Table, filter: Option<&Expr>, window: Option<&RangePath>) -> ColumnSet {
    let mut columns = ColumnSet::default();
    if let Some(filter) = filter {
        filter.add_columns(0, &mut columns);
    }
    if let Some(path) = window {
        let place = table.index_columns(path.index);
        let place = place.unwrap_or_default().iter();
        place.for_each(|column| columns.insert(*column));
    }
    columns
}

/// The error of a window whose index is gone.
fn no_window(def: &TableDef, select: &Select, order: &[SortKey<'_>]) -> QueryError {
    let message = format!(
        "no index of `{}` has the rows of this window in order",
        def.name
    );
    let error = QueryError::new(ErrorCode::LiveNoAccessPath, message);
    match missing_index(def, select.filter.as_ref(), order) {
        Some(columns) => error.hint(format!(
            "declare an ordered index on {}({}) in the module",
            def.name,
            columns.join(", ")
        )),
        None => error.hint("subscribe again"),
    }
}
