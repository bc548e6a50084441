//! The rows of several sources together: one loop inside another, each over the rows that an index or a
//! hash table finds for what the loops around it have. The order of the loops is chosen greedily, the
//! best path first; those of LEFT JOINs come last.

use std::cell::OnceCell;

use hashbrown::HashMap;
use syncline_protocol::{RowLayout, Type};
use syncline_store::Table;

use super::Flow;
use super::access::{self, Access};
use super::feed::Fed;
use super::runner::Runner;
use crate::bind::keys::sources_of;
use crate::error::QueryError;
use crate::plan::expr::{Expr, Input, Params, Row, Scope};
use crate::plan::{Relation, Select};
use crate::scalar::Scalar;
use crate::syntax::CompareOp;
use foldhash::fast::FixedState;

/// A select whose loops are ordered.
#[derive(Debug)]
pub(super) struct Join<'p> {
    levels: Vec<Level<'p>>,
    /// Conditions that no source decides.
    constant: Vec<&'p Expr>,
    layouts: Vec<&'p RowLayout>,
}

/// One loop.
#[derive(Debug)]
struct Level<'p> {
    source: usize,
    rows: Rows<'p>,
    layout: &'p RowLayout,
    access: Access,
    fed: Fed<'p>,
    hash: Option<Hash<'p>>,
    /// The condition of a LEFT JOIN.
    on: Option<&'p Expr>,
    /// What can be decided from here on.
    checks: Vec<&'p Expr>,
}

/// Where rows come from.
#[derive(Debug)]
enum Rows<'p> {
    Table(&'p Table),
    Derived(Buffer),
}

/// Rows one after the other.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// Rows by what equalities compare.
#[derive(Debug)]
struct Hash<'p> {
    own: Vec<&'p Expr>,
    other: Vec<&'p Expr>,
    table: OnceCell<Found<'p>>,
}

#[derive(Debug)]
struct Found<'p> {
    by_key: HashMap<Box<[u8]>, Vec<u32>, FixedState>,
    /// Of a table; those of a buffer are found by number.
    rows: Vec<&'p [u8]>,
}

impl Buffer {
    pub(super) fn push(&mut self, row: &[u8]) {
        self.bytes.extend_from_slice(row);
        self.ends.push(self.bytes.len());
    }

    pub(super) fn byte_len(&self) -> usize {
        self.bytes.len() + self.ends.len() * size_of::<usize>()
    }

    fn get(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[index]]
    }
}

/// What a run of the loops needs.
#[derive(Clone, Copy)]
pub(super) struct Around<'r, 'a> {
    pub(super) runner: &'r Runner<'a>,
    pub(super) params: Params<'r>,
    pub(super) scope: &'r Scope<'r>,
}

impl Around<'_, '_> {
    /// The input of expressions over rows of all sources.
    pub(super) fn input<'i>(&'i self, rows: &'i [Row<'i>]) -> Input<'i> {
        Input {
            first: rows[0],
            rest: &rows[1..],
            params: self.params,
            scope: Some(self.scope),
        }
    }
}

