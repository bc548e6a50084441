use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::key::tests::compare;
use crate::packed::Reader;
use crate::strategies::{any_type, pack as packed_bytes, typed_value};
use crate::types::{EnumType, StructType, Variant};

fn field(name: &str, ty: Type) -> Field {
    Field {
        name: name.into(),
        ty,
    }
}

fn point() -> Type {
    let fields = vec![
        field("x", Type::U8),
        field("note", Type::option(Type::String)),
    ];
    Type::Struct(Arc::new(StructType {
        name: "Point".into(),
        fields,
    }))
}

fn shape() -> Type {
    let variants = vec![
        Variant {
            name: "Dot".into(),
            payload: None,
        },
        Variant {
            name: "Ring".into(),
            payload: Some(Type::I64),
        },
    ];
    Type::Enum(Arc::new(EnumType {
        name: "Shape".into(),
        variants,
    }))
}

fn check(ty: &Type, value: &Value, json: &Json) {
    assert_eq!(&encode(ty, value), json, "{ty}");
    assert_eq!(decode(ty, json).as_ref(), Ok(value), "{ty}");
}

#[test]
fn forms_are_as_documented() {
    check(&Type::U32, &Value::U32(7), &json!(7));
    check(
        &Type::U64,
        &Value::U64(u64::MAX),
        &json!("18446744073709551615"),
    );
    check(&Type::I128, &Value::I128(-1), &json!("-1"));
    check(&Type::Timestamp, &Value::Timestamp(5), &json!("5"));
    check(&Type::F64, &Value::F64(0.1), &json!(0.1));
    check(
        &Type::F64,
        &Value::F64(f64::NEG_INFINITY),
        &json!("-Infinity"),
    );
    assert_eq!(encode(&Type::F32, &Value::F32(f32::NAN)), json!("NaN"));
    check(&Type::Bytes, &Value::Bytes(vec![1, 2]), &json!("AQI="));
    let uuid = Value::Uuid([0x1a; 16]);
    check(
        &Type::Uuid,
        &uuid,
        &json!("1a1a1a1a-1a1a-1a1a-1a1a-1a1a1a1a1a1a"),
    );
    check(&Type::option(Type::U8), &Value::Option(None), &json!(null));
    check(
        &Type::list(Type::Bool),
        &Value::List(vec![Value::Bool(true)]),
        &json!([true]),
    );
    let value = Value::Struct(vec![Value::U8(1), Value::Option(None)]);
    check(&point(), &value, &json!({"x": 1, "note": null}));
    check(&shape(), &Value::Enum(0, None), &json!("Dot"));
    check(
        &shape(),
        &Value::Enum(1, Some(Box::new(Value::I64(3)))),
        &json!({"Ring": "3"}),
    );
}

#[test]
fn readers_take_what_people_write() {
    assert_eq!(decode(&Type::U64, &json!(3)), Ok(Value::U64(3)));
    assert_eq!(decode(&Type::U8, &json!("3")), Ok(Value::U8(3)));
    assert_eq!(decode(&Type::I32, &json!(1e3)), Ok(Value::I32(1000)));
    assert_eq!(
        decode(&Type::Bytes, &json!([1, 255])),
        Ok(Value::Bytes(vec![1, 255]))
    );
    assert_eq!(decode(&Type::F64, &json!(3)), Ok(Value::F64(3.0)));
    assert_eq!(decode(&Type::F64, &json!(-0.0)), Ok(Value::F64(0.0)));
    let bare = "1A".repeat(16);
    assert_eq!(
        decode(&Type::Uuid, &json!(bare)),
        Ok(Value::Uuid([0x1a; 16]))
    );
    let value = Value::Struct(vec![Value::U8(1), Value::Option(None)]);
    assert_eq!(decode(&point(), &json!({"x": 1})), Ok(value));
}

fn refused(ty: &Type, json: &Json, expected: &str) {
    assert_eq!(pack(ty, json, &mut Vec::new()), Err(expected.into()));
    assert_eq!(decode(ty, json), Err(CodecError::TypeMismatch));
}

