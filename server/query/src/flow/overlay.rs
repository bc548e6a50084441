//! Tables as they were before a transaction: what they are now, corrected by the transaction's changes.
//!
//! Costs nothing for a table that the transaction did not touch. With few changes each is looked at; with
//! many, small indexes over them are built when they are first asked for.

use std::cell::{Cell, OnceCell, RefCell};
use std::hash::BuildHasher;
use std::ops::{Bound, ControlFlow};

use super::memo::Memo;
use super::mutant::Mutant;
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use smallvec::SmallVec;
use syncline_protocol::packed::Reader;
use syncline_protocol::{ChangeSet, Changed, TableId, key};
use syncline_store::{Database, IndexId, Table};

/// Rows that a hop finds.
pub(super) type Found<'a> = SmallVec<[&'a [u8]; 64]>;

/// As many changes of a table are looked at one after the other.
const FEW_CHANGES: usize = 8;

/// Which state of a table is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Side {
    Before,
    After,
    /// Every row that was or is there.
    Either,
}

/// Rows of a table that an index has together.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part<'k> {
    All,
    /// Those with this packed key.
    Exact(IndexId, &'k [u8]),
    /// Those between these memcomparable keys.
    Range(IndexId, Bound<&'k [u8]>, Bound<&'k [u8]>),
}

/// A database before and after the transaction that led to it.
#[derive(Debug)]
pub(crate) struct Overlay<'a> {
    db: &'a Database,
    tables: Vec<TableChanges<'a>>,
    /// Rows that may still be looked at.
    left: Cell<u64>,
    /// What sub-queries gave.
    pub(super) memo: Memo,
}

/// The changes of one table.
#[derive(Debug)]
struct TableChanges<'a> {
    id: TableId,
    changes: Vec<Changed<'a>>,
    /// Positions by the new row, if they are many.
    by_new: OnceCell<HashTable<u32>>,
    exact: RefCell<Vec<(IndexId, ByKey)>>,
    ordered: RefCell<Vec<(IndexId, Sorted)>>,
}

/// Positions of old rows by the hash of a packed key, ascending by hash.
type ByKey = Vec<(u64, u32)>;
/// Memcomparable keys of old rows, ascending.
type Sorted = Vec<(Vec<u8>, u32)>;

type Visit<'v, 'a> = &'v mut dyn FnMut(&'a [u8]) -> ControlFlow<()>;

impl<'a> Overlay<'a> {
    /// `changes` led to `db`.
    pub(crate) fn new(db: &'a Database, changes: &'a ChangeSet) -> Self {
        let mut tables: Vec<TableChanges<'a>> = Vec::new();
        for change in changes.iter() {
            match tables.last_mut() {
                Some(last) if last.id == change.table => last.changes.push(change),
                _ => tables.push(TableChanges {
                    id: change.table,
                    changes: vec![change],
                    by_new: OnceCell::new(),
                    exact: RefCell::default(),
                    ordered: RefCell::default(),
                }),
            }
        }
        let left = Cell::new(u64::MAX);
        Self {
            db,
            tables,
            left,
            memo: Memo::default(),
        }
    }

    /// From now on so many rows may be looked at. After those every walk ends at once, and what it was for is
    /// not complete.
    pub(crate) fn allow(&self, rows: u64) {
        self.left.set(rows);
    }

    /// Rows that may still be looked at.
    pub(crate) fn left(&self) -> u64 {
        self.left.get()
    }

