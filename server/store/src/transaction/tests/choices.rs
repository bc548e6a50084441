//! Schemas, values and rows made from a string of bytes, so that proptest can shrink them.

use std::sync::Arc;

use syncline_protocol::{
    ConnectionId, Decimal, EnumType, Field, Identity, IndexDef, IndexKind, Json, StructType,
    TableDef, Type, Value, Variant,
};

use crate::schema::tests::fixtures::table;

/// Bytes that decide. When they are used up, every decision is the first choice.
pub(super) struct Choices<'a>(pub(super) &'a [u8]);

impl Choices<'_> {
    pub(super) fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound.max(1)
    }

    pub(super) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    /// Some of the numbers below `count`, in any order, each at most once.
    fn some_of(&mut self, count: usize, most: usize) -> Vec<u16> {
        let mut all: Vec<u16> = (0..count as u16).collect();
        let take = 1 + self.below(most.min(count));
        (0..take)
            .map(|_| all.swap_remove(self.below(all.len())))
            .collect()
    }
}

fn types() -> Vec<Type> {
    let pair = StructType {
        name: "Pair".into(),
        fields: vec![
            Field {
                name: "x".into(),
                ty: Type::I16,
            },
            Field {
                name: "y".into(),
                ty: Type::F32,
            },
        ],
    };
    let shape = EnumType {
        name: "Shape".into(),
        variants: vec![
            Variant {
                name: "Dot".into(),
                payload: None,
            },
            Variant {
                name: "Text".into(),
                payload: Some(Type::String),
            },
        ],
    };
    vec![
        Type::U8,
        Type::I8,
        Type::U64,
        Type::String,
        Type::F64,
        Type::option(Type::U32),
        Type::option(Type::String),
        Type::I64,
        Type::Bool,
        Type::Bytes,
        Type::Identity,
        Type::ConnectionId,
        Type::Timestamp,
        Type::Uuid,
        Type::I128,
        Type::Decimal,
        Type::option(Type::Decimal),
        Type::Json,
        Type::option(Type::F32),
        Type::list(Type::U16),
        Type::Struct(Arc::new(pair)),
        Type::Enum(Arc::new(shape)),
    ]
}

/// One or two tables with keys and indexes of all kinds.
pub(super) fn tables(choices: &mut Choices<'_>) -> Vec<TableDef> {
    let count = 1 + choices.below(2);
    (0..count)
        .map(|number| a_table(&format!("t{number}"), choices))
        .collect()
}

fn a_table(name: &str, choices: &mut Choices<'_>) -> TableDef {
    let count = 1 + choices.below(5);
    let types: Vec<Type> = (0..count).map(|_| choices.pick(&types())).collect();
    let names: Vec<String> = (0..=count).map(|number| format!("c{number}")).collect();
    let mut columns: Vec<(&str, Type)> = names
        .iter()
        .map(String::as_str)
        .zip(types.iter().cloned())
        .collect();
    let mut primary_key = choices.some_of(count, 3);
    primary_key.retain(|&c| !matches!(types[usize::from(c)], Type::Option(_) | Type::Json));
    if primary_key.is_empty() {
        primary_key.push(count as u16);
        columns.push((&names[count], Type::U8));
    }
    let mut def = table(name, &columns, &primary_key);
    let ty = |at: u16| &columns[usize::from(at)].1;
    def.indexes = (0..choices.below(5))
        .map(|number| IndexDef {
            name: format!("i{number}"),
            columns: choices.some_of(columns.len(), 3),
            kind: choices.pick(&[IndexKind::Hash, IndexKind::Ordered, IndexKind::Counted]),
            unique: choices.below(3) == 0,
        })
        .filter(|index: &IndexDef| index.columns.iter().all(|&at| *ty(at) != Type::Json))
        .collect();
    let is_alone = |at: &u16| {
        let unique = def.indexes.iter().filter(|index| index.unique);
        def.columns[usize::from(*at)].ty.is_integer()
            && (def.primary_key == [*at] || unique.map(|i| &i.columns).any(|c| c[..] == [*at]))
    };
    let fillable = (0..columns.len() as u16).find(is_alone);
    def.auto_increment = fillable.filter(|_| choices.below(2) == 0);
    def
}

