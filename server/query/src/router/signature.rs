//! What some route compares: columns by equality, and beside them a beginning, an interval or a box.

use std::hash::{BuildHasher, Hasher};

use foldhash::quality::FixedState;
use hashbrown::HashTable;
use smallvec::SmallVec;
use syncline_protocol::RowLayout;

use super::cover::{Route, Shape};
use super::space::{Entry, Space};
use super::span::{Axis, Bounds, EVERYTHING};
use crate::plan::expr::Params;
use crate::scalar::Scalar;

/// Longer beginnings are cut: each length in use is a probe.
const BEGINNING_BYTES_MAX: usize = 64;

/// Who listens to which values of some columns.
#[derive(Debug)]
pub(super) struct Signature {
    /// Compared by equality, ascending.
    columns: SmallVec<[u16; 4]>,
    axes: SmallVec<[Axis; 2]>,
    index: Index,
    pub(super) entry_count: usize,
}

/// Numbers by the hash of what columns equal; it is enough, since where columns are compared by equality a candidate's
/// whole filter is evaluated. Behind the hash a number may be bounded.
#[derive(Debug)]
enum Index {
    Points(HashTable<Bucket>),
    /// The hash is of the beginning too; how many there are of each length.
    Beginnings(HashTable<Bucket>, Box<[u32; BEGINNING_BYTES_MAX + 1]>),
    Intervals(HashTable<Plot<1>>),
    Boxes(HashTable<Plot<2>>),
}

#[derive(Debug)]
struct Bucket {
    hash: u64,
    numbers: SmallVec<[u32; 4]>,
}

#[derive(Debug)]
struct Plot<const D: usize> {
    hash: u64,
    space: Space<D>,
}

/// Where a route with an instance's parameters is in the index of its signature.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    hash: u64,
    bounds: SmallVec<[Bounds; 2]>,
    beginning_len: usize,
    has_equality: bool,
}

impl Place {
    /// `None` if no row can be there.
    pub(super) fn of(route: &Route, params: Params<'_>, hasher: &FixedState) -> Option<Self> {
        let mut state = hasher.build_hasher();
        for atom in &route.atoms {
            write_value(&mut state, atom.value(params)?);
        }
        let mut beginning_len = 0;
        let mut bounds = SmallVec::new();
        for span in &route.spans {
            if span.is_beginning() {
                let mut text = span.beginning(params)?;
                text.truncate(BEGINNING_BYTES_MAX);
                beginning_len = text.len();
                state.write(&text);
            } else {
                bounds.push(span.bounds(params)?);
            }
        }
        Some(Self {
            hash: state.finish(),
            bounds,
            beginning_len,
            has_equality: !route.atoms.is_empty(),
        })
    }

    /// Whether every row is there.
    pub(super) fn is_everywhere(&self) -> bool {
        !self.has_equality
            && self.beginning_len == 0
            && self.bounds.iter().all(|bounds| *bounds == EVERYTHING)
    }

    fn within<const D: usize>(&self) -> [Bounds; D] {
        std::array::from_fn(|axis| self.bounds[axis])
    }

    fn entry<const D: usize>(&self, number: u32) -> Entry<D> {
        Entry {
            bounds: self.within(),
            number,
        }
    }
}

fn write_value(state: &mut impl Hasher, packed: &[u8]) {
    match <[u8; 8]>::try_from(packed) {
        Ok(word) => state.write_u64(u64::from_le_bytes(word)),
        Err(_) => state.write(packed),
    }
}

fn bucket(table: &mut HashTable<Bucket>, hash: u64) -> &mut SmallVec<[u32; 4]> {
    let entry = table.entry(hash, |bucket| bucket.hash == hash, |bucket| bucket.hash);
    let entry = entry.or_insert_with(|| Bucket {
        hash,
        numbers: SmallVec::new(),
    });
    &mut entry.into_mut().numbers
}

fn numbers(table: &HashTable<Bucket>, hash: u64) -> &[u32] {
    let bucket = table.find(hash, |bucket| bucket.hash == hash);
    bucket.map_or(&[], |bucket| &bucket.numbers)
}

/// Two routes of one instance may have one key; they come one after the other.
fn add_number(table: &mut HashTable<Bucket>, hash: u64, number: u32) -> bool {
    let numbers = bucket(table, hash);
    let is_new = numbers.last() != Some(&number);
    if is_new {
        numbers.push(number);
    }
    is_new
}

