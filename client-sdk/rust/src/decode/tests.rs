use std::sync::Arc;

use serde::Deserialize;
use syncline_protocol::{EnumType, Field, Identity, StructType, Variant};

use super::*;

fn field(name: &str, ty: Type) -> Field {
    Field {
        name: name.into(),
        ty,
    }
}

fn shape() -> Type {
    let point = Type::Struct(Arc::new(StructType {
        name: "Point".into(),
        fields: vec![field("x", Type::U8), field("y", Type::I64)],
    }));
    let variants = vec![
        Variant {
            name: "Dot".into(),
            payload: None,
        },
        Variant {
            name: "Ring".into(),
            payload: Some(Type::U64),
        },
        Variant {
            name: "Line".into(),
            payload: Some(point),
        },
    ];
    Type::Enum(Arc::new(EnumType {
        name: "Shape".into(),
        variants,
    }))
}

#[derive(Debug, Deserialize, PartialEq)]
enum Shape {
    Dot,
    Ring(u64),
    Line { x: u8, y: i64 },
}

#[expect(clippy::unnecessary_wraps, reason = "it is what values have inside")]
fn some(value: Value) -> Option<Box<Value>> {
    Some(Box::new(value))
}

#[test]
fn enums_in_all_forms() {
    let ty = Type::list(shape());
    let point = Value::Struct(vec![Value::U8(1), Value::I64(-2)]);
    let shapes = Value::List(vec![
        Value::Enum(0, None),
        Value::Enum(1, some(Value::U64(u64::MAX))),
        Value::Enum(2, some(point)),
    ]);
    let expected = vec![
        Shape::Dot,
        Shape::Ring(u64::MAX),
        Shape::Line { x: 1, y: -2 },
    ];
    assert_eq!(value::<Vec<Shape>>(&ty, &shapes), Ok(expected));
    let json = serde_json::json!(["Dot", {"Ring": u64::MAX}, {"Line": {"x": 1, "y": -2}}]);
    assert_eq!(value::<serde_json::Value>(&ty, &shapes), Ok(json));
}

#[test]
fn values_become_what_rust_has_for_them() {
    assert_eq!(
        value::<u128>(&Type::U128, &Value::U128(u128::MAX)),
        Ok(u128::MAX)
    );
    assert_eq!(value::<u64>(&Type::I32, &Value::I32(7)), Ok(7));
    assert!(value::<u8>(&Type::I32, &Value::I32(-7)).is_err());
    let option = Type::option(Type::String);
    let text = Value::Option(some(Value::String("a".into())));
    assert_eq!(value(&option, &text), Ok(Some("a".to_owned())));
    assert_eq!(value(&option, &text), Ok("a".to_owned()));
    assert_eq!(
        value::<Option<String>>(&option, &Value::Option(None)),
        Ok(None)
    );
    assert!(value::<String>(&option, &Value::Option(None)).is_err());
    let bytes = Value::Bytes(vec![1, 2]);
    assert_eq!(value::<Vec<u8>>(&Type::Bytes, &bytes), Ok(vec![1, 2]));
    let identity = Identity([0xab; 32]);
    assert_eq!(
        value(&Type::Identity, &Value::Identity(identity)),
        Ok(identity)
    );
    assert_eq!(value::<i64>(&Type::Timestamp, &Value::Timestamp(5)), Ok(5));
}

#[test]
fn rows_become_structs_and_tuples_of_their_visible_columns() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Player {
        name: String,
        score: Option<u8>,
    }
    let column = |name: &str, ty, hidden| ResultColumn {
        name: name.into(),
        ty,
        hidden,
    };
    let columns = [
        column("score", Type::option(Type::U8), false),
        column("id", Type::U64, true),
        column("name", Type::String, false),
    ];
    let score = Value::Option(some(Value::U8(3)));
    let values = [score, Value::U64(1), Value::String("ada".into())];
    let player = Player {
        name: "ada".into(),
        score: Some(3),
    };
    assert_eq!(row::<Player>(&columns, &values), Ok(player));
    assert_eq!(
        row::<(u8, String)>(&columns, &values),
        Ok((3, "ada".into()))
    );
}
