//! Random types, values and schemas for property tests.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::decimal::Decimal;
use crate::ids::{ConnectionId, Identity};
use crate::json_text::Json;
use crate::packed;
use crate::schema::{
    ColumnDef, IndexDef, IndexKind, PolicyDef, ReducerDef, ReducerKind, Schema, TableDef, ViewDef,
};
use crate::types::{EnumType, Field, StructType, Type, Variant};
use crate::value::Value;

/// A type without an inner part.
pub(crate) fn scalar() -> impl Strategy<Value = Type> {
    proptest::sample::select(vec![
        Type::Bool,
        Type::I8,
        Type::I16,
        Type::I32,
        Type::I64,
        Type::I128,
        Type::U8,
        Type::U16,
        Type::U32,
        Type::U64,
        Type::U128,
        Type::F32,
        Type::F64,
        Type::String,
        Type::Bytes,
        Type::Identity,
        Type::ConnectionId,
        Type::Timestamp,
        Type::Duration,
        Type::Uuid,
        Type::Decimal,
        Type::Json,
    ])
}

/// Any type that a schema may have, a few levels deep.
pub(crate) fn any_type() -> impl Strategy<Value = Type> {
    scalar().prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|ty| match ty {
                Type::Option(_) => ty,
                other => Type::option(other),
            }),
            inner.clone().prop_map(Type::list),
            vec(inner.clone(), 1..4).prop_map(|types| {
                let fields = types.into_iter().enumerate();
                let fields = fields
                    .map(|(i, ty)| Field {
                        name: format!("f{i}"),
                        ty,
                    })
                    .collect();
                Type::Struct(Arc::new(StructType {
                    name: "Struct".into(),
                    fields,
                }))
            }),
            vec(proptest::option::of(inner), 1..4).prop_map(|payloads| {
                let variants = payloads.into_iter().enumerate();
                let variants = variants.map(|(i, payload)| Variant {
                    name: format!("V{i}"),
                    payload,
                });
                let variants = variants.collect();
                Type::Enum(Arc::new(EnumType {
                    name: "Enum".into(),
                    variants,
                }))
            }),
        ]
    })
}

fn float_64() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        (-100i32..100).prop_map(|v| f64::from(v) / 4.0),
        proptest::sample::select(vec![
            0.0,
            -0.0,
            f64::NAN,
            -f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY
        ]),
    ]
}

fn float_32() -> impl Strategy<Value = f32> {
    prop_oneof![
        any::<u32>().prop_map(f32::from_bits),
        float_64().prop_map(|v| v as f32)
    ]
}

/// Text with what escapes trip over: zero bytes, quotes, several bytes a character.
fn text() -> impl Strategy<Value = String> {
    let chars = proptest::sample::select(vec!['\0', '\u{1}', 'a', 'b', '"', '\\', 'é', '😀']);
    vec(chars, 0..6).prop_map(String::from_iter)
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(
        proptest::sample::select(vec![0u8, 1, 0x7f, 0xfe, 0xff]),
        0..6,
    )
}

/// Small ones, which are often equal, and ones of any size and scale.
pub(crate) fn decimal() -> impl Strategy<Value = Decimal> {
    let near = (-50..50_i128, 0..3_u8);
    let far = (any::<i128>(), 0..=38_u32, 0..=38_u8)
        .prop_map(|(mantissa, digits, scale)| (mantissa % 10_i128.pow(digits), scale));
    prop_oneof![near, far]
        .prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale).expect("it has 38 digits"))
}

/// JSON as a person might write it, with names that occur twice now and then.
pub(crate) fn json_text() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        (-3..3_i8).prop_map(|v| v.to_string()),
        any::<i64>().prop_map(|v| v.to_string()),
        any::<f64>()
            .prop_filter("JSON has finite numbers", |v| v.is_finite())
            .prop_map(|v| format!("{v:e}")),
    ];
    let quoted = || text().prop_map(|v| serde_json::Value::from(v).to_string());
    let words = proptest::sample::select(vec!["null", "true", "false"]).prop_map(str::to_owned);
    prop_oneof![number, quoted(), words].prop_recursive(3, 12, 4, move |inner| {
        let member =
            (quoted(), inner.clone()).prop_map(|(name, value)| format!("{name} : {value}"));
        prop_oneof![
            vec(inner, 0..4).prop_map(|items| format!("[ {}]", items.join(" , "))),
            vec(member, 0..4).prop_map(|members| format!("{{{} }}", members.join(","))),
        ]
    })
}

fn json() -> impl Strategy<Value = Json> {
    json_text().prop_map(|text| Json::parse(&text).unwrap_or_else(|_| Json::null()))
}

