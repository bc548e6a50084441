//! In which order the rows of several sources are found, beginning with one that is known, and where on
//! the way the instances are.

use syncline_protocol::{RowLayout, TableId};
use syncline_store::{IndexId, Table};

use super::overlay::Side;
use super::reach::{Atom, Reach, atoms_of};
use crate::error::MissingIndex;
use crate::plan::expr::{ColumnSet, Expr};
use crate::router::Route;

/// A step on the way.
#[derive(Clone, Debug)]
pub(crate) enum Hop {
    /// Goes on with each row of a source that meets the conditions.
    Bind {
        source: u8,
        from: From,
        reach: Reach,
        side: Side,
        checks: Vec<Expr>,
    },
    /// Goes on with each instance that the row of a source may concern.
    Route {
        source: u8,
        site: u16,
        checks: Vec<Expr>,
    },
    /// Goes on with every instance of the template.
    Everyone { checks: Vec<Expr> },
}

/// Where rows come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    Table(TableId),
    /// An arranged query of the same flow.
    Node(u16),
}

/// A source among those of a way.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    pub(crate) from: From,
    pub(crate) layout: RowLayout,
    pub(crate) side: Side,
    /// Whether the way must find its row.
    pub(crate) is_wanted: bool,
    /// Where its rows lead to instances.
    pub(crate) site: Option<u16>,
}

/// A condition that the rows of a way meet.
#[derive(Clone, Debug)]
pub(crate) struct Cond {
    pub(crate) expr: Expr,
    /// A bit for each source that it reads.
    pub(crate) refs: u32,
    pub(crate) has_params: bool,
    /// It counts only if this source's row is found.
    pub(crate) owner: Option<u8>,
}

/// What a way leads through.
#[derive(Clone, Debug, Default)]
pub(crate) struct Map {
    pub(crate) stops: Vec<Stop>,
    pub(crate) conds: Vec<Cond>,
}

/// A source that no index leads to.
#[derive(Clone, Debug)]
pub(crate) struct NoWay {
    pub(crate) table: Option<TableId>,
    /// An index that would lead there.
    pub(crate) missing: Option<MissingIndex>,
}

/// How much an index would help, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Help {
    /// From the rows of another source to those that equal them in something.
    Joined,
    /// To the rows that equal something constant.
    Constant,
    /// To the rows on one side of something.
    Bounded,
}

/// How a way is looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    /// The source whose row is known.
    pub(crate) start: Option<u8>,
    /// Whether the instance is known.
    pub(crate) is_bound: bool,
    /// Whether the start's own row may lead to instances.
    pub(crate) may_route_start: bool,
    /// Whether all rows of a source may be looked at.
    pub(crate) may_scan: bool,
}

/// A way: what the known row must meet, then the hops.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) checks: Vec<Expr>,
    pub(crate) hops: Vec<Hop>,
}

impl Hop {
    /// The hidden index that it goes over.
    pub(crate) fn hidden_index(&self) -> Option<(TableId, IndexId)> {
        match self {
            Self::Bind {
                from: From::Table(id),
                reach,
                ..
            } => Some((*id, reach.hidden_index()?)),
            _ => None,
        }
    }
}

impl Way {
    /// Adds the columns of a source that decide where the way leads. `routed` gives those that a site is
    /// routed by.
    pub(crate) fn add_steering<'r>(
        &self,
        source: u8,
        routed: &dyn Fn(u16) -> Option<&'r [Route]>,
        out: &mut ColumnSet,
    ) {
        let add_all = |exprs: &[Expr], out: &mut ColumnSet| {
            for expr in exprs {
                expr.add_columns(source, out);
            }
        };
        add_all(&self.checks, out);
        for hop in &self.hops {
            match hop {
                Hop::Bind { reach, checks, .. } => {
                    add_all(checks, out);
                    reach.for_each_expr(&mut |expr| expr.add_columns(source, out));
                }
                Hop::Route {
                    source: own,
                    site,
                    checks,
                } => {
                    add_all(checks, out);
                    let routes = routed(*site).filter(|_| *own == source);
                    let columns = routes.into_iter().flatten().flat_map(Route::columns);
                    columns.for_each(|column| out.insert(column));
                }
                Hop::Everyone { checks } => add_all(checks, out),
            }
        }
    }
}

/// A bit for each source that an expression reads, and whether it reads parameters.
pub(crate) fn refs_of(expr: &Expr) -> (u32, bool) {
    let (mut refs, mut has_params) = (0, false);
    expr.any(&mut |part| {
        match part {
            Expr::Column(slot) => refs |= 1 << slot.source,
            Expr::Param(_) => has_params = true,
            Expr::ColumnIs(slot, _) => {
                refs |= 1 << slot.source;
                has_params = true;
            }
            _ => {}
        }
        false
    });
    (refs, has_params)
}

impl Cond {
    pub(crate) fn new(expr: Expr, owner: Option<u8>) -> Self {
        let (refs, has_params) = refs_of(&expr);
        Self {
            expr,
            refs,
            has_params,
            owner,
        }
    }
}

