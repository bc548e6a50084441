use std::collections::BTreeSet;
use std::ops::ControlFlow;

use proptest::prelude::*;
use syncline_protocol::{RowLayout, Type};

use super::Arranged;
use crate::flow::overlay::Side;

type Row = (u8, u8);

fn found(arranged: &Arranged, set: usize, key: &[u8], side: Side) -> Vec<Row> {
    let mut rows = Vec::new();
    let _ = arranged.walk(set, key, side, &mut |row| {
        rows.push((row[0], row[1]));
        ControlFlow::Continue(())
    });
    rows.sort_unstable();
    rows
}

proptest! {
    /// The rows of before and after a step, whatever came and went in it.
    #[test]
    fn both_sides_are_there(steps in proptest::collection::vec(
        proptest::collection::vec((0..4u8, 0..12u8), 0..30),
        1..6,
    )) {
        let layout = RowLayout::new(vec![Type::U8, Type::U8]);
        let sets = [vec![0], vec![]];
        let mut arranged = Arranged::new(sets.len());
        let mut now: BTreeSet<Row> = BTreeSet::new();
        for turned in steps {
            let before = now.clone();
            for row in turned {
                let is_new = now.insert(row);
                if !is_new {
                    now.remove(&row);
                }
                let weight = if is_new { 1 } else { -1 };
                arranged.apply(&layout, &sets, weight, &[row.0, row.1], true);
            }
            let either: Vec<Row> = now.union(&before).copied().collect();
            for (side, wanted) in [
                (Side::Before, before.into_iter().collect()),
                (Side::After, now.iter().copied().collect()),
                (Side::Either, either),
            ] {
                let wanted: Vec<Row> = wanted;
                prop_assert_eq!(found(&arranged, 1, &[], side), wanted.clone());
                for key in 0..4 {
                    let own: Vec<Row> = wanted.iter().copied().filter(|row| row.0 == key).collect();
                    prop_assert_eq!(found(&arranged, 0, &[key], side), own);
                }
            }
            arranged.forget();
            let wanted: Vec<Row> = now.iter().copied().collect();
            prop_assert_eq!(found(&arranged, 1, &[], Side::Before), wanted);
        }
    }
}
