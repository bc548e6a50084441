#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{PAGED_ROW_BYTES_MAX, SLOTS_MAX, SlottedPage};

#[derive(Clone, Debug)]
enum Step {
    Insert(usize),
    Update(usize, usize),
    Remove(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let len = prop_oneof![1_usize..20, 1_usize..200, 1_usize..=PAGED_ROW_BYTES_MAX];
    let step = prop_oneof![
        4 => len.clone().prop_map(Step::Insert),
        2 => (any::<usize>(), len).prop_map(|(which, len)| Step::Update(which, len)),
        2 => any::<usize>().prop_map(Step::Remove),
    ];
    proptest::collection::vec(step, 0..300)
}

proptest! {
    #[test]
    fn it_is_a_map_from_slots_to_rows(steps in steps()) {
        let mut page = SlottedPage::new();
        let mut model = BTreeMap::<u16, Vec<u8>>::new();
        for (number, step) in steps.into_iter().enumerate() {
            let row = |len: usize| vec![number as u8; len];
            let pick = |which: usize| model.keys().nth(which % model.len().max(1)).copied();
            match step {
                Step::Insert(len) if page.fits(len) => {
                    let slot = page.insert(&row(len));
                    prop_assert!(model.insert(slot, row(len)).is_none());
                }
                Step::Insert(len) => prop_assert!(page.free_bytes() < len + 4),
                Step::Update(which, len) => {
                    let Some(slot) = pick(which) else { continue };
                    let has_room = page.free_bytes() + model[&slot].len() >= len;
                    prop_assert_eq!(page.update(slot, &row(len)), has_room);
                    if has_room {
                        model.insert(slot, row(len));
                    }
                }
                Step::Remove(which) => {
                    let Some(slot) = pick(which) else { continue };
                    page.remove(slot);
                    model.remove(&slot);
                }
            }
            prop_assert_eq!(usize::from(page.len()), model.len());
            for slot in 0..=page.slot_count() {
                prop_assert_eq!(page.row(slot), model.get(&slot).map(Vec::as_slice));
            }
        }
    }
}

#[test]
fn small_rows_use_up_the_slots() {
    let mut page = SlottedPage::new();
    while page.fits(1) {
        page.insert(&[1]);
    }
    assert_eq!(page.len(), SLOTS_MAX);
    page.remove(77);
    page.remove(78);
    assert!(page.fits(1));
    assert_eq!(
        page.insert(&[2]),
        78,
        "the last slot that was freed is the first to be reused"
    );
    assert_eq!(page.row(78), Some(&[2][..]));
    assert_eq!(page.row(77), None);
    assert_eq!(page.row(SLOTS_MAX), None);
}
