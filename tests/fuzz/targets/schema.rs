//! Bytes are the one encoding of a schema or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use syncline_protocol::schema_codec;

fuzz_target!(|input: &[u8]| {
    let Ok(schema) = schema_codec::decode(input) else {
        return;
    };
    assert_eq!(schema_codec::encode(&schema), input);
    if schema.validate().is_ok() {
        for table in &schema.tables {
            assert_eq!(table.layout().types().len(), table.columns.len());
            for index in 0..=table.indexes.len() {
                let columns = table.index_columns(index).expect("the index exists");
                assert!(
                    columns
                        .iter()
                        .all(|&column| usize::from(column) < table.columns.len())
                );
            }
        }
        let text = serde_json::to_string(&schema).expect("a schema is JSON");
        assert_eq!(
            serde_json::from_str::<syncline_protocol::Schema>(&text).ok(),
            Some(schema)
        );
    }
});
