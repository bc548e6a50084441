//! Random messages; the tests stand in the modules below.

use std::borrow::Cow;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_bytes::ByteBuf;

use super::*;
use crate::error::WireError;
use crate::ids::{ConnectionId, Epoch, Identity, Lsn};
use crate::param::Param;
use crate::strategies::{pack, row, typed_value, value_of};
use crate::types::Type;

mod fixtures;
mod forms;
mod properties;

/// Knows one instance, whatever its handle, and one type of replies.
#[derive(Debug, Default)]
struct Known {
    description: Option<ResultDescription>,
    value: Option<Type>,
}

impl ReplyTypes for Known {
    fn reply(&self, _id: u32) -> Option<Type> {
        self.value.clone()
    }

    fn instance(&self, _handle: u64) -> Option<&ResultDescription> {
        self.description.as_ref()
    }

    fn query(&self, _id: u32) -> Option<&ResultDescription> {
        self.description.as_ref()
    }

    fn subscription(&self, _id: u32) -> Option<&ResultDescription> {
        self.description.as_ref()
    }
}

/// A description of these columns, the first of which are the key. Some share a name.
fn describe(types: &[Type], key_len: usize) -> ResultDescription {
    let columns = types.iter().enumerate();
    let columns = columns.map(|(position, ty)| ResultColumn {
        name: ["id", "name", "name"][position % 3].into(),
        ty: ty.clone(),
        hidden: position % 2 == 1,
    });
    ResultDescription {
        columns: columns.collect(),
        key: (0..key_len as u16).collect(),
        order: vec![OrderColumn {
            column: 0,
            descending: true,
        }],
    }
}

/// A description, packed rows, and a delta whose operations are in the order of the JSON form.
fn instance() -> impl Strategy<Value = (ResultDescription, Vec<Vec<u8>>, Vec<u8>)> {
    row()
        .prop_flat_map(|(types, _)| {
            let rows = vec(types.iter().map(value_of).collect::<Vec<_>>(), 0..4);
            (Just(types), rows, any::<Index>(), any::<u8>())
        })
        .prop_map(|(types, rows, key_len, mask)| {
            let description = describe(&types, 1 + key_len.index(types.len()));
            let packed: Vec<Vec<Vec<u8>>> = rows
                .iter()
                .map(|row| {
                    types
                        .iter()
                        .zip(row)
                        .map(|(ty, value)| pack(ty, value))
                        .collect()
                })
                .collect();
            let mut ops = Vec::new();
            let mut writer = DeltaWriter::new(&mut ops);
            let mask = mask & ((1u16 << types.len()) - 1) as u8;
            let key_of = |row: &Vec<Vec<u8>>| row[..description.key.len()].concat();
            for (position, row) in packed.iter().enumerate() {
                let masked = row
                    .iter()
                    .enumerate()
                    .filter(|(column, _)| mask >> column & 1 == 1);
                let values: Vec<u8> = masked.flat_map(|(_, bytes)| bytes.clone()).collect();
                match position {
                    0 => writer.push(DeltaOp::Insert { row: &row.concat() }),
                    1 | 2 => writer.push(DeltaOp::Update {
                        key: &key_of(row),
                        mask: &[mask],
                        values: &values,
                    }),
                    _ => writer.push(DeltaOp::Delete { key: &key_of(row) }),
                }
            }
            (
                description,
                packed.iter().map(|row| row.concat()).collect(),
                ops,
            )
        })
}

fn wire_error() -> impl Strategy<Value = WireError> {
    ("[A-Z_]{1,8}", ".{0,8}", proptest::option::of(".{0,8}")).prop_map(|(code, message, hint)| {
        WireError {
            code,
            message,
            hint,
        }
    })
}

type Numbers = (u32, u64, Lsn, bool);

fn numbers() -> impl Strategy<Value = Numbers> {
    (
        any::<u32>(),
        any::<u64>(),
        any::<u64>().prop_map(Lsn),
        any::<bool>(),
    )
}

/// A message with rows or operations.
fn rows_message(
    (description, rows, ops): (ResultDescription, Vec<Vec<u8>>, Vec<u8>),
    (id, handle, lsn, last): Numbers,
) -> (ServerMessage, Known) {
    let (row_count, rows) = (rows.len() as u32, ByteBuf::from(rows.concat()));
    let own = last.then(|| description.clone());
    let message = match id % 5 {
        0 => ServerMessage::Snapshot(Snapshot {
            id,
            handle,
            lsn,
            description: own,
            rows,
            row_count,
            last,
        }),
        1 => ServerMessage::Reset(Reset {
            handle,
            lsn,
            rows,
            row_count,
            last,
        }),
        2 => ServerMessage::Rows(Rows {
            id,
            lsn,
            description: own,
            rows,
            row_count,
            last,
        }),
        3 => ServerMessage::Moved(Moved {
            id,
            handle,
            lsn,
            ops: ByteBuf::from(ops),
        }),
        _ => {
            let delta = Delta {
                handle,
                ops: ByteBuf::from(ops),
            };
            ServerMessage::Commit(Commit {
                lsn,
                deltas: vec![delta; id as usize % 3],
            })
        }
    };
    (
        message,
        Known {
            description: Some(description),
            value: None,
        },
    )
}

