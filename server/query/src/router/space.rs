//! Who listens to which intervals, or boxes: the entries that a point is inside of.
//!
//! Few entries are a list. Many lie in a hierarchical grid: an entry of width w lies in one cell of a grid
//! whose cells are the next power of two above w wide, the cell in which it begins. A point is then inside
//! only of entries of its own cell and the one before it (in each dimension), in each grid that is in use.
//! There are never so many grids that a look into each of them costs more than the list would: what has no grid of
//! its own lies in a wider one, and the widest has a single cell, which is a list again. Intervals without a lower or
//! upper bound are sorted by the other one.

use std::collections::BTreeSet;

use foldhash::quality::FixedState;
use hashbrown::HashTable;
use smallvec::SmallVec;

use super::span::Bounds;

/// Longer lists become grids.
const LIST_MAX: usize = 128;
/// Grids that become shorter become lists.
const GRID_MIN: usize = 48;

/// Bounds in each dimension, and whom they are of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Entry<const D: usize> {
    pub(super) bounds: [Bounds; D],
    pub(super) number: u32,
}

/// A set of entries.
#[derive(Debug)]
pub(super) enum Space<const D: usize> {
    List(SmallVec<[Entry<D>; 1]>),
    Grid(Box<Grid<D>>),
}

/// The widths of cells, as powers of two: a grid.
type Shifts<const D: usize> = [u8; D];

#[derive(Debug, Default)]
pub(super) struct Grid<const D: usize> {
    /// Those in use.
    levels: Vec<Level<D>>,
    cells: HashTable<Cell<D>>,
    /// Intervals without an upper bound by their lower one, and the other way round.
    rays: [BTreeSet<(u64, u32)>; 2],
    /// Without the rays.
    len: usize,
    /// Entries in wider cells than they need.
    misplaced: usize,
    /// How many there were when the levels were last chosen for all of them.
    chosen_len: usize,
}

#[derive(Clone, Copy, Debug)]
struct Level<const D: usize> {
    shifts: Shifts<D>,
    count: usize,
}

/// A hash is enough to know it by: who is found is compared.
#[derive(Debug)]
struct Cell<const D: usize> {
    hash: u64,
    entries: SmallVec<[Entry<D>; 1]>,
}

impl<const D: usize> Entry<D> {
    fn is_at(&self, point: &[u64; D]) -> bool {
        let mut is_inside = true;
        for (bounds, at) in self.bounds.iter().zip(point) {
            is_inside &= bounds[0] <= *at && *at <= bounds[1];
        }
        is_inside
    }

    /// The grid whose cells are just wide enough.
    fn shifts(&self) -> Shifts<D> {
        self.bounds
            .map(|[low, high]| (u64::BITS - (high - low).leading_zeros()) as u8)
    }

    fn start(&self) -> [u64; D] {
        self.bounds.map(|[low, _]| low)
    }

    /// The side and the bound of an interval with one bound.
    fn ray(&self) -> Option<(usize, u64)> {
        match self.bounds[..] {
            [[low, u64::MAX]] => Some((0, low)),
            [[0, high]] => Some((1, high)),
            _ => None,
        }
    }
}

impl<const D: usize> Default for Space<D> {
    fn default() -> Self {
        Self::List(SmallVec::new())
    }
}

impl<const D: usize> Space<D> {
    /// Adds an entry; `false` if it is known to be there. Of equal ones that were added each is there by itself.
    pub(super) fn insert(&mut self, entry: Entry<D>, hasher: &FixedState) -> bool {
        let list = match self {
            Self::List(list) => list,
            Self::Grid(grid) => return grid.insert(entry, hasher),
        };
        if list.contains(&entry) {
            return false;
        }
        list.push(entry);
        if list.len() > LIST_MAX {
            let mut grid = Grid::default();
            grid.fill(std::mem::take(list).into_vec(), hasher);
            *self = Self::Grid(Box::new(grid));
        }
        true
    }

    /// Takes an entry away; `false` if it is not there.
    pub(super) fn remove(&mut self, entry: Entry<D>, hasher: &FixedState) -> bool {
        match self {
            Self::List(list) => take(list, &entry),
            Self::Grid(grid) => {
                let is_removed = grid.remove(entry, hasher);
                if grid.count() < GRID_MIN {
                    *self = Self::List(grid.drain().into());
                }
                is_removed
            }
        }
    }

    /// Gives an entry other bounds; `false` if it is not there.
    pub(super) fn replace(
        &mut self,
        entry: Entry<D>,
        bounds: [Bounds; D],
        hasher: &FixedState,
    ) -> bool {
        let place = match self {
            Self::List(list) => list.iter_mut().find(|other| **other == entry),
            Self::Grid(grid) => grid.same_cell(entry, bounds, hasher),
        };
        if let Some(place) = place {
            place.bounds = bounds;
            return true;
        }
        let is_there = self.remove(entry, hasher);
        let number = entry.number;
        if is_there {
            self.insert(Entry { bounds, number }, hasher);
        }
        is_there
    }

