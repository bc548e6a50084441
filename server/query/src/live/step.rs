//! One transaction against all instances.

use std::hint::black_box;

use foldhash::quality::FixedState;
use hashbrown::HashMap;
use smallvec::SmallVec;
use syncline_protocol::{ChangeSet, Changed, TableId};
use syncline_store::{Database, Table};

use super::Counters;
use super::budget::Budgets;
use super::deltas::Deltas;
use super::explain::Usage;
use super::hits::{Hit, Hits, RowScratch, are_by_key, row_change, write_change};
use super::instance::{Instance, Memory};
use super::plain::Plain;
use super::rank::{RANK, RankScratch, Watchers};
use super::settle::Runaway;
use super::template::Template;
use super::window::{Allowance, RowChanges, View};
use crate::execute::exact::index_key;
use crate::failures;
use crate::flow::{Event, FlowScratch};
use crate::plan::expr::{ColumnSet, Input, Params};
use crate::router::{Sides, TableRouter, Target};
use crate::row::{changed_columns, compare_columns};
use crate::slab::Slab;

/// Memory that a step uses and the next one uses again.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// Changes seen in all steps so far.
    pub(super) change_count: u64,
    hits: Hits,
    /// Handle and number of each affected instance, by slot.
    pub(super) affected: Vec<(u64, u32)>,
    /// Slots in the order of their handles.
    by_handle: Vec<u32>,
    rows: RowScratch,
    /// What concerns flows.
    pub(super) events: Vec<Event>,
    pub(super) flow: FlowScratch,
    pub(super) rank: RankScratch,
    /// The operations of flows, and where those of each affected instance begin and end.
    pub(super) flow_bytes: Vec<u8>,
    pub(super) flow_ends: Vec<(usize, usize)>,
    /// What the step gave up on, and templates that are over a budget since.
    pub(super) runaways: Vec<Runaway>,
    pub(super) grown: Vec<u32>,
}

/// The parts of the live state that a step works on.
pub(super) struct Step<'a> {
    pub(super) db: &'a Database,
    pub(super) templates: &'a Slab<Template>,
    pub(super) usage: &'a mut [Usage],
    pub(super) ranks: &'a mut HashMap<u32, Watchers, FixedState>,
    pub(super) instances: &'a mut Slab<Instance>,
    pub(super) routers: &'a HashMap<TableId, TableRouter, FixedState>,
    pub(super) hasher: &'a FixedState,
    pub(super) scratch: &'a mut Scratch,
    pub(super) budgets: &'a Budgets,
    pub(super) byte_len: &'a mut usize,
    pub(super) counters: &'a mut Counters,
}

/// Targets of a change that are looked at together.
const TOGETHER: usize = 32;

/// Whether a row passes the filter of an instance, and is not beyond its window. `key` is written over.
fn is_inside(
    (template, plain): (&Template, &Plain),
    instance: &Instance,
    table: &Table,
    row: &[u8],
    key: &mut Vec<u8>,
) -> bool {
    let params = Params {
        layout: &template.param_layout,
        packed: &instance.params,
    };
    let input = Input::one(table.layout(), row, params);
    let filter = plain.filter.as_ref();
    if filter.is_some_and(|filter| filter.truth(&input) != Some(true)) {
        return false;
    }
    match (instance.window(), &plain.window) {
        (Some(window), Some(path)) => {
            index_key(table, path, row, key);
            !window.is_beyond(path, key)
        }
        _ => true,
    }
}

/// Whether a row is updated and keeps all of these columns. `changed` is computed once for a change.
pub(super) fn keeps(
    table: &Table,
    change: Changed<'_>,
    columns: &ColumnSet,
    changed: &mut Option<ColumnSet>,
) -> bool {
    let (Some(old), Some(new)) = (change.old, change.new) else {
        return false;
    };
    let changed = changed.get_or_insert_with(|| changed_columns(table.layout(), old, new));
    changed.is_disjoint(columns)
}

