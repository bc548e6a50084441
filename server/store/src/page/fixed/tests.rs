#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::FixedPage;

proptest! {
    #[test]
    fn it_is_a_map_from_slots_to_rows(
        row_bytes in prop_oneof![1_usize..20, 1_usize..=2048],
        steps in proptest::collection::vec((0..4, any::<u16>()), 0..400),
    ) {
        let mut page = FixedPage::new(row_bytes);
        let mut model = BTreeMap::<u16, Vec<u8>>::new();
        for (number, (kind, which)) in steps.into_iter().enumerate() {
            let row = vec![number as u8; row_bytes];
            let known = model.keys().nth(usize::from(which) % model.len().max(1)).copied();
            match (kind, known) {
                (0 | 1, _) if page.has_room() => {
                    let lowest = (0..1024).find(|slot| !model.contains_key(slot)).unwrap();
                    prop_assert_eq!(page.insert(&row), lowest);
                    model.insert(lowest, row);
                }
                (2, Some(slot)) => {
                    page.update(slot, &row);
                    model.insert(slot, row);
                }
                (3, Some(slot)) => {
                    page.remove(slot);
                    model.remove(&slot);
                }
                _ => {}
            }
            prop_assert_eq!(usize::from(page.len()), model.len());
        }
        for slot in 0..1100 {
            prop_assert_eq!(page.row(slot), model.get(&slot).map(Vec::as_slice));
            let next = model.range(slot..).next().map(|(slot, _)| *slot);
            prop_assert_eq!(page.next_live(slot), next);
        }
    }
}

#[test]
fn it_is_full_at_last() {
    for (row_bytes, slot_count) in [(1, 1024), (15, 1024), (16, 1013), (40, 405), (2048, 7)] {
        let mut page = FixedPage::new(row_bytes);
        assert!(page.is_spacious());
        while page.has_room() {
            page.insert(&vec![7; row_bytes]);
        }
        assert_eq!(page.len(), slot_count);
        assert!(!page.is_spacious());
        for slot in (0..slot_count).rev() {
            assert!(page.row(slot).is_some());
            page.remove(slot);
        }
        assert_eq!(page.next_live(0), None);
    }
}
