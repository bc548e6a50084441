#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Pages, RowRef};

#[derive(Clone, Debug)]
enum Step {
    Insert(usize),
    Update(usize, usize),
    Remove(usize),
    /// Removes one row in so many.
    Thin(usize),
    /// Lengthens one row in so many.
    Swell(usize),
    View,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let len = prop_oneof![8 => 1_usize..300, 2 => 1000_usize..2048, 1 => 2049_usize..6000];
    let step = prop_oneof![
        8 => len.clone().prop_map(Step::Insert),
        4 => (any::<usize>(), len).prop_map(|(which, len)| Step::Update(which, len)),
        2 => any::<usize>().prop_map(Step::Remove),
        1 => (1_usize..5).prop_map(Step::Thin),
        1 => (1_usize..5).prop_map(Step::Swell),
        1 => Just(Step::View),
    ];
    let fill = (0_usize..500).prop_map(|count| vec![Step::Insert(150); count]);
    (fill, proptest::collection::vec(step, 0..100)).prop_map(|(fill, steps)| [fill, steps].concat())
}

fn check(pages: &Pages, model: &BTreeMap<RowRef, Vec<u8>>) {
    assert_eq!(pages.view().len(), model.len());
    let rows: Vec<_> = pages
        .view()
        .places()
        .map(|(at, row)| (at, row.to_vec()))
        .collect();
    let expected: Vec<_> = model.iter().map(|(at, row)| (*at, row.clone())).collect();
    assert_eq!(rows, expected, "page order is the order of places");
}

/// `fixed`: every row has this length, whatever the steps say.
fn run(steps: &[Step], fixed: Option<usize>) -> Vec<(RowRef, Vec<u8>)> {
    let mut pages = Pages::new(fixed);
    let mut model = BTreeMap::new();
    let mut views = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let row = |len: usize| vec![number as u8; fixed.unwrap_or(len)];
        let pick = |model: &BTreeMap<RowRef, _>, which: usize| {
            model.keys().nth(which % model.len().max(1)).copied()
        };
        match *step {
            Step::Insert(len) => {
                let at = pages.insert(&row(len)).unwrap();
                assert!(model.insert(at, row(len)).is_none());
            }
            Step::Update(which, len) => {
                let Some(at) = pick(&model, which) else {
                    continue;
                };
                let now = pages.update(at, &row(len)).unwrap();
                model.remove(&at);
                assert!(model.insert(now, row(len)).is_none());
            }
            Step::Remove(which) => {
                let Some(at) = pick(&model, which) else {
                    continue;
                };
                pages.remove(at);
                model.remove(&at);
            }
            Step::Thin(nth) => {
                let gone: Vec<_> = model.keys().step_by(nth).copied().collect();
                for at in gone {
                    pages.remove(at);
                    model.remove(&at);
                }
            }
            Step::Swell(nth) => {
                let swollen: Vec<_> = model.keys().step_by(nth).copied().collect();
                for at in swollen {
                    let len = model.remove(&at).map_or(0, |row| row.len());
                    let now = pages.update(at, &row(len + 150)).unwrap();
                    assert!(model.insert(now, row(len + 150)).is_none());
                }
            }
            Step::View => views.push((pages.view().clone(), model.clone())),
        }
    }
    check(&pages, &model);
    for (view, then) in views {
        assert!(
            view.places()
                .map(|(_, row)| row)
                .eq(then.values().map(Vec::as_slice))
        );
        assert_eq!(view.len(), then.len());
        for (at, row) in &then {
            assert_eq!(view.get(*at), Some(row.as_slice()));
            if view.shares_page(pages.view(), *at) {
                assert_eq!(pages.view().get(*at), Some(row.as_slice()));
            }
        }
    }
    model.into_iter().collect()
}

proptest! {
    #[test]
    fn rows_lie_where_they_were_put(steps in steps(), len in 1_usize..2500) {
        for fixed in [None, Some(len)] {
            let once = run(&steps, fixed);
            prop_assert_eq!(once, run(&steps, fixed), "the places are a function of the history");
        }
    }
}

#[test]
fn room_is_used_again() {
    for fixed in [None, Some(100)] {
        let mut pages = Pages::new(fixed);
        let places: Vec<_> = (0..10_000)
            .map(|_| pages.insert(&[7; 100]).unwrap())
            .collect();
        let page_count = pages.page_count;
        for &at in &places {
            pages.remove(at);
        }
        assert_eq!(pages.view().places().count(), 0);
        for _ in 0..10_000 {
            pages.insert(&[8; 100]).unwrap();
        }
        assert_eq!(pages.page_count, page_count);
        // The first quarter of the rows goes; as many new ones need no new page.
        let places: Vec<_> = pages.view().places().map(|(at, _)| at).take(2500).collect();
        for at in places {
            pages.remove(at);
        }
        for _ in 0..2500 {
            pages.insert(&[9; 100]).unwrap();
        }
        assert_eq!(pages.page_count, page_count);
    }
}

#[test]
fn a_view_costs_one_pointer_per_64_pages() {
    let mut pages = Pages::new(None);
    for _ in 0..200_000 {
        pages.insert(&[7; 40]).unwrap();
    }
    assert!(pages.page_count > 500);
    assert_eq!(
        pages.view().chunk_count(),
        pages.page_count.div_ceil(64) as usize
    );
}

#[test]
fn places_that_never_were_are_empty() {
    let mut pages = Pages::new(None);
    assert_eq!(pages.view().get(RowRef::FIRST), None);
    let at = pages.insert(&[1]).unwrap();
    assert_eq!(pages.view().get(RowRef::new(5, 9)), None);
    assert_eq!(pages.view().get(RowRef::new(70_000, 9)), None);
    assert_eq!(at.next(), Some(RowRef::new(0, 1)));
    assert_eq!(RowRef::from_bits(u32::MAX).next(), None);
}
