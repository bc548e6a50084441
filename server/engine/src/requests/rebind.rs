//! What a publish that changes policies or views does to subscriptions.
//!
//! Each is bound anew, for who asked it. One that comes to the instance that it was of goes on without hearing of
//! it. One that comes to another gets the rows of that: all who leave an instance together keep its handle and get
//! a Reset, others get a Snapshot with the handle of theirs. One that cannot be bound any more ends.

use std::collections::{BTreeMap, BTreeSet};

use syncline_protocol::{ErrorCode, Lsn, WireError};
use syncline_query::{Caller as QueryCaller, LiveQueries, Load, NewRows, QueryError, Rebound};

use crate::command::{ConnKey, Origin};
use crate::engine::Engine;
use crate::fanout::QUEUE_BYTES_MAX;

/// A subscription that goes over to another instance.
#[derive(Clone, Copy, Debug)]
struct Leaver {
    conn: ConnKey,
    id: u32,
    from: u64,
    /// What its instance of now takes, with its text.
    load: Load,
}

/// Those who come to one instance.
#[derive(Debug, Default)]
struct Comers {
    list: Vec<Leaver>,
    /// The instances that they leave.
    from: BTreeSet<u64>,
    is_new: bool,
    is_other: bool,
}

impl Engine {
    /// Binds all subscriptions anew, and tells those whose rows may have changed what they are.
    pub(crate) fn ask_all_again(&mut self, lsn: Lsn) {
        let mut comers: BTreeMap<u64, Comers> = BTreeMap::new();
        let mut rows_left = self.budgets.publish_rows;
        let keys = self.connections.iter().map(|connection| connection.key);
        for conn in keys.collect::<Vec<_>>() {
            for (id, error) in self.ask_again(conn, &mut comers, &mut rows_left) {
                self.end_subscription(conn, id, LiveQueries::cancel);
                if rows_left == 0 {
                    // Not for what it asked, but for what the others did before it.
                    self.send_away(conn);
                } else {
                    let origin = Origin::Connection { conn, id };
                    self.reply(origin, None, Err(error.to_wire()));
                }
            }
        }
        let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
        for leaver in comers.values().flat_map(|comers| &comers.list) {
            *counts.entry(leaver.from).or_default() += 1;
        }
        for (handle, comers) in comers {
            let mut froms = comers.from.iter();
            let only = froms.next().filter(|_| comers.from.len() == 1);
            let all_of = only.filter(|from| {
                counts.get(*from) == Some(&comers.list.len())
                    && self.live.description(**from).is_none()
            });
            match all_of {
                Some(from) if comers.is_new && !comers.is_other => {
                    self.keep_handle(handle, *from, &comers.list);
                    self.tell_together((*from, lsn), &mut rows_left);
                }
                _ => self.tell_each(handle, &comers.list, &mut rows_left),
            }
        }
    }

    /// Binds the subscriptions of a connection anew; those that fail are returned, and must be ended.
    fn ask_again(
        &mut self,
        conn: ConnKey,
        comers: &mut BTreeMap<u64, Comers>,
        rows_left: &mut u64,
    ) -> Vec<(u32, QueryError)> {
        let mut failed = Vec::new();
        let Some(connection) = self.connections.get_mut(conn) else {
            return failed;
        };
        let database = self.database.as_mut().expect("no transaction is open here");
        let caller = QueryCaller {
            identity: connection.identity,
            admin: connection.admin,
            claims: connection.claims.clone(),
        };
        for known in &mut connection.subscriptions {
            let (quotas, charge, asked) = (&self.quotas, known.charge, &known.asked);
            let from = known.handle;
            let mut allow =
                |load: &Load| quotas.check_move(caller.identity, charge, from, &asked.load(load));
            let given = (&*asked.params, &caller);
            let form = &*asked.form;
            let rebound = self
                .live
                .ask_again(database, from, form, given, rows_left, &mut allow);
            let (load, is_new, is_alike) = match rebound {
                Ok(Rebound::Same) => continue,
                Ok(Rebound::Other {
                    load,
                    is_new,
                    is_alike,
                }) => (load, is_new, is_alike),
                Err(error) => {
                    failed.push((known.id, error));
                    continue;
                }
            };
            let load = asked.load(&load);
            self.quotas
                .move_to(caller.identity, &mut known.charge, from, &load);
            let own = comers.entry(load.handle).or_default();
            own.from.insert(from);
            own.is_new |= is_new;
            own.is_other |= !is_alike;
            own.list.push(Leaver {
                conn,
                id: known.id,
                from,
                load,
            });
        }
        failed
    }

