//! A database on its home thread: the engine, its connections, and the loop that drives them.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use syncline_engine::{ConnKey, EffectRef, Effects, Engine, TICK_MS, Wait};
use syncline_protocol::limits::HELLO_MS_MAX;
use syncline_protocol::{ConnectionId, ErrorCode, WireError};

use crate::auth::{Authority, random};
use crate::checkpoints::Checkpoints;
use crate::connection::{Connection, Phase};
use crate::context::Context;
use crate::scrubs::Scrubs;
use crate::shared::{Outside, Shared, Socket};
use crate::tickets::Tickets;
use crate::ticks::TICKS;
use crate::websocket::{Opcode, put_frame};

/// How often connections are looked after: greetings that take too long, tokens that end, silence.
const LOOK: Duration = Duration::from_secs(1);
/// A client that was not heard for so long is sent a WebSocket ping.
const QUIET: Duration = Duration::from_secs(30);
/// And is cut after this.
const SILENT: Duration = Duration::from_secs(90);

/// A database and its connections, on one thread.
pub(crate) struct DatabaseTask {
    context: Rc<Context>,
    slots: RefCell<Vec<Slot>>,
    free: RefCell<Vec<u32>>,
    tickets: RefCell<Tickets>,
}

/// However the loop of a database ends, by a panic too: whoever waits for it must learn so.
struct Ending(Rc<DatabaseTask>);

impl Drop for Ending {
    fn drop(&mut self) {
        let Self(database) = self;
        database.context.shared.close();
        if std::thread::panicking() {
            tracing::error!(
                database = database.context.shared.name,
                "the database has failed"
            );
            database.tickets.take();
            let error = WireError::new(ErrorCode::Internal, "the database has failed")
                .hint("restart the server; it recovers everything that was confirmed");
            for connection in database.connections() {
                connection.close_with(&error, &database.context);
            }
        }
    }
}

#[derive(Default)]
struct Slot {
    generation: u32,
    connection: Option<Rc<Connection>>,
}

impl DatabaseTask {
    pub(crate) fn new(
        shared: Arc<Shared>,
        authority: Arc<Authority>,
        scratch: Rc<RefCell<Vec<u8>>>,
    ) -> Rc<Self> {
        Rc::new(Self {
            context: Context::new(shared, authority, scratch),
            slots: RefCell::default(),
            free: RefCell::default(),
            tickets: RefCell::default(),
        })
    }

