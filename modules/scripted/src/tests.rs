use syncline::prelude::*;
use syncline::testing::Database;

use crate::answers::{
    echo, echo_nested, find_book, readings_between, readings_of_quality, readings_since,
    return_everything, roll, scan_sum, words_between,
};
use crate::presence::{connected, disconnected};
use crate::rows::{
    churn, delete_pair, delete_sensor, insert_book, insert_everything, insert_pair, insert_reading,
    insert_tiny, insert_word, swap_books, update_book,
};
use crate::tables::{
    Book, BookAccess, Cents, Color, Everything, Pair, PairAccess, Point, Reading, ReadingAccess,
    SessionAccess, Shape, TinyAccess, Visit, VisitAccess, Word, WordAccess,
};
use crate::trouble::{
    fail_after_write, open_scans, panic_after_write, survive_conflict, write_many,
};

fn everything() -> Everything {
    let point = Point {
        x: 0.5,
        y: -0.25,
        label: Some("corner".to_owned()),
    };
    Everything {
        id: 0,
        v_bool: true,
        v_i8: i8::MIN,
        v_i16: -2,
        v_i32: i32::MAX,
        v_i64: i64::MIN,
        v_i128: i128::MIN,
        v_u8: 255,
        v_u16: 1,
        v_u32: u32::MAX,
        v_u64: u64::MAX,
        v_u128: u128::MAX,
        v_f32: 1.5,
        v_f64: f64::INFINITY,
        v_string: "grüße".to_owned(),
        v_bytes: vec![0, 255],
        v_identity: Identity([3; 32]),
        v_connection: ConnectionId([4; 16]),
        v_timestamp: Timestamp::from_micros(-1),
        v_duration: Duration::from_secs(-5),
        v_uuid: Uuid([5; 16]),
        v_decimal: Decimal::MIN,
        v_json: Json::parse(r#"{"b": 1.50, "a": ["\u00e9"]}"#).expect("JSON"),
        v_option: None,
        v_list: vec![String::new(), "x".to_owned()],
        v_struct: point.clone(),
        v_enum: Shape::Polygon(vec![point]),
        v_color: Color::Blue,
        v_cents: Cents(-7),
    }
}

#[test]
fn every_type_is_stored_and_returned() {
    let mut database = Database::new();
    let stored = database
        .call(|ctx| insert_everything(ctx, everything()))
        .expect("inserted");
    assert_eq!(
        stored,
        Everything {
            id: 1,
            ..everything()
        }
    );
    assert_eq!(database.run(return_everything), [stored]);
    assert_eq!(database.run(|ctx| echo(ctx, everything())), everything());
    let shape = Shape::Rectangle {
        width: 1.0,
        height: 2.0,
    };
    let nested = database.run(|ctx| echo_nested(ctx, Some(shape.clone()), vec![vec![1], vec![2]]));
    assert_eq!(nested, vec![shape; 2]);
}

#[test]
fn keys_of_several_columns_and_of_text() {
    let mut database = Database::new();
    let pair = Pair {
        left: 1,
        value: 2,
        right: "r".to_owned(),
    };
    database
        .call(|ctx| insert_pair(ctx, pair.clone()))
        .expect("inserted");
    let conflict = database.call(|ctx| insert_pair(ctx, pair.clone()));
    let text = conflict.expect_err("it is there").to_string();
    assert_eq!(text, "`pair` has a row with this right, left already");
    assert_eq!(
        database.run(|ctx| ctx.db().pair().find(("r", 1))),
        Some(pair)
    );
    assert!(!database.run(|ctx| delete_pair(ctx, "r".to_owned(), 2)));
    assert!(database.run(|ctx| delete_pair(ctx, "r".to_owned(), 1)));

    for word in ["b", "", "ba", "a", "c"] {
        let row = Word {
            word: word.to_owned(),
            meaning: None,
        };
        database
            .call(|ctx| insert_word(ctx, row))
            .expect("inserted");
    }
    let words = database.run(|ctx| words_between(ctx, "a".to_owned(), "c".to_owned()));
    assert_eq!(words, ["ba", "b", "a"]);
}

#[test]
fn unique_keys() {
    let mut database = Database::new();
    let book = |id: u32, code: Option<&str>| Book {
        id,
        code: code.map(str::to_owned),
        shelf: 1,
        place: id as u16,
        serial: -i64::from(id),
    };
    for book in [book(1, Some("a")), book(2, None), book(3, None)] {
        database
            .call(|ctx| insert_book(ctx, book))
            .expect("inserted");
    }
    let mut conflicts = |row: Book| {
        let inserted = database.call(|ctx| {
            insert_book(
                ctx,
                Book {
                    id: 9,
                    ..row.clone()
                },
            )
        });
        let updated = database.call(|ctx| update_book(ctx, Book { id: 3, ..row }));
        assert_eq!(inserted.as_ref().err(), updated.as_ref().err());
        updated.expect_err("a key is taken").to_string()
    };
    let text = |columns| format!("`book` has a row with this {columns} already");
    assert_eq!(
        conflicts(Book {
            code: Some("a".to_owned()),
            ..book(7, None)
        }),
        text("code")
    );
    assert_eq!(
        conflicts(Book {
            place: 2,
            ..book(7, None)
        }),
        text("shelf, place")
    );
    assert_eq!(
        conflicts(Book {
            serial: -1,
            ..book(7, None)
        }),
        text("serial")
    );
    database
        .call(|ctx| update_book(ctx, book(2, Some("b"))))
        .expect("its own keys are no conflict");
    assert!(
        database
            .call(|ctx| update_book(ctx, book(8, None)))
            .is_err(),
        "no such row"
    );
    database
        .call(|ctx| swap_books(ctx, 1, 2))
        .expect("keys are free when they are taken");
    let found = database.run(|ctx| find_book(ctx, "a".to_owned(), 1, 2, -3));
    assert_eq!(found, [Some(2), Some(1), Some(3)]);
    assert!(database.run(|ctx| ctx.db().book().by_code().delete("b")));
    assert_eq!(database.run(|ctx| ctx.db().book().count()), 2);
}

#[test]
fn ranges_go_both_ways() {
    let mut database = Database::new();
    for (sensor, value, at, quality) in [
        (1, 5, 30, None),
        (1, -5, 10, Some(2)),
        (1, 0, 20, Some(-1)),
        (2, 7, 15, Some(9)),
    ] {
        let at = Timestamp::from_micros(at);
        let row = Reading {
            id: 0,
            sensor,
            value,
            at,
            quality,
            level: 0.0,
        };
        database
            .call(|ctx| insert_reading(ctx, row))
            .expect("inserted");
    }
    let mut since = |at, newest_first, limit| {
        let at = Timestamp::from_micros(at);
        let rows = database.run(|ctx| readings_since(ctx, 1, at, newest_first, limit));
        rows.into_iter()
            .map(|reading| reading.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(since(20, false, 9), [3, 1]);
    assert_eq!(since(0, true, 2), [1, 3]);
    assert!(since(31, true, 2).is_empty());
    assert_eq!(database.run(|ctx| readings_between(ctx, 1, -5, 0)), [2, 3]);
    assert_eq!(database.run(|ctx| readings_of_quality(ctx, -1)), [3, 2, 4]);
    assert_eq!(database.run(scan_sum), 7);
    database
        .call(|ctx| churn(ctx, 1))
        .expect("the ids are free again");
    let ids = |ctx: &Context| {
        let index = ctx.db().reading().by_sensor_at();
        index
            .filter(1)
            .map(|reading| (reading.id, reading.value))
            .collect::<Vec<_>>()
    };
    assert_eq!(database.run(ids)[..3], [(2, -5), (3, 0), (1, 5)]);
    assert_eq!(database.run(ids)[3].1, 3);
    assert_eq!(database.run(|ctx| delete_sensor(ctx, 1)), 4);
    assert_eq!(database.run(|ctx| ctx.db().reading().count()), 1);
}

#[test]
fn scans_of_many_chunks() {
    let mut database = Database::new();
    database
        .call(|ctx| write_many(ctx, 5000, 1))
        .expect("inserted");
    assert_eq!(database.run(scan_sum), 4999 * 5000 / 2);
    let nth = database.run(|ctx| ctx.db().reading().by_all().rev().filter((1,)).nth(4000));
    assert_eq!(nth.map(|reading| reading.value), Some(999));
    assert_eq!(
        database.run(|ctx| open_scans(ctx, 3)),
        3,
        "each scan is of its own"
    );
}

#[test]
fn what_fails_leaves_nothing() {
    let mut database = Database::new();
    let word = || "w".to_owned();
    let failed = database.call(|ctx| fail_after_write(ctx, word(), "because".to_owned()));
    assert_eq!(
        failed.expect_err("it always fails").to_string(),
        "refused: because"
    );
    let panicked = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| {
        database.run(|ctx| panic_after_write(ctx, word(), "boom".to_owned()));
    }));
    assert!(panicked.is_err());
    assert_eq!(database.run(|ctx| ctx.db().word().count()), 0);
    let survived = database.call(|ctx| survive_conflict(ctx, word()));
    assert_eq!(
        survived,
        Ok("`word` has a row with this word already".to_owned())
    );
    assert_eq!(database.run(|ctx| ctx.db().word().count()), 1);

    database
        .call(|ctx| insert_tiny(ctx, 127))
        .expect("there are 127 numbers");
    assert_eq!(
        database.call(|ctx| insert_tiny(ctx, 1)),
        Err(WriteError::Exhausted { table: "tiny" })
    );
    assert_eq!(database.run(|ctx| ctx.db().tiny().count()), 127);
}

#[test]
fn presence_and_dice() {
    let mut database = Database::new();
    database.call(connected).expect("the first");
    database.connection = ConnectionId([2; 16]);
    database.call(connected).expect("the second");
    database.call(disconnected).expect("the second again");
    assert!(database.call(disconnected).is_err(), "it is gone");
    let identity = database.caller;
    let visit = database.run(|ctx| ctx.db().visit().find(identity));
    assert_eq!(
        visit,
        Some(Visit {
            identity,
            connected: 2,
            disconnected: 1
        })
    );
    assert_eq!(
        database.run(|ctx| ctx.db().session().by_identity().filter(identity).count()),
        1
    );

    let rolls = database.call(|ctx| roll(ctx, 100, 6)).expect("six sides");
    assert!(rolls.len() == 100 && rolls.iter().all(|roll| (1..=6).contains(roll)));
    assert!(database.call(|ctx| roll(ctx, 1, 0)).is_err());
}
