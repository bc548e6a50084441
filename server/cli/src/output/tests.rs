#![allow(clippy::unwrap_used)]

use serde_json::json;
use syncline_protocol::Type;

use super::{Grid, cell, timestamp};

#[test]
fn columns_are_aligned_and_numbers_stand_to_the_right() {
    let name = Type::option(Type::String);
    let mut grid =
        Grid::new([("id", &Type::U64), ("name", &name), ("on", &Type::Bool)].into_iter());
    grid.push(vec!["1".to_owned(), "Ada".to_owned(), "true".to_owned()]);
    grid.push(vec![
        "1000".to_owned(),
        "Zoë Ä".to_owned(),
        "false".to_owned(),
    ]);
    let expected = "  id  name   on\n----  -----  -----\n   1  Ada    true\n1000  Zoë Ä  false";
    assert_eq!(grid.lines().join("\n"), expected);
}

#[test]
fn a_table_without_rows_has_its_head() {
    let grid = Grid::new([("id", &Type::U64)].into_iter());
    assert_eq!(grid.lines(), ["id", "--"]);
}

#[test]
fn cells_are_for_people() {
    let maybe = Type::option(Type::Timestamp);
    for (ty, value, expected) in [
        (&Type::String, json!("hello"), "hello"),
        (
            &Type::String,
            json!("two\nlines\u{1b}[2J"),
            "two\\nlines\\u{1b}[2J",
        ),
        (&Type::Bool, json!(true), "true"),
        (
            &Type::U64,
            json!("18446744073709551615"),
            "18446744073709551615",
        ),
        (&maybe, json!(null), "NULL"),
        (&maybe, json!("0"), "1970-01-01 00:00:00.000000Z"),
        (&Type::list(Type::U8), json!([1, 2]), "[1,2]"),
    ] {
        assert_eq!(cell(ty, &value), expected);
    }
}

#[test]
fn dates() {
    for (micros, expected) in [
        (1_795_595_400_123_456, "2026-11-25 08:30:00.123456Z"),
        (951_782_400_000_000, "2000-02-29 00:00:00.000000Z"),
        (-1, "1969-12-31 23:59:59.999999Z"),
        (-62_135_596_800_000_000, "0001-01-01 00:00:00.000000Z"),
    ] {
        assert_eq!(timestamp(micros), expected);
    }
    // Neither end of the range overflows.
    assert!(timestamp(i64::MAX).starts_with("294247-01-10"));
    assert!(timestamp(i64::MIN).ends_with('Z'));
}
