//! The JSON form of server messages: an object whose `type` is the message's name in snake case, and
//! whose members are the fields of the struct, but for packed data:
//!
//! - `rows` is an array of rows, each an array of the values of all columns of the description (the
//!   hidden ones too); there is no `row_count`.
//! - a delta is `{"handle": 7, "insert": [row, ..], "update": [{"key": [..], "set": {"column": value}}, ..],
//!   "delete": [key, ..]}`; a key is an array of the values of the key columns; what is empty is left
//!   out. In `set` a column goes by its name, or by `#` and its position if one before it has that name.
//! - `moved` has one `delta` in place of `handle` and `ops`.
//! - a reply has `value` (null if there is none) or `error`.
//!
//! Values are written as [`crate::json`] writes them, the schema is JSON text in a string as in
//! MessagePack. Packed data whose type is not known, or that is not of its type, becomes
//! `{"packed": base64}`: nothing is lost, and nothing panics.

use serde::Serialize;

use super::delta::{DeltaOp, DeltaReader, ResultDescription};
use super::server::{ErrorMessage, Moved, Pong, Reply, SchemaChanged, ServerMessage, Welcome};
use crate::error::CodecError;
use crate::ids::Lsn;
use crate::json;
use crate::packed::Reader;
use crate::types::Type;

const WRITES: &str = "writing to memory cannot fail";

/// What a JSON reader or writer must know of requests and instances to turn packed data into JSON.
pub trait ReplyTypes {
    /// Type of the value that the Reply to this request carries; `None`: no value.
    fn reply(&self, id: u32) -> Option<Type>;
    /// Description of the rows of an instance.
    fn instance(&self, handle: u64) -> Option<&ResultDescription>;
    /// Description of the rows of a one-off query, for the chunks after the first.
    fn query(&self, id: u32) -> Option<&ResultDescription> {
        let _ = id;
        None
    }
    /// Description of the rows of a subscription, which other parameters do not change.
    fn subscription(&self, id: u32) -> Option<&ResultDescription> {
        let _ = id;
        None
    }
}

/// Appends the JSON form of a message.
pub fn server_to_json(message: &ServerMessage, types: &dyn ReplyTypes, out: &mut Vec<u8>) {
    match message {
        ServerMessage::Welcome(body) => put(&Tagged::Welcome(body), out),
        ServerMessage::SchemaChanged(body) => put(&Tagged::SchemaChanged(body), out),
        ServerMessage::Error(body) => put(&Tagged::Error(body), out),
        ServerMessage::Pong(body) => put(&Tagged::Pong(body), out),
        ServerMessage::Reply(body) => reply(body, types.reply(body.id).as_ref(), out),
        ServerMessage::Snapshot(body) => {
            let known = types.instance(body.handle);
            put_start(
                &Start::Snapshot {
                    id: body.id,
                    handle: body.handle,
                    lsn: body.lsn,
                },
                out,
            );
            put_rows(body.description.as_ref(), known, &body.rows, body.last, out);
        }
        ServerMessage::Reset(body) => {
            put_start(
                &Start::Reset {
                    handle: body.handle,
                    lsn: body.lsn,
                },
                out,
            );
            put_rows(
                None,
                types.instance(body.handle),
                &body.rows,
                body.last,
                out,
            );
        }
        ServerMessage::Rows(body) => {
            put_start(
                &Start::Rows {
                    id: body.id,
                    lsn: body.lsn,
                },
                out,
            );
            let known = types.query(body.id);
            put_rows(body.description.as_ref(), known, &body.rows, body.last, out);
        }
        ServerMessage::Commit(body) => {
            commit_begin(body.lsn, out);
            for (position, delta) in body.deltas.iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                put_segment(delta.handle, types.instance(delta.handle), &delta.ops, out);
            }
            commit_end(out);
        }
        ServerMessage::Moved(body) => {
            let Moved { id, lsn, .. } = *body;
            put_start(&Start::Moved { id, lsn }, out);
            out.extend_from_slice(br#","delta":"#);
            put_segment(body.handle, types.subscription(id), &body.ops, out);
            out.push(b'}');
        }
    }
}

