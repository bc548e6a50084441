//! The part of a step that concerns flows.

use foldhash::quality::FixedState;
use hashbrown::HashMap;
use smallvec::SmallVec;
use syncline_protocol::message::{DeltaOp, DeltaWriter};
use syncline_protocol::{ChangeSet, Changed, RowLayout, TableId};
use syncline_store::{Database, Table};

use super::instance::{Instance, Memory};
use super::settle::Runaway;
use super::step::{Step, keeps};
use super::template::Template;
use crate::failures;
use crate::flow::{Arranged, Entry, Event, Flow, Overlay, People, Person, Runner, ZSet};
use crate::plan::expr::{ColumnSet, Params};
use crate::router::{Group, TableRouter};
use crate::row::{compare_columns, write_difference};
use crate::slab::Slab;

/// A row that as many instances of a template listen to is followed to them over other tables, if there is
/// a way: most of them may not be concerned.
const CROWD: usize = 8;

/// The instances of one template.
#[derive(Clone, Copy, Debug)]
struct Crowd<'c> {
    number: u32,
    template: &'c Template,
    flow: &'c Flow,
    db: &'c Database,
    instances: &'c Slab<Instance>,
    routers: &'c HashMap<TableId, TableRouter, FixedState>,
    hasher: &'c FixedState,
}

