//! Bytes are a query as structure or an error, in both forms; what was read is written alike.
#![no_main]

use libfuzzer_sys::fuzz_target;
use syncline_protocol::logical::LogicalQuery;

fuzz_target!(|input: &[u8]| {
    let from_bytes = LogicalQuery::decode(input).ok();
    let json = serde_json::from_slice(input).ok();
    let from_json = json.and_then(|json| LogicalQuery::from_json(json).ok());
    for query in from_bytes.into_iter().chain(from_json) {
        // Written out it may have more bytes than it came in: it can be too large, and nothing else.
        let bytes = query.encode();
        if let Ok(again) = LogicalQuery::decode(&bytes) {
            assert_eq!(again.encode(), bytes);
        }
        if let Ok(again) = LogicalQuery::from_json(query.to_json()) {
            assert_eq!(again.to_json(), query.to_json());
        }
    }
});
