//! The rows of a derived table of one instance, by some of their columns.

use std::collections::BTreeSet;
use std::ops::{Bound, ControlFlow};

use syncline_protocol::RowLayout;

use crate::flow::mutant::Mutant;
use crate::flow::overlay::Side;

/// Rows in one or more orders. Rows of a query with a key are different from each other.
#[derive(Debug, Default)]
pub(crate) struct Arranged {
    /// Each has the packed columns of its set, then the row.
    sets: Vec<BTreeSet<Box<[u8]>>>,
    /// What the step changed, until its end.
    changes: Vec<(i32, Box<[u8]>)>,
    byte_len: usize,
}

fn entry(layout: &RowLayout, columns: &[u16], row: &[u8]) -> Box<[u8]> {
    let mut entry = Vec::with_capacity(row.len() + 16);
    layout.project(row, columns, &mut entry);
    entry.extend_from_slice(row);
    entry.into()
}

impl Arranged {
    pub(crate) fn new(set_count: usize) -> Self {
        Self {
            sets: vec![BTreeSet::new(); set_count],
            ..Self::default()
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
                assert!(set.insert(entry), "rows with a key are different");
                self.byte_len += len;
            } else {
                assert!(set.remove(&entry), "only rows that are there can go");
                self.byte_len -= len;
            }
        }
        if is_step {
            self.changes.push((weight, row.into()));
        }
    }

    /// The end of a step: what was before is forgotten.
    pub(crate) fn forget(&mut self) {
        self.changes.clear();
    }

    /// Visits the rows whose columns of the set have this packed key.
    pub(crate) fn walk<'s>(
        &'s self,
        (set, columns, layout): (usize, &[u16], &RowLayout),
        packed: &[u8],
        side: Side,
        visit: &mut dyn FnMut(&'s [u8]) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let side = if Mutant::ArrangedBefore.is_on() {
            Side::After
        } else {
            side
        };
        let from = (Bound::Included(packed), Bound::Unbounded);
        for entry in self.sets[set].range::<[u8], _>(from) {
            if !entry.starts_with(packed) {
                break;
            }
            let row = &entry[packed.len()..];
            let is_new = side == Side::Before
                && self
                    .changes
                    .iter()
                    .any(|(weight, changed)| *weight > 0 && **changed == *row);
            if !is_new {
                visit(row)?;
            }
        }
        if side != Side::After {
            let mut own = Vec::new();
            for (weight, row) in &self.changes {
                own.clear();
                layout.project(row, columns, &mut own);
                if *weight < 0 && own == packed {
                    visit(row)?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    pub(crate) fn byte_len(&self) -> usize {
        self.byte_len
    }
}
