use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::key::tests::compare;
use crate::strategies::{any_type, pack, row, typed_value};

fn check(ty: &Type, value: &Value, expected: &[u8]) {
    assert_eq!(pack(ty, value), expected, "{ty}");
    assert_eq!(decode(ty, expected).as_ref(), Ok(value), "{ty}");
}

#[test]
fn bytes_are_as_documented() {
    check(&Type::Bool, &Value::Bool(true), &[1]);
    check(&Type::I16, &Value::I16(-2), &[0xfe, 0xff]);
    check(&Type::U32, &Value::U32(1), &[1, 0, 0, 0]);
    check(&Type::F32, &Value::F32(1.0), &[0, 0, 0x80, 0x3f]);
    check(
        &Type::String,
        &Value::String("é".into()),
        &[2, 0, 0, 0, 0xc3, 0xa9],
    );
    check(
        &Type::Timestamp,
        &Value::Timestamp(1),
        &[1, 0, 0, 0, 0, 0, 0, 0],
    );
    let option = Type::option(Type::U8);
    check(
        &option,
        &Value::Option(Some(Box::new(Value::U8(7)))),
        &[0, 7],
    );
    check(&option, &Value::Option(None), &[1]);
    check(
        &Type::list(Type::U8),
        &Value::List(vec![Value::U8(7)]),
        &[1, 0, 0, 0, 7],
    );
}

#[test]
fn bad_bytes_are_refused_by_name() {
    let cases: &[(Type, &[u8], CodecError)] = &[
        (Type::U32, &[1, 0, 0], CodecError::Truncated),
        (Type::U8, &[1, 2], CodecError::TrailingBytes),
        (Type::Bool, &[2], CodecError::BadTag),
        (Type::option(Type::U8), &[2, 0], CodecError::BadTag),
        (Type::String, &[1, 0, 0, 0, 0xff], CodecError::NotUtf8),
        (Type::String, &[2, 0, 0, 0, b'a'], CodecError::Truncated),
        (
            Type::list(Type::U8),
            &[0xff, 0xff, 0xff, 0xff, 1],
            CodecError::TooLong,
        ),
    ];
    for (ty, bytes, error) in cases {
        assert_eq!(decode(ty, bytes), Err(*error), "{ty} {bytes:?}");
        assert_eq!(validate([ty], bytes), Err(*error), "{ty} {bytes:?}");
    }
}

#[test]
fn types_over_the_depth_are_refused() {
    let mut ty = Type::U8;
    for _ in 0..=DEPTH_MAX {
        ty = Type::list(ty);
    }
    let bytes = [1, 0, 0, 0].repeat(DEPTH_MAX + 1);
    let bytes = [&bytes[..], &[7]].concat();
    assert_eq!(decode(&ty, &bytes), Err(CodecError::TooDeep));
    assert_eq!(validate([&ty], &bytes), Err(CodecError::TooDeep));
}

#[test]
fn values_of_another_type_are_refused() {
    let mut out = Vec::new();
    let mismatch = Err(CodecError::TypeMismatch);
    assert_eq!(encode(&Type::U8, &Value::U16(1), &mut out), mismatch);
    assert_eq!(encode(&Type::Timestamp, &Value::I64(1), &mut out), mismatch);
    assert_eq!(
        encode(
            &Type::list(Type::U8),
            &Value::List(vec![Value::Bool(true)]),
            &mut out
        ),
        mismatch
    );
}

proptest! {
    #[test]
    fn values_come_back((ty, value) in typed_value()) {
        let bytes = pack(&ty, &value);
        prop_assert_eq!(validate([&ty], &bytes), Ok(()));
        let decoded = decode(&ty, &bytes).unwrap();
        prop_assert!(compare(&decoded, &value).is_eq());
        prop_assert_eq!(pack(&ty, &decoded), bytes);
    }

    #[test]
    fn random_bytes_are_a_value_or_an_error(ty in any_type(), bytes in vec(0..4u8, 0..64)) {
        let decoded = decode(&ty, &bytes);
        prop_assert_eq!(decoded.as_ref().err().copied(), validate([&ty], &bytes).err());
        if let Ok(value) = decoded {
            let mut canonical = bytes;
            canonicalize([&ty], &mut canonical).unwrap();
            prop_assert_eq!(pack(&ty, &value), canonical);
        }
    }

    #[test]
    fn canonicalizing_twice_is_once(ty in any_type(), bytes in vec(any::<u8>(), 0..64)) {
        let mut once = bytes;
        if canonicalize([&ty], &mut once).is_ok() {
            let mut twice = once.clone();
            canonicalize([&ty], &mut twice).unwrap();
            prop_assert_eq!(once, twice);
        }
    }

    #[test]
    fn rows_are_canonical_once_packed((types, columns) in row()) {
        let mut bytes = columns.concat();
        canonicalize(&types, &mut bytes).unwrap();
        prop_assert_eq!(&bytes, &columns.concat());
        bytes.pop();
        prop_assert!(validate(&types, &bytes).is_err());
    }
}

#[test]
fn floats_are_made_canonical_inside_of_values() {
    let ty = Type::list(Type::option(Type::F64));
    let mut bytes = vec![2, 0, 0, 0, 0];
    bytes.extend_from_slice(&(-0.0f64).to_le_bytes());
    bytes.push(0);
    bytes.extend_from_slice(&f64::from_bits(0xfff0_0000_0000_0001).to_le_bytes());
    canonicalize([&ty], &mut bytes).unwrap();
    assert_eq!(bytes[5..13], [0; 8]);
    assert_eq!(bytes[14..], crate::value::NAN_F64.to_le_bytes());
}
