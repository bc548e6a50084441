#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::PostingIndex;
use crate::index::KeyHasher;
use crate::pages::{Pages, RowRef};

/// Places of as many rows, in page order.
fn places(count: usize) -> Vec<RowRef> {
    let mut pages = Pages::new(None);
    (0..count).map(|_| pages.insert(&[0]).unwrap()).collect()
}

proptest! {
    /// Two keys, so that postings of both grow to sets and shrink back; a third that is never there.
    #[test]
    fn it_is_a_set_of_places_per_key(steps in proptest::collection::vec((0_usize..2, 0_usize..400), 0..600)) {
        let places = places(400);
        let mut index = PostingIndex::default();
        let mut model = [BTreeSet::new(), BTreeSet::new()];
        let hasher = KeyHasher::new(1);
        let hash = |key: usize| hasher.hash(&[key as u8]);
        for (key, place) in steps {
            let at = places[place];
            let own = model.clone();
            if model[key].remove(&at) {
                // Two thirds of removals are moves to the place of the other key.
                let to = places[399 - place];
                if place % 3 != 0 && !model.iter().any(|rows| rows.contains(&to)) {
                    index.relocate(hash(key), at, to);
                    model[key].insert(to);
                } else {
                    index.remove(hash(key), at);
                }
            } else if !model[1 - key].contains(&at) {
                index.insert(hash(key), at, |other| own[key].contains(&other));
                model[key].insert(at);
            }
        }
        for key in 0..3 {
            let rows = model.get(key).cloned().unwrap_or_default();
            let found = index.find(hash(key), |other| rows.contains(&other));
            prop_assert_eq!(found.len(), rows.len());
            prop_assert!(found.eq(rows));
        }
    }
}

#[test]
fn a_posting_of_one_row_is_small() {
    assert_eq!(size_of::<super::Posting>(), 16);
}
