//! A live query without its constants: what all instances of it share.

use std::sync::Arc;

use syncline_protocol::limits::WINDOW_ROWS_MAX;
use syncline_protocol::message::{OrderColumn, ResultDescription};
use syncline_protocol::{ErrorCode, RowLayout, TableDef, TableId, Type};
use syncline_store::{Database, IndexId, Table};

use super::plain::{Plain, plain_table};
use super::rank::Rank;
use super::recipe::Recipe;
use crate::error::QueryError;
use crate::execute::{self, RowSink, result_columns};
use crate::flow::{Flow, tables_of};
use crate::plan::Query;
use crate::plan::expr::Params;

/// A plan whose literals are parameters. Instances of one template differ in those alone, and in the
/// size of a plain window.
#[derive(Debug)]
pub(super) struct Template {
    /// What tells it from other templates.
    pub(super) identity: Box<[u8]>,
    /// Of a plain one without a limit: each instance has its own.
    pub(super) plan: Query,
    pub(super) param_layout: RowLayout,
    pub(super) description: Arc<ResultDescription>,
    pub(super) result_layout: RowLayout,
    pub(super) form: Form,
    /// The tables, to see whether a schema still fits.
    shapes: Vec<Shape>,
    pub(super) instance_count: usize,
    /// How statements that were moved within it fill its parameters.
    pub(super) recipes: Vec<Recipe>,
    /// All instances, if some change is a matter of every one.
    pub(super) members: Vec<u32>,
}

/// How it is kept current.
#[derive(Debug)]
pub(super) enum Form {
    Plain(Box<Plain>),
    Rank(Box<Rank>),
    Flow(Box<Flow>),
}

/// Columns of a table's rows and their key.
#[derive(Debug)]
struct Shape {
    table: TableId,
    types: Vec<Type>,
    key: Vec<u16>,
    was_public: bool,
}

/// A plan that may live, with what tells its template and its instance apart.
#[derive(Debug)]
pub(super) struct Draft {
    plan: Query,
    /// The table of a plain one.
    plain: Option<TableId>,
    pub(super) identity: Vec<u8>,
    param_types: Vec<Type>,
    /// The packed tuple of parameters.
    pub(super) params: Vec<u8>,
    /// The use of a parameter that each of them is, 0 if it is none.
    pub(super) origins: Vec<u16>,
    /// Rows of the window, if it is a plain one.
    pub(super) limit: Option<u64>,
}

fn check_window(plan: &Query) -> Result<(), QueryError> {
    match plan.limit {
        Some(_) if plan.order.is_empty() && !plan.key.is_empty() => {
            let message = "LIMIT without ORDER BY is not live";
            let hint = "say which rows come first: ORDER BY a column";
            Err(QueryError::new(ErrorCode::LiveUnsupported, message).hint(hint))
        }
        Some(limit) if limit > WINDOW_ROWS_MAX => {
            let message = format!("a live window has at most {WINDOW_ROWS_MAX} rows, not {limit}");
            Err(QueryError::new(ErrorCode::QueryLimit, message))
        }
        None if plan.offset > 0 && plan.order.is_empty() && !plan.key.is_empty() => {
            let message = "OFFSET without ORDER BY is not live";
            let hint = "say which rows come first: ORDER BY a column";
            Err(QueryError::new(ErrorCode::LiveUnsupported, message).hint(hint))
        }
        _ => Ok(()),
    }
}

impl Draft {
    /// Takes a query that was bound to live, and its identity.
    pub(super) fn new(db: &Database, mut plan: Query) -> Result<Self, QueryError> {
        check_window(&plan)?;
        let plain = plain_table(db, &plan);
        let mut identity = vec![u8::from(plain.is_some()), u8::from(plan.limit.is_some())];
        let limit = if plain.is_some() {
            plan.limit.take()
        } else {
            identity.extend_from_slice(&plan.limit.unwrap_or_default().to_le_bytes());
            None
        };
        let (mut param_types, mut params) = (Vec::new(), Vec::new());
        let mut origins = Vec::new();
        let mut lift = |literal: &crate::plan::expr::Literal| {
            origins.push(literal.origin);
            param_types.push(literal.ty.clone());
            params.extend_from_slice(&literal.packed);
        };
        plan.write_shape(&mut identity, &mut lift);
        if param_types.len() > usize::from(u16::MAX) {
            let message = "the query has too many constants";
            return Err(QueryError::new(ErrorCode::QueryLimit, message));
        }
        Ok(Self {
            plan,
            plain,
            identity,
            param_types,
            params,
            origins,
            limit,
        })
    }

