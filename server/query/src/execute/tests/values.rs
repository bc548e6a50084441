//! Decimals, JSON and functions: what expressions over them give.

use serde_json::{Value as Json, json};
use syncline_protocol::ErrorCode;

use crate::failures;
use crate::tests::{Fixture, ordered, table};

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
    ("round(1e40, -41)", "0.0"),
    ("round(6e40, -41)", "1e41"),
    ("round(-15e39, -40)", "-2e40"),
    ("round(1e300, -400)", "0.0"),
    ("round(1.25e300, -299)", "1.3e300"),
    ("round(1.7e308, -308)", "1.7e308"),
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
    ("round(f, huge)", "0.5"),
    ("floor(-2 / 0)", "null"),
    ("1 / 0 IN (1, n)", "null"),
    // Text.
    ("left('abc', huge) || right('abc', huge) || substr('abc', huge)", r#""abcabc""#),
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
    ("concat(word)", r#""""#),
    ("concat(word, 'a', word, name)", r#""a  Grün ""#),
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
fn a_union_holds_what_fits_its_column() {
    let fixture = prices();
    let check = |sql: &str, wanted: Json| {
        assert_eq!(fixture.once(sql, json!({})).unwrap(), wanted, "{sql}");
    };
    check(
        "SELECT huge AS x FROM t UNION ALL SELECT n FROM t",
        json!([[null], ["7"]]),
    );
    check(
        "SELECT price AS x FROM t UNION ALL SELECT huge FROM t",
        json!([["12.5"], [null]]),
    );
    check(
        "SELECT price AS x FROM t UNION SELECT f FROM t ORDER BY 1",
        json!([[0.5], [12.5]]),
    );
    check(
        "SELECT n AS x FROM t UNION SELECT price FROM t ORDER BY 1",
        json!([["7"], ["12.5"]]),
    );
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
