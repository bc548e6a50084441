//! An ordered map that knows how many entries lie before a key: a B+ tree whose inner nodes hold the counts
//! of their children ("order statistics").
//!
//! Leaves are chained, inner nodes have keys, counts and children in arrays of their own, so that a look-up
//! touches few lines of memory. Nodes lie in two vectors and name each other by position.

use std::ops::Bound;

use super::key::OrderedKey;
use crate::pages::RowRef;

mod change;
mod refs;

pub(crate) use refs::CountedRefs;

/// Entries of a leaf and children of an inner node, at most.
const FULL: usize = 32;
/// A node with fewer shares with a neighbour, or becomes one with it.
const FEW: usize = FULL / 4;
/// Deeper than 2^32 entries can be: an inner node has at least [`FEW`] children, the root two.
const HEIGHT_MAX: usize = 12;
/// No node.
const NONE: u32 = u32::MAX;

type Entry = (OrderedKey, RowRef);

#[derive(Debug)]
struct Leaf {
    /// Ascending.
    entries: Vec<Entry>,
    before: u32,
    after: u32,
}

#[derive(Debug, Default)]
struct Inner {
    children: Vec<u32>,
    /// Entries below each child.
    counts: Vec<u32>,
    /// `keys[i]` is above every key below `children[i]` and at most the least below `children[i + 1]`.
    keys: Vec<OrderedKey>,
}

/// Entries by key.
#[derive(Debug)]
pub(crate) struct CountedTree {
    leaves: Vec<Leaf>,
    inners: Vec<Inner>,
    free_leaves: Vec<u32>,
    free_inners: Vec<u32>,
    /// A leaf if `height` is 0.
    root: u32,
    /// Inner nodes above a leaf.
    height: usize,
    len: usize,
}

/// A place between two entries.
#[derive(Clone, Copy, Debug)]
struct Place {
    leaf: u32,
    /// Position of the entry behind the place; behind the last one it is the length of the leaf.
    at: usize,
    /// How many entries lie before it.
    rank: usize,
}

/// The inner nodes from the root down to a leaf, and which child was taken.
type Path = [(u32, usize); HEIGHT_MAX];

impl Default for CountedTree {
    fn default() -> Self {
        let leaf = Leaf {
            entries: Vec::new(),
            before: NONE,
            after: NONE,
        };
        Self {
            leaves: vec![leaf],
            inners: Vec::new(),
            free_leaves: Vec::new(),
            free_inners: Vec::new(),
            root: 0,
            height: 0,
            len: 0,
        }
    }
}

impl Inner {
    fn count(&self) -> u32 {
        self.counts.iter().sum()
    }

    /// The child that has the key if any has it.
    fn child_of(&self, key: &[u8]) -> usize {
        self.keys.partition_point(|own| own.as_slice() <= key)
    }
}

impl CountedTree {
    fn leaf(&self, id: u32) -> &Leaf {
        &self.leaves[id as usize]
    }

    fn inner(&self, id: u32) -> &Inner {
        &self.inners[id as usize]
    }

    /// The way to the leaf that has the key if any has it.
    fn descend(&self, key: &[u8]) -> (Path, u32) {
        let mut path = [(NONE, 0); HEIGHT_MAX];
        let mut node = self.root;
        for step in &mut path[..self.height] {
            let inner = self.inner(node);
            let child = inner.child_of(key);
            *step = (node, child);
            node = inner.children[child];
        }
        (path, node)
    }

    /// The place of a key: before the entry with it, or behind it.
    fn place(&self, key: &[u8], is_behind: bool) -> Place {
        let mut node = self.root;
        let mut rank = 0;
        for _ in 0..self.height {
            let inner = self.inner(node);
            let child = inner.child_of(key);
            rank += inner.counts[..child].iter().sum::<u32>() as usize;
            node = inner.children[child];
        }
        let is_before = |(own, _): &Entry| match own.as_slice().cmp(key) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Equal => is_behind,
            std::cmp::Ordering::Greater => false,
        };
        let at = self.leaf(node).entries.partition_point(is_before);
        Place {
            leaf: node,
            at,
            rank: rank + at,
        }
    }

    /// The place before the entry of a rank; the end if there is none.
    fn place_of_rank(&self, rank: usize) -> Place {
        let rank = rank.min(self.len);
        let mut node = self.root;
        let mut left = rank;
        for _ in 0..self.height {
            let inner = self.inner(node);
            let mut child = 0;
            while child + 1 < inner.counts.len() && left >= inner.counts[child] as usize {
                left -= inner.counts[child] as usize;
                child += 1;
            }
            node = inner.children[child];
        }
        Place {
            leaf: node,
            at: left,
            rank,
        }
    }

    fn lower(&self, bound: Bound<&[u8]>) -> Place {
        match bound {
            Bound::Unbounded => self.place_of_rank(0),
            Bound::Included(key) => self.place(key, false),
            Bound::Excluded(key) => self.place(key, true),
        }
    }

    fn upper(&self, bound: Bound<&[u8]>) -> Place {
        match bound {
            Bound::Unbounded => self.place_of_rank(self.len),
            Bound::Included(key) => self.place(key, true),
            Bound::Excluded(key) => self.place(key, false),
        }
    }

    /// Which ranks the entries between two bounds have: from the first to before the second. None if the
    /// bounds are the wrong way round.
    pub(crate) fn ranks(&self, lower: Bound<&[u8]>, upper: Bound<&[u8]>) -> (usize, usize) {
        let start = self.lower(lower).rank;
        (start, self.upper(upper).rank.max(start))
    }

    /// The entry that has this many before it.
    pub(crate) fn nth(&self, rank: usize) -> Option<(&OrderedKey, RowRef)> {
        let place = self.place_of_rank(rank);
        let (key, at) = self.leaf(place.leaf).entries.get(place.at)?;
        Some((key, *at))
    }

    /// The entries between two bounds; none if they are the wrong way round.
    pub(crate) fn range(&self, lower: Bound<&[u8]>, upper: Bound<&[u8]>) -> CountedRefs<'_> {
        CountedRefs::new(self, self.lower(lower), self.upper(upper))
    }

    pub(crate) fn get_mut(&mut self, key: &[u8]) -> Option<&mut RowRef> {
        let (_, leaf) = self.descend(key);
        let entries = &mut self.leaves[leaf as usize].entries;
        let at = position(entries, key).ok()?;
        Some(&mut entries[at].1)
    }
}

fn position(entries: &[Entry], key: &[u8]) -> Result<usize, usize> {
    entries.binary_search_by(|(own, _)| own.as_slice().cmp(key))
}

#[cfg(test)]
mod tests;
