//! Ordered index: places of rows by memcomparable key.

use std::collections::{BTreeMap, btree_map};
use std::ops::Bound;

use super::columns::KeyBuffer;
use super::counted::{CountedRefs, CountedTree};
use super::key::OrderedKey;
use crate::pages::RowRef;

/// Rows by (key, primary key), both memcomparable and concatenated, so that rows of one key are in the
/// order of their primary keys and no two entries are equal. No key is a prefix of another one.
#[derive(Debug)]
pub(crate) enum OrderedIndex {
    Plain(BTreeMap<OrderedKey, RowRef>),
    /// Knows how many entries lie before a key.
    Counted(CountedTree),
}

/// Entries of a range, from either end.
#[derive(Clone, Debug, Default)]
pub(crate) enum OrderedRefs<'a> {
    #[default]
    None,
    Plain(btree_map::Range<'a, OrderedKey, RowRef>),
    Counted(CountedRefs<'a>),
}

impl OrderedIndex {
    pub(crate) fn new(is_counted: bool) -> Self {
        if is_counted {
            Self::Counted(CountedTree::default())
        } else {
            Self::Plain(BTreeMap::new())
        }
    }

    /// The index, of the same kind, of rows given in any order.
    pub(crate) fn rebuilt(&self, mut entries: Vec<(OrderedKey, RowRef)>) -> Self {
        entries.sort_unstable();
        match self {
            Self::Plain(_) => Self::Plain(entries.into_iter().collect()),
            Self::Counted(_) => Self::Counted(CountedTree::build(entries)),
        }
    }

    /// Bytes that it takes with so many rows, the nodes being two thirds full and all keys as long as the
    /// first one.
    pub(crate) fn byte_len(&self, rows: usize) -> usize {
        let mut all = self.range(Bound::Unbounded, Bound::Unbounded);
        let on_heap = all.next().map_or(0, |(key, _)| key.heap_bytes());
        rows * (size_of::<(OrderedKey, RowRef)>() * 3 / 2 + on_heap)
    }

    pub(crate) fn insert(&mut self, key: &[u8], at: RowRef) {
        let replaced = match self {
            Self::Plain(entries) => entries.insert(key.into(), at),
            Self::Counted(entries) => entries.insert(key.into(), at),
        };
        debug_assert!(replaced.is_none(), "a primary key is in the index once");
    }

    /// # Panics
    /// If the row is not in the index: the table is inconsistent.
    pub(crate) fn remove(&mut self, key: &[u8]) {
        let removed = match self {
            Self::Plain(entries) => entries.remove(key),
            Self::Counted(entries) => entries.remove(key),
        };
        removed.expect("a row that goes is in every index");
    }

    /// The row of this key moved to another place.
    ///
    /// # Panics
    /// If the row is not in the index: the table is inconsistent.
    pub(crate) fn relocate(&mut self, key: &[u8], to: RowRef) {
        let entry = match self {
            Self::Plain(entries) => entries.get_mut(key),
            Self::Counted(entries) => entries.get_mut(key),
        };
        *entry.expect("a row that moves is in every index") = to;
    }

    /// The counts, if it has them.
    pub(crate) fn counted(&self) -> Option<&CountedTree> {
        match self {
            Self::Plain(_) => None,
            Self::Counted(entries) => Some(entries),
        }
    }

    /// The entries between two bounds; none if they are the wrong way round.
    pub(crate) fn range(&self, lower: Bound<&[u8]>, upper: Bound<&[u8]>) -> OrderedRefs<'_> {
        if is_empty(lower, upper) {
            return OrderedRefs::None;
        }
        match self {
            Self::Plain(entries) => OrderedRefs::Plain(entries.range::<[u8], _>((lower, upper))),
            Self::Counted(entries) => OrderedRefs::Counted(entries.range(lower, upper)),
        }
    }

    /// The entries whose key starts with `prefix`.
    pub(crate) fn prefixed(&self, prefix: &mut KeyBuffer) -> OrderedRefs<'_> {
        let start = prefix.clone();
        let upper = if advance(prefix) {
            Bound::Excluded(&prefix[..])
        } else {
            Bound::Unbounded
        };
        self.range(Bound::Included(&start), upper)
    }
}

/// Turns a prefix into the smallest key that is greater than all keys that start with it. `false`,
/// and `prefix` is left over, if there is none.
pub(crate) fn advance(prefix: &mut KeyBuffer) -> bool {
    while let Some(last) = prefix.pop() {
        if last != 0xff {
            prefix.push(last + 1);
            return true;
        }
    }
    false
}

/// Whether no key can lie between the bounds: what `BTreeMap::range` panics at, and a bit more.
fn is_empty(lower: Bound<&[u8]>, upper: Bound<&[u8]>) -> bool {
    match (lower, upper) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(lower), Bound::Included(upper)) => lower > upper,
        (
            Bound::Included(lower) | Bound::Excluded(lower),
            Bound::Included(upper) | Bound::Excluded(upper),
        ) => lower >= upper,
    }
}

impl<'a> Iterator for OrderedRefs<'a> {
    type Item = (&'a OrderedKey, RowRef);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::None => None,
            Self::Plain(entries) => entries.next().map(|(key, &at)| (key, at)),
            Self::Counted(entries) => entries.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::None => (0, Some(0)),
            Self::Plain(_) => (0, None),
            Self::Counted(entries) => entries.size_hint(),
        }
    }
}

impl DoubleEndedIterator for OrderedRefs<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            Self::None => None,
            Self::Plain(entries) => entries.next_back().map(|(key, &at)| (key, at)),
            Self::Counted(entries) => entries.next_back(),
        }
    }
}

#[cfg(test)]
mod tests;
