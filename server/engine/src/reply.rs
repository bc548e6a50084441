//! How answers are written, in both encodings.

use serde_json::{Value as Json, json};
use syncline_host::CallError;
use syncline_protocol::message::{
    Encoding, Pong, Reply, ReplyTypes, ResultDescription, ServerMessage, text,
};
use syncline_protocol::packed::Reader;
use syncline_protocol::{Lsn, Type, WireError};

/// Appends a message without packed data.
pub fn put(encoding: Encoding, message: &ServerMessage, out: &mut Vec<u8>) {
    match encoding {
        Encoding::MessagePack => message.encode(out),
        Encoding::Json => text::server_to_json(message, &NoRows, out),
    }
}

/// Appends a Snapshot, Rows or Moved.
pub(crate) fn put_rows(
    encoding: Encoding,
    message: &ServerMessage,
    description: &ResultDescription,
    out: &mut Vec<u8>,
) {
    match encoding {
        Encoding::MessagePack => message.encode(out),
        Encoding::Json => text::server_to_json(message, &RowsOf(description), out),
    }
}

/// Appends the Reply of a request that went well.
pub(crate) fn put_value(
    encoding: Encoding,
    id: u32,
    lsn: Lsn,
    ty: Option<&Type>,
    value: &[u8],
    out: &mut Vec<u8>,
) {
    match encoding {
        Encoding::MessagePack => Reply::put_ok(id, lsn, value, out),
        Encoding::Json => {
            let value = Some(value.to_vec().into());
            text::reply(
                &Reply {
                    id,
                    lsn,
                    value,
                    error: None,
                },
                ty,
                out,
            );
        }
    }
}

/// Appends the Reply of a request that failed.
pub(crate) fn put_error(
    encoding: Encoding,
    id: u32,
    lsn: Lsn,
    error: &WireError,
    out: &mut Vec<u8>,
) {
    let reply = Reply {
        id,
        lsn,
        value: None,
        error: Some(error.clone()),
    };
    match encoding {
        Encoding::MessagePack => ServerMessage::Reply(reply).encode(out),
        Encoding::Json => text::reply(&reply, None, out),
    }
}

/// Appends a Pong.
pub(crate) fn put_pong(encoding: Encoding, id: u32, lsn: Lsn, out: &mut Vec<u8>) {
    put(encoding, &ServerMessage::Pong(Pong { id, lsn }), out);
}

/// A call's error as it travels.
pub(crate) fn call_error(reducer: &str, error: &CallError) -> WireError {
    match error {
        CallError::Reducer(message) => WireError::new(error.code(), message.clone()),
        other => WireError::new(other.code(), format!("{reducer}: {other}")),
    }
}

/// A reducer's value as JSON; null if it returns nothing.
pub(crate) fn json(ty: Option<&Type>, value: &[u8]) -> Json {
    ty.map_or(Json::Null, |ty| {
        syncline_protocol::json::encode_packed(ty, value)
            .expect("the host has checked the value against its type")
    })
}

/// The answer of a query over HTTP.
pub(crate) fn rows_json(
    lsn: Lsn,
    description: &ResultDescription,
    rows: &[u8],
    ends: &[usize],
) -> Json {
    let mut start = 0;
    let rows: Vec<Json> = ends
        .iter()
        .map(|&end| {
            let mut reader = Reader::new(&rows[start..end]);
            start = end;
            let values = description.types().map(|ty| {
                let packed = reader.value(ty).expect("result rows are packed");
                json(Some(ty), packed)
            });
            Json::Array(values.collect())
        })
        .collect();
    json!({
        "lsn": lsn,
        "columns": description.columns,
        "key": description.key,
        "order": description.order,
        "rows": rows,
    })
}

/// Lower-case hex of a hash.
pub(crate) fn hex(hash: &[u8; 32]) -> String {
    syncline_protocol::Identity(*hash).to_hex()
}

struct NoRows;

impl ReplyTypes for NoRows {
    fn reply(&self, _: u32) -> Option<Type> {
        None
    }
    fn instance(&self, _: u64) -> Option<&ResultDescription> {
        None
    }
}

/// All rows of a message have this description.
struct RowsOf<'a>(&'a ResultDescription);

impl ReplyTypes for RowsOf<'_> {
    fn reply(&self, _: u32) -> Option<Type> {
        None
    }
    fn instance(&self, _: u64) -> Option<&ResultDescription> {
        Some(self.0)
    }
    fn query(&self, _: u32) -> Option<&ResultDescription> {
        Some(self.0)
    }
    fn subscription(&self, _: u32) -> Option<&ResultDescription> {
        Some(self.0)
    }
}
