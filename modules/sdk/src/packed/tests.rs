use core::fmt::Debug;

use syncline_protocol::packed::{self, Reader};
use syncline_protocol::value::{NAN_F32, NAN_F64};
use syncline_protocol::{ConnectionId, Decimal, Identity, Json, Type, Value};

use super::Packed;
use crate::{Duration, Timestamp, Uuid};

#[derive(syncline::Type, Clone, Debug, PartialEq)]
struct Point {
    x: f64,
    out: Option<String>,
}

#[derive(syncline::Type, Clone, Debug, PartialEq)]
enum Shape {
    Nothing,
    Circle(f32),
    Rectangle { reader: u16, r#type: Vec<Point> },
}

#[derive(syncline::Type, Clone, Copy, Debug, PartialEq)]
struct Cents(i64);

/// Puts and takes a value, and compares the bytes with those of the protocol's own codec.
fn check<T: Packed + PartialEq + Debug>(rust: &T, value: &Value) {
    let ty = T::ty();
    let mut bytes = Vec::new();
    rust.put(&mut bytes);
    let mut expected = Vec::new();
    packed::encode(&ty, value, &mut expected).expect("the value has the type");
    assert_eq!(bytes, expected, "{rust:?} of {ty}");
    packed::validate([&ty], &bytes).expect("what is put is valid");

    let mut reader = Reader::new(&bytes);
    let taken = T::take(&mut reader).expect("what is put can be taken");
    assert_eq!(&taken, rust);
    assert!(reader.rest().is_empty(), "nothing is left");
    for len in 0..bytes.len() {
        assert!(
            T::take(&mut Reader::new(&bytes[..len])).is_err(),
            "{len} bytes of {rust:?}"
        );
    }
}

#[test]
fn decimals_and_json() {
    for text in ["0", "-12.5", "99999999999999999999999999999999999999"] {
        let decimal: Decimal = text.parse().expect("a decimal");
        check(&decimal, &Value::Decimal(decimal));
    }
    let json = Json::parse(r#"{"b": [1, "\u00e9"], "a": null}"#).expect("JSON");
    check(&json, &Value::Json(json.clone()));
    let some = Some(json.clone());
    check(&some, &Value::Option(Some(Box::new(Value::Json(json)))));
}

#[test]
fn scalars() {
    check(&true, &Value::Bool(true));
    check(&i8::MIN, &Value::I8(i8::MIN));
    check(&-2_i16, &Value::I16(-2));
    check(&i32::MAX, &Value::I32(i32::MAX));
    check(&i64::MIN, &Value::I64(i64::MIN));
    check(&i128::MIN, &Value::I128(i128::MIN));
    check(&255_u8, &Value::U8(255));
    check(&256_u16, &Value::U16(256));
    check(&u32::MAX, &Value::U32(u32::MAX));
    check(&u64::MAX, &Value::U64(u64::MAX));
    check(&u128::MAX, &Value::U128(u128::MAX));
    check(&1.5_f32, &Value::F32(1.5));
    check(&f64::NEG_INFINITY, &Value::F64(f64::NEG_INFINITY));
    check(&"grüße".to_owned(), &Value::String("grüße".to_owned()));
    check(&Identity([3; 32]), &Value::Identity(Identity([3; 32])));
    check(
        &ConnectionId([4; 16]),
        &Value::ConnectionId(ConnectionId([4; 16])),
    );
    check(&Timestamp::from_micros(-1), &Value::Timestamp(-1));
    check(&Duration::from_millis(-1), &Value::Duration(-1000));
    check(&Uuid([5; 16]), &Value::Uuid([5; 16]));
    check(&Cents(-7), &Value::I64(-7));
}

#[test]
fn options_and_lists() {
    check(&None::<u32>, &Value::Option(None));
    check(
        &Some(String::new()),
        &Value::Option(Some(Box::new(Value::String(String::new())))),
    );
    check(&vec![0_u8, 255], &Value::Bytes(vec![0, 255]));
    check(
        &vec![0_i8, -1],
        &Value::List(vec![Value::I8(0), Value::I8(-1)]),
    );
    check(&Vec::<String>::new(), &Value::List(Vec::new()));
    let lists = Value::List(vec![Value::Bytes(vec![1]), Value::Bytes(Vec::new())]);
    check(&vec![vec![1_u8], Vec::new()], &lists);
    assert_eq!(Vec::<u8>::ty(), Type::Bytes);
    assert_eq!(
        Option::<Vec<u16>>::ty(),
        Type::option(Type::list(Type::U16))
    );
}

#[test]
fn structs_and_enums() {
    let point = |label: &str| Point {
        x: 0.5,
        out: Some(label.to_owned()),
    };
    let value = |label: &str| {
        let label = Value::Option(Some(Box::new(Value::String(label.to_owned()))));
        Value::Struct(vec![Value::F64(0.5), label])
    };
    check(&point("a"), &value("a"));
    check(&Shape::Nothing, &Value::Enum(0, None));
    check(
        &Shape::Circle(2.0),
        &Value::Enum(1, Some(Box::new(Value::F32(2.0)))),
    );
    let rectangle = Shape::Rectangle {
        reader: 7,
        r#type: vec![point("b")],
    };
    let carried = Value::Struct(vec![Value::U16(7), Value::List(vec![value("b")])]);
    check(&rectangle, &Value::Enum(2, Some(Box::new(carried))));
    let Type::Enum(shape) = Shape::ty() else {
        panic!("an enum")
    };
    assert_eq!(shape.name, "Shape");
    let Some(Type::Struct(carried)) = &shape.variants[2].payload else {
        panic!("a struct")
    };
    let names: Vec<_> = carried.fields.iter().map(|field| &*field.name).collect();
    assert_eq!(
        (&*carried.name, names),
        ("ShapeRectangle", vec!["reader", "type"])
    );
}

#[test]
fn floats_are_canonical() {
    let bytes = |float: f64| {
        let mut bytes = Vec::new();
        float.put(&mut bytes);
        (float as f32).put(&mut bytes);
        bytes
    };
    assert_eq!(bytes(-0.0), bytes(0.0));
    let nan = bytes(f64::from_bits(0x7ff0_0000_dead_beef));
    assert_eq!(nan, bytes(NAN_F64));
    assert_eq!(nan[8..], NAN_F32.to_le_bytes());
}

#[test]
fn what_is_malformed_is_refused() {
    fn refuses<T: Packed + Debug>(bytes: &[u8]) {
        let taken = T::take(&mut Reader::new(bytes));
        assert!(taken.is_err(), "{bytes:?} gave {taken:?}");
    }
    refuses::<bool>(&[2]);
    refuses::<Option<u8>>(&[2, 0]);
    refuses::<String>(&[1, 0, 0, 0, 0xff]);
    refuses::<Shape>(&[3]);
    refuses::<Vec<u64>>(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]);
}

mod recursive {

    #[derive(syncline::Type)]
    pub(super) struct Tree {
        children: Vec<Tree>,
    }
}

#[test]
#[should_panic(expected = "type `Tree` nests deeper than 16 levels: does it contain itself?")]
fn a_type_that_contains_itself_is_refused() {
    recursive::Tree::ty();
}
