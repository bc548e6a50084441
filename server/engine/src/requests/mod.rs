//! Calls and queries.

mod rebind;
mod subscriptions;

use std::sync::Arc;

use syncline_protocol::limits::{NAME_BYTES_MAX, SNAPSHOT_CHUNK_BYTES};
use syncline_protocol::message::{ResultDescription, Rows, ServerMessage};
use syncline_protocol::{ConnectionId, ErrorCode, Lsn, ReducerDef, ReducerKind, Type, WireError};
use syncline_query::Caller as QueryCaller;

use crate::command::{CallArgs, ConnKey, Inspect, Origin, QueryText, Ticket};
use crate::effect::Answer;
use crate::engine::{Caller, Engine, SystemChange};
use crate::refusal::poisoned;
use crate::reply;

impl Engine {
    pub(crate) fn call(&mut self, origin: Origin, reducer: &[u8], args: &CallArgs) {
        let Some(caller) = self.caller(origin) else {
            return;
        };
        let (returns, outcome) = match self.find_reducer(reducer, args) {
            Err(error) => (None, Err(error)),
            Ok((index, name, packed, returns)) => {
                let args = packed.as_deref().unwrap_or(match args {
                    CallArgs::Packed(bytes) => bytes,
                    CallArgs::Json(_) => &[],
                });
                let reducer = Some((index, &*name));
                (
                    returns,
                    self.transact(caller, SystemChange::None, reducer, args),
                )
            }
        };
        match origin {
            Origin::Connection { conn, id } => {
                let last = self.log.last();
                let Some(encoding) = self.connections.get(conn).map(|c| c.encoding) else {
                    return;
                };
                let Some(queue) = self.queue(conn) else {
                    return;
                };
                queue.send(conn, true, |out| match &outcome {
                    Ok((lsn, value)) => {
                        reply::put_value(encoding, id, *lsn, returns.as_ref(), value, out);
                    }
                    Err(error) => reply::put_error(encoding, id, last, error, out),
                });
            }
            Origin::Ticket { ticket, .. } => {
                let answer = match outcome {
                    Ok((lsn, value)) => Answer::Called(lsn, reply::json(returns.as_ref(), &value)),
                    Err(error) => Answer::Failed(Box::new(error)),
                };
                self.confirmed.answer(ticket, answer);
            }
        }
    }

