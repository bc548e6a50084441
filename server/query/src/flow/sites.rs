//! Where a flow listens: each table in each FROM is a site, with the ways from a changed row to what it
//! may change in the result.
//!
//! A row of an inner source changes the combinations that it is in: the way leads through the other inner
//! sources, those to the left as they are now and those to the right as they were, so that combinations of
//! two changed rows count once. A row of a LEFT JOIN or of a sub-query changes what combinations become:
//! the way leads to the inner rows, as they were, whose combinations it may concern, and those are computed
//! before and after. Such a way may find too much, never too little. It goes through conditions that the
//! row must meet to matter: in a sub-query those of the sub-query, its outer columns being the expressions
//! around it.

use smallvec::SmallVec;
use syncline_protocol::{ErrorCode, TableId};

use super::frame::{Frame, add_frame, add_left_conds, may_be_null};
use super::gate::{Gate, What, all_columns, gate_map, place_of};
use super::hops::{Cond, From, Map, Stop, Way, Wish};
use super::mutant::Mutant;
use super::overlay::Side;
use super::reads::{reads_of, table_places, tables_of};
use super::relation::{Planner, split_filter};
use crate::error::QueryError;
use crate::plan::expr::{ColumnSet, Expr};
use crate::plan::{Body, Query, Relation, Select, Source, SubQuery};
use crate::syntax::CompareOp;

/// A table in a FROM.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) table: TableId,
    /// The node whose select it is in, or whose expressions the sub-query is in.
    pub(crate) node: u16,
    /// Columns that the query reads of it.
    pub(crate) reads: ColumnSet,
    /// Conditions on its row alone: what it can be routed by.
    pub(crate) own: Vec<Expr>,
    pub(crate) source: u8,
    pub(crate) map: Map,
    /// Whether the way finds combinations to compute anew.
    pub(crate) is_candidate: bool,
    /// Its ways lead to instances whose gate of this number may have moved.
    pub(crate) gate: Option<u16>,
    /// With the instance known, and without.
    pub(crate) direct: Option<Way>,
    pub(crate) free: Option<Way>,
}

/// A derived source: like a site, but its rows come from a node, of an instance.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) child: u16,
    pub(crate) source: u8,
    pub(crate) map: Map,
    pub(crate) is_candidate: bool,
    pub(crate) way: Way,
}

/// Finds the sites of a node.
pub(super) struct Finder<'p, 't> {
    pub(super) planner: &'p mut Planner<'t>,
    pub(super) node: u16,
    pub(super) sites: &'p mut Vec<Site>,
    pub(super) gates: &'p mut Vec<Gate>,
    pub(super) feeds: Vec<Feed>,
    /// Arranged nodes that are sources, with the columns of their sets.
    pub(super) arranged: &'p mut Vec<(u16, Vec<Vec<u16>>)>,
}

/// How much a finder had found.
struct Mark {
    site_count: usize,
    gate_count: usize,
    /// Of each arranged node.
    set_counts: SmallVec<[usize; 4]>,
}

/// What an atom of a sub-query does to the formula around it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sense {
    /// Only whether it is TRUE matters.
    Positive,
    /// It matters whether it is FALSE or unknown.
    Any,
}

impl Finder<'_, '_> {
    /// Finds the sites of a node's select.
    pub(super) fn find(&mut self, select: &Select) -> Result<(), QueryError> {
        let inner = self.block_map(select);
        let first_site = self.sites.len();
        let mut derived = 0;
        // Sites are numbered first: ways lead over all of them.
        let mut whole = inner.clone();
        for (source, from) in select.sources.iter().enumerate() {
            let Relation::Table(table) = &from.relation else {
                continue;
            };
            let number = self.sites.len() as u16;
            whole.stops[source].site = Some(number);
            self.add_site(*table, source as u8, reads_of(select, source as u8), &whole);
        }
        self.mark_weak(first_site, &mut whole);
        for (source, from) in select.sources.iter().enumerate() {
            let is_candidate = from.left_on.is_some();
            let map = if is_candidate {
                whole.clone()
            } else {
                telescoped(&whole, source as u8)
            };
            match &from.relation {
                Relation::Table(_) => {
                    let number = whole.stops[source].site.map(usize::from);
                    let number = number.unwrap_or_else(|| self.unrouted(first_site, source as u8));
                    self.set_ways(number, map, is_candidate)?;
                }
                Relation::Derived(_) => {
                    let child = self.arranged[derived].0;
                    derived += 1;
                    let way = self.way(&map, Some(source as u8), true)?;
                    self.feeds.push(Feed {
                        child,
                        source: source as u8,
                        map,
                        is_candidate,
                        way,
                    });
                }
            }
        }
        let frame = Frame {
            select,
            base: 0,
            outer: Vec::new(),
        };
        self.sub_queries(&whole, &frame)
    }