    /// The number of an entry with these bounds that is sought.
    pub(super) fn find(
        &self,
        bounds: [Bounds; D],
        hasher: &FixedState,
        mut is_sought: impl FnMut(u32) -> bool,
    ) -> Option<u32> {
        let mut find = |entries: &[Entry<D>]| {
            let same = entries.iter().filter(|entry| entry.bounds == bounds);
            same.map(|entry| entry.number)
                .find(|number| is_sought(*number))
        };
        let grid = match self {
            Self::List(list) => return find(list),
            Self::Grid(grid) => grid,
        };
        let entry = Entry { bounds, number: 0 };
        if let Some((side, bound)) = entry.ray() {
            let same = grid.rays[side].range((bound, 0)..=(bound, u32::MAX));
            return same
                .map(|(_, number)| *number)
                .find(|number| is_sought(*number));
        }
        grid.places(entry).find_map(|shifts| {
            let hash = cell_hash(&shifts, &cell_of(&shifts, &entry.start()), hasher);
            let cell = grid.cells.find(hash, |cell| cell.hash == hash)?;
            find(&cell.entries)
        })
    }

    /// Calls `visit` with the number of each entry that the point is inside of.
    pub(super) fn stab(&self, point: &[u64; D], hasher: &FixedState, visit: &mut impl FnMut(u32)) {
        match self {
            Self::List(list) => visit_inside(list, point, visit),
            Self::Grid(grid) => grid.stab(point, hasher, visit),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        // A grid that runs empty has become a list.
        matches!(self, Self::List(list) if list.is_empty())
    }
}

fn visit_inside<const D: usize>(
    entries: &[Entry<D>],
    point: &[u64; D],
    visit: &mut impl FnMut(u32),
) {
    for entry in entries {
        if entry.is_at(point) {
            visit(entry.number);
        }
    }
}

fn take<const D: usize>(entries: &mut SmallVec<[Entry<D>; 1]>, entry: &Entry<D>) -> bool {
    let at = entries.iter().position(|other| other == entry);
    if let Some(at) = at {
        entries.swap_remove(at);
    }
    at.is_some()
}

/// The cell of a grid that a point is in.
fn cell_of<const D: usize>(shifts: &Shifts<D>, point: &[u64; D]) -> [u64; D] {
    std::array::from_fn(|axis| {
        let shift = u32::from(shifts[axis]);
        point[axis].checked_shr(shift).unwrap_or(0)
    })
}

fn cell_hash<const D: usize>(shifts: &Shifts<D>, cell: &[u64; D], hasher: &FixedState) -> u64 {
    use std::hash::{BuildHasher, Hasher};
    let mut state = hasher.build_hasher();
    for (shift, index) in shifts.iter().zip(cell) {
        state.write_u8(*shift);
        state.write_u64(*index);
    }
    state.finish()
}

impl<const D: usize> Grid<D> {
    /// Looking into the cells of so many grids costs about what comparing all entries does.
    fn levels_max(&self) -> usize {
        (self.len.max(self.chosen_len) >> (3 + D)).clamp(2, 96 >> D)
    }

    fn count(&self) -> usize {
        self.len + self.rays[0].len() + self.rays[1].len()
    }

    /// Takes the first entries, those that most have the width of before others: these get grids of their own.
    fn fill(&mut self, mut entries: Vec<Entry<D>>, hasher: &FixedState) {
        entries.retain(|entry| match entry.ray() {
            Some((side, bound)) => {
                self.rays[side].insert((bound, entry.number));
                false
            }
            None => true,
        });
        self.chosen_len = entries.len();
        entries.sort_by_key(Entry::shifts);
        let runs = entries.chunk_by(|one, other| one.shifts() == other.shifts());
        let mut runs: Vec<&[Entry<D>]> = runs.collect();
        runs.sort_by_key(|run| std::cmp::Reverse(run.len()));
        for entry in runs.into_iter().flatten() {
            self.place(*entry, hasher);
        }
    }

    /// All entries, which it then has no more.
    fn drain(&mut self) -> Vec<Entry<D>> {
        let cells = self.cells.drain().flat_map(|cell| cell.entries);
        let mut entries: Vec<Entry<D>> = cells.collect();
        for (side, rays) in std::mem::take(&mut self.rays).into_iter().enumerate() {
            let bounds = |bound| {
                if side == 0 {
                    [bound, u64::MAX]
                } else {
                    [0, bound]
                }
            };
            entries.extend(rays.into_iter().map(|(bound, number)| Entry {
                bounds: [bounds(bound); D],
                number,
            }));
        }
        *self = Self::default();
        entries
    }

    fn insert(&mut self, entry: Entry<D>, hasher: &FixedState) -> bool {
        if let Some((side, bound)) = entry.ray() {
            return self.rays[side].insert((bound, entry.number));
        }
        if self.len >= 2 * self.chosen_len && self.misplaced * 8 > self.len {
            let entries = self.drain();
            self.fill(entries, hasher);
        }
        self.place(entry, hasher);
        true
    }

