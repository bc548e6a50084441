//! The engine: one database, commands in, effects out, in an order that only this file knows.

use std::collections::VecDeque;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use sha2::{Digest, Sha256};
use syncline_host::{CallContext, CallError, LogLine, Runner};
use syncline_protocol::limits::STEP_COMMANDS_MAX;
use syncline_protocol::message::Delivery;
use syncline_protocol::{
    ChangeSet, ConnectionId, Epoch, Identity, Lsn, ReducerKind, TableId, WireError,
};
use syncline_query::{Budgets, Deltas, LiveQueries};
use syncline_store::{Database, LogAppender, Transaction, TransactionRecord};

use crate::command::{Command, ConnKey, Origin};
use crate::connections::{Connections, Subscribers};
use crate::counters::Counters;
use crate::effect::Effects;
use crate::fanout::{FanOut, Queues};
use crate::inbox::{Inbox, Wait};
use crate::live::first_answers::FirstAnswers;
use crate::live::quotas::Quotas;
use crate::module_log::ModuleLog;
use crate::refusal::refusal;
use crate::reply;
use crate::suspects::{SLOW_TICKS, Suspects};

/// Bytes of messages after which a step stops taking commands.
const STEP_BYTES_MAX: usize = 64 << 20;
/// Bytes of a change set that the next transaction gets to reuse the memory of.
const KEPT_CHANGES_BYTES_MAX: usize = 4 << 20;
/// Ticks after which a step takes no more commands.
const STEP_TICKS: u64 = 2;
/// Ticks that pass between two steps for who has no clock: more than any suspicion lasts.
const AGE_TICKS: u64 = 1 << 32;

/// One database: its tables, its module, its live queries, its log and its connections.
///
/// A state machine without threads, clock, sockets or randomness: [`Engine::step`] is given
/// commands and the time, and hands out effects. Effects of confirmed connections are held until
/// everything they depend on is durable, so nobody is told what a crash could take back.
pub struct Engine {
    /// `None` only while a transaction has it.
    pub(crate) database: Option<Database>,
    pub(crate) runner: Option<Runner>,
    /// Ids of the module's tables, by position.
    pub(crate) tables: Vec<TableId>,
    pub(crate) reducers: HashMap<Arc<str>, usize, FixedState>,
    pub(crate) schema_text: Arc<SchemaText>,
    pub(crate) live: LiveQueries,
    pub(crate) budgets: Budgets,
    pub(crate) first_answers: FirstAnswers,
    pub(crate) quotas: Quotas,
    pub(crate) log: LogAppender,
    pub(crate) epoch: Epoch,
    pub(crate) connections: Connections,
    pub(crate) subscribers: Subscribers,
    pub(crate) module_log: ModuleLog,
    pub(crate) counters: Counters,
    pub(crate) now: i64,
    pub(crate) secret: [u8; 32],
    calls: u64,
    changes: ChangeSet,
    deltas: Deltas,
    fan_out: FanOut,
    lines: Vec<LogLine>,
    /// Effects of the running step for confirmed connections and tickets.
    pub(crate) confirmed: Effects,
    /// Effects of the running step for unconfirmed connections.
    pub(crate) unconfirmed: Effects,
    /// Effects of earlier steps, and the Lsn that must be durable before they are let out.
    pub(crate) held: VecDeque<(Lsn, Effects)>,
    /// Bytes of the messages in `held`.
    pub(crate) held_bytes: usize,
    /// Connections that are gone, but not yet from their table: the log could not take it.
    pub(crate) unended: Vec<(Identity, ConnectionId)>,
    /// The reducer that the running command has run, and whether it used up all its time.
    ran: Option<(usize, bool)>,
    /// Reducers that took long.
    pub(crate) suspects: Suspects,
    /// The tick of the last command that was not deferred.
    pub(crate) busy_tick: u64,
    /// Emptied effects, whose memory is used again.
    pub(crate) spare: Vec<Effects>,
    pub(crate) poison_told: bool,
}

/// The schema as it travels.
#[derive(Debug, Default)]
pub struct SchemaText {
    /// Lower-case hex.
    pub hash: String,
    /// JSON.
    pub json: String,
}

