//! One transaction against the instances of one flow, and the first state of an instance.

use std::ops::ControlFlow;

use smallvec::SmallVec;
use syncline_protocol::{ChangeSet, RowLayout};

use super::eval::{People, Person, Scene, Tuple};
use super::hops::{Map, Way};
use super::mutant::Mutant;
use super::overlay::{Overlay, Side};
use super::relation::{GroupingPlan, SelectPlan};
use super::rows::write_group;
use super::state::{GroupScratch, NodeState};
use super::zset::ZSet;
use super::{Flow, Node, NodeBody};
use crate::plan::expr::{ColumnSet, Params, Row};

/// A changed row that concerns a site, of one instance or of all that a way finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Event {
    pub(crate) template: u32,
    pub(crate) node: u16,
    pub(crate) site: u16,
    /// In the change set.
    pub(crate) change: u32,
    /// `None` comes first.
    pub(crate) instance: Option<u32>,
}

/// Memory that a step uses and the next one uses again.
#[derive(Debug, Default)]
pub(crate) struct FlowScratch {
    pub(super) input: ZSet,
    middle: ZSet,
    /// What changed in the rows of each node.
    pub(super) outputs: Vec<ZSet>,
    row: Vec<u8>,
    groups: GroupScratch,
}

/// Calls back with the state of a node of an instance.
pub(crate) type States<'s> =
    &'s mut dyn FnMut(u32, u16, &mut dyn FnMut(Params<'_>, &mut NodeState));

/// A combination to compute anew: the instance, then the inner rows.
pub(super) type Candidate<'r> = (u32, SmallVec<[&'r [u8]; 2]>);

/// What a flow runs against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runner<'r> {
    pub(crate) flow: &'r Flow,
    pub(crate) overlay: &'r Overlay<'r>,
    pub(crate) changes: &'r ChangeSet,
}

/// So many states are waited for together.
const TOGETHER: usize = 64;

/// The number of the step that fills the states of a new instance.
pub(super) const FIRST: u64 = 0;

impl FlowScratch {
    /// Gets ready for a flow.
    pub(crate) fn reset(&mut self, flow: &Flow) {
        self.outputs.resize_with(flow.nodes.len(), ZSet::default);
        self.outputs.iter_mut().for_each(ZSet::clear);
    }

    /// What changed in the results.
    pub(crate) fn result(&self) -> Option<&ZSet> {
        self.outputs.last()
    }
}