struct Search<'m, 't> {
    map: &'m Map,
    tables: &'m dyn Fn(TableId) -> Option<&'t Table>,
    /// Sources whose rows are known.
    known: u32,
    is_bound: bool,
    used: Vec<bool>,
}

impl Search<'_, '_> {
    /// Conditions that can be checked from now on.
    fn checks(&mut self) -> Vec<Expr> {
        let mut checks = Vec::new();
        for (cond, used) in self.map.conds.iter().zip(&mut self.used) {
            let counts = cond.owner.is_none_or(|owner| self.known >> owner & 1 == 1);
            if !*used
                && counts
                && cond.refs & !self.known == 0
                && (self.is_bound || !cond.has_params)
            {
                *used = true;
                checks.push(cond.expr.clone());
            }
        }
        checks
    }

    /// Leaves out the conditions that all rows found in this way meet.
    fn leave_implied(&mut self, source: u8, reach: &Reach) {
        let stop = &self.map.stops[usize::from(source)];
        let From::Table(id) = stop.from else { return };
        let Some(table) = (self.tables)(id) else {
            return;
        };
        for (cond, used) in self.map.conds.iter().zip(&mut self.used) {
            let counts = cond.owner.is_none_or(|owner| self.known >> owner & 1 == 1);
            *used |= counts && reach.implies(table, source, &cond.expr);
        }
    }

    fn is_known(&self, expr: &Expr) -> bool {
        let (refs, has_params) = refs_of(expr);
        refs & !self.known == 0 && (self.is_bound || !has_params)
    }

    fn atoms(&self, source: u8, is_known: &dyn Fn(&Expr) -> bool) -> Vec<Atom> {
        let mut atoms = Vec::new();
        let stop = &self.map.stops[usize::from(source)];
        for cond in &self.map.conds {
            // A LEFT JOIN's own condition leads from it, not to it: it need not have a row.
            let counts = cond.owner.is_none_or(|owner| self.known >> owner & 1 == 1);
            if counts {
                atoms_of(
                    &cond.expr,
                    source,
                    stop.layout.types(),
                    is_known,
                    &mut atoms,
                );
            }
        }
        atoms
    }

    /// The best way to a source's rows, and its cost.
    fn reach(&self, source: u8, sets: &mut dyn FnMut(u16, Vec<u16>) -> usize) -> (u32, Reach) {
        let atoms = self.atoms(source, &|expr| self.is_known(expr));
        match self.map.stops[usize::from(source)].from {
            From::Table(id) => match (self.tables)(id) {
                Some(table) => {
                    let reach = Reach::choose(table, &atoms);
                    (reach.cost(Some(table)), reach)
                }
                None => (Reach::SCAN, Reach::All),
            },
            From::Node(u16::MAX) => (u32::MAX, Reach::All),
            From::Node(_) if !self.is_bound => (u32::MAX, Reach::All),
            From::Node(node) => {
                let mut equal: Vec<(u16, _)> = Vec::new();
                for atom in atoms {
                    if let Atom::Equal(column, part) = atom
                        && equal.iter().all(|(other, _)| *other != column)
                    {
                        equal.push((column, part));
                    }
                }
                equal.sort_by_key(|(column, _)| *column);
                let columns = equal.iter().map(|(column, _)| *column).collect();
                let key = equal.into_iter().map(|(_, part)| part).collect();
                let set = sets(node, columns);
                let reach = Reach::Arranged { set, key };
                (reach.cost(None), reach)
            }
        }
    }

    /// A known source whose row leads to instances, if they are not known yet.
    fn route(&self, wish: Wish) -> Option<(u8, u16)> {
        if self.is_bound {
            return None;
        }
        (0..self.map.stops.len() as u8).find_map(|source| {
            let is_start = wish.start == Some(source);
            let is_known = self.known >> source & 1 == 1;
            let may = is_known && (!is_start || wish.may_route_start);
            let site = self.map.stops[usize::from(source)].site?;
            may.then_some((source, site))
        })
    }

    /// The source to find next, and how. One that need not be found is a detour, for if there is no
    /// straight way.
    fn best(&self, sets: &mut dyn FnMut(u16, Vec<u16>) -> usize) -> Option<(u32, u8, Reach)> {
        let mut best: Option<(u32, u8, Reach)> = None;
        let sources = 0..self.map.stops.len() as u8;
        for source in sources.filter(|source| self.known >> *source & 1 == 0) {
            let (mut cost, reach) = self.reach(source, sets);
            if !self.map.stops[usize::from(source)].is_wanted {
                let is_whole = matches!(&reach, Reach::Arranged { key, .. } if key.is_empty());
                if cost >= Reach::SCAN || is_whole {
                    continue;
                }
                cost = cost.saturating_add(500);
            }
            if best.as_ref().is_none_or(|(least, ..)| cost < *least) {
                best = Some((cost, source, reach));
            }
        }
        best
    }

