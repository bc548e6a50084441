//! Keys are one to one with canonical values, and none is the start of another.
#![no_main]

use libfuzzer_sys::fuzz_target;
use syncline_protocol::{Type, key, packed, packed::Reader};

fuzz_target!(|input: &[u8]| {
    let (types, bytes) = syncline_fuzz::types(input);
    let mut reader = Reader::new(bytes);
    let mut row = |types: &[Type]| -> Option<(Vec<u8>, Vec<u8>)> {
        let start = reader.rest();
        for ty in types {
            reader.value(ty).ok()?;
        }
        let mut row = start[..start.len() - reader.rest().len()].to_vec();
        packed::canonicalize(types, &mut row).expect("each value was read");
        let mut reader = Reader::new(&row);
        let mut out = Vec::new();
        for ty in types {
            key::encode(ty, &mut reader, &mut out).expect("the row is valid");
        }
        Some((row, out))
    };
    let mut bad = Vec::new();
    let _ = key::encode(&types[0], &mut Reader::new(bytes), &mut bad);
    let (Some(left), Some(right)) = (row(&types), row(&types)) else {
        return;
    };
    assert_eq!(left.0 == right.0, left.1 == right.1);
    if left.1 != right.1 {
        assert!(!left.1.starts_with(&right.1) && !right.1.starts_with(&left.1));
    }
    if let Some(end) = key::prefix_end(&left.1) {
        assert!(end > left.1 && !end.starts_with(&left.1));
    }
});
