//! What holds for every message.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_bytes::ByteBuf;

use super::{Known, client_message, instance, server_message};
use crate::ids::Lsn;
use crate::message::*;

fn check_client(encoding: Encoding, message: &ClientMessage<'_>) {
    let mut bytes = Vec::new();
    message.encode(encoding, &mut bytes);
    assert_eq!(
        ClientMessage::decode(encoding, &bytes).as_ref(),
        Ok(message)
    );
    bytes.push(b'0');
    assert!(
        ClientMessage::decode(encoding, &bytes).is_err(),
        "a byte too many"
    );
    bytes.truncate(bytes.len() - 2);
    assert!(
        ClientMessage::decode(encoding, &bytes).is_err(),
        "a byte too few"
    );
}

proptest! {
    #[test]
    fn client_messages_come_back_from_message_pack(
        message in client_message(Encoding::MessagePack),
    ) {
        check_client(Encoding::MessagePack, &message);
    }

    #[test]
    fn client_messages_come_back_from_json(message in client_message(Encoding::Json)) {
        check_client(Encoding::Json, &message);
    }

    #[test]
    fn server_messages_come_back_from_message_pack((message, _) in server_message()) {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        prop_assert_eq!(ServerMessage::decode(&bytes), Ok(message));
        bytes.push(0);
        prop_assert!(ServerMessage::decode(&bytes).is_err());
        bytes.truncate(bytes.len() - 2);
        prop_assert!(ServerMessage::decode(&bytes).is_err());
    }

    #[test]
    fn server_messages_come_back_from_json((message, known) in server_message()) {
        let mut bytes = Vec::new();
        server_to_json(&message, &known, &mut bytes);
        let json = serde_json::from_slice(&bytes).unwrap();
        prop_assert_eq!(server_from_json(&json, &known), Ok(message));
    }

    #[test]
    fn json_of_types_that_are_not_known_loses_nothing((message, _) in server_message()) {
        let mut bytes = Vec::new();
        server_to_json(&message, &Known::default(), &mut bytes);
        let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        match server_from_json(&json, &Known::default()) {
            Ok(read) => prop_assert_eq!(read, message),
            // How many rows there are is not written beside packed rows.
            Err(_) => prop_assert!(json["rows"]["packed"].is_string()),
        }
    }

    #[test]
    fn random_bytes_are_a_message_or_an_error(bytes in vec(any::<u8>(), 0..64), tag in 0..12u8) {
        for encoding in Encoding::ALL {
            let _ = ClientMessage::decode(encoding, &bytes);
        }
        let _ = ServerMessage::decode(&bytes);
        let tagged = [&[0x92, tag], &bytes[..]].concat();
        let _ = ClientMessage::decode(Encoding::MessagePack, &tagged);
        let _ = ServerMessage::decode(&tagged);
    }

    /// Flips a byte of a valid message, which gets further than random bytes do.
    #[test]
    fn damaged_messages_are_a_message_or_an_error(
        (message, known) in server_message(),
        at in any::<Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(damaged) = ServerMessage::decode(&bytes) {
            let mut json = Vec::new();
            server_to_json(&damaged, &known, &mut json);
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&json).is_ok());
        }
    }

    #[test]
    fn deltas_are_read_as_written((description, _, ops) in instance()) {
        let mut reader = DeltaReader::new(&description, &ops);
        let mut again = Vec::new();
        while let Some(op) = reader.next_op().unwrap() {
            DeltaWriter::new(&mut again).push(op);
        }
        prop_assert_eq!(again, ops);
    }

    #[test]
    fn random_deltas_are_read_or_refused(
        (description, _, _) in instance(),
        ops in vec(0..4u8, 0..64),
    ) {
        let mut reader = DeltaReader::new(&description, &ops);
        let mut op_count = 0;
        while let Ok(Some(_)) = reader.next_op() {
            op_count += 1;
        }
        prop_assert!(op_count <= ops.len());
    }

    #[test]
    fn a_commit_of_segments_is_a_commit((description, _, ops) in instance(), count in 0..3usize) {
        let delta = |handle| Delta { handle, ops: ByteBuf::from(ops.clone()) };
        let deltas = (0..count as u64).map(delta).collect();
        let commit = ServerMessage::Commit(Commit { lsn: Lsn(300), deltas });
        let mut binary = Vec::new();
        CommitFrame::begin(Lsn(300), count, &mut binary);
        let mut text = Vec::new();
        text::commit_begin(Lsn(300), &mut text);
        for handle in 0..count as u64 {
            CommitFrame::segment(handle, &ops, &mut binary);
            if handle > 0 {
                text.push(b',');
            }
            text::segment(handle, &description, &ops, &mut text);
        }
        text::commit_end(&mut text);
        prop_assert_eq!(ServerMessage::decode(&binary), Ok(commit.clone()));
        let known = Known { description: Some(description), value: None };
        let json = serde_json::from_slice(&text).unwrap();
        prop_assert_eq!(server_from_json(&json, &known), Ok(commit));
    }
}
