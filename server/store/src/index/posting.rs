//! Hash index with postings: all rows of a key, in page order.

use std::collections::{BTreeSet, btree_set};
use std::slice;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::hash::KeyHash;
use crate::pages::RowRef;

/// A posting with more rows becomes a set.
const FEW_MAX: usize = 64;
/// A set with fewer rows becomes a list again.
const MANY_MIN: usize = 16;

/// The rows of one key, never none. A key is not stored: it is in every row of the posting.
#[derive(Debug)]
enum Posting {
    One(KeyHash, RowRef),
    /// Ascending.
    #[expect(
        clippy::box_collection,
        reason = "a posting of one row, the usual one, has 16 bytes"
    )]
    Few(KeyHash, Box<Vec<RowRef>>),
    #[expect(
        clippy::box_collection,
        reason = "a posting of one row, the usual one, has 16 bytes"
    )]
    Many(KeyHash, Box<BTreeSet<RowRef>>),
}

/// Postings by the hash of their key. Removal costs the logarithm of the posting's length.
#[derive(Debug, Default)]
pub(crate) struct PostingIndex {
    postings: HashTable<Posting>,
}

/// The rows of a posting in page order.
#[derive(Clone, Debug)]
pub(crate) enum Refs<'a> {
    One(Option<RowRef>),
    Few(slice::Iter<'a, RowRef>),
    Many(btree_set::Iter<'a, RowRef>),
}

impl PostingIndex {
    /// The rows of the key with this hash whose rows `is_match` accepts.
    #[inline]
    pub(crate) fn find(&self, hash: KeyHash, is_match: impl Fn(RowRef) -> bool) -> Refs<'_> {
        let is_match = |posting: &Posting| posting.hash() == hash && is_match(posting.first());
        self.postings
            .find(hash.spread(), is_match)
            .map_or(Refs::One(None), Posting::refs)
    }

    /// Bytes that it takes with so many rows: a slot for each key that there is room for, and at most two
    /// places for each row.
    pub(crate) fn byte_len(&self, rows: usize) -> usize {
        self.postings.capacity() * (size_of::<Posting>() + 1) + rows * 2 * size_of::<RowRef>()
    }

    /// Adds a row. `is_match` tells whether the row at a place has the key.
    pub(crate) fn insert(&mut self, hash: KeyHash, at: RowRef, is_match: impl Fn(RowRef) -> bool) {
        let is_match = |posting: &Posting| posting.hash() == hash && is_match(posting.first());
        match self
            .postings
            .entry(hash.spread(), is_match, |posting| posting.hash().spread())
        {
            Entry::Occupied(mut found) => found.get_mut().insert(at),
            Entry::Vacant(place) => {
                place.insert(Posting::One(hash, at));
            }
        }
    }

    /// # Panics
    /// If the row is not in the index: the table is inconsistent.
    pub(crate) fn remove(&mut self, hash: KeyHash, at: RowRef) {
        let mut found = self
            .postings
            .find_entry(hash.spread(), |posting| {
                posting.hash() == hash && posting.contains(at)
            })
            .expect("a row that goes is in every index");
        if found.get_mut().remove(at) {
            found.remove();
        }
    }

    /// The row moved from one place to another.
    ///
    /// # Panics
    /// If the row is not in the index: the table is inconsistent.
    pub(crate) fn relocate(&mut self, hash: KeyHash, from: RowRef, to: RowRef) {
        let posting = self
            .postings
            .find_mut(hash.spread(), |posting| {
                posting.hash() == hash && posting.contains(from)
            })
            .expect("a row that moves is in every index");
        posting.insert(to);
        posting.remove(from);
    }
}

impl Posting {
    #[inline]
    fn hash(&self) -> KeyHash {
        match self {
            Self::One(hash, _) | Self::Few(hash, _) | Self::Many(hash, _) => *hash,
        }
    }

    /// The first row in page order.
    #[inline]
    fn first(&self) -> RowRef {
        match self {
            Self::One(_, at) => *at,
            Self::Few(_, rows) => rows[0],
            Self::Many(_, rows) => *rows.first().expect("a posting has a row"),
        }
    }

    fn contains(&self, at: RowRef) -> bool {
        match self {
            Self::One(_, own) => *own == at,
            Self::Few(_, rows) => rows.binary_search(&at).is_ok(),
            Self::Many(_, rows) => rows.contains(&at),
        }
    }

    fn refs(&self) -> Refs<'_> {
        match self {
            Self::One(_, at) => Refs::One(Some(*at)),
            Self::Few(_, rows) => Refs::Few(rows.iter()),
            Self::Many(_, rows) => Refs::Many(rows.iter()),
        }
    }

    fn insert(&mut self, at: RowRef) {
        match self {
            Self::One(hash, own) => {
                let rows = vec![at.min(*own), at.max(*own)];
                *self = Self::Few(*hash, Box::new(rows));
            }
            Self::Few(hash, rows) => {
                let position = rows.partition_point(|&own| own < at);
                rows.insert(position, at);
                if rows.len() > FEW_MAX {
                    *self = Self::Many(*hash, Box::new(rows.iter().copied().collect()));
                }
            }
            Self::Many(_, rows) => {
                rows.insert(at);
            }
        }
    }

    /// Removes a row that is there; `true` if it was the last.
    fn remove(&mut self, at: RowRef) -> bool {
        match self {
            Self::One(..) => return true,
            Self::Few(hash, rows) => {
                rows.retain(|&own| own != at);
                if let [last] = rows[..] {
                    *self = Self::One(*hash, last);
                }
            }
            Self::Many(hash, rows) => {
                rows.remove(&at);
                if rows.len() < MANY_MIN {
                    *self = Self::Few(*hash, Box::new(rows.iter().copied().collect()));
                }
            }
        }
        false
    }
}

impl Iterator for Refs<'_> {
    type Item = RowRef;

    #[inline]
    fn next(&mut self) -> Option<RowRef> {
        match self {
            Self::One(at) => at.take(),
            Self::Few(rows) => rows.next().copied(),
            Self::Many(rows) => rows.next().copied(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = match self {
            Self::One(at) => usize::from(at.is_some()),
            Self::Few(rows) => rows.len(),
            Self::Many(rows) => rows.len(),
        };
        (len, Some(len))
    }
}

impl ExactSizeIterator for Refs<'_> {}

#[cfg(test)]
mod tests;
