//! What other parameters change in the rows of a plain query: those that its new filter accepts and its
//! old one did not, and the other way round.
//!
//! Where nothing but bounds of columns moved, a row that enters lies between the old and the new place of
//! a bound, and an ordered index on that column has those rows together: what is in the result before
//! and after is not walked over. Otherwise both results are walked, and nothing of what stays is encoded.

use std::ops::{Bound, ControlFlow};

use smallvec::SmallVec;
use syncline_protocol::limits::{MOVED_ROWS_MAX, MOVED_WALK_ROWS_MAX, QUERY_SCAN_ROWS_MAX};
use syncline_protocol::packed::Reader;
use syncline_protocol::{Type, key};
use syncline_store::{IndexId, Table};

use crate::execute::access::{bound_of, choose, index_after_equalities};
use crate::plan::expr::{Expr, Input, Params, Slot};

/// A bound of a column that is a condition of its own.
#[derive(Debug)]
struct Edge {
    condition: Expr,
    column: Slot,
    /// A parameter.
    constant: Expr,
    is_lower: bool,
    /// Whether a row at the bound passes.
    is_inside: bool,
    /// An ordered index that has the column after columns that equal constants.
    path: Option<(IndexId, Vec<Expr>)>,
}

/// The bounds of a filter, and the parameters that are something else too.
#[derive(Debug, Default)]
pub(super) struct Edges {
    bounds: Vec<Edge>,
    /// Ascending.
    others: Vec<u16>,
    /// Those that show in the result.
    pub(super) shown: Vec<u16>,
}

/// Rows of a table.
pub(super) type Rows<'t> = SmallVec<[&'t [u8]; 16]>;

/// Rows that a result gains.
struct Gain<'t> {
    rows: Rows<'t>,
    /// Whether there were too many to look at.
    is_cut: bool,
}

/// How a result becomes another one.
#[derive(Debug, Default)]
pub(super) struct Difference<'t> {
    pub(super) entered: Rows<'t>,
    pub(super) left: Rows<'t>,
    /// Those that are in both, if they may show otherwise.
    pub(super) stayed: Rows<'t>,
}

/// A filter with the parameters of before and after.
#[derive(Clone, Copy)]
pub(super) struct Move<'a> {
    pub(super) table: &'a Table,
    pub(super) filter: Option<&'a Expr>,
    pub(super) from: Params<'a>,
    pub(super) to: Params<'a>,
}

fn add_params(expr: &Expr, out: &mut Vec<u16>) {
    expr.any(&mut |part| {
        if let Expr::Param(slot) | Expr::ColumnIs(_, slot) = part {
            out.push(slot.index);
        }
        false
    });
}

impl Edges {
    /// `exprs` are those of the result.
    pub(super) fn new(table: &Table, filter: Option<&Expr>, exprs: &[Expr]) -> Self {
        let mut own = Self::default();
        for expr in exprs {
            add_params(expr, &mut own.shown);
        }
        own.others.clone_from(&own.shown);
        for condition in filter.map_or(&[][..], Expr::conjuncts) {
            let Some((column, constant, is_lower, is_inside)) = bound_of(condition) else {
                add_params(condition, &mut own.others);
                continue;
            };
            own.bounds.push(Edge {
                condition: condition.clone(),
                column,
                constant: constant.clone(),
                is_lower,
                is_inside,
                path: index_after_equalities(table, filter, column.index),
            });
        }
        own.others.sort_unstable();
        own.others.dedup();
        own
    }

