//! Evaluation of a plan over the tables as they are: one-off queries and first answers.

pub(crate) mod access;
mod aggregate;
pub(crate) mod project;
pub(crate) mod sort;
#[cfg(test)]
mod tests;

use std::collections::BinaryHeap;
use std::ops::ControlFlow;

use syncline_protocol::limits::{QUERY_BYTES_MAX, QUERY_ROWS_MAX, QUERY_SCAN_ROWS_MAX};
use syncline_protocol::message::{ResultColumn, ResultDescription};
use syncline_protocol::param::Param;
use syncline_protocol::{ErrorCode, RowLayout};
use syncline_store::{Database, Table};

use crate::Caller;
use crate::asked::QueryRef;
use crate::bind::{Mode, bind};
use crate::error::QueryError;
use crate::plan::expr::{Input, Params};
use crate::plan::{Column, Grouping, Query, Select};
use access::Access;
use aggregate::Groups;
use project::Projection;
use sort::{SortKey, sort_keys};

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
    let plan = bind(db, &query.read()?, params, caller, Mode::Once)?;
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
pub(crate) fn run(
    db: &Database,
    query: &Query,
    (limit, columns): (Option<u64>, usize),
    params: Params<'_>,
    sink: &mut RowSink<'_>,
) -> Result<(), QueryError> {
    let one_table = query
        .select()
        .and_then(|s| Some((s, db.table(s.only_table()?)?)));
    let Some((plan, table)) = one_table else {
        let message = "only queries of one table are answered";
        return Err(QueryError::new(ErrorCode::SqlUnsupported, message));
    };
    let order = sort_keys(query, plan, &query.total_order());
    let Some(grouping) = &plan.grouping else {
        return run_rows(table, (query, plan), (limit, columns), order, params, sink);
    };
    let groups = collect_groups(table, plan, grouping, params)?;
    let layout = grouping.layout();
    let is_sorted = order.is_empty();
    let mut tail = Tail::new(
        (query, plan),
        (limit, columns),
        (order, is_sorted),
        &layout,
        sink,
    );
    groups.rows(|row| {
        let input = Input::one(&layout, row, params);
        let having = grouping.having.as_ref().map(|having| having.truth(&input));
        match having {
            None | Some(Some(true)) => tail.push(&input),
            Some(_) => Ok(ControlFlow::Continue(())),
        }
    })?;
    tail.finish();
    Ok(())
}