/// Who a reducer runs for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    pub(crate) identity: Identity,
    pub(crate) connection: ConnectionId,
    pub(crate) admin: bool,
}

/// A change of a system table that belongs to the transaction of a lifecycle reducer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SystemChange {
    None,
    Connected(ConnectionId),
    Disconnected(ConnectionId),
}

impl Engine {
    /// Assembles an engine around a database that was opened. Call [`Engine::recover`] before the
    /// first step.
    pub(crate) fn assemble(
        database: Database,
        log: LogAppender,
        epoch: Epoch,
        now: i64,
        secret: [u8; 32],
    ) -> Self {
        // Clients choose the keys that are hashed, so the seed must not be known to them.
        let live = LiveQueries::with_hash_seed(database.hash_seed());
        Self {
            database: Some(database),
            runner: None,
            tables: Vec::new(),
            reducers: HashMap::with_hasher(FixedState::default()),
            schema_text: Arc::default(),
            live,
            budgets: Budgets::default(),
            first_answers: FirstAnswers::default(),
            quotas: Quotas::default(),
            log,
            epoch,
            connections: Connections::default(),
            subscribers: Subscribers::default(),
            module_log: ModuleLog::default(),
            counters: Counters::default(),
            now,
            secret,
            calls: 0,
            changes: ChangeSet::new(),
            deltas: Deltas::default(),
            fan_out: FanOut::default(),
            lines: Vec::new(),
            confirmed: Effects::default(),
            unconfirmed: Effects::default(),
            held: VecDeque::new(),
            held_bytes: 0,
            unended: Vec::new(),
            ran: None,
            suspects: Suspects::default(),
            busy_tick: 0,
            spare: Vec::new(),
            poison_told: false,
        }
    }

    /// [`Engine::step_timed`] for callers without a clock. An age passes between two steps, so nothing waits
    /// for a tick.
    pub fn step(&mut self, inbox: &mut Inbox, now: i64, out: &mut dyn FnMut(&mut Effects)) {
        let tick = self.busy_tick.saturating_add(AGE_TICKS);
        self.busy_tick = tick;
        self.step_timed(inbox, now, &mut || tick, out);
    }

    /// Takes commands out of the inbox (all of them, unless they are very many, take long, make very
    /// long answers, or have to wait), runs them, hands what they wrote to the log, and lets out every effect
    /// that need not wait any longer. `now` is microseconds since the Unix epoch. `ticks` counts time in
    /// [`syncline_host::TICK_MS`], never goes back, and is asked after every command: it decides who waits
    /// for whom, and nothing else.
    pub fn step_timed(
        &mut self,
        inbox: &mut Inbox,
        now: i64,
        ticks: &mut dyn FnMut() -> u64,
        out: &mut dyn FnMut(&mut Effects),
    ) {
        // Commit time never goes back, whatever the clock does.
        self.now = self.now.max(now);
        self.end_left_over();
        let start = ticks();
        self.suspects.expire(start);
        self.live.advance(start);
        let database = self.database.as_mut();
        self.live
            .drop_unused_indexes(database.expect("no transaction is open between two steps"));
        self.first_answers.advance(start);
        self.refuse_excess(inbox, start);
        if self.waits_for(inbox, start) == Wait::Nothing {
            self.take_commands(inbox, start, ticks);
        }
        self.log.flush();
        self.release(out);
    }

    fn take_commands(&mut self, inbox: &mut Inbox, start: u64, ticks: &mut dyn FnMut() -> u64) {
        let failures = syncline_query::failures_of_thread();
        let is_deferred = self.deferred_from(inbox).is_some_and(|from| from <= start);
        let mut tick = start;
        for _ in 0..STEP_COMMANDS_MAX {
            let bytes = self.confirmed.byte_len() + self.unconfirmed.byte_len();
            if bytes > STEP_BYTES_MAX || self.is_behind() {
                break;
            }
            let next = if is_deferred {
                self.next_deferred(inbox, tick)
            } else {
                self.next_ready(inbox, tick)
            };
            let Some(command) = next else { break };
            self.ran = None;
            self.run(command);
            let before = std::mem::replace(&mut tick, ticks());
            let spent = tick.saturating_sub(before);
            if let Some((reducer, is_over)) = self.ran
                && (is_over || spent >= SLOW_TICKS)
            {
                self.suspects.note(reducer, spent.max(SLOW_TICKS), tick);
            }
            if !is_deferred {
                self.busy_tick = tick;
                if spent > 0 {
                    inbox.end_turn();
                }
            }
            // Others, and the answers of those that were served, wait for the end of the step.
            if tick >= start + STEP_TICKS || self.ran.is_some_and(|(_, is_over)| is_over) {
                break;
            }
        }
        self.counters.failed_expressions += syncline_query::failures_of_thread() - failures;
    }

