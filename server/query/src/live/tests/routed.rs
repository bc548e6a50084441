//! Intervals and boxes, whose place in the router says who is in them.

#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::tests::{Fixture, Folded, Write, fold, table};
use crate::{Subscribed, live::plain::Plain};

fn things() -> Fixture {
    Fixture::new(vec![table(
        "things",
        "id u32, x i32, y u64, name string, z i32?",
        1,
    )])
}

fn plain<'f>(fixture: &'f Fixture, one: &Subscribed) -> &'f Plain {
    let live = &fixture.live;
    let number = live.find(one.handle).unwrap();
    live.templates
        .get(live.instances.get(number).template)
        .plain()
        .unwrap()
}

/// Which filters the router decides about by itself.
#[test]
fn a_filter_that_is_all_bounds_is_routed() {
    let mut fixture = things();
    for (filter, is_routed) in [
        ("x BETWEEN :a AND :b", true),
        ("x >= :a", true),
        ("x <= :a AND x >= :b AND y >= 1 AND y <= 2", true),
        ("x > :a", false),
        ("x >= :a AND x >= :b", false),
        (
            "x BETWEEN :a AND :b AND y BETWEEN 1 AND 5 AND name = 'n'",
            false,
        ),
        ("x BETWEEN :a AND :b AND name LIKE 'n%'", false),
        ("z BETWEEN :a AND :b", false),
        ("name >= 'a' AND name <= 'b'", false),
        ("x BETWEEN :a AND :b OR y BETWEEN 1 AND 5", false),
        ("x >= 1.5", false),
        ("x = :a", false),
    ] {
        let sql = format!("SELECT * FROM things WHERE {filter}");
        let mut given = json!({});
        for (name, value) in [("a", 3), ("b", 4)] {
            if filter.contains(&format!(":{name}")) {
                given[name] = json!(value);
            }
        }
        let one = fixture.subscribe(&sql, given).unwrap();
        assert_eq!(plain(&fixture, &one).is_routed, is_routed, "{filter}");
    }
    let parts = ["id, x", "id, x + 1 AS x", "id, x - :a AS x"];
    for (select, is_shared) in parts.into_iter().zip([true, false, false]) {
        let sql = format!("SELECT {select} FROM things WHERE x >= :a");
        let one = fixture.subscribe(&sql, json!({"a": 7})).unwrap();
        assert_eq!(plain(&fixture, &one).is_shared, is_shared, "{select}");
    }
}

const QUERIES: [&str; 6] = [
    "SELECT id, x, y FROM things WHERE x BETWEEN :a AND :b AND y BETWEEN :c AND :d",
    "SELECT * FROM things WHERE x BETWEEN :a AND :b AND y >= :c AND y <= :d",
    "SELECT id, y FROM things WHERE x BETWEEN :a AND :b AND :c < :d",
    "SELECT id, x - :a AS x FROM things WHERE x BETWEEN :a AND :b AND y BETWEEN :c AND :d",
    "SELECT id FROM things WHERE y BETWEEN :c AND :d AND x BETWEEN :a AND :b",
    "SELECT id, name FROM things WHERE x >= :a AND x < :b AND y BETWEEN :c AND :d",
];

/// A write of a transaction: row, what becomes of it, where it is then.
type Step = (u32, u8, i32, u64);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Rows come, go and move, several in a transaction and in any order: who is in sight of them is told exactly
    /// what a fresh query would give, ordered by key.
    #[test]
    fn what_moves_is_told_exactly(
        boxes in prop::collection::vec((0..6usize, -2..9i32, 0..9i32, 0..9u64, 0..9u64), 1..40),
        steps in prop::collection::vec(
            prop::collection::vec((0..24u32, 0..4u8, -2..9i32, 0..9u64), 1..14),
            1..8,
        ),
    ) {
        let mut fixture = things();
        let mut watched: Vec<(Subscribed, Folded)> = Vec::new();
        for (form, x, width, y, height) in boxes {
            let given = json!({"a": x, "b": x + width, "c": y, "d": y + height});
            watched.push(fixture.watch(QUERIES[form], given));
        }
        let mut rows: Vec<Option<Json>> = vec![None; 24];
        for step in steps {
            let writes = writes(&mut rows, step);
            fixture.commit(&writes);
            for (one, folded) in &mut watched {
                let delta = fixture.deltas.iter().find(|(handle, _)| *handle == one.handle);
                if let Some((_, ops)) = delta {
                    fold(&one.description, ops, folded);
                }
                let fresh = fixture.rows(one);
                prop_assert_eq!(folded.len(), fresh.len());
                prop_assert!(fresh.iter().all(|row| folded.values().any(|own| own == row)));
            }
        }
    }
}

/// Each row is written once in a transaction, and one that is there stays, moves or goes.
fn writes(rows: &mut [Option<Json>], step: Vec<Step>) -> Vec<Write> {
    let mut touched = Vec::new();
    let mut writes = Vec::new();
    for (id, kind, x, y) in step {
        if touched.contains(&id) {
            continue;
        }
        touched.push(id);
        let row = json!([id, x, y, format!("n{kind}"), null]);
        let held = &mut rows[id as usize];
        match (held.is_some(), kind) {
            (true, 0) => {
                writes.push(Write::Delete("things", json!([id])));
                *held = None;
            }
            (is_there, _) => {
                writes.push(if is_there {
                    Write::Update("things", row.clone())
                } else {
                    Write::Insert("things", row.clone())
                });
                *held = Some(row);
            }
        }
    }
    writes
}
