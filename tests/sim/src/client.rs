//! A client: folds what it is told with the cache of the real one, and compares it with the model.

use std::collections::BTreeMap;

use syncline_client::cache::{Chunk, LiveResult};
use syncline_engine::ConnKey;
use syncline_protocol::message::{ResultDescription, ServerMessage};
use syncline_protocol::packed::Reader;

use crate::expected::Expected;
use crate::history::History;
use crate::model::queries::{QUERIES, answer};
use crate::model::{ConnectionBytes, IdentityBytes, RowSet};
use crate::report::{Checked, hold};

/// One connection.
#[expect(
    clippy::struct_excessive_bools,
    reason = "server, engine and workload see it end apart"
)]
pub(crate) struct Client {
    pub(crate) key: ConnKey,
    pub(crate) id: ConnectionBytes,
    pub(crate) identity: IdentityBytes,
    /// Is told of nothing that is not durable.
    pub(crate) is_confirmed: bool,
    /// The server may close it, and why.
    pub(crate) may_close: Option<&'static str>,
    pub(crate) is_closed: bool,
    /// It is about to go by itself.
    pub(crate) is_leaving: bool,
    /// The engine knows it.
    pub(crate) is_known: bool,
    epoch: Option<u64>,
    position: u64,
    next_id: u32,
    expected: BTreeMap<u32, Expected>,
    subscriptions: BTreeMap<u32, Subscription>,
    rows: BTreeMap<u32, (ResultDescription, RowSet)>,
}

struct Subscription {
    query: usize,
    handle: Option<u64>,
    live: LiveResult,
}

impl Client {
    pub(crate) fn new(key: ConnKey, id: ConnectionBytes, identity: IdentityBytes) -> Self {
        Self {
            key,
            id,
            identity,
            is_confirmed: true,
            may_close: None,
            is_closed: false,
            is_leaving: false,
            is_known: false,
            epoch: None,
            position: 0,
            next_id: 1,
            expected: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            rows: BTreeMap::new(),
        }
    }

