//! Evaluation of a plan over the tables as they are: one-off queries and first answers.

pub(crate) mod access;
mod aggregate;
pub(crate) mod exact;
mod feed;
mod join;
pub(crate) mod missing;
mod outline;
pub(crate) mod project;
mod query;
mod runner;
pub(crate) mod sort;
mod tail;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;

use syncline_protocol::limits::QUERY_BYTES_MAX;
use syncline_protocol::message::{ResultColumn, ResultDescription};
use syncline_protocol::param::Param;
use syncline_protocol::{ErrorCode, RowLayout};
use syncline_store::Database;

use crate::Caller;
use crate::asked::QueryRef;
use crate::bind::{Mode, bind};
use crate::declared::Declared;
use crate::error::QueryError;
use crate::plan::expr::Params;
use crate::plan::{Column, Query};
pub(crate) use outline::outline;
use runner::{Runner, finished};

/// Whether a walk goes on, is ended, or has failed.
type Flow = ControlFlow<Result<(), QueryError>>;

/// Gets packed result rows, one by one.
pub type RowSink<'s> = dyn FnMut(&[u8]) + 's;

/// Evaluates a query once: its rows, in order, go to `sink`. Returns what they are.
pub fn query_once<'a>(
    db: &Database,
    query: impl Into<QueryRef<'a>>,
    params: &[(String, Param)],
    caller: &Caller,
    sink: &mut RowSink<'_>,
) -> Result<ResultDescription, QueryError> {
    let query = query.into();
    answer(db, query, params, caller, sink).map_err(|error| query.locate(error))
}

fn answer(
    db: &Database,
    query: QueryRef<'_>,
    params: &[(String, Param)],
    caller: &Caller,
    sink: &mut RowSink<'_>,
) -> Result<ResultDescription, QueryError> {
    let declared = Declared::new(db.schema());
    let plan = bind(db, &declared, &query.read()?, params, caller, Mode::Once)?;
    // Its literals stay where they are.
    let no_params = RowLayout::new(Vec::new());
    let visible_count = plan.visible_count();
    run(
        db,
        &plan,
        (plan.limit, visible_count),
        Params {
            layout: &no_params,
            packed: &[],
        },
        sink,
    )?;
    Ok(ResultDescription {
        columns: result_columns(&plan.outputs[..visible_count]),
        ..ResultDescription::default()
    })
}

/// Calls `sink` with each result row, in the query's order. `columns` is how many of the outputs are wanted.
/// Returns how many rows were looked at.
pub(crate) fn run(
    db: &Database,
    query: &Query,
    (limit, columns): (Option<u64>, usize),
    params: Params<'_>,
    sink: &mut RowSink<'_>,
) -> Result<u64, QueryError> {
    let runner = Runner::new(db, query, params);
    let nothing = Params {
        layout: &RowLayout::new(Vec::new()),
        packed: &[],
    };
    let layout = query.layout();
    finished(runner.query(query, limit, nothing, &mut |row| {
        let end = if columns < query.outputs.len() {
            // The wanted ones come first.
            let next = layout.column(row, columns);
            next.as_ptr().addr() - row.as_ptr().addr()
        } else {
            row.len()
        };
        sink(&row[..end]);
        Flow::Continue(())
    }))?;
    Ok(runner.looked_at())
}

fn over_limit(what: &str) -> QueryError {
    QueryError::new(ErrorCode::QueryLimit, what.to_owned())
        .hint("narrow WHERE, add a LIMIT, or declare an index that fits it")
}

fn check_bytes(bytes: usize) -> Result<(), QueryError> {
    if bytes <= QUERY_BYTES_MAX {
        return Ok(());
    }
    Err(over_limit(&format!(
        "the result has over {QUERY_BYTES_MAX} bytes"
    )))
}

/// The columns of a plan's result as they are described to a client.
pub(crate) fn result_columns(columns: &[Column]) -> Vec<ResultColumn> {
    let column = |output: &Column| ResultColumn {
        name: output.name.clone(),
        ty: output.ty.clone(),
        hidden: output.hidden,
    };
    columns.iter().map(column).collect()
}
