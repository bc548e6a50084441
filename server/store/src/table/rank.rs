//! How many rows lie where in an ordered index, and which row is the n-th. In a counted index each answer
//! costs the logarithm of the table; in an ordered one without counts it costs the rows that are counted.

use std::ops::Bound;

use super::Table;
use super::error::IndexId;

impl Table {
    /// Whether ranks and counts in this index are quick.
    pub fn is_counted(&self, index: IndexId) -> bool {
        self.ordered(index)
            .is_some_and(|entries| entries.counted().is_some())
    }

    /// How many rows lie between two bounds, given as for [`Self::range`]; 0 if the index is not ordered.
    pub fn range_count(&self, index: IndexId, lower: Bound<&[u8]>, upper: Bound<&[u8]>) -> usize {
        let Some(entries) = self.ordered(index) else {
            return 0;
        };
        match entries.counted() {
            Some(counted) => {
                let (start, end) = counted.ranks(lower, upper);
                end - start
            }
            None => entries.range(lower, upper).count(),
        }
    }

    /// How many rows lie before a memcomparable key: the rank, from 0, of a row that has it. Rows that have
    /// it, or whose keys begin with it, are not counted. 0 if the index is not ordered.
    pub fn rank(&self, index: IndexId, key: &[u8]) -> usize {
        self.range_count(index, Bound::Unbounded, Bound::Excluded(key))
    }

    /// How many rows lie before a row that is in the table, those of one key in the order of their primary
    /// keys; nothing if the index is not ordered.
    pub fn rank_of_row(&self, index: IndexId, row: &[u8]) -> Option<usize> {
        let secondary = self.secondary(index)?;
        secondary.ordered()?;
        let key = secondary.ordered_key(&self.heap, row);
        Some(self.rank(index, &key))
    }

    /// The row between two bounds that has `n` others of them before it, or with `reverse` behind it.
    pub fn nth(
        &self,
        index: IndexId,
        lower: Bound<&[u8]>,
        upper: Bound<&[u8]>,
        reverse: bool,
        n: usize,
    ) -> Option<&[u8]> {
        let entries = self.ordered(index)?;
        let Some(counted) = entries.counted() else {
            let mut found = entries.range(lower, upper);
            let entry = if reverse {
                found.nth_back(n)
            } else {
                found.nth(n)
            };
            return entry.map(|(_, at)| self.row(at));
        };
        let (start, end) = counted.ranks(lower, upper);
        let rank = if reverse {
            end.checked_sub(n)?.checked_sub(1)?
        } else {
            start.checked_add(n)?
        };
        let is_within = (start..end).contains(&rank);
        let (_, at) = counted.nth(rank).filter(|_| is_within)?;
        Some(self.row(at))
    }
}

#[cfg(test)]
mod tests;
