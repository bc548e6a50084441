use proptest::prelude::*;

use super::*;
use crate::strategies::any_type;

#[expect(clippy::needless_pass_by_value, reason = "cases read better")]
fn check(param: &Param, ty: &Type, expected: Option<Value>) {
    assert_eq!(param.coerce(ty), expected, "{param:?} as {ty}");
}

#[test]
fn parameters_take_the_type_they_meet() {
    let text = |text: &str| Param::Text(text.into());
    check(&Param::Int(300), &Type::U8, None);
    check(&Param::Int(-1), &Type::U64, None);
    check(&Param::Int(7), &Type::F64, Some(Value::F64(7.0)));
    check(&Param::Float(7.0), &Type::I32, Some(Value::I32(7)));
    check(&Param::Float(7.5), &Type::I32, None);
    check(&Param::Float(1e300), &Type::I64, None);
    check(
        &text("-9223372036854775808"),
        &Type::I64,
        Some(Value::I64(i64::MIN)),
    );
    check(
        &text(&u128::MAX.to_string()),
        &Type::U128,
        Some(Value::U128(u128::MAX)),
    );
    check(&text("x"), &Type::I64, None);
    check(
        &text("NaN"),
        &Type::String,
        Some(Value::String("NaN".into())),
    );
    check(&text("AQI="), &Type::Bytes, Some(Value::Bytes(vec![1, 2])));
    check(
        &Param::Bytes(vec![5; 16]),
        &Type::Uuid,
        Some(Value::Uuid([5; 16])),
    );
    check(&Param::Bytes(vec![5; 15]), &Type::Uuid, None);
    check(
        &Param::Null,
        &Type::option(Type::U8),
        Some(Value::Option(None)),
    );
    check(&Param::Null, &Type::U8, None);
    let list = Param::List(vec![Param::Int(1)]);
    check(
        &list,
        &Type::list(Type::U8),
        Some(Value::List(vec![Value::U8(1)])),
    );
}

fn any_param() -> impl Strategy<Value = Param> {
    let leaf = prop_oneof![
        Just(Param::Null),
        any::<bool>().prop_map(Param::Bool),
        any::<i64>().prop_map(|v| Param::Int(v.into())),
        (-9i128..9).prop_map(Param::Int),
        (-9i32..9).prop_map(|v| Param::Float(f64::from(v) + 0.5)),
        "[a-z]{0,4}".prop_map(Param::Text),
        proptest::collection::vec(any::<u8>(), 0..4).prop_map(Param::Bytes),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        proptest::collection::vec(inner, 0..3).prop_map(Param::List)
    })
}

proptest! {
    #[test]
    fn what_coerces_is_of_the_type(param in any_param(), ty in any_type()) {
        if let Some(value) = param.coerce(&ty) {
            let mut bytes = Vec::new();
            prop_assert_eq!(crate::packed::encode(&ty, &value, &mut bytes), Ok(()));
        }
    }

    #[test]
    fn message_pack_keeps_parameters(param in any_param()) {
        let bytes = rmp_serde::to_vec(&param).unwrap();
        prop_assert_eq!(rmp_serde::from_slice::<Param>(&bytes).unwrap(), param);
    }

    #[test]
    fn json_keeps_what_they_mean(param in any_param(), ty in any_type()) {
        let json = serde_json::to_vec(&param).unwrap();
        let back: Param = serde_json::from_slice(&json).unwrap();
        // Text stands for more types than what it was written from, so only a meaning is kept.
        if let Some(value) = param.coerce(&ty) {
            prop_assert_eq!(back.coerce(&ty), Some(value));
        }
    }
}

#[test]
fn every_integer_is_written() {
    for number in [
        i128::MIN,
        i64::MIN.into(),
        (1 << 53) - 1,
        u64::MAX.into(),
        i128::MAX,
    ] {
        let json = serde_json::to_vec(&Param::Int(number)).unwrap();
        let back: Param = serde_json::from_slice(&json).unwrap();
        assert_eq!(back.coerce(&Type::I128), Some(Value::I128(number)));
    }
}

#[test]
fn lists_are_limited() {
    let items = vec![0; SQL_PARAMS_MAX + 1];
    let json = serde_json::to_vec(&items).unwrap();
    assert!(serde_json::from_slice::<Param>(&json).is_err());
    assert!(serde_json::from_slice::<Param>(&json[2..]).is_err());
}