    pub(crate) fn run(&mut self, command: Command) {
        match command {
            Command::Call {
                origin,
                reducer,
                args,
            } => self.call(origin, &reducer, &args),
            Command::Subscribe { conn, id, query } => self.subscribe(conn, id, &query),
            Command::Unsubscribe {
                conn,
                id,
                subscription,
            } => {
                self.unsubscribe(conn, id, subscription);
            }
            Command::SetParams {
                conn,
                id,
                subscription,
                params,
            } => self.set_params(conn, id, subscription, &params),
            Command::Query { origin, query } => self.query(origin, &query),
            Command::Ping { conn, id } => self.pong(conn, id),
            Command::Reply { conn, id, outcome } => {
                self.reply(
                    Origin::Connection { conn, id },
                    None,
                    outcome.map_err(|error| *error),
                );
            }
            Command::Connect(connect) => self.connect(*connect),
            Command::Disconnect(conn) => self.disconnect(conn),
            Command::Publish(publish) => self.publish(&publish),
            Command::Import(import) => self.import(*import),
            Command::Inspect { ticket, what } => self.inspect(ticket, what),
            Command::DurableAdvanced => {}
        }
    }

    /// The database, outside of a transaction.
    pub(crate) fn database(&self) -> &Database {
        self.database
            .as_ref()
            .expect("no transaction is open between two commands")
    }

    /// Runs one transaction: a system change, then a reducer (if there is one), then commit, log, live
    /// queries and fan-out. On an error nothing has happened.
    pub(crate) fn transact(
        &mut self,
        caller: Caller,
        system: SystemChange,
        reducer: Option<(usize, &str)>,
        args: &[u8],
    ) -> Result<(Lsn, Vec<u8>), WireError> {
        self.log
            .reserve(args.len())
            .map_err(|error| refusal(&error))?;
        let database = self
            .database
            .take()
            .expect("no transaction is open between two commands");
        let mut transaction = database.begin();
        system.apply(caller.identity, self.now, &mut transaction);
        let context = self.call_context(caller.identity, caller.connection);
        let mut outcome = Ok(Vec::new());
        if let Some(reducer) = reducer {
            (transaction, outcome) = self.run_reducer(transaction, reducer, &context, args);
        }
        // What it wrote is known only now; a disk that is full must refuse it before it is committed.
        let written = args.len() + transaction.written_bytes();
        let outcome = outcome.and_then(|value| {
            self.log
                .reserve(written)
                .map(|()| value)
                .map_err(|e| refusal(&e))
        });
        let value = match outcome {
            Ok(value) => value,
            Err(error) => {
                self.database = Some(transaction.rollback());
                self.counters.calls_failed += 1;
                return Err(error);
            }
        };
        let record = TransactionRecord {
            time: self.now,
            caller: caller.identity,
            connection: caller.connection,
            reducer: reducer.map_or("", |(_, name)| name),
            args,
            seed: context.seed,
        };
        Ok((self.commit(transaction, &record), value))
    }

    /// Commits a transaction that the log has room for, logs it and tells its subscribers. One that changed
    /// nothing has the Lsn of the last that did.
    pub(crate) fn commit(
        &mut self,
        transaction: Transaction,
        record: &TransactionRecord<'_>,
    ) -> Lsn {
        let database = transaction.commit(&mut self.changes);
        let database = self.database.insert(database);
        if self.changes.is_empty() {
            return self.log.last();
        }
        let lsn = self.log.append(record, database, &self.changes);
        self.counters.transactions += 1;
        self.counters.rows_changed += self.changes.len() as u64;
        self.notify(lsn);
        if self.changes.byte_len() > KEPT_CHANGES_BYTES_MAX {
            self.changes = ChangeSet::new();
        }
        lsn
    }

