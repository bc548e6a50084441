//! What changed in a live query.

use std::sync::Arc;

use syncline_protocol::Lsn;
use syncline_protocol::message::ResultDescription;
use tokio::sync::broadcast;

use crate::cache::Change;
use crate::rows::Row;

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
    pub(crate) receiver: broadcast::Receiver<Arc<Batch>>,
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
