//! Hash index without postings: the primary key, and unique indexes whose keys are never NULL.

use std::hash::{BuildHasher, Hasher};

use foldhash::quality::FixedState;

use crate::pages::RowRef;

/// 32 bits of the hash of a packed key. They stand beside each row's place, so that a table grows
/// and rejects strangers without looking at a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyHash(u32);

impl KeyHash {
    /// Spreads the bits over the 64 that hashbrown wants (it takes the place from the low ones and
    /// seven more from the top).
    #[inline]
    pub(crate) fn spread(self) -> u64 {
        u64::from(self.0) << 32 | u64::from(self.0)
    }
}

/// Hashes packed keys with the database's seed.
#[derive(Clone, Debug)]
pub(crate) struct KeyHasher(FixedState);

impl KeyHasher {
    pub(crate) fn new(seed: u64) -> Self {
        Self(FixedState::with_seed(seed))
    }

    #[inline]
    pub(crate) fn hash(&self, packed_key: &[u8]) -> KeyHash {
        let mut hasher = self.0.build_hasher();
        match <[u8; 8]>::try_from(packed_key) {
            Ok(word) => hasher.write_u64(u64::from_le_bytes(word)),
            Err(_) => hasher.write(packed_key),
        }
        KeyHash((hasher.finish() >> 32) as u32)
    }
}

/// Places of rows by the hash of their key. Whoever looks compares the key in the row.
///
/// Open addressing with linear probing: a look-up reads one cache line, where a table with separate
/// control bytes reads two, and 8 bytes per entry at up to three quarters full are no more memory. An
/// entry is never farther from its home than through entries without a gap (a removal closes its gap).
#[derive(Debug, Default)]
pub(crate) struct HashIndex {
    /// A power of two of them, or none.
    entries: Box<[Entry]>,
    len: usize,
}

/// Hash above, place below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry(u64);

impl Entry {
    /// No row has this place.
    const EMPTY: Self = Self(u64::MAX);

    #[inline]
    fn new(hash: KeyHash, at: RowRef) -> Self {
        Self(u64::from(hash.0) << 32 | u64::from(at.to_bits()))
    }

    #[inline]
    fn hash(self) -> KeyHash {
        KeyHash((self.0 >> 32) as u32)
    }

    #[inline]
    fn at(self) -> RowRef {
        RowRef::from_bits(self.0 as u32)
    }
}

const ENTRIES_MIN: usize = 8;

impl HashIndex {
    /// Makes room for so many rows at once.
    pub(crate) fn reserve(&mut self, rows: usize) {
        let wanted = (self.len + rows).saturating_mul(4) / 3 + 1;
        if wanted > self.entries.len() {
            self.resize(wanted.next_power_of_two().max(ENTRIES_MIN));
        }
    }

    /// Bytes that it takes.
    pub(crate) fn byte_len(&self) -> usize {
        size_of_val(&*self.entries)
    }

    /// The first place with this hash that `is_match` accepts.
    #[inline]
    pub(crate) fn find(&self, hash: KeyHash, is_match: impl Fn(RowRef) -> bool) -> Option<RowRef> {
        self.position(hash, is_match)
            .map(|position| self.entries[position].at())
    }

    pub(crate) fn insert(&mut self, hash: KeyHash, at: RowRef) {
        if (self.len + 1) * 4 > self.entries.len() * 3 {
            self.resize((self.entries.len() * 2).max(ENTRIES_MIN));
        }
        self.place(Entry::new(hash, at));
        self.len += 1;
    }

    /// # Panics
    /// If the row is not in the index: the table is inconsistent.
    pub(crate) fn remove(&mut self, hash: KeyHash, at: RowRef) {
        let found = self.position(hash, |own| own == at);
        let mut gap = found.expect("a row that goes is in every index");
        let mask = self.entries.len() - 1;
        let mut next = gap;
        loop {
            next = (next + 1) & mask;
            let entry = self.entries[next];
            if entry == Entry::EMPTY {
                break;
            }
            // The entry may fill the gap unless its home lies behind it.
            let home = entry.hash().0 as usize & mask;
            if next.wrapping_sub(home) & mask >= next.wrapping_sub(gap) & mask {
                self.entries[gap] = entry;
                gap = next;
            }
        }
        self.entries[gap] = Entry::EMPTY;
        self.len -= 1;
        if self.len * 8 < self.entries.len() && self.entries.len() > ENTRIES_MIN {
            self.resize(self.entries.len() / 2);
        }
    }

    /// The row moved from one place to another.
    ///
    /// # Panics
    /// If the row is not in the index: the table is inconsistent.
    pub(crate) fn relocate(&mut self, hash: KeyHash, from: RowRef, to: RowRef) {
        let found = self.position(hash, |own| own == from);
        let position = found.expect("a row that moves is in every index");
        self.entries[position] = Entry::new(hash, to);
    }

    #[inline]
    fn position(&self, hash: KeyHash, is_match: impl Fn(RowRef) -> bool) -> Option<usize> {
        let mask = self.entries.len().checked_sub(1)?;
        let mut position = hash.0 as usize & mask;
        loop {
            let entry = self.entries[position & mask];
            if entry == Entry::EMPTY {
                return None;
            }
            if entry.hash() == hash && is_match(entry.at()) {
                return Some(position);
            }
            position = (position + 1) & mask;
        }
    }

    /// Puts an entry into the first gap from its home on; there is one.
    fn place(&mut self, entry: Entry) {
        let mask = self.entries.len() - 1;
        let mut position = entry.hash().0 as usize & mask;
        while self.entries[position] != Entry::EMPTY {
            position = (position + 1) & mask;
        }
        self.entries[position] = entry;
    }

    fn resize(&mut self, entries: usize) {
        let old = std::mem::replace(&mut self.entries, vec![Entry::EMPTY; entries].into());
        for entry in old {
            if entry != Entry::EMPTY {
                self.place(entry);
            }
        }
    }
}

#[cfg(test)]
mod tests;