impl<'c> People<'c> for Crowd<'c> {
    fn person(&self, instance: u32) -> Option<Person<'c>> {
        Some(Person {
            instance,
            params: Params {
                layout: &self.template.param_layout,
                packed: &self.instances.get(instance).params,
            },
        })
    }

    fn route(&self, site: u16, row: &[u8], visit: &mut dyn FnMut(Person<'c>)) {
        let table = self.flow.sites[usize::from(site)].table;
        let routes = self.flow.routes[usize::from(site)].as_ref();
        let (Some(routes), Some(router), Some(table)) =
            (routes, self.routers.get(&table), self.db.table(table))
        else {
            return;
        };
        let mut found = SmallVec::new();
        let target = (self.number, site);
        router.probe(table.layout(), row, routes, target, self.hasher, &mut found);
        found
            .into_iter()
            .filter_map(|number| self.person(number))
            .for_each(visit);
    }

    fn route_all(&self, site: u16, rows: &[&[u8]], visit: &mut dyn FnMut(usize, Person<'c>)) {
        let table = self.flow.sites[usize::from(site)].table;
        let routes = self.flow.routes[usize::from(site)].as_ref();
        let (Some(routes), Some(router), Some(table)) =
            (routes, self.routers.get(&table), self.db.table(table))
        else {
            return;
        };
        let target = (self.number, site);
        let found = router.probe_all(table.layout(), rows, routes, target, self.hasher);
        let people = found.iter().map(|(at, number)| (*at, self.person(*number)));
        let people: SmallVec<[_; 64]> = people.collect();
        // The parameters are compared next: all of them are waited for together.
        let packed = people.iter().filter_map(|(_, person)| *person);
        let first = packed.filter_map(|person| person.params.packed.first());
        std::hint::black_box(first.fold(0, |seen, byte| seen ^ byte));
        for (at, person) in people {
            if let Some(person) = person {
                visit(at as usize, person);
            }
        }
    }

    fn everyone(&self, visit: &mut dyn FnMut(Person<'c>)) {
        let members = self.template.members.iter();
        members
            .filter_map(|number| self.person(*number))
            .for_each(visit);
    }

    fn arranged(&self, instance: u32, node: u16) -> Option<&'c Arranged> {
        let nodes = self.instances.get(instance).nodes();
        nodes.get(usize::from(node))?.arranged.as_deref()
    }
}

impl Step<'_> {
    /// Notes that a change concerns the instances of a group.
    pub(super) fn concern(
        &mut self,
        table: &Table,
        group: &Group,
        change: Changed<'_>,
        position: u32,
        changed: &mut Option<ColumnSet>,
    ) {
        let Some(flow) = self.templates.get(group.template).flow() else {
            return;
        };
        let site = &flow.sites[usize::from(group.site)];
        if keeps(table, change, &site.reads, changed) {
            return;
        }
        let event = |instance| Event {
            template: group.template,
            node: site.node,
            site: group.site,
            change: position,
            instance,
        };
        self.counters.candidates += group.members.len() as u64;
        self.usage[group.template as usize].hits += group.members.len() as u64;
        if group.members.len() > CROWD && site.free.is_some() {
            self.scratch.events.push(event(None));
        } else {
            let members = group.members.iter();
            let events = members.map(|number| event(Some(*number)));
            self.scratch.events.extend(events);
        }
    }

    /// Notes that a change concerns a site, of whom it may.
    pub(super) fn concern_all(
        &mut self,
        table: &Table,
        (template, site): (u32, u16),
        change: Changed<'_>,
        position: u32,
        changed: &mut Option<ColumnSet>,
    ) {
        let Some(flow) = self.templates.get(template).flow() else {
            return;
        };
        let own = &flow.sites[usize::from(site)];
        if !keeps(table, change, &own.reads, changed) {
            self.scratch.events.push(Event {
                template,
                node: own.node,
                site,
                change: position,
                instance: None,
            });
        }
    }

    /// Runs every flow that a change concerns.
    pub(super) fn run_flows(&mut self, changes: &ChangeSet) {
        let mut events = std::mem::take(&mut self.scratch.events);
        events.sort_unstable();
        self.gather(&mut events);
        // What concerns all that a way finds, concerns each of them.
        events.dedup_by(|next, kept| {
            let place = |event: &Event| (event.template, event.node, event.site, event.change);
            place(next) == place(kept)
                && (kept.instance.is_none() || next.instance == kept.instance)
        });
        let overlay = Overlay::new(self.db, changes);
        for own in events.chunk_by(|one, other| one.template == other.template) {
            let failures = failures::count();
            let number = own[0].template;
            let before = self.usage[number as usize].bytes;
            self.run_flow(own, &overlay, changes);
            let after = self.usage[number as usize].bytes;
            *self.byte_len = *self.byte_len + after - before;
            // One may have grown while others shrank.
            if after > before || self.usage[number as usize].largest > 0 {
                self.note_growth(number);
            }
            self.usage[own[0].template as usize].failures += failures::count() - failures;
        }
        events.clear();
        self.scratch.events = events;
    }

    /// Makes one event of those by which a row concerns a crowd, if there is a way to them over other tables.
    fn gather(&self, events: &mut [Event]) {
        if events.len() <= CROWD {
            return;
        }
        let place = |event: &Event| (event.template, event.node, event.site, event.change);
        for crowd in events.chunk_by_mut(|one, other| place(one) == place(other)) {
            let flow = self.templates.get(crowd[0].template).flow();
            let site = flow.map(|flow| &flow.sites[usize::from(crowd[0].site)]);
            if crowd.len() > CROWD && site.is_some_and(|site| site.free.is_some()) {
                crowd[0].instance = None;
            }
        }
    }

    fn run_flow(&mut self, events: &[Event], overlay: &Overlay<'_>, changes: &ChangeSet) {
        let number = events[0].template;
        let template = self.templates.get(number);
        let Some(flow) = template.flow() else { return };
        let mut scratch = std::mem::take(&mut self.scratch.flow);
        scratch.reset(flow);
        let runner = Runner {
            flow,
            overlay,
            changes,
        };
        overlay.allow(self.budgets.step_rows);
        for node in 0..flow.nodes.len() as u16 {
            let people = Crowd {
                number,
                template,
                flow,
                db: self.db,
                instances: self.instances,
                routers: self.routers,
                hasher: self.hasher,
            };
            runner.collect(node, events, &people, &mut scratch);
            if overlay.is_exhausted() {
                self.give_up(number, events);
                self.scratch.flow = scratch;
                return;
            }
            let instances = &*self.instances;
            runner.await_states(node, &scratch, &|cell| {
                instances.get(cell).nodes().get(usize::from(node))
            });
            let instances = &mut *self.instances;
            let usage = &mut self.usage[number as usize];
            let instance_bytes = self.budgets.instance_bytes;
            runner.finish(
                node,
                self.scratch.change_count,
                &mut scratch,
                &mut |cell, node, visit| {
                    with_state(template, instances, cell, node, &mut |params, state| {
                        let before = state.byte_len();
                        visit(params, state);
                        usage.grow(before, state.byte_len(), instance_bytes);
                    });
                },
            );
        }
        if let Some(result) = scratch.result() {
            self.write_flow(template, result);
        }
        let instances = &mut *self.instances;
        let usage = &mut self.usage[number as usize];
        runner.forget(&scratch, &mut |cell, node, visit| {
            with_state(template, instances, cell, node, &mut |params, state| {
                let before = state.byte_len();
                visit(params, state);
                usage.grow(before, state.byte_len(), usize::MAX);
            });
        });
        self.scratch.flow = scratch;
    }

    /// Notes that the instances that events concern must be evaluated anew.
    fn give_up(&mut self, template: u32, events: &[Event]) {
        let instances: Option<Vec<u32>> = events.iter().map(|event| event.instance).collect();
        let instances = instances.map(|mut instances| {
            instances.sort_unstable();
            instances.dedup();
            instances
        });
        self.scratch.runaways.push(Runaway {
            template,
            instances,
        });
    }

    /// Notes a template that has grown, if something is over a budget now.
    fn note_growth(&mut self, number: u32) {
        let usage = &self.usage[number as usize];
        let is_over = usage.bytes > self.budgets.template_bytes || usage.largest > 0;
        if is_over || *self.byte_len > self.budgets.bytes {
            self.scratch.grown.push(number);
        }
    }

    /// Writes the operations of all affected instances of a template.
    fn write_flow(&mut self, template: &Template, result: &ZSet) {
        for own in result
            .entries()
            .chunk_by(|one, other| one.cell == other.cell)
        {
            let number = own[0].cell;
            let start = self.scratch.flow_bytes.len();
            write_ops(template, result, own, &mut self.scratch.flow_bytes);
            let end = self.scratch.flow_bytes.len();
            if end > start {
                let handle = self.instances.get(number).handle;
                self.scratch.affected.push((handle, number));
                self.scratch.flow_ends.push((start, end));
            }
        }
    }
}