    /// Drives the engine until the database is shut down.
    pub(crate) async fn run(self: Rc<Self>, mut engine: Engine) {
        let _ending = Ending(self.clone());
        let mut outside = Vec::new();
        let mut next_look = Instant::now() + LOOK;
        let mut checkpoints = Checkpoints::default();
        let mut scrubs = Scrubs::new(self.context.shared.scrub_every);
        loop {
            let wait = self.wait(&engine, next_look);
            // Elapsed is as good as rung: both mean that there may be something to do.
            let _ = tokio::time::timeout(wait, self.context.shared.bell.notified()).await;
            loop {
                let has_room = self.context.inbox.borrow().has_room_for_requests();
                self.context.shared.take(has_room, &mut outside);
                for item in outside.drain(..) {
                    if let Some(done) = self.admit(&engine, item) {
                        self.shut_down(&mut engine).await;
                        drop(checkpoints);
                        drop(scrubs);
                        // The end of its log: the writer stops when everything is written.
                        drop(engine);
                        // Nobody who waits for this has gone away, or it does not matter.
                        let _ = done.send(());
                        return;
                    }
                }
                self.step(&mut engine);
                // In here, since there may be something to do for ever.
                if Instant::now() >= next_look {
                    self.look();
                    // Those who see that it is full may wait with their writes until it is not.
                    if engine.is_full() {
                        engine.ask_for_room();
                    }
                    scrubs.look(&self.context.shared, &mut engine);
                    checkpoints.look(&self.context.shared.name, &mut engine);
                    next_look = Instant::now() + LOOK;
                }
                if self.waits_for(&engine) != Wait::Nothing {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
    }

    /// How long there is surely nothing to do, unless the bell rings.
    fn wait(&self, engine: &Engine, next_look: Instant) -> Duration {
        let wait = next_look.saturating_duration_since(Instant::now());
        let Wait::Tick(tick) = self.waits_for(engine) else {
            return wait;
        };
        let ticks = tick.saturating_sub(TICKS.load(Ordering::Relaxed));
        wait.min(Duration::from_millis(ticks.saturating_mul(TICK_MS)))
    }

    fn waits_for(&self, engine: &Engine) -> Wait {
        engine.waits_for(&self.context.inbox.borrow(), TICKS.load(Ordering::Relaxed))
    }

    fn step(&self, engine: &mut Engine) {
        {
            let mut inbox = self.context.inbox.borrow_mut();
            let mut ticks = || TICKS.load(Ordering::Relaxed);
            let mut out = |effects: &mut Effects| self.apply(effects);
            engine.step_timed(&mut inbox, crate::now_us(), &mut ticks, &mut out);
            let shared = &self.context.shared;
            let (is_poisoned, is_full) = (engine.is_poisoned(), engine.is_full());
            shared.is_poisoned.store(is_poisoned, Ordering::Relaxed);
            shared.is_full.store(is_full, Ordering::Relaxed);
            for command in self.context.late.borrow_mut().drain(..) {
                inbox.push(command, 0);
            }
        }
        self.context.wake_waiting();
        self.flush();
    }

    /// Takes in what came from another thread; a request to shut down is for the caller.
    fn admit(
        self: &Rc<Self>,
        engine: &Engine,
        item: Outside,
    ) -> Option<std::sync::mpsc::Sender<()>> {
        match item {
            Outside::Socket(socket) => self.adopt(socket),
            Outside::Request { make, answer } => {
                let ticket = self.tickets.borrow_mut().add(answer);
                self.context.inbox.borrow_mut().push(make(ticket), 0);
            }
            Outside::Stats(answer) => {
                let mut stats = self.context.stats();
                stats.engine = engine.counters();
                stats.inbox = self.context.inbox.borrow().len() as u64;
                // A scrape that was given up needs no answer.
                let _ = answer.send(stats);
            }
            Outside::Shutdown(done) => return Some(done),
        }
        None
    }

    fn adopt(self: &Rc<Self>, socket: Socket) {
        let Socket {
            stream,
            leftover,
            encoding,
            permit,
        } = socket;
        let stream = match tokio::net::TcpStream::from_std(stream) {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "a socket could not be adopted");
                return;
            }
        };
        let (read, write) = stream.into_split();
        let key = self.reserve();
        let id = ConnectionId(random());
        let greeting = Duration::from_millis(HELLO_MS_MAX);
        let connection = Rc::new(Connection::new(key, id, encoding, write, permit, greeting));
        self.slots.borrow_mut()[key.index as usize].connection = Some(connection.clone());
        self.context.count(|stats| stats.sockets += 1);
        let database = self.clone();
        tokio::task::spawn_local(async move {
            connection.run(read, &database.context, leftover).await;
            database.leave(&connection);
        });
    }

    fn reserve(&self) -> ConnKey {
        let mut slots = self.slots.borrow_mut();
        let index = self.free.borrow_mut().pop().unwrap_or_else(|| {
            slots.push(Slot::default());
            (slots.len() - 1) as u32
        });
        let slot = &mut slots[index as usize];
        slot.generation = slot.generation.wrapping_add(1);
        ConnKey {
            index,
            generation: slot.generation,
        }
    }

    /// The connection's task is over.
    fn leave(&self, connection: &Connection) {
        connection.forget(&self.context);
        let index = connection.key.index;
        self.slots.borrow_mut()[index as usize].connection = None;
        self.free.borrow_mut().push(index);
        self.context.count(|stats| stats.sockets -= 1);
    }

    fn apply(&self, effects: &mut Effects) {
        let mut frame = Vec::new();
        for effect in effects.iter() {
            match effect {
                EffectRef::Send {
                    conn,
                    message,
                    answers,
                } => {
                    let Some(connection) = self.connection(conn) else {
                        continue;
                    };
                    connection.push(connection.opcode(), message, &self.context);
                    if answers {
                        connection.answered();
                    }
                }
                EffectRef::FanOut { targets, message } => {
                    frame.clear();
                    for &conn in targets {
                        let Some(connection) = self.connection(conn) else {
                            continue;
                        };
                        if frame.is_empty() {
                            put_frame(connection.opcode(), message, &mut frame);
                        }
                        connection.push_frame(&frame, &self.context);
                    }
                }
                EffectRef::Close { conn, error } => {
                    if let Some(connection) = self.connection(conn) {
                        connection.close_with(error, &self.context);
                    }
                }
            }
        }
        let mut tickets = self.tickets.borrow_mut();
        for (ticket, answer) in effects.take_answers() {
            tickets.answer(ticket, answer);
        }
    }

    fn connection(&self, key: ConnKey) -> Option<Rc<Connection>> {
        let slots = self.slots.borrow();
        let connection = slots.get(key.index as usize)?.connection.as_ref()?;
        (connection.key == key).then(|| connection.clone())
    }

    fn connections(&self) -> Vec<Rc<Connection>> {
        let slots = self.slots.borrow();
        slots
            .iter()
            .filter_map(|slot| slot.connection.clone())
            .collect()
    }

    /// Writes what the step has put into outboxes: one write for each connection.
    fn flush(&self) {
        let mut dirty = self.context.dirty.take();
        for key in dirty.drain(..) {
            if let Some(connection) = self.connection(key) {
                connection.is_dirty.set(false);
                connection.flush(&self.context);
            }
        }
        let mut slot = self.context.dirty.borrow_mut();
        if slot.is_empty() {
            *slot = dirty;
        }
    }

    /// Looks after connections that do nothing themselves.
    fn look(&self) {
        let now = Instant::now();
        let now_s = crate::now_s();
        for connection in self.connections() {
            match connection.phase.get() {
                Phase::Greeting(deadline) if now >= deadline => {
                    let message = format!("no Hello within {HELLO_MS_MAX} ms");
                    let error = WireError::new(ErrorCode::HelloExpected, message);
                    connection.close_with(&error, &self.context);
                }
                Phase::Greeting(_) => {}
                Phase::Closing(deadline) => {
                    if now >= deadline {
                        connection.wake();
                    }
                }
                Phase::Open => {
                    let silence = now.saturating_duration_since(connection.heard.get());
                    if connection.expires.get().is_some_and(|end| end <= now_s) {
                        let error =
                            WireError::new(ErrorCode::TokenExpired, "the token's time is over")
                                .hint("renew it with Auth before it ends");
                        connection.close_with(&error, &self.context);
                    } else if silence > SILENT {
                        connection.close(None, 1001, "silent for too long", &self.context);
                    } else if silence > QUIET {
                        connection.push(Opcode::Ping, &[], &self.context);
                    }
                    connection.look(&self.context);
                }
            }
        }
        self.flush();
    }

    async fn shut_down(self: &Rc<Self>, engine: &mut Engine) {
        let error = WireError::new(ErrorCode::ServerShutdown, "the server is going down")
            .hint("connect again in a moment");
        for connection in self.connections() {
            connection.close_with(&error, &self.context);
        }
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            self.step(engine);
            // Those who do not answer the goodbye are cut when their time is over.
            self.look();
            let idle = self.context.inbox.borrow().is_empty() && engine.is_settled();
            let empty = self
                .slots
                .borrow()
                .iter()
                .all(|slot| slot.connection.is_none());
            if (idle && empty) || engine.is_poisoned() || Instant::now() > deadline {
                break;
            }
            let _ = tokio::time::timeout(
                Duration::from_millis(20),
                self.context.shared.bell.notified(),
            )
            .await;
        }
    }
}