fn take_number(table: &mut HashTable<Bucket>, hash: u64, number: u32) -> bool {
    let Ok(mut entry) = table.find_entry(hash, |bucket| bucket.hash == hash) else {
        return false;
    };
    let numbers = &mut entry.get_mut().numbers;
    let Some(at) = numbers.iter().position(|other| *other == number) else {
        return false;
    };
    numbers.swap_remove(at);
    if numbers.is_empty() {
        entry.remove();
    }
    true
}

type Plots<const D: usize> = HashTable<Plot<D>>;

fn add_entry<const D: usize>(
    plots: &mut Plots<D>,
    hash: u64,
    entry: Entry<D>,
    hasher: &FixedState,
) -> bool {
    let plot = plots.entry(hash, |plot| plot.hash == hash, |plot| plot.hash);
    let plot = plot.or_insert_with(|| Plot {
        hash,
        space: Space::default(),
    });
    plot.into_mut().space.insert(entry, hasher)
}

fn take_entry<const D: usize>(
    plots: &mut Plots<D>,
    hash: u64,
    entry: Entry<D>,
    hasher: &FixedState,
) -> bool {
    let Ok(mut plot) = plots.find_entry(hash, |plot| plot.hash == hash) else {
        return false;
    };
    let is_removed = plot.get_mut().space.remove(entry, hasher);
    if plot.get().space.is_empty() {
        plot.remove();
    }
    is_removed
}

fn stab<const D: usize>(
    plots: &Plots<D>,
    hash: u64,
    point: Option<[u64; D]>,
    hasher: &FixedState,
    visit: &mut impl FnMut(u32),
) {
    if let Some(point) = point
        && let Some(plot) = plots.find(hash, |plot| plot.hash == hash)
    {
        plot.space.stab(&point, hasher, visit);
    }
}

impl Signature {
    pub(super) fn of(route: &Route) -> Self {
        let axes = route.spans.iter().map(|span| span.axis).collect();
        let index = match route.shape() {
            Shape::Equality => Index::Points(HashTable::new()),
            Shape::Beginning => {
                Index::Beginnings(HashTable::new(), Box::new([0; BEGINNING_BYTES_MAX + 1]))
            }
            Shape::Interval => Index::Intervals(HashTable::new()),
            Shape::Box => Index::Boxes(HashTable::new()),
        };
        Self {
            columns: route.atoms.iter().map(|atom| atom.column).collect(),
            axes,
            index,
            entry_count: 0,
        }
    }

    pub(super) fn shape(&self) -> Shape {
        match self.index {
            Index::Points(_) => Shape::Equality,
            Index::Beginnings(..) => Shape::Beginning,
            Index::Intervals(_) => Shape::Interval,
            Index::Boxes(_) => Shape::Box,
        }
    }

    /// Whether it is that of the route.
    pub(super) fn is_of(&self, route: &Route) -> bool {
        let columns = route.atoms.iter().map(|atom| atom.column);
        let axes = route.spans.iter().map(|span| span.axis);
        self.shape() == route.shape()
            && self.columns.iter().copied().eq(columns)
            && self.axes.iter().copied().eq(axes)
    }

    /// Adds a number; `false` if it is the one that was added last.
    pub(super) fn insert(&mut self, place: &Place, number: u32, hasher: &FixedState) -> bool {
        let hash = place.hash;
        let is_new = match &mut self.index {
            Index::Points(table) => add_number(table, hash, number),
            Index::Beginnings(table, lens) => {
                let is_new = add_number(table, hash, number);
                lens[place.beginning_len] += u32::from(is_new);
                is_new
            }
            Index::Intervals(plots) => add_entry(plots, hash, place.entry(number), hasher),
            Index::Boxes(plots) => add_entry(plots, hash, place.entry(number), hasher),
        };
        self.entry_count += usize::from(is_new);
        is_new
    }

    /// Takes a number away; `false` if it is not there.
    pub(super) fn remove(&mut self, place: &Place, number: u32, hasher: &FixedState) -> bool {
        let hash = place.hash;
        let is_removed = match &mut self.index {
            Index::Points(table) => take_number(table, hash, number),
            Index::Beginnings(table, lens) => {
                let is_removed = take_number(table, hash, number);
                lens[place.beginning_len] -= u32::from(is_removed);
                is_removed
            }
            Index::Intervals(plots) => take_entry(plots, hash, place.entry(number), hasher),
            Index::Boxes(plots) => take_entry(plots, hash, place.entry(number), hasher),
        };
        self.entry_count -= usize::from(is_removed);
        is_removed
    }

