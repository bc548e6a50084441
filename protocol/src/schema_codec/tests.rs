use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::strategies::schema;

proptest! {
    #[test]
    fn schemas_come_back(schema in schema()) {
        prop_assert_eq!(decode(&encode(&schema)), Ok(schema));
    }

    #[test]
    fn what_decodes_is_canonical(bytes in vec(0..25u8, 0..64)) {
        if let Ok(schema) = decode(&bytes) {
            prop_assert_eq!(encode(&schema), bytes);
        }
    }

    #[test]
    fn a_flipped_byte_is_another_schema_or_an_error(
        schema in schema(),
        at in any::<prop::sample::Index>(),
        flip in 1..=255u8,
    ) {
        let mut bytes = encode(&schema);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert_ne!(decode(&bytes), Ok(schema.clone()));
        bytes[at] ^= flip;
        bytes.pop();
        prop_assert!(decode(&bytes).is_err());
    }
}

fn nested(depth: usize) -> Schema {
    let ty = (0..depth).fold(Type::U8, |ty, _| Type::list(ty));
    let column = ColumnDef {
        name: "c".into(),
        ty,
    };
    let table = TableDef {
        name: "t".into(),
        columns: vec![column],
        primary_key: vec![0],
        indexes: Vec::new(),
        auto_increment: None,
        public: false,
    };
    Schema {
        tables: vec![table],
        reducers: Vec::new(),
        ..Schema::default()
    }
}

#[test]
fn depth_is_limited() {
    let deepest = nested(DEPTH_MAX);
    assert_eq!(decode(&encode(&deepest)), Ok(deepest));
    assert_eq!(
        decode(&encode(&nested(DEPTH_MAX + 1))),
        Err(CodecError::TooDeep)
    );
    assert_eq!(decode(&encode(&nested(1000))), Err(CodecError::TooDeep));
}

#[test]
fn bytes_are_as_documented() {
    let expected = b"\x01\x01t\x01\x01c\x15\x06\x01\x00\x00\x00\x00\x00";
    assert_eq!(encode(&nested(1)), expected);
    assert_eq!(encode(&Schema::default()), [0, 0]);
}

#[test]
fn policies_and_views_follow_if_there_are_any() {
    let schema = Schema {
        policies: vec![PolicyDef {
            table: 3,
            condition: "x".into(),
        }],
        ..Schema::default()
    };
    assert_eq!(encode(&schema), b"\0\0\x01\x03\x01x\0");
    assert_eq!(decode(b"\0\0\0\0"), Err(CodecError::BadTag));
}

#[test]
fn a_count_over_the_input_is_refused() {
    assert_eq!(
        decode(&[0xff, 0xff, 0xff, 0x7f, 0]),
        Err(CodecError::TooLong)
    );
    assert_eq!(
        decode(&[0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
        Err(CodecError::TooLong)
    );
    assert_eq!(
        decode(&[0x80, 0, 0]),
        Err(CodecError::BadTag),
        "zero in two bytes"
    );
}
