//! Other parameters for a live query.

use syncline_protocol::message::{Moved, ServerMessage, Snapshot};
use syncline_protocol::param::Param;
use syncline_protocol::{ErrorCode, WireError};
use syncline_query::{Caller as QueryCaller, How, Load, NewRows};

use crate::command::{ConnKey, Origin};
use crate::engine::Engine;
use crate::live::asked::with_text;
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
        if known.asked.params.is_empty() {
            if params.is_empty() {
                return Ok(());
            }
            let message = "the query has no parameters";
            return Err(WireError::new(ErrorCode::SqlParameter, message));
        }
        self.quotas.texts.check_move(&known.asked, params)?;
        let form = &*known.asked.form;
        let statement = self.live.statement(form).map_err(|error| error.to_wire())?;
        let text_bytes = known.asked.bytes_with(params);
        let caller = QueryCaller {
            identity: connection.identity,
            admin: connection.admin,
            claims: connection.claims.clone(),
        };
        let database = self
            .database
            .as_mut()
            .expect("no transaction is open between two commands");
        let before = known.handle;
        let (quotas, charge) = (&self.quotas, known.charge);
        let with_text = |load: &Load| with_text(load, text_bytes);
        let mut allow =
            |load: &Load| quotas.check_move(caller.identity, charge, before, &with_text(load));
        let moved = self
            .live
            .set_params_if(database, before, &statement, (params, &caller), &mut allow)
            .map_err(|error| error.to_wire())?;
        let known = &mut connection.subscriptions[at];
        self.quotas.texts.change(&mut known.asked, params);
        if moved.handle == before {
            // The text may be another.
            self.quotas.move_to(
                caller.identity,
                &mut known.charge,
                before,
                &with_text(&moved.load),
            );
            return Ok(());
        }
        self.subscribers.remove(before, conn);
        let shared = connection.is_subscribed(moved.handle);
        let known = &mut connection.subscriptions[at];
        known.handle = moved.handle;
        let charge = &mut known.charge;
        self.quotas
            .move_to(caller.identity, charge, before, &with_text(&moved.load));
        self.subscribers.add(moved.handle, connection, shared);
        match moved.how {
            How::Delta(ops) => self.tell_moved(conn, subscription, moved.handle, ops),
            How::Anew(rows) => self.tell_rows(conn, subscription, moved.handle, &rows),
        }
        Ok(())
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

    /// The rows of an instance as a Snapshot.
    pub(crate) fn tell_rows(&mut self, conn: ConnKey, id: u32, handle: u64, rows: &NewRows) {
        let lsn = self.log.last();
        let Some(encoding) = self.connections.get(conn).map(|c| c.encoding) else {
            return;
        };
        let described = self.live.description(handle).cloned().unwrap_or_default();
        let Some(queue) = self.queue(conn) else {
            return;
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
        rows.iter().for_each(|row| chunks.push(row));
        chunks.finish();
    }
}
