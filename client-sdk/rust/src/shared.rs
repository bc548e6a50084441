//! What the handles of a client and its connection share.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;
use syncline_protocol::message::OwnedQueryForm;
use syncline_protocol::param::Param;
use syncline_protocol::{ConnectionId, Epoch, Identity, Schema};
use tokio::sync::{Notify, broadcast, oneshot, watch};

use crate::cache::LiveResult;
use crate::events::Batch;
use crate::rows::{Outcome, Rows};
use crate::{ConnectionState, Error};

/// Commits that an event stream holds for a reader that lags.
const EVENTS_MAX: usize = 256;

/// State that outlives a connection. Locks are held for moments and never across an await; `live`
/// before `facts` where both are taken.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) state: watch::Sender<ConnectionState>,
    pub(crate) facts: Mutex<Facts>,
    /// Live queries by the id of their Subscribe. One lock over all of them, so that a Commit shows in
    /// all at once.
    pub(crate) live: Mutex<HashMap<u32, Live>>,
    /// Ids of subscriptions that were dropped and not yet unsubscribed.
    pub(crate) dropped: Mutex<Vec<u32>>,
    pub(crate) wake: Notify,
    next_id: AtomicU32,
}

/// What the server said in its last Welcome, and since.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) identity: Identity,
    pub(crate) connection: ConnectionId,
    pub(crate) token: Option<String>,
    pub(crate) epoch: Epoch,
    pub(crate) schema: Arc<Schema>,
    pub(crate) schema_hash: Option<String>,
    pub(crate) server: String,
}

/// One live query.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) form: OwnedQueryForm,
    pub(crate) params: Vec<(String, Param)>,
    pub(crate) cache: LiveResult,
    pub(crate) error: Option<Error>,
    /// Counts up whenever rows or the error change.
    pub(crate) version: watch::Sender<u64>,
    pub(crate) events: broadcast::Sender<Arc<Batch>>,
}

/// What a handle asks of the connection.
#[derive(Debug)]
pub(crate) enum Command {
    Call {
        reducer: String,
        args: Vec<u8>,
        answer: oneshot::Sender<Result<Outcome, Error>>,
    },
    Query {
        form: OwnedQueryForm,
        params: Vec<(String, Param)>,
        answer: oneshot::Sender<Result<Rows, Error>>,
    },
    /// The live query of this id, which is in `Shared::live`.
    Subscribe {
        id: u32,
    },
    /// The live query of this id has other parameters; before it had these.
    SetParams {
        id: u32,
        before: Vec<(String, Param)>,
        answer: oneshot::Sender<Result<(), Error>>,
    },
    Ping {
        answer: oneshot::Sender<Result<(), Error>>,
    },
    Auth {
        token: String,
        answer: oneshot::Sender<Result<(), Error>>,
    },
    Close,
}

impl Command {
    /// Answers a request that will not be sent.
    pub(crate) fn refuse(self, error: Error) {
        match self {
            Self::Call { answer, .. } => drop(answer.send(Err(error))),
            Self::Query { answer, .. } => drop(answer.send(Err(error))),
            Self::Ping { answer } | Self::Auth { answer, .. } | Self::SetParams { answer, .. } => {
                drop(answer.send(Err(error)));
            }
            Self::Subscribe { .. } | Self::Close => {}
        }
    }
}

impl Shared {
    pub(crate) fn new(token: Option<String>) -> Self {
        Self {
            state: watch::Sender::new(ConnectionState::Connecting),
            facts: Mutex::new(Facts {
                token,
                ..Facts::default()
            }),
            live: Mutex::default(),
            dropped: Mutex::default(),
            wake: Notify::new(),
            next_id: AtomicU32::new(1),
        }
    }

    /// An id that no request has had: they count up over the life of the client.
    pub(crate) fn next_id(&self) -> u32 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Ends everything that waits: nothing will come any more.
    pub(crate) fn close(&self, error: Option<Error>) {
        let reason = error.clone().unwrap_or(Error::Closed);
        for live in self.live.lock().values_mut() {
            live.fail(reason.clone());
        }
        self.state.send_replace(ConnectionState::Closed { error });
    }
}

impl Live {
    pub(crate) fn new(form: OwnedQueryForm, params: Vec<(String, Param)>) -> Self {
        Self {
            form,
            params,
            cache: LiveResult::new(),
            error: None,
            version: watch::Sender::new(0),
            events: broadcast::Sender::new(EVENTS_MAX),
        }
    }

    /// Tells those who wait that rows or the error are new.
    pub(crate) fn bump(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    pub(crate) fn fail(&mut self, error: Error) {
        self.error = Some(error);
        self.bump();
    }
}
