//! Packed rows with weights: +1 came, -1 went. What cancels is nothing.

use syncline_protocol::RowLayout;

use crate::row::next_column;

/// Rows with weights, each of a cell: one query of one instance. All bytes lie in one buffer.
#[derive(Debug, Default)]
pub(crate) struct ZSet {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

/// A row with its weight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) cell: u32,
    pub(crate) weight: i32,
    start: usize,
    end: usize,
}

impl ZSet {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
    }

    pub(crate) fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Adds a row that `write` appends.
    pub(crate) fn push_with(&mut self, cell: u32, weight: i32, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        self.entries.push(Entry {
            cell,
            weight,
            start,
            end: self.bytes.len(),
        });
    }

    pub(crate) fn push(&mut self, cell: u32, weight: i32, row: &[u8]) {
        self.push_with(cell, weight, |out| out.extend_from_slice(row));
    }

    pub(crate) fn row(&self, entry: Entry) -> &[u8] {
        &self.bytes[entry.start..entry.end]
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Rows with their weights.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, i32, &[u8])> {
        let read = |entry: &Entry| (entry.cell, entry.weight, self.row(*entry));
        self.entries.iter().map(read)
    }

    /// Makes one entry of all with one row of one cell, and none of those that cancel; entries are then
    /// ordered by cell and row, those that went before those that came.
    pub(crate) fn consolidate(&mut self) {
        if let [one, other] = self.entries.as_slice()
            && one.cell != other.cell
            && one.weight != 0
            && other.weight != 0
        {
            self.entries.sort_unstable_by_key(|entry| entry.cell);
            return;
        }
        let bytes = &self.bytes;
        let row = |entry: &Entry| &bytes[entry.start..entry.end];
        self.entries
            .sort_unstable_by(|one, other| (one.cell, row(one)).cmp(&(other.cell, row(other))));
        let mut kept: usize = 0;
        for position in 0..self.entries.len() {
            let entry = self.entries[position];
            if let Some(last) = kept.checked_sub(1).map(|last| &mut self.entries[last])
                && last.cell == entry.cell
                && bytes[last.start..last.end] == bytes[entry.start..entry.end]
            {
                last.weight += entry.weight;
                continue;
            }
            // What has cancelled makes room.
            if kept > 0 && self.entries[kept - 1].weight == 0 {
                kept -= 1;
            }
            self.entries[kept] = entry;
            kept += 1;
        }
        self.entries.truncate(kept);
        if self.entries.last().is_some_and(|entry| entry.weight == 0) {
            self.entries.pop();
        }
    }
}

/// The first `count` columns of a packed row, as bytes.
pub(crate) fn first_columns<'r>(layout: &RowLayout, row: &'r [u8], count: usize) -> &'r [u8] {
    let mut rest = row;
    for ty in &layout.types()[..count] {
        next_column(ty, &mut rest);
    }
    &row[..row.len() - rest.len()]
}

#[cfg(test)]
mod tests;
