//! The part of a step that concerns ranks.

use smallvec::SmallVec;
use syncline_protocol::message::{DeltaOp, DeltaWriter};
use syncline_protocol::{ChangeSet, Changed};
use syncline_store::Table;

use super::plan::Rank;
use super::watchers::Cut;
use crate::live::instance::Memory;
use crate::live::step::{Scratch, Step, keeps};
use crate::live::template::Template;
use crate::plan::expr::{ColumnSet, Params};
use crate::row::write_difference;

/// Memory that a step uses and the next one uses again.
#[derive(Debug, Default)]
pub(in crate::live) struct RankScratch {
    /// Templates and changed rows that their watchers may count.
    moved: Vec<(u32, u32)>,
    subjects: Vec<SubjectChange>,
    cuts: Vec<Cut>,
    /// Of a result row, as it was and as it is.
    old: Vec<u8>,
    new: Vec<u8>,
}

/// A changed row that was or is the subject of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SubjectChange {
    template: u32,
    instance: u32,
    /// In the change set.
    change: u32,
    was: bool,
}

impl RankScratch {
    /// Fills in where the counts of a template's watchers change.
    fn cut(&mut self, rank: &Rank, table: &Table, number: u32, changes: &ChangeSet) {
        self.cuts.clear();
        let start = self.moved.partition_point(|(own, _)| *own < number);
        let own = self.moved[start..].iter();
        for (_, position) in own.take_while(|(own, _)| *own == number) {
            let Some(change) = changes.get(*position as usize) else {
                continue;
            };
            for (row, change) in [(change.old, -1), (change.new, 1)] {
                if let Some(row) = row {
                    rank.add_cuts(table, row, change, &mut self.cuts);
                }
            }
        }
    }
}