    /// Position, name, packed arguments if they came as JSON, and result type.
    #[expect(
        clippy::type_complexity,
        reason = "four things that are used once, right above"
    )]
    fn find_reducer(
        &self,
        name: &[u8],
        args: &CallArgs,
    ) -> Result<(usize, Arc<str>, Option<Vec<u8>>, Option<Type>), WireError> {
        let name = core::str::from_utf8(name).map_err(|_| {
            WireError::new(ErrorCode::BadMessage, "the reducer's name is not UTF-8")
        })?;
        // A longer one is not compared with others: that takes the product of both lengths.
        if name.len() > NAME_BYTES_MAX {
            let message = format!("a name of {} bytes is no reducer's", name.len());
            return Err(WireError::new(ErrorCode::NoReducer, message)
                .hint(format!("names have at most {NAME_BYTES_MAX} bytes")));
        }
        if self.runner.is_none() {
            return Err(
                WireError::new(ErrorCode::NoModule, "the database has no module yet")
                    .hint("publish one: syncline publish"),
            );
        }
        let Some((key, &index)) = self.reducers.get_key_value(name) else {
            return Err(self.no_reducer(name));
        };
        let def = &self.database().schema().module.reducers[index];
        if def.kind != ReducerKind::Call {
            let message = format!("{name} is a lifecycle reducer, which only the server calls");
            return Err(WireError::new(ErrorCode::LifecycleReducer, message));
        }
        let packed = match args {
            CallArgs::Packed(bytes) => {
                check_args(def, bytes)?;
                None
            }
            CallArgs::Json(json) => {
                let packed = syncline_protocol::json::args_to_packed(&def.params, json);
                Some(packed.map_err(|reason| bad_args(def, &reason))?)
            }
        };
        Ok((index, key.clone(), packed, def.returns.clone()))
    }

    fn no_reducer(&self, name: &str) -> WireError {
        let reducers = &self.database().schema().module.reducers;
        let callable = reducers.iter().filter(|def| def.kind == ReducerKind::Call);
        let error = WireError::new(ErrorCode::NoReducer, format!("no reducer named {name}"));
        let nearest = callable
            .map(|def| (strsim::osa_distance(name, &def.name), &def.name))
            .filter(|(distance, candidate)| *distance <= candidate.len().max(3) / 3)
            .min();
        match nearest {
            Some((_, candidate)) => error.hint(format!("did you mean {candidate}?")),
            None => error.hint("GET /v1/databases/{name}/schema lists the reducers"),
        }
    }

    pub(crate) fn query(&mut self, origin: Origin, query: &QueryText) {
        let Some(caller) = self.caller(origin) else {
            return;
        };
        if self.log.is_poisoned() {
            return self.reply(origin, None, Err(poisoned()));
        }
        self.counters.queries += 1;
        let claims = match origin {
            Origin::Connection { conn, .. } => self.connections.get(conn).map(|own| &own.claims),
            Origin::Ticket { .. } => Some(&query.claims),
        };
        let caller = QueryCaller {
            identity: caller.identity,
            admin: caller.admin,
            claims: claims.cloned().unwrap_or_default(),
        };
        let database = self
            .database
            .as_mut()
            .expect("no transaction is open between two commands");
        let (mut rows, mut ends) = (Vec::new(), Vec::new());
        let (form, params) = (&query.form, &query.params);
        let mut sink = |row: &[u8]| {
            rows.extend_from_slice(row);
            ends.push(rows.len());
        };
        let explained = self
            .live
            .explain(database, form, params, &caller, &mut sink);
        let result = explained.unwrap_or_else(|| {
            syncline_query::query_once(database, form, params, &caller, &mut sink)
        });
        match result {
            Ok(description) => self.answer_query(origin, &description, &rows, &ends),
            Err(error) => self.reply(origin, None, Err(error.to_wire())),
        }
    }

    fn answer_query(
        &mut self,
        origin: Origin,
        description: &ResultDescription,
        rows: &[u8],
        ends: &[usize],
    ) {
        let lsn = self.log.last();
        let conn = match origin {
            Origin::Ticket { ticket, .. } => {
                let json = reply::rows_json(lsn, description, rows, ends);
                return self.confirmed.answer(ticket, Answer::Rows(Box::new(json)));
            }
            Origin::Connection { conn, .. } => conn,
        };
        let Origin::Connection { id, .. } = origin else {
            return;
        };
        let Some(encoding) = self.connections.get(conn).map(|c| c.encoding) else {
            return;
        };
        let Some(queue) = self.queue(conn) else {
            return;
        };
        let mut chunks = Chunks::new(description, |first, rows, row_count, last| {
            let message = ServerMessage::Rows(Rows {
                id,
                lsn,
                description: first,
                rows: std::mem::take(rows).into(),
                row_count,
                last,
            });
            queue.send(conn, last, |out| {
                reply::put_rows(encoding, &message, description, out);
            });
        });
        let mut start = 0;
        for &end in ends {
            chunks.push(&rows[start..end]);
            start = end;
        }
        chunks.finish();
    }

    pub(crate) fn pong(&mut self, conn: ConnKey, id: u32) {
        let lsn = self.log.last();
        let Some(encoding) = self.connections.get(conn).map(|c| c.encoding) else {
            return;
        };
        let Some(queue) = self.queue(conn) else {
            return;
        };
        queue.send(conn, true, |out| reply::put_pong(encoding, id, lsn, out));
    }

    pub(crate) fn inspect(&mut self, ticket: Ticket, what: Inspect) {
        let answer = match what {
            Inspect::Schema => {
                Answer::Schema(self.schema_text.json.clone(), self.schema_text.hash.clone())
            }
            Inspect::View if self.log.is_poisoned() => Answer::Failed(Box::new(poisoned())),
            Inspect::View => Answer::View(self.log.last(), Box::new(self.database().read_view())),
            Inspect::Logs { after, limit } => Answer::Logs(self.module_log.after(after, limit)),
        };
        self.confirmed.answer(ticket, answer);
    }

    /// Answers a request that has no rows: nothing, or an error.
    pub(crate) fn reply(
        &mut self,
        origin: Origin,
        lsn: Option<Lsn>,
        outcome: Result<(), WireError>,
    ) {
        let lsn = lsn.unwrap_or(self.log.last());
        match origin {
            Origin::Ticket { ticket, .. } => {
                let answer = match outcome {
                    Ok(()) => Answer::Called(lsn, serde_json::Value::Null),
                    Err(error) => Answer::Failed(Box::new(error)),
                };
                self.confirmed.answer(ticket, answer);
            }
            Origin::Connection { conn, id } => {
                let Some(encoding) = self.connections.get(conn).map(|c| c.encoding) else {
                    return;
                };
                let Some(queue) = self.queue(conn) else {
                    return;
                };
                queue.send(conn, true, |out| match &outcome {
                    Ok(()) => reply::put_value(encoding, id, lsn, None, &[], out),
                    Err(error) => reply::put_error(encoding, id, lsn, error, out),
                });
            }
        }
    }

    fn caller(&self, origin: Origin) -> Option<Caller> {
        Some(match origin {
            Origin::Connection { conn, .. } => {
                let connection = self.connections.get(conn)?;
                Caller {
                    identity: connection.identity,
                    connection: connection.id,
                    admin: connection.admin,
                }
            }
            Origin::Ticket {
                identity, admin, ..
            } => Caller {
                identity,
                connection: ConnectionId::default(),
                admin,
            },
        })
    }
}