    /// The error of a dead end, where some of these sources should be found.
    fn no_way(&self, mut sources: impl Iterator<Item = u8> + Clone) -> NoWay {
        let table_of = |source: u8| match self.map.stops[usize::from(source)].from {
            From::Table(id) => Some(id),
            From::Node(_) => None,
        };
        let missing = sources.clone().filter_map(|source| {
            let (help, columns) = self.helpful(source)?;
            let missing = MissingIndex {
                table: table_of(source)?,
                columns,
                is_ordered: help == Help::Bounded,
            };
            Some((help, missing))
        });
        match missing.min_by_key(|(help, _)| *help) {
            Some((_, missing)) => NoWay {
                table: Some(missing.table),
                missing: Some(missing),
            },
            None => NoWay {
                table: sources.find_map(table_of),
                missing: None,
            },
        }
    }

    /// Columns of an index that would lead to a source by what is known.
    fn helpful(&self, source: u8) -> Option<(Help, Vec<u16>)> {
        let atoms = self.atoms(source, &|expr| self.is_known(expr));
        let columns = |is_joined: bool| {
            let mut columns: Vec<u16> = Vec::new();
            for atom in &atoms {
                if let Atom::Equal(column, part) = atom
                    && part.reads_rows() == is_joined
                    && !columns.contains(column)
                {
                    columns.push(*column);
                }
            }
            columns
        };
        // What is constant is left to the conditions: the index then serves other constants too, and ways on
        // which the instance is not known.
        for (help, is_joined) in [(Help::Joined, true), (Help::Constant, false)] {
            let columns = columns(is_joined);
            if !columns.is_empty() {
                return Some((help, columns));
            }
        }
        let bounded = atoms.iter().find_map(|atom| match atom {
            Atom::Lower(column, ..) | Atom::Upper(column, ..) => Some(*column),
            Atom::Equal(..) => None,
        });
        bounded.map(|column| (Help::Bounded, vec![column]))
    }
}

impl Map {
    /// Looks for a way to all wanted sources and to the instances. `sets` gives the number of an arranged
    /// query's set of rows by some columns.
    pub(crate) fn way<'t>(
        &self,
        tables: &dyn Fn(TableId) -> Option<&'t Table>,
        wish: Wish,
        sets: &mut dyn FnMut(u16, Vec<u16>) -> usize,
    ) -> Result<Way, NoWay> {
        let mut search = Search {
            map: self,
            tables,
            known: wish.start.map_or(0, |start| 1 << start),
            is_bound: wish.is_bound,
            used: vec![false; self.conds.len()],
        };
        let mut way = Way {
            checks: search.checks(),
            hops: Vec::new(),
        };
        let sources = 0..self.stops.len() as u8;
        loop {
            if let Some((source, site)) = search.route(wish) {
                search.is_bound = true;
                let checks = search.checks();
                way.hops.push(Hop::Route {
                    source,
                    site,
                    checks,
                });
                continue;
            }
            let open = |source: &u8| search.known >> *source & 1 == 0;
            let is_wanted = |source: &u8| self.stops[usize::from(*source)].is_wanted;
            let best = search.best(sets);
            if sources
                .clone()
                .filter(open)
                .all(|source| !is_wanted(&source))
            {
                if search.is_bound {
                    return Ok(way);
                }
                let leads_on = |source: u8| self.stops[usize::from(source)].site.is_some();
                if best.is_none() || !sources.clone().filter(open).any(leads_on) {
                    search.is_bound = true;
                    let checks = search.checks();
                    way.hops.push(Hop::Everyone { checks });
                    continue;
                }
            }
            let (source, reach) = match best {
                Some((cost, source, reach)) if cost < Reach::SCAN => (source, reach),
                _ if !search.is_bound => {
                    search.is_bound = true;
                    let checks = search.checks();
                    way.hops.push(Hop::Everyone { checks });
                    continue;
                }
                Some((_, source, reach)) if wish.may_scan && search.known == 0 => (source, reach),
                Some(_) => {
                    return Err(search.no_way(sources.filter(open).filter(is_wanted)));
                }
                None => unreachable!("a wanted source is open"),
            };
            search.known |= 1 << source;
            let stop = &self.stops[usize::from(source)];
            search.leave_implied(source, &reach);
            let checks = search.checks();
            way.hops.push(Hop::Bind {
                source,
                from: stop.from,
                reach,
                side: stop.side,
                checks,
            });
        }
    }
}

impl Map {
    /// The way to the last source alone, all others being known.
    pub(crate) fn hop_to<'t>(
        &self,
        source: u8,
        tables: &dyn Fn(TableId) -> Option<&'t Table>,
        sets: &mut dyn FnMut(u16, Vec<u16>) -> usize,
    ) -> Result<Hop, NoWay> {
        let search = Search {
            map: self,
            tables,
            known: (1 << source) - 1,
            is_bound: true,
            used: Vec::new(),
        };
        let (cost, reach) = search.reach(source, sets);
        if cost >= Reach::SCAN {
            return Err(search.no_way(std::iter::once(source)));
        }
        let stop = &self.stops[usize::from(source)];
        Ok(Hop::Bind {
            source,
            from: stop.from,
            reach,
            side: stop.side,
            checks: Vec::new(),
        })
    }
}
