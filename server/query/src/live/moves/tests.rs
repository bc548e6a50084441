#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value as Json, json};
use syncline_protocol::ErrorCode;
use syncline_protocol::limits::{MOVED_ROWS_MAX, MOVED_WALK_ROWS_MAX};

use super::How;
use crate::tests::{Fixture, fold, me, ordered, params, table};

fn points() -> Fixture {
    let columns = "id u32, x i32, y i32?, name string";
    let mut fixture = Fixture::new(vec![ordered(table("points", columns, 1), "x")]);
    let rows: Vec<Json> = (0..60)
        .map(|id| {
            json!([
                id,
                id * 7 % 20,
                (id % 3 > 0).then_some(id * 11 % 20),
                format!("p{id}")
            ])
        })
        .collect();
    fixture.insert("points", &rows);
    fixture
}

const SQL: &str = "SELECT name, x - :x0 AS dx FROM points WHERE x BETWEEN :x0 AND :x1 AND y >= :y0";

fn bounds(x0: i32, x1: i32, y0: i32) -> Json {
    json!({"x0": x0, "x1": x1, "y0": y0})
}

#[test]
fn the_difference_leads_to_the_rows_of_a_fresh_query() {
    let mut fixture = points();
    let (moving, mut folded) = fixture.watch(SQL, bounds(0, 5, 0));
    let mut handle = moving.handle;
    // A walk over boxes: overlapping, apart, empty, the same again.
    let walk = [
        (1, 6, 0),
        (1, 6, 9),
        (15, 19, 3),
        (9, 2, 0),
        (9, 2, 0),
        (0, 19, 0),
        (0, 5, 0),
    ];
    for (x0, x1, y0) in walk {
        let given = params(bounds(x0, x1, y0));
        let (db, live) = fixture.parts();
        let moved = live
            .set_params(db, handle, &moving.statement, &given, &me())
            .unwrap();
        let How::Delta(ops) = moved.how else {
            panic!("a few rows are compared");
        };
        assert_eq!(
            moved.handle == handle,
            (x0, x1, y0) == (9, 2, 0) && ops.is_empty() && folded.is_empty()
        );
        handle = moved.handle;
        fold(&moving.description, &ops, &mut folded);
        let (fresh, expected) = fixture.watch(SQL, bounds(x0, x1, y0));
        assert_eq!(fresh.handle, handle, "it is the same instance");
        assert_eq!(folded, expected);
        fixture.live.unsubscribe(fresh.handle);
    }
    assert_eq!(fixture.live.stats().instances, 1);
    fixture.live.unsubscribe(handle);
    assert_eq!(fixture.live.stats().instances, 0);
}

#[test]
fn what_is_refused_changes_nothing() {
    let mut fixture = points();
    let (moving, _) = fixture.watch(SQL, bounds(0, 5, 0));
    let before = fixture.live.stats();
    for (given, code) in [
        (json!({"x0": 1}), ErrorCode::SqlParameter),
        (json!({"x0": 1, "x1": "far", "y0": 0}), ErrorCode::SqlType),
        (json!({"x0": 0.5, "x1": 5, "y0": 0}), ErrorCode::SqlType),
    ] {
        let (db, live) = fixture.parts();
        let given = params(given);
        let error = live
            .set_params(db, moving.handle, &moving.statement, &given, &me())
            .unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert_eq!(live.stats(), before);
    }
}

#[test]
fn many_rows_come_anew() {
    let mut fixture = points();
    let rows: Vec<Json> = (100..100 + MOVED_ROWS_MAX)
        .map(|id| json!([id, 50, 0, ""]))
        .collect();
    fixture.insert("points", &rows);
    let (moving, _) = fixture.watch(SQL, bounds(50, 50, 0));
    let (db, live) = fixture.parts();
    let given = params(bounds(50, 50, -1));
    let moved = live.set_params(db, moving.handle, &moving.statement, &given, &me());
    let How::Delta(ops) = moved.as_ref().unwrap().how.clone() else {
        panic!("so many are compared");
    };
    assert!(ops.is_empty());
    let given = params(bounds(5, 50, -1));
    let moved = live.set_params(db, moved.unwrap().handle, &moving.statement, &given, &me());
    let How::Anew(rows) = moved.unwrap().how else {
        panic!("so many are told anew");
    };
    assert!(rows.iter().count() > MOVED_ROWS_MAX);
    assert_eq!(live.stats().instances, 1);
}