const TEXTS: [&str; 7] = [
    "",
    "a",
    "a\0",
    "a\0b",
    "b",
    "ü",
    "long enough to be kept on the heap",
];

fn decimal(choices: &mut Choices<'_>) -> Decimal {
    let texts = ["0", "0.1", "1", "1e20", "-1", "-0.1", "-12.50", "1e-38"];
    choices.pick(&texts).parse().unwrap()
}

fn json(choices: &mut Choices<'_>) -> Json {
    let texts = ["null", "1", r#"{"b":[],"a":"x"}"#, r#"["\u0000",1e300]"#];
    choices.pick(&texts).parse().unwrap()
}

/// A value of a small domain, so that keys meet.
pub(super) fn value(ty: &Type, choices: &mut Choices<'_>) -> Value {
    let small = [0_i64, 1, 2, 3, 4, 5, 6, 7, -1, -2];
    let floats = [
        0.0,
        -0.0,
        1.5,
        -1.5,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
    ];
    match ty {
        Type::Bool => Value::Bool(choices.below(2) == 1),
        Type::U8 => Value::U8(choices.pick(&[0, 1, 2, 3, 4, 5, 254, 255])),
        Type::I8 => Value::I8(choices.pick(&[0, 1, 2, 3, -1, -128, 126, 127])),
        Type::U16 => Value::U16(choices.pick(&[0, 1, 256])),
        Type::I16 => Value::I16(choices.pick(&[0, 1, -1, 256])),
        Type::U32 => Value::U32(choices.pick(&[0, 1, 2, 65536])),
        Type::U64 => Value::U64(choices.pick(&small).unsigned_abs()),
        Type::I64 => Value::I64(choices.pick(&small)),
        Type::I128 => Value::I128(i128::from(choices.pick(&small)) << 64),
        Type::F32 => Value::F32(choices.pick(&floats) as f32),
        Type::F64 => Value::F64(choices.pick(&floats)),
        Type::String => match choices.below(10) {
            7 => Value::String("y".repeat(700)),
            8 => Value::String("z".repeat(2500)),
            which => Value::String(TEXTS[which % TEXTS.len()].to_owned()),
        },
        Type::Bytes => Value::Bytes(choices.pick(&[
            vec![],
            vec![0],
            vec![0, 0],
            vec![255, 255, 255],
            vec![0; 2100],
        ])),
        Type::Identity => Value::Identity(Identity([choices.pick(&[0, 1, 255]); 32])),
        Type::ConnectionId => Value::ConnectionId(ConnectionId([choices.pick(&[0, 1, 255]); 16])),
        Type::Timestamp => Value::Timestamp(choices.pick(&small)),
        Type::Uuid => Value::Uuid([choices.pick(&[0, 7, 255]); 16]),
        Type::Decimal => Value::Decimal(decimal(choices)),
        Type::Json => Value::Json(json(choices)),
        Type::Option(inner) => {
            let inner = (choices.below(3) > 0).then(|| Box::new(value(inner, choices)));
            Value::Option(inner)
        }
        Type::List(inner) => Value::List(
            (0..choices.below(3))
                .map(|_| value(inner, choices))
                .collect(),
        ),
        Type::Struct(inner) => Value::Struct(
            inner
                .fields
                .iter()
                .map(|field| value(&field.ty, choices))
                .collect(),
        ),
        Type::Enum(inner) => {
            let tag = choices.below(inner.variants.len());
            let payload = inner.variants[tag].payload.as_ref();
            Value::Enum(tag as u8, payload.map(|ty| Box::new(value(ty, choices))))
        }
        other => panic!("{other} is not among the types of the test"),
    }
}
