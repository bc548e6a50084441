//! What a transaction has touched: enough to undo it, and to tell its net changes.

use hashbrown::HashTable;

use syncline_protocol::limits::{CALL_ROWS_MAX, CALL_WRITE_BYTES_MAX};

use crate::index::KeyHash;
use crate::pages::RowRef;
use crate::table::{Table, WriteError};

/// Up to so many entries are searched one by one; more by hash.
const SEARCHED_MAX: usize = 16;
/// Memory that is kept from transaction to transaction, in entries and in bytes of old rows.
const KEPT_ENTRIES_MAX: usize = 4096;
const KEPT_IMAGE_BYTES_MAX: usize = 1 << 20;

/// One entry per primary key that the open transaction wrote, in the order of the first write, each with
/// the row as it was before. All memory is reused by the next transaction.
#[derive(Debug, Default)]
pub(crate) struct Undo {
    pub(crate) entries: Vec<Entry>,
    /// Rows as they were.
    images: Vec<u8>,
    /// Numbers of entries by hash, once there are many.
    by_hash: HashTable<u32>,
    /// Tables, by position, and their auto_increment marks before the first change.
    pub(crate) marks: Vec<(u32, u128)>,
    pub(crate) written_bytes: usize,
}

/// A primary key that was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// Position of the table in the database.
    pub(crate) table: u32,
    /// Hash of the primary key.
    pub(crate) hash: KeyHash,
    /// The row before the transaction, if there was one: a part of `images`.
    old: Option<(u32, u32)>,
    /// Where the row lies now, if there is one.
    pub(crate) now: Option<RowRef>,
}

impl Entry {
    fn spread(&self) -> u64 {
        spread(self.table, self.hash)
    }
}

fn spread(table: u32, hash: KeyHash) -> u64 {
    hash.spread() ^ u64::from(table)
}

impl Undo {
    /// The row of an entry as it was.
    pub(crate) fn old(&self, entry: &Entry) -> Option<&[u8]> {
        entry
            .old
            .map(|(start, end)| &self.images[start as usize..end as usize])
    }

    /// The entry of the row that lies at `at`.
    #[inline]
    pub(crate) fn find(&self, table: u32, hash: KeyHash, at: RowRef) -> Option<usize> {
        self.search(table, hash, |entry| entry.now == Some(at))
    }

    /// The entry of a row with the primary key of `row` that was there before the transaction and is
    /// not there now.
    #[inline]
    pub(crate) fn find_gone(
        &self,
        position: u32,
        table: &Table,
        hash: KeyHash,
        row: &[u8],
    ) -> Option<usize> {
        self.search(position, hash, |entry| {
            entry.now.is_none()
                && self
                    .old(entry)
                    .is_some_and(|old| table.same_primary_key(old, row))
        })
    }

    fn search(&self, table: u32, hash: KeyHash, is_it: impl Fn(&Entry) -> bool) -> Option<usize> {
        let is_it = |entry: &Entry| entry.table == table && entry.hash == hash && is_it(entry);
        if self.entries.len() <= SEARCHED_MAX {
            return self.entries.iter().rposition(is_it);
        }
        let is_it = |&number: &u32| is_it(&self.entries[number as usize]);
        self.by_hash
            .find(spread(table, hash), is_it)
            .map(|&number| number as usize)
    }

    /// Whether the limits of a transaction admit a write of so many bytes; without an entry it is one
    /// more row.
    #[inline]
    pub(crate) fn check_room(&self, entry: Option<usize>, bytes: usize) -> Result<(), WriteError> {
        if entry.is_none() && self.entries.len() >= CALL_ROWS_MAX {
            return Err(WriteError::TooManyRows);
        }
        if self.written_bytes + bytes > CALL_WRITE_BYTES_MAX {
            return Err(WriteError::TooManyBytes);
        }
        Ok(())
    }

    /// Adds an entry with the row as it was.
    pub(crate) fn push(
        &mut self,
        table: u32,
        hash: KeyHash,
        old: Option<&[u8]>,
        now: Option<RowRef>,
    ) -> usize {
        let old = old.map(|old| {
            let start = self.images.len() as u32;
            self.images.extend_from_slice(old);
            (start, self.images.len() as u32)
        });
        let number = self.entries.len();
        self.entries.push(Entry {
            table,
            hash,
            old,
            now,
        });
        if number == SEARCHED_MAX {
            (0..=number).for_each(|number| self.add_by_hash(number));
        } else if number > SEARCHED_MAX {
            self.add_by_hash(number);
        }
        number
    }

    fn add_by_hash(&mut self, number: usize) {
        let entries = &self.entries;
        let spread = |&number: &u32| entries[number as usize].spread();
        self.by_hash
            .insert_unique(entries[number].spread(), number as u32, spread);
    }

    /// Notes the auto_increment mark of a table, unless it was noted before.
    pub(crate) fn note_mark(&mut self, table: u32, mark: u128) {
        if !self.marks.iter().any(|(noted, _)| *noted == table) {
            self.marks.push((table, mark));
        }
    }

    /// Groups the entries by table, each group in the order of first writes.
    pub(crate) fn group(&mut self) {
        if !self.entries.is_sorted_by_key(|entry| entry.table) {
            self.entries.sort_by_key(|entry| entry.table);
        }
    }

    /// Forgets everything and keeps a moderate amount of memory.
    pub(crate) fn clear(&mut self) {
        if self.entries.len() > SEARCHED_MAX {
            self.by_hash.clear();
            self.by_hash.shrink_to(KEPT_ENTRIES_MAX, |_| 0);
        }
        self.entries.clear();
        self.entries.shrink_to(KEPT_ENTRIES_MAX);
        self.images.clear();
        self.images.shrink_to(KEPT_IMAGE_BYTES_MAX);
        self.marks.clear();
        self.written_bytes = 0;
    }
}
