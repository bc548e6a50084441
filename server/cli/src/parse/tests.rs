#![allow(clippy::unwrap_used)]

use std::time::Duration;

use serde_json::json;

use super::{duration, param, value};

#[test]
fn what_is_no_json_is_a_text() {
    for (text, expected) in [
        ("1", json!(1)),
        ("-2.5", json!(-2.5)),
        ("true", json!(true)),
        ("null", json!(null)),
        ("[1, 2]", json!([1, 2])),
        ("\"1\"", json!("1")),
        ("hello", json!("hello")),
        ("hello world", json!("hello world")),
        ("", json!("")),
        ("18446744073709551615", json!(u64::MAX)),
        ("18446744073709551616", json!("18446744073709551616")),
        ("-9223372036854775809", json!("-9223372036854775809")),
        ("{half", json!("{half")),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn parameters_are_name_and_value() {
    assert_eq!(param("room=1").unwrap(), ("room".to_owned(), json!(1)));
    assert_eq!(
        param(":name=a=b").unwrap(),
        ("name".to_owned(), json!("a=b"))
    );
    assert_eq!(param("empty=").unwrap(), ("empty".to_owned(), json!("")));
    for wrong in ["room", "=1", ":=1", ""] {
        assert!(param(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn durations_have_units() {
    for (text, seconds) in [
        ("90", 90),
        ("90s", 90),
        ("15m", 900),
        ("2h", 7200),
        ("1d", 86_400),
    ] {
        assert_eq!(
            duration(text).unwrap(),
            Duration::from_secs(seconds),
            "{text}"
        );
    }
    for wrong in [
        "",
        "s",
        "-1s",
        "1w",
        "1.5h",
        "0",
        "18446744073709551615d",
        "é",
    ] {
        assert!(duration(wrong).is_err(), "{wrong}");
    }
}
