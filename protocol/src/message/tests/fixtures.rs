//! Messages with everything in them, written out for clients in other languages: their tests read
//! `client-sdk/typescript/test/fixtures/wire.json` and must find the same values in both encodings.

use std::fmt::Write;
use std::sync::Arc;

use super::*;
use crate::error::ErrorCode;
use crate::schema::{ColumnDef, IndexDef, IndexKind, ReducerDef, ReducerKind, Schema, TableDef};
use crate::types::{EnumType, Field, StructType, Variant};
use crate::value::Value;

const PATH: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../client-sdk/typescript/test/fixtures/wire.json"
);

fn field(name: &str, ty: Type) -> Field {
    Field {
        name: name.into(),
        ty,
    }
}

fn shape() -> Type {
    let fields = vec![field("x", Type::F32), field("y", Type::option(Type::I16))];
    let point = Type::Struct(Arc::new(StructType {
        name: "Point".into(),
        fields,
    }));
    let variants = vec![
        Variant {
            name: "Nothing".into(),
            payload: None,
        },
        Variant {
            name: "Dot".into(),
            payload: Some(point),
        },
    ];
    Type::Enum(Arc::new(EnumType {
        name: "Shape".into(),
        variants,
    }))
}

fn dot() -> Value {
    let y = Value::Option(Some(Box::new(Value::I16(-3))));
    Value::Enum(1, Some(Box::new(Value::Struct(vec![Value::F32(1.5), y]))))
}

fn description() -> ResultDescription {
    let columns = [
        ("id", Type::U64),
        ("name", Type::String),
        ("who", Type::Identity),
        ("shape", shape()),
        ("tags", Type::list(Type::option(Type::String))),
        ("data", Type::Bytes),
        ("uuid", Type::Uuid),
        ("score", Type::F64),
        ("big", Type::I128),
        ("at", Type::Timestamp),
    ];
    let column = |(name, ty): (&str, Type)| ResultColumn {
        name: name.into(),
        ty,
        hidden: name == "at",
    };
    ResultDescription {
        columns: columns.map(column).into(),
        key: vec![0],
        order: vec![OrderColumn {
            column: 9,
            descending: true,
        }],
    }
}

fn packed(types: &[Type], values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    for (ty, value) in types.iter().zip(values) {
        crate::packed::encode(ty, value, &mut out).unwrap();
    }
    out
}

fn result_row(id: u64, name: &str, shape: Value, score: f64, at: i64) -> Vec<u8> {
    let tag = Value::Option(Some(Box::new(Value::String("t".into()))));
    let types: Vec<Type> = description().types().cloned().collect();
    let values = [
        Value::U64(id),
        Value::String(name.into()),
        Value::Identity(Identity([0xab; 32])),
        shape,
        Value::List(vec![Value::Option(None), tag]),
        Value::Bytes(vec![0, 255, 7]),
        Value::Uuid(core::array::from_fn(|position| position as u8)),
        Value::F64(score),
        Value::I128(-(1 << 100)),
        Value::Timestamp(at),
    ];
    packed(&types, &values)
}

fn ops() -> Vec<u8> {
    let key = |id: u64| packed(&[Type::U64], &[Value::U64(id)]);
    let values = packed(
        &[Type::String, Type::Timestamp],
        &[Value::String("ada".into()), Value::Timestamp(6)],
    );
    let row = result_row(9, "eve", Value::Enum(0, None), f64::NEG_INFINITY, 8);
    let mut out = Vec::new();
    let mut writer = DeltaWriter::new(&mut out);
    writer.push(DeltaOp::Insert { row: &row });
    writer.push(DeltaOp::Update {
        key: &key(1),
        mask: &[2, 2],
        values: &values,
    });
    writer.push(DeltaOp::Delete {
        key: &key(u64::MAX),
    });
    out
}

fn schema_text() -> String {
    let column = |name: &str, ty| ColumnDef {
        name: name.into(),
        ty,
    };
    let by_id = IndexDef {
        name: "by_id".into(),
        columns: vec![0],
        kind: IndexKind::Ordered,
        unique: true,
    };
    let table = TableDef {
        name: "shape".into(),
        columns: vec![column("id", Type::U64), column("shape", shape())],
        primary_key: vec![0],
        indexes: vec![by_id],
        auto_increment: Some(0),
        public: true,
    };
    let reducer = |name: &str, params, returns, kind| ReducerDef {
        name: name.into(),
        params,
        returns,
        kind,
    };
    let params = vec![
        field("shape", shape()),
        field("note", Type::option(Type::String)),
    ];
    let reducers = vec![
        reducer("put", params, Some(shape()), ReducerKind::Call),
        reducer("init", vec![], None, ReducerKind::Init),
    ];
    serde_json::to_string(&Schema {
        tables: vec![table],
        reducers,
        ..Schema::default()
    })
    .unwrap()
}