    /// The number of a site that no way is routed over.
    fn unrouted(&self, first: usize, source: u8) -> usize {
        let own = self.sites[first..]
            .iter()
            .position(|site| site.source == source);
        first + own.expect("each table of the select has a site")
    }

    /// Rows of sites that have nothing to be routed by lead to no instance.
    fn mark_weak(&mut self, first: usize, map: &mut Map) {
        let is_order = |site: &Site| crate::router::is_order(&site.own);
        let mut covered = self.sites[first..]
            .iter()
            .filter(|site| !site.own.is_empty());
        if covered.any(|site| !is_order(site)) {
            for site in self.sites[first..].iter_mut().filter(|site| is_order(site)) {
                site.own.clear();
            }
        }
        for (offset, site) in self.sites[first..].iter().enumerate() {
            if site.own.is_empty() {
                let number = Some((first + offset) as u16);
                for stop in map.stops.iter_mut().filter(|stop| stop.site == number) {
                    stop.site = None;
                }
            }
        }
    }

    /// The sources of a node's select, with the conditions of its inner ones and of its LEFT JOINs.
    fn block_map(&self, select: &Select) -> Map {
        let mut nodes = self.arranged.iter().map(|(node, _)| *node);
        let stop = |source: &Source, from| Stop {
            from,
            layout: source.layout.clone(),
            side: if source.left_on.is_some() {
                Side::Either
            } else {
                Side::Before
            },
            is_wanted: source.left_on.is_none(),
            site: None,
        };
        let stops = select.sources.iter().map(|source| {
            let from = match &source.relation {
                Relation::Table(id) => From::Table(*id),
                Relation::Derived(_) => From::Node(nodes.next().unwrap_or_default()),
            };
            stop(source, from)
        });
        let mut map = Map {
            stops: stops.collect(),
            conds: Vec::new(),
        };
        let (pure, _) = split_filter(select);
        map.conds
            .extend(pure.into_iter().map(|expr| Cond::new(expr, None)));
        add_left_conds(
            &mut map,
            &Frame {
                select,
                base: 0,
                outer: Vec::new(),
            },
        );
        map
    }

    /// A site without its ways. Conditions on its row alone are those of the map that read nothing else.
    fn add_site(&mut self, table: TableId, source: u8, reads: ColumnSet, map: &Map) {
        let is_own = |cond: &&Cond| {
            let is_on_row = cond.refs == 1 << source || cond.expr.is_never();
            is_on_row && cond.owner.is_none_or(|owner| owner == source)
        };
        let own: Vec<Expr> = map
            .conds
            .iter()
            .filter(is_own)
            .map(|cond| cond.expr.clone())
            .collect();
        let own = if crate::router::is_covered(&own) {
            own
        } else {
            Vec::new()
        };
        self.sites.push(Site {
            table,
            node: self.node,
            reads,
            own,
            source,
            map: Map::default(),
            is_candidate: false,
            gate: None,
            direct: None,
            free: None,
        });
    }

    fn way(&mut self, map: &Map, start: Option<u8>, is_bound: bool) -> Result<Way, QueryError> {
        let wish = Wish {
            start,
            is_bound,
            may_route_start: false,
            may_scan: false,
        };
        let tables = self.planner.table();
        let arranged = &mut *self.arranged;
        let mut sets = |node: u16, columns: Vec<u16>| {
            let found = arranged.iter_mut().find(|(own, _)| *own == node);
            let (_, sets) = found.expect("sources name nodes that are there");
            let known = sets.iter().position(|own| *own == columns);
            known.unwrap_or_else(|| {
                sets.push(columns);
                sets.len() - 1
            })
        };
        let way = map
            .way(&tables, wish, &mut sets)
            .map_err(|no_way| self.planner.no_way(&no_way))?;
        self.planner.note_hidden(&way.hops);
        Ok(way)
    }

