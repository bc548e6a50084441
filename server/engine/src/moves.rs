//! Other parameters for a live query.

use syncline_protocol::message::{Moved, ServerMessage, Snapshot};
use syncline_protocol::param::Param;
use syncline_protocol::{ErrorCode, WireError};
use syncline_query::{Caller as QueryCaller, How};

use crate::command::{ConnKey, Origin};
use crate::engine::Engine;
use crate::refusal::{no_subscription, poisoned};
use crate::reply;
use crate::requests::Chunks;

impl Engine {
    /// Tells the difference, or the new rows, and then that it is done. A subscription whose parameters
    /// are refused stays as it was.
    pub(crate) fn set_params(
        &mut self,
        conn: ConnKey,
        id: u32,
        subscription: u32,
        params: &[(String, Param)],
    ) {
        let outcome = self.move_subscription(conn, subscription, params);
        self.reply(Origin::Connection { conn, id }, None, outcome);
    }

    fn move_subscription(
        &mut self,
        conn: ConnKey,
        subscription: u32,
        params: &[(String, Param)],
    ) -> Result<(), WireError> {
        if self.log.is_poisoned() {
            return Err(poisoned());
        }
        let unknown = || no_subscription(subscription);
        let connection = self.connections.get_mut(conn).ok_or_else(unknown)?;
        let mut subscriptions = connection.subscriptions.iter();
        let at = subscriptions.position(|known| known.id == subscription);
        let at = at.ok_or_else(unknown)?;
        let known = &connection.subscriptions[at];
        let Some(statement) = &known.statement else {
            if params.is_empty() {
                return Ok(());
            }
            let message = "the query has no parameters";
            return Err(WireError::new(ErrorCode::SqlParameter, message));
        };
        let caller = QueryCaller {
            identity: connection.identity,
            admin: connection.admin,
        };
        let database = self
            .database
            .as_ref()
            .expect("no transaction is open between two commands");
        let before = known.handle;
        let moved = self
            .live
            .set_params(database, before, statement, params, &caller)
            .map_err(|error| error.to_wire())?;
        if moved.handle == before {
            return Ok(());
        }
        self.subscribers.remove(before, conn);
        let shared = connection.is_subscribed(moved.handle);
        let known = &mut connection.subscriptions[at];
        known.handle = moved.handle;
        let handles = (before, moved.handle);
        self.quotas.move_to(caller.identity, known.charge, handles);
        self.subscribers.add(moved.handle, connection, shared);
        match moved.how {
            How::Delta(ops) => {
                self.tell_moved(conn, subscription, moved.handle, ops);
                Ok(())
            }
            How::Anew => self.tell_rows(conn, subscription, moved.handle),
        }
    }

    fn tell_moved(&mut self, conn: ConnKey, id: u32, handle: u64, ops: Vec<u8>) {
        let lsn = self.log.last();
        let Some(encoding) = self.connections.get(conn).map(|c| c.encoding) else {
            return;
        };
        let description = self.live.description(handle).cloned();
        let Some(queue) = self.queue(conn) else {
            return;
        };
        let moved = ServerMessage::Moved(Moved {
            id,
            handle,
            lsn,
            ops: ops.into(),
        });
        let description = description.unwrap_or_default();
        queue.send(conn, false, |out| {
            reply::put_rows(encoding, &moved, &description, out);
        });
    }

    /// The rows of an instance as a Snapshot, complete or not at all.
    fn tell_rows(&mut self, conn: ConnKey, id: u32, handle: u64) -> Result<(), WireError> {
        let lsn = self.log.last();
        let (mut rows, mut ends) = (Vec::new(), Vec::new());
        let result = self.live.rows(self.database(), handle, &mut |row| {
            rows.extend_from_slice(row);
            ends.push(rows.len());
        });
        if let Err(error) = result {
            // It was evaluated a moment ago; what fails now has no rows to go on from.
            self.end_subscription(conn, id);
            let error = error.to_wire();
            self.reply(Origin::Connection { conn, id }, None, Err(error.clone()));
            return Err(error);
        }
        let Some(encoding) = self.connections.get(conn).map(|c| c.encoding) else {
            return Ok(());
        };
        let described = self.live.description(handle).cloned().unwrap_or_default();
        let Some(queue) = self.queue(conn) else {
            return Ok(());
        };
        let mut chunks = Chunks::new(&described, |description, rows, row_count, last| {
            let snapshot = ServerMessage::Snapshot(Snapshot {
                id,
                handle,
                lsn,
                description,
                rows: std::mem::take(rows).into(),
                row_count,
                last,
            });
            queue.send(conn, false, |out| {
                reply::put_rows(encoding, &snapshot, &described, out);
            });
        });
        let mut start = 0;
        for end in ends {
            chunks.push(&rows[start..end]);
            start = end;
        }
        chunks.finish();
        Ok(())
    }
}
