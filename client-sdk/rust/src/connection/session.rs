//! One connection after its Welcome: commands become messages, messages become answers and rows. No
//! socket in here: [`super::socket`] moves what goes in and out.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use serde_bytes::ByteBuf;
use syncline_protocol::message::{
    Args, Auth, Call, ClientMessage, Commit, Encoding, Ping, Query, Reply, Reset,
    ResultDescription, SchemaChanged, ServerMessage, Snapshot, Subscribe, Unsubscribe,
};
use syncline_protocol::param::Param;
use syncline_protocol::{Lsn, Schema, Type};
use tokio::sync::oneshot;

use crate::Error;
use crate::cache::{Change, Chunk, PackedRow};
use crate::events::Batch;
use crate::rows::{Outcome, Rows};
use crate::shared::{Command, Live, Shared};

/// Frames to send, in order.
pub(crate) type Frames = VecDeque<Vec<u8>>;

/// State of one connection.
#[derive(Debug)]
pub(crate) struct Session {
    pub(super) shared: Arc<Shared>,
    /// Requests without an answer, by id.
    pub(super) waiting: HashMap<u32, Waiting>,
    /// Subscriptions that were sent, and the handle once the first Snapshot has named it.
    pub(super) subscriptions: HashMap<u32, Option<u64>>,
    /// Subscriptions by the server's handle.
    pub(super) handles: HashMap<u64, Vec<u32>>,
}

/// A request without an answer.
#[derive(Debug)]
pub(super) enum Waiting {
    Call {
        reducer: String,
        returns: Option<Type>,
        answer: oneshot::Sender<Result<Outcome, Error>>,
    },
    Query {
        /// What has come so far.
        description: Option<Arc<ResultDescription>>,
        rows: Vec<PackedRow>,
        answer: oneshot::Sender<Result<Rows, Error>>,
    },
    Done {
        /// Becomes the token of the next connection.
        token: Option<String>,
        answer: oneshot::Sender<Result<(), Error>>,
    },
    SetParams {
        subscription: u32,
        /// The parameters that it had.
        before: Vec<(String, Param)>,
        answer: oneshot::Sender<Result<(), Error>>,
    },
    Unsubscribe,
    KeepAlive,
}

impl Session {
    /// Starts where Welcome left off; `frames` get the subscriptions that there are.
    pub(crate) fn new(shared: Arc<Shared>, frames: &mut Frames) -> Self {
        let mut session = Self {
            shared,
            waiting: HashMap::new(),
            subscriptions: HashMap::new(),
            handles: HashMap::new(),
        };
        let live = session.shared.live.lock();
        let mut ids: Vec<u32> = live
            .iter()
            .filter(|(_, l)| l.error.is_none())
            .map(|(id, _)| *id)
            .collect();
        drop(live);
        ids.sort_unstable();
        for id in ids {
            session.subscribe(id, frames);
        }
        session
    }

    /// Takes a command, but for Close, which is the caller's.
    pub(crate) fn command(&mut self, command: Command, frames: &mut Frames) {
        match command {
            Command::Call {
                reducer,
                args,
                answer,
            } => {
                let schema = self.shared.facts.lock().schema.clone();
                let returns = schema
                    .reducer(&reducer)
                    .and_then(|(_, def)| def.returns.clone());
                let id = self.wait(Waiting::Call {
                    reducer: reducer.clone(),
                    returns,
                    answer,
                });
                let (reducer, args) = (reducer.into(), Args::Packed(args.into()));
                let call = Call {
                    id,
                    reducer,
                    args,
                    idempotency_key: None,
                };
                put(&ClientMessage::Call(call), frames);
            }
            Command::Query {
                form,
                params,
                answer,
            } => {
                let (description, rows) = (None, Vec::new());
                let id = self.wait(Waiting::Query {
                    description,
                    rows,
                    answer,
                });
                put(
                    &ClientMessage::Query(Query {
                        id,
                        sql: form.as_form(),
                        params,
                    }),
                    frames,
                );
            }
            Command::Subscribe { id } => self.subscribe(id, frames),
            Command::SetParams { id, before, answer } => {
                self.set_params(id, before, answer, frames);
            }
            Command::Ping { answer } => {
                let id = self.wait(Waiting::Done {
                    token: None,
                    answer,
                });
                put(&ClientMessage::Ping(Ping { id }), frames);
            }
            Command::Auth { token, answer } => {
                let id = self.wait(Waiting::Done {
                    token: Some(token.clone()),
                    answer,
                });
                put(
                    &ClientMessage::Auth(Auth {
                        id,
                        token: token.into(),
                    }),
                    frames,
                );
            }
            Command::Close => {}
        }
    }

