//! The bytes and texts that docs/wire.md promises, and input that was made to hurt.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_bytes::ByteBuf;

use super::{Known, describe};
use crate::error::WireError;
use crate::ids::Lsn;
use crate::message::*;
use crate::param::Param;
use crate::types::Type;

#[test]
fn a_reply_that_writes_itself_is_a_reply() {
    let (mut quick, mut plain) = (Vec::new(), Vec::new());
    Reply::put_ok(70_000, Lsn(1 << 40), b"ok", &mut quick);
    let value = Some(ByteBuf::from(*b"ok"));
    let reply = Reply {
        id: 70_000,
        lsn: Lsn(1 << 40),
        value,
        error: None,
    };
    ServerMessage::Reply(reply).encode(&mut plain);
    assert_eq!(quick, plain);
}

#[test]
fn a_snapshot_begins_with_what_is_the_receivers() {
    for (id, handle, lsn) in [(0, 1, 2), (1 << 20, 1 << 40, 1 << 50)] {
        let snapshot = ServerMessage::Snapshot(Snapshot {
            id,
            handle,
            lsn: Lsn(lsn),
            description: None,
            rows: ByteBuf::from(*b"rows"),
            row_count: 1,
            last: true,
        });
        let (mut begin, mut whole) = (Vec::new(), Vec::new());
        Snapshot::begin(id, handle, Lsn(lsn), &mut begin);
        snapshot.encode(&mut whole);
        assert_eq!(whole[begin.len()..], *b"\xc0\xc4\x04rows\x01\xc3");
        assert!(whole.starts_with(&begin));

        let (mut begin, mut whole) = (Vec::new(), Vec::new());
        text::snapshot_begin(id, handle, Lsn(lsn), &mut begin);
        text::server_to_json(&snapshot, &Known::default(), &mut whole);
        assert!(whole.starts_with(&begin) && whole[begin.len()] == b',');
    }
}

#[test]
fn a_call_borrows_from_its_frame() {
    let mut bytes = Vec::new();
    let args = Args::Packed(Cow::Borrowed(&[1, 2]));
    let reducer = Cow::Borrowed("transfer");
    let call = Call {
        id: 7,
        reducer,
        args,
        idempotency_key: None,
    };
    ClientMessage::Call(call.clone()).encode(Encoding::MessagePack, &mut bytes);
    assert_eq!(bytes, b"\x92\x02\x93\x07\xa8transfer\xc4\x02\x01\x02");
    // The reserved field as nil, and the same in the roundabout forms that MessagePack allows.
    let long = b"\x92\x02\x94\x07\xa8transfer\xc4\x02\x01\x02\xc0";
    let wide = b"\x92\x02\xdc\x00\x03\xce\x00\x00\x00\x07\xd9\x08transfer\xc5\x00\x02\x01\x02";
    for bytes in [&bytes[..], long, wide] {
        let decoded = ClientMessage::decode(Encoding::MessagePack, bytes).unwrap();
        assert_eq!(decoded, ClientMessage::Call(call.clone()));
        let ClientMessage::Call(Call {
            reducer: Cow::Borrowed(_),
            args,
            ..
        }) = decoded
        else {
            panic!("{decoded:?} does not borrow its name");
        };
        assert!(matches!(args, Args::Packed(Cow::Borrowed(_))), "{args:?}");
    }
}

/// Counts and lengths that lie must not be believed: each of these would take gigabytes.
#[test]
fn lengths_over_the_input_are_refused() {
    let cases: [&[u8]; 6] = [
        b"\x92\x03\x92\x01\xdd\xff\xff\xff\xff",
        b"\x92\x03\x92\x01\x91\x92\x01\xc6\xff\xff\xff\xff",
        b"\x92\x04\x95\x01\x01\xc6\xff\xff\xff\xf0\x01",
        b"\x92\x02\x93\x01\xdb\xff\xff\xff\xffa",
        b"\x92\x02\x93\x01\xa1a\xc6\xff\xff\xff\xff",
        b"\x92\x03\x93\x01\xa1a\xdd\xff\xff\xff\xff",
    ];
    for bytes in cases {
        assert!(ServerMessage::decode(bytes).is_err(), "{bytes:x?}");
        assert!(
            ClientMessage::decode(Encoding::MessagePack, bytes).is_err(),
            "{bytes:x?}"
        );
    }
}

#[test]
fn nesting_is_limited() {
    let deep = [
        &b"\x92\x03\x93\x01\xa1a\x91\x92\xa1p"[..],
        &vec![0x91; 100_000],
        &[0xc0],
    ]
    .concat();
    assert!(ClientMessage::decode(Encoding::MessagePack, &deep).is_err());
    let trailing = [&b"\x92\x06\x91\x05"[..], &vec![0x91; 100_000]].concat();
    assert!(ClientMessage::decode(Encoding::MessagePack, &trailing).is_err());
    let deep = format!(
        r#"{{"type":"query","id":1,"sql":"","params":[["p",{}"#,
        "[".repeat(100_000)
    );
    assert!(ClientMessage::decode(Encoding::Json, deep.as_bytes()).is_err());
}

/// The deepest type that a schema may have gets through both encodings.
#[test]
fn the_deepest_description_travels() {
    use crate::types::{Field, StructType};
    let mut ty = Type::U8;
    for _ in 0..crate::packed::DEPTH_MAX {
        let fields = vec![Field {
            name: "f".into(),
            ty,
        }];
        ty = Type::Struct(
            StructType {
                name: "S".into(),
                fields,
            }
            .into(),
        );
    }
    let description = Some(describe(&[ty], 1));
    let rows = ByteBuf::from([7]);
    let rows = Rows {
        id: 1,
        lsn: Lsn(1),
        description,
        rows,
        row_count: 1,
        last: true,
    };
    let message = ServerMessage::Rows(rows);
    let (mut bytes, mut text) = (Vec::new(), Vec::new());
    message.encode(&mut bytes);
    assert_eq!(ServerMessage::decode(&bytes).as_ref(), Ok(&message));
    server_to_json(&message, &Known::default(), &mut text);
    let json = serde_json::from_slice(&text).unwrap();
    assert_eq!(server_from_json(&json, &Known::default()), Ok(message));
}

