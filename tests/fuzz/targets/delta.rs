//! Bytes are the operations of a delta or an error; what was read is written alike.
#![no_main]

use libfuzzer_sys::fuzz_target;
use syncline_protocol::message::{DeltaReader, DeltaWriter, text};

fuzz_target!(|input: &[u8]| {
    let (types, ops) = syncline_fuzz::types(input);
    let description = syncline_fuzz::describe(&types);
    let mut reader = DeltaReader::new(&description, ops);
    let mut again = Vec::new();
    let is_valid = loop {
        match reader.next_op() {
            Ok(Some(op)) => DeltaWriter::new(&mut again).push(op),
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    assert!(ops.starts_with(&again));
    assert_eq!(is_valid, again.len() == ops.len());
    let mut written = Vec::new();
    text::segment(7, &description, ops, &mut written);
    assert!(serde_json::from_slice::<serde_json::Value>(&written).is_ok());
});
