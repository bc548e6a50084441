//! A live query without its constants: what all instances of it share.

use std::sync::Arc;

use syncline_protocol::limits::WINDOW_ROWS_MAX;
use syncline_protocol::message::{OrderColumn, ResultDescription};
use syncline_protocol::{ErrorCode, RowLayout, TableDef, TableId, Type};
use syncline_store::Table;

use super::cover::{Route, cover};
use crate::error::QueryError;
use crate::execute::access::{RangePath, choose_ordered, missing_index};
use crate::execute::project::Projection;
use crate::execute::result_columns;
use crate::execute::sort::sort_keys;
use crate::plan::expr::{ColumnSet, Expr};
use crate::plan::{Query, Select};

/// A plan whose literals are parameters. Instances of one template differ in those alone, and in the
/// size of the window.
#[derive(Debug)]
pub(super) struct Template {
    /// What tells it from other templates.
    pub(super) identity: Box<[u8]>,
    /// Without a limit: each instance has its own.
    pub(super) plan: Query,
    /// The only source.
    pub(super) table: TableId,
    pub(super) param_layout: RowLayout,
    pub(super) description: Arc<ResultDescription>,
    pub(super) result_layout: RowLayout,
    pub(super) projection: Projection,
    /// Columns that decide about a row or show in the result.
    pub(super) reads: ColumnSet,
    pub(super) cover: Option<Vec<Route>>,
    /// For a window, the index that has its rows in order.
    pub(super) window: Option<RangePath>,
    /// Columns of the table's rows and their key, to see whether a schema still fits.
    shape: (Vec<Type>, Vec<u16>),
    was_public: bool,
    pub(super) instance_count: usize,
}

/// A plan that may live, with what tells its template and its instance apart.
#[derive(Debug)]
pub(super) struct Draft {
    plan: Query,
    table: TableId,
    pub(super) identity: Vec<u8>,
    param_types: Vec<Type>,
    /// The packed tuple of parameters.
    pub(super) params: Vec<u8>,
    /// Rows of the window, if it is one.
    pub(super) limit: Option<u64>,
}

/// Refuses what is not live yet, each by its name.
fn check(plan: &Query) -> Result<TableId, QueryError> {
    let unsupported = |message: &str, hint: &str| {
        Err(QueryError::new(ErrorCode::LiveUnsupported, message).hint(hint))
    };
    let Some(select) = plan.select() else {
        return unsupported("UNION is not live yet", "subscribe to each of its queries");
    };
    let Some(table) = select.only_table() else {
        return unsupported(
            "joins and sub-queries in FROM are not live yet",
            "run it once as a query, or subscribe to each table",
        );
    };
    if select.distinct {
        return unsupported("DISTINCT is not live yet", "run it once as a query");
    }
    let exprs = select.exprs.iter().chain(&select.filter);
    let mut is_sub_query = |expr: &Expr| expr.sub_query().is_some();
    if exprs.into_iter().any(|expr| expr.any(&mut is_sub_query)) {
        return unsupported("sub-queries are not live yet", "run it once as a query");
    }
    if select.grouping.is_some() {
        return unsupported(
            "aggregates, GROUP BY and HAVING are not live yet",
            "run it once as a query, or let reducers keep the figure in a table",
        );
    }
    if plan.offset > 0 {
        return unsupported(
            "OFFSET is not live",
            "page by key: WHERE ts < :last ORDER BY ts DESC LIMIT 50",
        );
    }
    match plan.limit {
        Some(_) if plan.order.is_empty() => unsupported(
            "LIMIT without ORDER BY is not live",
            "say which rows come first: ORDER BY a column with an ordered index",
        ),
        Some(limit) if limit > WINDOW_ROWS_MAX => {
            let message = format!("a live window has at most {WINDOW_ROWS_MAX} rows, not {limit}");
            Err(QueryError::new(ErrorCode::QueryLimit, message))
        }
        _ => Ok(table),
    }
}

