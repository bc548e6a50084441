#![allow(clippy::unwrap_used, reason = "tests")]

mod joins;
mod sales;
mod values;

use serde_json::{Value as Json, json};
use syncline_protocol::{ErrorCode, IndexKind};

use super::access::{Access, choose, choose_ordered};
use super::sort::sort_keys;
use crate::bind::{Mode, bind};
use crate::declared::Declared;
use crate::parse::parse;
use crate::tests::{Fixture, Write, me, ordered, params, table, with_index};

/// One row of every kind of value.
fn kinds() -> Fixture {
    let columns = "id u32, small u8, int i32, big i64, wide i128, long u64, huge u128, f f32, d f64, \
                   yes bool, name string, raw bytes, at timestamp, pause duration, status status, \
                   maybe i32?, word string?, flag bool?, items list";
    let mut fixture = Fixture::new(vec![table("t", columns, 1)]);
    fixture.insert(
        "t",
        &[json!([
            1,
            200,
            -7,
            "9223372036854775807",
            "170141183460469231731687303715884105727",
            "18446744073709551615",
            "340282366920938463463374607431768211455",
            0.5,
            2.5,
            true,
            "Grün",
            "AP8=",
            "1000",
            "60",
            "closed",
            null,
            null,
            null,
            [1, 2]
        ])],
    );
    fixture
}