impl Step<'_> {
    /// Routes the changes, then writes what they did to each affected instance.
    pub(super) fn run(mut self, changes: &ChangeSet, out: &mut Deltas) {
        out.clear();
        let failures = failures::count();
        self.counters.commits += 1;
        self.counters.changes += changes.len() as u64;
        let first = self.scratch.change_count + 1;
        let mut place: Option<(TableId, Option<(&Table, &TableRouter)>)> = None;
        for (position, change) in changes.iter().enumerate() {
            self.scratch.change_count += 1;
            let found = match place {
                Some((table, found)) if table == change.table => found,
                _ => {
                    let table = self.db.table(change.table);
                    let found = table.zip(self.routers.get(&change.table));
                    place = Some((change.table, found));
                    found
                }
            };
            if let Some((table, router)) = found {
                self.route(table, router, change, position as u32, first);
            }
        }
        let plain_count = self.scratch.affected.len();
        let mut is_concerned = !self.scratch.hits.all.is_empty();
        if self.has_ranks() {
            self.run_ranks(changes);
            is_concerned = true;
        }
        if !self.scratch.events.is_empty() {
            self.run_flows(changes);
            is_concerned = true;
        }
        if is_concerned {
            let affected = &self.scratch.affected;
            if plain_count == 0 && affected.is_sorted_by_key(|(handle, _)| *handle) {
                self.emit_flows(out);
            } else {
                self.emit(changes, plain_count, out);
            }
        }
        self.counters.failures += failures::count() - failures;
    }

    fn route(
        &mut self,
        table: &Table,
        router: &TableRouter,
        change: Changed<'_>,
        position: u32,
        first: u64,
    ) {
        let mut probe_count = 0;
        let mut changed: Option<ColumnSet> = None;
        let hasher = self.hasher;
        let first_hit = self.scratch.hits.all.len();
        let mut look = |this: &mut Self, targets: &mut SmallVec<[Target<'_>; TOGETHER]>| {
            this.wait_for(targets);
            for target in targets.drain(..) {
                match target {
                    Target::Instance(number, sides) => {
                        let target = (number, sides);
                        this.consider(table, target, change, position, first, &mut changed);
                    }
                    Target::Group(group) => {
                        this.concern(table, group, change, position, &mut changed);
                    }
                }
            }
        };
        let mut targets = SmallVec::new();
        router.route(table.layout(), change, hasher, &mut probe_count, |target| {
            targets.push(target);
            if targets.len() == TOGETHER {
                look(self, &mut targets);
            }
        });
        look(self, &mut targets);
        self.write_shared(table, change, first_hit);
        for &(template, site) in router.free() {
            if site == RANK {
                self.note_move(table, template, change, position, &mut changed);
            } else {
                self.concern_all(table, (template, site), change, position, &mut changed);
            }
        }
        self.counters.probes += probe_count;
    }

    /// Waits for the memory of all targets together, which otherwise each would be waited for after the other.
    fn wait_for(&self, targets: &[Target<'_>]) {
        if targets.len() > 1 {
            let word = |target: &Target<'_>| match target {
                Target::Instance(number, _) => {
                    let instance = self.instances.get(*number);
                    instance.seen ^ u64::from(instance.params.first().copied().unwrap_or_default())
                }
                Target::Group(group) => u64::from(group.site),
            };
            black_box(targets.iter().map(word).fold(0, |seen, word| seen ^ word));
        }
    }

    /// Looks whether a change concerns an instance.
    fn consider(
        &mut self,
        table: &Table,
        (number, sides): (u32, Sides),
        change: Changed<'_>,
        position: u32,
        first: u64,
        changed: &mut Option<ColumnSet>,
    ) {
        let instance = self.instances.get_mut(number);
        let now = self.scratch.change_count;
        if instance.seen == now {
            // What the row was and what it is led here, one after the other.
            if instance.hit == now {
                let hit = &mut self.scratch.hits.all[instance.last_hit as usize];
                hit.was |= hit.is_routed && sides.old;
                hit.is |= hit.is_routed && sides.new;
            }
            return;
        }
        instance.seen = now;
        self.counters.candidates += 1;
        self.usage[instance.template as usize].hits += 1;
        let template = self.templates.get(instance.template);
        let Some(plain) = template.plain() else {
            self.note_subject(table, number, change, position, changed);
            return;
        };
        if keeps(table, change, &plain.reads, changed) {
            return;
        }
        let (was, is) = if plain.is_routed {
            (sides.old, sides.new)
        } else {
            let key = &mut self.scratch.rows.key;
            let mut is_in = |row: &[u8]| is_inside((template, plain), instance, table, row, key);
            let failures = failures::count();
            let was = change.old.is_some_and(&mut is_in);
            let is = if keeps(table, change, &plain.decides, changed) {
                was
            } else {
                change.new.is_some_and(&mut is_in)
            };
            self.usage[instance.template as usize].failures += failures::count() - failures;
            (was, is)
        };
        if !was && !is {
            return;
        }
        let hits = &mut self.scratch.hits.all;
        let slot = if instance.hit < first {
            self.scratch.affected.push((instance.handle, number));
            self.scratch.affected.len() as u32 - 1
        } else {
            hits[instance.last_hit as usize].slot
        };
        instance.hit = now;
        instance.last_hit = hits.len() as u32;
        hits.push(Hit {
            slot,
            change: position,
            was,
            is,
            is_routed: plain.is_routed,
            shared: plain.is_shared.then_some(instance.template),
            ..Hit::default()
        });
    }

    /// Writes what a change becomes for the instances that share it.
    fn write_shared(&mut self, table: &Table, change: Changed<'_>, first_hit: usize) {
        let Self {
            templates,
            usage,
            scratch,
            ..
        } = self;
        let Scratch { hits, rows, .. } = &mut **scratch;
        hits.write_shared(first_hit, |number, hit, out| {
            let template = templates.get(number);
            let failures = failures::count();
            if let (Some(plain), Some(change)) = (template.plain(), row_change(hit, change)) {
                let params = Params {
                    layout: &template.param_layout,
                    packed: &[],
                };
                write_change((template, plain), table, params, change, rows, out);
            }
            usage[number as usize].failures += failures::count() - failures;
        });
    }

    /// Gives out the operations of flows as they lie there. They must be in the order of their handles, which
    /// they are unless numbers of instances were used again.
    fn emit_flows(&mut self, out: &mut Deltas) {
        let scratch = &mut *self.scratch;
        std::mem::swap(out.bytes(), &mut scratch.flow_bytes);
        for ((handle, number), (_, end)) in scratch.affected.iter().zip(&scratch.flow_ends) {
            let template = self.instances.get(*number).template;
            self.usage[template as usize].affected += 1;
            out.close_at(*handle, *end);
        }
        self.counters.affected += out.len() as u64;
        scratch.affected.clear();
        scratch.flow_bytes.clear();
        scratch.flow_ends.clear();
    }

    fn emit(&mut self, changes: &ChangeSet, plain_count: usize, out: &mut Deltas) {
        let mut hits = std::mem::take(&mut self.scratch.hits);
        let mut affected = std::mem::take(&mut self.scratch.affected);
        let mut by_handle = std::mem::take(&mut self.scratch.by_handle);
        hits.order(plain_count);
        // Looked at once for all, if one has several changes.
        let mut are_ordered: Option<bool> = None;
        by_handle.extend(0..affected.len() as u32);
        by_handle.sort_unstable_by_key(|slot| affected[*slot as usize].0);
        for &slot in &by_handle {
            let slot = slot as usize;
            let (handle, number) = affected[slot];
            let template = self.instances.get(number).template;
            self.usage[template as usize].affected += 1;
            if slot >= plain_count {
                let (start, end) = self.scratch.flow_ends[slot - plain_count];
                let ops = &self.scratch.flow_bytes[start..end];
                out.bytes().extend_from_slice(ops);
                out.close(handle);
                continue;
            }
            let own = hits.of(slot);
            if own[0].shared.is_some() {
                let are_ordered = own.len() < 2
                    || *are_ordered.get_or_insert_with(|| are_by_key(self.db, changes));
                let table = changes.get(own[0].change as usize);
                let table = table.and_then(|change| self.db.table(change.table));
                let unordered = table.filter(|_| !are_ordered);
                let unordered = unordered.map(|table| (table, changes));
                hits.put(slot, unordered, out.bytes());
                out.close(handle);
                continue;
            }
            let failures = failures::count();
            self.emit_instance(number, own, changes, out);
            self.usage[template as usize].failures += failures::count() - failures;
            out.close(handle);
        }
        self.counters.affected += out.len() as u64;
        hits.clear();
        affected.clear();
        by_handle.clear();
        let scratch = &mut *self.scratch;
        scratch.flow_bytes.clear();
        scratch.flow_ends.clear();
        (scratch.hits, scratch.affected) = (hits, affected);
        scratch.by_handle = by_handle;
    }

    fn emit_instance(&mut self, number: u32, hits: &[Hit], changes: &ChangeSet, out: &mut Deltas) {
        let instance = self.instances.get_mut(number);
        let template = self.templates.get(instance.template);
        let Some(plain) = template.plain() else {
            return;
        };
        let table = self.db.table(plain.table).expect("its rows just changed");
        let allowance;
        let mut rows: RowChanges<'_> = hits
            .iter()
            .filter_map(|hit| row_change(hit, changes.get(hit.change as usize)?))
            .collect();
        if rows.len() > 1 {
            let key = &table.def().primary_key;
            rows.sort_by(|one, other| compare_columns(table.layout(), key, one.keyed, other.keyed));
        }
        let params = Params {
            layout: &template.param_layout,
            packed: &instance.params,
        };
        if let (Memory::Window(window), Some(path)) = (&mut instance.memory, &plain.window) {
            let usage = &mut self.usage[instance.template as usize];
            let looked_at = usage.looked_at(self.counters.commits);
            allowance = Allowance::new(self.budgets.step_rows.saturating_sub(*looked_at));
            let view = View {
                table,
                filter: plain.filter.as_ref(),
                path,
                params,
                rows: &allowance,
            };
            window.step(view, &mut rows);
            *looked_at = self.budgets.step_rows - allowance.left();
            if allowance.is_over() {
                let (template, instances) = (instance.template, Some(vec![number]));
                self.scratch.runaways.push(Runaway {
                    template,
                    instances,
                });
                return;
            }
        }
        let bytes = out.bytes();
        for change in &rows {
            write_change(
                (template, plain),
                table,
                params,
                *change,
                &mut self.scratch.rows,
                bytes,
            );
        }
    }
}
