//! Hash index without postings: the primary key, and unique indexes whose keys are never NULL.

use std::hash::{BuildHasher, Hasher};

use foldhash::quality::FixedState;
use hashbrown::HashTable;

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

#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: KeyHash,
    at: RowRef,
}

/// Places of rows by the hash of their key. Whoever looks compares the key in the row.
#[derive(Debug, Default)]
pub(crate) struct HashIndex {
    entries: HashTable<Entry>,
}

impl HashIndex {
    /// Makes room for so many rows at once.
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.entries.reserve(rows, |entry| entry.hash.spread());
    }

    /// The first place with this hash that `is_match` accepts.
    #[inline]
    pub(crate) fn find(&self, hash: KeyHash, is_match: impl Fn(RowRef) -> bool) -> Option<RowRef> {
        self.entries
            .find(hash.spread(), |entry| {
                entry.hash == hash && is_match(entry.at)
            })
            .map(|entry| entry.at)
    }

    pub(crate) fn insert(&mut self, hash: KeyHash, at: RowRef) {
        self.entries
            .insert_unique(hash.spread(), Entry { hash, at }, |entry| {
                entry.hash.spread()
            });
    }

    /// # Panics
    /// If the row is not in the index: the table is inconsistent.
    pub(crate) fn remove(&mut self, hash: KeyHash, at: RowRef) {
        self.entries
            .find_entry(hash.spread(), |entry| entry.at == at)
            .expect("a row that goes is in every index")
            .remove();
    }

    /// The row moved from one place to another.
    ///
    /// # Panics
    /// If the row is not in the index: the table is inconsistent.
    pub(crate) fn relocate(&mut self, hash: KeyHash, from: RowRef, to: RowRef) {
        self.entries
            .find_mut(hash.spread(), |entry| entry.at == from)
            .expect("a row that moves is in every index")
            .at = to;
    }
}
