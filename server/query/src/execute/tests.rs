#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value as Json, json};
use syncline_protocol::{ErrorCode, IndexKind};

use super::access::{Access, choose, choose_ordered};
use crate::bind::bind;
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

#[test]
fn expressions_have_their_values() {
    let fixture = kinds();
    let check = |expression: &str, wanted: Json| {
        let rows = fixture.once(&format!("SELECT {expression} AS v FROM t"), json!({}));
        let rows = rows.unwrap_or_else(|error| panic!("{expression}: {error}"));
        assert_eq!(rows, json!([[wanted]]), "{expression}");
    };
    // Arithmetic: 64 bits, or 128 where an operand needs them; what does not fit is NULL.
    check("small + 100", json!("300"));
    check("1 + 2 * 3 - -4", json!("11"));
    check("int / 2", json!("-3"));
    check("int % 4", json!("-3"));
    check("int / 0", json!(null));
    check("int % 0", json!(null));
    check("d / 0", json!(null));
    check("big + 1", json!(null));
    check("big + long", json!("27670116110564327422"));
    check("wide + 1", json!(null));
    check("wide * 2", json!(null));
    check("huge + 0", json!(null));
    check("long - 1", json!("18446744073709551614"));
    check("-int", json!("7"));
    check("-(-9223372036854775807 - 1)", json!("9223372036854775808"));
    check("int * 0.5", json!(-3.5));
    check("d % 2", json!(0.5));
    check("1e308 * 10 * d", json!("Infinity"));
    check("maybe + 1", json!(null));
    check("at + 5", json!("1005"));
    check("at - at", json!("0"));
    check("pause * 2", json!("120"));
    check("at - pause", json!("940"));
    check("abs(int)", json!("7"));
    check("abs(f)", json!(0.5));

    // Comparison: exact across types, out of range is false and not an error.
    check("small = 300", json!(false));
    check("small < 300", json!(true));
    check("small > -1", json!(true));
    check("small = 200.0", json!(true));
    check("small = 200.5", json!(false));
    check("d = 2.5", json!(true));
    check("long = 18446744073709551615", json!(true));
    check("long > 18446744073709551614.0", json!(false));
    check("wide > d", json!(true));
    check("huge > wide", json!(true));
    check("f = 0.5", json!(true));
    check("maybe = 1", json!(null));
    check("maybe <> 1", json!(null));
    check("NOT maybe = 1", json!(null));
    check("int = NULL", json!(null));
    check("name = 'Grün'", json!(true));
    check("name < 'Gs'", json!(true));
    check("name < 'Gq'", json!(false));
    check("raw = X'00FF'", json!(true));
    check("at > 999", json!(true));
    check("status = 'closed'", json!(true));
    check("status IN ('open', 'void')", json!(false));
    check("items = items", json!(true));
    check("yes", json!(true));

    // Logic.
    check("flag AND false", json!(false));
    check("flag AND true", json!(null));
    check("flag OR true", json!(true));
    check("flag OR false", json!(null));
    check("flag IS NULL", json!(true));
    check("flag IS NOT TRUE", json!(true));
    check("yes IS TRUE AND NOT yes IS FALSE", json!(true));
    check("flag IS UNKNOWN", json!(true));
    check("maybe IS DISTINCT FROM NULL", json!(false));
    check("maybe IS DISTINCT FROM 1", json!(true));
    check("int IS NOT DISTINCT FROM -7", json!(true));
    check("int IN (1, NULL)", json!(null));
    check("int IN (-7, NULL)", json!(true));
    check("int NOT IN (1, 2)", json!(true));
    check("int NOT IN (1, NULL)", json!(null));
    check("int BETWEEN -7 AND 0", json!(true));
    check("int NOT BETWEEN -7 AND 0", json!(false));
    check("int BETWEEN NULL AND -8", json!(false));
    check("int BETWEEN NULL AND 0", json!(null));

    // Text.
    check("lower(name) || '/' || upper(name)", json!("grün/GRÜN"));
    check("name || word", json!(null));
    check("length(name)", json!("4"));
    check("length(raw)", json!("2"));
    check("name LIKE 'Gr%'", json!(true));
    check("name LIKE 'gr%'", json!(false));
    check("name LIKE 'Gr_n'", json!(true));
    check("name LIKE '%ü%n'", json!(true));
    check("name LIKE '__'", json!(false));
    check("name NOT LIKE '%x%'", json!(true));
    check("'50%' LIKE '50!%' ESCAPE '!'", json!(true));
    check("'500' LIKE '50!%' ESCAPE '!'", json!(false));
    check("word LIKE '%'", json!(null));
    check("starts_with(name, 'Grü')", json!(true));

    // Choice and casts.
    check(
        "CASE WHEN int > 0 THEN 'plus' WHEN int < 0 THEN 'minus' END",
        json!("minus"),
    );
    check("CASE int WHEN 1 THEN 10 ELSE maybe END", json!(null));
    check("CASE small WHEN 200 THEN small ELSE d END", json!(200.0));
    check("COALESCE(maybe, 5)", json!(5));
    check("COALESCE(maybe, 0.5)", json!(0.5));
    check("COALESCE(NULL, NULL, word)", json!(null));
    check("NULLIF(int, -7)", json!(null));
    check("NULLIF(int, 1)", json!(-7));
    check("CAST(small AS text) || '!'", json!("200!"));
    check("d::bigint", json!("2"));
    check("CAST(small AS i8)", json!(null));
    check("CAST('12' AS integer)", json!(12));
    check("CAST(name AS integer)", json!(null));
    check("CAST(int AS boolean)", json!(true));
    check("CAST(yes AS text)", json!("true"));
    check("CAST(wide AS double precision) > 1e38", json!(true));
    check("CAST(at AS bigint)", json!("1000"));
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

#[test]
fn rows_are_filtered_ordered_and_limited() {
    let fixture = people();
    let check = |sql: &str, given: Json, wanted: Json| {
        assert_eq!(fixture.once(sql, given).unwrap(), wanted, "{sql}");
    };
    check(
        "SELECT id FROM people ORDER BY age, id",
        json!({}),
        json!([[2], [3], [1], [4], [5]]),
    );
    // Ties in the direction of the last key; NULL is the smallest.
    check(
        "SELECT id FROM people ORDER BY age DESC",
        json!({}),
        json!([[5], [4], [1], [3], [2]]),
    );
    check(
        "SELECT id FROM people ORDER BY team, score DESC",
        json!({}),
        json!([[4], [5], [2], [3], [1]]),
    );
    check(
        "SELECT id FROM people ORDER BY 0 - age LIMIT 2",
        json!({}),
        json!([[5], [4]]),
    );
    check(
        "SELECT id, age * 2 AS x FROM people ORDER BY x DESC LIMIT 1 OFFSET 1",
        json!({}),
        json!([[4, "80"]]),
    );
    check(
        "SELECT id FROM people ORDER BY 1 DESC LIMIT :n",
        json!({"n": 2}),
        json!([[5], [4]]),
    );
    check(
        "SELECT id FROM people WHERE age >= 20 ORDER BY age LIMIT 2 OFFSET 1",
        json!({}),
        json!([[3], [1]]),
    );
    check(
        "SELECT id FROM people ORDER BY age LIMIT 0",
        json!({}),
        json!([]),
    );
    check(
        "SELECT id FROM people WHERE team = :t ORDER BY id",
        json!({"t": "red"}),
        json!([[1], [3]]),
    );
    check(
        "SELECT id FROM people WHERE team = :t",
        json!({"t": null}),
        json!([]),
    );
    check(
        "SELECT id FROM people WHERE team IS NULL",
        json!({}),
        json!([[4]]),
    );
    check(
        "SELECT id FROM people WHERE id IN (3, 1, 3, 9) ORDER BY id",
        json!({}),
        json!([[1], [3]]),
    );
    check(
        "SELECT id FROM people WHERE id IN (:l) ORDER BY id",
        json!({"l": [5, 2]}),
        json!([[2], [5]]),
    );
    check(
        "SELECT id FROM people WHERE id IN (:l)",
        json!({"l": []}),
        json!([]),
    );
    check(
        "SELECT ID FROM People p WHERE P.age BETWEEN 20 AND 30 AND age > 20",
        json!({}),
        json!([[1]]),
    );
    check(
        "SELECT p.*, 1 FROM people p WHERE age > 45",
        json!({}),
        json!([[5, "blue", 50, 4.0, "1"]]),
    );
    check(
        "SELECT id FROM people WHERE team LIKE 'b%' ORDER BY id",
        json!({}),
        json!([[2], [5]]),
    );
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
        let plan = bind(fixture.db(), &parse(&sql).unwrap(), given, &me()).unwrap();
        let table = fixture.db().table(plan.table).unwrap();
        let shown = match choose(table, plan.filter.as_ref()) {
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
        let plan = bind(fixture.db(), &parse(&sql).unwrap(), &[], &me()).unwrap();
        let table = fixture.db().table(plan.table).unwrap();
        let path = choose_ordered(table, plan.filter.as_ref(), &plan.order);
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
    for filter in [
        "room = 3",
        "room = 3 AND ts > 2",
        "room = 3 AND ts >= 2 AND ts < 5",
        "room = 3 AND ts <= 7",
        "room = 3 AND ts BETWEEN 7 AND 2",
        "room = 3 AND ts = NULL",
        "room = 3 AND ts > NULL",
        "room IS NULL",
        "room IS NULL AND ts IS NULL",
        "room IN (1, 3, NULL) AND ts < 4",
        "room IN (1, 3, 3)",
        "room > 2",
        "room < 2",
        "room >= 255",
        "room > 255",
        "room < 300",
        "room = 300",
        "text LIKE 'ab%'",
        "text LIKE '%'",
        "text LIKE 'a_%'",
        "text LIKE ''",
        "text LIKE 'ab\u{0}ü!%%' ESCAPE '!'",
        "text < 'b'",
        "text >= 'ab'",
        "text = ''",
        "room IS NOT DISTINCT FROM 2",
        "room = 3 AND (ts = 1 OR ts IS NULL)",
        "id IN (1, 5, 7, 500)",
        "id = 9",
        "NOT room = 3",
        "ts IS NULL AND room > 1",
    ] {
        for order in [
            "id",
            "ts, id",
            "ts DESC, id DESC",
            "room, ts",
            "text DESC",
            "room DESC, ts DESC LIMIT 7",
            "ts LIMIT 5 OFFSET 3",
        ] {
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
    let seven = ["text"; 7].join(" || ");
    let error = fixture
        .once(&format!("SELECT {seven} AS x FROM t"), json!({}))
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::QueryLimit, "{error}");
    let error = fixture
        .once(
            &format!("SELECT {seven} AS x, count(*) FROM t GROUP BY {seven} || id::text, {seven}"),
            json!({}),
        )
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::QueryLimit, "{error}");
    assert_eq!(
        fixture.once("SELECT count(*) FROM t", json!({})).unwrap(),
        json!([["40"]])
    );
}
