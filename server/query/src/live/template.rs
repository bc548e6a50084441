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
use crate::execute::{result_columns, sort};
use crate::expr::{ColumnSet, Expr, Slot};
use crate::plan::{OrderKey, Output, Plan};
use crate::syntax::CompareOp;

/// A plan whose literals are parameters. Instances of one template differ in those alone, and in the
/// size of the window.
#[derive(Debug)]
pub(super) struct Template {
    /// What tells it from other templates.
    pub(super) identity: Box<[u8]>,
    /// Without a limit: each instance has its own.
    pub(super) plan: Plan,
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
    plan: Plan,
    pub(super) identity: Vec<u8>,
    param_types: Vec<Type>,
    /// The packed tuple of parameters.
    pub(super) params: Vec<u8>,
    /// Rows of the window, if it is one.
    pub(super) limit: Option<u64>,
}

/// Refuses what is not live yet, each by its name.
fn check(plan: &Plan) -> Result<(), QueryError> {
    let unsupported = |message: &str, hint: &str| {
        Err(QueryError::new(ErrorCode::LiveUnsupported, message).hint(hint))
    };
    if plan.grouping.is_some() {
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
        _ => Ok(()),
    }
}

impl Draft {
    /// Takes a bound plan, adds the columns that key and order need, and takes its identity.
    pub(super) fn new(mut plan: Plan, def: &TableDef) -> Result<Self, QueryError> {
        check(&plan)?;
        let limit = plan.limit.take();
        add_hidden_outputs(&mut plan, def);
        let mut identity = Vec::new();
        let (mut param_types, mut params) = (Vec::new(), Vec::new());
        let mut lift = |literal: &crate::expr::Literal| {
            param_types.push(literal.ty.clone());
            params.extend_from_slice(&literal.packed);
        };
        identity.extend_from_slice(&plan.table.0.to_le_bytes());
        identity.push(u8::from(limit.is_some()));
        identity.push(u8::from(plan.filter.is_some()));
        if let Some(filter) = &plan.filter {
            filter.write_shape(&mut identity, &mut lift);
        }
        for output in &plan.outputs {
            output.expr.write_shape(&mut identity, &mut lift);
            identity.push(u8::from(output.hidden));
            identity.extend_from_slice(&(output.name.len() as u32).to_le_bytes());
            identity.extend_from_slice(output.name.as_bytes());
        }
        for key in &plan.order {
            key.expr.write_shape(&mut identity, &mut lift);
            identity.push(u8::from(key.descending));
        }
        if param_types.len() > usize::from(u16::MAX) {
            let message = "the query has too many constants";
            return Err(QueryError::new(ErrorCode::QueryLimit, message));
        }
        Ok(Self {
            plan,
            identity,
            param_types,
            params,
            limit,
        })
    }

    pub(super) fn table(&self) -> TableId {
        self.plan.table
    }

