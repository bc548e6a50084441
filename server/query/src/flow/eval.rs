//! Walks over the ways of a plan, reading one side of a transaction.

use std::ops::ControlFlow;

use smallvec::SmallVec;
use syncline_protocol::RowLayout;

use super::hops::{From, Hop};
use super::overlay::{Found, Overlay, Side};
use super::reach::Reach;
use super::relation::{SelectPlan, SubPlans};
use super::state::Arranged;
use crate::plan::SubQuery;
use crate::plan::expr::{Expr, Input, Params, Row, Scope, SubQueries};
use crate::scalar::Scalar;

/// Rows of the sources of a way.
pub(super) type Tuple<'c> = SmallVec<[Row<'c>; 4]>;

/// One live result.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Person<'c> {
    /// Its number.
    pub(crate) instance: u32,
    pub(crate) params: Params<'c>,
}

/// Who may be concerned by a row.
pub(crate) trait People<'c>: std::fmt::Debug {
    /// An instance of the template.
    fn person(&self, instance: u32) -> Option<Person<'c>>;
    /// Visits the instances that the row of a site may concern, each once.
    fn route(&self, site: u16, row: &[u8], visit: &mut dyn FnMut(Person<'c>));
    /// Visits the instances that each of the rows may concern, with the row's position: as [`Self::route`]
    /// row by row, but what the look-ups wait for is waited for together.
    fn route_all(&self, site: u16, rows: &[&[u8]], visit: &mut dyn FnMut(usize, Person<'c>)) {
        for (at, row) in rows.iter().enumerate() {
            self.route(site, row, &mut |person| visit(at, person));
        }
    }
    /// Visits all instances of the template.
    fn everyone(&self, visit: &mut dyn FnMut(Person<'c>));
    /// The arranged rows of a node of an instance.
    fn arranged(&self, instance: u32, node: u16) -> Option<&'c Arranged>;
}

/// Where rows and answers come from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene<'r, 'c> {
    pub(crate) overlay: &'r Overlay<'r>,
    pub(crate) subs: &'r SubPlans,
    pub(crate) people: Option<&'r dyn People<'c>>,
    /// Derived tables that the walk computed itself.
    pub(crate) own: &'r [Arranged],
    pub(crate) person: Option<Person<'r>>,
    /// In place of the side that a hop says.
    pub(crate) side: Option<Side>,
    pub(crate) outer: Params<'r>,
}

/// Answers sub-queries from a scene.
#[derive(Debug)]
pub(super) struct Answers<'r, 'c>(pub(super) Scene<'r, 'c>);

pub(super) type Visit<'v, 'r, 'c> =
    &'v mut dyn FnMut(&Scene<'r, 'c>, &mut Tuple<'r>) -> ControlFlow<()>;

const NOTHING: &[u8] = &[];
/// So many rows are routed together.
const TOGETHER: usize = 64;

impl<'r, 'c> Scene<'r, 'c> {
    pub(super) fn params(&self) -> Params<'r> {
        self.person.map_or(self.outer, |person| person.params)
    }

    /// Whether all conditions, none of which has a sub-query, are met.
    pub(super) fn meets(&self, checks: &[Expr], tuple: &Tuple<'_>) -> bool {
        if checks.is_empty() {
            return true;
        }
        let scope = Scope {
            outer: self.outer,
            sub_queries: &NoAnswers,
        };
        let input = input(tuple, self.params(), &scope);
        checks.iter().all(|check| check.truth(&input) == Some(true))
    }

    /// Calls `visit` with an input that answers sub-queries too.
    pub(super) fn with_input<R>(
        &self,
        tuple: &Tuple<'_>,
        visit: impl FnOnce(&Input<'_>) -> R,
    ) -> R {
        let answers = Answers(*self);
        let scope = Scope {
            outer: self.outer,
            sub_queries: &answers,
        };
        visit(&input(tuple, self.params(), &scope))
    }

    /// Takes the hops from this one on; `visit` gets the tuple after the last one.
    pub(super) fn walk(
        &self,
        hops: &[Hop],
        tuple: &mut Tuple<'r>,
        visit: Visit<'_, 'r, 'c>,
    ) -> ControlFlow<()> {
        let Some((hop, rest)) = hops.split_first() else {
            return visit(self, tuple);
        };
        if let (Hop::Bind { source, checks, .. }, [Hop::Route { source: own, .. }, ..]) =
            (hop, rest)
            && source == own
        {
            return self.route_bound(hop, (*source, checks), rest, tuple, visit);
        }
        match hop {
            Hop::Bind { source, checks, .. } => self.bind(
                hop,
                tuple,
                &mut |tuple| {
                    if self.meets(checks, tuple) {
                        self.walk(rest, tuple, visit)
                    } else {
                        ControlFlow::Continue(())
                    }
                },
                *source,
            ),
            Hop::Route {
                source,
                site,
                checks,
            } => {
                let row = tuple[usize::from(*source)].packed.unwrap_or(NOTHING);
                let mut flow = ControlFlow::Continue(());
                if let Some(people) = self.people {
                    people.route(*site, row, &mut |person| {
                        let scene = Scene {
                            person: Some(person),
                            ..*self
                        };
                        if flow.is_continue() && scene.meets(checks, tuple) {
                            flow = scene.walk(rest, tuple, visit);
                        }
                    });
                }
                flow
            }
            Hop::Everyone { checks } => {
                let mut flow = ControlFlow::Continue(());
                if let Some(people) = self.people {
                    people.everyone(&mut |person| {
                        let scene = Scene {
                            person: Some(person),
                            ..*self
                        };
                        if flow.is_continue() && scene.meets(checks, tuple) {
                            flow = scene.walk(rest, tuple, visit);
                        }
                    });
                }
                flow
            }
        }
    }

    /// A hop that finds rows of a source, and the next one from these rows to instances.
    fn route_bound(
        &self,
        hop: &Hop,
        (source, checks): (u8, &[Expr]),
        rest: &[Hop],
        tuple: &mut Tuple<'r>,
        visit: Visit<'_, 'r, 'c>,
    ) -> ControlFlow<()> {
        let Some((
            Hop::Route {
                site, checks: own, ..
            },
            rest,
        )) = rest.split_first()
        else {
            return ControlFlow::Continue(());
        };
        let Some(people) = self.people else {
            return ControlFlow::Continue(());
        };
        let place = usize::from(source);
        let mut rows: Found<'r> = SmallVec::new();
        self.gather(hop, tuple, &mut rows);
        if !checks.is_empty() {
            await_rows(&rows);
            rows.retain(|row| {
                tuple[place].packed = Some(*row);
                self.meets(checks, tuple)
            });
        }
        let mut flow = ControlFlow::Continue(());
        for rows in rows.chunks(TOGETHER) {
            people.route_all(*site, rows, &mut |at, person| {
                tuple[place].packed = Some(rows[at]);
                let scene = Scene {
                    person: Some(person),
                    ..*self
                };
                if flow.is_continue() && scene.meets(own, tuple) {
                    flow = scene.walk(rest, tuple, visit);
                }
            });
        }
        tuple[place].packed = None;
        flow
    }

    /// Appends the rows that a hop finds.
    fn gather(&self, hop: &Hop, tuple: &mut Tuple<'r>, out: &mut Found<'r>) {
        if let Hop::Bind {
            from: From::Table(id),
            reach,
            side,
            ..
        } = hop
            && let Some(table) = self.overlay.table(*id)
        {
            let side = self.side.unwrap_or(*side);
            let _ = self.find(reach, tuple, |part| {
                self.overlay.gather(table, part, side, out);
                ControlFlow::Continue(())
            });
        } else if let Hop::Bind { source, .. } = hop {
            let place = usize::from(*source);
            let _ = self.bind(
                hop,
                tuple,
                &mut |tuple| {
                    out.extend(tuple[place].packed);
                    ControlFlow::Continue(())
                },
                *source,
            );
        }
    }

    /// Visits the tuple with each row of a source in its place.
    fn bind(
        &self,
        hop: &Hop,
        tuple: &mut Tuple<'r>,
        visit: &mut dyn FnMut(&mut Tuple<'r>) -> ControlFlow<()>,
        source: u8,
    ) -> ControlFlow<()> {
        let Hop::Bind {
            from, reach, side, ..
        } = hop
        else {
            return ControlFlow::Continue(());
        };
        let place = usize::from(source);
        let side = self.side.unwrap_or(*side);
        let flow = match from {
            From::Table(id) => match self.overlay.table(*id) {
                None => ControlFlow::Continue(()),
                Some(table) => self.find(reach, &tuple.clone(), |part| {
                    self.overlay.walk(table, part, side, &mut |row| {
                        tuple[place].packed = Some(row);
                        visit(tuple)
                    })
                }),
            },
            From::Node(node) => {
                let own = self.own.get(usize::from(*node));
                let arranged = own.or_else(|| {
                    let person = self.person?;
                    self.people?.arranged(person.instance, *node)
                });
                let scope = Scope {
                    outer: self.outer,
                    sub_queries: &NoAnswers,
                };
                let key = reach.arranged_key(&input(tuple, self.params(), &scope));
                match (arranged, key) {
                    (Some(arranged), Some((set, key))) => {
                        arranged.walk(set, &key, side, &mut |row| {
                            self.overlay.take_row()?;
                            tuple[place].packed = Some(row);
                            visit(tuple)
                        })
                    }
                    _ => ControlFlow::Continue(()),
                }
            }
        };
        tuple[place].packed = None;
        flow
    }

    fn find(
        &self,
        reach: &Reach,
        tuple: &Tuple<'_>,
        visit: impl FnOnce(super::overlay::Part<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let scope = Scope {
            outer: self.outer,
            sub_queries: &NoAnswers,
        };
        let found = reach.find(&input(tuple, self.params(), &scope), visit);
        found.unwrap_or(ControlFlow::Continue(()))
    }

    /// Extends a combination of inner rows by the rows of LEFT JOINs, and visits what passes the residual
    /// filter.
    pub(super) fn extend(
        &self,
        plan: &SelectPlan,
        at: usize,
        tuple: &mut Tuple<'r>,
        visit: Visit<'_, 'r, 'c>,
    ) -> ControlFlow<()> {
        let Some(left) = plan.lefts.get(at) else {
            let passes = plan.residual.is_empty()
                || self.with_input(tuple, |input| {
                    plan.residual.iter().all(|e| e.truth(input) == Some(true))
                });
            return if passes {
                visit(self, tuple)
            } else {
                ControlFlow::Continue(())
            };
        };
        let mut is_found = false;
        self.bind(
            &left.hop,
            tuple,
            &mut |tuple| {
                let meets = self.with_input(tuple, |input| {
                    left.on.iter().all(|e| e.truth(input) == Some(true))
                });
                if !meets {
                    return ControlFlow::Continue(());
                }
                is_found = true;
                self.extend(plan, at + 1, tuple, visit)
            },
            left.source,
        )?;
        if is_found {
            return ControlFlow::Continue(());
        }
        tuple[usize::from(left.source)].packed = None;
        self.extend(plan, at + 1, tuple, visit)
    }

    /// Appends what a combination becomes: the input of the grouping, or the outputs.
    pub(super) fn write_combination(
        &self,
        plan: &SelectPlan,
        tuple: &Tuple<'_>,
        out: &mut Vec<u8>,
    ) {
        let written = match &plan.grouping {
            Some(grouping) => &grouping.inputs,
            None => &plan.outputs,
        };
        written.write(tuple, out, &|write| {
            self.with_input(tuple, |input| write(input));
        });
    }

    /// A tuple without rows.
    pub(super) fn empty_tuple(layouts: &'r [RowLayout]) -> Tuple<'r> {
        let row = |layout| Row {
            layout,
            packed: None,
        };
        layouts.iter().map(row).collect()
    }
}

/// Looks at the beginning of each row, in a loop so small that what memory still has to bring of one row does
/// not keep the others waiting.
fn await_rows(rows: &[&[u8]]) {
    let seen = rows.iter().filter_map(|row| row.first());
    std::hint::black_box(seen.fold(0, |seen, byte| seen ^ byte));
}

fn input<'x>(tuple: &'x Tuple<'_>, params: Params<'x>, scope: &'x Scope<'x>) -> Input<'x> {
    Input {
        first: tuple[0],
        rest: &tuple[1..],
        params,
        scope: Some(scope),
    }
}

/// Stands where there are no sub-queries.
#[derive(Debug)]
pub(super) struct NoAnswers;

impl SubQueries for NoAnswers {
    fn exists(&self, _: &SubQuery, _: &[u8]) -> bool {
        false
    }

    fn contains(&self, _: &SubQuery, _: &[u8], _: &Scalar<'_>) -> Option<bool> {
        None
    }

    fn scalar(&self, _: &SubQuery, _: &[u8], _: &mut Vec<u8>) {}
}