    fn run_reducer(
        &mut self,
        transaction: Transaction,
        (index, name): (usize, &str),
        context: &CallContext,
        args: &[u8],
    ) -> (Transaction, Result<Vec<u8>, WireError>) {
        let runner = self.runner.as_mut().expect("a reducer has a module");
        let (transaction, result) = runner.call(
            transaction,
            &self.tables,
            index,
            context,
            args,
            &mut self.lines,
        );
        for line in self.lines.drain(..) {
            self.module_log
                .push(self.now, line.level_name(), name, line.text);
        }
        self.ran = Some((index, false));
        if let Err(error) = &result {
            self.ran = Some((index, matches!(error, CallError::Deadline { .. })));
            self.log_failure(name, error);
        }
        let outcome = result.map_err(|error| reply::call_error(name, &error));
        (transaction, outcome)
    }

    /// A failure that is a bug of the module, and not an answer of it, goes to the module's log.
    pub(crate) fn log_failure(&mut self, reducer: &str, error: &CallError) {
        if !matches!(error, CallError::Reducer(_)) {
            self.module_log
                .push(self.now, "error", reducer, error.to_string());
        }
    }

    /// What a reducer gets to know, with a seed that no other call has had.
    pub(crate) fn call_context(
        &mut self,
        caller: Identity,
        connection: ConnectionId,
    ) -> CallContext {
        self.calls += 1;
        let seed = seed(&self.secret, self.log.last(), self.calls);
        CallContext {
            caller,
            connection,
            time: self.now,
            seed,
        }
    }

    /// Tells the subscribers what the transaction in `self.changes` changed for them.
    fn notify(&mut self, lsn: Lsn) {
        let database = self
            .database
            .as_ref()
            .expect("the transaction gave it back");
        self.live.step(database, &self.changes, &mut self.deltas);
        if !self.deltas.is_empty() {
            self.first_answers.forget_changed(&self.deltas);
            self.send_deltas(lsn);
        }
        if self.live.is_unsettled() {
            self.settle_live(lsn);
        }
    }

    fn send_deltas(&mut self, lsn: Lsn) {
        let mut queues = Queues {
            confirmed: &mut self.confirmed,
            unconfirmed: &mut self.unconfirmed,
        };
        let (live, subscribers) = (&self.live, &self.subscribers);
        let sent = self
            .fan_out
            .run(lsn, &self.deltas, live, subscribers, &mut queues);
        self.counters.deltas += self.deltas.len() as u64;
        self.counters.commits_sent += sent as u64;
    }

    /// Position of the lifecycle reducer of this kind and its name.
    pub(crate) fn lifecycle(&self, kind: ReducerKind) -> Option<(usize, String)> {
        let schema = &self.database().schema().module;
        let index = schema.lifecycle(kind)?;
        Some((index, schema.reducers[index].name.clone()))
    }

    /// Where messages to this connection go, if it is still there.
    pub(crate) fn queue(&mut self, conn: ConnKey) -> Option<&mut Effects> {
        let delivery = self.connections.get(conn)?.delivery;
        Some(match delivery {
            Delivery::Confirmed => &mut self.confirmed,
            Delivery::Unconfirmed => &mut self.unconfirmed,
        })
    }

    /// Counters since the database was opened, and sizes now.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let mut counters = self.counters;
        counters.lsn = self.log.last().0;
        counters.durable = self.log.durable().0;
        counters.connections = self.connections.len() as u64;
        counters.live_bytes = (self.live.byte_len() + self.quotas.texts.byte_len()) as u64;
        counters.live_indexes = self.live.hidden_index_count() as u64;
        counters
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("lsn", &self.log.last())
            .finish_non_exhaustive()
    }
}

/// The seed of a call is a pseudo-random function of a secret, so that clients cannot choose it.
fn seed(secret: &[u8; 32], last: Lsn, calls: u64) -> [u8; 32] {
    let mut block = [0; 48];
    block[..32].copy_from_slice(secret);
    block[32..40].copy_from_slice(&last.0.to_le_bytes());
    block[40..].copy_from_slice(&calls.to_le_bytes());
    Sha256::digest(block).into()
}