/// Appends a Reply whose value is of type `ty`; `None`: it has no value.
pub fn reply(reply: &Reply, ty: Option<&Type>, out: &mut Vec<u8>) {
    put_start(
        &Start::Reply {
            id: reply.id,
            lsn: reply.lsn,
        },
        out,
    );
    if let Some(error) = &reply.error {
        out.extend_from_slice(br#","error":"#);
        put(error, out);
    } else {
        out.extend_from_slice(br#","value":"#);
        let bytes: &[u8] = reply.value.as_ref().map_or(&[], |value| value.as_slice());
        match ty {
            None if bytes.is_empty() => out.extend_from_slice(b"null"),
            None => put_packed(bytes, out),
            Some(ty) => put_or_packed(bytes, out, |reader, out| {
                json::write_packed(ty, reader, out)
            }),
        }
    }
    out.push(b'}');
}

/// Appends the beginning of a Snapshot: what is the receiver's own. What follows is the same for all who get
/// the same chunk.
pub fn snapshot_begin(id: u32, handle: u64, lsn: Lsn, out: &mut Vec<u8>) {
    put_start(&Start::Snapshot { id, handle, lsn }, out);
}

/// Appends the start of a Commit. Then come its segments with a comma between them, then
/// [`commit_end`].
pub fn commit_begin(lsn: Lsn, out: &mut Vec<u8>) {
    put_start(&Start::Commit { lsn }, out);
    out.extend_from_slice(br#","deltas":["#);
}

/// Appends one segment, which all receivers of an instance share: what a transaction changed in it.
pub fn segment(handle: u64, description: &ResultDescription, ops: &[u8], out: &mut Vec<u8>) {
    put_segment(handle, Some(description), ops, out);
}

/// Appends the end of a Commit.
pub fn commit_end(out: &mut Vec<u8>) {
    out.extend_from_slice(b"]}");
}

fn put_segment(
    handle: u64,
    description: Option<&ResultDescription>,
    ops: &[u8],
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(br#"{"handle":"#);
    put(&handle, out);
    let start = out.len();
    let written = description.ok_or(CodecError::Unknown);
    if written
        .and_then(|description| put_ops(description, ops, out))
        .is_err()
    {
        out.truncate(start);
        out.extend_from_slice(br#","ops":"#);
        put_packed(ops, out);
    }
    out.push(b'}');
}

/// Messages that have no packed data are written as they are.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Tagged<'a> {
    Welcome(&'a Welcome),
    SchemaChanged(&'a SchemaChanged),
    Error(&'a ErrorMessage),
    Pong(&'a Pong),
}

/// What comes before the packed data of the others.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Start {
    Snapshot { id: u32, handle: u64, lsn: Lsn },
    Reset { handle: u64, lsn: Lsn },
    Rows { id: u32, lsn: Lsn },
    Commit { lsn: Lsn },
    Reply { id: u32, lsn: Lsn },
    Moved { id: u32, lsn: Lsn },
}

fn put(value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect(WRITES);
}

/// Writes an object and leaves it open.
fn put_start(start: &Start, out: &mut Vec<u8>) {
    put(start, out);
    assert_eq!(out.pop(), Some(b'}'), "an object was written");
}

fn put_packed(bytes: &[u8], out: &mut Vec<u8>) {
    put(
        &Packed {
            packed: json::to_base64(bytes),
        },
        out,
    );
}

#[derive(Serialize)]
struct Packed {
    packed: String,
}

/// Writes all of `bytes`, or the packed form if they are not what `write` takes them for.
fn put_or_packed(
    bytes: &[u8],
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Reader<'_>, &mut Vec<u8>) -> Result<(), CodecError>,
) {
    let start = out.len();
    let mut reader = Reader::new(bytes);
    if write(&mut reader, out)
        .and_then(|()| reader.finish())
        .is_err()
    {
        out.truncate(start);
        put_packed(bytes, out);
    }
}

/// Writes the rest of a chunk: the description if the chunk has one, the rows, `last`.
fn put_rows(
    own: Option<&ResultDescription>,
    known: Option<&ResultDescription>,
    rows: &[u8],
    last: bool,
    out: &mut Vec<u8>,
) {
    if let Some(description) = own {
        out.extend_from_slice(br#","description":"#);
        put(description, out);
    }
    out.extend_from_slice(br#","rows":"#);
    match own.or(known) {
        None if rows.is_empty() => out.extend_from_slice(b"[]"),
        None => put_packed(rows, out),
        Some(description) => put_or_packed(rows, out, |reader, out| {
            put_array(out, reader, |reader, out| {
                put_values(description.types(), reader, out)
            })
        }),
    }
    out.extend_from_slice(br#","last":"#);
    put(&last, out);
    out.push(b'}');
}

/// Writes items until the reader is at its end.
fn put_array(
    out: &mut Vec<u8>,
    reader: &mut Reader<'_>,
    item: impl Fn(&mut Reader<'_>, &mut Vec<u8>) -> Result<(), CodecError>,
) -> Result<(), CodecError> {
    out.push(b'[');
    while !reader.rest().is_empty() {
        if out.last() != Some(&b'[') {
            out.push(b',');
        }
        let before = reader.rest().len();
        item(reader, out)?;
        if reader.rest().len() == before {
            return Err(CodecError::TrailingBytes);
        }
    }
    out.push(b']');
    Ok(())
}

/// Writes values of these types as an array.
fn put_values<'t>(
    types: impl Iterator<Item = &'t Type>,
    reader: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    out.push(b'[');
    for (position, ty) in types.enumerate() {
        if position > 0 {
            out.push(b',');
        }
        json::write_packed(ty, reader, out)?;
    }
    out.push(b']');
    Ok(())
}

/// Writes the operations as three lists, in one pass over them each.
fn put_ops(
    description: &ResultDescription,
    ops: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let (mut inserts, mut updates, mut deletes) = (Vec::new(), Vec::new(), Vec::new());
    let mut reader = DeltaReader::new(description, ops);
    while let Some(op) = reader.next_op()? {
        match op {
            DeltaOp::Insert { row } => {
                separate(&mut inserts);
                put_values(description.types(), &mut Reader::new(row), &mut inserts)?;
            }
            DeltaOp::Update { key, mask, values } => {
                separate(&mut updates);
                put_update(description, key, mask, values, &mut updates)?;
            }
            DeltaOp::Delete { key } => {
                separate(&mut deletes);
                put_values(
                    description.key_types()?,
                    &mut Reader::new(key),
                    &mut deletes,
                )?;
            }
        }
    }
    for (name, items) in [
        ("insert", inserts),
        ("update", updates),
        ("delete", deletes),
    ] {
        if !items.is_empty() {
            out.push(b',');
            put(name, out);
            out.extend_from_slice(b":[");
            out.extend_from_slice(&items);
            out.push(b']');
        }
    }
    Ok(())
}

fn separate(items: &mut Vec<u8>) {
    if !items.is_empty() {
        items.push(b',');
    }
}

fn put_update(
    description: &ResultDescription,
    key: &[u8],
    mask: &[u8],
    values: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    out.extend_from_slice(br#"{"key":"#);
    put_values(description.key_types()?, &mut Reader::new(key), out)?;
    out.extend_from_slice(br#","set":{"#);
    let mut reader = Reader::new(values);
    let mut is_first = true;
    for (position, column) in description.columns.iter().enumerate() {
        if mask[position / 8] >> (position % 8) & 1 == 0 {
            continue;
        }
        if !is_first {
            out.push(b',');
        }
        is_first = false;
        put(&set_name(description, position), out);
        out.push(b':');
        json::write_packed(&column.ty, &mut reader, out)?;
    }
    out.extend_from_slice(b"}}");
    Ok(())
}

/// How `set` names the column at this position.
pub(super) fn set_name(description: &ResultDescription, position: usize) -> String {
    let name = &description.columns[position].name;
    let is_taken = description.columns[..position]
        .iter()
        .any(|column| column.name == *name);
    if is_taken || name.starts_with('#') {
        format!("#{position}")
    } else {
        name.clone()
    }
}
