//! From a changed row to the combinations behind the gates that it has moved.

use std::ops::ControlFlow;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::eval::{People, Scene};
use super::memo::Given;
use super::overlay::Side;
use super::relation::SelectPlan;
use super::step::{Candidate, Event, Runner};
use crate::plan::expr::Row;

/// Gates that changes may have moved, and of whom: instance, then gate.
pub(super) type Knocks = Vec<(u32, u16)>;

impl<'r> Runner<'r> {
    /// Notes whose gate an event may have moved; `false` if its site is no gate's.
    pub(super) fn knock(&self, event: Event, people: &dyn People<'_>, knocks: &mut Knocks) -> bool {
        let runner: Runner<'_> = *self;
        let site = &runner.flow.sites[usize::from(event.site)];
        let Some(gate) = site.gate else {
            return false;
        };
        let person = event.instance.and_then(|instance| people.person(instance));
        let way = match event.instance {
            Some(_) => &site.direct,
            None => &site.free,
        };
        let (Some(way), Some(change)) = (way, runner.changes.get(event.change as usize)) else {
            return true;
        };
        let scene = runner.scene(people, person);
        for row in change.old.into_iter().chain(change.new) {
            let stops = site.map.stops.iter().map(|stop| Row {
                layout: &stop.layout,
                packed: Some(row),
            });
            let mut tuple = stops.collect();
            if !scene.meets(&way.checks, &tuple) {
                continue;
            }
            let _ = scene.walk(&way.hops, &mut tuple, &mut |scene, _| {
                knocks.extend(scene.person.map(|person| (person.instance, gate)));
                ControlFlow::Continue(())
            });
        }
        true
    }

    /// Keeps every combination, as it was, of those whose gates have moved.
    pub(super) fn open_gates<'x>(
        &self,
        plan: &'x SelectPlan,
        people: &'x dyn People<'_>,
        mut knocks: Knocks,
        candidates: &mut Vec<Candidate<'x>>,
    ) where
        'r: 'x,
    {
        let runner: Runner<'x> = *self;
        knocks.sort_unstable();
        knocks.dedup();
        // Whether gates have moved for those who give these parameters.
        let mut known: HashMap<(u16, Given), bool, FixedState> = HashMap::default();
        for own in knocks.chunk_by(|one, other| one.0 == other.0) {
            let instance = own[0].0;
            let scene = runner.scene(people, people.person(instance));
            let mut has_moved = |number: u16| {
                let gate = &runner.flow.gates[usize::from(number)];
                let Some(given) = gate.given(scene.params()) else {
                    return true;
                };
                let known = known.entry((number, given));
                *known.or_insert_with(|| gate.has_moved(&scene))
            };
            if !own.iter().any(|(_, gate)| has_moved(*gate)) {
                continue;
            }
            let before = Scene {
                side: Some(Side::Before),
                ..scene
            };
            let mut tuple = Scene::empty_tuple(&plan.layouts);
            if !before.meets(&plan.way.checks, &tuple) {
                continue;
            }
            let _ = before.walk(&plan.way.hops, &mut tuple, &mut |_, tuple| {
                let inner = tuple[..plan.inner_count].iter();
                candidates.push((instance, inner.filter_map(|row| row.packed).collect()));
                ControlFlow::Continue(())
            });
        }
    }
}
