//! Reads the JSON form of server messages, for clients that speak it (see [`super::text`]).

use serde::Deserialize;
use serde_bytes::ByteBuf;
use serde_json::{Map, Value as Json};

use super::delta::{DeltaOp, DeltaWriter, ResultDescription};
use super::server::{
    Commit, Delta, ErrorMessage, Moved, Pong, Reply, Reset, Rows, SchemaChanged, ServerMessage,
    Snapshot, Welcome,
};
use super::text::{ReplyTypes, set_name};
use crate::error::WireError;
use crate::ids::Lsn;
use crate::json;
use crate::types::Type;

/// Reads the JSON form back.
pub fn server_from_json(json: &Json, types: &dyn ReplyTypes) -> Result<ServerMessage, String> {
    let message = Message::deserialize(json).map_err(|error| error.to_string())?;
    Ok(match message {
        Message::Welcome(body) => ServerMessage::Welcome(body),
        Message::SchemaChanged(body) => ServerMessage::SchemaChanged(body),
        Message::Error(body) => ServerMessage::Error(body),
        Message::Pong(body) => ServerMessage::Pong(body),
        Message::Snapshot { id, handle, chunk } => {
            ServerMessage::Snapshot(chunk.into_snapshot(id, handle, types)?)
        }
        Message::Reset { handle, chunk } => {
            let Snapshot {
                lsn,
                rows,
                row_count,
                last,
                ..
            } = chunk.into_snapshot(0, handle, types)?;
            ServerMessage::Reset(Reset {
                handle,
                lsn,
                rows,
                row_count,
                last,
            })
        }
        Message::Rows { id, chunk } => ServerMessage::Rows(chunk.into_rows(id, types)?),
        Message::Commit { lsn, deltas } => {
            let deltas = deltas.into_iter().map(|delta| {
                let known = types.instance(delta.handle);
                read_delta(delta, known)
            });
            ServerMessage::Commit(Commit {
                lsn,
                deltas: deltas.collect::<Result<_, _>>()?,
            })
        }
        Message::Moved { id, lsn, delta } => {
            let Delta { handle, ops } = read_delta(delta, types.subscription(id))?;
            ServerMessage::Moved(Moved {
                id,
                handle,
                lsn,
                ops,
            })
        }
        Message::Reply {
            id,
            lsn,
            value,
            error,
        } => {
            let value = match &error {
                Some(_) => None,
                None => Some(read_value(&value, types.reply(id).as_ref())?),
            };
            ServerMessage::Reply(Reply {
                id,
                lsn,
                value,
                error,
            })
        }
    })
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Message {
    Welcome(Welcome),
    SchemaChanged(SchemaChanged),
    Error(ErrorMessage),
    Pong(Pong),
    Snapshot {
        id: u32,
        handle: u64,
        #[serde(flatten)]
        chunk: Chunk,
    },
    Reset {
        handle: u64,
        #[serde(flatten)]
        chunk: Chunk,
    },
    Rows {
        id: u32,
        #[serde(flatten)]
        chunk: Chunk,
    },
    Commit {
        lsn: Lsn,
        deltas: Vec<TextDelta>,
    },
    Reply {
        id: u32,
        lsn: Lsn,
        #[serde(default)]
        value: Json,
        #[serde(default)]
        error: Option<WireError>,
    },
    Moved {
        id: u32,
        lsn: Lsn,
        delta: TextDelta,
    },
}

#[derive(Deserialize)]
struct Chunk {
    lsn: Lsn,
    #[serde(default)]
    description: Option<ResultDescription>,
    rows: Json,
    last: bool,
}

impl Chunk {
    fn into_snapshot(
        self,
        id: u32,
        handle: u64,
        types: &dyn ReplyTypes,
    ) -> Result<Snapshot, String> {
        let (rows, row_count) = read_rows(&self, types.instance(handle))?;
        let Self {
            lsn,
            description,
            last,
            ..
        } = self;
        Ok(Snapshot {
            id,
            handle,
            lsn,
            description,
            rows,
            row_count,
            last,
        })
    }

    fn into_rows(self, id: u32, types: &dyn ReplyTypes) -> Result<Rows, String> {
        let (rows, row_count) = read_rows(&self, types.query(id))?;
        let Self {
            lsn,
            description,
            last,
            ..
        } = self;
        Ok(Rows {
            id,
            lsn,
            description,
            rows,
            row_count,
            last,
        })
    }
}

#[derive(Deserialize)]
struct TextDelta {
    handle: u64,
    #[serde(default)]
    insert: Vec<Json>,
    #[serde(default)]
    update: Vec<TextUpdate>,
    #[serde(default)]
    delete: Vec<Json>,
    #[serde(default)]
    ops: Option<Json>,
}

#[derive(Deserialize)]
struct TextUpdate {
    key: Json,
    set: Map<String, Json>,
}

/// The bytes of `{"packed": base64}`.
fn packed(json: &Json) -> Option<Vec<u8>> {
    let members = json.as_object()?;
    if members.len() != 1 {
        return None;
    }
    json::from_base64(members.get("packed")?.as_str()?)
}

fn read_value(json: &Json, ty: Option<&Type>) -> Result<ByteBuf, String> {
    let mut out = Vec::new();
    match ty {
        None if json.is_null() => {}
        None => out = packed(json).ok_or("a value of a type that is not known")?,
        Some(ty) => match json::pack(ty, json, &mut out) {
            Ok(()) => {}
            Err(problem) => out = packed(json).ok_or(problem)?,
        },
    }
    Ok(ByteBuf::from(out))
}

fn read_rows(chunk: &Chunk, known: Option<&ResultDescription>) -> Result<(ByteBuf, u32), String> {
    let Json::Array(rows) = &chunk.rows else {
        return Err("rows that are not an array, of an instance that is not known".into());
    };
    let row_count = u32::try_from(rows.len()).map_err(|_| "too many rows")?;
    let mut out = Vec::new();
    if !rows.is_empty() {
        let description = chunk.description.as_ref().or(known);
        let description = description.ok_or("rows without a description")?;
        for row in rows {
            read_values(description.types(), row, &mut out)?;
        }
    }
    Ok((ByteBuf::from(out), row_count))
}

fn read_values<'t>(
    types: impl Iterator<Item = &'t Type>,
    json: &Json,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let values = json.as_array().ok_or("a row or key that is not an array")?;
    let mut values = values.iter();
    for ty in types {
        json::pack(
            ty,
            values.next().ok_or("a row or key with too few values")?,
            out,
        )?;
    }
    match values.next() {
        None => Ok(()),
        Some(_) => Err("a row or key with too many values".into()),
    }
}