    /// Whether a walk was ended for want of rows.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.left.get() == 0
    }

    /// Looks at one more row, if there may be one.
    pub(crate) fn take_row(&self) -> ControlFlow<()> {
        match self.left.get().checked_sub(1) {
            Some(left) => {
                self.left.set(left);
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(()),
        }
    }

    /// The table as it is now.
    pub(crate) fn table(&self, id: TableId) -> Option<&'a Table> {
        self.db.table(id)
    }

    /// The changes of a table, if they matter to this side of it.
    fn changed(&self, table: &Table, side: Side) -> Option<&TableChanges<'a>> {
        match side {
            Side::After => None,
            Side::Before if Mutant::Before.is_on() => None,
            Side::Either if Mutant::Either.is_on() => None,
            _ => self.tables.iter().find(|changed| changed.id == table.id()),
        }
    }

    /// Appends the rows of a part of a table.
    pub(crate) fn gather(&self, table: &'a Table, part: Part<'_>, side: Side, out: &mut Found<'a>) {
        if let (Part::Exact(index, key), None) = (part, self.changed(table, side)) {
            // A loop of nothing else: the rows lie anywhere, and are waited for together.
            let (before, left) = (out.len(), self.left.get());
            out.extend(
                table
                    .matching(index, key)
                    .take(usize::try_from(left).unwrap_or(usize::MAX)),
            );
            self.left.set(left - (out.len() - before) as u64);
            return;
        }
        let _ = self.walk(table, part, side, &mut |row| {
            out.push(row);
            ControlFlow::Continue(())
        });
    }

    /// Visits the rows of a part of a table until `visit` breaks.
    pub(crate) fn walk(
        &self,
        table: &'a Table,
        part: Part<'_>,
        side: Side,
        visit: Visit<'_, 'a>,
    ) -> ControlFlow<()> {
        let visit: Visit<'_, 'a> = &mut |row| {
            self.take_row()?;
            visit(row)
        };
        let Some(changed) = self.changed(table, side) else {
            return walk_now(table, part, visit);
        };
        if side == Side::Either {
            walk_now(table, part, visit)?;
        } else {
            walk_now(table, part, &mut |row| {
                if changed.is_new(row) {
                    ControlFlow::Continue(())
                } else {
                    visit(row)
                }
            })?;
        }
        changed.walk_old(table, part, visit)
    }
}

fn walk_now<'a>(table: &'a Table, part: Part<'_>, visit: Visit<'_, 'a>) -> ControlFlow<()> {
    match part {
        Part::All => table.rows().try_for_each(visit),
        Part::Exact(index, key) => table.matching(index, key).try_for_each(visit),
        Part::Range(index, lower, upper) => {
            table.range(index, lower, upper, false).try_for_each(visit)
        }
    }
}

impl<'a> TableChanges<'a> {
    /// Whether the row, which is there now, was not there before.
    fn is_new(&self, row: &[u8]) -> bool {
        if self.changes.len() <= FEW_CHANGES {
            return self.changes.iter().any(|change| change.new == Some(row));
        }
        let hasher = FixedState::default();
        let by_new = self.by_new.get_or_init(|| {
            let mut by_new = HashTable::with_capacity(self.changes.len());
            for (position, change) in self.changes.iter().enumerate() {
                if let Some(new) = change.new {
                    by_new.insert_unique(hasher.hash_one(new), position as u32, |position| {
                        hasher.hash_one(self.changes[*position as usize].new.unwrap_or_default())
                    });
                }
            }
            by_new
        });
        let is_it = |position: &u32| self.changes[*position as usize].new == Some(row);
        by_new.find(hasher.hash_one(row), is_it).is_some()
    }

