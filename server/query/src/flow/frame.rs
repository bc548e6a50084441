//! A select's expressions over a map of several selects.

use super::hops::{Cond, From, Map, Stop};
use super::overlay::Side;
use super::relation::{has_sub_query, split_filter, unsupported};
use crate::error::QueryError;
use crate::plan::expr::Expr;
use crate::plan::{Relation, Select};

/// A select around or in a sub-query, as the sources of a map from `base` on.
pub(super) struct Frame<'p> {
    pub(super) select: &'p Select,
    pub(super) base: u8,
    pub(super) outer: Vec<Option<Expr>>,
}

impl Frame<'_> {
    /// The expression over the map; `None` if it says nothing there.
    pub(super) fn map(&self, expr: &Expr) -> Option<Expr> {
        if has_sub_query(expr) {
            return None;
        }
        let mut is_lost = false;
        let mut mapped = expr.clone();
        self.rewrite(&mut mapped, &mut is_lost);
        (!is_lost).then_some(mapped)
    }

    fn rewrite(&self, expr: &mut Expr, is_lost: &mut bool) {
        let is_opaque = |source: u8| {
            // Inside a sub-query the rows of derived tables are not followed.
            let relation = &self.select.sources[usize::from(source)].relation;
            self.base > 0 && matches!(relation, Relation::Derived(_))
        };
        match expr {
            Expr::Column(slot) | Expr::ColumnIs(slot, _) => {
                *is_lost |= is_opaque(slot.source);
                slot.source += self.base;
            }
            Expr::Outer(slot) => match self.outer.get(usize::from(slot.index)) {
                Some(Some(outer)) => *expr = outer.clone(),
                _ => *is_lost = true,
            },
            other => other.for_each_part_mut(&mut |part| self.rewrite(part, is_lost)),
        }
    }
}

/// Adds the conditions of a select's LEFT JOINs.
pub(super) fn add_left_conds(map: &mut Map, frame: &Frame<'_>) {
    for (offset, source) in frame.select.sources.iter().enumerate() {
        let owner = frame.base + offset as u8;
        for expr in source.left_on.iter().flat_map(Expr::conjuncts) {
            if let Some(expr) = frame.map(expr) {
                map.conds.push(Cond::new(expr, Some(owner)));
            }
        }
    }
}

/// Adds the sources and conditions of a sub-query's select to a map.
pub(super) fn add_frame<'p>(
    map: &mut Map,
    select: &'p Select,
    outer: &[Option<Expr>],
) -> Result<Frame<'p>, QueryError> {
    let base = map.stops.len();
    if base + select.sources.len() > u32::BITS as usize {
        let message = "the query has over 32 tables, those of sub-queries included";
        return Err(unsupported(message, "use fewer"));
    }
    for source in &select.sources {
        map.stops.push(Stop {
            from: match &source.relation {
                Relation::Table(id) => From::Table(*id),
                Relation::Derived(_) => From::Node(u16::MAX),
            },
            layout: source.layout.clone(),
            side: Side::Either,
            is_wanted: false,
            site: None,
        });
    }
    let frame = Frame {
        select,
        base: base as u8,
        outer: outer.to_vec(),
    };
    let (pure, _) = split_filter(select);
    let pure = pure.iter().filter_map(|expr| frame.map(expr));
    map.conds.extend(pure.map(|expr| Cond::new(expr, None)));
    add_left_conds(map, &frame);
    Ok(frame)
}

/// Whether the value can be NULL.
pub(super) fn may_be_null(expr: &Expr, select: &Select) -> bool {
    match expr {
        Expr::Column(slot) => {
            let is_left = select.sources[usize::from(slot.source)].left_on.is_some();
            is_left || slot.nullable
        }
        Expr::Outer(slot) | Expr::Param(slot) => slot.nullable,
        Expr::Literal(literal) => crate::scalar::is_nullable(&literal.ty),
        _ => true,
    }
}