fn reply() -> impl Strategy<Value = (ServerMessage, Known)> {
    let parts = (
        proptest::option::of(typed_value()),
        proptest::option::of(wire_error()),
    );
    (parts, numbers()).prop_map(|((typed, error), (id, _, lsn, _))| {
        let bytes = typed
            .as_ref()
            .map_or_else(Vec::new, |(ty, value)| pack(ty, value));
        let value = error.is_none().then(|| ByteBuf::from(bytes));
        let known = Known {
            description: None,
            value: typed.map(|(ty, _)| ty),
        };
        (
            ServerMessage::Reply(Reply {
                id,
                lsn,
                value,
                error,
            }),
            known,
        )
    })
}

/// A message without packed data.
fn plain_message(
    bytes: [u8; 32],
    lsn: Lsn,
    text: Option<String>,
    error: WireError,
) -> ServerMessage {
    match bytes[0] % 4 {
        0 => ServerMessage::Welcome(Welcome {
            identity: Identity(bytes),
            connection: ConnectionId([bytes[1]; 16]),
            token: text.clone(),
            epoch: Epoch(lsn.0 / 2),
            lsn,
            schema_hash: "00ff".into(),
            schema: text,
            server: "0.1.0".into(),
        }),
        1 => {
            let schema = text.unwrap_or_default();
            ServerMessage::SchemaChanged(SchemaChanged {
                schema_hash: "00ff".into(),
                schema,
            })
        }
        2 => ServerMessage::Error(ErrorMessage { error }),
        _ => ServerMessage::Pong(Pong {
            id: u32::from(bytes[1]),
            lsn,
        }),
    }
}

/// A message, and what a reader must know to read its JSON form.
fn server_message() -> impl Strategy<Value = (ServerMessage, Known)> {
    let rows =
        (instance(), numbers()).prop_map(|(instance, numbers)| rows_message(instance, numbers));
    let parts = (
        any::<[u8; 32]>(),
        any::<u64>(),
        proptest::option::of(".{0,8}"),
        wire_error(),
    );
    let plain = parts.prop_map(|(bytes, lsn, text, error)| {
        (
            plain_message(bytes, Lsn(lsn), text, error),
            Known::default(),
        )
    });
    prop_oneof![3 => rows, 1 => reply(), 1 => plain]
}

/// In the place of a query; nothing looks inside.
fn structure(encoding: Encoding, bytes: Vec<u8>) -> QueryForm<'static> {
    match encoding {
        Encoding::MessagePack => QueryForm::Logical(bytes.into()),
        Encoding::Json => QueryForm::LogicalJson(serde_json::json!({ "a": bytes })),
    }
}

fn client_message(encoding: Encoding) -> impl Strategy<Value = ClientMessage<'static>> {
    let text = || ".{0,6}".prop_map(Cow::<'static, str>::Owned);
    let param = select(vec![
        Param::Null,
        Param::Bool(true),
        Param::Int(-7),
        Param::Float(0.5),
        Param::Text("t".into()),
        Param::List(vec![Param::Int(1), Param::Null]),
    ]);
    // In JSON a name that comes twice is one member: the last one counts.
    let params = proptest::collection::btree_map(".{0,3}", param, 0..3);
    let params = params.prop_map(|params| params.into_iter().collect::<Vec<_>>());
    let packed = vec(any::<u8>(), 0..40);
    let ids = (
        any::<u32>(),
        any::<u32>(),
        proptest::option::of(any::<u64>()),
    );
    (
        0..8u8,
        text(),
        proptest::option::of(text()),
        params,
        packed,
        ids,
    )
        .prop_map(
            move |(kind, sql, token, params, packed, (id, subscription, key))| match kind {
                0 => ClientMessage::Hello(Hello {
                    schema_hash: token.clone(),
                    token,
                    delivery: if id % 2 == 0 {
                        Delivery::Confirmed
                    } else {
                        Delivery::Unconfirmed
                    },
                    resume: key.map(|key| (Epoch(key), Lsn(key / 2))),
                }),
                1 => ClientMessage::Call(Call {
                    id,
                    reducer: sql,
                    args: match encoding {
                        Encoding::MessagePack => Args::Packed(Cow::Owned(packed)),
                        Encoding::Json => Args::Json(serde_json::json!([id, { "a": packed }])),
                    },
                    idempotency_key: key,
                }),
                2 => ClientMessage::Subscribe(Subscribe {
                    id,
                    sql: QueryForm::Sql(sql),
                    params,
                }),
                3 => ClientMessage::Unsubscribe(Unsubscribe { id, subscription }),
                4 => ClientMessage::Query(Query {
                    id,
                    sql: structure(encoding, packed),
                    params,
                }),
                5 => ClientMessage::Ping(Ping { id }),
                6 => ClientMessage::Auth(Auth { id, token: sql }),
                _ => ClientMessage::SetParams(SetParams {
                    id,
                    subscription,
                    params,
                }),
            },
        )
}
