#![allow(clippy::unwrap_used)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::{as_of, duration, param, value};

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

#[test]
fn points_in_history() {
    for (text, micros) in [
        ("1970-01-01", 0),
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("2000-02-29 00:00", 951_782_400_000_000),
        ("2026-11-25T12:34:56.5Z", 1_795_610_096_500_000),
        ("2026-11-25t12:34:56.000001z", 1_795_610_096_000_001),
        ("2026-11-25T14:34:56+02:00", 1_795_610_096_000_000),
        ("2026-11-25 05:04:56-07:30", 1_795_610_096_000_000),
    ] {
        assert_eq!(as_of(text).unwrap(), json!({ "time": micros }), "{text}");
        // And what is printed of it is read as the same.
        let printed = crate::output::timestamp(micros);
        assert_eq!(
            as_of(&printed).unwrap(),
            json!({ "time": micros }),
            "{printed}"
        );
    }
    assert_eq!(as_of("42").unwrap(), json!({ "lsn": 42 }));
    let ago = as_of("2h").unwrap()["time"].as_i64().unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let behind = now.as_micros() as i64 - ago - 7_200_000_000;
    assert!((0..60_000_000).contains(&behind), "{behind}");
    for wrong in [
        "",
        "-1",
        "now",
        "2026-13-01",
        "2026-02-29",
        "2026-11-25T24:00",
        "2026-11-25T12",
        "2026-11-25T12:00:00.1234567Z",
        "2026-11-25T12:00+2",
        "26-11-25",
        "2026-11-25T12:00:0é",
    ] {
        assert!(as_of(wrong).is_err(), "{wrong}");
    }
}