    fn old(&self, position: u32) -> Option<&'a [u8]> {
        self.changes[position as usize].old
    }

    /// Visits the old rows of changes that are in the part.
    fn walk_old(&self, table: &Table, part: Part<'_>, visit: Visit<'_, 'a>) -> ControlFlow<()> {
        match part {
            Part::All => {
                let mut old = self.changes.iter().filter_map(|change| change.old);
                old.try_for_each(visit)
            }
            Part::Exact(index, key) => {
                let columns = index_columns(table, index);
                let mut own = SmallVec::<[u8; 64]>::new();
                let mut is_in = |row: &[u8]| {
                    own.clear();
                    project(table, columns, row, &mut own);
                    *own == *key
                };
                if self.changes.len() <= FEW_CHANGES {
                    let mut old = self.changes.iter().filter_map(|change| change.old);
                    return old.try_for_each(|row| {
                        if is_in(row) {
                            visit(row)
                        } else {
                            ControlFlow::Continue(())
                        }
                    });
                }
                for position in self.positions(table, index, key) {
                    if let Some(row) = self.old(position)
                        && is_in(row)
                    {
                        visit(row)?;
                    }
                }
                ControlFlow::Continue(())
            }
            Part::Range(index, lower, upper) => {
                let positions = self.between(table, index, lower, upper);
                let mut old = positions.into_iter().filter_map(|at| self.old(at));
                old.try_for_each(visit)
            }
        }
    }

    /// Positions of changes whose old row may have this key.
    fn positions(&self, table: &Table, index: IndexId, key: &[u8]) -> SmallVec<[u32; 8]> {
        let hasher = FixedState::default();
        let mut exact = self.exact.borrow_mut();
        let place = exact.iter().position(|(other, _)| *other == index);
        let place = place.unwrap_or_else(|| {
            let columns = index_columns(table, index);
            let mut own = SmallVec::<[u8; 64]>::new();
            let mut by_key: ByKey = Vec::new();
            for (position, change) in self.changes.iter().enumerate() {
                if let Some(old) = change.old {
                    own.clear();
                    project(table, columns, old, &mut own);
                    by_key.push((hasher.hash_one(&*own), position as u32));
                }
            }
            by_key.sort_unstable();
            exact.push((index, by_key));
            exact.len() - 1
        });
        let by_key = &exact[place].1;
        let hash = hasher.hash_one(key);
        let start = by_key.partition_point(|(other, _)| *other < hash);
        let same = by_key[start..]
            .iter()
            .take_while(|(other, _)| *other == hash);
        same.map(|(_, position)| *position).collect()
    }

    /// Positions of changes whose old row is in a range of an ordered index.
    fn between(
        &self,
        table: &Table,
        index: IndexId,
        lower: Bound<&[u8]>,
        upper: Bound<&[u8]>,
    ) -> SmallVec<[u32; 8]> {
        let mut ordered = self.ordered.borrow_mut();
        let place = ordered.iter().position(|(other, _)| *other == index);
        let place = place.unwrap_or_else(|| {
            let mut sorted: Sorted = Vec::new();
            for (position, change) in self.changes.iter().enumerate() {
                if let Some(old) = change.old {
                    let mut key = Vec::new();
                    put_index_key(table, index, old, &mut key);
                    sorted.push((key, position as u32));
                }
            }
            sorted.sort_unstable();
            ordered.push((index, sorted));
            ordered.len() - 1
        });
        let sorted = &ordered[place].1;
        let start = sorted.partition_point(|(key, _)| match lower {
            Bound::Included(lower) => key.as_slice() < lower,
            Bound::Excluded(lower) => key.as_slice() <= lower,
            Bound::Unbounded => false,
        });
        let inside = sorted[start..].iter().take_while(|(key, _)| match upper {
            Bound::Included(upper) => key.as_slice() <= upper,
            Bound::Excluded(upper) => key.as_slice() < upper,
            Bound::Unbounded => true,
        });
        inside.map(|(_, position)| *position).collect()
    }
}

fn index_columns(table: &Table, index: IndexId) -> &[u16] {
    table.index_columns(index).unwrap_or_default()
}

fn project(table: &Table, columns: &[u16], row: &[u8], out: &mut SmallVec<[u8; 64]>) {
    for &column in columns {
        out.extend_from_slice(table.layout().column(row, usize::from(column)));
    }
}

/// Appends the key that an ordered index has for a row: its columns, then the primary key.
pub(crate) fn put_index_key(table: &Table, index: IndexId, row: &[u8], out: &mut Vec<u8>) {
    const VALID: &str = "rows are validated where they enter";
    for &column in index_columns(table, index)
        .iter()
        .chain(&table.def().primary_key)
    {
        let column = usize::from(column);
        let mut reader = Reader::new(table.layout().column(row, column));
        key::encode(&table.layout().types()[column], &mut reader, out).expect(VALID);
    }
}