    /// Adds an entry that is no ray to its cell.
    fn place(&mut self, entry: Entry<D>, hasher: &FixedState) {
        let own = entry.shifts();
        let at = self.level(own);
        let shifts = self.levels[at].shifts;
        let hash = cell_hash(&shifts, &cell_of(&shifts, &entry.start()), hasher);
        let cell = self
            .cells
            .entry(hash, |cell| cell.hash == hash, |cell| cell.hash)
            .or_insert_with(|| Cell {
                hash,
                entries: SmallVec::new(),
            });
        cell.into_mut().entries.push(entry);
        self.levels[at].count += 1;
        self.len += 1;
        self.misplaced += usize::from(shifts != own);
    }

    /// The level for entries of a width: the one for it if there may be one more, else a wider one.
    fn level(&mut self, own: Shifts<D>) -> usize {
        let exact = self.levels.iter().position(|level| level.shifts == own);
        if let Some(exact) = exact {
            return exact;
        }
        let wider = (0..self.levels.len())
            .filter(|at| is_wider(&self.levels[*at].shifts, &own))
            .min_by_key(|at| {
                let shifts = self.levels[*at].shifts;
                shifts.iter().map(|shift| u32::from(*shift)).sum::<u32>()
            });
        let may_open = self.levels.len() < self.levels_max();
        if let Some(wider) = wider.filter(|_| !may_open) {
            return wider;
        }
        self.levels.push(Level {
            shifts: if may_open { own } else { [u64::BITS as u8; D] },
            count: 0,
        });
        self.levels.len() - 1
    }

    /// The levels that an entry may be at, the likeliest first.
    fn places(&self, entry: Entry<D>) -> impl Iterator<Item = Shifts<D>> {
        let own = entry.shifts();
        let others = self.levels.iter().map(|level| level.shifts);
        let others = others.filter(move |shifts| *shifts != own && is_wider(shifts, &own));
        std::iter::once(own).chain(others)
    }

    fn remove(&mut self, entry: Entry<D>, hasher: &FixedState) -> bool {
        if let Some((side, bound)) = entry.ray() {
            return self.rays[side].remove(&(bound, entry.number));
        }
        let places: SmallVec<[Shifts<D>; 8]> = self.places(entry).collect();
        for shifts in places {
            let hash = cell_hash(&shifts, &cell_of(&shifts, &entry.start()), hasher);
            let Ok(mut cell) = self.cells.find_entry(hash, |cell| cell.hash == hash) else {
                continue;
            };
            if !take(&mut cell.get_mut().entries, &entry) {
                continue;
            }
            if cell.get().entries.is_empty() {
                cell.remove();
            }
            self.len -= 1;
            self.misplaced -= usize::from(shifts != entry.shifts());
            let mut levels = self.levels.iter();
            let at = levels.position(|level| level.shifts == shifts);
            let at = at.expect("what was found has a level");
            self.levels[at].count -= 1;
            if self.levels[at].count == 0 {
                self.levels.swap_remove(at);
            }
            return true;
        }
        false
    }

    /// The entry, if with other bounds it stays in its cell.
    fn same_cell(
        &mut self,
        entry: Entry<D>,
        bounds: [Bounds; D],
        hasher: &FixedState,
    ) -> Option<&mut Entry<D>> {
        let (shifts, moved) = (entry.shifts(), Entry { bounds, ..entry });
        let is_ray = entry.ray().is_some() || moved.ray().is_some();
        let cell = cell_of(&shifts, &entry.start());
        if is_ray || moved.shifts() != shifts || cell_of(&shifts, &moved.start()) != cell {
            return None;
        }
        let hash = cell_hash(&shifts, &cell, hasher);
        let cell = self.cells.find_mut(hash, |cell| cell.hash == hash)?;
        cell.entries.iter_mut().find(|other| **other == entry)
    }

    fn stab(&self, point: &[u64; D], hasher: &FixedState, visit: &mut impl FnMut(u32)) {
        for level in &self.levels {
            let own = cell_of(&level.shifts, point);
            for corner in 0..1u32 << D {
                let mut cell = own;
                let is_there = (0..D).all(|axis| {
                    let step = u64::from(corner >> axis & 1);
                    let index = own[axis].checked_sub(step);
                    cell[axis] = index.unwrap_or_default();
                    index.is_some()
                });
                if !is_there {
                    continue;
                }
                let hash = cell_hash(&level.shifts, &cell, hasher);
                if let Some(cell) = self.cells.find(hash, |cell| cell.hash == hash) {
                    visit_inside(&cell.entries, point, visit);
                }
            }
        }
        if D == 1 {
            let at = point[0];
            let [from, to] = &self.rays;
            from.range(..=(at, u32::MAX))
                .for_each(|(_, number)| visit(*number));
            to.range((at, 0)..).for_each(|(_, number)| visit(*number));
        }
    }
}

fn is_wider<const D: usize>(one: &Shifts<D>, other: &Shifts<D>) -> bool {
    one.iter().zip(other).all(|(one, other)| one >= other)
}
