//! The rows of a query, computed from one side of a transaction.

use std::ops::ControlFlow;

use super::eval::{NoAnswers, Scene};
use super::hops::Way;
use super::relation::{Arm, Rel, SelectPlan};
use super::state::{Arranged, Counter, Groups, Ordered};
use crate::plan::expr::{Input, Params, Scope};

impl<'r, 'c> Scene<'r, 'c> {
    /// Visits the combinations of a select: inputs of its grouping, or its outputs.
    pub(super) fn combinations(
        &self,
        plan: &SelectPlan,
        visit: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut rows: Vec<Arranged> = Vec::new();
        for derived in &plan.derived {
            let mut arranged = Arranged::new(derived.sets.len());
            let _ = self.rows(&derived.rel, &mut |row| {
                arranged.apply(&derived.layout, &derived.sets, 1, row, false);
                ControlFlow::Continue(())
            });
            rows.push(arranged);
        }
        let base: Scene<'_, 'c> = *self;
        let scene = Scene { own: &rows, ..base };
        scene.own_combinations(plan, &plan.way, visit)
    }

    fn own_combinations(
        &self,
        plan: &'r SelectPlan,
        way: &Way,
        visit: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut tuple = Self::empty_tuple(&plan.layouts);
        if !self.meets(&way.checks, &tuple) {
            return ControlFlow::Continue(());
        }
        let mut out = Vec::new();
        self.walk(&way.hops, &mut tuple, &mut |scene, tuple| {
            scene.extend(plan, 0, tuple, &mut |scene, tuple| {
                out.clear();
                scene.write_combination(plan, tuple, &mut out);
                visit(&out)
            })
        })
    }

    /// Visits the rows of a select.
    fn select_rows(
        &self,
        plan: &SelectPlan,
        visit: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut counter = Counter::default();
        let mut visit = |row: &[u8]| {
            if plan.is_distinct && counter.add(row, 1) == 0 {
                return ControlFlow::Continue(());
            }
            visit(row)
        };
        let Some(grouping) = &plan.grouping else {
            return self.combinations(plan, &mut visit);
        };
        let mut groups = Groups::new(&grouping.plan);
        let _ = self.combinations(plan, &mut |row| {
            groups.add(&grouping.plan, row, 1);
            ControlFlow::Continue(())
        });
        let mut flow = ControlFlow::Continue(());
        let mut out = Vec::new();
        groups.rows(&grouping.plan, |row| {
            out.clear();
            if flow.is_continue() && write_group(plan, row, self.params(), self.outer, &mut out) {
                flow = visit(&out);
            }
        });
        flow
    }

    /// Visits the rows of a query, in its order if it has one.
    pub(crate) fn rows(
        &self,
        rel: &Rel,
        visit: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Some(window) = &rel.window else {
            return self.arms(rel, visit);
        };
        let mut ordered = Ordered::new(None, 0);
        let _ = self.arms(rel, &mut |row| {
            ordered.step(window, std::iter::once((1, row)), |_, _| {});
            ControlFlow::Continue(())
        });
        let skip = usize::try_from(rel.offset).unwrap_or(usize::MAX);
        let take = rel
            .limit
            .map_or(usize::MAX, |l| usize::try_from(l).unwrap_or(usize::MAX));
        ordered.rows().skip(skip).take(take).try_for_each(visit)
    }

    fn arms(&self, rel: &Rel, visit: &mut dyn FnMut(&[u8]) -> ControlFlow<()>) -> ControlFlow<()> {
        let mut counter = Counter::default();
        for arm in &rel.arms {
            let mut visit = |row: &[u8]| {
                if rel.is_distinct && counter.add(row, 1) == 0 {
                    return ControlFlow::Continue(());
                }
                visit(row)
            };
            match arm {
                Arm::Select(plan) => self.select_rows(plan, &mut visit)?,
                Arm::Query(rel) => self.rows(rel, &mut visit)?,
            }
        }
        ControlFlow::Continue(())
    }
}

/// Appends the outputs of a group's row; `false` if HAVING rejects it.
pub(super) fn write_group(
    plan: &SelectPlan,
    row: &[u8],
    params: Params<'_>,
    outer: Params<'_>,
    out: &mut Vec<u8>,
) -> bool {
    let Some(grouping) = &plan.grouping else {
        return false;
    };
    let scope = Scope {
        outer,
        sub_queries: &NoAnswers,
    };
    let input = Input {
        scope: Some(&scope),
        ..Input::one(&grouping.layout, row, params)
    };
    if let Some(having) = &grouping.having
        && having.truth(&input) != Some(true)
    {
        return false;
    }
    plan.outputs
        .write(&[input.first], out, &|write| write(&input));
    true
}
