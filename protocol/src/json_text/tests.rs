use proptest::prelude::*;
use serde_json::Value as Plain;

use super::*;
use crate::strategies::json_text;

fn canonical(text: &str) -> String {
    Json::parse(text).unwrap().to_string()
}

#[test]
fn text_becomes_canonical() {
    let cases = [
        (" null ", "null"),
        ("[ true , false,\n\tnull ]", "[true,false,null]"),
        (
            r#"{"b":1,"a":{"d":[],"c":{}}}"#,
            r#"{"a":{"c":{},"d":[]},"b":1}"#,
        ),
        (r#""\u0041\/\u00e9\ud83d\ude00""#, r#""A/é😀""#),
        (
            r#""\u0008\u0009\u000a\u000c\u000D\u0022\u005c\u001F\u007f""#,
            "\"\\b\\t\\n\\f\\r\\\"\\\\\\u001f\u{7f}\"",
        ),
        ("-0", "0"),
        ("-0.0e5", "0"),
        ("1.0", "1"),
        ("1e2", "100"),
        ("1E-7", "1e-7"),
        ("0.000001", "0.000001"),
        ("1e21", "1e+21"),
        ("1e20", "100000000000000000000"),
        ("-1.5e300", "-1.5e+300"),
        ("9007199254740992", "9007199254740992"),
        ("5e-324", "5e-324"),
        ("0.1", "0.1"),
        ("123456789.123", "123456789.123"),
        // As in RFC 8785: names sort as UTF-16, where U+1F600 comes before U+FB33.
        (
            "{\"\u{20ac}\":1,\"\\r\":2,\"\u{fb33}\":3,\"1\":4,\"\u{1f600}\":5,\"\u{80}\":6,\"\u{f6}\":7}",
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(canonical(text), expected, "{text}");
        assert_eq!(canonical(expected), expected);
        assert_eq!(check(expected.as_bytes()), Ok(()), "{expected}");
    }
}

#[test]
fn what_is_no_value_is_refused_by_name() {
    use JsonProblem::{Depth, Duplicate, Length, Number, Surrogate, Syntax};
    let deep = "[".repeat(JSON_DEPTH_MAX + 1) + &"]".repeat(JSON_DEPTH_MAX + 1);
    let long = format!("\"{}\"", "x".repeat(JSON_BYTES_MAX));
    let cases = [
        ("", Syntax),
        ("nul", Syntax),
        ("nullx", Syntax),
        ("[1,]", Syntax),
        ("[,]", Syntax),
        ("{\"a\"}", Syntax),
        ("{\"a\":}", Syntax),
        ("{a:1}", Syntax),
        ("{\"a\":1,}", Syntax),
        ("01", Syntax),
        ("1.", Syntax),
        (".5", Syntax),
        ("+1", Syntax),
        ("-", Syntax),
        ("1e", Syntax),
        ("NaN", Syntax),
        ("\"", Syntax),
        ("\"\\\"", Syntax),
        ("\"\\x\"", Syntax),
        ("\"\\u12\"", Syntax),
        ("\"\\u+123\"", Syntax),
        ("\"\n\"", Syntax),
        ("[\"\\", Syntax),
        ("[1 2]", Syntax),
        ("1 2", Syntax),
        ("\u{a0}1", Syntax),
        ("9007199254740993", Number),
        ("-12345678901234567891", Number),
        ("1e999", Number),
        (r#""\ud800""#, Surrogate),
        (r#""\udc00\ud800""#, Surrogate),
        (r#""\ud800\u0041""#, Surrogate),
        (r#""\ud800x""#, Surrogate),
        (r#"{"a":1,"\u0061":2}"#, Duplicate),
        (&deep, Depth),
        (&long, Length),
    ];
    for (text, problem) in cases {
        let found = Json::parse(text).map_err(|error| error.problem);
        let start: String = text.chars().take(20).collect();
        assert_eq!(found, Err(problem), "{start}");
    }
    let fits = "[".repeat(JSON_DEPTH_MAX) + &"]".repeat(JSON_DEPTH_MAX);
    assert_eq!(canonical(&fits), fits);
    assert_eq!(check(fits.as_bytes()), Ok(()));
    assert_eq!(check(deep.as_bytes()), Err(CodecError::TooDeep));
    assert_eq!(check(long.as_bytes()), Err(CodecError::TooLong));
    assert_eq!(check(&[b'"', 0xff, b'"']), Err(CodecError::NotUtf8));
}

#[test]
fn other_forms_are_not_canonical() {
    for text in [
        "",
        " 1",
        "1 ",
        "-0",
        "1.0",
        "1e2",
        "1E3",
        "100.0",
        "1e+7",
        "0.0000001",
        "[1, 2]",
        "{\"b\":1,\"a\":2}",
        "{\"a\":1,\"a\":1}",
        r#""\u0041""#,
        r#""\/""#,
        r#""\u000a""#,
        r#""\u001F""#,
        r#""\u0022""#,
        "\"\u{1}\"",
        "[1",
        "[1,",
        "{\"a\":",
        "{",
        "\"a",
        "tru",
        "12345678901234567168",
        "[]]",
        r#"{"\n":1,"\b":2}"#,
    ] {
        assert_eq!(
            check(text.as_bytes()),
            Err(CodecError::NotCanonical),
            "{text}"
        );
    }
}

#[test]
fn paths_lead_into_values() {
    let json =
        Json::parse(r#"{"a":[1,"x\ny",{"k":[]},null,-2.5],"é\"":{"":true},"z":"}],\\"}"#).unwrap();
    let view = json.view();
    let a = view.get("a").unwrap();
    assert_eq!(a.at(0).and_then(JsonRef::as_i64), Some(1));
    assert_eq!(a.at(-1).and_then(JsonRef::as_f64), Some(-2.5));
    assert_eq!(a.at(4), a.at(-1));
    assert_eq!(
        (a.at(5), a.at(-6), a.at(i64::MIN), a.at(i64::MAX)),
        (None, None, None, None)
    );
    assert_eq!(a.at(1).and_then(JsonRef::to_text).as_deref(), Some("x\ny"));
    assert_eq!(a.at(3).map(JsonRef::kind), Some(JsonKind::Null));
    assert_eq!(a.at(3).and_then(JsonRef::to_text), None);
    assert_eq!(
        a.at(2).and_then(JsonRef::to_text).as_deref(),
        Some(r#"{"k":[]}"#)
    );
    assert_eq!(a.items().count(), 5);
    assert_eq!(
        view.get("é\"")
            .and_then(|o| o.get(""))
            .and_then(JsonRef::as_bool),
        Some(true)
    );
    assert_eq!(
        view.get("z").and_then(JsonRef::as_str).as_deref(),
        Some("}],\\")
    );
    assert_eq!(view.get("nothing"), None);
    assert_eq!(view.at(0), None);
    assert_eq!(a.get("a"), None);
    assert_eq!(
        view.members()
            .map(|(name, _)| name.into_owned())
            .collect::<Vec<_>>(),
        ["a", "z", "é\""]
    );
}

#[test]
fn values_are_built() {
    let object = Json::object([
        (
            "b",
            Json::array([Json::from(1), Json::from(true), Json::null()]).unwrap(),
        ),
        ("a", Json::try_from("x\"").unwrap()),
    ]);
    assert_eq!(object.unwrap().text(), r#"{"a":"x\"","b":[1,true,null]}"#);
    assert_eq!(Json::number(1e21).unwrap().text(), "1e+21");
    assert_eq!(Json::number(f64::NAN), None);
    let twice = Json::object([("a", Json::null()), ("a", Json::null())]);
    assert_eq!(twice.unwrap_err().problem, JsonProblem::Duplicate);
    let mut nested = Json::null();
    for _ in 0..JSON_DEPTH_MAX {
        nested = Json::array([nested]).unwrap();
    }
    assert_eq!(
        Json::array([nested]).unwrap_err().problem,
        JsonProblem::Depth
    );
}

proptest! {
    /// serde_json reads the canonical text as the same value, and finds the same members in it.
    #[test]
    fn canonical_text_means_the_same(text in json_text()) {
        let Ok(plain) = serde_json::from_str::<Plain>(&text) else {
            return Err(TestCaseError::fail("the strategy makes JSON"));
        };
        let Ok(json) = Json::parse(&text) else {
            // Only a name that occurs twice, or an integer that is too large, is refused.
            let again = Json::parse(&plain.to_string());
            prop_assert!(again.is_ok() || plain.to_string().len() > 15);
            return Ok(());
        };
        prop_assert_eq!(check(json.text().as_bytes()), Ok(()));
        let back: Plain = serde_json::from_str(json.text()).unwrap();
        prop_assert!(same(&back, &plain), "{} became {}", plain, back);
        prop_assert_eq!(&canonical(&plain.to_string()), json.text());
        prop_assert_eq!(&canonical(json.text()), json.text());
        walk(json.view(), &back);
    }

    #[test]
    fn any_text_is_canonical_or_an_error(text in "[\\[\\]{}\",:0-9.eE+\\-ntrufalse\\\\ é]{0,40}") {
        let parsed = Json::parse(&text);
        let is_canonical = check(text.as_bytes()).is_ok();
        prop_assert_eq!(is_canonical, parsed.as_ref().is_ok_and(|json| json.text() == text));
        if let Ok(json) = parsed {
            prop_assert_eq!(check(json.text().as_bytes()), Ok(()));
            prop_assert!(serde_json::from_str::<Plain>(&text).is_ok());
        }
        // What is not checked gives an answer all the same.
        let wild = JsonRef::trusted(&text);
        let _ = (wild.kind(), wild.as_f64(), wild.as_str(), wild.to_text(), wild.get("a"), wild.at(-1), wild.at(0));
        let _ = (wild.members().count(), wild.items().count());
    }

    #[test]
    fn numbers_are_the_doubles_they_were(number in any::<f64>()) {
        if let Some(json) = Json::number(number) {
            prop_assert_eq!(json.view().as_f64(), Some(number + 0.0));
            prop_assert_eq!(check(json.text().as_bytes()), Ok(()));
        }
    }
}

/// Equal but for how a number is held.
fn same(left: &Plain, right: &Plain) -> bool {
    match (left, right) {
        (Plain::Number(left), Plain::Number(right)) => left.as_f64() == right.as_f64(),
        (Plain::Array(left), Plain::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| same(l, r))
        }
        (Plain::Object(left), Plain::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(name, l)| right.get(name).is_some_and(|r| same(l, r)))
        }
        _ => left == right,
    }
}

fn walk(view: JsonRef<'_>, plain: &Plain) {
    assert_eq!(serde_json::from_str::<Plain>(view.text()).unwrap(), *plain);
    match plain {
        Plain::Array(items) => {
            assert_eq!(view.items().count(), items.len());
            for (position, item) in items.iter().enumerate() {
                walk(view.at(position as i64).unwrap(), item);
            }
        }
        Plain::Object(members) => {
            assert_eq!(view.members().count(), members.len());
            for (name, value) in members {
                walk(view.get(name).unwrap(), value);
            }
        }
        Plain::String(text) => assert_eq!(view.as_str().as_deref(), Some(text.as_str())),
        _ => {}
    }
}
