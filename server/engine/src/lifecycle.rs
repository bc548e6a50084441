//! Connections come and go: rows of a logged system table, and the module's lifecycle reducers.

use syncline_protocol::message::{ServerMessage, Welcome};
use syncline_protocol::{ConnectionId, Identity, ReducerKind, TableId};
use syncline_store::{LogError, LogWriter, Transaction};

use crate::command::{ConnKey, Connect};
use crate::connections::Connection;
use crate::engine::{Caller, Engine, SystemChange};
use crate::refusal::poisoned;
use crate::reply;

/// Version that Welcome names.
const SERVER_VERSION: &str = concat!("syncline ", env!("CARGO_PKG_VERSION"));
/// Room in the log for the end of a connection without a reducer, and some more.
const END_BYTES: usize = 4 << 10;

impl Engine {
    pub(crate) fn connect(&mut self, connect: Connect) {
        let caller = Caller {
            identity: connect.identity,
            connection: connect.connection,
            admin: connect.admin,
        };
        if self.log.is_poisoned() {
            return self.confirmed.close(connect.conn, poisoned());
        }
        // The connection receives from here on, so what `connected` changes comes after Welcome.
        let lsn_before = self.log.last();
        let lifecycle = self.lifecycle(ReducerKind::Connected);
        let reducer = lifecycle
            .as_ref()
            .map(|(index, name)| (*index, name.as_str()));
        let system = SystemChange::Connected(connect.connection);
        if let Err(error) = self.transact(caller, system, reducer, &[]) {
            return self.confirmed.close(connect.conn, error);
        }
        self.connections.insert(Connection {
            key: connect.conn,
            id: connect.connection,
            identity: connect.identity,
            admin: connect.admin,
            claims: connect.claims,
            encoding: connect.encoding,
            delivery: connect.delivery,
            subscriptions: Vec::new(),
        });
        let known = connect.schema_hash.as_deref() == Some(&*self.schema_text.hash);
        let welcome = ServerMessage::Welcome(Welcome {
            identity: connect.identity,
            connection: connect.connection,
            token: connect.token,
            epoch: self.epoch,
            lsn: self.log.last().max(lsn_before),
            schema_hash: self.schema_text.hash.clone(),
            schema: (!known).then(|| self.schema_text.json.clone()),
            server: SERVER_VERSION.to_owned(),
        });
        if let Some(queue) = self.queue(connect.conn) {
            queue.send(connect.conn, false, |out| {
                reply::put(connect.encoding, &welcome, out);
            });
        }
    }

    pub(crate) fn disconnect(&mut self, conn: ConnKey) {
        let Some(connection) = self.forget(conn) else {
            return;
        };
        self.run_disconnected(connection.identity, connection.id);
    }

    /// Takes a connection and its subscriptions out of memory.
    pub(crate) fn forget(&mut self, conn: ConnKey) -> Option<Box<Connection>> {
        let connection = self.connections.remove(conn)?;
        for subscription in &connection.subscriptions {
            self.subscribers.remove(subscription.handle, conn);
            self.live.unsubscribe(subscription.handle);
            let own = (subscription.handle, &subscription.asked);
            self.quotas
                .release(connection.identity, subscription.charge, own);
        }
        self.counters.subscriptions -= connection.subscriptions.len() as u64;
        Some(connection)
    }

    fn run_disconnected(&mut self, identity: Identity, connection: ConnectionId) {
        let caller = Caller {
            identity,
            connection,
            admin: false,
        };
        let lifecycle = self.lifecycle(ReducerKind::Disconnected);
        let reducer = lifecycle
            .as_ref()
            .map(|(index, name)| (*index, name.as_str()));
        let system = SystemChange::Disconnected(connection);
        let Err(error) = self.transact(caller, system, reducer, &[]) else {
            return;
        };
        // The connection is gone, whatever the module thinks of it.
        if reducer.is_some() {
            let text = format!("disconnected failed: {error}");
            self.module_log
                .push(self.now, "error", "disconnected", text);
        }
        if self.transact(caller, system, None, &[]).is_err() {
            // The disk is full (or has failed: then opening it again ends the connection).
            self.unended.push((identity, connection));
        }
    }

    /// Ends connections whose end the log could not take when they left.
    pub(crate) fn end_left_over(&mut self) {
        for (identity, connection) in std::mem::take(&mut self.unended) {
            if self.log.reserve(END_BYTES).is_ok() {
                self.run_disconnected(identity, connection);
            } else {
                self.unended.push((identity, connection));
            }
        }
    }

    /// Ends the connections that a crash left behind. They are rows of the system table, so the
    /// module's `disconnected` runs for each of them exactly as if it had just left.
    pub(crate) fn end_stale_connections(
        &mut self,
        writer: &mut LogWriter,
    ) -> Result<usize, LogError> {
        let table = self.database().table(TableId::CONNECTIONS);
        let table = table.expect("the system table is always there");
        let layout = table.layout();
        let stale: Vec<_> = table
            .rows()
            .map(|row| {
                let id = layout
                    .column(row, 0)
                    .try_into()
                    .expect("column 0 has 16 bytes");
                let identity = layout
                    .column(row, 1)
                    .try_into()
                    .expect("column 1 has 32 bytes");
                (ConnectionId(id), Identity(identity))
            })
            .collect();
        for (connection, identity) in &stale {
            // Nobody else runs the log yet, and there may be very many.
            if self.is_behind() {
                self.log.flush_inline(writer)?;
            }
            self.run_disconnected(*identity, *connection);
        }
        Ok(stale.len())
    }
}

impl SystemChange {
    pub(crate) fn apply(self, identity: Identity, now: i64, transaction: &mut Transaction) {
        match self {
            Self::None => {}
            Self::Connected(connection) => {
                let mut row = Vec::with_capacity(56);
                row.extend_from_slice(&connection.0);
                row.extend_from_slice(&identity.0);
                row.extend_from_slice(&now.to_le_bytes());
                transaction
                    .insert(TableId::CONNECTIONS, &mut row)
                    .expect("connection ids are random and the row is valid");
            }
            Self::Disconnected(connection) => {
                transaction
                    .delete(TableId::CONNECTIONS, &connection.0)
                    .expect("one row is below every limit");
            }
        }
    }
}
