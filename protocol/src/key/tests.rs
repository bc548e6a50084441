use std::cmp::Ordering;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::strategies::{any_type, pack, value_of};
use crate::value::Value;

/// The order of values, written down without regard to how keys are made.
pub(crate) fn compare(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Bool(l), Value::Bool(r)) => l.cmp(r),
        (Value::I8(l), Value::I8(r)) => l.cmp(r),
        (Value::I16(l), Value::I16(r)) => l.cmp(r),
        (Value::I32(l), Value::I32(r)) => l.cmp(r),
        (Value::I64(l), Value::I64(r))
        | (Value::Timestamp(l), Value::Timestamp(r))
        | (Value::Duration(l), Value::Duration(r)) => l.cmp(r),
        (Value::I128(l), Value::I128(r)) => l.cmp(r),
        (Value::U8(l), Value::U8(r)) => l.cmp(r),
        (Value::U16(l), Value::U16(r)) => l.cmp(r),
        (Value::U32(l), Value::U32(r)) => l.cmp(r),
        (Value::U64(l), Value::U64(r)) => l.cmp(r),
        (Value::U128(l), Value::U128(r)) => l.cmp(r),
        (Value::F32(l), Value::F32(r)) => float(f64::from(*l), f64::from(*r)),
        (Value::F64(l), Value::F64(r)) => float(*l, *r),
        (Value::String(l), Value::String(r)) => l.as_bytes().cmp(r.as_bytes()),
        (Value::Bytes(l), Value::Bytes(r)) => l.cmp(r),
        (Value::Identity(l), Value::Identity(r)) => l.cmp(r),
        (Value::ConnectionId(l), Value::ConnectionId(r)) => l.cmp(r),
        (Value::Uuid(l), Value::Uuid(r)) => l.cmp(r),
        (Value::Decimal(l), Value::Decimal(r)) => l.cmp(r),
        (Value::Json(l), Value::Json(r)) => l.text().cmp(r.text()),
        (Value::Option(None), Value::Option(None)) => Ordering::Equal,
        (Value::Option(None), Value::Option(Some(_))) => Ordering::Less,
        (Value::Option(Some(_)), Value::Option(None)) => Ordering::Greater,
        (Value::Option(Some(l)), Value::Option(Some(r))) => compare(l, r),
        (Value::List(l), Value::List(r)) | (Value::Struct(l), Value::Struct(r)) => {
            let unequal = l
                .iter()
                .zip(r)
                .map(|(l, r)| compare(l, r))
                .find(|order| order.is_ne());
            unequal.unwrap_or(l.len().cmp(&r.len()))
        }
        (Value::Enum(l, l_carried), Value::Enum(r, r_carried)) => {
            l.cmp(r).then_with(|| match (l_carried, r_carried) {
                (Some(l), Some(r)) => compare(l, r),
                _ => Ordering::Equal,
            })
        }
        _ => panic!("{left:?} and {right:?} are of different types"),
    }
}

/// Numbers by value, both zeros equal, all NaN equal and last.
fn float(left: f64, right: f64) -> Ordering {
    left.partial_cmp(&right)
        .unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()))
}

fn key(ty: &Type, value: &Value) -> Vec<u8> {
    let bytes = pack(ty, value);
    let mut reader = Reader::new(&bytes);
    let mut out = Vec::new();
    encode(ty, &mut reader, &mut out).unwrap();
    reader.finish().unwrap();
    out
}

proptest! {
    #[test]
    fn keys_sort_as_values(
        (ty, left, right) in any_type().prop_flat_map(|ty| {
            let values = (value_of(&ty), value_of(&ty));
            (Just(ty), values)
        }).prop_map(|(ty, (left, right))| (ty, left, right)),
    ) {
        prop_assert_eq!(key(&ty, &left).cmp(&key(&ty, &right)), compare(&left, &right));
    }

    /// Keys of several columns are concatenations: no key of a value starts with another one's.
    #[test]
    fn no_key_is_a_prefix_of_another(
        (ty, values) in any_type().prop_flat_map(|ty| {
            let values = vec(value_of(&ty), 2);
            (Just(ty), values)
        }),
    ) {
        let (left, right) = (key(&ty, &values[0]), key(&ty, &values[1]));
        prop_assert!(left == right || !left.starts_with(&right));
    }

    #[test]
    fn random_bytes_are_a_key_or_an_error(ty in any_type(), bytes in vec(0..4u8, 0..64)) {
        let mut out = Vec::new();
        let encoded = encode(&ty, &mut Reader::new(&bytes), &mut out);
        let valid = Reader::new(&bytes).value(&ty).map(|_| ());
        // A key is made of rows that were validated, so it does not look at text again.
        let is_text = matches!(valid, Err(CodecError::NotUtf8 | CodecError::NotCanonical));
        prop_assert!(encoded == valid || is_text);
        prop_assert!(out.len() <= 2 * bytes.len() + 64);
    }

    #[test]
    fn the_prefix_end_is_tight(prefix in vec(any::<u8>(), 0..4), key in vec(any::<u8>(), 0..6)) {
        if let Some(end) = prefix_end(&prefix) {
            let is_within = key >= prefix && key < end;
            prop_assert_eq!(is_within, key.starts_with(&prefix));
        } else {
            prop_assert!(prefix.iter().all(|&byte| byte == 0xff));
            prop_assert_eq!(key >= prefix, key.starts_with(&prefix));
        }
    }
}

#[test]
fn bytes_are_as_documented() {
    let text = |text: &str| key(&Type::String, &Value::String(text.into()));
    assert_eq!(text("a"), [b'a', 0, 0]);
    assert_eq!(text("a\0b"), [b'a', 0, 0xff, b'b', 0, 0]);
    assert_eq!(key(&Type::I16, &Value::I16(-1)), [0x7f, 0xff]);
    assert_eq!(key(&Type::U32, &Value::U32(258)), [0, 0, 1, 2]);
    let list = Type::list(Type::U8);
    assert_eq!(key(&list, &Value::List(vec![Value::U8(9)])), [1, 9, 0]);
    let option = Type::option(Type::U8);
    assert_eq!(key(&option, &Value::Option(None)), [0]);
    assert_eq!(
        key(&option, &Value::Option(Some(Box::new(Value::U8(0))))),
        [1, 0]
    );
}
