#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::{Map, Value, json};

use super::Claims;
use crate::limits::{CLAIM_BYTES_MAX, CLAIMS_MAX};
use crate::param::Param;

fn read(payload: Value) -> Result<Claims, String> {
    let Value::Object(payload) = payload else {
        panic!("a payload is an object")
    };
    Claims::read(&payload)
}

#[test]
fn texts_truths_and_integers_are_kept() {
    let claims = read(json!({
        "iss": "syncline:1", "sub": "ada", "aud": "chat", "iat": 1, "exp": 2, "nbf": 3, "jti": "x",
        "role": "admin", "staff": true, "level": -3, "large": u64::MAX,
        "score": 1.5, "teams": ["a"], "more": {"a": 1}, "nothing": null,
    }))
    .unwrap();
    for (name, value) in [
        ("role", Param::Text("admin".into())),
        ("staff", Param::Bool(true)),
        ("level", Param::Int(-3)),
        ("large", Param::Int(u64::MAX.into())),
    ] {
        assert_eq!(claims.get(name), value);
    }
    for name in [
        "iss", "sub", "aud", "iat", "exp", "nbf", "jti", "score", "teams", "more", "nothing",
        "Role", "",
    ] {
        assert_eq!(claims.get(name), Param::Null, "{name}");
    }
    assert_eq!(read(json!({"sub": "ada"})).unwrap(), Claims::NONE);
}

#[test]
fn what_is_too_much_is_refused() {
    let many = |count: usize| -> Map<String, Value> {
        (0..count).map(|n| (format!("c{n}"), json!(n))).collect()
    };
    assert!(Claims::read(&many(CLAIMS_MAX)).is_ok());
    assert!(Claims::read(&many(CLAIMS_MAX + 1)).is_err());
    assert!(read(json!({"role": "x".repeat(CLAIM_BYTES_MAX)})).is_ok());
    assert!(read(json!({"role": "x".repeat(CLAIM_BYTES_MAX + 1)})).is_err());
    assert!(read(json!({"x".repeat(1000): 1})).is_err());
}