impl<'r> Runner<'r> {
    fn no_outer(&self) -> Params<'r> {
        Params {
            layout: &self.flow.no_outer,
            packed: &[],
        }
    }

    /// Where the flow's plans are computed.
    pub(crate) fn scene<'c>(
        &self,
        people: &'r dyn People<'c>,
        person: Option<Person<'r>>,
    ) -> Scene<'r, 'c> {
        Scene {
            overlay: self.overlay,
            subs: &self.flow.subs,
            people: Some(people),
            own: &[],
            person,
            side: None,
            outer: self.no_outer(),
        }
    }

    /// Collects what the events, ordered, and the changed rows of its children change in a node.
    pub(crate) fn collect(
        &self,
        number: u16,
        events: &[Event],
        people: &dyn People<'_>,
        scratch: &mut FlowScratch,
    ) {
        let FlowScratch { input, outputs, .. } = scratch;
        input.clear();
        let runner: Runner<'_> = *self;
        match &self.flow.nodes[usize::from(number)].body {
            NodeBody::Union(children) => {
                for child in children {
                    for (cell, weight, row) in outputs[usize::from(*child)].iter() {
                        input.push(cell, weight, row);
                    }
                }
            }
            NodeBody::Select(plan, feeds) => {
                let mut candidates: Vec<Candidate<'_>> = Vec::new();
                let mut knocks = Vec::new();
                for event in events.iter().filter(|event| event.node == number) {
                    if !runner.knock(*event, people, &mut knocks) {
                        runner.event(*event, plan, people, input, &mut candidates);
                    }
                }
                runner.open_gates(plan, people, knocks, &mut candidates);
                for feed in feeds {
                    for (cell, weight, row) in outputs[usize::from(feed.child)].iter() {
                        let scene = runner.scene(people, people.person(cell));
                        let start = Start {
                            map: &feed.map,
                            way: &feed.way,
                            source: feed.source,
                        };
                        let kept = feed.is_candidate.then_some(&mut candidates);
                        start.go(&scene, plan, &[(row, weight)], input, kept);
                    }
                }
                if Mutant::Candidates.is_on() {
                    candidates.clear();
                }
                candidates.sort_unstable();
                candidates.dedup();
                for (instance, rows) in &candidates {
                    runner.compute_anew(plan, *instance, rows, people, input);
                }
            }
        }
    }

    fn event<'x>(
        &self,
        event: Event,
        plan: &'x SelectPlan,
        people: &'x dyn People<'_>,
        input: &mut ZSet,
        candidates: &mut Vec<Candidate<'x>>,
    ) where
        'r: 'x,
    {
        let runner: Runner<'x> = *self;
        let site = &runner.flow.sites[usize::from(event.site)];
        let person = event.instance.and_then(|instance| people.person(instance));
        let way = match event.instance {
            Some(_) => &site.direct,
            None => &site.free,
        };
        let (Some(way), Some(change)) = (way, runner.changes.get(event.change as usize)) else {
            return;
        };
        let scene = runner.scene(people, person);
        let start = Start {
            map: &site.map,
            way,
            source: site.source,
        };
        let kept = site.is_candidate.then_some(candidates);
        let steers = &runner.flow.steers[usize::from(event.site)];
        let layout = &site.map.stops[usize::from(site.source)].layout;
        match (change.old, change.new) {
            (Some(old), Some(new)) if keeps(layout, steers, old, new) => {
                start.go(&scene, plan, &[(old, -1), (new, 1)], input, kept);
            }
            (old, new) => {
                let mut kept = kept;
                for (row, weight) in [(old, -1), (new, 1)] {
                    if let Some(row) = row {
                        start.go(&scene, plan, &[(row, weight)], input, kept.as_deref_mut());
                    }
                }
            }
        }
    }

    /// What a combination of inner rows became, as it was and as it is.
    fn compute_anew<'x>(
        &self,
        plan: &'x SelectPlan,
        instance: u32,
        rows: &[&'x [u8]],
        people: &'x dyn People<'_>,
        input: &mut ZSet,
    ) where
        'r: 'x,
    {
        let runner: Runner<'x> = *self;
        let scene = runner.scene(people, people.person(instance));
        for (side, weight) in [(Side::Before, -1), (Side::After, 1)] {
            let scene = Scene {
                side: Some(side),
                ..scene
            };
            let mut tuple = Scene::empty_tuple(&plan.layouts);
            for (place, row) in tuple.iter_mut().zip(rows) {
                place.packed = Some(row);
            }
            push_extended(&scene, plan, (instance, weight), &mut tuple, input);
        }
    }

    /// Looks at the states that [`Self::finish`] will change, level by level: what memory has to bring of one
    /// does not keep the others waiting.
    pub(crate) fn await_states<'s>(
        &self,
        number: u16,
        scratch: &FlowScratch,
        state_of: &dyn Fn(u32) -> Option<&'s NodeState>,
    ) {
        let NodeBody::Select(plan, _) = &self.flow.nodes[usize::from(number)].body else {
            return;
        };
        let Some(grouping) = &plan.grouping else {
            return;
        };
        let rows = &scratch.input;
        for some in rows.entries().chunks(TOGETHER) {
            if some.len() < 4 {
                return;
            }
            let states = some.iter().map(|entry| state_of(entry.cell));
            let states: SmallVec<[Option<&NodeState>; TOGETHER]> = states.collect();
            let glances = states.iter().zip(some).map(|(state, entry)| {
                let groups = state.and_then(|state| state.groups.as_ref());
                groups.map_or(0, |groups| groups.glance(&grouping.plan, rows.row(*entry)))
            });
            std::hint::black_box(glances.fold(0, |seen, count| seen ^ count));
        }
    }

    /// Turns what was collected for a node into what changed in its rows.
    pub(crate) fn finish(
        &self,
        number: u16,
        step: u64,
        scratch: &mut FlowScratch,
        states: States<'_>,
    ) {
        let node = &self.flow.nodes[usize::from(number)];
        let FlowScratch {
            input,
            middle,
            outputs,
            row: buffer,
            groups,
        } = scratch;
        input.consolidate();
        let mut is_distinct = node.is_distinct;
        if let NodeBody::Select(plan, _) = &node.body {
            is_distinct |= plan.is_distinct;
            if let Some(grouping) = &plan.grouping {
                let group = GroupStage {
                    plan,
                    grouping,
                    no_outer: self.no_outer(),
                    step,
                };
                group.run((input, middle), (buffer, groups), number, states);
            }
        }
        if is_distinct {
            stage(
                input,
                middle,
                number,
                states,
                &mut |_, state, rows, emit| {
                    let Some(counter) = &mut state.counter else {
                        return;
                    };
                    for (weight, row) in rows {
                        match counter.add(row, weight.into()) {
                            0 => {}
                            change => emit(change, row),
                        }
                    }
                },
            );
        }
        if let Some((window, ..)) = &node.window {
            stage(
                input,
                middle,
                number,
                states,
                &mut |_, state, rows, emit| {
                    if let Some(ordered) = &mut state.window {
                        ordered.step(window, rows, emit);
                    }
                },
            );
        }
        if !node.sets.is_empty() {
            arrange(node, number, step != FIRST, input, states);
        }
        std::mem::swap(input, &mut outputs[usize::from(number)]);
    }

    /// The end of a step: what derived tables were is forgotten.
    pub(crate) fn forget(&self, scratch: &FlowScratch, states: States<'_>) {
        let nodes = self.flow.nodes.iter().zip(&scratch.outputs).enumerate();
        for (number, (_, output)) in nodes.filter(|(_, (node, _))| !node.sets.is_empty()) {
            for entry in output.entries() {
                states(entry.cell, number as u16, &mut |_, state| {
                    state.arranged.iter_mut().for_each(|own| own.forget());
                });
            }
        }
    }
}