/// Calls `visit` with the rows that pass the filter until it breaks or fails.
fn filter_rows(
    access: &Access,
    table: &Table,
    plan: &Select,
    params: Params<'_>,
    mut visit: impl FnMut(&Input<'_>) -> Result<ControlFlow<()>, QueryError>,
) -> Result<(), QueryError> {
    let mut scanned = 0;
    let walked = access.walk(table, params, |row| {
        scanned += 1;
        if scanned > QUERY_SCAN_ROWS_MAX {
            let message = format!("the query looks at over {QUERY_SCAN_ROWS_MAX} rows");
            return ControlFlow::Break(Err(over_limit(&message)));
        }
        let input = Input::one(table.layout(), row, params);
        let passes = plan
            .filter
            .as_ref()
            .is_none_or(|f| f.truth(&input) == Some(true));
        match if passes {
            visit(&input)
        } else {
            Ok(ControlFlow::Continue(()))
        } {
            Ok(ControlFlow::Continue(())) => ControlFlow::Continue(()),
            Ok(ControlFlow::Break(())) => ControlFlow::Break(Ok(())),
            Err(error) => ControlFlow::Break(Err(error)),
        }
    });
    match walked {
        ControlFlow::Break(result) => result,
        ControlFlow::Continue(()) => Ok(()),
    }
}

fn run_rows(
    table: &Table,
    (query, plan): (&Query, &Select),
    (limit, columns): (Option<u64>, usize),
    order: Vec<SortKey<'_>>,
    params: Params<'_>,
    sink: &mut RowSink<'_>,
) -> Result<(), QueryError> {
    let filter = plan.filter.as_ref();
    let asked = &order[..query.order.len()];
    let ordered = if order.is_empty() {
        None
    } else {
        access::choose_ordered(table, filter, asked)
    };
    // Without a limit all rows are read anyway: then the path with the best filter, and a sort.
    let (access, is_sorted) = match ordered {
        Some(path) if limit.is_some() || !path.equal.is_empty() => (Access::Range(path), true),
        _ => (access::choose(table, filter), order.is_empty()),
    };
    let mut tail = Tail::new(
        (query, plan),
        (limit, columns),
        (order, is_sorted),
        table.layout(),
        sink,
    );
    filter_rows(&access, table, plan, params, |input| tail.push(input))?;
    tail.finish();
    Ok(())
}

fn collect_groups<'p>(
    table: &Table,
    plan: &Select,
    grouping: &'p Grouping,
    params: Params<'_>,
) -> Result<Groups<'p>, QueryError> {
    let access = access::choose(table, plan.filter.as_ref());
    let mut groups = Groups::new(grouping);
    let mut group_bytes = 0;
    filter_rows(&access, table, plan, params, |input| {
        group_bytes += groups.add(input);
        check_bytes(group_bytes)?;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(groups)
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

/// ORDER BY, OFFSET, LIMIT and the select list.
struct Tail<'a, 's, 'f> {
    projection: Projection,
    order: Vec<SortKey<'a>>,
    is_sorted: bool,
    skip: usize,
    /// Rows that may still come out.
    left: usize,
    /// Largest sort key on top: the first to go when there are enough.
    sorted: BinaryHeap<(Vec<u8>, Vec<u8>)>,
    result_count: usize,
    result_bytes: usize,
    scratch: Vec<u8>,
    sink: &'s mut RowSink<'f>,
}

impl<'a, 's, 'f> Tail<'a, 's, 'f> {
    fn new(
        (query, plan): (&Query, &Select),
        (limit, columns): (Option<u64>, usize),
        (order, is_sorted): (Vec<SortKey<'a>>, bool),
        layout: &RowLayout,
        sink: &'s mut RowSink<'f>,
    ) -> Self {
        let as_count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        Self {
            projection: Projection::new(
                &plan.exprs[..columns],
                &query.outputs,
                Some(layout.types().len()),
            ),
            order,
            is_sorted,
            skip: as_count(query.offset),
            left: limit.map_or(usize::MAX, as_count),
            sorted: BinaryHeap::new(),
            result_count: 0,
            result_bytes: 0,
            scratch: Vec::new(),
            sink,
        }
    }

    /// Takes a row; breaks if no further one is wanted.
    fn push(&mut self, input: &Input<'_>) -> Result<ControlFlow<()>, QueryError> {
        if self.left == 0 {
            return Ok(ControlFlow::Break(()));
        }
        if self.is_sorted {
            if self.skip > 0 {
                self.skip -= 1;
                return Ok(ControlFlow::Continue(()));
            }
            let result = self.projection.apply(input, &mut self.scratch);
            self.result_count += 1;
            self.result_bytes += result.len();
            (self.sink)(result);
            self.left -= 1;
            self.check()?;
            return Ok(match self.left {
                0 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            });
        }
        let wanted = self.skip.saturating_add(self.left);
        let mut sort_key = Vec::new();
        sort::write_sort_key(&self.order, input, &mut sort_key);
        if self.sorted.len() == wanted {
            if self
                .sorted
                .peek()
                .is_some_and(|(last, _)| *last <= sort_key)
            {
                return Ok(ControlFlow::Continue(()));
            }
            if let Some((key, row)) = self.sorted.pop() {
                self.result_bytes -= key.len() + row.len();
                self.result_count -= 1;
            }
        }
        let result = self.projection.apply(input, &mut self.scratch).to_vec();
        self.result_count += 1;
        self.result_bytes += sort_key.len() + result.len();
        self.sorted.push((sort_key, result));
        self.check()?;
        Ok(ControlFlow::Continue(()))
    }

    fn check(&self) -> Result<(), QueryError> {
        if self.result_count > QUERY_ROWS_MAX {
            return Err(over_limit(&format!(
                "the result has over {QUERY_ROWS_MAX} rows"
            )));
        }
        check_bytes(self.result_bytes)
    }

    fn finish(self) {
        for (_, row) in self.sorted.into_sorted_vec().iter().skip(self.skip) {
            (self.sink)(row);
        }
    }
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