    /// The template of the draft: what its literals are is forgotten.
    pub(super) fn to_template(&self, db: &Database) -> Result<Template, QueryError> {
        let mut plan = self.plan.clone();
        let description = Arc::new(describe(&plan));
        let mut next = 0;
        plan.lift(&mut next);
        debug_assert_eq!(usize::from(next), self.param_types.len(), "both walk alike");
        let form = match self.plain.and_then(|id| db.table(id)) {
            Some(table) => Form::Plain(Box::new(Plain::new(&plan, table, self.limit.is_some()))),
            None => other_form(db, &plan)?,
        };
        let tables = tables_of(&plan);
        let defs = tables
            .iter()
            .filter_map(|id| Some((*id, db.table(*id)?.def())));
        Ok(Template {
            identity: self.identity.as_slice().into(),
            param_layout: RowLayout::new(self.param_types.clone()),
            result_layout: RowLayout::new(description.types().cloned().collect()),
            description,
            form,
            shapes: defs.map(|(id, def)| Shape::new(id, def)).collect(),
            instance_count: 0,
            recipes: Vec::new(),
            members: Vec::new(),
            plan,
        })
    }
}

impl Shape {
    fn new(table: TableId, def: &TableDef) -> Self {
        Self {
            table,
            types: def.columns.iter().map(|column| column.ty.clone()).collect(),
            key: def.primary_key.clone(),
            was_public: def.public,
        }
    }

    /// Whether the table still is what it was.
    fn check(&self, db: &Database) -> Result<(), QueryError> {
        let gone = |message: String| QueryError::new(ErrorCode::SqlUnknownTable, message);
        let Some(table) = db.table(self.table) else {
            return Err(gone("the table of this query is gone".to_owned()));
        };
        let def = table.def();
        let now = Self::new(self.table, def);
        if (&now.types, &now.key) != (&self.types, &self.key) {
            return Err(gone(format!("table `{}` has other columns now", def.name)));
        }
        if self.was_public && !def.public {
            return Err(gone(format!("there is no table `{}`", def.name)));
        }
        Ok(())
    }
}

/// How a query that is not plain, with its literals lifted, is kept current.
fn other_form(db: &Database, plan: &Query) -> Result<Form, QueryError> {
    Ok(match Rank::new(db, plan) {
        Some(rank) => Form::Rank(Box::new(rank)),
        None => Form::Flow(Box::new(Flow::compile(db, plan)?)),
    })
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

impl Template {
    pub(super) fn plain(&self) -> Option<&Plain> {
        match &self.form {
            Form::Plain(plain) => Some(plain),
            Form::Rank(_) | Form::Flow(_) => None,
        }
    }

    pub(super) fn rank(&self) -> Option<&Rank> {
        match &self.form {
            Form::Rank(rank) => Some(rank),
            Form::Plain(_) | Form::Flow(_) => None,
        }
    }

    /// Calls `sink` with each row of an instance, in order; how many rows were looked at. `limit` is that of a plain
    /// window.
    pub(super) fn evaluate(
        &self,
        db: &Database,
        (params, limit): (Params<'_>, Option<u64>),
        sink: &mut RowSink<'_>,
    ) -> Result<u64, QueryError> {
        if let Some(rank) = self.rank() {
            rank.answer(db, params, sink);
            return Ok(1);
        }
        let query = &self.plan;
        let wanted = (limit.or(query.limit), query.outputs.len());
        execute::run(db, query, wanted, params, sink)
    }

    /// The table of a plain one.
    pub(super) fn table<'d>(&self, db: &'d Database) -> Option<&'d Table> {
        db.table(self.plain()?.table)
    }

    pub(super) fn flow(&self) -> Option<&Flow> {
        match &self.form {
            Form::Plain(_) | Form::Rank(_) => None,
            Form::Flow(flow) => Some(flow),
        }
    }

    /// Those on its ways.
    pub(super) fn hidden_indexes(&self) -> &[(TableId, IndexId)] {
        self.flow().map_or(&[], |flow| &flow.hidden)
    }

    /// Checks that the template still fits its tables after a publish, and finds its indexes again.
    pub(super) fn rebind(&mut self, db: &Database) -> Result<(), QueryError> {
        self.shapes.iter().try_for_each(|shape| shape.check(db))?;
        match &mut self.form {
            Form::Plain(plain) => plain.rebind(&self.plan, db),
            Form::Rank(_) | Form::Flow(_) => {
                self.form = other_form(db, &self.plan)?;
                Ok(())
            }
        }
    }
}