#[test]
fn errors_say_what_and_where() {
    refused(&Type::U8, &json!(256), "256 is out of the range of u8");
    refused(&Type::U64, &json!(-1), "-1 is out of the range of u64");
    refused(&Type::U8, &json!(1.5), "expected u8, found 1.5");
    refused(&Type::I64, &json!(1e17), "expected i64, found 1e+17");
    refused(&Type::I64, &json!("12a"), r#"expected i64, found "12a""#);
    refused(&Type::String, &json!(5), "expected string, found 5");
    refused(
        &Type::F32,
        &json!(1e300),
        &format!("{} is out of the range of f32", 1e300),
    );
    refused(
        &Type::Identity,
        &json!("ab"),
        r#"expected Identity, found "ab""#,
    );
    refused(
        &Type::Uuid,
        &json!("1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a----"),
        r#"expected Uuid, found "1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a----""#,
    );
    let long = format!(r#"expected u8, found "{}.."#, "a".repeat(39));
    refused(&Type::U8, &json!("a".repeat(50)), &long);
    refused(&point(), &json!({"x": 1, "y": 2}), "Point has no field `y`");
    refused(
        &point(),
        &json!({"note": "n"}),
        "field `x` of Point is missing",
    );
    refused(&point(), &json!([1]), "expected Point, found an array");
    let list = Type::list(point());
    refused(
        &list,
        &json!([{"x": 1}, {"x": "?"}]),
        r#"in [1].x: expected u8, found "?""#,
    );
    refused(&shape(), &json!("Square"), "Shape has no variant `Square`");
    refused(
        &shape(),
        &json!("Ring"),
        "variant `Ring` of Shape carries a i64",
    );
    refused(
        &shape(),
        &json!({"Dot": 1}),
        "variant `Dot` of Shape carries nothing",
    );
    refused(
        &shape(),
        &json!({"Ring": true}),
        "in .Ring: expected i64, found true",
    );
}

fn args(json: &Json) -> Result<Vec<u8>, String> {
    let params = [
        field("x", Type::U8),
        field("n", Type::option(Type::U8)),
        field("s", point()),
    ];
    args_to_packed(&params, json)
}

#[test]
fn arguments_come_by_position_or_by_name() {
    let expected = Ok(vec![1, 1, 2, 1]);
    assert_eq!(args(&json!([1, null, {"x": 2}])), expected);
    assert_eq!(args(&json!({"s": {"x": 2}, "x": 1})), expected);
    assert_eq!(args_to_packed(&[], &Json::Null), Ok(vec![]));
    let optional = [field("a", Type::U8), field("b", Type::option(Type::U8))];
    assert_eq!(args_to_packed(&optional, &json!([1])), Ok(vec![1, 1]));
}

#[test]
fn wrong_arguments_are_named() {
    let all = "x: u8, n: option<u8>, s: Point";
    let count = |found| Err(format!("expected arguments ({all}), found {found}"));
    assert_eq!(args(&json!([1, 2])), count(2));
    assert_eq!(args(&json!([1, 2, {"x": 1}, 4])), count(4));
    let found = args(&json!({"x": 1, "t": 2}));
    assert_eq!(found, Err(format!("no argument `t`: expected ({all})")));
    assert_eq!(
        args(&json!({"x": 1})),
        Err("argument `s` (Point) is missing".into())
    );
    let found = args(&json!([1, null, {"x": -1}]));
    assert_eq!(
        found,
        Err("argument `s`: in .x: -1 is out of the range of u8".into())
    );
    assert!(args(&json!(5)).is_err());
}

proptest! {
    #[test]
    fn values_come_back((ty, value) in typed_value()) {
        let json = encode(&ty, &value);
        let text = serde_json::to_string(&json).unwrap();
        let decoded = decode(&ty, &serde_json::from_str(&text).unwrap()).unwrap();
        prop_assert!(compare(&decoded, &value).is_eq());
    }

    #[test]
    fn the_writer_of_packed_values_agrees((ty, value) in typed_value()) {
        let bytes = packed_bytes(&ty, &value);
        let mut text = Vec::new();
        let mut reader = Reader::new(&bytes);
        write_packed(&ty, &mut reader, &mut text).unwrap();
        prop_assert_eq!(reader.finish(), Ok(()));
        let expected = encode_packed(&ty, &bytes).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Json>(&text).unwrap(), expected);
    }

    #[test]
    fn random_bytes_are_written_as_json_or_refused(
        ty in any_type(),
        bytes in proptest::collection::vec(0..4u8, 0..64),
    ) {
        let mut text = Vec::new();
        let mut reader = Reader::new(&bytes);
        let written = write_packed(&ty, &mut reader, &mut text).and_then(|()| reader.finish());
        prop_assert_eq!(written, crate::packed::validate([&ty], &bytes));
        if written.is_ok() {
            prop_assert!(serde_json::from_slice::<Json>(&text).is_ok());
        }
    }
}
