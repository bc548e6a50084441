//! GROUP BY: the groups of one query of one instance.
//!
//! The input rows have the group's keys first, then the arguments of the calls, as [`GroupPlan`] says.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use smallvec::SmallVec;
use syncline_protocol::{RowLayout, Type};

use super::accumulator::Accumulator;
use crate::flow::mutant::Mutant;
use crate::flow::zset::first_columns;
use crate::plan::{AggregateCall, Grouping};
use crate::row::next_column;

/// A longer key of a group is beside it.
const KEY_BYTES_INSIDE: usize = 16;

/// How rows are grouped.
#[derive(Debug)]
pub(crate) struct GroupPlan {
    key_count: usize,
    calls: Vec<AggregateCall>,
    /// Of the input: keys, then the argument of each call that has one.
    input: RowLayout,
}

/// The groups that have rows, and without keys the only one.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    table: HashTable<Group>,
    hasher: FixedState,
    key_bytes: usize,
}

#[derive(Debug)]
struct Group {
    /// With the figures in one place: a group that is touched is out of the caches.
    key: SmallVec<[u8; KEY_BYTES_INSIDE]>,
    row_count: i64,
    /// The step that touched it last, and its row before that among the step's.
    stamp: u64,
    accumulators: SmallVec<[Accumulator; 2]>,
}

/// Memory that a step uses and the next one uses again.
#[derive(Debug, Default)]
pub(crate) struct GroupScratch {
    bytes: Vec<u8>,
    new: Vec<u8>,
}

/// A touched group: its key and what its row was, as ranges of a buffer.
#[derive(Clone, Copy, Debug)]
struct Touched {
    key: (usize, usize),
    old: Option<(usize, usize)>,
}

impl GroupPlan {
    pub(crate) fn new(grouping: &Grouping) -> Self {
        let keys = grouping.keys.iter().map(|(_, ty)| ty.clone());
        let args = grouping.calls.iter().filter(|call| call.arg.is_some());
        let types: Vec<Type> = keys.chain(args.map(|call| call.arg_ty.clone())).collect();
        Self {
            key_count: grouping.keys.len(),
            calls: grouping.calls.clone(),
            input: RowLayout::new(types),
        }
    }

    pub(crate) fn has_keys(&self) -> bool {
        self.key_count > 0
    }

    fn write_row(&self, group: &Group, out: &mut Vec<u8>) {
        out.extend_from_slice(&group.key);
        for (accumulator, call) in group.accumulators.iter().zip(&self.calls) {
            accumulator.result(call).write(&call.ty, out);
        }
    }
}

impl Groups {
    /// The only group, if there are no keys.
    pub(crate) fn new(plan: &GroupPlan) -> Self {
        let mut groups = Self::default();
        if !plan.has_keys() {
            groups.find(plan, &[]);
        }
        groups
    }

    fn find(&mut self, plan: &GroupPlan, key: &[u8]) -> &mut Group {
        let Self {
            table,
            hasher,
            key_bytes,
        } = self;
        table
            .entry(
                hasher.hash_one(key),
                |group| *group.key == *key,
                |group| hasher.hash_one(&*group.key),
            )
            .or_insert_with(|| {
                *key_bytes += key.len().saturating_sub(KEY_BYTES_INSIDE);
                Group {
                    key: SmallVec::from_slice(key),
                    row_count: 0,
                    stamp: 0,
                    accumulators: plan.calls.iter().map(Accumulator::new).collect(),
                }
            })
            .into_mut()
    }

    /// Looks at the group of a row, so that it is at hand; anything but zero if there is one.
    pub(crate) fn glance(&self, plan: &GroupPlan, row: &[u8]) -> i64 {
        let key = first_columns(&plan.input, row, plan.key_count);
        let found = self
            .table
            .find(self.hasher.hash_one(key), |group| *group.key == *key);
        found.map_or(0, |group| group.row_count)
    }

    /// Calls `visit` with the row of each group.
    pub(crate) fn rows(&self, plan: &GroupPlan, mut visit: impl FnMut(&[u8])) {
        let mut row = Vec::new();
        for group in &self.table {
            row.clear();
            plan.write_row(group, &mut row);
            visit(&row);
        }
    }

    /// Adds a row with a weight.
    pub(crate) fn add(&mut self, plan: &GroupPlan, row: &[u8], weight: i64) {
        let key = first_columns(&plan.input, row, plan.key_count);
        let group = self.find(plan, key);
        group.add(plan, &row[key.len()..], weight);
    }

    /// Adds rows with weights; `emit` gets the row of each group that this changes, as it was and as it is.
    /// `step` is a number that no other call on these groups has.
    pub(crate) fn step<'z>(
        &mut self,
        plan: &GroupPlan,
        step: u64,
        rows: impl Iterator<Item = (i32, &'z [u8])>,
        GroupScratch { bytes, new }: &mut GroupScratch,
        mut emit: impl FnMut(i32, &[u8]),
    ) {
        bytes.clear();
        let mut touched: SmallVec<[Touched; 4]> = SmallVec::new();
        for (weight, row) in rows {
            let key = first_columns(&plan.input, row, plan.key_count);
            let group = self.find(plan, key);
            if group.stamp != step {
                group.stamp = step;
                let start = bytes.len();
                bytes.extend_from_slice(key);
                let middle = bytes.len();
                let shows = group.row_count > 0 || !plan.has_keys();
                if shows {
                    plan.write_row(group, bytes);
                }
                touched.push(Touched {
                    key: (start, middle),
                    old: shows.then_some((middle, bytes.len())),
                });
            }
            group.add(plan, &row[key.len()..], weight.into());
        }
        for one in touched {
            let key = &bytes[one.key.0..one.key.1];
            let old = one.old.map(|(start, end)| &bytes[start..end]);
            let group = self.find(plan, key);
            assert!(group.row_count >= 0, "only rows that are there can go");
            let shows = group.row_count > 0 || !plan.has_keys() || Mutant::EmptyGroup.is_on();
            new.clear();
            if shows {
                plan.write_row(group, new);
            } else {
                self.remove(key);
            }
            if old != shows.then_some(new.as_slice()) {
                if let Some(old) = old {
                    emit(-1, old);
                }
                if shows {
                    emit(1, new);
                }
            }
        }
    }

    fn remove(&mut self, key: &[u8]) {
        let hash = self.hasher.hash_one(key);
        if let Ok(entry) = self.table.find_entry(hash, |group| *group.key == *key) {
            entry.remove();
            self.key_bytes -= key.len().saturating_sub(KEY_BYTES_INSIDE);
        }
    }

    pub(crate) fn byte_len(&self) -> usize {
        let groups = self.table.capacity() * (size_of::<Group>() + 1) + self.key_bytes;
        let inner = |group: &Group| -> usize {
            let lens = group.accumulators.iter().map(Accumulator::byte_len);
            lens.sum()
        };
        // All groups have the same calls: one of them tells.
        let beside = |group: &Group| {
            let spilled = group.accumulators.spilled();
            usize::from(spilled) * group.accumulators.capacity() * size_of::<Accumulator>()
        };
        let first = self.table.iter().next();
        groups + first.map_or(0, |group| inner(group) + beside(group)) * self.table.len()
    }
}

impl Group {
    fn add(&mut self, plan: &GroupPlan, mut args: &[u8], weight: i64) {
        self.row_count += weight;
        for (accumulator, call) in self.accumulators.iter_mut().zip(&plan.calls) {
            let packed = call
                .arg
                .is_some()
                .then(|| next_column(&call.arg_ty, &mut args));
            accumulator.add(packed, call, weight);
        }
    }
}
