//! A client without a transport: folds what the server says, and holds it to the rules of docs/wire.md.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use syncline_client::cache::{Change, Chunk, LiveResult};
use syncline_client::protocol::{packed, param::Param};
use syncline_protocol::logical::LogicalQuery;
use syncline_protocol::message::{
    Args, Call, ClientMessage, Delivery, Encoding, Hello, Ping, Query, QueryForm, ReplyTypes,
    ResultDescription, Rows, ServerMessage, SetParams, Snapshot, Subscribe, Unsubscribe, Welcome,
    server_from_json,
};
use syncline_protocol::{Lsn, Schema, Type, WireError};

/// What a client knows.
pub(crate) struct Peer {
    pub(crate) encoding: Encoding,
    pub(crate) welcome: Option<Welcome>,
    pub(crate) schema: Schema,
    /// By the client's id.
    pub(crate) subscriptions: BTreeMap<u32, Subscribed>,
    /// Answers that nobody has taken yet, by request.
    pub(crate) answers: BTreeMap<u32, Answer>,
    /// The error message that came before a close.
    pub(crate) last_error: Option<WireError>,
    pub(crate) schema_changes: usize,
    pub(crate) commits: usize,
    /// The position of the stream.
    pub(crate) lsn: Lsn,
    next_id: u32,
    types: Types,
    half_rows: BTreeMap<u32, (ResultDescription, Vec<Json>)>,
}

/// A live query of a client.
pub(crate) struct Subscribed {
    pub(crate) handle: Option<u64>,
    pub(crate) live: LiveResult,
    /// Since somebody looked.
    pub(crate) changes: Vec<Change>,
}

/// An answer to a request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Value(Lsn, Json),
    Rows { rows: Vec<Json>, is_ordered: bool },
    Subscribed,
    Pong,
    Failed(WireError),
}

/// What the JSON form needs to know.
#[derive(Default)]
struct Types {
    replies: BTreeMap<u32, Type>,
    instances: BTreeMap<u64, ResultDescription>,
    queries: BTreeMap<u32, ResultDescription>,
    subscriptions: BTreeMap<u32, ResultDescription>,
}

impl Types {
    /// The instance that a subscription now is of.
    fn describe(&mut self, subscription: u32, handle: u64) {
        let description = self.subscriptions[&subscription].clone();
        self.instances.insert(handle, description);
    }
}

impl ReplyTypes for Types {
    fn reply(&self, id: u32) -> Option<Type> {
        self.replies.get(&id).cloned()
    }
    fn instance(&self, handle: u64) -> Option<&ResultDescription> {
        self.instances.get(&handle)
    }
    fn query(&self, id: u32) -> Option<&ResultDescription> {
        self.queries.get(&id)
    }
    fn subscription(&self, id: u32) -> Option<&ResultDescription> {
        self.subscriptions.get(&id)
    }
}

impl Peer {
    pub(crate) fn new(encoding: Encoding) -> Self {
        Self {
            encoding,
            welcome: None,
            schema: Schema::default(),
            subscriptions: BTreeMap::new(),
            answers: BTreeMap::new(),
            last_error: None,
            schema_changes: 0,
            commits: 0,
            lsn: Lsn::ZERO,
            next_id: 1,
            types: Types::default(),
            half_rows: BTreeMap::new(),
        }
    }

    pub(crate) fn hello(&self, token: Option<&str>, delivery: Delivery) -> Vec<u8> {
        let token = token.map(Into::into);
        self.encoded(&ClientMessage::Hello(Hello {
            token,
            delivery,
            ..Hello::default()
        }))
    }

    /// A call as it travels. `Err` if arguments cannot even be packed, which is as far as they get.
    pub(crate) fn call(&mut self, reducer: &str, args: Json) -> Result<(u32, Vec<u8>), String> {
        let def = self.schema.reducer(reducer).map(|(_, def)| def.clone());
        let args = match (self.encoding, &def) {
            (Encoding::Json, _) => Args::Json(args),
            (Encoding::MessagePack, Some(def)) => {
                let packed = syncline_protocol::json::args_to_packed(&def.params, &args)?;
                Args::Packed(packed.into())
            }
            (Encoding::MessagePack, None) => Args::Packed(Vec::new().into()),
        };
        let id = self.id();
        if let Some(returns) = def.and_then(|def| def.returns) {
            self.types.replies.insert(id, returns);
        }
        let reducer = reducer.into();
        let call = Call {
            id,
            reducer,
            args,
            idempotency_key: None,
        };
        Ok((id, self.encoded(&ClientMessage::Call(call))))
    }

    pub(crate) fn subscribe(&mut self, sql: &str, params: &[(String, Param)]) -> (u32, Vec<u8>) {
        let id = self.id();
        let live = LiveResult::new();
        self.subscriptions.insert(
            id,
            Subscribed {
                handle: None,
                live,
                changes: Vec::new(),
            },
        );
        let (sql, params) = (self.form(sql), params.to_vec());
        (
            id,
            self.encoded(&ClientMessage::Subscribe(Subscribe { id, sql, params })),
        )
    }

