//! Live queries of connections: they begin, and end.

use syncline_protocol::limits::{LIVE_RESET_BYTES_MAX, SUBSCRIPTIONS_PER_CONNECTION_MAX};
use syncline_protocol::message::{
    Delivery, Encoding, Reset, ResultDescription, ServerMessage, Snapshot,
};
use syncline_protocol::{ErrorCode, Lsn, WireError};
use syncline_query::{Caller as QueryCaller, LiveQueries, NewRows, QueryError};

use super::Chunks;
use crate::command::{ConnKey, Origin, QueryText};
use crate::connections::Subscription;
use crate::engine::Engine;
use crate::fanout::Queues;
use crate::live::first_answers::{Draft, begin};
use crate::refusal::{no_subscription, poisoned};
use crate::reply;

impl Engine {
    pub(crate) fn subscribe(&mut self, conn: ConnKey, id: u32, query: &QueryText) {
        let result = self.start_subscription(conn, id, query);
        let result = result.and_then(|handle| {
            let Some(handle) = handle else { return Ok(()) };
            self.counters.snapshots += 1;
            self.tell_first(conn, id, handle).map_err(|error| {
                // Chunks that were sent are invisible, since the last one never comes. Who comes back gets no more.
                self.end_subscription(conn, id, LiveQueries::cancel);
                error.to_wire()
            })
        });
        if let Err(error) = result {
            self.reply(Origin::Connection { conn, id }, None, Err(error));
        }
    }

