#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value as Json, json};
use syncline_protocol::ErrorCode;
use syncline_protocol::limits::MOVED_ROWS_MAX;
use syncline_protocol::message::{DeltaOp, DeltaReader};

use super::How;
use crate::tests::{Fixture, key_of, me, ordered, params, table};

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
        let mut reader = DeltaReader::new(&moving.description, &ops);
        let layout =
            syncline_protocol::RowLayout::new(moving.description.types().cloned().collect());
        while let Some(op) = reader.next_op().unwrap() {
            match op {
                DeltaOp::Insert { row } => {
                    let key = key_of(&moving.description, row);
                    assert_eq!(folded.insert(key, row.to_vec()), None);
                }
                DeltaOp::Delete { key } => assert!(folded.remove(key).is_some()),
                DeltaOp::Update { key, mask, values } => {
                    let old = folded.get_mut(key).unwrap();
                    let mut values = syncline_protocol::packed::Reader::new(values);
                    let mut new = Vec::new();
                    for (column, ty) in layout.types().iter().enumerate() {
                        let is_new = mask[column / 8] >> (column % 8) & 1 == 1;
                        new.extend_from_slice(if is_new {
                            values.value(ty).unwrap()
                        } else {
                            layout.column(old, column)
                        });
                    }
                    assert_ne!(*old, new, "an update changes something");
                    *old = new;
                }
            }
        }
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
    assert_eq!(moved.unwrap().how, How::Anew);
    assert_eq!(live.stats().instances, 1);
}