impl<'p> Join<'p> {
    /// Orders the loops of a select, and evaluates the queries in its FROM.
    pub(super) fn new(runner: &Runner<'p>, select: &'p Select) -> Result<Self, QueryError> {
        let filter = select.filter.as_ref();
        let mut open: Vec<&'p Expr> = filter.map_or(&[][..], Expr::conjuncts).iter().collect();
        let (constant, rest): (Vec<_>, Vec<_>) =
            open.iter().partition(|check| sources_of(check) == 0);
        open = rest;
        let inner = select.sources.iter().take_while(|s| s.left_on.is_none());
        let mut waiting: Vec<usize> = (0..inner.count()).collect();
        let mut levels: Vec<Level<'p>> = Vec::with_capacity(select.sources.len());
        let mut known: u32 = 0;
        while levels.len() < select.sources.len() {
            let number = if waiting.is_empty() {
                levels.len()
            } else {
                let scores = waiting.iter().map(|number| {
                    let (_, access) = path(runner, select, *number, known, &open);
                    score(runner, select, *number, &access, known, &open)
                });
                // The first of the best.
                let best = scores
                    .enumerate()
                    .max_by_key(|(at, score)| (*score, usize::MAX - at));
                waiting.remove(best.map_or(0, |(at, _)| at))
            };
            let source = &select.sources[number];
            let on = source.left_on.as_ref();
            let conditions: Vec<&'p Expr> = match on {
                Some(on) => on.conjuncts().iter().collect(),
                None => open.clone(),
            };
            let (fed, access) = path(runner, select, number, known, &conditions);
            let hash = hash(&access, number, known, &conditions);
            known |= 1 << number;
            let (checks, rest) = open
                .iter()
                .partition(|check| sources_of(check) & !known == 0);
            open = rest;
            levels.push(Level {
                source: number,
                rows: rows(runner, &source.relation)?,
                layout: &source.layout,
                access,
                fed,
                hash,
                on,
                checks,
            });
        }
        Ok(Self {
            levels,
            constant,
            layouts: select.sources.iter().map(|source| &source.layout).collect(),
        })
    }

    /// What the loops are, the outermost first.
    pub(super) fn outline(&self) -> Vec<super::outline::Loop> {
        let loops = self.levels.iter().map(|level| super::outline::Loop {
            source: level.source,
            access: level.access.clone(),
            is_hashed: level.hash.is_some(),
        });
        loops.collect()
    }

    /// Calls `visit` with each combination of rows that passes.
    pub(super) fn walk<'r>(
        &'r self,
        around: Around<'r, 'p>,
        visit: &mut dyn FnMut(&[Row<'_>]) -> Flow,
    ) -> Flow {
        let layouts = self.layouts.iter();
        let mut rows: Vec<Row<'r>> = layouts
            .map(|layout| Row {
                layout,
                packed: None,
            })
            .collect();
        if !passes(around, &self.constant, &rows) {
            return around.runner.check();
        }
        self.level(0, around, &mut rows, visit)
    }

    fn level<'r>(
        &'r self,
        depth: usize,
        around: Around<'r, 'p>,
        rows: &mut Vec<Row<'r>>,
        visit: &mut dyn FnMut(&[Row<'_>]) -> Flow,
    ) -> Flow {
        let Some(level) = self.levels.get(depth) else {
            return visit(rows);
        };
        let runner = around.runner;
        let mut has_joined = false;
        {
            let mut params = Vec::new();
            let mut step = |row: &'r [u8], rows: &mut Vec<Row<'r>>| {
                runner.look()?;
                rows[level.source].packed = Some(row);
                if let Some(on) = level.on {
                    if !passes(around, &[on], rows) {
                        return runner.check();
                    }
                    has_joined = true;
                }
                if !passes(around, &level.checks, rows) {
                    return runner.check();
                }
                self.level(depth + 1, around, rows, visit)
            };
            rows[level.source].packed = None;
            if let Some(hash) = &level.hash {
                let found = level.build(hash, runner)?;
                if let Some(key) = key_of(&hash.other, around, rows)
                    && let Some(matching) = found.by_key.get(key.as_slice())
                {
                    for index in matching {
                        let row = match &level.rows {
                            Rows::Table(_) => found.rows[*index as usize],
                            Rows::Derived(buffer) => buffer.get(*index as usize),
                        };
                        step(row, rows)?;
                    }
                }
            } else if write_feeds(level, around, rows, &mut params) {
                let params = Params {
                    layout: &level.fed.layout,
                    packed: &params,
                };
                match &level.rows {
                    Rows::Table(table) => {
                        level
                            .access
                            .walk(table, params, |row: &'r [u8]| step(row, rows))?;
                    }
                    Rows::Derived(buffer) => {
                        for index in 0..buffer.ends.len() {
                            step(buffer.get(index), rows)?;
                        }
                    }
                }
            }
        }
        // A sub-query that failed may have hidden rows.
        runner.check()?;
        rows[level.source].packed = None;
        if level.on.is_some() && !has_joined {
            if !passes(around, &level.checks, rows) {
                return runner.check();
            }
            return self.level(depth + 1, around, rows, visit);
        }
        Flow::Continue(())
    }
}

fn write_feeds(
    level: &Level<'_>,
    around: Around<'_, '_>,
    rows: &[Row<'_>],
    out: &mut Vec<u8>,
) -> bool {
    level.fed.write(&around.input(rows), out)
}

fn passes(around: Around<'_, '_>, checks: &[&Expr], rows: &[Row<'_>]) -> bool {
    let input = around.input(rows);
    checks.iter().all(|check| check.truth(&input) == Some(true))
}

/// The values in canonical form; `None` if one is NULL, which nothing equals.
fn key_of(exprs: &[&Expr], around: Around<'_, '_>, rows: &[Row<'_>]) -> Option<Vec<u8>> {
    canonical(exprs, &around.input(rows))
}

fn canonical(exprs: &[&Expr], input: &Input<'_>) -> Option<Vec<u8>> {
    let mut key = Vec::new();
    for expr in exprs {
        let value = expr.eval(input);
        if value == Scalar::Null {
            return None;
        }
        value.write_canonical(&mut key);
    }
    Some(key)
}

impl<'p> Level<'p> {
    /// The hash table, made when it is first needed.
    fn build<'h>(
        &self,
        hash: &'h Hash<'p>,
        runner: &Runner<'_>,
    ) -> std::ops::ControlFlow<Result<(), QueryError>, &'h Found<'p>> {
        use std::ops::ControlFlow::Continue;
        if let Some(found) = hash.table.get() {
            return Continue(found);
        }
        let mut found = Found {
            by_key: HashMap::with_hasher(FixedState::with_seed(0)),
            rows: Vec::new(),
        };
        let no_params = RowLayout::new(Vec::new());
        let layouts = vec![
            Row {
                layout: &no_params,
                packed: None,
            };
            self.source + 1
        ];
        let mut count = 0u32;
        let mut add = |row: &[u8], layout: &RowLayout| {
            runner.look()?;
            let mut rows = layouts.clone();
            rows[self.source] = Row {
                layout,
                packed: Some(row),
            };
            let input = Input {
                first: rows[0],
                rest: &rows[1..],
                params: Params {
                    layout: &no_params,
                    packed: &[],
                },
                scope: None,
            };
            if let Some(key) = canonical(&hash.own, &input) {
                runner.hold(key.len() + size_of::<u32>() + size_of::<Box<[u8]>>())?;
                found.by_key.entry(key.into()).or_default().push(count);
            }
            count += 1;
            Flow::Continue(())
        };
        match &self.rows {
            Rows::Table(table) => {
                for row in table.rows() {
                    add(row, table.layout())?;
                    found.rows.push(row);
                }
            }
            Rows::Derived(buffer) => {
                for index in 0..buffer.ends.len() {
                    add(buffer.get(index), self.layout)?;
                }
            }
        }
        Continue(hash.table.get_or_init(|| found))
    }
}

fn rows<'p>(runner: &Runner<'p>, relation: &'p Relation) -> Result<Rows<'p>, QueryError> {
    Ok(match relation {
        Relation::Table(id) => Rows::Table(runner.table(*id)?),
        Relation::Derived(query) => Rows::Derived(runner.buffer(query)?),
    })
}

/// What the conditions say about a source, and the path to its rows.
fn path<'p>(
    runner: &Runner<'p>,
    select: &'p Select,
    number: usize,
    known: u32,
    conditions: &[&'p Expr],
) -> (Fed<'p>, Access) {
    let source = &select.sources[number];
    let types: &[Type] = source.layout.types();
    let fed = Fed::new(conditions, number, types, known);
    let access = match &source.relation {
        Relation::Table(id) => match runner.table(*id) {
            Ok(table) => access::choose(table, fed.filter.as_ref()),
            Err(_) => Access::All,
        },
        Relation::Derived(_) => Access::All,
    };
    (fed, access)
}

/// How few rows a path is expected to give.
fn score<'p>(
    runner: &Runner<'p>,
    select: &'p Select,
    number: usize,
    access: &Access,
    known: u32,
    conditions: &[&'p Expr],
) -> u32 {
    match access {
        Access::Exact { index, .. } => {
            let is_unique = match &select.sources[number].relation {
                Relation::Table(id) => runner.table(*id).is_ok_and(|table| {
                    let position = usize::from(index.0).checked_sub(1);
                    position.is_none_or(|at| table.def().indexes[at].unique)
                }),
                Relation::Derived(_) => false,
            };
            if is_unique { 6 } else { 5 }
        }
        Access::Range(path) if !path.equal.is_empty() => 4,
        _ if known != 0 && hash(access, number, known, conditions).is_some() => 3,
        Access::Range(_) => 2,
        Access::All => 1,
    }
}

/// The hash table that makes up for a missing index.
fn hash<'p>(
    access: &Access,
    number: usize,
    known: u32,
    conditions: &[&'p Expr],
) -> Option<Hash<'p>> {
    match access {
        Access::Exact { .. } => return None,
        Access::Range(path) if !path.equal.is_empty() => return None,
        _ => {}
    }
    let (mut own, mut other) = (Vec::new(), Vec::new());
    let bit = 1 << number;
    let is_simple = |expr: &Expr| {
        let mut is_foreign = |part: &Expr| {
            matches!(part, Expr::Param(_) | Expr::ColumnIs(..) | Expr::Outer(_))
                || part.sub_query().is_some()
        };
        !expr.any(&mut is_foreign)
    };
    for condition in conditions {
        let Expr::Compare(CompareOp::Equal, left, right) = condition else {
            continue;
        };
        for (one, two) in [(left, right), (right, left)] {
            let (reads, others) = (sources_of(one), sources_of(two));
            let is_bound = others != 0 || two.any(&mut |part| matches!(part, Expr::Outer(_)));
            if reads == bit && is_simple(one) && others & !known == 0 && is_bound {
                own.push(one.as_ref());
                other.push(two.as_ref());
                break;
            }
        }
    }
    (!own.is_empty()).then(|| Hash {
        own,
        other,
        table: OnceCell::new(),
    })
}
