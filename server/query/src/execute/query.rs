//! The rows of a query: loops, groups, the select list, DISTINCT, UNION.

use std::cell::Cell;

use foldhash::fast::FixedState;
use hashbrown::HashSet;
use syncline_protocol::RowLayout;
use syncline_store::Table;

use super::Flow;
use super::access::{choose_counted, choose_ordered};
use super::aggregate::Groups;
use super::feed::Fed;
use super::join::Around;
use super::project::Projection;
use super::runner::Runner;
use super::sort::{SortKey, sort_keys, write_part, write_sort_key};
use super::tail::{Tail, ended};
use crate::plan::expr::{Expr, Input, Params, Row, Scope};
use crate::plan::{Body, OrderKey, Query, Select};

/// Rows that were there already.
struct Seen(HashSet<Box<[u8]>, FixedState>);

impl Seen {
    fn new() -> Self {
        Self(HashSet::with_hasher(FixedState::with_seed(0)))
    }

    /// Whether the row is a new one.
    fn add(&mut self, row: &[u8], runner: &Runner<'_>) -> Result<bool, Flow> {
        if self.0.contains(row) {
            return Ok(false);
        }
        let flow = runner.hold(row.len() + size_of::<Box<[u8]>>());
        if flow.is_break() {
            return Err(flow);
        }
        self.0.insert(row.into());
        Ok(true)
    }
}

/// The select list: what is written for each row.
enum Outputs<'q> {
    /// Without sub-queries, which are known by where they lie and must not be copied.
    Projection(Projection),
    Exprs(&'q Query, &'q Select),
}

impl<'q> Outputs<'q> {
    fn new(query: &'q Query, select: &'q Select) -> Self {
        let mut is_sub_query = |part: &Expr| part.sub_query().is_some();
        if select.exprs.iter().any(|expr| expr.any(&mut is_sub_query)) {
            return Self::Exprs(query, select);
        }
        Self::Projection(Projection::new(&select.exprs, &query.outputs, None))
    }

    fn write(&self, input: &Input<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Projection(projection) => {
                projection.apply(input, out);
            }
            Self::Exprs(query, select) => {
                for (expr, column) in select.exprs.iter().zip(&query.outputs) {
                    expr.eval(input).write(&column.ty, out);
                }
            }
        }
    }
}

/// Appends the sort key of a row of outputs.
fn write_row_key(
    order: &[OrderKey],
    query: &Query,
    layout: &RowLayout,
    row: &[u8],
    out: &mut Vec<u8>,
) {
    for key in order {
        let column = usize::from(key.column);
        let packed = layout.column(row, column);
        write_part(&query.outputs[column].ty, packed, key.descending, out);
    }
}

impl<'a> Runner<'a> {
    /// Calls `sink` with each row of a query, in its order, of all outputs.
    pub(super) fn query(
        &self,
        query: &'a Query,
        limit: Option<u64>,
        outer: Params<'_>,
        sink: &mut dyn FnMut(&[u8]) -> Flow,
    ) -> Flow {
        let order = query.total_order();
        match &query.body {
            Body::Select(select) => {
                if select.grouping.is_none()
                    && !select.distinct
                    && let Some(flow) = self.ordered(query, select, limit, outer, sink)
                {
                    return flow;
                }
                let mut tail = Tail::new((limit, query.offset), order.is_empty(), sink);
                let flow = self.select(query, select, &order, outer, &mut tail);
                ended(flow)?;
                tail.finish()
            }
            Body::Union { all, branches } => {
                let mut tail = Tail::new((limit, query.offset), order.is_empty(), sink);
                let layout = query.layout();
                let mut seen = (!all).then(Seen::new);
                let is_over = Cell::new(false);
                for branch in branches {
                    let flow = self.query(branch, branch.limit, outer, &mut |row| {
                        if let Some(seen) = &mut seen {
                            match seen.add(row, self) {
                                Ok(true) => {}
                                Ok(false) => return Flow::Continue(()),
                                Err(flow) => return flow,
                            }
                        }
                        let flow = tail.push(
                            |key| write_row_key(&order, query, &layout, row, key),
                            |out| out.extend_from_slice(row),
                        );
                        is_over.set(flow.is_break());
                        flow
                    });
                    ended(flow)?;
                    if is_over.get() {
                        break;
                    }
                }
                tail.finish()
            }
        }
    }