    pub(crate) fn unsubscribe(&mut self, subscription: u32) -> (u32, Vec<u8>) {
        let id = self.id();
        (
            id,
            self.encoded(&ClientMessage::Unsubscribe(Unsubscribe {
                id,
                subscription,
            })),
        )
    }

    pub(crate) fn set_params(
        &mut self,
        subscription: u32,
        params: &[(String, Param)],
    ) -> (u32, Vec<u8>) {
        let (id, params) = (self.id(), params.to_vec());
        let request = SetParams {
            id,
            subscription,
            params,
        };
        (id, self.encoded(&ClientMessage::SetParams(request)))
    }

    pub(crate) fn query(&mut self, sql: &str, params: &[(String, Param)]) -> (u32, Vec<u8>) {
        let id = self.id();
        let (sql, params) = (self.form(sql), params.to_vec());
        (
            id,
            self.encoded(&ClientMessage::Query(Query { id, sql, params })),
        )
    }

    /// SQL text, or the JSON of a logical query.
    fn form<'a>(&self, query: &'a str) -> QueryForm<'a> {
        if !query.starts_with('{') {
            return query.into();
        }
        let json = serde_json::from_str(query).expect("a query in braces is JSON");
        match self.encoding {
            Encoding::Json => QueryForm::LogicalJson(json),
            // What is no query does not get as far as bytes: any will do.
            Encoding::MessagePack => match LogicalQuery::from_json(json) {
                Ok(query) => QueryForm::Logical(query.encode().into()),
                Err(_) => QueryForm::Logical(vec![0xc1].into()),
            },
        }
    }

    pub(crate) fn ping(&mut self) -> (u32, Vec<u8>) {
        let id = self.id();
        (id, self.encoded(&ClientMessage::Ping(Ping { id })))
    }

    pub(crate) fn encoded(&self, message: &ClientMessage<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        message.encode(self.encoding, &mut bytes);
        bytes
    }

    fn id(&mut self) -> u32 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// Takes one message.
    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        let message = self.decode(bytes);
        self.check_order(&message);
        match message {
            ServerMessage::Welcome(welcome) => {
                assert!(self.welcome.is_none(), "a second Welcome");
                self.schema = serde_json::from_str(welcome.schema.as_ref().unwrap()).unwrap();
                self.welcome = Some(welcome);
            }
            ServerMessage::Snapshot(snapshot) => self.snapshot(snapshot),
            ServerMessage::Commit(commit) => {
                self.commits += 1;
                for delta in &commit.deltas {
                    for known in self.subscriptions.values_mut() {
                        if known.handle == Some(delta.handle) {
                            known
                                .live
                                .commit(commit.lsn, &delta.ops, &mut known.changes)
                                .unwrap();
                        }
                    }
                }
            }
            ServerMessage::Moved(moved) => {
                self.types.describe(moved.id, moved.handle);
                let known = self.subscriptions.get_mut(&moved.id).unwrap();
                known.handle = Some(moved.handle);
                let (lsn, changes) = (moved.lsn, &mut known.changes);
                known.live.moved(lsn, &moved.ops, changes).unwrap();
            }
            ServerMessage::Reset(reset) => {
                let (rows, row_count) = (&*reset.rows, reset.row_count);
                let chunk = Chunk {
                    lsn: reset.lsn,
                    rows,
                    row_count,
                    last: reset.last,
                };
                for known in self.subscriptions.values_mut() {
                    if known.handle == Some(reset.handle) {
                        known.live.reset(chunk, &mut known.changes).unwrap();
                    }
                }
            }
            ServerMessage::Reply(reply) => {
                let answer = match reply.error {
                    Some(error) => {
                        // The end of a subscription, if the id is one's.
                        self.subscriptions.remove(&reply.id);
                        Answer::Failed(error)
                    }
                    None => Answer::Value(reply.lsn, self.value(reply.id, &reply.value.unwrap())),
                };
                self.answer(reply.id, answer);
            }
            ServerMessage::Rows(rows) => self.rows(rows),
            ServerMessage::SchemaChanged(changed) => {
                self.schema_changes += 1;
                self.schema = serde_json::from_str(&changed.schema).unwrap();
            }
            ServerMessage::Error(message) => self.last_error = Some(message.error),
            ServerMessage::Pong(pong) => self.answer(pong.id, Answer::Pong),
        }
    }

    fn decode(&mut self, bytes: &[u8]) -> ServerMessage {
        match self.encoding {
            Encoding::MessagePack => ServerMessage::decode(bytes).unwrap(),
            Encoding::Json => {
                let json = serde_json::from_slice(bytes).unwrap();
                server_from_json(&json, &self.types).unwrap_or_else(|e| panic!("{e} in {json}"))
            }
        }
    }

    /// Everything is in the order of the log, and each transaction is told once.
    fn check_order(&mut self, message: &ServerMessage) {
        let lsn = match message {
            ServerMessage::Welcome(message) => message.lsn,
            ServerMessage::Snapshot(message) => message.lsn,
            ServerMessage::Commit(message) => {
                assert!(message.lsn > self.lsn, "a Commit of the past: {message:?}");
                assert!(!message.deltas.is_empty(), "a Commit without deltas");
                message.lsn
            }
            ServerMessage::Reset(message) => message.lsn,
            ServerMessage::Moved(message) => message.lsn,
            ServerMessage::Reply(message) => message.lsn,
            ServerMessage::Rows(message) => message.lsn,
            ServerMessage::Pong(message) => message.lsn,
            ServerMessage::SchemaChanged(_) | ServerMessage::Error(_) => self.lsn,
        };
        // A call that changes nothing answers with the last transaction, which is no news.
        assert!(lsn >= self.lsn, "{lsn} after {}: {message:?}", self.lsn);
        self.lsn = lsn;
    }

    fn answer(&mut self, id: u32, answer: Answer) {
        let before = self.answers.insert(id, answer);
        assert!(before.is_none(), "request {id} was answered twice");
    }

    fn value(&self, id: u32, packed: &[u8]) -> Json {
        if let Some(ty) = self.types.replies.get(&id) {
            syncline_protocol::json::encode_packed(ty, packed).unwrap()
        } else {
            assert!(packed.is_empty(), "a value that the schema does not have");
            Json::Null
        }
    }

    fn snapshot(&mut self, snapshot: Snapshot) {
        let Snapshot {
            id,
            handle,
            lsn,
            description,
            rows,
            row_count,
            last,
        } = snapshot;
        if let Some(description) = &description {
            self.types.subscriptions.insert(id, description.clone());
            self.types.describe(id, handle);
        }
        let known = self
            .subscriptions
            .get_mut(&id)
            .expect("a Snapshot that nobody wants");
        let is_first = !known.live.is_ready();
        known.handle = Some(handle);
        let chunk = Chunk {
            lsn,
            rows: &rows,
            row_count,
            last,
        };
        if known
            .live
            .snapshot(description, chunk, &mut known.changes)
            .unwrap()
            && is_first
        {
            known.changes.clear();
            self.answer(id, Answer::Subscribed);
        }
    }

    fn rows(&mut self, rows: Rows) {
        if let Some(description) = rows.description {
            self.types.queries.insert(rows.id, description.clone());
            self.half_rows.insert(rows.id, (description, Vec::new()));
        }
        let (description, so_far) = self.half_rows.get_mut(&rows.id).unwrap();
        let mut rest = rows.rows.as_slice();
        for _ in 0..rows.row_count {
            let row = take_row(description, &mut rest);
            so_far.push(visible(description, row));
        }
        assert!(rest.is_empty(), "bytes after the last row");
        if rows.last {
            let (description, rows_of_all) = self.half_rows.remove(&rows.id).unwrap();
            let is_ordered = !description.order.is_empty();
            self.answer(
                rows.id,
                Answer::Rows {
                    rows: rows_of_all,
                    is_ordered,
                },
            );
        }
    }
}