    fn set_ways(&mut self, number: usize, map: Map, is_candidate: bool) -> Result<(), QueryError> {
        let source = self.sites[number].source;
        let is_covered = !self.sites[number].own.is_empty();
        let direct = is_covered
            .then(|| self.way(&map, Some(source), true))
            .transpose()?;
        let free = self.way(&map, Some(source), false);
        let free = if is_covered { free.ok() } else { Some(free?) };
        // Going to everyone is no better than a crowded route.
        let is_everyone = |way: &Way| {
            let mut hops = way.hops.iter();
            hops.any(|hop| matches!(hop, super::hops::Hop::Everyone { .. }))
        };
        let site = &mut self.sites[number];
        site.free = free.filter(|way| !is_covered || !is_everyone(way));
        site.direct = direct;
        site.map = map;
        site.is_candidate = is_candidate;
        Ok(())
    }

    /// Finds the sites in the sub-queries of a select, whose sources are in the map.
    fn sub_queries(&mut self, map: &Map, frame: &Frame<'_>) -> Result<(), QueryError> {
        let select = frame.select;
        let mut exprs: Vec<(&Expr, Sense)> = Vec::new();
        exprs.extend(select.filter.iter().map(|expr| (expr, Sense::Positive)));
        let lefts = select
            .sources
            .iter()
            .filter_map(|source| source.left_on.as_ref());
        exprs.extend(lefts.map(|expr| (expr, Sense::Positive)));
        if let Some(grouping) = &select.grouping {
            exprs.extend(grouping.keys.iter().map(|(key, _)| (key, Sense::Any)));
            let args = grouping.calls.iter().filter_map(|call| call.arg.as_ref());
            exprs.extend(args.map(|expr| (expr, Sense::Any)));
        } else {
            exprs.extend(select.exprs.iter().map(|expr| (expr, Sense::Any)));
        }
        for (expr, sense) in exprs {
            self.atoms(expr, sense, map, frame)?;
        }
        Ok(())
    }

    fn atoms(
        &mut self,
        expr: &Expr,
        sense: Sense,
        map: &Map,
        frame: &Frame<'_>,
    ) -> Result<(), QueryError> {
        let inner = match expr {
            Expr::And(_) | Expr::Or(_) => sense,
            _ => Sense::Any,
        };
        if let Some(sub_query) = expr.sub_query() {
            let operand = match expr {
                Expr::InQuery(operand, _) => Some(operand.as_ref()),
                _ => None,
            };
            let before = self.mark();
            let is_followed = match self.sub_query(sub_query, operand, sense, map, frame) {
                Err(error)
                    if matches!(
                        error.code,
                        ErrorCode::LiveNoAccessPath | ErrorCode::LiveUnsupported
                    ) =>
                {
                    false
                }
                other => other?,
            };
            if !is_followed {
                self.back_to(&before);
                self.gate(sub_query, What::of(expr))?;
            }
        }
        let mut result = Ok(());
        expr.for_each_part(&mut |part| {
            if result.is_ok() {
                result = self.atoms(part, inner, map, frame);
            }
        });
        result
    }

    /// What there is so far.
    fn mark(&self) -> Mark {
        Mark {
            site_count: self.sites.len(),
            gate_count: self.gates.len(),
            set_counts: self.arranged.iter().map(|(_, sets)| sets.len()).collect(),
        }
    }

    /// Forgets what was found since: nobody leads to it, and sets of rows would be kept for nothing.
    fn back_to(&mut self, mark: &Mark) {
        self.sites.truncate(mark.site_count);
        self.gates.truncate(mark.gate_count);
        for ((_, sets), count) in self.arranged.iter_mut().zip(&mark.set_counts) {
            sets.truncate(*count);
        }
    }

