//! Bytes are a message of a server or an error; any message has a JSON form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use syncline_protocol::Type;
use syncline_protocol::message::{
    ReplyTypes, ResultDescription, ServerMessage, server_from_json, server_to_json,
};

struct Known(ResultDescription, Type);

impl ReplyTypes for Known {
    fn reply(&self, id: u32) -> Option<Type> {
        (id % 2 == 1).then(|| self.1.clone())
    }

    fn instance(&self, handle: u64) -> Option<&ResultDescription> {
        (handle % 2 == 1).then_some(&self.0)
    }
}

fuzz_target!(|input: &[u8]| {
    let (types, _) = syncline_fuzz::types(input);
    let known = Known(syncline_fuzz::describe(&types), types[0].clone());
    if let Ok(message) = ServerMessage::decode(input) {
        let mut written = Vec::new();
        message.encode(&mut written);
        assert_eq!(ServerMessage::decode(&written), Ok(message.clone()));
        let mut text = Vec::new();
        server_to_json(&message, &known, &mut text);
        let json = serde_json::from_slice(&text).expect("the JSON form is JSON");
        let _ = server_from_json(&json, &known);
    }
    if let Ok(json) = serde_json::from_slice(input) {
        let _ = server_from_json(&json, &known);
    }
});