/// An expression over the row of [`kinds`], and its value as JSON.
#[rustfmt::skip]
const VALUES: &[(&str, &str)] = &[
    // Arithmetic: 64 bits, or 128 where an operand needs them; what does not fit is NULL.
    ("small + 100", r#""300""#),
    ("1 + 2 * 3 - -4", r#""11""#),
    ("int / 2", r#""-3""#),
    ("int % 4", r#""-3""#),
    ("int / 0", "null"),
    ("int % 0", "null"),
    ("d / 0", "null"),
    ("big + 1", "null"),
    ("big + long", r#""27670116110564327422""#),
    ("wide + 1", "null"),
    ("wide * 2", "null"),
    ("huge + 0", "null"),
    ("long - 1", r#""18446744073709551614""#),
    ("-int", r#""7""#),
    ("-(-9223372036854775807 - 1)", r#""9223372036854775808""#),
    ("int * 0.5", "-3.5"),
    ("d % 2", "0.5"),
    ("1e308 * 10 * d", r#""Infinity""#),
    ("maybe + 1", "null"),
    ("at + 5", r#""1005""#),
    ("at - at", r#""0""#),
    ("pause * 2", r#""120""#),
    ("at - pause", r#""940""#),
    ("abs(int)", r#""7""#),
    ("abs(f)", "0.5"),
    // Comparison: exact across types, out of range is false and not an error.
    ("small = 300", "false"),
    ("small < 300", "true"),
    ("small > -1", "true"),
    ("small = 200.0", "true"),
    ("small = 200.5", "false"),
    ("d = 2.5", "true"),
    ("long = 18446744073709551615", "true"),
    // A literal is what is written, to the last digit; a float is what is nearest to that.
    ("long > 18446744073709551614.0", "true"),
    ("long > CAST('18446744073709551614' AS f64)", "false"),
    ("wide > d", "true"),
    ("huge > wide", "true"),
    ("f = 0.5", "true"),
    ("maybe = 1", "null"),
    ("maybe <> 1", "null"),
    ("NOT maybe = 1", "null"),
    ("int = NULL", "null"),
    ("name = 'Grün'", "true"),
    ("name < 'Gs'", "true"),
    ("name < 'Gq'", "false"),
    ("raw = X'00FF'", "true"),
    ("at > 999", "true"),
    ("status = 'closed'", "true"),
    ("status IN ('open', 'void')", "false"),
    ("items = items", "true"),
    ("yes", "true"),
    // Logic.
    ("flag AND false", "false"),
    ("flag AND true", "null"),
    ("flag OR true", "true"),
    ("flag OR false", "null"),
    ("flag IS NULL", "true"),
    ("flag IS NOT TRUE", "true"),
    ("yes IS TRUE AND NOT yes IS FALSE", "true"),
    ("flag IS UNKNOWN", "true"),
    ("maybe IS DISTINCT FROM NULL", "false"),
    ("maybe IS DISTINCT FROM 1", "true"),
    ("int IS NOT DISTINCT FROM -7", "true"),
    ("int IN (1, NULL)", "null"),
    ("int IN (-7, NULL)", "true"),
    ("int NOT IN (1, 2)", "true"),
    ("int NOT IN (1, NULL)", "null"),
    ("int BETWEEN -7 AND 0", "true"),
    ("int NOT BETWEEN -7 AND 0", "false"),
    ("int BETWEEN NULL AND -8", "false"),
    ("int BETWEEN NULL AND 0", "null"),
    // Text.
    ("lower(name) || '/' || upper(name)", r#""grün/GRÜN""#),
    ("name || word", "null"),
    ("length(name)", r#""4""#),
    ("length(raw)", r#""2""#),
    ("name LIKE 'Gr%'", "true"),
    ("name LIKE 'gr%'", "false"),
    ("name LIKE 'Gr_n'", "true"),
    ("name LIKE '%ü%n'", "true"),
    ("name LIKE '__'", "false"),
    ("name NOT LIKE '%x%'", "true"),
    ("'50%' LIKE '50!%' ESCAPE '!'", "true"),
    ("'500' LIKE '50!%' ESCAPE '!'", "false"),
    ("word LIKE '%'", "null"),
    ("starts_with(name, 'Grü')", "true"),
    // Choice and casts.
    ("CASE WHEN int > 0 THEN 'plus' WHEN int < 0 THEN 'minus' END", r#""minus""#),
    ("CASE int WHEN 1 THEN 10 ELSE maybe END", "null"),
    ("CASE small WHEN 200 THEN small ELSE d END", "200.0"),
    ("COALESCE(maybe, 5)", "5"),
    ("COALESCE(maybe, 0.5)", "0.5"),
    ("COALESCE(NULL, NULL, word)", "null"),
    ("NULLIF(int, -7)", "null"),
    ("NULLIF(int, 1)", "-7"),
    ("CAST(small AS text) || '!'", r#""200!""#),
    ("d::bigint", r#""2""#),
    ("CAST(small AS i8)", "null"),
    ("CAST('12' AS integer)", "12"),
    ("CAST(name AS integer)", "null"),
    ("CAST(int AS boolean)", "true"),
    ("CAST(yes AS text)", r#""true""#),
    ("CAST(wide AS double precision) > 1e38", "true"),
    ("CAST(at AS bigint)", r#""1000""#),
];

#[test]
fn expressions_have_their_values() {
    let fixture = kinds();
    for (expression, wanted) in VALUES {
        let rows = fixture.once(&format!("SELECT {expression} AS v FROM t"), json!({}));
        let rows = rows.unwrap_or_else(|error| panic!("{expression}: {error}"));
        let wanted: Json = serde_json::from_str(wanted).unwrap();
        assert_eq!(rows, json!([[wanted]]), "{expression}");
    }
}

fn people() -> Fixture {
    let people = table("people", "id u32, team string?, age i32, score f64?", 1);
    let people = ordered(with_index(people, "team", IndexKind::Hash), "age");
    let mut fixture = Fixture::new(vec![people]);
    let rows = [
        json!([1, "red", 30, 1.5]),
        json!([2, "blue", 20, null]),
        json!([3, "red", 20, 2.5]),
        json!([4, null, 40, 0.25]),
        json!([5, "blue", 50, 4.0]),
    ];
    fixture.insert("people", &rows);
    fixture
}

/// A query, its parameters and its rows.
#[rustfmt::skip]
const ROWS: &[(&str, &str, &str)] = &[
    ("SELECT id FROM people ORDER BY age, id", "{}", "[[2], [3], [1], [4], [5]]"),
    ("SELECT id FROM people ORDER BY age DESC", "{}", "[[5], [4], [1], [3], [2]]"),
    ("SELECT id FROM people ORDER BY team, score DESC", "{}", "[[4], [5], [2], [3], [1]]"),
    ("SELECT id FROM people ORDER BY 0 - age LIMIT 2", "{}", "[[5], [4]]"),
    ("SELECT id, age * 2 AS x FROM people ORDER BY x DESC LIMIT 1 OFFSET 1", "{}", r#"[[4, "80"]]"#),
    ("SELECT id FROM people ORDER BY 1 DESC LIMIT :n", r#"{"n": 2}"#, "[[5], [4]]"),
    ("SELECT id FROM people WHERE age >= 20 ORDER BY age LIMIT 2 OFFSET 1", "{}", "[[3], [1]]"),
    ("SELECT id FROM people ORDER BY age LIMIT 0", "{}", "[]"),
    ("SELECT id FROM people WHERE team = :t ORDER BY id", r#"{"t": "red"}"#, "[[1], [3]]"),
    ("SELECT id FROM people WHERE team = :t", r#"{"t": null}"#, "[]"),
    ("SELECT id FROM people WHERE team IS NULL", "{}", "[[4]]"),
    ("SELECT id FROM people WHERE id IN (3, 1, 3, 9) ORDER BY id", "{}", "[[1], [3]]"),
    ("SELECT id FROM people WHERE id IN (:l) ORDER BY id", r#"{"l": [5, 2]}"#, "[[2], [5]]"),
    ("SELECT id FROM people WHERE id IN (:l)", r#"{"l": []}"#, "[]"),
    ("SELECT ID FROM People p WHERE P.age BETWEEN 20 AND 30 AND age > 20", "{}", "[[1]]"),
    ("SELECT p.*, 1 FROM people p WHERE age > 45", "{}", r#"[[5, "blue", 50, 4.0, "1"]]"#),
    ("SELECT id FROM people WHERE team LIKE 'b%' ORDER BY id", "{}", "[[2], [5]]"),
];

#[test]
fn rows_are_filtered_ordered_and_limited() {
    let fixture = people();
    for (sql, given, wanted) in ROWS {
        let given = serde_json::from_str(given).unwrap();
        let wanted: Json = serde_json::from_str(wanted).unwrap();
        assert_eq!(fixture.once(sql, given).unwrap(), wanted, "{sql}");
    }
}

#[test]
fn aggregates_skip_nulls_and_group() {
    let fixture = people();
    let check = |sql: &str, wanted: Json| {
        assert_eq!(fixture.once(sql, json!({})).unwrap(), wanted, "{sql}");
    };
    check(
        "SELECT count(*), count(score), sum(age), min(age), max(score), avg(age), sum(score) FROM people",
        json!([["5", "4", "160", 20, 4.0, 32.0, 8.25]]),
    );
    check(
        "SELECT count(*), sum(age), min(team), avg(score) FROM people WHERE age > 99",
        json!([["0", null, null, null]]),
    );
    check(
        "SELECT team, count(*) AS n, max(age) - min(age) FROM people GROUP BY team ORDER BY n DESC, team",
        json!([["blue", "2", "30"], ["red", "2", "10"], [null, "1", "0"]]),
    );
    check(
        "SELECT team FROM people GROUP BY 1 HAVING count(*) > 1 ORDER BY team LIMIT 1",
        json!([["blue"]]),
    );
    check(
        "SELECT age / 20 AS decade, sum(CASE WHEN team = 'red' THEN 1 ELSE 0 END) FROM people \
         GROUP BY age / 20 ORDER BY 1",
        json!([["1", "2"], ["2", "0"]]),
    );
    check("SELECT 1 FROM people HAVING count(*) > 9", json!([]));
}

#[test]
#[expect(clippy::too_many_lines, reason = "two tables of cases")]
fn the_best_index_is_taken() {
    let messages = table(
        "m",
        "id u64, room u32, author string?, ts i64, text string",
        1,
    );
    let messages = with_index(messages, "author", IndexKind::Hash);
    let messages = ordered(ordered(messages, "room, ts"), "text");
    let fixture = Fixture::new(vec![messages]);
    let check = |filter: &str, wanted: &str| {
        let sql = format!("SELECT * FROM m WHERE {filter}");
        let given = params(json!({"l": [1, 2]}));
        let given = if filter.contains(":l") {
            &given[..]
        } else {
            &[]
        };
        let plan = bind(
            fixture.db(),
            &Declared::new(fixture.db().schema()),
            &parse(&sql).unwrap(),
            given,
            &me(),
            Mode::Once,
        )
        .unwrap();
        let select = plan.select().unwrap();
        let table = fixture.db().table(select.only_table().unwrap()).unwrap();
        let shown = match choose(table, select.filter.as_ref()) {
            Access::All => "all".to_owned(),
            Access::Exact { index, keys } => format!("exact {} x{}", index.0, keys.len()),
            Access::Range(path) => format!("range {} ={}", path.index.0, path.equal.len()),
        };
        assert_eq!(shown, wanted, "{filter}");
    };
    check("id = 1", "exact 0 x1");
    check("5 = id AND author = 'x'", "exact 0 x1");
    check("id IN (:l)", "exact 0 x2");
    check("id IN (1, 300, NULL)", "all");
    check("author = 'x' AND room = 1", "exact 1 x1");
    check("author IS NULL", "exact 1 x1");
    check("author IS NOT DISTINCT FROM 'x'", "exact 1 x1");
    check("room = 1", "range 2 =1");
    check("room = 1 AND ts > 5", "range 2 =1");
    check("room > 1", "range 2 =0");
    check("text LIKE 'ab%'", "range 3 =0");
    check("ts > 5", "all");
    check("id = 1 OR room = 2", "all");
    check("id + 0 = 1", "all");

    let check_ordered = |filter: &str, order: &str, wanted: Option<(u16, bool)>| {
        let sql = format!("SELECT * FROM m WHERE {filter} ORDER BY {order}");
        let declared = Declared::new(fixture.db().schema());
        let parsed = parse(&sql).unwrap();
        let plan = bind(fixture.db(), &declared, &parsed, &[], &me(), Mode::Once).unwrap();
        let select = plan.select().unwrap();
        let table = fixture.db().table(select.only_table().unwrap()).unwrap();
        let keys = sort_keys(&plan, select, &plan.order);
        let path = choose_ordered(table, select.filter.as_ref(), &keys);
        assert_eq!(
            path.map(|path| (path.index.0, path.reverse)),
            wanted,
            "{filter} {order}"
        );
    };
    let check_order = |order: &str, wanted| check_ordered("room = 1", order, wanted);
    check_order("ts", Some((2, false)));
    check_order("ts DESC", Some((2, true)));
    check_order("ts DESC, id DESC", Some((2, true)));
    check_order("room DESC, ts", Some((2, false)));
    check_order("ts DESC, id", None);
    check_order("ts, author", None);
    check_order("id", None);
    check_order("text", None);
    check_ordered("room > 1", "text", Some((3, false)));
    check_ordered("author IS NULL", "text", Some((3, false)));
    check_ordered("author = 'x'", "text", None);
    check_order("ts + 0", None);
}

#[rustfmt::skip]
const FILTERS: &[&str] = &[
    "room = 3", "room = 3 AND ts > 2", "room = 3 AND ts >= 2 AND ts < 5", "room = 3 AND ts <= 7",
    "room = 3 AND ts BETWEEN 7 AND 2", "room = 3 AND ts = NULL", "room = 3 AND ts > NULL",
    "room IS NULL", "room IS NULL AND ts IS NULL", "room IN (1, 3, NULL) AND ts < 4",
    "room IN (1, 3, 3)", "room > 2", "room < 2", "room >= 255", "room > 255", "room < 300",
    "room = 300", "text LIKE 'ab%'", "text LIKE '%'", "text LIKE 'a_%'", "text LIKE ''",
    "text LIKE 'ab\u{0}ü!%%' ESCAPE '!'", "text < 'b'", "text >= 'ab'", "text = ''",
    "room IS NOT DISTINCT FROM 2", "room = 3 AND (ts = 1 OR ts IS NULL)", "id IN (1, 5, 7, 500)",
    "id = 9", "NOT room = 3", "ts IS NULL AND room > 1",
];

#[rustfmt::skip]
const ORDERS: &[&str] = &[
    "id", "ts, id", "ts DESC, id DESC", "room, ts", "text DESC", "room DESC, ts DESC LIMIT 7",
    "ts LIMIT 5 OFFSET 3",
];

#[test]
fn every_way_to_the_rows_gives_the_same_ones() {
    // The same rows with and without indexes, and filters that reach them in every way.
    let plain = table("m", "id u64, room u8?, ts i32?, text string?", 1);
    let indexed = ordered(
        ordered(
            with_index(plain.clone(), "room", IndexKind::Hash),
            "room, ts",
        ),
        "text",
    );
    let mut fixtures = [Fixture::new(vec![plain]), Fixture::new(vec![indexed])];
    for fixture in &mut fixtures {
        for id in 0..200u64 {
            let pick = |modulus: u64, null: u64| {
                (id * 7919 % modulus != null).then_some(id * 7919 % modulus)
            };
            let text = pick(11, 3).map(|n| {
                "ab\u{0}ü%"[..].repeat(n as usize % 3) + ["a", "", "ab\u{0}"][n as usize % 3]
            });
            fixture.commit(&[Write::Insert(
                "m",
                json!([id.to_string(), pick(5, 0), pick(9, 4), text]),
            )]);
        }
    }
    let mut total = 0;
    for filter in FILTERS {
        for order in ORDERS {
            let sql = format!("SELECT * FROM m WHERE {filter} ORDER BY {order}");
            let [plain, indexed] =
                [&fixtures[0], &fixtures[1]].map(|f| f.once(&sql, json!({})).unwrap());
            assert_eq!(plain, indexed, "{sql}");
            total += plain.as_array().unwrap().len();
        }
    }
    assert!(
        total > 4000,
        "the filters accept enough to mean something: {total}"
    );
}

#[test]
fn limits_are_errors() {
    let mut fixture = Fixture::new(vec![table("t", "id u32, text string", 1)]);
    // 40 rows of 1 MB minus a bit, seven times over, are more than a result may hold.
    let text = "x".repeat(1_000_000);
    for id in 0..40 {
        fixture.insert("t", &[json!([id, text])]);
    }
    let seven = ["text"; 7].join(", ");
    let error = fixture
        .once(&format!("SELECT {seven} FROM t"), json!({}))
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::QueryLimit, "{error}");
    let error = fixture
        .once(
            "SELECT count(*) FROM t GROUP BY id, text, lower(text), upper(text), reverse(text)",
            json!({}),
        )
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::QueryLimit, "{error}");
    assert_eq!(
        fixture.once("SELECT count(*) FROM t", json!({})).unwrap(),
        json!([["40"]])
    );
}
