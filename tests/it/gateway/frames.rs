//! Bytes that are no messages: each ends its connection with a reason, and the others go on.

use std::io::Write;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use syncline_protocol::limits::FRAME_BYTES_MAX;
use syncline_protocol::message::{
    ClientMessage, Encoding, Ping, ServerMessage, SetParams, Subscribe,
};

use crate::client::Client;
use crate::peer::Answer;
use crate::server::TestServer;
use crate::socket::Event;

fn connect(server: &TestServer, encoding: Encoding) -> Client {
    Client::try_connect(server, "bank", encoding, None).unwrap()
}

/// A client frame: mask of zeros, so that the payload stands as it is.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..126 => frame.push(0x80 | len as u8),
        len @ 126..0x1_0000 => {
            frame.push(0xfe);
            frame.extend((len as u16).to_be_bytes());
        }
        len => {
            frame.push(0xff);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

#[test]
fn frames_that_break_the_rules() {
    let server = TestServer::of("bank");
    let bad_frame = ("BAD_FRAME".to_owned(), 1002);
    let unmasked = vec![0x82, 0x01, 0x00];
    let cases: [(&str, Vec<u8>); 6] = [
        ("not masked", unmasked),
        ("a reserved bit", frame(0xc2, b"x")),
        ("an unknown opcode", frame(0x83, b"x")),
        ("a continuation of nothing", frame(0x80, b"x")),
        ("a ping in fragments", frame(0x09, b"x")),
        ("a ping of 126 bytes", frame(0x89, &[0; 126])),
    ];
    for (what, bytes) in cases {
        let mut client = connect(&server, Encoding::MessagePack);
        client.socket.raw().write_all(&bytes).unwrap();
        assert_eq!(client.end(), bad_frame, "{what}");
    }
    let mut client = connect(&server, Encoding::Json);
    client
        .socket
        .raw()
        .write_all(&frame(0x81, &[0xff, 0xfe]))
        .unwrap();
    let (code, close) = client.end();
    assert!(code == "BAD_FRAME" || code == "BAD_MESSAGE", "{code}");
    assert!(close == 1002 || close == 1007, "{close}");
}

#[test]
fn frames_of_the_other_encoding() {
    let server = TestServer::of("bank");
    let mut client = connect(&server, Encoding::Json);
    client.socket.send_binary(b"{}");
    assert_eq!(client.end().1, 1002);
    let mut client = connect(&server, Encoding::MessagePack);
    client.socket.send_text("{}");
    assert_eq!(client.end().1, 1002);
}

#[test]
fn frames_that_are_too_large() {
    let server = TestServer::of("bank");
    let too_large = ("FRAME_TOO_LARGE".to_owned(), 1009);
    // Announced, and never sent: the header is enough.
    let mut client = connect(&server, Encoding::MessagePack);
    let mut header = vec![0x82, 0xff];
    header.extend((FRAME_BYTES_MAX as u64 + 1).to_be_bytes());
    header.extend([0; 4]);
    client.socket.raw().write_all(&header).unwrap();
    assert_eq!(client.end(), too_large);
    // Fragments that add up.
    let mut client = connect(&server, Encoding::MessagePack);
    let half = vec![0; FRAME_BYTES_MAX / 2 + 1];
    client.socket.raw().write_all(&frame(0x02, &half)).unwrap();
    // The server may have closed in the middle of this one.
    let _ = client.socket.raw().write_all(&frame(0x80, &half));
    assert_eq!(client.end(), too_large);
    // The largest that fits is read, and refused for what is in it.
    let mut client = connect(&server, Encoding::MessagePack);
    client
        .socket
        .raw()
        .write_all(&frame(0x82, &vec![0xc1; FRAME_BYTES_MAX]))
        .unwrap();
    assert_eq!(client.end().0, "BAD_MESSAGE");
}

#[test]
fn a_message_in_pieces_is_a_message() {
    let server = TestServer::of("bank");
    let mut client = connect(&server, Encoding::MessagePack);
    let ping = client.peer.encoded(&ClientMessage::Ping(Ping { id: 900 }));
    let (head, tail) = ping.split_at(2);
    let pieces = [
        frame(0x02, head),
        frame(0x89, b"are you there"),
        frame(0x80, tail),
    ]
    .concat();
    // Byte by byte, with a control frame between the fragments.
    for byte in pieces {
        client.socket.raw().write_all(&[byte]).unwrap();
    }
    assert!(matches!(client.wait(900), Answer::Pong));
    // And many messages in one write.
    let mut all = Vec::new();
    for id in 1000..1100 {
        all.extend(frame(
            0x82,
            &client.peer.encoded(&ClientMessage::Ping(Ping { id })),
        ));
    }
    client.socket.raw().write_all(&all).unwrap();
    for id in 1000..1100 {
        assert!(matches!(client.wait(id), Answer::Pong));
    }
}

#[test]
fn what_is_not_there_yet_is_refused_and_the_connection_stays() {
    let server = TestServer::of("bank");
    for encoding in Encoding::ALL {
        let mut client = connect(&server, encoding);
        let message = SetParams {
            id: 77,
            subscription: 1,
            params: Vec::new(),
        };
        client.send(&client.peer.encoded(&ClientMessage::SetParams(message)));
        let Answer::Failed(error) = client.wait(77) else {
            panic!("it was taken")
        };
        assert_eq!(error.code, "NO_SUBSCRIPTION");
        // An id that is in use.
        let sql = "SELECT * FROM account";
        let subscription = client.subscribe(sql, &[]);
        let again = Subscribe {
            id: subscription,
            sql: sql.into(),
            params: Vec::new(),
        };
        client.send(&client.peer.encoded(&ClientMessage::Subscribe(again)));
        let Answer::Failed(error) = client.wait(subscription) else {
            panic!("it was taken")
        };
        assert_eq!(error.code, "DUPLICATE_ID");
        client.ping();
    }
}

/// Random bytes as frames, as messages and as mutations of good messages: the connection ends with a
/// reason or goes on, and a witness beside it never notices.
#[test]
fn random_bytes() {
    let server = TestServer::of("bank");
    let mut witness = Client::connect(&server, "bank");
    let bytes = proptest::collection::vec(any::<u8>(), 0..200);
    let good = prop_oneof![
        Just(vec![0x92, 6, 0x91, 5]),
        Just(b"\x92\x03\x93\x07\xb5SELECT * FROM account\x90".to_vec()),
        Just(b"\x92\x02\x93\x08\xa5total\xc4\x00".to_vec()),
    ];
    let mutated =
        (good, any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut good, at, byte)| {
            let at = at.index(good.len());
            good[at] = byte;
            good
        });
    let payload = prop_oneof![bytes.clone(), mutated];
    let input = prop_oneof![
        (
            Just(true),
            payload.prop_map(|payload| frame(0x82, &payload))
        ),
        (Just(false), bytes),
    ];
    let config = Config {
        cases: 300,
        failure_persistence: None,
        ..Config::default()
    };
    let result = TestRunner::new(config).run(&input, |(is_message, bytes)| {
        let mut client = connect(&server, Encoding::MessagePack);
        // A server that has closed takes no more.
        let _ = client.socket.raw().write_all(&bytes);
        let (_, ping) = client.peer.ping();
        let _ = client.socket.raw().write_all(&frame(0x82, &ping));
        // Raw bytes may be the beginning of a frame: only the end of the stream ends that.
        if !is_message {
            let _ = client.socket.raw().shutdown(std::net::Shutdown::Write);
        }
        while let Event::Message(bytes) = client.socket.receive() {
            let message = ServerMessage::decode(&bytes).map_err(TestCaseError::fail)?;
            if matches!(message, ServerMessage::Pong(_)) {
                break;
            }
        }
        Ok(())
    });
    result.unwrap();
    witness.ping();
    crate::client::eventually("only the witness is left", || {
        server.metric("syncline_connections") <= 1
    });
}
