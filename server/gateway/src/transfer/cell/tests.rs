#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use syncline_protocol::{EnumType, Field, StructType, Value, Variant, packed};

use super::*;

/// The value as a cell, which must be read as the same value again.
fn cell(ty: &Type, value: &Value) -> String {
    let mut row = Vec::new();
    packed::encode(ty, value, &mut row).unwrap();
    let mut text = Vec::new();
    write(ty, &mut Reader::new(&row), &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let mut again = Vec::new();
    read(ty, &text, &mut again).unwrap();
    assert_eq!(again, row, "{ty}: {text:?}");
    text
}

fn some(value: Value) -> Value {
    Value::Option(Some(Box::new(value)))
}

fn text(text: &str) -> Value {
    Value::String(text.into())
}

#[test]
fn values_and_their_cells() {
    let (string, null) = (Type::option(Type::String), Value::Option(None));
    let colour = Type::Enum(Arc::new(EnumType {
        name: "Colour".into(),
        variants: [("Red", None), ("Grey", Some(Type::U8))]
            .map(|(name, payload)| Variant {
                name: name.into(),
                payload,
            })
            .into(),
    }));
    let point = Type::Struct(Arc::new(StructType {
        name: "Point".into(),
        fields: vec![Field {
            name: "x".into(),
            ty: Type::U64,
        }],
    }));
    let cases = [
        (Type::Bool, Value::Bool(true), "true"),
        (Type::U64, Value::U64(u64::MAX), "18446744073709551615"),
        (
            Type::I128,
            Value::I128(i128::MIN),
            "-170141183460469231731687303715884105728",
        ),
        (Type::F64, Value::F64(0.1), "0.1"),
        (Type::F64, Value::F64(f64::NAN), "NaN"),
        (Type::F32, Value::F32(f32::NEG_INFINITY), "-Infinity"),
        (Type::Bytes, Value::Bytes(vec![0, 255]), "AP8="),
        (Type::Timestamp, Value::Timestamp(-1), "-1"),
        // Without an option there is no NULL, and nothing is escaped.
        (Type::String, text(""), ""),
        (Type::String, text("\\N"), "\\N"),
        (Type::String, text("a\n\"b\""), "a\n\"b\""),
        (string.clone(), null.clone(), ""),
        (string.clone(), some(text("")), "\\"),
        (string.clone(), some(text("\\")), "\\\\"),
        (string.clone(), some(text("\\x")), "\\\\x"),
        (string.clone(), some(text("x\\")), "x\\"),
        (string, some(text("NULL")), "NULL"),
        (Type::option(Type::Bytes), some(Value::Bytes(vec![])), "\\"),
        (Type::option(Type::U8), null, ""),
        (Type::option(Type::U8), some(Value::U8(7)), "7"),
        (
            Type::list(Type::U64),
            Value::List(vec![Value::U64(1)]),
            "[\"1\"]",
        ),
        (point, Value::Struct(vec![Value::U64(1)]), "{\"x\":\"1\"}"),
        (colour.clone(), Value::Enum(0, None), "Red"),
        (
            colour.clone(),
            Value::Enum(1, Some(Box::new(Value::U8(9)))),
            "{\"Grey\":9}",
        ),
        (Type::option(colour), some(Value::Enum(0, None)), "Red"),
    ];
    for (ty, value, expected) in cases {
        assert_eq!(cell(&ty, &value), expected, "{ty}");
    }
}

#[test]
fn decimals_and_json_and_their_cells() {
    let json = |text: &str| Value::Json(text.parse().unwrap());
    let decimal = Value::Decimal("-1.50".parse().unwrap());
    assert_eq!(cell(&Type::Decimal, &decimal), "-1.5");
    assert_eq!(cell(&Type::Json, &json("\"null\"")), "\"null\"");
    assert_eq!(cell(&Type::option(Type::Json), &some(json("{}"))), "{}");
}

#[test]
fn exact_numbers_and_json() {
    let cases = [
        (
            Type::Decimal,
            Value::Decimal("-12.50".parse().unwrap()),
            "-12.5",
        ),
        (
            Type::Json,
            Value::Json("{ \"b\": \"x\" }".parse().unwrap()),
            "{\"b\":\"x\"}",
        ),
        // A text of JSON and a number are not the same.
        (Type::Json, Value::Json("\"1\"".parse().unwrap()), "\"1\""),
        (Type::Json, Value::Json("1".parse().unwrap()), "1"),
        (
            Type::option(Type::Json),
            some(Value::Json("null".parse().unwrap())),
            "null",
        ),
    ];
    for (ty, value, expected) in cases {
        assert_eq!(cell(&ty, &value), expected, "{ty}");
    }
}

#[test]
fn cells_that_are_none() {
    for (ty, cell, words) in [
        (Type::U8, "256", "out of the range of u8"),
        (Type::U8, "", "expected u8, found \"\""),
        (Type::Bool, "yes", "expected bool"),
        (Type::F64, "1,5", "expected f64"),
        (Type::list(Type::U8), "1", "expected list<u8>"),
        (Type::list(Type::U8), "[1", "expected list<u8> as JSON"),
        (Type::option(Type::U8), "\\", "expected u8"),
        (Type::Uuid, "x", "expected Uuid"),
        (Type::Decimal, "1,5", "expected"),
        (Type::Json, "x", "as JSON"),
    ] {
        let error = read(&ty, cell, &mut Vec::new()).unwrap_err();
        assert!(error.contains(words), "{ty} {cell:?}: {error}");
    }
    // What other programs write.
    for (ty, cell) in [(Type::Bool, "TRUE"), (Type::F32, "1e3"), (Type::I32, "+5")] {
        read(&ty, cell, &mut Vec::new()).unwrap();
    }
}
