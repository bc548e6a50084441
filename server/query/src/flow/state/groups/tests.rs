use std::collections::BTreeMap;

use syncline_protocol::Type;

use super::*;
use crate::plan::expr::{Expr, Slot};

const KEYS: u64 = 30;

fn plan() -> GroupPlan {
    let column = |index| Expr::Column(Slot::new(index, &Type::U64));
    let call = |function, arg, ty| AggregateCall {
        function,
        arg,
        distinct: false,
        arg_ty: Type::U64,
        ty,
    };
    GroupPlan::new(&Grouping {
        keys: vec![(column(0), Type::U64)],
        calls: vec![
            call(Aggregate::Count, None, Type::U64),
            call(Aggregate::Count, Some(column(1)), Type::U64),
            call(Aggregate::Sum, Some(column(2)), Type::I128),
        ],
        having: None,
    })
}

fn pack(key: u64, value: u64) -> Vec<u8> {
    let row = [key, value, value];
    row.iter().flat_map(|part| part.to_le_bytes()).collect()
}

/// The rows that groups of these have.
fn expected(rows: &[(u64, u64)]) -> Vec<Vec<u8>> {
    let mut groups: BTreeMap<u64, (u64, i128)> = BTreeMap::new();
    for &(key, value) in rows {
        let group = groups.entry(key).or_default();
        *group = (group.0 + 1, group.1 + i128::from(value));
    }
    let row = |(key, (count, sum)): (&u64, &(u64, i128))| {
        let mut row: Vec<u8> = [*key, *count, *count]
            .iter()
            .flat_map(|part| part.to_le_bytes())
            .collect();
        row.extend(sum.to_le_bytes());
        row
    };
    let mut rows: Vec<Vec<u8>> = groups.iter().map(row).collect();
    rows.sort();
    rows
}

/// Steps that grow to all groups and shrink to none, more than once: few, many, and few of many.
#[test]
fn changes_add_up_to_the_groups_that_there_are() {
    let plan = plan();
    let (mut groups, mut scratch) = (Groups::new(&plan), GroupScratch::default());
    let mut rows: Vec<(u64, u64)> = Vec::new();
    let mut folded: BTreeMap<Vec<u8>, i32> = BTreeMap::new();
    let mut state = 1u64;
    let mut random = |end: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % end
    };
    for step in 0..2000 {
        let grows = step % 500 < 250;
        let mut changes: BTreeMap<Vec<u8>, i32> = BTreeMap::new();
        for _ in 0..=random(4) {
            if rows.is_empty() || (random(4) > 0) == grows {
                let row = (random(KEYS), random(5));
                rows.push(row);
                *changes.entry(pack(row.0, row.1)).or_default() += 1;
            } else {
                let (key, value) = rows.swap_remove(random(rows.len() as u64) as usize);
                *changes.entry(pack(key, value)).or_default() -= 1;
            }
        }
        let changes = changes.iter().filter(|(_, weight)| **weight != 0);
        let changes = changes.map(|(row, weight)| (*weight, row.as_slice()));
        groups.step(&plan, changes, &mut scratch, |weight, row| {
            *folded.entry(row.to_vec()).or_default() += weight;
        });
        folded.retain(|_, weight| *weight != 0);
        assert!(folded.values().all(|weight| *weight == 1), "step {step}");
        let shown: Vec<Vec<u8>> = folded.keys().cloned().collect();
        assert_eq!(shown, expected(&rows), "step {step}");
        let mut held = Vec::new();
        groups.rows(&plan, |row| held.push(row.to_vec()));
        held.sort();
        assert_eq!(held, shown, "step {step}");
        for (key, _) in &rows {
            assert!(groups.glance(&plan, &pack(*key, 0)) > 0, "step {step}");
        }
    }
}

/// One group with many values and many with one: what is counted is what is there, whichever group is looked at.
#[test]
fn bytes_are_those_of_each_group() {
    let mut plan = plan();
    plan.calls[2].call = AggregateCall {
        function: Aggregate::Max,
        ty: Type::U64,
        ..plan.calls[2].call.clone()
    };
    let (mut groups, mut scratch) = (Groups::new(&plan), GroupScratch::default());
    let mut step = |groups: &mut Groups, key: u64, value: u64, weight: i32| {
        let row = pack(key, value);
        let rows = std::iter::once((weight, row.as_slice()));
        groups.step(&plan, rows, &mut scratch, |_, _| ());
    };
    let empty = groups.byte_len();
    for number in 0..10_000u64 {
        step(&mut groups, 0, number, 1);
        step(&mut groups, 1 + number % 100, 0, 1);
    }
    // 10 000 values of 8 bytes with keys of 8, and a hundred more.
    let values = 10_100 * (8 + 8 + 48);
    let counted = groups.byte_len();
    assert!((values..values + 200_000).contains(&counted), "{counted}");
    for number in 0..10_000u64 {
        step(&mut groups, 1 + number % 100, 0, -1);
        step(&mut groups, 0, number, -1);
    }
    assert_eq!(groups.beside_bytes, 0);
    assert!(groups.byte_len() < empty + 100_000);
}