/// Between the places of a bound there may be more rows than a transaction may wait for.
#[test]
fn many_rows_between_two_places_are_not_looked_at() {
    let mut fixture = points();
    let rows: Vec<Json> = (100..101 + MOVED_WALK_ROWS_MAX)
        .map(|id| json!([id, 50, null, ""]))
        .collect();
    fixture.insert("points", &rows);
    let (moving, _) = fixture.watch(SQL_OF_X, json!({"x": 49}));
    let (db, live) = fixture.parts();
    let given = params(json!({"x": 50}));
    let moved = live.set_params(db, moving.handle, &moving.statement, &given, &me());
    assert!(matches!(moved.unwrap().how, How::Anew(_)));
}

const SQL_OF_X: &str = "SELECT name FROM points WHERE x <= :x AND y >= 0";

/// Rows of a megabyte each.
fn heavy() -> Fixture {
    let mut fixture = Fixture::new(vec![ordered(
        table("heavy", "id u32, x i32, text string", 1),
        "x",
    )]);
    let text = "x".repeat((1 << 20) - 64);
    let rows: Vec<Json> = (0..55).map(|id| json!([id, id, text])).collect();
    fixture.insert("heavy", &rows);
    fixture
}

/// By one step or by many: nobody comes to a result that is larger than a first answer may be, and who is
/// refused goes on from where it was.
#[test]
fn a_result_that_is_too_large_is_not_moved_to() {
    let sql = "SELECT * FROM heavy WHERE x BETWEEN :a AND :b";
    for step in [49, 7, 1] {
        let mut fixture = heavy();
        let (moving, _) = fixture.watch(sql, json!({"a": 0, "b": 0}));
        let mut handle = moving.handle;
        let mut end = 0;
        let refused = loop {
            let given = params(json!({"a": 0, "b": end + step}));
            let (db, live) = fixture.parts();
            match live.set_params(db, handle, &moving.statement, &given, &me()) {
                Ok(moved) => handle = moved.handle,
                Err(error) => break error,
            }
            end += step;
            assert!(end < 60, "no step is refused");
        };
        assert_eq!(refused.code, ErrorCode::QueryLimit);
        fixture.commit(&[crate::tests::Write::Update("heavy", json!([0, 0, "short"]))]);
        let told: Vec<u64> = fixture.deltas.iter().map(|(own, _)| own).collect();
        assert_eq!(told, [handle]);
        assert_eq!(fixture.live.stats().instances, 1);
    }
}

/// Parameters take memory wherever they go.
#[test]
fn a_move_is_within_the_budget() {
    let mut fixture = points();
    let sql = "SELECT id FROM points WHERE name = :n";
    let (moving, _) = fixture.watch(sql, json!({"n": "p1"}));
    let before = fixture.live.byte_len();
    fixture.live.set_budgets(crate::Budgets {
        bytes: before + 100,
        ..crate::Budgets::default()
    });
    let (db, live) = fixture.parts();
    let given = params(json!({"n": "p".repeat(200)}));
    let error = live
        .set_params(db, moving.handle, &moving.statement, &given, &me())
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::LiveLimit);
    assert_eq!(live.byte_len(), before);
    let given = params(json!({"n": "p".repeat(90)}));
    let moved = live.set_params(db, moving.handle, &moving.statement, &given, &me());
    let moved = moved.unwrap();
    assert_eq!(moved.load.byte_len, live.byte_len());
    assert!(moved.load.byte_len > before);
    // Who asked may refuse what it would take.
    let given = params(json!({"n": "p2"}));
    let refuse = || crate::QueryError::new(ErrorCode::LiveLimit, "no");
    let asked = (given.as_slice(), &me());
    let moved = live.set_params_if(db, moved.handle, &moving.statement, asked, &mut |_| {
        Err(refuse())
    });
    assert_eq!(moved.unwrap_err().message, "no");
    assert_eq!(live.stats().instances, 1);
}

