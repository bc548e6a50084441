//! Bytes are a message of a client or an error, in both encodings; what was read is written alike.
#![no_main]

use libfuzzer_sys::fuzz_target;
use syncline_protocol::message::{ClientMessage, Encoding};

fuzz_target!(|input: &[u8]| {
    for encoding in Encoding::ALL {
        let Ok(message) = ClientMessage::decode(encoding, input) else {
            continue;
        };
        let mut written = Vec::new();
        message.encode(encoding, &mut written);
        let again = ClientMessage::decode(encoding, &written).expect("it was just written");
        let mut twice = Vec::new();
        again.encode(encoding, &mut twice);
        assert_eq!(written, twice);
    }
});