fn read_delta(delta: TextDelta, known: Option<&ResultDescription>) -> Result<Delta, String> {
    let TextDelta {
        handle,
        insert,
        update,
        delete,
        ops,
    } = delta;
    if let Some(ops) = ops {
        let ops = packed(&ops).ok_or("packed operations that are not base64")?;
        return Ok(Delta {
            handle,
            ops: ByteBuf::from(ops),
        });
    }
    let description = known.ok_or("a delta of an instance that is not known")?;
    let (mut ops, mut bytes) = (Vec::new(), Vec::new());
    for row in &insert {
        bytes.clear();
        read_values(description.types(), row, &mut bytes)?;
        DeltaWriter::new(&mut ops).push(DeltaOp::Insert { row: &bytes });
    }
    for update in &update {
        read_update(description, update, &mut ops)?;
    }
    for key in &delete {
        bytes.clear();
        read_values(key_types(description)?, key, &mut bytes)?;
        DeltaWriter::new(&mut ops).push(DeltaOp::Delete { key: &bytes });
    }
    Ok(Delta {
        handle,
        ops: ByteBuf::from(ops),
    })
}

fn key_types(description: &ResultDescription) -> Result<impl Iterator<Item = &Type>, String> {
    description.key_types().map_err(|error| error.to_string())
}

fn read_update(
    description: &ResultDescription,
    update: &TextUpdate,
    ops: &mut Vec<u8>,
) -> Result<(), String> {
    let (mut key, mut values) = (Vec::new(), Vec::new());
    read_values(key_types(description)?, &update.key, &mut key)?;
    let mut mask = vec![0; description.mask_len()];
    let mut set_count = 0;
    for (position, column) in description.columns.iter().enumerate() {
        if let Some(json) = update.set.get(&set_name(description, position)) {
            json::pack(&column.ty, json, &mut values)?;
            mask[position / 8] |= 1 << (position % 8);
            set_count += 1;
        }
    }
    if set_count < update.set.len() {
        return Err("an update sets a column that the description does not have".into());
    }
    DeltaWriter::new(ops).push(DeltaOp::Update {
        key: &key,
        mask: &mask,
        values: &values,
    });
    Ok(())
}