    /// The template of the draft: what its literals are is forgotten.
    pub(super) fn to_template(&self, table: &Table) -> Result<Template, QueryError> {
        let mut plan = self.plan.clone();
        let def = table.def();
        let description = Arc::new(describe(&plan, def, &sort::total_order(&plan, def)));
        let mut next = 0;
        if let Some(filter) = &mut plan.filter {
            lift(filter, &mut next);
        }
        plan.outputs
            .iter_mut()
            .for_each(|output| lift(&mut output.expr, &mut next));
        plan.order
            .iter_mut()
            .for_each(|key| lift(&mut key.expr, &mut next));
        debug_assert_eq!(usize::from(next), self.param_types.len(), "both walk alike");
        let window = self.limit.map(|_| window_path(&plan, table)).transpose()?;
        let mut reads = ColumnSet::default();
        let exprs = plan.outputs.iter().map(|output| &output.expr);
        for expr in exprs
            .chain(&plan.filter)
            .chain(plan.order.iter().map(|key| &key.expr))
        {
            expr.add_columns(&mut reads);
        }
        Ok(Template {
            identity: self.identity.as_slice().into(),
            param_layout: RowLayout::new(self.param_types.clone()),
            result_layout: RowLayout::new(description.types().cloned().collect()),
            description,
            projection: Projection::new(&plan.outputs, def.columns.len()),
            reads,
            cover: cover(plan.filter.as_ref()),
            window,
            shape: shape(def),
            was_public: def.public,
            instance_count: 0,
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

/// Replaces literals by parameters, numbered in the order of [`Expr::write_shape`].
fn lift(expr: &mut Expr, next: &mut u16) {
    if let Expr::Literal(literal) = expr {
        *expr = Expr::Param(Slot::new(usize::from(*next), &literal.ty));
        *next += 1;
        return;
    }
    expr.for_each_part_mut(&mut |part| lift(part, next));
    if let Expr::Compare(CompareOp::Equal, ..) = expr
        && let Some((column, Expr::Param(param))) = expr.as_column_is()
    {
        *expr = Expr::ColumnIs(column, param);
    }
}

/// The key must travel, and what the client sorts by.
fn add_hidden_outputs(plan: &mut Plan, def: &TableDef) {
    let keys = def.primary_key.iter().map(|column| {
        let column = usize::from(*column);
        let ty = def.columns[column].ty.clone();
        (Expr::Column(Slot::new(column, &ty)), ty)
    });
    let order = plan
        .order
        .iter()
        .map(|key| (key.expr.clone(), key.ty.clone()));
    for (expr, ty) in keys.chain(order).collect::<Vec<_>>() {
        if plan.outputs.iter().any(|output| output.expr == expr) {
            continue;
        }
        let base = match &expr {
            Expr::Column(slot) => def.columns[usize::from(slot.index)].name.clone(),
            _ => "order".to_owned(),
        };
        let is_taken = |name: &str| plan.outputs.iter().any(|output| output.name == name);
        let mut numbered = (2..).map(|number: u32| format!("{base}_{number}"));
        let name = if is_taken(&base) {
            numbered.find(|name| !is_taken(name))
        } else {
            None
        };
        plan.outputs.push(Output {
            name: name.unwrap_or(base),
            expr,
            ty,
            hidden: true,
        });
    }
}

fn describe(plan: &Plan, def: &TableDef, order: &[OrderKey]) -> ResultDescription {
    let position = |expr: &Expr| {
        let found = plan.outputs.iter().position(|output| output.expr == *expr);
        found.expect("what key and order need is an output, hidden or not") as u16
    };
    let key_position = |column: &u16| {
        let column = usize::from(*column);
        position(&Expr::Column(Slot::new(column, &def.columns[column].ty)))
    };
    // Ties are broken by the ascending key anyway.
    let descends = order.last().is_some_and(|key| key.descending);
    let shown = if descends {
        order.len()
    } else {
        plan.order.len()
    };
    ResultDescription {
        columns: result_columns(plan),
        key: def.primary_key.iter().map(key_position).collect(),
        order: order[..shown]
            .iter()
            .map(|key| OrderColumn {
                column: position(&key.expr),
                descending: key.descending,
            })
            .collect(),
    }
}

/// The index that gives a window its rows in order.
fn window_path(plan: &Plan, table: &Table) -> Result<RangePath, QueryError> {
    let filter = plan.filter.as_ref();
    if let Some(path) = choose_ordered(table, filter, &plan.order) {
        return Ok(path);
    }
    let def = table.def();
    let message = format!(
        "no index of `{}` has the rows of this window in order",
        def.name
    );
    let error = QueryError::new(ErrorCode::LiveNoAccessPath, message);
    Err(match missing_index(def, filter, &plan.order) {
        Some(columns) => error.hint(format!(
            "declare an ordered index on {}({}) in the module",
            def.name,
            columns.join(", ")
        )),
        None => error.hint("a live window is ordered by columns, all ASC or all DESC"),
    })
}

impl Template {
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