impl Subscribed {
    /// The rows as JSON, and whether their order means something.
    pub(crate) fn rows(&self) -> (Vec<Json>, bool) {
        let Some(description) = self.live.description() else {
            return (Vec::new(), false);
        };
        let rows = self
            .live
            .rows()
            .map(|row| visible(description, row))
            .collect();
        (rows, !description.order.is_empty())
    }

    /// The changes since the last look, as `["+", row]`, `["-", old row]` and `["~", new row]`.
    pub(crate) fn take_changes(&mut self) -> Vec<Json> {
        let changes = std::mem::take(&mut self.changes);
        let Some(description) = self.live.description() else {
            return Vec::new();
        };
        let told = changes.iter().filter_map(|change| match change {
            Change::Insert(row) => Some(json!(["+", visible(description, row)])),
            Change::Delete(row) => Some(json!(["-", visible(description, row)])),
            Change::Update { old, new } => {
                let (old, new) = (visible(description, old), visible(description, new));
                // A change of hidden columns is none that one sees.
                (old != new).then(|| json!(["~", new]))
            }
        });
        told.collect()
    }
}

/// Cuts a row off the front.
fn take_row<'a>(description: &ResultDescription, rest: &mut &'a [u8]) -> &'a [u8] {
    let start = *rest;
    let mut reader = packed::Reader::new(start);
    for ty in description.types() {
        reader.value(ty).unwrap();
    }
    *rest = reader.rest();
    &start[..start.len() - rest.len()]
}

/// The visible columns of a packed row.
fn visible(description: &ResultDescription, row: &[u8]) -> Json {
    let mut reader = packed::Reader::new(row);
    let mut object = Map::new();
    for column in &description.columns {
        let value = reader.value(&column.ty).unwrap();
        if !column.hidden {
            let json = syncline_protocol::json::encode_packed(&column.ty, value).unwrap();
            object.insert(column.name.clone(), json);
        }
    }
    Json::Object(object)
}
