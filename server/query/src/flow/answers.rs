//! How the sub-queries of an expression are answered: for each outer tuple, or once in a step if there is none.

use std::ops::ControlFlow;

use syncline_protocol::RowLayout;

use super::eval::{Answers, Scene};
use super::memo::Question;
use super::relation::Rel;
use crate::plan::SubQuery;
use crate::plan::expr::{Params, Slot, SubQueries};
use crate::scalar::Scalar;

impl<'r, 'c> Answers<'r, 'c> {
    /// How a sub-query is computed for an outer tuple.
    fn plan<'x>(&self, sub_query: &SubQuery, outer: &'x [u8]) -> Option<(Scene<'x, 'c>, &'r Rel)>
    where
        'r: 'x,
    {
        let rel = self.0.subs.get(sub_query);
        debug_assert!(rel.is_some(), "every sub-query of a flow is planned");
        let (rel, base) = (rel?, self.0);
        let scene = Scene {
            own: &[],
            outer: Params {
                layout: &rel.outer,
                packed: outer,
            },
            ..base
        };
        Some((scene, rel))
    }

    /// The question that a sub-query answers in the same way for every combination.
    fn question(&self, sub_query: &SubQuery, rel: &Rel) -> Option<Question> {
        let (side, person) = (self.0.side?, self.0.person?);
        if !sub_query.outer.is_empty() {
            return None;
        }
        let place = std::ptr::from_ref(sub_query).addr();
        Some((place, rel.given(person.params), side))
    }

    /// Visits the first row, if there is one.
    fn first_row(&self, sub_query: &SubQuery, outer: &[u8], visit: &mut dyn FnMut(&[u8])) {
        let Some((scene, rel)) = self.plan(sub_query, outer) else {
            return;
        };
        let first = |visit: &mut dyn FnMut(&[u8])| {
            let _ = scene.rows(rel, &mut |row| {
                visit(row);
                ControlFlow::Break(())
            });
        };
        let Some(question) = self.question(sub_query, rel) else {
            return first(visit);
        };
        let row = self.0.overlay.memo.first_row(question, || {
            let mut found = None;
            first(&mut |row| found = Some(row.into()));
            found
        });
        if let Some(row) = row {
            visit(&row);
        }
    }
}

impl SubQueries for Answers<'_, '_> {
    fn exists(&self, sub_query: &SubQuery, outer: &[u8]) -> bool {
        let mut is_found = false;
        self.first_row(sub_query, outer, &mut |_| is_found = true);
        is_found
    }

    fn contains(&self, sub_query: &SubQuery, outer: &[u8], value: &Scalar<'_>) -> Option<bool> {
        let (scene, rel) = self.plan(sub_query, outer)?;
        let layout = sub_query.query.layout();
        let slot = Slot::new(0, &sub_query.query.outputs[0].ty);
        if let Some(question) = self.question(sub_query, rel) {
            let set = self.0.overlay.memo.set(question, |set| {
                let _ = scene.rows(rel, &mut |row| {
                    set.add(&read(slot, &layout, row));
                    ControlFlow::Continue(())
                });
            });
            return set.contains(value);
        }
        let mut found = Some(false);
        let _ = scene.rows(rel, &mut |row| {
            match value.compare(&read(slot, &layout, row)) {
                Some(order) if order.is_eq() => {
                    found = Some(true);
                    return ControlFlow::Break(());
                }
                Some(_) => {}
                None => found = None,
            }
            ControlFlow::Continue(())
        });
        found
    }

    fn scalar(&self, sub_query: &SubQuery, outer: &[u8], out: &mut Vec<u8>) {
        let layout = sub_query.query.layout();
        self.first_row(sub_query, outer, &mut |row| {
            out.extend_from_slice(layout.column(row, 0));
        });
    }
}

/// The only column of a row.
fn read<'x>(slot: Slot, layout: &RowLayout, row: &'x [u8]) -> Scalar<'x> {
    Scalar::read(slot.kind, slot.nullable, layout.column(row, 0))
}