/// A way from a row.
#[derive(Clone, Copy)]
struct Start<'x> {
    map: &'x Map,
    way: &'x Way,
    source: u8,
}

impl<'x> Start<'x> {
    /// Pushes what the combinations of rows become that all lead the same way, or keeps their inner rows to
    /// compute them anew.
    fn go(
        &self,
        scene: &Scene<'x, '_>,
        plan: &SelectPlan,
        rows: &[(&'x [u8], i32)],
        input: &mut ZSet,
        mut kept: Option<&mut Vec<Candidate<'x>>>,
    ) {
        let row_of = |stop: &'x super::hops::Stop| Row {
            layout: &stop.layout,
            packed: None,
        };
        let mut tuple: Tuple<'x> = self.map.stops.iter().map(row_of).collect();
        let place = usize::from(self.source);
        tuple[place].packed = rows.first().map(|(row, _)| *row);
        if !scene.meets(&self.way.checks, &tuple) {
            return;
        }
        // One row whose combinations all become the same: it is written once, for whoever comes first.
        let is_shared = rows.len() == 1 && kept.is_none() && plan.shows_only(self.source);
        let mut is_written = false;
        let _ = scene.walk(&self.way.hops, &mut tuple, &mut |scene, tuple| {
            let Some(person) = scene.person else {
                return ControlFlow::Continue(());
            };
            let scene = Scene {
                side: Some(Side::After),
                ..*scene
            };
            for &(row, weight) in rows {
                tuple[place].packed = Some(row);
                if let Some(kept) = &mut kept {
                    let inner = tuple[..plan.inner_count].iter();
                    kept.push((
                        person.instance,
                        inner.filter_map(|row| row.packed).collect(),
                    ));
                } else if is_written {
                    input.push_same(person.instance, weight);
                } else {
                    push_extended(&scene, plan, (person.instance, weight), tuple, input);
                    is_written = is_shared;
                }
            }
            ControlFlow::Continue(())
        });
    }
}

/// Whether an update keeps these columns.
fn keeps(layout: &RowLayout, columns: &ColumnSet, old: &[u8], new: &[u8]) -> bool {
    columns.iter().all(|column| {
        let column = usize::from(column);
        layout.column(old, column) == layout.column(new, column)
    })
}

fn push_extended<'x>(
    scene: &Scene<'x, '_>,
    plan: &SelectPlan,
    (instance, weight): (u32, i32),
    tuple: &mut Tuple<'x>,
    input: &mut ZSet,
) {
    let _ = scene.extend(plan, 0, tuple, &mut |scene, tuple| {
        input.push_with(instance, weight, |out| {
            scene.write_combination(plan, tuple, out);
        });
        ControlFlow::Continue(())
    });
}

