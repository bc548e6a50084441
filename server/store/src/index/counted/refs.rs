//! Entries of a range, from either end.

use super::{CountedTree, Place};
use crate::index::key::OrderedKey;
use crate::pages::RowRef;

/// Entries between two places.
#[derive(Clone, Debug)]
pub(crate) struct CountedRefs<'a> {
    tree: &'a CountedTree,
    front: Place,
    back: Place,
    left: usize,
}

impl<'a> CountedRefs<'a> {
    pub(super) fn new(tree: &'a CountedTree, front: Place, back: Place) -> Self {
        let left = back.rank.saturating_sub(front.rank);
        Self {
            tree,
            front,
            back,
            left,
        }
    }
}

impl<'a> Iterator for CountedRefs<'a> {
    type Item = (&'a OrderedKey, RowRef);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let mut leaf = self.tree.leaf(self.front.leaf);
        while self.front.at == leaf.entries.len() {
            self.front.leaf = leaf.after;
            self.front.at = 0;
            leaf = self.tree.leaf(self.front.leaf);
        }
        let (key, at) = &leaf.entries[self.front.at];
        self.front.at += 1;
        Some((key, *at))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl DoubleEndedIterator for CountedRefs<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let mut leaf = self.tree.leaf(self.back.leaf);
        while self.back.at == 0 {
            self.back.leaf = leaf.before;
            leaf = self.tree.leaf(self.back.leaf);
            self.back.at = leaf.entries.len();
        }
        self.back.at -= 1;
        let (key, at) = &leaf.entries[self.back.at];
        Some((key, *at))
    }
}

impl ExactSizeIterator for CountedRefs<'_> {}
