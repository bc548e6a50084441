use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn argument() -> impl Strategy<Value = Argument> {
    let leaf = prop_oneof![
        Just(Argument::Null),
        any::<bool>().prop_map(Argument::Bool),
        any::<i128>().prop_map(Argument::Int),
        (-1e9..1e9).prop_map(Argument::Float),
        ".{0,8}".prop_map(Argument::Text),
        vec(any::<u8>(), 0..8).prop_map(Argument::Bytes),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| vec(inner, 0..4).prop_map(Argument::List))
}

proptest! {
    #[test]
    fn requests_come_back(sql in ".{0,20}", arguments in vec((".{0,5}", argument()), 0..5)) {
        let mut bytes = Vec::new();
        put_sized(sql.as_bytes(), &mut bytes);
        for (name, value) in &arguments {
            put_argument(name, value, &mut bytes);
        }
        prop_assert_eq!(read_request(&bytes, 8), Ok(Request { sql: &sql, arguments }));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..64)) {
        let _ = read_request(&bytes, 8);
    }
}

#[test]
fn what_is_too_much_is_refused() {
    let mut bytes = Vec::new();
    put_sized(b"SELECT 1", &mut bytes);
    let deep = (0..6).fold(Argument::Null, |inner, _| Argument::List(vec![inner]));
    put_argument("deep", &deep, &mut bytes);
    assert_eq!(read_request(&bytes, 8), Err(CodecError::TooDeep));
    bytes.truncate(12);
    put_argument("long", &Argument::List(vec![Argument::Null; 9]), &mut bytes);
    assert_eq!(read_request(&bytes, 8), Err(CodecError::TooLong));
}
