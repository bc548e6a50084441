//! One transaction against all instances.

use std::hint::black_box;

use foldhash::quality::FixedState;
use hashbrown::HashMap;
use smallvec::SmallVec;
use syncline_protocol::message::{DeltaOp, DeltaWriter};
use syncline_protocol::{ChangeSet, Changed, TableId};
use syncline_store::{Database, Table};

use super::Counters;
use super::budget::Budgets;
use super::deltas::Deltas;
use super::explain::Usage;
use super::instance::{Instance, Memory};
use super::plain::Plain;
use super::rank::{RANK, RankScratch, Watchers};
use super::settle::Runaway;
use super::template::Template;
use super::window::{Allowance, RowChange, RowChanges, View};
use crate::execute::exact::index_key;
use crate::failures;
use crate::flow::{Event, FlowScratch};
use crate::plan::expr::{ColumnSet, Input, Params};
use crate::router::{TableRouter, Target};
use crate::row::{changed_columns, compare_columns, write_difference};
use crate::slab::Slab;

/// What a step remembers of a change that concerns an instance.
#[derive(Clone, Copy, Debug)]
struct Hit {
    /// Among the affected instances.
    slot: u32,
    /// In the change set.
    change: u32,
    /// Whether the row was in the result, and whether it is.
    was: bool,
    is: bool,
}

/// Memory that a step uses and the next one uses again.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// Changes seen in all steps so far.
    pub(super) change_count: u64,
    hits: Vec<Hit>,
    /// Handle and number of each affected instance, by slot.
    pub(super) affected: Vec<(u64, u32)>,
    /// Slots in the order of their handles.
    by_handle: Vec<u32>,
    /// By slot, where its hits begin.
    starts: Vec<u32>,
    key: Vec<u8>,
    old_row: Vec<u8>,
    new_row: Vec<u8>,
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

/// Whether a row passes the filter of a template.
fn passes(
    (template, plain): (&Template, &Plain),
    table: &Table,
    row: &[u8],
    params: &[u8],
) -> bool {
    let params = Params {
        layout: &template.param_layout,
        packed: params,
    };
    let input = Input::one(table.layout(), row, params);
    plain
        .filter
        .as_ref()
        .is_none_or(|filter| filter.truth(&input) == Some(true))
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
        let mut is_concerned = !self.scratch.hits.is_empty();
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
        let mut targets: SmallVec<[Target<'_>; 32]> = SmallVec::new();
        let push = |target| targets.push(target);
        router.route(table.layout(), change, hasher, &mut probe_count, push);
        self.wait_for(&targets);
        for target in targets {
            match target {
                Target::Instance(number) => {
                    self.consider(table, number, change, position, first, &mut changed);
                }
                Target::Group(group) => self.concern(table, group, change, position, &mut changed),
            }
        }
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
                Target::Instance(number) => {
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
        number: u32,
        change: Changed<'_>,
        position: u32,
        first: u64,
        changed: &mut Option<ColumnSet>,
    ) {
        let instance = self.instances.get_mut(number);
        let now = self.scratch.change_count;
        if instance.seen == now {
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
        let mut is_decided = false;
        if let (Some(old), Some(new)) = (change.old, change.new) {
            let changed = changed.get_or_insert_with(|| changed_columns(table.layout(), old, new));
            if changed.is_disjoint(&plain.reads) {
                return;
            }
            is_decided = changed.is_disjoint(&plain.decides);
        }
        let key = &mut self.scratch.key;
        let mut is_in = |row: &[u8]| {
            if !passes((template, plain), table, row, &instance.params) {
                return false;
            }
            match (instance.window(), &plain.window) {
                (Some(window), Some(path)) => {
                    index_key(table, path, row, key);
                    !window.is_beyond(path, key)
                }
                _ => true,
            }
        };
        let failures = failures::count();
        let was = change.old.is_some_and(&mut is_in);
        let is = match is_decided {
            true => was,
            false => change.new.is_some_and(&mut is_in),
        };
        self.usage[instance.template as usize].failures += failures::count() - failures;
        if !was && !is {
            return;
        }
        if instance.hit < first {
            instance.slot = self.scratch.affected.len() as u32;
            self.scratch.affected.push((instance.handle, number));
        }
        instance.hit = now;
        self.scratch.hits.push(Hit {
            slot: instance.slot,
            change: position,
            was,
            is,
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
        let mut starts = std::mem::take(&mut self.scratch.starts);
        if affected.len() > 1 {
            hits.sort_unstable_by_key(|hit| (hit.slot, hit.change));
        }
        for (position, hit) in hits.iter().enumerate() {
            if hit.slot as usize == starts.len() {
                starts.push(position as u32);
            }
        }
        starts.push(hits.len() as u32);
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
            let own = &hits[starts[slot] as usize..starts[slot + 1] as usize];
            let failures = failures::count();
            self.emit_instance(number, own, changes, out);
            self.usage[template as usize].failures += failures::count() - failures;
            out.close(handle);
        }
        self.counters.affected += out.len() as u64;
        hits.clear();
        affected.clear();
        by_handle.clear();
        starts.clear();
        let scratch = &mut *self.scratch;
        scratch.flow_bytes.clear();
        scratch.flow_ends.clear();
        (scratch.hits, scratch.affected) = (hits, affected);
        (scratch.by_handle, scratch.starts) = (by_handle, starts);
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
            .filter_map(|hit| {
                let change = changes.get(hit.change as usize)?;
                Some(RowChange {
                    keyed: change.new.or(change.old)?,
                    old: change.old.filter(|_| hit.was),
                    new: change.new.filter(|_| hit.is),
                })
            })
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
                self.scratch,
                bytes,
            );
        }
    }
}

/// Appends the operation of one changed row, if anything that shows has changed.
fn write_change(
    (template, plain): (&Template, &Plain),
    table: &Table,
    params: Params<'_>,
    change: RowChange<'_>,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) {
    let layout = table.layout();
    let result = |row, buffer| {
        plain
            .projection
            .apply(&Input::one(layout, row, params), buffer)
    };
    match (change.old, change.new) {
        (None, Some(new)) => {
            let row = result(new, &mut scratch.new_row);
            DeltaWriter::new(out).push(DeltaOp::Insert { row });
        }
        (Some(old), None) => {
            scratch.key.clear();
            layout.project(old, &table.def().primary_key, &mut scratch.key);
            DeltaWriter::new(out).push(DeltaOp::Delete { key: &scratch.key });
        }
        (Some(old), Some(new)) => {
            let start = out.len();
            scratch.key.clear();
            layout.project(new, &table.def().primary_key, &mut scratch.key);
            DeltaWriter::new(out).push(DeltaOp::Update {
                key: &scratch.key,
                mask: &[],
                values: &[],
            });
            let old = result(old, &mut scratch.old_row);
            let new = result(new, &mut scratch.new_row);
            if !write_difference(&template.result_layout, old, new, out) {
                out.truncate(start);
            }
        }
        (None, None) => {}
    }
}
