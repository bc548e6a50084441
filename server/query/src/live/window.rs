//! ORDER BY .. LIMIT .. OFFSET, live: some rows of a part of an ordered index.
//!
//! A window is what lies between two edges, the rows up to the end of it and those before it. An edge
//! keeps no rows, only how many it has and a bound: the index key up to which every row that passes the
//! filter is inside. A change beyond the bound is none of its business, which one comparison of keys
//! tells. Else: rows that leave and enter at or before the bound are counted; what is too much is read
//! off backwards from the bound, what is missing is read on after it; the bound moves along. So a step
//! costs what it changes, however deep the window lies. Its first bounds are found by their ranks where
//! the index alone decides about a row: by its counts, or else by walking over its entries.

use std::cell::Cell;
use std::ops::{Bound, ControlFlow};

use smallvec::SmallVec;
use syncline_store::Table;

use crate::execute::access::{KeyBounds, RangePath};
use crate::execute::exact::index_key;
use crate::plan::expr::{Expr, Input, Params};
use crate::row::compare_columns;

/// State of one instance's window.
#[derive(Debug)]
pub(super) struct Window {
    /// Rows that it may have.
    limit: usize,
    /// Rows before the window, if there is an offset.
    skipped: Option<Edge>,
    /// Rows up to its end.
    shown: Edge,
}

/// The first rows of a part of an index.
#[derive(Debug)]
struct Edge {
    limit: usize,
    /// Rows inside; never over the limit between two steps.
    count: usize,
    /// Every row at or before this index key that passes the filter is inside, none after it. Without
    /// a bound all rows that pass are inside.
    bound: Option<Box<[u8]>>,
}

/// What happened to one row of a result: it came (`new`), went (`old`), or stayed and changed.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowChange<'a> {
    /// A row with the key by which changes are ordered.
    pub(super) keyed: &'a [u8],
    pub(super) old: Option<&'a [u8]>,
    pub(super) new: Option<&'a [u8]>,
}

/// The changes of one instance in a step, ordered by key.
pub(super) type RowChanges<'a> = SmallVec<[RowChange<'a>; 4]>;

/// How many rows may be looked at.
#[derive(Debug)]
pub(super) struct Allowance {
    left: Cell<u64>,
    /// Whether more would have been.
    is_over: Cell<bool>,
}

impl Allowance {
    pub(super) fn new(rows: u64) -> Self {
        Self {
            left: Cell::new(rows),
            is_over: Cell::new(false),
        }
    }

    fn take(&self) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        self.is_over.set(left == 0);
        left > 0
    }

    pub(super) fn left(&self) -> u64 {
        self.left.get()
    }

    /// Whether a walk was ended for want of rows, so that what it was for is not right.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.get()
    }
}

/// What a window reads its rows with.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) table: &'a Table,
    pub(super) filter: Option<&'a Expr>,
    pub(super) path: &'a RangePath,
    pub(super) params: Params<'a>,
    pub(super) rows: &'a Allowance,
}

impl<'a> View<'a> {
    fn passes(&self, row: &[u8]) -> bool {
        let input = Input::one(self.table.layout(), row, self.params);
        self.filter
            .is_none_or(|filter| filter.truth(&input) == Some(true))
    }

    /// Visits the rows that pass between two bounds, in the window's order or against it.
    fn walk(
        &self,
        (lower, upper): &KeyBounds,
        against: bool,
        mut visit: impl FnMut(&'a [u8]) -> ControlFlow<()>,
    ) {
        let rows = self.table.range(
            self.path.index,
            lower.as_ref().map(Vec::as_slice),
            upper.as_ref().map(Vec::as_slice),
            self.path.reverse != against,
        );
        for row in rows {
            // It stays over: the next row of this walk or of another one is not looked at either.
            if !self.rows.take() || (self.passes(row) && visit(row).is_break()) {
                break;
            }
        }
    }
}

impl Window {
    /// Reads where it begins and ends.
    pub(super) fn hydrate(limit: usize, offset: u64, view: View<'_>) -> Self {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        Self {
            limit,
            skipped: (offset > 0).then(|| Edge::hydrate(offset, view)),
            shown: Edge::hydrate(limit.saturating_add(offset), view),
        }
    }

    /// Rows that it may have.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Whether a row lies after everything inside, so that its coming and going changes nothing.
    pub(super) fn is_beyond(&self, path: &RangePath, key: &[u8]) -> bool {
        self.shown.is_beyond(path, key)
    }

    /// Brings the window to the state after a transaction. `changes` has the rows that were or are at
    /// or before the end, ordered by key; it becomes what changed in the window. If that takes more rows than
    /// the view may look at, the window must be read anew.
    pub(super) fn step<'a>(&mut self, view: View<'a>, changes: &mut RowChanges<'a>) {
        let Some(skipped) = &mut self.skipped else {
            self.shown.step(view, changes);
            return;
        };
        let mut before = skipped.own(view, changes);
        skipped.step(view, &mut before);
        self.shown.step(view, changes);
        if view.rows.is_over() {
            return;
        }
        subtract(view.table, &before, changes);
    }
}

/// Takes from what changed up to the end of a window what changed before it. Both are ordered by key.
fn subtract<'a>(table: &Table, before: &RowChanges<'a>, changes: &mut RowChanges<'a>) {
    let key_columns = &table.def().primary_key;
    let by_key = |one: &RowChange<'_>, other: &RowChange<'_>| {
        compare_columns(table.layout(), key_columns, one.keyed, other.keyed)
    };
    let known = changes.len();
    for own in before {
        match changes[..known].binary_search_by(|change| by_key(change, own)) {
            Ok(at) => {
                let change = &mut changes[at];
                change.old = change.old.filter(|_| own.old.is_none());
                change.new = change.new.filter(|_| own.new.is_none());
            }
            // It stays as it is up to the end, and goes over the edge at the beginning.
            Err(_) => changes.push(RowChange {
                keyed: own.keyed,
                old: own.new,
                new: own.old,
            }),
        }
    }
    changes.retain(|change| change.old.is_some() || change.new.is_some());
    changes.sort_by(by_key);
}