    /// A select of one table that an index has in order; `None` if there is none.
    fn ordered(
        &self,
        query: &'a Query,
        select: &'a Select,
        limit: Option<u64>,
        outer: Params<'_>,
        sink: &mut dyn FnMut(&[u8]) -> Flow,
    ) -> Option<Flow> {
        if query.order.is_empty() {
            return None;
        }
        let table = self.table(select.only_table()?).ok()?;
        let conditions = select.filter.as_ref().map_or(&[][..], Expr::conjuncts);
        let conditions: Vec<&'a Expr> = conditions.iter().collect();
        let fed = Fed::new(&conditions, 0, table.layout().types(), 0);
        let order = sort_keys(query, select, &query.order);
        let path = choose_ordered(table, fed.filter.as_ref(), &order)?;
        // Without a limit all rows are read anyway: then the path with the best filter, and a sort.
        if limit.is_none() && path.equal.is_empty() {
            return None;
        }
        let scope = Scope {
            outer,
            sub_queries: self,
        };
        let mut params = Vec::new();
        let is_possible = self.feed(&fed, table, &scope, &mut params);
        if let Flow::Break(end) = self.check() {
            return Some(Flow::Break(end));
        }
        if !is_possible {
            return Some(Flow::Continue(()));
        }
        let params = Params {
            layout: &fed.layout,
            packed: &params,
        };
        let mut offset = query.offset;
        let mut bounds = path.bounds(table, params);
        let is_exact = fed.is_whole(&conditions) && path.is_exact(table, fed.filter.as_ref());
        if offset > 0 && is_exact && table.is_counted(path.index) {
            // It is not walked over what is left out.
            let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
            bounds = bounds.and_then(|bounds| path.skip(table, bounds, skipped));
            offset = 0;
        }
        let Some(bounds) = bounds else {
            return Some(Flow::Continue(()));
        };
        let outputs = Outputs::new(query, select);
        let mut tail = Tail::new((limit, offset), true, sink);
        let walked = path.walk(table, &bounds, |row| {
            self.look()?;
            let input = Input {
                scope: Some(&scope),
                ..Input::one(table.layout(), row, self.params)
            };
            let passes = select.filter.as_ref();
            if passes.is_some_and(|filter| filter.truth(&input) != Some(true)) {
                return self.check();
            }
            let flow = tail.push(|_| {}, |out| outputs.write(&input, out));
            self.check()?;
            flow
        });
        Some(ended(walked))
    }

    /// Writes what conditions on a table's rows are fed with, which reads no row; `false` if no row passes.
    fn feed(&self, fed: &Fed<'_>, table: &Table, scope: &Scope<'_>, out: &mut Vec<u8>) -> bool {
        let before = Input {
            first: Row {
                layout: table.layout(),
                packed: None,
            },
            scope: Some(scope),
            ..Input::one(table.layout(), &[], self.params)
        };
        fed.write(&before, out)
    }

    /// How many rows a select of one table has, if indexes tell.
    fn count(&self, select: &'a Select, scope: &Scope<'_>) -> Option<usize> {
        let table = self.table(select.only_table()?).ok()?;
        let conditions = select.filter.as_ref().map_or(&[][..], Expr::conjuncts);
        let conditions: Vec<&'a Expr> = conditions.iter().collect();
        let fed = Fed::new(&conditions, 0, table.layout().types(), 0);
        if !fed.is_whole(&conditions) {
            return None;
        }
        let mut params = Vec::new();
        if !self.feed(&fed, table, scope, &mut params) {
            return Some(0);
        }
        let params = Params {
            layout: &fed.layout,
            packed: &params,
        };
        let filter = fed.filter.as_ref();
        choose_counted(table, filter).find_map(|access| access.count(table, filter, params))
    }

    /// The rows of a select go to the tail.
    fn select(
        &self,
        query: &'a Query,
        select: &'a Select,
        order: &[OrderKey],
        outer: Params<'_>,
        tail: &mut Tail<'_>,
    ) -> Flow {
        let join = match self.join(select) {
            Ok(join) => join,
            Err(error) => return Flow::Break(Err(error)),
        };
        let scope = Scope {
            outer,
            sub_queries: self,
        };
        let around = Around {
            runner: self,
            params: self.params,
            scope: &scope,
        };
        let outputs = Outputs::new(query, select);
        let keys = sort_keys(query, select, order);
        let layout = query.layout();
        let mut seen = select.distinct.then(Seen::new);
        let mut scratch = Vec::new();
        let mut emit = |input: &Input<'_>, keys: &[SortKey<'_>]| {
            let flow = if let Some(seen) = &mut seen {
                scratch.clear();
                outputs.write(input, &mut scratch);
                self.check()?;
                match seen.add(&scratch, self) {
                    Ok(true) => {}
                    Ok(false) => return Flow::Continue(()),
                    Err(flow) => return flow,
                }
                tail.push(
                    |key| write_row_key(order, query, &layout, &scratch, key),
                    |out| out.extend_from_slice(&scratch),
                )
            } else {
                tail.push(
                    |key| write_sort_key(keys, input, key),
                    |out| outputs.write(input, out),
                )
            };
            self.check()?;
            flow
        };
        let Some(grouping) = &select.grouping else {
            return join.walk(around, &mut |rows| emit(&around.input(rows), &keys));
        };
        let mut groups = Groups::new(grouping);
        let count = Groups::only_counts(grouping).then(|| self.count(select, &scope));
        if let Some(count) = count.flatten() {
            self.check()?;
            groups.add_rows(count);
        } else {
            join.walk(around, &mut |rows| {
                let grown = groups.add(&around.input(rows));
                self.check()?;
                self.hold(grown)
            })?;
        }
        let layout = grouping.layout();
        groups.rows(|row| {
            let input = Input {
                scope: Some(&scope),
                ..Input::one(&layout, row, self.params)
            };
            let having = grouping.having.as_ref();
            if having.is_some_and(|having| having.truth(&input) != Some(true)) {
                return self.check();
            }
            emit(&input, &keys)
        })
    }
}
