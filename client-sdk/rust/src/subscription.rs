//! A live query as its user sees it.

use syncline_protocol::param::Param;
use tokio::sync::watch;

use crate::client::{Client, owned};
use crate::events::Events;
use crate::query::{IntoQuery, Reader};
use crate::rows::{Row, Rows};
use crate::shared::{Command, Live};
use crate::{ConnectionState, Error};

/// A live query. Its rows follow the database as long as it lives, over lost connections too; dropping it
/// unsubscribes. It keeps the client alive.
///
/// `R` is what rows of a [query](crate::query) are read as; SQL text has [`Row`]s.
#[derive(Debug)]
pub struct Subscription<R = Row> {
    client: Client,
    id: u32,
    version: watch::Receiver<u64>,
    read: Reader<R>,
}

impl<R> Subscription<R> {
    /// The rows as they are now, each as the query has typed it.
    pub fn all(&self) -> Result<Vec<R>, Error> {
        self.rows().iter().map(|row| (self.read)(&row)).collect()
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

    /// Gives the query other parameters, all of them as in [`Client::subscribe`]: the rows and
    /// [`Self::events`] get the difference, and then this returns. What the server refuses leaves the
    /// query as it was. Without a connection this fails, and the next one asks with the new
    /// parameters.
    pub async fn set(&self, params: &[(&str, Param)]) -> Result<(), Error> {
        let (id, params) = (self.id, owned(params));
        let before = {
            let mut all = self.client.shared().live.lock();
            let live = all
                .get_mut(&id)
                .expect("it is there until the subscription is dropped");
            std::mem::replace(&mut live.params, params)
        };
        self.client
            .ask(|answer| Command::SetParams { id, before, answer })
            .await
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

impl<R> Drop for Subscription<R> {
    fn drop(&mut self) {
        let shared = self.client.shared();
        shared.live.lock().remove(&self.id);
        if !matches!(*shared.state.borrow(), ConnectionState::Closed { .. }) {
            shared.dropped.lock().push(self.id);
            shared.wake.notify_one();
        }
    }
}

impl Client {
    /// Starts a live query: SQL text, or one of the [builder](crate::query). It returns at once, offline
    /// too; [`Subscription::ready`] waits for the first answer.
    pub async fn subscribe<Q: IntoQuery>(
        &self,
        query: Q,
        params: &[(&str, Param)],
    ) -> Result<Subscription<Q::Row>, Error> {
        let id = self.shared().next_id();
        let read = query.reader();
        let live = Live::new(query.form(), owned(params));
        let version = live.version.subscribe();
        self.shared().live.lock().insert(id, live);
        let subscription = Subscription {
            client: self.clone(),
            id,
            version,
            read,
        };
        let sent = self.commands().send(Command::Subscribe { id }).await;
        sent.map_err(|_| Error::Closed)?;
        Ok(subscription)
    }

    /// Rows of several live queries of this client at one moment: no Commit comes between them.
    ///
    /// # Panics
    /// If a subscription is one of another client.
    #[must_use]
    pub fn rows_of<const N: usize, R>(&self, subscriptions: [&Subscription<R>; N]) -> [Rows; N] {
        let live = self.shared().live.lock();
        subscriptions.map(|subscription| {
            let is_ours = std::ptr::eq(subscription.client().shared(), self.shared());
            assert!(is_ours, "the subscription is of another client");
            rows_of(&live[&subscription.id()])
        })
    }
}

fn rows_of(live: &Live) -> Rows {
    let description = live.cache.description().cloned().unwrap_or_default();
    Rows::new(
        description,
        live.cache.lsn(),
        live.cache.rows().cloned().collect(),
    )
}
