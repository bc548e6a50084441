//! A live query as its user sees it.

use std::sync::Arc;

use syncline_protocol::Lsn;
use syncline_protocol::message::ResultDescription;
use tokio::sync::{broadcast, watch};

use crate::cache::Change;
use crate::client::Client;
use crate::rows::{Row, Rows};
use crate::shared::Live;
use crate::{ConnectionState, Error};

/// A live query. Its rows follow the database as long as it lives, over lost connections too; dropping it
/// unsubscribes. It keeps the client alive.
#[derive(Debug)]
pub struct Subscription {
    client: Client,
    id: u32,
    version: watch::Receiver<u64>,
}

impl Subscription {
    pub(crate) fn new(client: Client, id: u32, version: watch::Receiver<u64>) -> Self {
        Self {
            client,
            id,
            version,
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    fn with<T>(&self, look: impl FnOnce(&Live) -> T) -> T {
        let live = self.client.shared().live.lock();
        look(
            live.get(&self.id)
                .expect("it is there until the subscription is dropped"),
        )
    }

    /// Waits for the first answer. Fails if the server refuses the query or the client is closed.
    pub async fn ready(&self) -> Result<(), Error> {
        let mut version = self.version.clone();
        loop {
            version.mark_unchanged();
            match self.with(|live| (live.error.clone(), live.cache.is_ready())) {
                (Some(error), _) => return Err(error),
                (None, true) => return Ok(()),
                (None, false) => version.changed().await.map_err(|_| Error::Closed)?,
            }
        }
    }

    /// Whether the first answer has come.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.with(|live| live.cache.is_ready())
    }

    /// Why the rows do not follow any more, if they do not.
    #[must_use]
    pub fn error(&self) -> Option<Error> {
        self.with(|live| live.error.clone())
    }

    /// The rows as they are now. [`Client::rows_of`] looks at several queries at one moment.
    #[must_use]
    pub fn rows(&self) -> Rows {
        self.with(rows_of)
    }

    /// Waits until the rows have changed since the last call of this method (at first, since the
    /// subscription began). Fails like [`Self::ready`].
    pub async fn changed(&mut self) -> Result<(), Error> {
        self.version.changed().await.map_err(|_| Error::Closed)?;
        match self.error() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// The changes from now on, one batch for each Commit, after all of it was applied.
    #[must_use]
    pub fn events(&self) -> Events {
        Events {
            receiver: self.with(|live| live.events.subscribe()),
        }
    }

    /// The client that it belongs to.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let shared = self.client.shared();
        shared.live.lock().remove(&self.id);
        if !matches!(*shared.state.borrow(), ConnectionState::Closed { .. }) {
            shared.dropped.lock().push(self.id);
            shared.wake.notify_one();
        }
    }
}

pub(crate) fn rows_of(live: &Live) -> Rows {
    let description = live.cache.description().cloned().unwrap_or_default();
    Rows::new(
        description,
        live.cache.lsn(),
        live.cache.rows().cloned().collect(),
    )
}

/// What one Commit (or a new first answer) changed in the rows of a query.
#[derive(Clone, Debug)]
pub struct Batch {
    pub(crate) description: Arc<ResultDescription>,
    pub(crate) lsn: Lsn,
    pub(crate) changes: Vec<Change>,
}

/// How a row changed.
#[derive(Clone, Debug, PartialEq)]
pub enum RowChange {
    /// A row that was not there.
    Insert(Row),
    /// A row that stays, with other values.
    Update {
        /// As it was.
        old: Row,
        /// As it is.
        new: Row,
    },
    /// A row that is gone.
    Delete(Row),
}

impl Batch {
    /// The transaction that the rows are as of now.
    #[must_use]
    pub fn lsn(&self) -> Lsn {
        self.lsn
    }

    /// The changes. At most one for each row.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = RowChange> {
        let row = |bytes: &Arc<[u8]>| Row::new(self.description.clone(), bytes.clone());
        self.changes.iter().map(move |change| match change {
            Change::Insert(new) => RowChange::Insert(row(new)),
            Change::Update { old, new } => RowChange::Update {
                old: row(old),
                new: row(new),
            },
            Change::Delete(old) => RowChange::Delete(row(old)),
        })
    }
}

/// Changes of a query in the order in which they happened.
#[derive(Debug)]
pub struct Events {
    receiver: broadcast::Receiver<Arc<Batch>>,
}

/// An item of [`Events`].
#[derive(Clone, Debug)]
pub enum Event {
    /// One Commit was applied.
    Changes(Arc<Batch>),
    /// The reader was so slow that this many batches are lost: look at the rows instead.
    Lagged(u64),
}

impl Events {
    /// Waits for the next event; `None` once the subscription is dropped.
    pub async fn next(&mut self) -> Option<Event> {
        match self.receiver.recv().await {
            Ok(batch) => Some(Event::Changes(batch)),
            Err(broadcast::error::RecvError::Lagged(count)) => Some(Event::Lagged(count)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}