fn welcome(lsn: u64, token: Option<&str>, schema: Option<String>) -> ServerMessage {
    ServerMessage::Welcome(Welcome {
        identity: Identity([0xab; 32]),
        connection: ConnectionId([0xcd; 16]),
        token: token.map(Into::into),
        epoch: Epoch(3),
        lsn: Lsn(lsn),
        schema_hash: "00ff".into(),
        schema,
        server: "0.1.0".into(),
    })
}

fn rows_messages() -> Vec<(&'static str, ServerMessage)> {
    let mut rows = result_row(1, "ada 😀", dot(), 0.1, 1_700_000_000_000_000);
    rows.extend(result_row(
        u64::MAX,
        "bob",
        Value::Enum(0, None),
        f64::NAN,
        -5,
    ));
    let rows = ByteBuf::from(rows);
    let description = Some(description());
    let (row_count, handle) = (2, 7);
    let snapshot = Snapshot {
        id: 1,
        handle,
        lsn: Lsn(41),
        description: description.clone(),
        rows: rows.clone(),
        row_count,
        last: true,
    };
    let reset = Reset {
        handle,
        lsn: Lsn(43),
        rows: rows.clone(),
        row_count,
        last: true,
    };
    let rows = Rows {
        id: 5,
        lsn: Lsn(44),
        description,
        rows,
        row_count,
        last: false,
    };
    let deltas = vec![Delta {
        handle,
        ops: ByteBuf::from(ops()),
    }];
    vec![
        ("snapshot", ServerMessage::Snapshot(snapshot)),
        (
            "commit",
            ServerMessage::Commit(Commit {
                lsn: Lsn(42),
                deltas,
            }),
        ),
        ("reset", ServerMessage::Reset(reset)),
        ("rows", ServerMessage::Rows(rows)),
    ]
}

fn other_messages() -> Vec<(&'static str, ServerMessage)> {
    let reply = |id, value: Option<Vec<u8>>, error| {
        let value = value.map(ByteBuf::from);
        ServerMessage::Reply(Reply {
            id,
            lsn: Lsn(44),
            value,
            error,
        })
    };
    let refused = WireError::new(ErrorCode::ReducerError, "not yours").hint("ask");
    let error = WireError::new(ErrorCode::ServerShutdown, "the server goes down");
    let changed = SchemaChanged {
        schema_hash: "11".into(),
        schema: schema_text(),
    };
    vec![
        ("welcome", welcome(41, Some("a.b.c"), Some(schema_text()))),
        ("welcome_known", welcome(1 << 40, None, None)),
        (
            "reply_value",
            reply(2, Some(packed(&[shape()], &[dot()])), None),
        ),
        ("reply_nothing", reply(3, Some(Vec::new()), None)),
        ("reply_error", reply(4, None, Some(refused))),
        ("schema_changed", ServerMessage::SchemaChanged(changed)),
        ("error", ServerMessage::Error(ErrorMessage { error })),
        (
            "pong",
            ServerMessage::Pong(Pong {
                id: 6,
                lsn: Lsn(44),
            }),
        ),
    ]
}

/// With `UPDATE_FIXTURES=1` it writes the file instead.
#[test]
fn the_fixtures_of_other_clients_are_what_this_crate_writes() {
    let mut file = serde_json::Map::new();
    for (name, message) in rows_messages().into_iter().chain(other_messages()) {
        let value = (name == "reply_value").then(shape);
        let known = Known {
            description: Some(description()),
            value,
        };
        let (mut binary, mut text) = (Vec::new(), Vec::new());
        message.encode(&mut binary);
        server_to_json(&message, &known, &mut text);
        let hex = binary.iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        });
        let text = String::from_utf8(text).unwrap();
        file.insert(
            name.into(),
            serde_json::json!({ "msgpack": hex, "json": text }),
        );
    }
    let current = serde_json::to_string_pretty(&file).unwrap() + "\n";
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        std::fs::write(PATH, &current).unwrap();
    }
    let there = std::fs::read_to_string(PATH).unwrap();
    assert!(
        there == current,
        "{PATH} is not current: run this test with UPDATE_FIXTURES=1"
    );
}