    /// Notes a request and gives it an id.
    pub(super) fn wait(&mut self, waiting: Waiting) -> u32 {
        let id = self.shared.next_id();
        self.waiting.insert(id, waiting);
        id
    }

    /// Asks for a sign of life.
    pub(crate) fn keep_alive(&mut self, frames: &mut Frames) {
        let id = self.wait(Waiting::KeepAlive);
        put(&ClientMessage::Ping(Ping { id }), frames);
    }

    pub(super) fn subscribe(&mut self, id: u32, frames: &mut Frames) {
        let live = self.shared.live.lock();
        // It may be dropped already, or sent when this connection began.
        let Some(Live { form, params, .. }) = live.get(&id) else {
            return;
        };
        if self.subscriptions.contains_key(&id) {
            return;
        }
        let subscribe = Subscribe {
            id,
            sql: form.as_form(),
            params: params.clone(),
        };
        put(&ClientMessage::Subscribe(subscribe), frames);
        self.subscriptions.insert(id, None);
    }

    /// Unsubscribes what was dropped.
    pub(crate) fn unsubscribe_dropped(&mut self, frames: &mut Frames) {
        let dropped = std::mem::take(&mut *self.shared.dropped.lock());
        for subscription in dropped {
            if self.forget(subscription) {
                let id = self.wait(Waiting::Unsubscribe);
                put(
                    &ClientMessage::Unsubscribe(Unsubscribe { id, subscription }),
                    frames,
                );
            }
        }
    }

    /// Whether it was known.
    fn forget(&mut self, subscription: u32) -> bool {
        let Some(handle) = self.subscriptions.remove(&subscription) else {
            return false;
        };
        if let Some(handle) = handle {
            self.leave(subscription, handle);
        }
        true
    }

    /// Takes a message. An error means that the two sides no longer agree: start anew.
    pub(crate) fn message(&mut self, message: ServerMessage) -> Result<(), Error> {
        match message {
            ServerMessage::Snapshot(snapshot) => self.snapshot(snapshot),
            ServerMessage::Commit(commit) => self.commit(&commit),
            ServerMessage::Moved(moved) => self.moved(&moved),
            ServerMessage::Reset(reset) => self.reset(&reset),
            ServerMessage::Reply(reply) => self.reply(reply),
            ServerMessage::Rows(rows) => self.rows(&rows),
            ServerMessage::SchemaChanged(SchemaChanged {
                schema_hash,
                schema,
            }) => set_schema(&self.shared, schema_hash, Some(&schema)),
            ServerMessage::Pong(pong) => {
                if let Some(Waiting::Done { answer, .. }) = self.waiting.remove(&pong.id) {
                    drop(answer.send(Ok(())));
                }
                Ok(())
            }
            ServerMessage::Error(error) => Err(Error::Refused(error.error)),
            ServerMessage::Welcome(_) => Err(Error::Protocol("a second Welcome".into())),
        }
    }

    fn snapshot(&mut self, message: Snapshot) -> Result<(), Error> {
        // Chunks of a subscription that was dropped meanwhile.
        if !self.name_handle(message.id, message.handle) {
            return Ok(());
        }
        let Snapshot {
            id,
            lsn,
            description,
            rows,
            row_count,
            last,
            ..
        } = message;
        let mut live = self.shared.live.lock();
        let Some(live) = live.get_mut(&id) else {
            return Ok(());
        };
        let chunk = Chunk {
            lsn,
            rows: &rows,
            row_count,
            last,
        };
        let mut changes = Vec::new();
        if live.cache.snapshot(description, chunk, &mut changes)? {
            tell(live, changes);
        }
        Ok(())
    }

    fn reset(&mut self, message: &Reset) -> Result<(), Error> {
        let Some(ids) = self.handles.get(&message.handle) else {
            return Ok(());
        };
        let mut all = self.shared.live.lock();
        let Reset {
            lsn,
            rows,
            row_count,
            last,
            ..
        } = message;
        let chunk = Chunk {
            lsn: *lsn,
            rows,
            row_count: *row_count,
            last: *last,
        };
        let mut changed = Vec::new();
        for id in ids {
            let Some(live) = all.get_mut(id) else {
                continue;
            };
            let mut changes = Vec::new();
            if live.cache.reset(chunk, &mut changes)? {
                changed.push((*id, changes));
            }
        }
        for (id, changes) in changed {
            tell(&all[&id], changes);
        }
        Ok(())
    }