/// A value of this type. Small numbers are frequent, so that two values are often equal.
pub(crate) fn value_of(ty: &Type) -> BoxedStrategy<Value> {
    macro_rules! number {
        ($variant:ident, $int:ty) => {
            prop_oneof![(0..4u8).prop_map(|v| v as $int), any::<$int>()]
                .prop_map(Value::$variant)
                .boxed()
        };
    }
    match ty {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::I8 => number!(I8, i8),
        Type::I16 => number!(I16, i16),
        Type::I32 => number!(I32, i32),
        Type::I64 => number!(I64, i64),
        Type::I128 => number!(I128, i128),
        Type::U8 => number!(U8, u8),
        Type::U16 => number!(U16, u16),
        Type::U32 => number!(U32, u32),
        Type::U64 => number!(U64, u64),
        Type::U128 => number!(U128, u128),
        Type::F32 => float_32().prop_map(Value::F32).boxed(),
        Type::F64 => float_64().prop_map(Value::F64).boxed(),
        Type::String => text().prop_map(Value::String).boxed(),
        Type::Bytes => bytes().prop_map(Value::Bytes).boxed(),
        Type::Identity => any::<[u8; 32]>()
            .prop_map(|v| Value::Identity(Identity(v)))
            .boxed(),
        Type::ConnectionId => any::<[u8; 16]>()
            .prop_map(|v| Value::ConnectionId(ConnectionId(v)))
            .boxed(),
        Type::Timestamp => number!(Timestamp, i64),
        Type::Duration => number!(Duration, i64),
        Type::Uuid => any::<[u8; 16]>().prop_map(Value::Uuid).boxed(),
        Type::Decimal => decimal().prop_map(Value::Decimal).boxed(),
        Type::Json => json().prop_map(Value::Json).boxed(),
        Type::Option(inner) => proptest::option::of(value_of(inner))
            // The JSON form cannot tell a JSON null from nothing.
            .prop_map(|value| value.filter(|v| *v != Value::Json(Json::null())))
            .prop_map(|value| Value::Option(value.map(Box::new)))
            .boxed(),
        Type::List(inner) => vec(value_of(inner), 0..4).prop_map(Value::List).boxed(),
        Type::Struct(inner) => {
            let fields: Vec<_> = inner
                .fields
                .iter()
                .map(|field| value_of(&field.ty))
                .collect();
            fields.prop_map(Value::Struct).boxed()
        }
        Type::Enum(inner) => {
            let inner = inner.clone();
            (0..inner.variants.len())
                .prop_flat_map(move |tag| match &inner.variants[tag].payload {
                    None => Just(Value::Enum(tag as u8, None)).boxed(),
                    Some(ty) => value_of(ty)
                        .prop_map(move |value| Value::Enum(tag as u8, Some(Box::new(value))))
                        .boxed(),
                })
                .boxed()
        }
    }
}

/// A type and a value of it.
pub(crate) fn typed_value() -> impl Strategy<Value = (Type, Value)> {
    any_type().prop_flat_map(|ty| {
        let value = value_of(&ty);
        (Just(ty), value)
    })
}

/// Packed bytes of one value.
pub(crate) fn pack(ty: &Type, value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    packed::encode(ty, value, &mut out).expect("the strategy makes values of the type");
    out
}

/// A row of one to five columns: types and packed bytes of each.
pub(crate) fn row() -> impl Strategy<Value = (Vec<Type>, Vec<Vec<u8>>)> {
    vec(typed_value(), 1..6).prop_map(|columns| {
        let bytes = columns.iter().map(|(ty, value)| pack(ty, value)).collect();
        (columns.into_iter().map(|(ty, _)| ty).collect(), bytes)
    })
}

fn name() -> impl Strategy<Value = String> {
    "[a-zé]{0,8}"
}

fn table() -> impl Strategy<Value = TableDef> {
    let column = (name(), any_type()).prop_map(|(name, ty)| ColumnDef { name, ty });
    let kind = proptest::sample::select(vec![
        IndexKind::Hash,
        IndexKind::Ordered,
        IndexKind::Counted,
    ]);
    let index = (name(), vec(any::<u16>(), 0..3), kind, any::<bool>()).prop_map(
        |(name, columns, kind, unique)| IndexDef {
            name,
            columns,
            kind,
            unique,
        },
    );
    let auto_increment = proptest::option::of(any::<u16>());
    let keys = (vec(any::<u16>(), 0..3), vec(index, 0..3), auto_increment);
    (name(), vec(column, 0..4), keys, any::<bool>()).prop_map(
        |(name, columns, (primary_key, indexes, auto_increment), public)| TableDef {
            name,
            columns,
            primary_key,
            indexes,
            auto_increment,
            public,
        },
    )
}

/// A schema that has the right form, but need not make sense.
pub(crate) fn schema() -> impl Strategy<Value = Schema> {
    let param = || (name(), any_type()).prop_map(|(name, ty)| Field { name, ty });
    let kind = proptest::sample::select(vec![
        ReducerKind::Call,
        ReducerKind::Init,
        ReducerKind::Connected,
        ReducerKind::Disconnected,
    ]);
    let reducer = (
        name(),
        vec(param(), 0..3),
        proptest::option::of(any_type()),
        kind,
    )
        .prop_map(|(name, params, returns, kind)| ReducerDef {
            name,
            params,
            returns,
            kind,
        });
    let policy = (0..3_u16, name()).prop_map(|(table, condition)| PolicyDef { table, condition });
    let view = (name(), vec(param(), 0..3), name()).prop_map(|(name, params, sql)| ViewDef {
        name,
        params,
        sql,
    });
    (
        vec(table(), 0..3),
        vec(reducer, 0..3),
        vec(policy, 0..2),
        vec(view, 0..2),
    )
        .prop_map(|(tables, reducers, policies, views)| Schema {
            tables,
            reducers,
            policies,
            views,
        })
}
