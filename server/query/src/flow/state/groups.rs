//! GROUP BY: the groups of one query of one instance.
//!
//! The input rows have the group's keys first, then the arguments of the calls, as [`GroupPlan`] says.

use std::hash::BuildHasher;
use std::iter::Peekable;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use smallvec::SmallVec;
use syncline_protocol::{RowLayout, Type};

use super::accumulator::Accumulator;
use crate::flow::mutant::Mutant;
use crate::flow::zset::first_columns;
use crate::plan::{Aggregate, AggregateCall, Grouping};
use crate::scalar::{Scalar, is_nullable};

/// A longer key of a group is beside it.
const KEY_BYTES_INSIDE: usize = 16;
/// So many groups are found by looking at each: most instances have fewer, and a table would be two more
/// places in memory to wait for.
const FEW: usize = 8;

/// How rows are grouped.
#[derive(Debug)]
pub(crate) struct GroupPlan {
    key_count: usize,
    calls: Vec<Call>,
    /// Of the input: keys, then the argument of each call that has one.
    input: RowLayout,
}

#[derive(Debug)]
struct Call {
    call: AggregateCall,
    /// It counts every row of the group, which the group does anyway.
    is_row_count: bool,
}

/// The groups that have rows, and without keys the only one.
#[derive(Debug)]
pub(crate) struct Groups {
    store: Store,
    /// What the groups have beside themselves: long keys, and what their accumulators keep.
    beside_bytes: usize,
}

#[derive(Debug)]
enum Store {
    Few(Vec<Group>),
    Many(HashTable<Group>),
}

#[derive(Debug)]
struct Group {
    /// With the figures in one place: a group that is touched is out of the caches.
    key: SmallVec<[u8; KEY_BYTES_INSIDE]>,
    row_count: i64,
    /// Of the calls that do not count the group's rows.
    accumulators: SmallVec<[Accumulator; 1]>,
}

/// Memory that a step uses and the next one uses again.
#[derive(Debug, Default)]
pub(crate) struct GroupScratch {
    old: Vec<u8>,
    new: Vec<u8>,
}

impl GroupPlan {
    pub(crate) fn new(grouping: &Grouping) -> Self {
        let keys = grouping.keys.iter().map(|(_, ty)| ty.clone());
        let args = grouping.calls.iter().filter(|call| call.arg.is_some());
        let types: Vec<Type> = keys.chain(args.map(|call| call.arg_ty.clone())).collect();
        let calls = grouping.calls.iter().map(|call| Call {
            call: call.clone(),
            is_row_count: call.function == Aggregate::Count
                && !call.distinct
                && (call.arg.is_none() || !is_nullable(&call.arg_ty)),
        });
        Self {
            key_count: grouping.keys.len(),
            calls: calls.collect(),
            input: RowLayout::new(types),
        }
    }

    pub(crate) fn has_keys(&self) -> bool {
        self.key_count > 0
    }

    fn new_group(&self, key: &[u8]) -> Group {
        let kept = self.calls.iter().filter(|call| !call.is_row_count);
        Group {
            key: SmallVec::from_slice(key),
            row_count: 0,
            accumulators: kept.map(|call| Accumulator::new(&call.call)).collect(),
        }
    }

    fn shows(&self, group: &Group) -> bool {
        group.row_count > 0 || !self.has_keys()
    }

    fn write_row(&self, group: &Group, out: &mut Vec<u8>) {
        out.extend_from_slice(&group.key);
        let mut kept = 0;
        for Call { call, is_row_count } in &self.calls {
            if *is_row_count {
                Scalar::Int(group.row_count.into()).write(&call.ty, out);
            } else {
                group.accumulators[kept].result(call).write(&call.ty, out);
                kept += 1;
            }
        }
    }
}

fn hash(key: &[u8]) -> u64 {
    FixedState::default().hash_one(key)
}

fn position(groups: &[Group], key: &[u8]) -> Option<usize> {
    groups.iter().position(|group| *group.key == *key)
}

impl Groups {
    /// The only group, if there are no keys.
    pub(crate) fn new(plan: &GroupPlan) -> Self {
        let mut groups = Self {
            store: Store::Few(Vec::new()),
            beside_bytes: 0,
        };
        if !plan.has_keys() {
            groups.find(plan, &[]);
        }
        groups
    }

    /// The group with a key, a new one if there is none.
    fn find(&mut self, plan: &GroupPlan, key: &[u8]) -> &mut Group {
        if let Store::Few(few) = &mut self.store
            && few.len() == FEW
            && position(few, key).is_none()
        {
            let mut table = HashTable::with_capacity(FEW * 2);
            for group in few.drain(..) {
                table.insert_unique(hash(&group.key), group, |group| hash(&group.key));
            }
            self.store = Store::Many(table);
        }
        let beside_bytes = &mut self.beside_bytes;
        let mut new_group = || {
            let group = plan.new_group(key);
            *beside_bytes += group.beside_bytes();
            group
        };
        match &mut self.store {
            Store::Few(few) => {
                let at = position(few, key).unwrap_or_else(|| {
                    // A handful of groups is all that most instances ever have.
                    few.reserve_exact(
                        usize::from(few.len() == few.capacity()) * (1 + few.len() / 2),
                    );
                    few.push(new_group());
                    few.len() - 1
                });
                &mut few[at]
            }
            Store::Many(table) => table
                .entry(
                    hash(key),
                    |group| *group.key == *key,
                    |group| hash(&group.key),
                )
                .or_insert_with(new_group)
                .into_mut(),
        }
    }