fn check_args(def: &ReducerDef, bytes: &[u8]) -> Result<(), WireError> {
    syncline_protocol::packed::validate(def.params.iter().map(|param| &param.ty), bytes)
        .map_err(|error| bad_args(def, &error.to_string()))
}

fn bad_args(def: &ReducerDef, reason: &str) -> WireError {
    let params: Vec<_> = def
        .params
        .iter()
        .map(|param| format!("{}: {}", param.name, param.ty))
        .collect();
    WireError::new(ErrorCode::BadArguments, reason).hint(format!(
        "the reducer is {}({})",
        def.name,
        params.join(", ")
    ))
}

/// Cuts rows into chunks. The description goes with the first.
pub(crate) struct Chunks<F: FnMut(Option<ResultDescription>, &mut Vec<u8>, u32, bool)> {
    description: Option<ResultDescription>,
    rows: Vec<u8>,
    count: u32,
    send: F,
}

impl<F: FnMut(Option<ResultDescription>, &mut Vec<u8>, u32, bool)> Chunks<F> {
    pub(crate) fn new(description: &ResultDescription, send: F) -> Self {
        Self {
            description: Some(description.clone()),
            rows: Vec::new(),
            count: 0,
            send,
        }
    }

    pub(crate) fn push(&mut self, row: &[u8]) {
        self.rows.extend_from_slice(row);
        self.count += 1;
        if self.rows.len() >= SNAPSHOT_CHUNK_BYTES {
            self.flush(false);
        }
    }

    pub(crate) fn finish(mut self) {
        self.flush(true);
    }

    fn flush(&mut self, last: bool) {
        (self.send)(self.description.take(), &mut self.rows, self.count, last);
        self.rows.clear();
        self.count = 0;
    }
}