    /// Takes a number to another place; `false` if it is not at this one.
    pub(super) fn replace(
        &mut self,
        (from, to): (&Place, &Place),
        number: u32,
        hasher: &FixedState,
    ) -> bool {
        fn within<const D: usize>(
            plots: &mut Plots<D>,
            (from, to): (&Place, &Place),
            number: u32,
            hasher: &FixedState,
        ) -> bool {
            plots
                .find_mut(from.hash, |plot| plot.hash == from.hash)
                .is_some_and(|plot| {
                    let entry = from.entry(number);
                    plot.space.replace(entry, to.within(), hasher)
                })
        }
        match &mut self.index {
            Index::Intervals(plots) if from.hash == to.hash => {
                within(plots, (from, to), number, hasher)
            }
            Index::Boxes(plots) if from.hash == to.hash => {
                within(plots, (from, to), number, hasher)
            }
            _ => self.remove(from, number, hasher) && self.insert(to, number, hasher),
        }
    }

    /// The number at a place that is sought.
    pub(super) fn find(
        &self,
        place: &Place,
        hasher: &FixedState,
        mut is_sought: impl FnMut(u32) -> bool,
    ) -> Option<u32> {
        let hash = place.hash;
        match &self.index {
            Index::Points(table) | Index::Beginnings(table, _) => {
                let mut numbers = numbers(table, hash).iter().copied();
                numbers.find(|number| is_sought(*number))
            }
            Index::Intervals(plots) => {
                let plot = plots.find(hash, |plot| plot.hash == hash)?;
                plot.space.find(place.within(), hasher, is_sought)
            }
            Index::Boxes(plots) => {
                let plot = plots.find(hash, |plot| plot.hash == hash)?;
                plot.space.find(place.within(), hasher, is_sought)
            }
        }
    }

    /// The hash of what it compares by equality, so far.
    fn state(&self, layout: &RowLayout, row: &[u8], hasher: &FixedState) -> impl Hasher + Clone {
        let mut state = hasher.build_hasher();
        for &column in &self.columns {
            write_value(&mut state, layout.column(row, usize::from(column)));
        }
        state
    }

    /// For [`Self::equal`].
    pub(super) fn hash(&self, layout: &RowLayout, row: &[u8], hasher: &FixedState) -> u64 {
        self.state(layout, row, hasher).finish()
    }

    /// The numbers at a hash, if it compares by equality alone.
    pub(super) fn equal(&self, hash: u64) -> &[u32] {
        match &self.index {
            Index::Points(table) => numbers(table, hash),
            _ => &[],
        }
    }

    /// Calls `visit` with each number that may listen to the row.
    pub(super) fn visit(
        &self,
        layout: &RowLayout,
        row: &[u8],
        hasher: &FixedState,
        visit: &mut impl FnMut(u32),
    ) {
        let state = self.state(layout, row, hasher);
        let column = |at: usize| layout.column(row, usize::from(self.axes[at].column));
        let key = |at: usize| self.axes[at].packed_key(column(at));
        match &self.index {
            Index::Points(table) => {
                let numbers = numbers(table, state.finish()).iter();
                numbers.for_each(|number| visit(*number));
            }
            Index::Beginnings(table, lens) => {
                let Scalar::Bytes(text) = self.axes[0].read(column(0)) else {
                    return;
                };
                for (len, count) in lens.iter().enumerate().take(text.len() + 1) {
                    if *count > 0 {
                        let mut state = state.clone();
                        state.write(&text[..len]);
                        let numbers = numbers(table, state.finish()).iter();
                        numbers.for_each(|number| visit(*number));
                    }
                }
            }
            Index::Intervals(plots) => {
                stab(
                    plots,
                    state.finish(),
                    key(0).map(|key| [key]),
                    hasher,
                    visit,
                );
            }
            Index::Boxes(plots) => {
                let point = key(0).zip(key(1)).map(|(x, y)| [x, y]);
                stab(plots, state.finish(), point, hasher, visit);
            }
        }
    }

    /// Whether two rows agree in all that it compares.
    pub(super) fn is_same_key(&self, layout: &RowLayout, one: &[u8], other: &[u8]) -> bool {
        let axes = self.axes.iter().map(|axis| axis.column);
        let mut columns = self.columns.iter().copied().chain(axes);
        columns.all(|column| {
            let column = usize::from(column);
            layout.column(one, column) == layout.column(other, column)
        })
    }
}
