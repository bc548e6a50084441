//! Packed rows with weights: +1 came, -1 went. What cancels is nothing.

use syncline_protocol::RowLayout;

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

    /// Adds the row of the last entry again, for another cell.
    pub(crate) fn push_same(&mut self, cell: u32, weight: i32) {
        let last = *self.entries.last().expect("a row was pushed before");
        self.entries.push(Entry {
            cell,
            weight,
            ..last
        });
    }

    /// Makes one entry of all with one row of one cell, and none of those that cancel; entries are then
    /// ordered by cell and row.
    pub(crate) fn consolidate(&mut self) {
        let Self { bytes, entries } = self;
        // By cell first: most have one row, and numbers are quicker to compare.
        if !entries.is_sorted_by_key(|entry| entry.cell) {
            entries.sort_unstable_by_key(|entry| entry.cell);
        }
        let (mut kept, mut start) = (0, 0);
        while start < entries.len() {
            let cell = entries[start].cell;
            let rest = entries[start..].iter();
            let end = start + rest.take_while(|entry| entry.cell == cell).count();
            if end - start > 1 {
                sort_rows(bytes, &mut entries[start..end]);
            }
            let mut next = start;
            while next < end {
                let mut entry = entries[next];
                next += 1;
                while next < end && is_same_row(bytes, entry, entries[next]) {
                    entry.weight += entries[next].weight;
                    next += 1;
                }
                if entry.weight != 0 {
                    entries[kept] = entry;
                    kept += 1;
                }
            }
            start = end;
        }
        entries.truncate(kept);
    }
}

fn sort_rows(bytes: &[u8], entries: &mut [Entry]) {
    let row = |entry: &Entry| &bytes[entry.start..entry.end];
    if let [one, other] = entries {
        if row(one) > row(other) {
            std::mem::swap(one, other);
        }
        return;
    }
    entries.sort_unstable_by(|one, other| row(one).cmp(row(other)));
}

fn is_same_row(bytes: &[u8], one: Entry, other: Entry) -> bool {
    one.start == other.start && one.end == other.end
        || bytes[one.start..one.end] == bytes[other.start..other.end]
}

/// The first `count` columns of a packed row, as bytes.
pub(crate) fn first_columns<'r>(layout: &RowLayout, row: &'r [u8], count: usize) -> &'r [u8] {
    layout.columns(row, 0..count)
}

#[cfg(test)]
mod tests;
