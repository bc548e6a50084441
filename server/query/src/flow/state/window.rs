//! ORDER BY .. LIMIT .. OFFSET over anything: the rows in order, and how far the window goes.
//!
//! Rows are kept by their sort key. A window `[offset, offset + limit)` is the difference of two
//! prefixes, and a prefix keeps only its length and a bound, the sort key up to which every row is
//! inside: rows that come and go behind the bound are none of its business.

use std::collections::BTreeMap;
use std::ops::Bound;

use syncline_protocol::packed::Reader;
use syncline_protocol::{RowLayout, key};

use crate::flow::mutant::Mutant;
use crate::plan::OrderKey;

/// In which order, and how many.
#[derive(Debug)]
pub(crate) struct WindowPlan {
    /// Total: no two rows are equal.
    pub(crate) order: Vec<OrderKey>,
    pub(crate) layout: RowLayout,
}

/// The rows of one query of one instance in order.
#[derive(Debug)]
pub(crate) struct Ordered {
    rows: BTreeMap<Box<[u8]>, Box<[u8]>>,
    byte_len: usize,
    /// Rows before the window, if there is an offset, and up to its end, if there is a limit.
    skipped: Option<Prefix>,
    shown: Option<Prefix>,
}

/// The first rows.
#[derive(Debug)]
struct Prefix {
    limit: usize,
    /// Rows inside; between two steps never over the limit.
    count: usize,
    /// Every row at or before this key is inside, none after it. Without a bound all rows are.
    bound: Option<Box<[u8]>>,
}

/// A weight, a sort key, a row.
type Change<'z> = (i32, Box<[u8]>, &'z [u8]);

impl WindowPlan {
    /// The sort key of a row: keys sort as bytes.
    fn sort_key(&self, row: &[u8]) -> Box<[u8]> {
        const VALID: &str = "values are valid for their type";
        let mut out = Vec::new();
        for item in &self.order {
            let column = usize::from(item.column);
            let start = out.len();
            let mut reader = Reader::new(self.layout.column(row, column));
            key::encode(&self.layout.types()[column], &mut reader, &mut out).expect(VALID);
            if item.descending {
                // No key is a prefix of another one, so the complement sorts the other way round.
                out[start..].iter_mut().for_each(|byte| *byte = !*byte);
            }
        }
        out.into()
    }
}

impl Ordered {
    pub(crate) fn new(limit: Option<u64>, offset: u64) -> Self {
        let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        let prefix = |limit| Prefix {
            limit,
            count: 0,
            bound: None,
        };
        Self {
            rows: BTreeMap::new(),
            byte_len: 0,
            skipped: (offset > 0).then(|| prefix(count(offset))),
            shown: limit.map(|limit| prefix(count(limit.saturating_add(offset)))),
        }
    }

    /// Takes rows in and out; `emit` gets what that does to the window, in which rows may cancel.
    pub(crate) fn step<'z>(
        &mut self,
        plan: &WindowPlan,
        changes: impl Iterator<Item = (i32, &'z [u8])>,
        mut emit: impl FnMut(i32, &[u8]),
    ) {
        let mut changes: Vec<Change<'_>> = changes
            .map(|(weight, row)| (weight, plan.sort_key(row), row))
            .collect();
        // A row that changed goes before it comes.
        changes.sort_by_key(|(weight, ..)| *weight);
        for (weight, sort_key, row) in &changes {
            if *weight < 0 {
                let old = self.rows.remove(sort_key);
                assert!(old.is_some(), "only rows that are there can go");
                self.byte_len -= sort_key.len() + row.len();
            } else {
                self.byte_len += sort_key.len() + row.len();
                let old = self.rows.insert(sort_key.clone(), (*row).into());
                assert!(old.is_none(), "an order is total");
            }
        }
        match &mut self.shown {
            Some(shown) => shown.step(&self.rows, &changes, &mut emit),
            None => changes
                .iter()
                .for_each(|(weight, _, row)| emit(*weight, row)),
        }
        if let Some(skipped) = &mut self.skipped {
            let mut emit = |weight: i32, row: &[u8]| emit(-weight, row);
            skipped.step(&self.rows, &changes, &mut emit);
        }
    }

    /// All rows, in order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.rows.values().map(|row| &**row)
    }

    pub(crate) fn byte_len(&self) -> usize {
        self.byte_len + self.rows.len() * 40
    }
}

impl Prefix {
    fn step(
        &mut self,
        rows: &BTreeMap<Box<[u8]>, Box<[u8]>>,
        changes: &[Change<'_>],
        emit: &mut dyn FnMut(i32, &[u8]),
    ) {
        if self.limit == 0 {
            return;
        }
        for (weight, sort_key, row) in changes {
            if self.bound.as_ref().is_some_and(|bound| sort_key > bound) {
                continue;
            }
            emit(*weight, row);
            if *weight < 0 {
                self.count -= 1;
            } else {
                self.count += 1;
            }
        }
        if self.count > self.limit {
            let upper = match &self.bound {
                Some(bound) => Bound::Included(bound.clone()),
                None => Bound::Unbounded,
            };
            let mut inside = rows.range::<Box<[u8]>, _>((Bound::Unbounded, upper)).rev();
            while self.count > self.limit {
                let (_, row) = inside.next().expect("it has all rows that were counted");
                emit(-1, row);
                self.count -= 1;
            }
            self.bound = inside.next().map(|(sort_key, _)| sort_key.clone());
        } else if self.count < self.limit
            && !Mutant::Refill.is_on()
            && let Some(bound) = self.bound.take()
        {
            let behind = (Bound::Excluded(bound), Bound::Unbounded);
            for (sort_key, row) in rows.range::<Box<[u8]>, _>(behind) {
                emit(1, row);
                self.count += 1;
                if self.count == self.limit {
                    self.bound = Some(sort_key.clone());
                    break;
                }
            }
        }
    }
}