    /// Applies all deltas, then tells of all of them.
    fn commit(&mut self, message: &Commit) -> Result<(), Error> {
        let mut all = self.shared.live.lock();
        let mut changed = Vec::new();
        for delta in &message.deltas {
            for id in self.handles.get(&delta.handle).into_iter().flatten() {
                let Some(live) = all.get_mut(id) else {
                    continue;
                };
                let mut changes = Vec::new();
                live.cache.commit(message.lsn, &delta.ops, &mut changes)?;
                if !changes.is_empty() {
                    changed.push((*id, changes));
                }
            }
        }
        for (id, changes) in changed {
            tell(&all[&id], changes);
        }
        Ok(())
    }

    fn reply(&mut self, reply: Reply) -> Result<(), Error> {
        let Reply {
            id,
            lsn,
            value,
            error,
        } = reply;
        let result = match error {
            Some(error) => Err(Error::answered(error)),
            None => Ok(value.map(ByteBuf::into_vec).unwrap_or_default()),
        };
        if let Some(waiting) = self.waiting.remove(&id) {
            return self.answer(waiting, lsn, result);
        }
        // The answer to a Subscribe that was refused.
        if let (true, Err(error)) = (self.forget(id), result)
            && let Some(live) = self.shared.live.lock().get_mut(&id)
        {
            live.fail(error);
        }
        Ok(())
    }

    fn answer(
        &mut self,
        waiting: Waiting,
        lsn: Lsn,
        result: Result<Vec<u8>, Error>,
    ) -> Result<(), Error> {
        match waiting {
            Waiting::Call {
                returns, answer, ..
            } => {
                let outcome = result.and_then(|value| Outcome::new(lsn, returns, value));
                drop(answer.send(outcome));
            }
            Waiting::Query { answer, .. } => match result {
                Err(error) => drop(answer.send(Err(error))),
                Ok(_) => return Err(Error::Protocol("a Reply without rows to a Query".into())),
            },
            Waiting::Done { token, answer } => {
                if let (Ok(_), Some(token)) = (&result, token) {
                    self.shared.facts.lock().token = Some(token);
                }
                drop(answer.send(result.map(|_| ())));
            }
            Waiting::SetParams {
                subscription,
                before,
                answer,
            } => {
                self.params_set(subscription, before, &result);
                drop(answer.send(result.map(|_| ())));
            }
            Waiting::Unsubscribe | Waiting::KeepAlive => {}
        }
        Ok(())
    }

    /// The connection is gone: calls may or may not have taken effect, rows stay as they are.
    pub(crate) fn lost(self) {
        for waiting in self.waiting.into_values() {
            match waiting {
                Waiting::Call {
                    reducer, answer, ..
                } => {
                    drop(answer.send(Err(Error::OutcomeUnknown { reducer })));
                }
                Waiting::Query { answer, .. } => drop(answer.send(Err(Error::Lost))),
                Waiting::Done { answer, .. } | Waiting::SetParams { answer, .. } => {
                    drop(answer.send(Err(Error::Lost)));
                }
                Waiting::Unsubscribe | Waiting::KeepAlive => {}
            }
        }
        self.shared.dropped.lock().clear();
        for live in self.shared.live.lock().values_mut() {
            live.cache.abandon();
        }
    }
}

pub(super) fn put(message: &ClientMessage<'_>, frames: &mut Frames) {
    let mut frame = Vec::new();
    message.encode(Encoding::MessagePack, &mut frame);
    frames.push_back(frame);
}

pub(super) fn tell(live: &Live, changes: Vec<Change>) {
    if live.events.receiver_count() > 0
        && !changes.is_empty()
        && let Some(description) = live.cache.description()
    {
        let batch = Batch {
            description: description.clone(),
            lsn: live.cache.lsn(),
            changes,
        };
        // Readers may have gone since they were counted.
        drop(live.events.send(Arc::new(batch)));
    }
    live.bump();
}

/// Takes the schema of a Welcome or of a change; without its text the one that is there stays.
pub(crate) fn set_schema(shared: &Shared, hash: String, text: Option<&str>) -> Result<(), Error> {
    let mut facts = shared.facts.lock();
    if let Some(text) = text {
        let schema: Schema = serde_json::from_str(text)
            .map_err(|error| Error::Protocol(format!("the schema does not parse: {error}")))?;
        facts.schema = Arc::new(schema);
    }
    facts.schema_hash = Some(hash);
    Ok(())
}