    /// Finds the sites of a sub-query; `false` if no ways lead through it.
    fn sub_query(
        &mut self,
        sub_query: &SubQuery,
        operand: Option<&Expr>,
        sense: Sense,
        map: &Map,
        frame: &Frame<'_>,
    ) -> Result<bool, QueryError> {
        let outer: Vec<Option<Expr>> = sub_query
            .outer
            .iter()
            .map(|(expr, _)| frame.map(expr))
            .collect();
        let operand = operand.filter(|operand| {
            let is_nullable = crate::scalar::is_nullable(&sub_query.query.outputs[0].ty)
                || may_be_null(operand, frame.select);
            sense == Sense::Positive || !is_nullable || Mutant::Unknown.is_on()
        });
        let operand = operand.and_then(|operand| frame.map(operand));
        self.inner_query(&sub_query.query, &outer, operand.as_ref(), map)
    }

    /// Makes every table of a sub-query, however deep, a site of a gate.
    fn gate(&mut self, sub_query: &SubQuery, what: What) -> Result<(), QueryError> {
        let query = &sub_query.query;
        let gate = Gate::new(sub_query, what, |query| self.planner.rel(query))?;
        let number = self.gates.len() as u16;
        self.gates.push(gate);
        let all = table_places(query);
        for table in tables_of(query) {
            let Some(layout) = self.planner.db.table(table).map(|t| t.layout().clone()) else {
                continue;
            };
            let is_once = all.iter().filter(|other| **other == table).count() == 1;
            let place = place_of(query, table).filter(|_| is_once);
            let reads = all_columns(&layout);
            let map = gate_map(query, place, layout, From::Table(table));
            let site = self.sites.len();
            self.add_site(table, 0, reads, &map);
            self.sites[site].gate = Some(number);
            self.set_ways(site, map, true)?;
        }
        Ok(())
    }

    fn inner_query(
        &mut self,
        query: &Query,
        outer: &[Option<Expr>],
        operand: Option<&Expr>,
        map: &Map,
    ) -> Result<bool, QueryError> {
        if query.limit.is_some() || query.offset > 0 {
            return Ok(false);
        }
        let select = match &query.body {
            Body::Select(select) => select,
            Body::Union { branches, .. } => {
                for branch in branches {
                    if !self.inner_query(branch, outer, operand, map)? {
                        return Ok(false);
                    }
                }
                return Ok(true);
            }
        };
        let is_derived = |source: &Source| matches!(source.relation, Relation::Derived(_));
        if select.sources.iter().any(is_derived) {
            return Ok(false);
        }
        let mut map = map.clone();
        let frame = add_frame(&mut map, select, outer)?;
        let base = frame.base;
        if let (Some(operand), None) = (operand, &select.grouping)
            && let Some(output) = frame.map(&select.exprs[0])
        {
            let (operand, output) = (Box::new(operand.clone()), Box::new(output));
            let equal = Expr::Compare(CompareOp::Equal, operand, output);
            map.conds.push(Cond::new(equal, None));
        }
        let first = self.sites.len();
        for (offset, source) in select.sources.iter().enumerate() {
            if let Relation::Table(table) = &source.relation {
                let place = base + offset as u8;
                map.stops[usize::from(place)].site = Some(self.sites.len() as u16);
                self.add_site(*table, place, reads_of(select, offset as u8), &map);
            }
        }
        let count = self.sites.len() - first;
        self.mark_weak(first, &mut map);
        for number in first..first + count {
            self.set_ways(number, map.clone(), true)?;
        }
        self.sub_queries(&map, &frame)?;
        Ok(true)
    }
}

/// Inner sources to the left of the changed one are read as they are now.
fn telescoped(map: &Map, source: u8) -> Map {
    let mut map = map.clone();
    for (position, stop) in map.stops.iter_mut().enumerate() {
        if stop.is_wanted {
            let is_left = position < usize::from(source);
            stop.side = if is_left { Side::After } else { Side::Before };
        } else {
            // What LEFT JOINs add is computed for each combination.
            stop.site = None;
        }
    }
    // No detour over what need not be there.
    for stop in map.stops.iter_mut().filter(|stop| !stop.is_wanted) {
        stop.from = From::Node(u16::MAX);
    }
    map
}
