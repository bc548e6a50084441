//! Instances in the order of the places that they watch.

use std::collections::BTreeMap;
use std::ops::Bound;

use smallvec::SmallVec;

/// A place in an ordered index: the memcomparable key of its columns.
pub(in crate::live) type PlaceKey = SmallVec<[u8; 16]>;

/// What an instance watches.
#[derive(Debug)]
pub(in crate::live) struct Place {
    /// Nothing if its subject is not there: then nothing is ahead of it.
    pub(in crate::live) key: Option<PlaceKey>,
    /// The count when it began to watch.
    pub(in crate::live) first_count: i64,
}

/// All instances of a template that watch a place, with how many rows are ahead of it.
#[derive(Debug, Default)]
pub(in crate::live) struct Watchers(BTreeMap<Watcher, i64>);

/// Sorts by place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Watcher {
    key: PlaceKey,
    instance: u32,
}

/// Where the number of rows that the watchers count begins to differ. Sorts by place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cut {
    pub(super) key: PlaceKey,
    /// Whether those who watch this very place are before the cut.
    pub(super) is_behind: bool,
    /// From here on there are so many more.
    pub(super) change: i64,
}

impl Cut {
    fn watcher(&self) -> Watcher {
        Watcher {
            key: self.key.clone(),
            instance: if self.is_behind { u32::MAX } else { 0 },
        }
    }
}

impl Watchers {
    pub(in crate::live) fn insert(&mut self, key: &PlaceKey, instance: u32, count: i64) {
        let key = key.clone();
        let old = self.0.insert(Watcher { key, instance }, count);
        assert!(old.is_none(), "an instance watches once");
    }

    /// Takes a watcher out; its count.
    pub(in crate::live) fn remove(&mut self, key: &PlaceKey, instance: u32) -> Option<i64> {
        let key = key.clone();
        self.0.remove(&Watcher { key, instance })
    }

    pub(in crate::live) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Changes the counts between the cuts; `visit` gets each instance whose count changed, what that was and
    /// what it is.
    pub(super) fn sweep(&mut self, cuts: &mut [Cut], mut visit: impl FnMut(u32, i64, i64)) {
        cuts.sort_unstable();
        let mut sum = 0;
        for (at, cut) in cuts.iter().enumerate() {
            sum += cut.change;
            let next = cuts.get(at + 1);
            let is_same = |next: &Cut| (&next.key, next.is_behind) == (&cut.key, cut.is_behind);
            if sum == 0 || next.is_some_and(is_same) {
                continue;
            }
            let end = next.map_or(Bound::Unbounded, |next| Bound::Excluded(next.watcher()));
            let between = (Bound::Included(cut.watcher()), end);
            for (watcher, count) in self.0.range_mut(between) {
                let old = *count;
                *count += sum;
                visit(watcher.instance, old, *count);
            }
        }
    }
}

#[cfg(test)]
mod tests;