/// Whatever bounds move where, over indexes or without, alone or in company, the difference leads to the
/// rows of a fresh query, and changes find the subscription where it is now.
#[test]
fn walks_of_every_form_are_exact() {
    let columns = "id u32, kind u8, x i32, y i32?, z f64, name string";
    let indexed = ordered(ordered(table("points", columns, 1), "kind, x"), "y");
    let indexed = ordered(ordered(indexed, "x"), "name");
    let plain = table("points", columns, 1);
    let queries = [
        "SELECT id, x FROM points WHERE x BETWEEN :a AND :b AND y BETWEEN :c AND :d",
        "SELECT id FROM points WHERE kind = 1 AND x >= :a AND x < :b AND y > :c AND z <= :d",
        "SELECT id, y FROM points WHERE y > :a AND x < :b AND x >= :c AND x <= :d",
        "SELECT id, x - :a AS dx FROM points WHERE x BETWEEN :a AND :b AND y < :c AND z > :d",
        "SELECT id FROM points WHERE kind = :a AND x < :b AND (y > :c OR x > :d)",
        "SELECT * FROM points WHERE x > :a OR y BETWEEN :b AND :c OR z = :d",
        "SELECT id FROM points WHERE name >= CAST(:a AS text) AND x BETWEEN :b AND :c AND y <= :d",
    ];
    let mut random = Random(5);
    for def in [indexed, plain] {
        let mut fixture = Fixture::new(vec![def]);
        let mut row = |id: u64| {
            let (x, y) = (random.below(30) as i64 - 10, random.below(24) as i64 - 8);
            let (y, kind) = ((y < 12).then_some(y), random.below(3));
            let (z, name) = (random.below(30) as f64 / 2.0, random.below(30).to_string());
            json!([id, kind, x, y, z, name])
        };
        let rows: Vec<Json> = (0..150).map(&mut row).collect();
        fixture.insert("points", &rows);
        for sql in queries {
            walk(&mut fixture, sql, &mut random);
            let stats = fixture.live.stats();
            assert_eq!((stats.instances, stats.router_entries), (0, 0));
            assert_eq!((stats.templates, stats.scanned_instances), (0, 0));
        }
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1);
        (self.0 >> 33) % end
    }

    /// Small steps, jumps, and values that stay.
    fn go_on(&mut self, at: &mut [i64; 4]) -> Json {
        let step = self.below(8);
        for value in &mut *at {
            *value += match (step, self.below(3)) {
                (0, _) => self.below(40) as i64 - 20,
                (_, 0) => 0,
                _ => self.below(3) as i64 - 1,
            };
            *value = (*value).clamp(-12, 24);
        }
        json!({"a": at[0], "b": at[1], "c": at[2], "d": at[3]})
    }
}

fn walk(fixture: &mut Fixture, sql: &str, random: &mut Random) {
    let mut at = [3i64, 9, 0, 8];
    let (moving, mut folded) = fixture.watch(sql, random.go_on(&mut at));
    let mut handle = moving.handle;
    let mut company = None;
    for turn in 0..60 {
        let asked = random.go_on(&mut at);
        if turn % 5 == 0 {
            // Somebody is there already.
            company = Some(fixture.subscribe(sql, asked.clone()).unwrap().handle);
        }
        let (db, live) = fixture.parts();
        let given = params(asked.clone());
        let moved = live.set_params(db, handle, &moving.statement, &given, &me());
        let moved = moved.unwrap();
        handle = moved.handle;
        let How::Delta(ops) = moved.how else {
            panic!("a few rows are compared");
        };
        fold(&moving.description, &ops, &mut folded);
        let (fresh, expected) = fixture.watch(sql, asked.clone());
        assert_eq!(fresh.handle, handle, "it is the same instance");
        assert_eq!(folded, expected, "{sql} at {asked}");
        fixture.live.unsubscribe(fresh.handle);
        // What changes now is told to the new place.
        let changed = random_row(turn, &asked);
        fixture.commit(&[crate::tests::Write::Update("points", changed)]);
        let told = fixture.deltas.iter().find(|(own, _)| *own == handle);
        let ops = told.map_or(Vec::new(), |(_, ops)| ops.to_vec());
        fold(&moving.description, &ops, &mut folded);
        let (fresh, expected) = fixture.watch(sql, asked.clone());
        assert_eq!(folded, expected, "{sql} at {asked} after a change");
        fixture.live.unsubscribe(fresh.handle);
        if turn % 3 == 0
            && let Some(company) = company.take()
        {
            fixture.live.unsubscribe(company);
        }
    }
    fixture.live.unsubscribe(handle);
    if let Some(company) = company {
        fixture.live.unsubscribe(company);
    }
}

/// A row near the bounds.
fn random_row(turn: u64, asked: &Json) -> Json {
    let near = |name: &str, by: i64| asked[name].as_i64().unwrap() + by;
    json!([
        turn * 2,
        turn % 3,
        near("a", turn as i64 % 3 - 1),
        near("c", turn as i64 % 5 - 2),
        near("d", 0) as f64,
        near("a", 1).to_string()
    ])
}