/// The grouping of a node in a step.
#[derive(Clone, Copy)]
struct GroupStage<'s> {
    plan: &'s SelectPlan,
    grouping: &'s GroupingPlan,
    no_outer: Params<'s>,
    step: u64,
}

impl GroupStage<'_> {
    fn run(
        self,
        (input, middle): (&mut ZSet, &mut ZSet),
        (buffer, scratch): (&mut Vec<u8>, &mut GroupScratch),
        number: u16,
        states: States<'_>,
    ) {
        if self.step == FIRST && input.entries().is_empty() {
            // The only group of a query without keys has a row even so.
            input.push(0, 0, &[]);
        }
        let plan = &self.grouping.plan;
        stage(
            input,
            middle,
            number,
            states,
            &mut |params, state, rows, emit| {
                let Some(groups) = &mut state.groups else {
                    return;
                };
                let mut emit = |weight, row: &[u8]| {
                    buffer.clear();
                    if write_group(self.plan, row, params, self.no_outer, buffer) {
                        emit(weight, buffer);
                    }
                };
                if self.step == FIRST {
                    for (weight, row) in rows.filter(|(weight, _)| *weight != 0) {
                        groups.add(plan, row, weight.into());
                    }
                    groups.rows(plan, |row| emit(1, row));
                } else {
                    groups.step(plan, rows, scratch, emit);
                }
            },
        );
    }
}

type Rows<'z> = &'z mut dyn Iterator<Item = (i32, &'z [u8])>;

/// What is done with the rows of one instance: its parameters, its state, the rows, what takes new ones.
type Work<'w> = &'w mut dyn FnMut(Params<'_>, &mut NodeState, Rows<'_>, &mut dyn FnMut(i32, &[u8]));

/// Sends the rows of each instance through a state; `rows` becomes what comes out, consolidated.
fn stage(rows: &mut ZSet, middle: &mut ZSet, node: u16, states: States<'_>, work: Work<'_>) {
    middle.clear();
    for own in rows.entries().chunk_by(|one, other| one.cell == other.cell) {
        let cell = own[0].cell;
        states(cell, node, &mut |params, state| {
            let mut own = own.iter().map(|entry| (entry.weight, rows.row(*entry)));
            let mut emit = |weight: i32, row: &[u8]| middle.push(cell, weight, row);
            work(params, state, &mut own, &mut emit);
        });
    }
    std::mem::swap(rows, middle);
    rows.consolidate();
}

fn arrange(node: &Node, number: u16, is_step: bool, rows: &ZSet, states: States<'_>) {
    for own in rows.entries().chunk_by(|one, other| one.cell == other.cell) {
        states(own[0].cell, number, &mut |_, state| {
            let Some(arranged) = &mut state.arranged else {
                return;
            };
            for entry in own {
                let row = rows.row(*entry);
                arranged.apply(&node.layout, &node.sets, entry.weight, row, is_step);
            }
        });
    }
}
