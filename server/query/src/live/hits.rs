//! What a step finds out about the results of plain templates before it is written.

use smallvec::SmallVec;
use syncline_protocol::message::{DeltaOp, DeltaWriter};
use syncline_protocol::{ChangeSet, Changed};
use syncline_store::{Database, Table};

use super::deltas::KEPT_BYTES_MAX;
use super::plain::Plain;
use super::template::Template;
use super::window::RowChange;
use crate::plan::expr::{Input, Params};
use crate::row::{compare_columns, write_difference};

/// What a step remembers of a change that concerns an instance.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hit {
    /// Among the affected instances.
    pub(super) slot: u32,
    /// In the change set.
    pub(super) change: u32,
    /// Whether the row was in the result, and whether it is.
    pub(super) was: bool,
    pub(super) is: bool,
    /// Whether that is known from the way that the row led here alone.
    pub(super) is_routed: bool,
    /// Of a template whose instances share what is written: its number.
    pub(super) shared: Option<u32>,
    /// What is written, once it is: among the shared operations.
    pub(super) op: u32,
}

/// The hits of a step.
#[derive(Debug, Default)]
pub(super) struct Hits {
    /// In the order of the changes.
    pub(super) all: Vec<Hit>,
    /// Those of each slot follow each other, in the order of the changes.
    by_slot: Vec<Hit>,
    /// By slot, where its hits begin, and one more.
    starts: Vec<u32>,
    ops: SharedOps,
}

/// So many operations of a change are looked at for the one that a hit shares. What is not found is written again.
const LOOKED_AT: usize = 16;

/// Operations of changed rows that are the same for all instances of a template that they concern.
#[derive(Debug, Default)]
struct SharedOps {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
    /// Those of one change: template, whether the row was in the result and whether it is, number.
    current: Vec<(u32, (bool, bool), u32)>,
}

/// Buffers that rows are written to.
#[derive(Debug, Default)]
pub(super) struct RowScratch {
    pub(super) key: Vec<u8>,
    old: Vec<u8>,
    new: Vec<u8>,
}

impl Hits {
    /// Puts the hits of each of so many slots one after the other.
    pub(super) fn order(&mut self, slots: usize) {
        let Self {
            all,
            by_slot,
            starts,
            ..
        } = self;
        starts.clear();
        starts.resize(slots + 1, 0);
        for hit in &*all {
            starts[hit.slot as usize] += 1;
        }
        let mut end = 0;
        for start in &mut *starts {
            end += *start;
            *start = end;
        }
        by_slot.resize(all.len(), Hit::default());
        // From the last to the first, so that those of a slot keep their order and each start ends where it belongs.
        for hit in all.iter().rev() {
            let at = &mut starts[hit.slot as usize];
            *at -= 1;
            by_slot[*at as usize] = *hit;
        }
    }

    /// The hits of a slot.
    pub(super) fn of(&self, slot: usize) -> &[Hit] {
        &self.by_slot[self.starts[slot] as usize..self.starts[slot + 1] as usize]
    }

    /// Appends what was written for the hits of a slot, all of which share it, in the order of the keys.
    pub(super) fn put(
        &self,
        slot: usize,
        unordered: Option<(&Table, &ChangeSet)>,
        out: &mut Vec<u8>,
    ) {
        let put = |hit: &Hit| out.extend_from_slice(self.ops.get(hit.op));
        let Some((table, changes)) = unordered else {
            return self.of(slot).iter().for_each(put);
        };
        let keyed = |hit: &Hit| {
            let change = changes.get(hit.change as usize);
            change
                .and_then(|change| change.new.or(change.old))
                .unwrap_or_default()
        };
        let mut own: SmallVec<[Hit; 8]> = self.of(slot).into();
        let (layout, key) = (table.layout(), &table.def().primary_key);
        own.sort_by(|one, other| compare_columns(layout, key, keyed(one), keyed(other)));
        own.iter().for_each(put);
    }

    /// Writes what a change becomes for the hits from this one on, once for all that share it: `write` appends it
    /// for a template of these.
    pub(super) fn write_shared(
        &mut self,
        first: usize,
        mut write: impl FnMut(u32, &Hit, &mut Vec<u8>),
    ) {
        let Self { all, ops, .. } = self;
        ops.current.clear();
        for hit in &mut all[first..] {
            let Some(template) = hit.shared else { continue };
            let kind = (hit.was, hit.is);
            let mut known = ops.current.iter().rev().take(LOOKED_AT);
            let known = known.find(|(own, other, _)| (*own, *other) == (template, kind));
            hit.op = if let Some((.., op)) = known {
                *op
            } else {
                write(template, hit, &mut ops.bytes);
                ops.close(template, kind)
            };
        }
    }

    pub(super) fn clear(&mut self) {
        for hits in [&mut self.all, &mut self.by_slot] {
            hits.clear();
            hits.shrink_to(KEPT_BYTES_MAX / size_of::<Hit>());
        }
        self.ops.bytes.clear();
        self.ops.bytes.shrink_to(KEPT_BYTES_MAX);
        self.ops.ends.clear();
        self.ops.ends.shrink_to(KEPT_BYTES_MAX / size_of::<usize>());
    }
}

impl SharedOps {
    fn close(&mut self, template: u32, kind: (bool, bool)) -> u32 {
        let number = self.ends.len() as u32;
        self.ends.push(self.bytes.len());
        self.current.push((template, kind, number));
        number
    }

    fn get(&self, number: u32) -> &[u8] {
        let number = number as usize;
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[number]]
    }
}

/// What a hit of a change means to a result.
pub(super) fn row_change<'a>(hit: &Hit, change: Changed<'a>) -> Option<RowChange<'a>> {
    Some(RowChange {
        keyed: change.new.or(change.old)?,
        old: change.old.filter(|_| hit.was),
        new: change.new.filter(|_| hit.is),
    })
}

/// Whether the changes of each table come in the order of their keys.
pub(super) fn are_by_key(db: &Database, changes: &ChangeSet) -> bool {
    let mut changes = changes.iter();
    let mut before = changes.next();
    changes.all(|change| {
        let last = before.replace(change);
        let rows = last.filter(|last| last.table == change.table);
        let rows = rows.and_then(|last| last.new.or(last.old).zip(change.new.or(change.old)));
        rows.is_none_or(|(last, next)| {
            let table = db.table(change.table);
            table.is_some_and(|table| {
                compare_columns(table.layout(), &table.def().primary_key, last, next).is_lt()
            })
        })
    })
}

/// Appends the operation of one changed row, if anything that shows has changed.
pub(super) fn write_change(
    (template, plain): (&Template, &Plain),
    table: &Table,
    params: Params<'_>,
    change: RowChange<'_>,
    scratch: &mut RowScratch,
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
            let row = result(new, &mut scratch.new);
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
            let old = result(old, &mut scratch.old);
            let new = result(new, &mut scratch.new);
            if !write_difference(&template.result_layout, old, new, out) {
                out.truncate(start);
            }
        }
        (None, None) => {}
    }
}