fn client(json: &str) -> ClientMessage<'_> {
    ClientMessage::decode(Encoding::Json, json.as_bytes()).unwrap()
}

/// What docs/wire.md shows.
#[test]
fn json_of_clients_is_as_documented() {
    assert_eq!(
        client(r#"{"type":"hello"}"#),
        ClientMessage::Hello(Hello::default())
    );
    let params = vec![("team".into(), Param::Int(3))];
    let subscribe = Subscribe {
        id: 1,
        sql: "SELECT 1".into(),
        params,
    };
    let subscribe = ClientMessage::Subscribe(subscribe);
    let object = r#"{"type":"subscribe","id":1,"sql":"SELECT 1","params":{"team":3}}"#;
    assert_eq!(client(object), subscribe);
    let pairs = r#"{"type":"subscribe","id":1,"sql":"SELECT 1","params":[["team",3]]}"#;
    assert_eq!(client(pairs), subscribe);
    let mut written = Vec::new();
    subscribe.encode(Encoding::Json, &mut written);
    assert_eq!(String::from_utf8(written).unwrap(), object);
}

fn written(message: &ServerMessage, known: &Known) -> String {
    let mut out = Vec::new();
    server_to_json(message, known, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn json_of_rows_is_as_documented() {
    let mut description = describe(&[Type::U64, Type::option(Type::String), Type::U8], 1);
    description.order.clear();
    let mut ops = Vec::new();
    let mut writer = DeltaWriter::new(&mut ops);
    let row = [&9u64.to_le_bytes()[..], &[1, 5]].concat();
    writer.push(DeltaOp::Insert { row: &row });
    let key = 8u64.to_le_bytes();
    let values = [0, 1, 0, 0, 0, b'x', 2];
    writer.push(DeltaOp::Update {
        key: &key,
        mask: &[0b110],
        values: &values,
    });
    writer.push(DeltaOp::Delete {
        key: &7u64.to_le_bytes(),
    });
    let known = Known {
        description: Some(description.clone()),
        value: None,
    };
    let deltas = vec![Delta {
        handle: 7,
        ops: ByteBuf::from(ops),
    }];
    assert_eq!(
        written(
            &ServerMessage::Commit(Commit {
                lsn: Lsn(42),
                deltas
            }),
            &known
        ),
        r#"{"type":"commit","lsn":42,"deltas":[{"handle":7,"insert":[["9",null,5]],"#.to_owned()
            + r##""update":[{"key":["8"],"set":{"name":"x","#2":2}}],"delete":[["7"]]}]}"##
    );
    description.columns.truncate(1);
    let rows = ByteBuf::from(row[..8].to_vec());
    let description = Some(description);
    let rows = Rows {
        id: 3,
        lsn: Lsn(42),
        description,
        rows,
        row_count: 1,
        last: true,
    };
    assert_eq!(
        written(&ServerMessage::Rows(rows), &known),
        r#"{"type":"rows","id":3,"lsn":42,"description":{"columns":"#.to_owned()
            + r#"[{"name":"id","type":"u64","hidden":false}],"key":[0],"order":[]},"#
            + r#""rows":[["9"]],"last":true}"#
    );
}

#[test]
fn json_of_replies_is_as_documented() {
    let known = Known {
        description: None,
        value: Some(Type::U64),
    };
    let value = Some(ByteBuf::from(5u64.to_le_bytes()));
    let reply = Reply {
        id: 2,
        lsn: Lsn(42),
        value,
        error: None,
    };
    assert_eq!(
        written(&ServerMessage::Reply(reply.clone()), &known),
        r#"{"type":"reply","id":2,"lsn":42,"value":"5"}"#
    );
    let error = Some(WireError {
        code: "C".into(),
        message: "m".into(),
        hint: None,
    });
    assert_eq!(
        written(
            &ServerMessage::Reply(Reply {
                value: None,
                error,
                ..reply
            }),
            &known
        ),
        r#"{"type":"reply","id":2,"lsn":42,"error":{"code":"C","message":"m","hint":null}}"#
    );
}

/// Tags, fields and names of docs/wire.md are those of the code.
#[test]
fn tags_are_dense_and_stable() {
    let ping = ClientMessage::Ping(Ping { id: 5 });
    let auth = ClientMessage::Auth(Auth {
        id: 5,
        token: "t".into(),
    });
    let unsubscribe = ClientMessage::Unsubscribe(Unsubscribe {
        id: 5,
        subscription: 4,
    });
    let cases: BTreeMap<&[u8], ClientMessage<'_>> = BTreeMap::from([
        (
            &b"\x92\x01\x94\xc0\xc0\xa9confirmed\xc0"[..],
            ClientMessage::Hello(Hello::default()),
        ),
        (b"\x92\x04\x92\x05\x04", unsubscribe),
        (b"\x92\x06\x91\x05", ping),
        (b"\x92\x07\x92\x05\xa1t", auth),
    ]);
    for (bytes, message) in cases {
        let mut written = Vec::new();
        message.encode(Encoding::MessagePack, &mut written);
        assert_eq!(written, bytes);
    }
    let least = b"\x92\x01\x90";
    let hello = ClientMessage::decode(Encoding::MessagePack, least).unwrap();
    assert_eq!(hello, ClientMessage::Hello(Hello::default()));
}
