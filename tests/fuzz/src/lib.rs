//! Turns the first bytes of an input into types, so that a fuzzer explores types and values alike.

pub mod files;

use std::sync::Arc;

use syncline_protocol::message::{OrderColumn, ResultColumn, ResultDescription};
use syncline_protocol::{EnumType, Field, StructType, Type, Variant};

/// Deepest type that is made.
const DEPTH_MAX: usize = 5;

/// One to four types, and the bytes that are left.
pub fn types(mut input: &[u8]) -> (Vec<Type>, &[u8]) {
    let count = 1 + usize::from(next(&mut input)) % 4;
    let types = (0..count).map(|_| type_from(&mut input, 0)).collect();
    (types, input)
}

/// A description of a result with these columns; the first one or two are the key.
pub fn describe(types: &[Type]) -> ResultDescription {
    let columns = types.iter().enumerate().map(|(position, ty)| ResultColumn {
        name: format!("c{}", position / 2),
        ty: ty.clone(),
        hidden: position == 1,
    });
    ResultDescription {
        columns: columns.collect(),
        key: (0..types.len().div_ceil(2) as u16).collect(),
        order: vec![OrderColumn {
            column: types.len() as u16 - 1,
            descending: true,
        }],
    }
}

fn next(input: &mut &[u8]) -> u8 {
    let Some((&byte, rest)) = input.split_first() else {
        return 0;
    };
    *input = rest;
    byte
}

fn type_from(input: &mut &[u8], depth: usize) -> Type {
    let kinds = if depth < DEPTH_MAX { 26 } else { 22 };
    match next(input) % kinds {
        0 => Type::Bool,
        1 => Type::I8,
        2 => Type::I16,
        3 => Type::I32,
        4 => Type::I64,
        5 => Type::I128,
        6 => Type::U8,
        7 => Type::U16,
        8 => Type::U32,
        9 => Type::U64,
        10 => Type::U128,
        11 => Type::F32,
        12 => Type::F64,
        13 => Type::String,
        14 => Type::Bytes,
        15 => Type::Identity,
        16 => Type::ConnectionId,
        17 => Type::Timestamp,
        18 => Type::Duration,
        19 => Type::Uuid,
        20 => Type::Decimal,
        21 => Type::Json,
        22 => match type_from(input, depth + 1) {
            nested @ Type::Option(_) => nested,
            inner => Type::option(inner),
        },
        23 => Type::list(type_from(input, depth + 1)),
        24 => {
            let count = 1 + next(input) % 3;
            let fields = (0..count).map(|position| Field {
                name: format!("f{position}"),
                ty: type_from(input, depth + 1),
            });
            Type::Struct(Arc::new(StructType {
                name: "Struct".into(),
                fields: fields.collect(),
            }))
        }
        _ => {
            let count = 1 + next(input) % 3;
            let variants = (0..count).map(|position| Variant {
                name: format!("V{position}"),
                payload: (next(input) % 2 == 1).then(|| type_from(input, depth + 1)),
            });
            Type::Enum(Arc::new(EnumType {
                name: "Enum".into(),
                variants: variants.collect(),
            }))
        }
    }
}
