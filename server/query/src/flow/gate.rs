//! Sub-queries whose changes lead to no row of the query around them: those that read nothing of it, and those
//! that no condition ties to it.
//!
//! What such a sub-query gives is a function of the parameters alone. When one of its tables changes it is
//! evaluated as it was and as it is, once for each instance that the change may concern; only if that differs
//! is every combination of the query around it computed anew.

use std::ops::ControlFlow;

use syncline_protocol::RowLayout;

use super::eval::Scene;
use super::hops::{Cond, From, Map, Stop};
use super::memo::Given;
use super::overlay::Side;
use super::relation::{Rel, has_outer, split_filter};
use crate::error::QueryError;
use crate::plan::expr::{ColumnSet, Expr, Params};
use crate::plan::{Query, Relation, SubQuery};

/// A sub-query that all combinations go through.
#[derive(Debug)]
pub(crate) struct Gate {
    /// What it gives; `None` if that depends on the combination.
    value: Option<(Rel, What, RowLayout)>,
}

/// What is asked of a sub-query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Exists,
    Scalar,
    Set,
}

impl What {
    pub(super) fn of(expr: &Expr) -> Self {
        match expr {
            Expr::Exists(_) => Self::Exists,
            Expr::InQuery(..) => Self::Set,
            _ => Self::Scalar,
        }
    }
}

impl Gate {
    /// Of a sub-query; `rel` plans one that reads nothing of the query around it.
    pub(super) fn new(
        sub_query: &SubQuery,
        what: What,
        rel: impl FnOnce(&Query) -> Result<Rel, QueryError>,
    ) -> Result<Self, QueryError> {
        let query = &sub_query.query;
        let value = if sub_query.outer.is_empty() {
            Some((rel(query)?, what, query.layout()))
        } else {
            None
        };
        Ok(Self { value })
    }

    /// The parameters that what it gives depends on; `None` if it depends on the combination too.
    pub(super) fn given(&self, params: Params<'_>) -> Option<Given> {
        self.value.as_ref().map(|(rel, ..)| rel.given(params))
    }

    /// Whether the sub-query gives something else than it did.
    pub(super) fn has_moved(&self, scene: &Scene<'_, '_>) -> bool {
        let Some((rel, what, layout)) = &self.value else {
            return true;
        };
        let give = |side| {
            let scene = Scene {
                side: Some(side),
                ..*scene
            };
            let mut rows: Vec<Vec<u8>> = Vec::new();
            let _ = scene.rows(rel, &mut |row| {
                rows.push(match what {
                    What::Exists => Vec::new(),
                    What::Scalar | What::Set => layout.column(row, 0).to_vec(),
                });
                if *what == What::Set {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            });
            rows.sort_unstable();
            rows.dedup();
            rows
        };
        give(Side::Before) != give(Side::After)
    }
}

/// The site of a table of a gate's sub-query: its ways lead to instances and no further. A table that is there
/// once can be routed by the sub-query's conditions on it.
pub(super) fn gate_map(query: &Query, place: Option<usize>, layout: RowLayout, from: From) -> Map {
    let stop = Stop {
        from,
        layout,
        side: Side::Either,
        is_wanted: false,
        site: None,
    };
    let mut conds = Vec::new();
    if let (Some(select), Some(place)) = (query.select(), place) {
        let (pure, _) = split_filter(select);
        for mut expr in pure {
            let cond = Cond::new(expr.clone(), None);
            if cond.refs == 1 << place && !has_outer(&expr) {
                to_first(&mut expr);
                conds.push(Cond::new(expr, None));
            }
        }
    }
    Map {
        stops: vec![stop],
        conds,
    }
}

/// Where a table is among the inner sources of a query.
pub(super) fn place_of(query: &Query, table: syncline_protocol::TableId) -> Option<usize> {
    let sources = &query.select()?.sources;
    let is_it = |source: &crate::plan::Source| {
        source.left_on.is_none() && source.relation == Relation::Table(table)
    };
    sources.iter().position(is_it)
}

fn to_first(expr: &mut Expr) {
    match expr {
        Expr::Column(slot) | Expr::ColumnIs(slot, _) => slot.source = 0,
        other => other.for_each_part_mut(&mut to_first),
    }
}

/// As many columns.
pub(super) fn all_columns(layout: &RowLayout) -> ColumnSet {
    let mut columns = ColumnSet::default();
    for column in 0..layout.types().len() {
        columns.insert(column as u16);
    }
    columns
}
