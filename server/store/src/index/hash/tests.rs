#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{HashIndex, KeyHash, KeyHasher};
use crate::pages::RowRef;

proptest! {
    /// Few hashes, at the end of the table too: long runs that wrap around.
    #[test]
    fn it_is_a_set_of_hashed_places(steps in proptest::collection::vec((0_u32..12, 0_u32..300), 0..800)) {
        let mut index = HashIndex::default();
        let mut model = BTreeMap::<u32, KeyHash>::new();
        for (kind, place) in steps {
            let at = RowRef::from_bits(place);
            let hash = KeyHash([0, 1, 2, 0xffff_ffff, 0xffff_fffe, place.wrapping_mul(0x9e37_79b9)][kind as usize % 6]);
            match model.get(&place).copied() {
                None => {
                    index.insert(hash, at);
                    model.insert(place, hash);
                }
                Some(own) if kind < 3 && !model.contains_key(&(place + 1000)) => {
                    index.relocate(own, at, RowRef::from_bits(place + 1000));
                    model.remove(&place);
                    model.insert(place + 1000, own);
                }
                Some(own) => {
                    index.remove(own, at);
                    model.remove(&place);
                }
            }
            prop_assert_eq!(index.len, model.len());
        }
        for place in 0..1300 {
            let at = RowRef::from_bits(place);
            for hash in [0, 1, 2, 0xffff_ffff, 0xffff_fffe, place.wrapping_mul(0x9e37_79b9)].map(KeyHash) {
                let expected = model.get(&place).filter(|own| **own == hash).map(|_| at);
                prop_assert_eq!(index.find(hash, |own| own == at), expected);
            }
        }
        for (place, hash) in model {
            index.remove(hash, RowRef::from_bits(place));
        }
        prop_assert!(index.entries.len() <= super::ENTRIES_MIN, "an empty index is small");
    }
}

#[test]
fn it_grows_as_it_was_told() {
    let hasher = KeyHasher::new(5);
    let mut index = HashIndex::default();
    assert_eq!(index.find(hasher.hash(b"a"), |_| true), None);
    index.reserve(1000);
    let entries = index.entries.len();
    for number in 0..1000_u32 {
        index.insert(
            hasher.hash(&number.to_le_bytes()),
            RowRef::from_bits(number),
        );
    }
    assert_eq!(index.entries.len(), entries);
    assert!(entries <= 2048);
}

#[test]
fn a_hash_depends_on_seed_and_bytes() {
    let hash = |seed, key: &[u8]| KeyHasher::new(seed).hash(key);
    assert_eq!(hash(1, b"12345678"), hash(1, b"12345678"));
    assert_ne!(hash(1, b"12345678"), hash(2, b"12345678"));
    assert_ne!(hash(1, b"12345678"), hash(1, b"12345679"));
    assert_ne!(hash(1, b"1234567"), hash(1, b"1234567\0"));
}