impl Draft {
    /// Takes a query that was bound to live, and its identity.
    pub(super) fn new(mut plan: Query) -> Result<Self, QueryError> {
        let table = check(&plan)?;
        let limit = plan.limit.take();
        let mut identity = Vec::new();
        let (mut param_types, mut params) = (Vec::new(), Vec::new());
        let mut lift = |literal: &crate::plan::expr::Literal| {
            param_types.push(literal.ty.clone());
            params.extend_from_slice(&literal.packed);
        };
        identity.push(u8::from(limit.is_some()));
        plan.write_shape(&mut identity, &mut lift);
        if param_types.len() > usize::from(u16::MAX) {
            let message = "the query has too many constants";
            return Err(QueryError::new(ErrorCode::QueryLimit, message));
        }
        Ok(Self {
            plan,
            table,
            identity,
            param_types,
            params,
            limit,
        })
    }

    pub(super) fn table(&self) -> TableId {
        self.table
    }

    /// The template of the draft: what its literals are is forgotten.
    pub(super) fn to_template(&self, table: &Table) -> Result<Template, QueryError> {
        let mut plan = self.plan.clone();
        let def = table.def();
        let description = Arc::new(describe(&plan));
        let mut next = 0;
        plan.lift(&mut next);
        debug_assert_eq!(usize::from(next), self.param_types.len(), "both walk alike");
        let window = self.limit.map(|_| window_path(&plan, table)).transpose()?;
        let mut reads = ColumnSet::default();
        let select = plan.select().expect(CHECKED);
        for expr in select.exprs.iter().chain(&select.filter) {
            expr.add_columns(0, &mut reads);
        }
        Ok(Template {
            identity: self.identity.as_slice().into(),
            param_layout: RowLayout::new(self.param_types.clone()),
            result_layout: RowLayout::new(description.types().cloned().collect()),
            description,
            projection: Projection::new(&select.exprs, &plan.outputs, Some(def.columns.len())),
            reads,
            cover: cover(select.filter.as_ref()),
            window,
            shape: shape(def),
            was_public: def.public,
            instance_count: 0,
            table: self.table,
            plan,
        })
    }
}

fn shape(def: &TableDef) -> (Vec<Type>, Vec<u16>) {
    (
        def.columns.iter().map(|column| column.ty.clone()).collect(),
        def.primary_key.clone(),
    )
}

fn describe(plan: &Query) -> ResultDescription {
    let order = plan.total_order();
    // Ties are broken by the ascending key anyway.
    let descends = order.last().is_some_and(|key| key.descending);
    let shown = if descends {
        order.len()
    } else {
        plan.order.len()
    };
    ResultDescription {
        columns: result_columns(&plan.outputs),
        key: plan.key.clone(),
        order: order[..shown]
            .iter()
            .map(|key| OrderColumn {
                column: key.column,
                descending: key.descending,
            })
            .collect(),
    }
}

/// The index that gives a window its rows in order.
fn window_path(plan: &Query, table: &Table) -> Result<RangePath, QueryError> {
    let select = plan.select().expect(CHECKED);
    let filter = select.filter.as_ref();
    let order = sort_keys(plan, select, &plan.order);
    if let Some(path) = choose_ordered(table, filter, &order) {
        return Ok(path);
    }
    let def = table.def();
    let message = format!(
        "no index of `{}` has the rows of this window in order",
        def.name
    );
    let error = QueryError::new(ErrorCode::LiveNoAccessPath, message);
    Err(match missing_index(def, filter, &order) {
        Some(columns) => error.hint(format!(
            "declare an ordered index on {}({}) in the module",
            def.name,
            columns.join(", ")
        )),
        None => error.hint("a live window is ordered by columns, all ASC or all DESC"),
    })
}

const CHECKED: &str = "only selects are live";

impl Template {
    /// The body of the query.
    pub(super) fn select(&self) -> &Select {
        self.plan.select().expect(CHECKED)
    }

    /// Checks that the template still fits its table after a publish, and finds its index again.
    pub(super) fn rebind(&mut self, table: Option<&Table>) -> Result<(), QueryError> {
        let gone = |message: String| QueryError::new(ErrorCode::SqlUnknownTable, message);
        let Some(table) = table else {
            return Err(gone("the table of this query is gone".to_owned()));
        };
        let def = table.def();
        if shape(def) != self.shape {
            return Err(gone(format!("table `{}` has other columns now", def.name)));
        }
        if self.was_public && !def.public {
            return Err(gone(format!("there is no table `{}`", def.name)));
        }
        if self.window.is_some() {
            self.window = Some(window_path(&self.plan, table)?);
        }
        Ok(())
    }
}
