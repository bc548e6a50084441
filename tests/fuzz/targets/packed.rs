//! Bytes are a row or an error; all that reads a row agrees on which.
#![no_main]

use libfuzzer_sys::fuzz_target;
use syncline_protocol::packed::{self, Reader};
use syncline_protocol::{RowLayout, Value, json};

fuzz_target!(|input: &[u8]| {
    let (types, bytes) = syncline_fuzz::types(input);
    let mut reader = Reader::new(bytes);
    let decoded: Result<Vec<Value>, _> = types
        .iter()
        .map(|ty| packed::decode_from(ty, &mut reader))
        .collect();
    let decoded = decoded.and_then(|values| reader.finish().map(|()| values));
    assert_eq!(
        decoded.as_ref().err().copied(),
        packed::validate(&types, bytes).err()
    );

    let mut text = Vec::new();
    let mut reader = Reader::new(bytes);
    let written = types
        .iter()
        .try_for_each(|ty| json::write_packed(ty, &mut reader, &mut text));
    let written = written.and_then(|()| reader.finish());
    assert_eq!(written.is_ok(), decoded.is_ok());

    let Ok(values) = decoded else { return };
    let mut canonical = bytes.to_vec();
    packed::canonicalize(&types, &mut canonical).expect("it is valid");
    let mut again = Vec::new();
    for (ty, value) in types.iter().zip(&values) {
        packed::encode(ty, value, &mut again).expect("it was decoded with this type");
    }
    assert_eq!(again, canonical);

    let layout = RowLayout::new(types.clone());
    let mut projected = Vec::new();
    let all: Vec<u16> = (0..types.len() as u16).collect();
    layout.project(bytes, &all, &mut projected);
    assert_eq!(projected, bytes);
    if !values.iter().all(is_told_apart) {
        return;
    }
    for (position, (ty, value)) in types.iter().zip(&values).enumerate() {
        let column = layout.column(&canonical, position);
        let json = json::encode(ty, value);
        let mut back = Vec::new();
        json::pack(ty, &json, &mut back).expect("what was written is read");
        assert_eq!(back, column);
    }
});

/// Whether JSON holds the value: it cannot tell a JSON null in an option from nothing.
fn is_told_apart(value: &Value) -> bool {
    match value {
        Value::Option(Some(inner)) => match &**inner {
            Value::Json(json) => json.text() != "null",
            other => is_told_apart(other),
        },
        Value::List(values) | Value::Struct(values) => values.iter().all(is_told_apart),
        Value::Enum(_, Some(carried)) => is_told_apart(carried),
        _ => true,
    }
}