    /// What other parameters change; `None` if that is too much to tell.
    pub(super) fn difference<'a>(&self, way: Move<'a>) -> Option<Difference<'a>> {
        let difference = if !way.moves(&self.others)
            && let Some(entered) = self.gain(way)
            && let Some(left) = self.gain(way.reversed())
        {
            if entered.is_cut || left.is_cut {
                return None;
            }
            Difference {
                entered: entered.rows,
                left: left.rows,
                stayed: Rows::new(),
            }
        } else {
            way.walk(way.moves(&self.shown))?
        };
        let count = difference.entered.len() + difference.left.len();
        (count <= MOVED_ROWS_MAX).then_some(difference)
    }

    /// The rows that pass with the new parameters and did not with the old ones; `None` if no index leads to
    /// them.
    fn gain<'a>(&self, way: Move<'a>) -> Option<Gain<'a>> {
        let mut rows = Rows::new();
        let mut walked = 0;
        let mut moved: SmallVec<[&Edge; 4]> = SmallVec::new();
        for edge in &self.bounds {
            if edge.constant.constant(way.from) == edge.constant.constant(way.to) {
                continue;
            }
            moved.push(edge);
            let before = edge.key(way.table, way.from)?;
            let after = edge.key(way.table, way.to)?;
            let (mut start, mut end) = if edge.is_lower {
                (after, before)
            } else {
                (before, after)
            };
            if start >= end {
                continue;
            }
            for other in self
                .bounds
                .iter()
                .filter(|other| other.column == edge.column)
            {
                let key = other.key(way.table, way.to)?;
                if other.is_lower && key > start {
                    start = key;
                } else if !other.is_lower && key < end {
                    end = key;
                }
            }
            let (index, equal) = edge.path.as_ref()?;
            let prefix = prefix(way.table, *index, equal, way.to)?;
            let whole = |key: &[u8]| [&prefix, key].concat();
            if start >= end {
                continue;
            }
            let (start, end) = (whole(&start), whole(&end));
            let bounds = (
                Bound::Included(start.as_slice()),
                Bound::Excluded(end.as_slice()),
            );
            let (_, earlier) = moved.split_last()?;
            for row in way.table.range(*index, bounds.0, bounds.1, false) {
                walked += 1;
                if walked > MOVED_WALK_ROWS_MAX || rows.len() > MOVED_ROWS_MAX {
                    return Some(Gain { rows, is_cut: true });
                }
                let failed = |edge: &&Edge| !way.passes(Some(&edge.condition), row, way.from);
                if way.passes(way.filter, row, way.to) && !earlier.iter().any(failed) {
                    rows.push(row);
                }
            }
        }
        let is_cut = false;
        Some(Gain { rows, is_cut })
    }
}

impl Edge {
    /// Where the rows that pass begin or end, as a key of the column; `None` if none passes, or all.
    fn key(&self, table: &Table, params: Params<'_>) -> Option<SmallVec<[u8; 24]>> {
        let ty = &table.layout().types()[usize::from(self.column.index)];
        let packed = self.constant.constant(params)?;
        if matches!(ty, Type::Option(_)) && packed.first() == Some(&1) {
            return None;
        }
        let mut key = SmallVec::new();
        key::encode(ty, &mut Reader::new(packed), &mut key).ok()?;
        // Behind the value itself, if that is outside below or inside above.
        if self.is_lower == self.is_inside {
            return Some(key);
        }
        key::prefix_end(&key).map(SmallVec::from_vec)
    }
}

/// The key of what an index's first columns equal.
fn prefix(table: &Table, index: IndexId, equal: &[Expr], params: Params<'_>) -> Option<Vec<u8>> {
    let columns = table.index_columns(index)?;
    let mut prefix = Vec::new();
    for (column, constant) in columns.iter().zip(equal) {
        let ty = &table.layout().types()[usize::from(*column)];
        key::encode(
            ty,
            &mut Reader::new(constant.constant(params)?),
            &mut prefix,
        )
        .ok()?;
    }
    Some(prefix)
}

impl<'a> Move<'a> {
    /// Whether one of these parameters changes.
    fn moves(self, params: &[u16]) -> bool {
        let mut params = params.iter();
        params.any(|param| self.from.get(*param) != self.to.get(*param))
    }

    fn reversed(self) -> Self {
        Self {
            from: self.to,
            to: self.from,
            ..self
        }
    }

    fn passes(self, filter: Option<&Expr>, row: &[u8], params: Params<'_>) -> bool {
        let input = Input::one(self.table.layout(), row, params);
        filter.is_none_or(|filter| filter.truth(&input) == Some(true))
    }

    /// Walks both results; `None` if one of them has too many rows.
    fn walk(self, is_shown: bool) -> Option<Difference<'a>> {
        let mut difference = Difference::default();
        let access = choose(self.table, self.filter);
        let mut walked = 0;
        let mut go = |params, visit: &mut dyn FnMut(&'a [u8])| {
            let mut count = 0;
            let flow = access.walk(self.table, params, |row| {
                walked += 1;
                if walked > QUERY_SCAN_ROWS_MAX {
                    return ControlFlow::Break(());
                }
                if self.passes(self.filter, row, params) {
                    count += 1;
                    if count > MOVED_ROWS_MAX {
                        return ControlFlow::Break(());
                    }
                    visit(row);
                }
                ControlFlow::Continue(())
            });
            flow.is_continue().then_some(())
        };
        go(self.to, &mut |row| {
            if !self.passes(self.filter, row, self.from) {
                difference.entered.push(row);
            } else if is_shown {
                difference.stayed.push(row);
            }
        })?;
        go(self.from, &mut |row| {
            if !self.passes(self.filter, row, self.to) {
                difference.left.push(row);
            }
        })?;
        Some(difference)
    }
}