    /// Sends the first answer, one that is kept if there is any.
    fn tell_first(&mut self, conn: ConnKey, id: u32, handle: u64) -> Result<(), QueryError> {
        let Some(connection) = self.connections.get(conn) else {
            return Ok(());
        };
        let (encoding, delivery) = (connection.encoding, connection.delivery);
        let lsn = self.log.last();
        let mut queues = Queues {
            confirmed: &mut self.confirmed,
            unconfirmed: &mut self.unconfirmed,
        };
        let queue = queues.of(delivery);
        if let Some(chunks) = self.first_answers.get(handle, encoding) {
            let last = chunks.len() - 1;
            for (number, chunk) in chunks.iter().enumerate() {
                queue.send(conn, number == last, |out| {
                    begin(encoding, (id, handle, lsn), out);
                    out.extend_from_slice(chunk);
                });
            }
            return Ok(());
        }
        self.counters.evaluations += 1;
        let database = self
            .database
            .as_ref()
            .expect("no transaction is open between two commands");
        let described = self
            .live
            .description(handle)
            .expect("it was just subscribed to")
            .clone();
        let mut start = Vec::new();
        begin(encoding, (id, handle, lsn), &mut start);
        let mut draft = Draft::default();
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
            queue.send(conn, last, |out| {
                let from = out.len() + start.len();
                reply::put_rows(encoding, &snapshot, &described, out);
                draft.push(&out[from..]);
            });
        });
        self.live
            .rows(database, handle, &mut |row| chunks.push(row))?;
        chunks.finish();
        let ticks = self.budgets.idle_ticks;
        self.first_answers.keep(handle, encoding, draft, ticks);
        Ok(())
    }

    /// The instance; `None` if the connection is gone.
    fn start_subscription(
        &mut self,
        conn: ConnKey,
        id: u32,
        query: &QueryText,
    ) -> Result<Option<u64>, WireError> {
        let Some(connection) = self.connections.get(conn) else {
            return Ok(None);
        };
        if self.log.is_poisoned() {
            return Err(poisoned());
        }
        if connection.subscriptions.len() >= SUBSCRIPTIONS_PER_CONNECTION_MAX {
            let message = format!(
                "a connection has at most {SUBSCRIPTIONS_PER_CONNECTION_MAX} subscriptions"
            );
            return Err(WireError::new(ErrorCode::TooManySubscriptions, message)
                .hint("end some, or ask one query for more rows"));
        }
        if connection.subscriptions.iter().any(|known| known.id == id) {
            let message = format!("subscription {id} is there already");
            return Err(WireError::new(ErrorCode::DuplicateId, message)
                .hint("count the ids up over all requests of a connection"));
        }
        let caller = QueryCaller {
            identity: connection.identity,
            admin: connection.admin,
            claims: connection.claims.clone(),
        };
        self.quotas
            .check(caller.identity, caller.admin)
            .map_err(|error| error.to_wire())?;
        let database = self
            .database
            .as_mut()
            .expect("no transaction is open between two commands");
        let subscribed = self
            .live
            .subscribe(database, &query.form, &query.params, &caller)
            .map_err(|error| error.to_wire())?;
        let handle = subscribed.handle;
        let kept = self.quotas.texts.keep(query);
        let asked = kept.inspect_err(|_| self.live.cancel(handle))?;
        let load = asked.load(&subscribed.load);
        let charged = self.quotas.charge(caller.identity, caller.admin, &load);
        let charge = charged
            .inspect_err(|_| {
                self.live.cancel(handle);
                self.quotas.texts.forget(&asked);
            })
            .map_err(|error| error.to_wire())?;
        let Some(connection) = self.connections.get_mut(conn) else {
            return Ok(None);
        };
        let shared = connection.is_subscribed(handle);
        connection.subscriptions.push(Subscription {
            id,
            handle,
            asked,
            charge,
        });
        self.subscribers.add(handle, connection, shared);
        self.counters.subscriptions += 1;
        Ok(Some(handle))
    }

    /// Ends one subscription, which `leave` takes off its instance; false if there is none of this id.
    pub(crate) fn end_subscription(
        &mut self,
        conn: ConnKey,
        subscription: u32,
        leave: fn(&mut LiveQueries, u64),
    ) -> bool {
        let Some(connection) = self.connections.get_mut(conn) else {
            return false;
        };
        let known = connection
            .subscriptions
            .iter()
            .position(|known| known.id == subscription);
        let Some(at) = known else { return false };
        let gone = connection.subscriptions.swap_remove(at);
        let (handle, own) = (gone.handle, (gone.handle, &gone.asked));
        self.quotas.release(connection.identity, gone.charge, own);
        self.subscribers.remove(handle, conn);
        leave(&mut self.live, handle);
        self.counters.subscriptions -= 1;
        true
    }

    /// Tells the subscribers of an instance, which is gone, why.
    pub(crate) fn end_instance(&mut self, handle: u64, error: &WireError) {
        self.first_answers.forget(handle);
        let subscribers: Vec<_> = self.subscribers.of(handle).iter().map(|s| s.conn).collect();
        for conn in subscribers {
            let Some(connection) = self.connections.get_mut(conn) else {
                continue;
            };
            let identity = connection.identity;
            let ended = connection
                .subscriptions
                .extract_if(.., |known| known.handle == handle);
            for known in ended.collect::<Vec<_>>() {
                self.quotas
                    .release(identity, known.charge, (handle, &known.asked));
                self.subscribers.remove(handle, conn);
                self.counters.subscriptions -= 1;
                let id = known.id;
                self.reply(Origin::Connection { conn, id }, None, Err(error.clone()));
            }
        }
    }

    pub(crate) fn unsubscribe(&mut self, conn: ConnKey, id: u32, subscription: u32) {
        let outcome = if self.end_subscription(conn, subscription, LiveQueries::unsubscribe) {
            Ok(())
        } else {
            Err(no_subscription(subscription))
        };
        self.reply(Origin::Connection { conn, id }, None, outcome);
    }

    /// Does what the last step of the live queries left to be done, at its place in the stream.
    pub(crate) fn settle_live(&mut self, lsn: Lsn) {
        let database = self
            .database
            .as_ref()
            .expect("the transaction gave it back");
        let settled = self.live.settle(database);
        for (handle, error) in settled.ended {
            self.end_instance(handle, &error.to_wire());
        }
        self.tell_all_anew(&settled.resets, settled.rows_left, lsn);
    }

    /// Sends the rows of instances to all their subscribers. Those that would take too long after the others, or
    /// too much memory, end.
    pub(crate) fn tell_all_anew(&mut self, handles: &[u64], mut rows_left: u64, lsn: Lsn) {
        let mut bytes_left = LIVE_RESET_BYTES_MAX;
        for handle in handles {
            self.first_answers.forget(*handle);
            let told = self.tell_anew((*handle, lsn), &mut rows_left, &mut bytes_left);
            if let Err(error) = told {
                self.live.end(*handle);
                let error = WireError {
                    code: ErrorCode::LiveLimit.as_str().into(),
                    ..error.to_wire()
                };
                self.end_instance(*handle, &error);
            }
        }
    }

    /// Sends the rows of an instance to all its subscribers in place of a delta.
    fn tell_anew(
        &mut self,
        (handle, lsn): (u64, Lsn),
        rows_left: &mut u64,
        bytes_left: &mut usize,
    ) -> Result<(), QueryError> {
        let Some(described) = self.live.description(handle).cloned() else {
            return Ok(());
        };
        let mut rows = NewRows::default();
        let most = *bytes_left;
        let mut byte_len = 0;
        self.live
            .rows_within(self.database(), handle, rows_left, &mut |row| {
                byte_len += row.len();
                if byte_len <= most {
                    rows.push(row);
                }
            })?;
        *bytes_left = most.checked_sub(byte_len).ok_or_else(too_many_resets)?;
        self.send_resets((handle, lsn), &described, &rows);
        Ok(())
    }

    /// Sends the rows of an instance to all its subscribers.
    pub(crate) fn send_resets(
        &mut self,
        place: (u64, Lsn),
        described: &ResultDescription,
        rows: &NewRows,
    ) {
        self.counters.resets += 1;
        for encoding in Encoding::ALL {
            self.send_reset(place, encoding, described, rows);
        }
    }

    /// Sends a Reset to the subscribers with one encoding, each chunk encoded once.
    fn send_reset(
        &mut self,
        (handle, lsn): (u64, Lsn),
        encoding: Encoding,
        described: &ResultDescription,
        rows: &NewRows,
    ) {
        let list = self.subscribers.of(handle);
        if list
            .iter()
            .all(|subscriber| subscriber.encoding != encoding)
        {
            return;
        }
        let mut queues = Queues {
            confirmed: &mut self.confirmed,
            unconfirmed: &mut self.unconfirmed,
        };
        let mut chunks = Chunks::new(described, |_, rows, row_count, last| {
            let reset = ServerMessage::Reset(Reset {
                handle,
                lsn,
                rows: std::mem::take(rows).into(),
                row_count,
                last,
            });
            for delivery in [Delivery::Confirmed, Delivery::Unconfirmed] {
                let own = list.iter().filter(|subscriber| {
                    subscriber.encoding == encoding && subscriber.delivery == delivery
                });
                let own = own.map(|subscriber| subscriber.conn);
                queues.of(delivery).fan_out(own, |out| {
                    reply::put_rows(encoding, &reset, described, out);
                });
            }
        });
        rows.iter().for_each(|row| chunks.push(row));
        chunks.finish();
    }
}

fn too_many_resets() -> QueryError {
    let message = format!(
        "a transaction makes live queries be told anew that have over {LIVE_RESET_BYTES_MAX} bytes"
    );
    QueryError::new(ErrorCode::LiveLimit, message).hint("subscribe again")
}