    pub(crate) fn next_id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id - 1
    }

    pub(crate) fn expect(&mut self, id: u32, expected: Expected) {
        if let Expected::Rows(query) = expected {
            let (handle, live) = (None, LiveResult::new());
            let subscription = Subscription {
                query,
                handle,
                live,
            };
            self.subscriptions.insert(id, subscription);
        }
        self.expected.insert(id, expected);
    }

    pub(crate) fn epoch(&self) -> Option<u64> {
        self.epoch
    }

    pub(crate) fn takes_requests(&self) -> bool {
        !self.is_closed && !self.is_leaving
    }

    /// Ids of the live queries that have their rows.
    pub(crate) fn subscriptions(&self) -> Vec<u32> {
        let ready = self
            .subscriptions
            .iter()
            .filter(|(_, known)| known.live.is_ready());
        ready.map(|(id, _)| *id).collect()
    }

    pub(crate) fn forget(&mut self, subscription: u32) {
        self.subscriptions.remove(&subscription);
    }

    /// Requests that were not answered.
    pub(crate) fn unanswered(&self) -> usize {
        self.expected.len()
    }

    fn take(&mut self, id: u32) -> Checked<Expected> {
        let expected = self.expected.remove(&id);
        expected.ok_or_else(|| format!("request {id} was answered, and was not waiting"))
    }

    /// Takes a message.
    #[expect(clippy::too_many_lines, reason = "one arm a message")]
    pub(crate) fn receive(&mut self, bytes: &[u8], history: &mut History) -> Checked {
        if self.is_closed {
            return Ok(());
        }
        let message = ServerMessage::decode(bytes)?;
        if let Some(lsn) = lsn_of(&message) {
            hold!(
                lsn >= self.position,
                "lsn {lsn} after {}: {message:?}",
                self.position
            );
            hold!(
                lsn <= history.last(),
                "lsn {lsn} is of the future: {message:?}"
            );
            let is_news = !matches!(message, ServerMessage::Commit(_)) || lsn > self.position;
            hold!(is_news, "the Commit of lsn {lsn} was there already");
            self.position = lsn;
            if self.is_confirmed {
                history.told(lsn);
            }
        }
        match message {
            ServerMessage::Welcome(welcome) => {
                hold!(self.epoch.is_none(), "a second Welcome");
                self.epoch = Some(welcome.epoch.0);
            }
            ServerMessage::Reply(reply) => {
                let expected = self.take(reply.id)?;
                let fits = match (expected, &reply.error) {
                    (Expected::Value { lsn }, None) => reply.lsn.0 == lsn,
                    (Expected::Error, Some(_)) | (Expected::Unsure, _) => true,
                    _ => false,
                };
                hold!(fits, "{expected:?} was due, this came: {reply:?}");
            }
            ServerMessage::Pong(pong) => {
                let expected = self.take(pong.id)?;
                hold!(
                    expected == Expected::Pong,
                    "{expected:?} was due, a Pong came"
                );
            }
            ServerMessage::Snapshot(snapshot) => {
                let known = self.subscriptions.get_mut(&snapshot.id);
                let known = known.ok_or("a Snapshot that nobody wants")?;
                known.handle = Some(snapshot.handle);
                let chunk = Chunk {
                    lsn: snapshot.lsn,
                    rows: &snapshot.rows,
                    row_count: snapshot.row_count,
                    last: snapshot.last,
                };
                let taken = known
                    .live
                    .snapshot(snapshot.description, chunk, &mut Vec::new());
                if taken.map_err(|error| error.to_string())? {
                    self.take(snapshot.id)?;
                }
            }
            ServerMessage::Commit(commit) => {
                for delta in &commit.deltas {
                    self.live(delta.handle, |live| {
                        live.commit(commit.lsn, &delta.ops, &mut Vec::new())
                            .map_err(|error| error.to_string())
                    })?;
                }
            }
            ServerMessage::Reset(reset) => {
                let chunk = Chunk {
                    lsn: reset.lsn,
                    rows: &reset.rows,
                    row_count: reset.row_count,
                    last: reset.last,
                };
                self.live(reset.handle, |live| {
                    let taken = live.reset(chunk, &mut Vec::new());
                    taken.map(drop).map_err(|error| error.to_string())
                })?;
            }
            ServerMessage::Rows(rows) => {
                if let Some(description) = rows.description {
                    self.rows.insert(rows.id, (description, RowSet::new()));
                }
                let (description, so_far) = self
                    .rows
                    .get_mut(&rows.id)
                    .ok_or("Rows without a description")?;
                split(description, &rows.rows, so_far)?;
                if rows.last {
                    let (_, found) = self.rows.remove(&rows.id).ok_or("Rows of nothing")?;
                    let Expected::Answer(query) = self.take(rows.id)? else {
                        return Err("Rows that nobody wants".to_owned());
                    };
                    compare(query, &found, rows.lsn.0, history)?;
                }
            }
            ServerMessage::SchemaChanged(_) => {}
            // Nobody here changes the parameters of a live query.
            other @ (ServerMessage::Error(_) | ServerMessage::Moved(_)) => {
                return Err(format!("an unexpected message: {other:?}"));
            }
        }
        Ok(())
    }

    /// Every live query of this handle.
    fn live(&mut self, handle: u64, mut fold: impl FnMut(&mut LiveResult) -> Checked) -> Checked {
        let subscriptions = self.subscriptions.values_mut();
        for known in subscriptions.filter(|known| known.handle == Some(handle)) {
            fold(&mut known.live)?;
        }
        Ok(())
    }

    /// Every live query shows what the model has at the position of the stream.
    pub(crate) fn check(&self, history: &History) -> Checked {
        for known in self
            .subscriptions
            .values()
            .filter(|known| known.live.is_ready())
        {
            let found: RowSet = known.live.rows().map(|row| row.to_vec()).collect();
            compare(known.query, &found, self.position, history)
                .map_err(|error| format!("live: {error}"))?;
        }
        Ok(())
    }
}

fn compare(query: usize, found: &RowSet, lsn: u64, history: &History) -> Checked {
    let state = history.at(lsn).ok_or("an answer of the future")?;
    let sql = QUERIES[query];
    let right = answer(query, state).ok_or_else(|| format!("{sql} was answered at lsn {lsn}"))?;
    hold!(
        *found == right,
        "{sql} at lsn {lsn}: {} rows, {} would be right",
        found.len(),
        right.len()
    );
    Ok(())
}

fn lsn_of(message: &ServerMessage) -> Option<u64> {
    Some(match message {
        ServerMessage::Welcome(message) => message.lsn.0,
        ServerMessage::Snapshot(message) => message.lsn.0,
        ServerMessage::Commit(message) => message.lsn.0,
        ServerMessage::Reset(message) => message.lsn.0,
        ServerMessage::Reply(message) => message.lsn.0,
        ServerMessage::Rows(message) => message.lsn.0,
        ServerMessage::Pong(message) => message.lsn.0,
        ServerMessage::Moved(message) => message.lsn.0,
        ServerMessage::SchemaChanged(_) | ServerMessage::Error(_) => return None,
    })
}

/// Cuts packed rows apart.
fn split(description: &ResultDescription, mut rest: &[u8], rows: &mut RowSet) -> Checked {
    while !rest.is_empty() {
        let mut reader = Reader::new(rest);
        for ty in description.types() {
            reader.value(ty).map_err(|error| error.to_string())?;
        }
        let len = rest.len() - reader.rest().len();
        hold!(rows.insert(rest[..len].to_vec()), "a row is there twice");
        rest = reader.rest();
    }
    Ok(())
}