    /// Lets those who all came from one instance have its name for their new one.
    fn keep_handle(&mut self, handle: u64, from: u64, list: &[Leaver]) {
        self.live.take_name(handle, from);
        for leaver in list {
            let Some(connection) = self.connections.get_mut(leaver.conn) else {
                continue;
            };
            let mut subscriptions = connection.subscriptions.iter_mut();
            if let Some(known) = subscriptions.find(|known| known.id == leaver.id) {
                let load = Load {
                    handle: from,
                    ..leaver.load
                };
                self.quotas
                    .move_to(connection.identity, &mut known.charge, handle, &load);
            }
        }
    }

    /// Sends the rows of an instance to all its subscribers.
    fn tell_together(&mut self, (handle, lsn): (u64, Lsn), rows_left: &mut u64) {
        let Some(described) = self.live.description(handle).cloned() else {
            return;
        };
        let subscribers = self.subscribers.of(handle);
        let conns: Vec<ConnKey> = subscribers.iter().map(|own| own.conn).collect();
        match self.read_again(handle, rows_left) {
            Some(Ok(rows)) if self.has_queue_for(rows.byte_len()) => {
                self.send_resets((handle, lsn), &described, &rows);
            }
            Some(Err(error)) => {
                self.live.end(handle);
                self.end_instance(handle, &error.to_wire());
            }
            _ => conns.into_iter().for_each(|conn| self.send_away(conn)),
        }
    }

    /// Takes subscriptions over to an instance, and sends its rows to each.
    fn tell_each(&mut self, handle: u64, list: &[Leaver], rows_left: &mut u64) {
        let rows = self.read_again(handle, rows_left);
        for Leaver { conn, id, from, .. } in list {
            let Some(connection) = self.connections.get_mut(*conn) else {
                continue;
            };
            let shared = connection.is_subscribed(handle);
            let mut subscriptions = connection.subscriptions.iter_mut();
            let Some(known) = subscriptions.find(|known| known.id == *id) else {
                continue;
            };
            known.handle = handle;
            self.subscribers.remove(*from, *conn);
            self.subscribers.add(handle, connection, shared);
            match &rows {
                Some(Ok(rows)) if self.has_queue_for(rows.byte_len()) => {
                    self.tell_rows(*conn, *id, handle, rows);
                }
                Some(Err(error)) => {
                    self.end_subscription(*conn, *id, LiveQueries::cancel);
                    let origin = Origin::Connection {
                        conn: *conn,
                        id: *id,
                    };
                    self.reply(origin, None, Err(error.to_wire()));
                }
                _ => self.send_away(*conn),
            }
        }
    }

    /// The rows of an instance; `None` if too many were looked at for others.
    fn read_again(
        &mut self,
        handle: u64,
        rows_left: &mut u64,
    ) -> Option<Result<NewRows, QueryError>> {
        if *rows_left == 0 {
            return None;
        }
        let mut rows = NewRows::default();
        let read = self
            .live
            .rows_within(self.database(), handle, rows_left, &mut |row| {
                rows.push(row);
            });
        Some(read.map(|()| rows))
    }

    fn has_queue_for(&self, bytes: usize) -> bool {
        self.confirmed.byte_len() + self.unconfirmed.byte_len() + bytes <= QUEUE_BYTES_MAX
    }

    /// Who comes back asks anew, one after the other.
    fn send_away(&mut self, conn: ConnKey) {
        let message = "policies or views have changed, for more than can be told at once";
        let error = WireError::new(ErrorCode::SchemaConflict, message).hint("connect again");
        if let Some(queue) = self.queue(conn) {
            queue.close(conn, error);
        }
    }
}