impl Step<'_> {
    /// Notes that a changed row may be counted by the watchers of a template.
    pub(in crate::live) fn note_move(
        &mut self,
        table: &Table,
        template: u32,
        change: Changed<'_>,
        position: u32,
        changed: &mut Option<ColumnSet>,
    ) {
        let Some(rank) = self.templates.get(template).rank() else {
            return;
        };
        if !keeps(table, change, &rank.counted_reads, changed) {
            self.scratch.rank.moved.push((template, position));
        }
    }

    /// Notes that a changed row may be the subject of an instance.
    pub(in crate::live) fn note_subject(
        &mut self,
        table: &Table,
        number: u32,
        change: Changed<'_>,
        position: u32,
        changed: &mut Option<ColumnSet>,
    ) {
        let instance = self.instances.get(number);
        let template = self.templates.get(instance.template);
        let Some(rank) = template.rank() else { return };
        if keeps(table, change, &rank.subject_reads, changed) {
            return;
        }
        let params = params_of(template, &instance.params);
        let is_own = |row: &[u8]| rank.is_subject(table, row, params);
        let was = change.old.is_some_and(is_own);
        if was || change.new.is_some_and(is_own) {
            self.scratch.rank.subjects.push(SubjectChange {
                template: instance.template,
                instance: number,
                change: position,
                was,
            });
        }
    }

    /// Whether a change concerns a rank.
    pub(in crate::live) fn has_ranks(&self) -> bool {
        !self.scratch.rank.moved.is_empty() || !self.scratch.rank.subjects.is_empty()
    }

    /// Brings all ranks that the changes concern to the state after them.
    pub(in crate::live) fn run_ranks(&mut self, changes: &ChangeSet) {
        let mut scratch = std::mem::take(&mut self.scratch.rank);
        scratch.moved.sort_unstable();
        scratch.subjects.sort_unstable();
        let moved = scratch.moved.iter().map(|(template, _)| *template);
        let subjects = scratch.subjects.iter().map(|subject| subject.template);
        let mut templates: Vec<u32> = moved.chain(subjects).collect();
        templates.sort_unstable();
        templates.dedup();
        for number in templates {
            self.run_rank(number, changes, &mut scratch);
        }
        scratch.moved.clear();
        scratch.subjects.clear();
        self.scratch.rank = scratch;
    }

    fn run_rank(&mut self, number: u32, changes: &ChangeSet, scratch: &mut RankScratch) {
        let template = self.templates.get(number);
        let (db, Some(rank)) = (self.db, template.rank()) else {
            return;
        };
        let (Some(watchers), Some(counted)) = (self.ranks.get_mut(&number), db.table(rank.counted))
        else {
            return;
        };
        let from = scratch
            .subjects
            .partition_point(|own| own.template < number);
        let to = scratch
            .subjects
            .partition_point(|own| own.template <= number);
        scratch.cut(rank, counted, number, changes);
        let subjects = &scratch.subjects[from..to];
        let own = |one: &SubjectChange, other: &SubjectChange| one.instance == other.instance;
        // Those whose subject changed are counted anew, after the others.
        let mut counts = Vec::new();
        for same in subjects.chunk_by(own) {
            let instance = self.instances.get(same[0].instance);
            let Memory::Place(place) = &instance.memory else {
                continue;
            };
            let count = place.key.as_ref().map(|key| {
                let count = watchers.remove(key, same[0].instance);
                count.expect("who has a place watches it")
            });
            counts.push(count.unwrap_or(0));
        }
        let (instances, shared) = (&mut *self.instances, &mut *self.scratch);
        let mut hits = 0;
        watchers.sweep(&mut scratch.cuts, |watcher, old, new| {
            hits += 1;
            let instance = instances.get(watcher);
            let params = params_of(template, &instance.params);
            let subject = rank.shows_subject().then(|| rank.subject_row(db, params));
            let subject = subject.flatten();
            let was = rank.write(db, subject, old, params, &mut scratch.old);
            let is = rank.write(db, subject, new, params, &mut scratch.new);
            let start = shared.flow_bytes.len();
            let rows = (was.then_some(&scratch.old), is.then_some(&scratch.new));
            write_op(template, rows, &mut shared.flow_bytes);
            close(shared, start, (instance.handle, watcher));
        });
        self.usage[number as usize].hits += hits;
        self.counters.candidates += hits;
        for (same, count) in subjects.chunk_by(own).zip(counts) {
            let watcher = same[0].instance;
            let instance = instances.get_mut(watcher);
            let params = params_of(template, &instance.params);
            let old = same.iter().find(|change| change.was);
            let old = old.and_then(|change| changes.get(change.change as usize)?.old);
            let was = rank.write(db, old, count, params, &mut scratch.old);
            let subject = rank.subject_row(db, params);
            let place = rank.watch(db, subject, params);
            let is = rank.write(db, subject, place.first_count, params, &mut scratch.new);
            if let Some(key) = &place.key {
                watchers.insert(key, watcher, place.first_count);
            }
            let start = shared.flow_bytes.len();
            let rows = (was.then_some(&scratch.old), is.then_some(&scratch.new));
            write_op(template, rows, &mut shared.flow_bytes);
            close(shared, start, (instance.handle, watcher));
            instance.memory = Memory::Place(Box::new(place));
        }
    }
}

/// What was appended since `start` are the operations of an instance; nothing is no delta.
fn close(scratch: &mut Scratch, start: usize, instance: (u64, u32)) {
    let end = scratch.flow_bytes.len();
    if end > start {
        scratch.affected.push(instance);
        scratch.flow_ends.push((start, end));
    }
}

fn params_of<'i>(template: &'i Template, packed: &'i [u8]) -> Params<'i> {
    Params {
        layout: &template.param_layout,
        packed,
    }
}

/// Appends the operation that turns one result row into another, if they differ.
fn write_op(template: &Template, rows: (Option<&Vec<u8>>, Option<&Vec<u8>>), out: &mut Vec<u8>) {
    let layout = &template.result_layout;
    let key_of = |row: &[u8]| {
        let mut key = SmallVec::<[u8; 64]>::new();
        for column in &template.description.key {
            key.extend_from_slice(layout.column(row, usize::from(*column)));
        }
        key
    };
    match rows {
        (None, None) => {}
        (None, Some(row)) => DeltaWriter::new(out).push(DeltaOp::Insert { row }),
        (Some(row), None) => {
            DeltaWriter::new(out).push(DeltaOp::Delete { key: &key_of(row) });
        }
        (Some(old), Some(new)) => {
            let key = key_of(new);
            if key_of(old) != key {
                write_op(template, (Some(old), None), out);
                write_op(template, (None, Some(new)), out);
                return;
            }
            let start = out.len();
            DeltaWriter::new(out).push(DeltaOp::Update {
                key: &key,
                mask: &[],
                values: &[],
            });
            if !write_difference(layout, old, new, out) {
                out.truncate(start);
            }
        }
    }
}
