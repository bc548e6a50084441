//! Decimals, JSON and functions: what expressions over them give.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use syncline_protocol::ErrorCode;
use syncline_protocol::message::ResultDescription;

use crate::failures;
use crate::tests::{Fixture, Write, ordered, table, with_index};

fn prices() -> Fixture {
    let columns = "id u32, price decimal, rate decimal?, n i64, huge u128, f f64, small f32, \
                   name string, word string?, doc json, more json?";
    let mut fixture = Fixture::new(vec![ordered(table("t", columns, 1), "price")]);
    let doc = json!({"name": "ann", "n": 5, "f": 0.5, "big": 1e300, "yes": true, "none": null,
                     "list": [1, "two", [3]], "in": {"k\u{e9}y": "x\ny"}});
    fixture.insert(
        "t",
        &[json!([
            1,
            "12.50",
            null,
            "7",
            "340282366920938463463374607431768211455",
            0.5,
            0.25,
            "  Grün ",
            null,
            doc,
            null
        ])],
    );
    fixture
}

/// An expression over the row of [`prices`], and its value as JSON.
#[rustfmt::skip]
const VALUES: &[(&str, &str)] = &[
    // Decimals are exact; with integers they give decimals, with floats floats.
    ("price + 1", r#""13.5""#),
    ("price - 0.1", r#""12.4""#),
    ("price * 1.1", r#""13.75""#),
    ("price / 3", r#""4.16666666666666666667""#),
    ("price % 5", r#""2.5""#),
    ("-price % 5", r#""-2.5""#),
    ("price / 0", "null"),
    ("price % 0", "null"),
    ("price * n", r#""87.5""#),
    ("n * price", r#""87.5""#),
    ("price * f", "6.25"),
    ("price + huge", "null"),
    ("-price", r#""-12.5""#),
    ("price + rate", "null"),
    ("price * CAST('99999999999999999999999999999999999999' AS decimal)", "null"),
    ("price + 0.00000000000000000000000000000000001", r#""12.50000000000000000000000000000000001""#),
    ("price = 12.4 + 0.1", "true"),
    ("CAST(0.1 AS decimal) + CAST(0.2 AS decimal)", r#""0.3""#),
    // They compare exactly with every number.
    ("price = 12.5", "true"),
    ("price = '12.50'", "true"),
    ("price > 12", "true"),
    ("price > n", "true"),
    ("price < huge", "true"),
    ("huge > price", "true"),
    ("price > f", "true"),
    ("CAST('0.1' AS decimal) < CAST(0.1 AS f64)", "true"),
    ("CAST('0.5' AS decimal) = f", "true"),
    ("f = CAST('0.5' AS decimal)", "true"),
    ("small = CAST('0.25' AS decimal)", "true"),
    ("n = CAST('7.0' AS decimal)", "true"),
    ("n = 7.00000000000000000000001", "false"),
    ("n < 7.00000000000000000000001", "true"),
    ("price IN (1, 12.5)", "true"),
    ("price BETWEEN 12 AND 12.5", "true"),
    ("price IS DISTINCT FROM rate", "true"),
    ("rate = 1", "null"),
    ("coalesce(rate, 0)", r#""0""#),
    ("coalesce(rate, n)", r#""7""#),
    ("coalesce(rate, price, f)", "12.5"),
    ("CASE WHEN n > 0 THEN price ELSE n END", r#""12.5""#),
    ("CASE WHEN n > 0 THEN huge ELSE n END", "null"),
    // Casts are total.
    ("CAST(price AS integer)", "12"),
    ("CAST(-price AS i8)", "-12"),
    ("CAST(price * 100 AS i8)", "null"),
    ("CAST(price AS f64)", "12.5"),
    ("CAST(price AS text)", r#""12.5""#),
    ("CAST(price AS boolean)", "true"),
    ("CAST(n AS decimal)", r#""7""#),
    ("CAST(huge AS decimal)", "null"),
    ("CAST(f AS numeric)", r#""0.5""#),
    ("CAST(' 1e3 ' AS decimal) + CAST(word AS decimal)", "null"),
    ("CAST(name AS decimal)", "null"),
    ("f::decimal / 3", r#""0.16666666666666666667""#),
    // Numbers.
    ("round(price)", r#""13""#),
    ("round(-price)", r#""-13""#),
    ("round(price / 3, 2)", r#""4.17""#),
    ("round(price, -1)", r#""10""#),
    ("round(price, 99)", r#""12.5""#),
    ("round(price, -99)", r#""0""#),
    ("round(2.675, 2)", "2.68"),
    ("round(-0.5)", "-1.0"),
    ("round(f, word::integer)", "null"),
    ("round(n)", r#""7""#),
    ("round(n, -1)", r#""10""#),
    ("round(9223372036854775807, -1)", "null"),
    ("floor(-price)", r#""-13""#),
    ("ceil(price)", r#""13""#),
    ("ceiling(f)", "1.0"),
    ("floor(f)", "0.0"),
    ("trunc(-price)", r#""-12""#),
    ("floor(n)", r#""7""#),
    ("floor(huge)", r#""340282366920938463463374607431768211455""#),
    ("sign(-price)", r#""-1""#),
    ("sign(0)", r#""0""#),
    ("abs(-price)", r#""12.5""#),
    ("abs(huge)", "null"),
    ("mod(n, 4)", r#""3""#),
    ("power(price, 2)", r#""156.25""#),
    ("power(2, 62)", r#""4611686018427387904""#),
    ("power(2, 63)", "null"),
    ("power(price, -1)", r#""0.08""#),
    ("power(f, 3)", "0.125"),
    ("power(f, f)", "null"),
    ("sqrt(2)", "1.4142135623730951"),
    ("sqrt(-f)", "null"),
    ("greatest(n, price, f)", "12.5"),
    ("least(n, price)", r#""7""#),
    ("greatest('b', 'a')", r#""b""#),
    ("least(n, rate)", "null"),
    // Text.
    ("trim(name)", r#""Grün""#),
    ("ltrim(name) || '|' || rtrim(name)", r#""Grün |  Grün""#),
    ("trim(BOTH 'x' FROM 'xxaxbx')", r#""axb""#),
    ("trim(LEADING FROM name)", r#""Grün ""#),
    ("btrim('xyaxy', 'yx')", r#""a""#),
    ("substr(trim(name), 2)", r#""rün""#),
    ("substring(trim(name) FROM 2 FOR 2)", r#""rü""#),
    ("substr('abc', 0, 2)", r#""a""#),
    ("substr('abc', -5)", r#""abc""#),
    ("substr('abc', 2, -1)", "null"),
    ("substr('abc', 9, 1)", r#""""#),
    ("substr('abc', 2, 9223372036854775807)", r#""bc""#),
    ("left('grün', 3)", r#""grü""#),
    ("left('grün', -3)", r#""g""#),
    ("left('grün', -9)", r#""""#),
    ("right('grün', 2)", r#""ün""#),
    ("right('grün', -3)", r#""n""#),
    ("right('grün', 9)", r#""grün""#),
    ("replace('aXbX', 'X', 'yy')", r#""ayybyy""#),
    ("replace('ab', '', 'c')", r#""ab""#),
    ("concat('a', word, n, price, true)", r#""a712.5true""#),
    ("instr('grün', 'n')", r#""4""#),
    ("strpos('grün', 'x')", r#""0""#),
    ("position('ü' IN 'grün')", r#""3""#),
    ("reverse('grün')", r#""nürg""#),
    ("starts_with('abc', 'ab') AND ends_with('abc', 'bc')", "true"),
    ("octet_length('grün')", r#""5""#),
    ("length(word)", "null"),
    ("ifnull(word, 'none')", r#""none""#),
    // JSON: parts, their text, what they are.
    ("doc -> 'name'", r#""ann""#),
    ("doc ->> 'name'", r#""ann""#),
    ("(doc -> 'name')::text", r#""\"ann\"""#),
    ("doc -> 'n'", "5"),
    ("doc ->> 'n'", r#""5""#),
    ("doc -> 'list' -> 0", "1"),
    ("doc -> 'list' -> -1 ->> 0", r#""3""#),
    ("doc -> 'list' ->> 1", r#""two""#),
    ("doc -> 'list' -> 9", "null"),
    ("doc -> 'list' -> '0'", "null"),
    ("doc -> 0", "null"),
    ("doc -> 'in' ->> 'kéy'", r#""x\ny""#),
    ("doc ->> 'in'", r#""{\"kéy\":\"x\\ny\"}""#),
    ("doc -> 'missing' -> 'x'", "null"),
    ("more -> 'x'", "null"),
    ("doc -> 'none' IS NULL", "false"),
    ("doc ->> 'none' IS NULL", "true"),
    ("json_type(doc)", r#""object""#),
    ("json_type(doc -> 'none')", r#""null""#),
    ("json_type(doc -> 'list')", r#""array""#),
    ("json_type(doc -> 'n') || json_type(doc -> 'yes') || json_type(doc -> 'name')", r#""numberbooleanstring""#),
    ("json_type(doc -> 'missing')", "null"),
    ("json_array_length(doc -> 'list')", r#""3""#),
    ("json_array_length(doc)", "null"),
    ("CAST(doc -> 'n' AS integer) + 1", r#""6""#),
    ("CAST(doc -> 'f' AS decimal)", r#""0.5""#),
    ("CAST(doc -> 'big' AS decimal)", "null"),
    ("CAST(doc -> 'big' AS f64)", "1e300"),
    ("CAST(doc -> 'f' AS bigint)", r#""0""#),
    ("CAST(doc -> 'name' AS integer)", "null"),
    ("CAST(doc -> 'yes' AS boolean)", "true"),
    ("CAST(doc -> 'n' AS boolean)", "null"),
    ("CAST(doc -> 'none' AS f64)", "null"),
    ("CAST(doc ->> 'n' AS integer)", "5"),
    // Equal JSON is equal, however it was written.
    ("doc -> 'n' = 5.0", "true"),
    ("doc -> 'n' = 6", "false"),
    ("doc -> 'yes' = true", "true"),
    ("doc -> 'name' = '\"ann\"'", "true"),
    ("doc -> 'list' = '[1, \"two\", [3.0]]'", "true"),
    ("doc -> 'n' IN (1, 5)", "true"),
    ("doc = doc", "true"),
    ("doc -> 'missing' = 1", "null"),
    ("CAST('{\"b\": 1, \"a\": [ ]}' AS json)", r#"{"a":[],"b":1}"#),
    ("CAST(name AS json)", "null"),
    ("CAST(n AS json)", "7"),
    ("CAST(price AS json)", "12.5"),
    ("CAST(n > 1 AS json)", "true"),
    ("CAST(huge AS json)", "null"),
];

#[test]
fn expressions_over_decimals_and_json_have_their_values() {
    let fixture = prices();
    for (expression, wanted) in VALUES {
        let rows = fixture.once(&format!("SELECT {expression} AS v FROM t"), json!({}));
        let rows = rows.unwrap_or_else(|error| panic!("{expression}: {error}"));
        let wanted: Json = serde_json::from_str(wanted).unwrap();
        assert_eq!(rows, json!([[wanted]]), "{expression}");
    }
}

#[test]
fn what_has_no_meaning_is_refused() {
    let fixture = prices();
    #[rustfmt::skip]
    let cases = [
        ("SELECT id FROM t ORDER BY doc", ErrorCode::SqlType, "no order"),
        ("SELECT id FROM t WHERE doc > doc", ErrorCode::SqlType, "no order"),
        ("SELECT max(doc) FROM t", ErrorCode::SqlType, "not defined"),
        ("SELECT greatest(doc, doc) FROM t", ErrorCode::SqlType, "no order"),
        ("SELECT id FROM t WHERE doc -> 'n' = n", ErrorCode::SqlType, "do not compare"),
        ("SELECT id FROM t WHERE doc -> 'name' = 'ann'", ErrorCode::SqlType, "no value of type Json"),
        ("SELECT name -> 'x' FROM t", ErrorCode::SqlType, "takes JSON"),
        ("SELECT doc -> 1.5 FROM t", ErrorCode::SqlType, "a name or a place"),
        ("SELECT CAST(price AS decimal(10, 2)) FROM t", ErrorCode::SqlUnsupported, "a cast to"),
        ("SELECT round(name) FROM t", ErrorCode::SqlType, "takes a number"),
        ("SELECT round(price, 1.5) FROM t", ErrorCode::SqlType, "a whole number"),
        ("SELECT substr(name) FROM t", ErrorCode::SqlUnsupported, "SUBSTRING"),
        ("SELECT replace(name, 'a') FROM t", ErrorCode::SqlUnsupported, "does not take 2"),
        ("SELECT ln(f) FROM t", ErrorCode::SqlUnsupported, "no function"),
        ("SELECT name + 1 FROM t", ErrorCode::SqlType, "not defined"),
    ];
    for (sql, code, text) in cases {
        match fixture.once(sql, json!({})) {
            Ok(rows) => panic!("{sql}: {rows}"),
            Err(error) => {
                assert_eq!(error.code, code, "{sql}: {error}");
                assert!(error.to_string().contains(text), "{sql}: {error}");
            }
        }
    }
}

#[test]
fn what_has_no_value_is_counted() {
    let fixture = prices();
    let counted = |sql: &str| {
        let before = failures::count();
        fixture.once(sql, json!({})).unwrap();
        failures::count() - before
    };
    assert_eq!(counted("SELECT price / 0, CAST(name AS integer) FROM t"), 2);
    assert_eq!(
        counted("SELECT CAST(doc -> 'name' AS f64), sqrt(-f) FROM t"),
        2
    );
    assert_eq!(counted("SELECT CAST(n AS i8), coalesce(n, huge) FROM t"), 0);
    assert_eq!(
        counted("SELECT CASE WHEN true THEN huge ELSE n END FROM t"),
        1
    );
    // NULL in, NULL out is no failure; nor is a part that is not there.
    assert_eq!(
        counted("SELECT rate / 0, CAST(word AS integer), doc -> 'no' FROM t"),
        0
    );
    assert_eq!(counted("SELECT sum(n) FROM t"), 0);
}

#[test]
fn a_text_that_no_row_can_hold_is_null() {
    let fixture = prices();
    let double =
        |sql: &str| format!("SELECT x || x || x || x || x || x || x || x AS x FROM ({sql}) s");
    let mut sql = "SELECT name || '0123456789' AS x FROM t".to_owned();
    for _ in 0..7 {
        sql = double(&sql);
    }
    assert_eq!(fixture.once(&sql, json!({})).unwrap(), json!([[null]]));
    let sql = "SELECT replace(replace(replace('aaaaaaaaaa', 'a', :t), 'a', :t), 'a', :t) FROM t";
    let long = "a".repeat(200);
    assert_eq!(
        fixture.once(sql, json!({ "t": long })).unwrap(),
        json!([[null]])
    );
}

fn sales() -> Fixture {
    let sales = table("sale", "id u32, shop u32, amount decimal?, doc json", 1);
    let sales = ordered(
        with_index(sales, "shop", syncline_protocol::IndexKind::Hash),
        "amount",
    );
    let shops = table("shop", "number decimal, name string", 1);
    let mut fixture = Fixture::new(vec![sales, shops]);
    fixture.insert(
        "sale",
        &[
            json!([1, 1, "0.10", {"k": "a", "n": 1}]),
            json!([2, 1, "0.2", {"n": 1.0, "k": "a"}]),
            json!([3, 2, "-5", {"k": "b", "n": 10}]),
            json!([4, 2, null, [1]]),
            json!([5, 2, "0.1", {"k": "b", "n": 9}]),
        ],
    );
    fixture.insert("shop", &[json!(["1.0", "one"]), json!(["2.5", "none"])]);
    fixture
}

/// Queries that are live too, and their rows.
#[rustfmt::skip]
fn queries() -> Vec<(&'static str, Json)> {
    vec![
        ("SELECT sum(amount), avg(amount), min(amount), max(amount), count(DISTINCT amount) FROM sale",
         json!([["-4.6", "-1.15", "-5", "0.2", "3"]])),
        ("SELECT shop, sum(amount), sum(DISTINCT amount), avg(amount) FROM sale GROUP BY shop",
         json!([[1, "0.3", "0.3", "0.15"], [2, "-4.9", "-4.9", "-2.45"]])),
        ("SELECT amount, count(*) FROM sale GROUP BY amount",
         json!([["-5", "1"], ["0.1", "2"], ["0.2", "1"], [null, "1"]])),
        ("SELECT doc, count(*) FROM sale GROUP BY doc HAVING count(*) > 1", json!([[{"k": "a", "n": 1}, "2"]])),
        ("SELECT doc ->> 'k' AS k, sum(CAST(doc -> 'n' AS bigint)) FROM sale GROUP BY doc ->> 'k'",
         json!([["a", "2"], ["b", "19"], [null, null]])),
        ("SELECT DISTINCT doc FROM sale WHERE shop = 1", json!([[{"k": "a", "n": 1}]])),
        ("SELECT DISTINCT doc -> 'k' FROM sale", json!([["a"], ["b"], [null]])),
        ("SELECT id FROM sale WHERE amount = 0.1 AND shop = 2", json!([[5]])),
        ("SELECT id FROM sale WHERE amount > 0.1 AND shop IN (1, 2)", json!([[2]])),
        ("SELECT id FROM sale WHERE doc ->> 'k' = 'b' AND shop = 2", json!([[3], [5]])),
        ("SELECT id FROM sale WHERE doc = '{\"k\":\"a\",\"n\":1}' AND shop = 1", json!([[1], [2]])),
        ("SELECT s.id, p.name FROM sale s JOIN shop p ON p.number = s.shop", json!([[1, "one"], [2, "one"]])),
        ("SELECT amount AS x FROM sale UNION SELECT number FROM shop",
         json!([["-5"], ["0.1"], ["0.2"], ["1"], ["2.5"], [null]])),
        ("SELECT amount AS x FROM sale UNION SELECT shop FROM sale",
         json!([["-5"], ["0.1"], ["0.2"], ["1"], ["2"], [null]])),
    ]
}

fn sorted(rows: &Json) -> Vec<String> {
    let mut rows: Vec<String> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(Json::to_string)
        .collect();
    rows.sort();
    rows
}

#[test]
fn decimals_and_json_group_join_and_unite() {
    let fixture = sales();
    for (sql, wanted) in queries() {
        let rows = fixture
            .once(sql, json!({}))
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(sorted(&rows), sorted(&wanted), "{sql}");
    }
    let sql = "SELECT id FROM sale ORDER BY amount, doc ->> 'k' DESC, id";
    assert_eq!(
        fixture.once(sql, json!({})).unwrap(),
        json!([[4], [3], [5], [1], [2]])
    );
    let sql = "SELECT id FROM sale ORDER BY CAST(doc -> 'n' AS f64) DESC, id LIMIT 2";
    assert_eq!(fixture.once(sql, json!({})).unwrap(), json!([[3], [5]]));
}

/// What a client has: rows by their key, both as JSON.
type Held = BTreeMap<String, Vec<Json>>;

fn key_of(description: &ResultDescription, row: &[Json]) -> String {
    let key = description
        .key
        .iter()
        .map(|column| row[usize::from(*column)].clone());
    Json::Array(key.collect()).to_string()
}

fn fold(description: &ResultDescription, held: &mut Held, ops: &Json) {
    for op in ops.as_array().unwrap() {
        let row = || op[1].as_array().unwrap().clone();
        let key = op[1].to_string();
        match op[0].as_str().unwrap() {
            "insert" => assert!(held.insert(key_of(description, &row()), row()).is_none()),
            "delete" => assert!(held.remove(&key).is_some(), "a delete of nothing"),
            _ => {
                let row = held.get_mut(&key).expect("an update of a row");
                for (name, value) in op[2].as_object().unwrap() {
                    let mut columns = description.columns.iter();
                    row[columns.position(|column| column.name == *name).unwrap()] = value.clone();
                }
            }
        }
    }
}

/// The visible columns of rows.
fn visible<'r>(description: &ResultDescription, rows: impl Iterator<Item = &'r Vec<Json>>) -> Json {
    rows.map(|row| {
        let columns = row.iter().zip(&description.columns);
        columns
            .filter(|(_, column)| !column.hidden)
            .map(|(value, _)| value.clone())
            .collect::<Json>()
    })
    .collect()
}

#[test]
fn live_results_follow() {
    let mut fixture = sales();
    let mut watched = Vec::new();
    for (sql, wanted) in queries() {
        let subscribed = fixture
            .subscribe(sql, json!({}))
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        let rows = fixture.rows_json(&subscribed);
        let rows = rows
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row.as_array().unwrap().clone());
        let description = &subscribed.description;
        let held: Held = rows.map(|row| (key_of(description, &row), row)).collect();
        assert_eq!(
            sorted(&visible(description, held.values())),
            sorted(&wanted),
            "{sql}"
        );
        watched.push((sql, subscribed, held));
    }
    let nines = "99999999999999999999999999999999999999";
    let tiny = "0.00000000000000000000000000000000000001";
    let insert = |row: Json| Write::Insert("sale", row);
    let steps = [
        vec![insert(json!([6, 1, nines, {"k": "a", "n": 1}]))],
        // No sum holds this.
        vec![insert(json!([7, 1, nines, "x"]))],
        vec![
            Write::Delete("sale", json!([6])),
            Write::Delete("sale", json!([7])),
        ],
        vec![Write::Update(
            "sale",
            json!([1, 2, tiny, {"k": "b", "n": 3}]),
        )],
        vec![
            Write::Delete("sale", json!([3])),
            Write::Delete("sale", json!([5])),
        ],
        vec![
            Write::Insert("shop", json!(["2", "two"])),
            Write::Delete("shop", json!(["1"])),
        ],
    ];
    let mut changed = 0;
    for writes in steps {
        fixture.commit(&writes);
        for (sql, subscribed, held) in &mut watched {
            let ops = fixture.ops_json(subscribed);
            changed += usize::from(ops != json!([]));
            fold(&subscribed.description, held, &ops);
            let asked = fixture.once(sql, json!({})).unwrap();
            let shown = visible(&subscribed.description, held.values());
            assert_eq!(sorted(&shown), sorted(&asked), "{sql}");
        }
    }
    assert!(
        changed > 40,
        "of {} looks only {changed} saw a change",
        6 * watched.len()
    );
}