fn with_state(
    template: &Template,
    instances: &mut Slab<Instance>,
    cell: u32,
    node: u16,
    visit: &mut dyn FnMut(Params<'_>, &mut crate::flow::NodeState),
) {
    let instance = instances.get_mut(cell);
    let params = Params {
        layout: &template.param_layout,
        packed: &instance.params,
    };
    if let Memory::Nodes(nodes) = &mut instance.memory
        && let Some(state) = nodes.get_mut(usize::from(node))
    {
        visit(params, state);
    }
}

/// Appends the operations that a consolidated set of rows makes, ordered by key.
fn write_ops(template: &Template, rows: &ZSet, own: &[Entry], out: &mut Vec<u8>) {
    let layout = &template.result_layout;
    let key = &template.description.key;
    let by_key =
        |one: &Entry, other: &Entry| compare_columns(layout, key, rows.row(*one), rows.row(*other));
    let mut write = |same: &[Entry]| match same {
        [old, new] if old.weight == -1 && new.weight == 1 => {
            write_update(layout, key, rows.row(*old), rows.row(*new), out);
        }
        [one] if one.weight == 1 => {
            DeltaWriter::new(out).push(DeltaOp::Insert {
                row: rows.row(*one),
            });
        }
        [one] if one.weight == -1 => {
            let mut packed = SmallVec::<[u8; 64]>::new();
            for column in key {
                let column = layout.column(rows.row(*one), usize::from(*column));
                packed.extend_from_slice(column);
            }
            DeltaWriter::new(out).push(DeltaOp::Delete { key: &packed });
        }
        _ => panic!("a key names one row of a result"),
    };
    if let [_] = own {
        return write(own);
    }
    if let [one, other] = *own {
        let order = by_key(&one, &other);
        let is_turned = order.then(one.weight.cmp(&other.weight)).is_gt();
        let ordered = if is_turned {
            [other, one]
        } else {
            [one, other]
        };
        return ordered
            .chunks(if order.is_eq() { 2 } else { 1 })
            .for_each(write);
    }
    let mut ordered: SmallVec<[Entry; 4]> = own.into();
    ordered.sort_by(|one, other| by_key(one, other).then(one.weight.cmp(&other.weight)));
    ordered
        .chunk_by(|one, other| by_key(one, other).is_eq())
        .for_each(write);
}

fn write_update(layout: &RowLayout, key: &[u16], old: &[u8], new: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let mut packed = SmallVec::<[u8; 64]>::new();
    for column in key {
        packed.extend_from_slice(layout.column(new, usize::from(*column)));
    }
    DeltaWriter::new(out).push(DeltaOp::Update {
        key: &packed,
        mask: &[],
        values: &[],
    });
    if !write_difference(layout, old, new, out) {
        out.truncate(start);
    }
}