    /// Looks at the group of a row, so that it is at hand; anything but zero if there is one.
    pub(crate) fn glance(&self, plan: &GroupPlan, row: &[u8]) -> i64 {
        let key = first_columns(&plan.input, row, plan.key_count);
        let found = match &self.store {
            Store::Few(few) => few.iter().find(|group| *group.key == *key),
            Store::Many(table) => table.find(hash(key), |group| *group.key == *key),
        };
        found.map_or(0, |group| group.row_count)
    }

    fn iter(&self) -> impl Iterator<Item = &Group> {
        let (few, many) = match &self.store {
            Store::Few(few) => (few.as_slice(), None),
            Store::Many(table) => (&[][..], Some(table)),
        };
        few.iter().chain(many.into_iter().flatten())
    }

    /// Calls `visit` with the row of each group.
    pub(crate) fn rows(&self, plan: &GroupPlan, mut visit: impl FnMut(&[u8])) {
        let mut row = Vec::new();
        for group in self.iter() {
            row.clear();
            plan.write_row(group, &mut row);
            visit(&row);
        }
    }

    /// Adds a row with a weight.
    pub(crate) fn add(&mut self, plan: &GroupPlan, row: &[u8], weight: i64) {
        let key = first_columns(&plan.input, row, plan.key_count);
        let group = self.find(plan, key);
        let before = group.beside_bytes();
        group.add(plan, row, weight);
        let after = group.beside_bytes();
        self.beside_bytes = self.beside_bytes + after - before;
    }

    /// Adds rows with weights, in the order of their bytes; `emit` gets the row of each group that this changes, as
    /// it was and as it is.
    pub(crate) fn step<'z>(
        &mut self,
        plan: &GroupPlan,
        rows: impl Iterator<Item = (i32, &'z [u8])>,
        scratch: &mut GroupScratch,
        mut emit: impl FnMut(i32, &[u8]),
    ) {
        let mut rows = rows.peekable();
        while let Some((_, row)) = rows.peek() {
            let key = first_columns(&plan.input, row, plan.key_count);
            self.step_group(plan, key, &mut rows, scratch, &mut emit);
        }
    }

    /// Adds the rows of one group. They follow each other: a key is the beginning of its rows and of no others.
    fn step_group<'z>(
        &mut self,
        plan: &GroupPlan,
        key: &[u8],
        rows: &mut Peekable<impl Iterator<Item = (i32, &'z [u8])>>,
        GroupScratch { old, new }: &mut GroupScratch,
        emit: &mut impl FnMut(i32, &[u8]),
    ) {
        old.clear();
        new.clear();
        let group = self.find(plan, key);
        let (did_show, before) = (plan.shows(group), group.beside_bytes());
        if did_show {
            plan.write_row(group, old);
        }
        while let Some((weight, row)) = rows.next_if(|(_, row)| row.starts_with(key)) {
            group.add(plan, row, weight.into());
        }
        assert!(group.row_count >= 0, "only rows that are there can go");
        let shows = plan.shows(group) || Mutant::EmptyGroup.is_on();
        if shows {
            plan.write_row(group, new);
        }
        let after = group.beside_bytes();
        self.beside_bytes = self.beside_bytes + after - before;
        if !shows {
            self.remove(key);
        }
        if did_show != shows || old != new {
            if did_show {
                emit(-1, old);
            }
            if shows {
                emit(1, new);
            }
        }
    }

    fn remove(&mut self, key: &[u8]) {
        let removed = match &mut self.store {
            Store::Few(few) => position(few, key).map(|at| few.swap_remove(at)),
            Store::Many(table) => table
                .find_entry(hash(key), |group| *group.key == *key)
                .ok()
                .map(|entry| entry.remove().0),
        };
        self.beside_bytes -= removed.map_or(0, |group| group.beside_bytes());
    }

    pub(crate) fn byte_len(&self) -> usize {
        let capacity = match &self.store {
            Store::Few(few) => few.capacity(),
            Store::Many(table) => table.capacity(),
        };
        capacity * (size_of::<Group>() + 1) + self.beside_bytes
    }
}

impl Group {
    /// Bytes of memory beside its own, roughly.
    fn beside_bytes(&self) -> usize {
        let spilled = usize::from(self.accumulators.spilled());
        let lens = self.accumulators.iter().map(Accumulator::byte_len);
        self.key.len().saturating_sub(KEY_BYTES_INSIDE)
            + lens.sum::<usize>()
            + spilled * self.accumulators.capacity() * size_of::<Accumulator>()
    }

    /// Adds a row, its key included.
    fn add(&mut self, plan: &GroupPlan, row: &[u8], weight: i64) {
        self.row_count += weight;
        let mut column = plan.key_count;
        let mut kept = 0;
        for Call { call, is_row_count } in &plan.calls {
            if !is_row_count {
                let packed = call.arg.is_some().then(|| plan.input.column(row, column));
                self.accumulators[kept].add(packed, call, weight);
                kept += 1;
            }
            column += usize::from(call.arg.is_some());
        }
    }
}

const _: () = assert!(
    size_of::<Group>() <= 96,
    "a group is one or two lines of a cache"
);

#[cfg(test)]
mod tests;
