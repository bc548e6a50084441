//! The rows of a derived table of one instance, by some of their columns.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::{Bound, ControlFlow};

use syncline_protocol::RowLayout;

use crate::flow::mutant::Mutant;
use crate::flow::overlay::Side;

/// Rows in one or more orders. Rows of a query with a key are different from each other.
#[derive(Debug, Default)]
pub(crate) struct Arranged {
    sets: Vec<Set>,
    byte_len: usize,
}

/// Each entry has the packed columns of the set, then the row.
#[derive(Debug, Default)]
struct Set {
    now: BTreeSet<Box<[u8]>>,
    /// What the step has added and what it has taken away, until its end.
    new: BTreeSet<Box<[u8]>>,
    old: BTreeSet<Box<[u8]>>,
}

impl Set {
    fn add(&mut self, entry: Box<[u8]>, is_step: bool) {
        if is_step && !self.old.remove(&entry) {
            self.new.insert(entry.clone());
        }
        assert!(self.now.insert(entry), "rows with a key are different");
    }

    fn take(&mut self, entry: &[u8], is_step: bool) {
        let gone = self.now.take(entry);
        let gone = gone.expect("only rows that are there can go");
        if is_step && !self.new.remove(entry) {
            self.old.insert(gone);
        }
    }
}

fn entry(layout: &RowLayout, columns: &[u16], row: &[u8]) -> Box<[u8]> {
    let mut entry = Vec::with_capacity(row.len() + 16);
    layout.project(row, columns, &mut entry);
    entry.extend_from_slice(row);
    entry.into()
}

/// The entries whose columns have this packed key.
fn with_key<'s>(entries: &'s BTreeSet<Box<[u8]>>, packed: &[u8]) -> impl Iterator<Item = &'s [u8]> {
    let from = (Bound::Included(packed), Bound::Unbounded);
    let entries = entries.range::<[u8], _>(from).map(AsRef::as_ref);
    entries.take_while(move |entry: &&[u8]| entry.starts_with(packed))
}

impl Arranged {
    pub(crate) fn new(set_count: usize) -> Self {
        Self {
            sets: std::iter::repeat_with(Set::default)
                .take(set_count)
                .collect(),
            byte_len: 0,
        }
    }

    /// Takes a row in or out. `sets` are the columns of each set.
    pub(crate) fn apply(
        &mut self,
        layout: &RowLayout,
        sets: &[Vec<u16>],
        weight: i32,
        row: &[u8],
        is_step: bool,
    ) {
        for (set, columns) in self.sets.iter_mut().zip(sets) {
            let entry = entry(layout, columns, row);
            let len = entry.len() + 24;
            if weight > 0 {
                set.add(entry, is_step);
                self.byte_len += len;
            } else {
                set.take(&entry, is_step);
                self.byte_len -= len;
            }
        }
    }

    /// The end of a step: what was before is forgotten.
    pub(crate) fn forget(&mut self) {
        for set in &mut self.sets {
            set.new.clear();
            set.old.clear();
        }
    }

    /// Visits the rows whose columns of a set have this packed key.
    pub(crate) fn walk<'s>(
        &'s self,
        set: usize,
        packed: &[u8],
        side: Side,
        visit: &mut dyn FnMut(&'s [u8]) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let side = if Mutant::ArrangedBefore.is_on() {
            Side::After
        } else {
            side
        };
        let set = &self.sets[set];
        for entry in with_key(&set.now, packed) {
            let is_new = side == Side::Before && !set.new.is_empty() && set.new.contains(entry);
            if !is_new {
                visit(&entry[packed.len()..])?;
            }
        }
        if side == Side::After {
            return ControlFlow::Continue(());
        }
        with_key(&set.old, packed).try_for_each(|entry| visit(&entry[packed.len()..]))
    }

    pub(crate) fn byte_len(&self) -> usize {
        self.byte_len
    }
}