impl Edge {
    /// Finds the bound.
    fn hydrate(limit: usize, view: View<'_>) -> Self {
        let mut edge = Self {
            limit,
            count: 0,
            bound: None,
        };
        if limit == 0 {
            return edge;
        }
        if view.path.is_exact(view.table, view.filter) {
            edge.find(view);
        } else {
            edge.refill(view, &mut |_| {});
        }
        edge
    }

    /// Finds the bound by its rank: every row of the path passes.
    fn find(&mut self, view: View<'_>) {
        let Some((lower, upper)) = view.path.bounds(view.table, view.params) else {
            return;
        };
        let (lower, upper) = (
            lower.as_ref().map(Vec::as_slice),
            upper.as_ref().map(Vec::as_slice),
        );
        let View { table, path, .. } = view;
        match table.nth(path.index, lower, upper, path.reverse, self.limit - 1) {
            Some(row) => {
                self.count = self.limit;
                self.set_bound(view, row);
            }
            None => self.count = table.range_count(path.index, lower, upper),
        }
    }

    fn set_bound(&mut self, view: View<'_>, row: &[u8]) {
        let mut key = Vec::new();
        index_key(view.table, view.path, row, &mut key);
        self.bound = Some(key.into());
    }

    fn is_beyond(&self, path: &RangePath, key: &[u8]) -> bool {
        self.bound.as_ref().is_some_and(|bound| {
            if path.reverse {
                key < bound.as_ref()
            } else {
                key > bound.as_ref()
            }
        })
    }

    /// Those of the changes that concern it, with what of them is at or before the bound.
    fn own<'a>(&self, view: View<'a>, changes: &RowChanges<'a>) -> RowChanges<'a> {
        let mut key = Vec::new();
        let mut is_inside = |row: &&[u8]| {
            index_key(view.table, view.path, row, &mut key);
            !self.is_beyond(view.path, &key)
        };
        let mut own = changes.clone();
        for change in &mut own {
            change.old = change.old.filter(&mut is_inside);
            change.new = change.new.filter(&mut is_inside);
        }
        own.retain(|change| change.old.is_some() || change.new.is_some());
        own
    }

    /// Brings the edge to the state after a transaction. `changes` has the rows that were or are at
    /// or before the bound, ordered by key; it becomes what changed up to the bound of then.
    fn step<'a>(&mut self, view: View<'a>, changes: &mut RowChanges<'a>) {
        let left = changes.iter().filter(|change| change.old.is_some()).count();
        let came = changes.iter().filter(|change| change.new.is_some()).count();
        assert!(left <= self.count, "only rows inside can leave");
        self.count = self.count - left + came;
        let key_columns = &view.table.def().primary_key;
        let layout = view.table.layout();
        let known = changes.len();
        let find = |changes: &RowChanges<'a>, row: &[u8]| {
            changes[..known]
                .binary_search_by(|change| compare_columns(layout, key_columns, change.keyed, row))
        };
        if self.count > self.limit {
            self.evict(view, &mut |row| match find(changes, row) {
                Ok(at) => changes[at].new = None,
                Err(_) => changes.push(RowChange {
                    keyed: row,
                    old: Some(row),
                    new: None,
                }),
            });
            changes.retain(|change| change.old.is_some() || change.new.is_some());
        } else if self.count < self.limit && self.bound.is_some() {
            self.refill(view, &mut |row| match find(changes, row) {
                Ok(at) => changes[at].new = Some(row),
                Err(_) => changes.push(RowChange {
                    keyed: row,
                    old: None,
                    new: Some(row),
                }),
            });
        } else {
            return;
        }
        changes.sort_by(|one, other| compare_columns(layout, key_columns, one.keyed, other.keyed));
    }

    /// Rows over the limit go, the last ones first.
    fn evict<'a>(&mut self, view: View<'a>, gone: &mut dyn FnMut(&'a [u8])) {
        let Some((mut lower, mut upper)) = view.path.bounds(view.table, view.params) else {
            return;
        };
        if let Some(bound) = &self.bound {
            let inside = Bound::Included(bound.to_vec());
            if view.path.reverse {
                lower = inside;
            } else {
                upper = inside;
            }
        }
        view.walk(&(lower, upper), true, |row| {
            if self.count > self.limit {
                gone(row);
                self.count -= 1;
                return ControlFlow::Continue(());
            }
            self.set_bound(view, row);
            ControlFlow::Break(())
        });
        debug_assert!(
            self.count == self.limit || view.rows.is_over(),
            "the index has all rows that were counted"
        );
    }

    /// Rows after the bound come, until the window is full or there are no more.
    fn refill<'a>(&mut self, view: View<'a>, came: &mut dyn FnMut(&'a [u8])) {
        let Some((mut lower, mut upper)) = view.path.bounds(view.table, view.params) else {
            return;
        };
        if let Some(bound) = self.bound.take() {
            let outside = Bound::Excluded(bound.into_vec());
            if view.path.reverse {
                upper = outside;
            } else {
                lower = outside;
            }
        }
        view.walk(&(lower, upper), false, |row| {
            came(row);
            self.count += 1;
            if self.count < self.limit {
                return ControlFlow::Continue(());
            }
            self.set_bound(view, row);
            ControlFlow::Break(())
        });
    }
}
