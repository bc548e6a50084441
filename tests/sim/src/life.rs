//! One life of a database: from an open to the end of the power or of the process.

use std::collections::VecDeque;

use syncline_engine::{
    Answer, CheckpointProgress, CheckpointWriter, Command, ConnKey, EffectRef, Effects, Engine,
    Inbox, LogWriter, Ticket, store_module,
};
use syncline_protocol::ErrorCode;
use syncline_store::{CheckpointError, StoredModule};

use crate::actor::{Actor, Panicked};
use crate::client::Client;
use crate::model::ModuleName;
use crate::model::calls::Call;
use crate::mutant::Mutant;
use crate::report::{Checked, hold};
use crate::requests::{Request, Takes, apply, connection_id, key};
use crate::world::World;

type Log = Actor<LogWriter, Result<(), String>>;
type Checkpoint = Actor<CheckpointWriter, Result<CheckpointProgress, CheckpointError>>;

/// An engine that is open, and all around it.
pub(crate) struct Life {
    engine: Engine,
    log: Log,
    /// The log has said that it failed.
    is_failed: bool,
    checkpoint: Option<Checkpoint>,
    pub(crate) clients: Vec<Client>,
    requests: VecDeque<Request>,
    inbox: Inbox,
    /// What is in the inbox, in the same order.
    handed_over: VecDeque<Request>,
    /// Modules of publishes among them.
    stored: Vec<StoredModule>,
    /// The disk has been full in this life: what the log takes is known only afterwards.
    was_full: bool,
    /// The disk is slow: so many turns of the log pass without a call of it getting through, but for one now and then.
    slow_turns: u64,
}

/// What a step let out.
enum News {
    Message(ConnKey, Vec<u8>),
    Close(ConnKey, String),
    Answer(u64, Box<Answer>),
}

impl From<Panicked> for String {
    fn from(_: Panicked) -> Self {
        "a thread has panicked".to_owned()
    }
}

impl Life {
    pub(crate) fn new(engine: Engine, writer: LogWriter) -> Self {
        Self {
            engine,
            log: Actor::new(writer),
            is_failed: false,
            checkpoint: None,
            clients: Vec::new(),
            requests: VecDeque::new(),
            inbox: Inbox::default(),
            handed_over: VecDeque::new(),
            stored: Vec::new(),
            was_full: false,
            slow_turns: 0,
        }
    }

    pub(crate) fn is_poisoned(&self) -> bool {
        self.engine.is_poisoned()
    }

    /// One thing of all that may happen next.
    pub(crate) fn tick(&mut self, world: &mut World) -> Checked {
        match world.random.below(100) {
            0..30 => self.ask_at_random(world),
            30..55 => self.step(world)?,
            55..90 if self.slow_turns > 0 => {
                self.slow_turns -= 1;
                if self.slow_turns.is_multiple_of(16) {
                    self.log(world)?;
                }
            }
            55..90 => self.log(world)?,
            90..98 => self.checkpoint(world)?,
            98 => {
                self.slow_turns = 10 + world.random.below(50);
                world.tally.count("disk slow", 1);
                world.trace(|| "the disk is slow");
            }
            _ => self.fill_or_free_disk(world),
        }
        world.now += world.random.below(3) as i64;
        Ok(())
    }

    /// Runs until nothing is under way any more.
    pub(crate) fn settle(&mut self, world: &mut World) -> Checked {
        for _ in 0..10_000 {
            let is_idle = self.requests.is_empty() && self.handed_over.is_empty();
            if is_idle && self.engine.is_settled() && !self.log.is_busy() {
                return Ok(());
            }
            self.step(world)?;
            self.log(world)?;
        }
        Err("it does not come to rest".to_owned())
    }

    pub(crate) fn ask(&mut self, request: Request) {
        self.requests.push_back(request);
    }

    /// Says in the log that all of it is durable, as the log does by itself after a while without work.
    pub(crate) fn seal(mut self, world: &mut World) -> Checked {
        hold!(!self.is_failed, "the disk has no faults");
        let mut ended = self
            .log
            .begin(|writer| writer.seal().map_err(|error| error.to_string()))?;
        while self.log.is_busy() {
            ended = self.log.go_on()?;
        }
        world.trace(|| "sealed");
        ended.unwrap_or(Ok(()))
    }

    /// A connection more; returns its place.
    pub(crate) fn connect(&mut self, world: &mut World) -> usize {
        world.connections += 1;
        let place = self.clients.len();
        let identity = [1 + world.random.below(3) as u8; 32];
        let id = connection_id(world.connections);
        let mut client = Client::new(key(place), id, identity);
        client.is_confirmed = !world.random.once_in(3);
        // The bug: what counts as confirmed is told at once.
        let is_early = world.mutant == Some(Mutant::ReleaseEarly);
        let is_confirmed = client.is_confirmed && !is_early;
        self.clients.push(client);
        self.ask(Request::Connect {
            client: place,
            is_confirmed,
        });
        place
    }

    fn ask_at_random(&mut self, world: &mut World) {
        if self.requests.len() > 10 {
            return;
        }
        let open: Vec<usize> = (0..self.clients.len())
            .filter(|place| self.clients[*place].takes_requests())
            .collect();
        let random = &mut world.random;
        if !self.was_full && (world.history.now().module.is_none() || random.once_in(25)) {
            let module = *random.pick(&[ModuleName::Plain, ModuleName::Stamped, ModuleName::Attic]);
            let clear_data = random.once_in(4);
            let ticket = world.tickets.next();
            return self.ask(Request::Publish {
                ticket,
                module,
                clear_data,
            });
        }
        if open.is_empty() || (open.len() < 4 && random.once_in(8)) {
            self.connect(world);
            return;
        }
        let client = *random.pick(&open);
        let query = random.below(crate::model::queries::QUERIES.len() as u64) as usize;
        let choice = random.below(20);
        let known = &mut self.clients[client];
        let id = known.next_id();
        let request = match choice {
            0 | 1 => Request::Subscribe { client, id, query },
            2 => Request::Query { client, id, query },
            3 => Request::Ping { client, id },
            4 => {
                let subscriptions = known.subscriptions();
                if subscriptions.is_empty() {
                    return;
                }
                let subscription = *random.pick(&subscriptions);
                known.forget(subscription);
                Request::Unsubscribe {
                    client,
                    id,
                    subscription,
                }
            }
            5 if random.once_in(2) => {
                let ticket = world.tickets.next();
                Request::View { ticket }
            }
            6 if !self.was_full && random.once_in(2) => {
                known.is_leaving = true;
                Request::Disconnect { client }
            }
            7 | 8 => {
                let ticket = world.tickets.next();
                let call = Call::at_random(random);
                Request::TicketCall { ticket, call }
            }
            _ => {
                let call = Call::at_random(random);
                Request::Call { client, id, call }
            }
        };
        self.ask(request);
    }

    /// Requests that go into one step: some of one client, or one without.
    fn next_batch(&mut self, world: &mut World) -> Vec<Request> {
        let most = if self.was_full {
            1
        } else {
            world.random.below(6) as usize
        };
        let mut batch: Vec<Request> = Vec::new();
        while batch.len() < most {
            let Some(next) = self.requests.front() else {
                break;
            };
            let fits = match batch.first() {
                None => true,
                Some(first) => first.client().is_some() && first.client() == next.client(),
            };
            if !fits {
                break;
            }
            batch.extend(self.requests.pop_front());
        }
        batch
    }

    /// A step of the engine, and what the model says of it.
    fn step(&mut self, world: &mut World) -> Checked {
        if self.handed_over.is_empty() {
            if !self.stored.is_empty() {
                self.stored.clear();
                self.engine.modules().remove_refused();
            }
            for request in self.next_batch(world) {
                let command = request.command(&self.clients);
                if let Command::Publish(publish) = &command
                    && publish.ticket.0.is_multiple_of(2)
                {
                    // As the gateway does, on another thread. Where that fails the engine meets the same.
                    let modules = self.engine.modules();
                    let stored = store_module(&modules, &publish.module, &publish.wasm);
                    self.stored.extend(stored);
                }
                self.inbox.push(command, 0);
                self.handed_over.push_back(request);
            }
        }
        let was_poisoned = self.engine.is_poisoned();
        let mut news = Vec::new();
        let out = &mut |effects: &mut Effects| collect(effects, &mut news);
        self.engine.step(&mut self.inbox, world.now, out);
        let done = self.handed_over.len() - self.inbox.len();
        let batch: Vec<Request> = self.handed_over.drain(..done).collect();
        for request in &batch {
            // A module that the disk did not take poisons the log in the middle of its publish.
            let is_publish = matches!(request, Request::Publish { .. });
            let fails_now = is_publish && !was_poisoned && self.engine.is_poisoned();
            let committed = self.engine.counters().lsn > world.history.last();
            let log = match () {
                () if was_poisoned || fails_now => Takes::Nothing,
                () if self.was_full && !committed => Takes::Unknown,
                () => Takes::Everything,
            };
            world.trace(|| format!("{request:?} (the log takes {log:?})"));
            let before = world.history.last();
            apply(world, &mut self.clients, request, log);
            world
                .tally
                .count("committed", world.history.last() - before);
        }
        let (lsn, right) = (self.engine.counters().lsn, world.history.last());
        hold!(
            lsn == right,
            "the engine is at lsn {lsn}, the model at {right}"
        );
        self.hear(news, world)
    }

    fn hear(&mut self, news: Vec<News>, world: &mut World) -> Checked {
        let is_poisoned = self.engine.is_poisoned();
        let told_before = world.history.known_durable();
        for piece in news {
            match piece {
                News::Message(conn, bytes) => {
                    world.note(&bytes);
                    let client = &mut self.clients[conn.index as usize];
                    client
                        .receive(&bytes, &mut world.history)
                        .map_err(|error| format!("client {}: {error}", conn.index))?;
                }
                News::Close(conn, error) => {
                    let client = &mut self.clients[conn.index as usize];
                    hold!(is_poisoned || client.may_close.is_some(), "closed: {error}");
                    let is_first = !std::mem::replace(&mut client.is_closed, true);
                    let is_there = world.history.now().connections.contains_key(&client.id);
                    if is_first && is_there && !is_poisoned {
                        let client = conn.index as usize;
                        self.ask(Request::Disconnect { client });
                    }
                }
                News::Answer(ticket, answer) => {
                    world.note(&ticket.to_le_bytes());
                    let history = &mut world.history;
                    world
                        .tickets
                        .answer(ticket, &answer, is_poisoned, history)?;
                }
            }
        }
        let told = world.history.known_durable();
        if told > told_before {
            world.trace(|| format!("lsn {told} is known to be durable"));
            world.tally.count("told durable", told - told_before);
        }
        for client in self.clients.iter().filter(|client| !client.is_closed) {
            client.check(&world.history)?;
            if let Some(epoch) = client.epoch() {
                let past = world.past_epoch;
                hold!(epoch > past, "epoch {epoch} after {past}");
                world.epoch = epoch;
            }
        }
        Ok(())
    }

    /// The log goes on to its next call to the disk.
    fn log(&mut self, world: &mut World) -> Checked {
        if self.is_failed {
            return Ok(());
        }
        let ended = if self.log.is_busy() {
            self.log.go_on()?
        } else if world.random.once_in(12) {
            self.log
                .begin(|writer| writer.seal().map_err(|error| error.to_string()))?
        } else {
            self.log.begin(|writer| {
                let done = writer.run_once();
                done.map(drop).map_err(|error| error.to_string())
            })?
        };
        if let Some(Err(error)) = ended {
            self.is_failed = true;
            world.tally.count("log failed", 1);
            world.trace(|| format!("the log: {error}"));
            hold!(
                self.engine.is_poisoned(),
                "the log failed and takes more: {error}"
            );
        }
        Ok(())
    }

    /// The checkpoint goes on to its next call to the disk, or one is begun if it is time.
    fn checkpoint(&mut self, world: &mut World) -> Checked {
        let Some(checkpoint) = &mut self.checkpoint else {
            self.checkpoint = self.engine.due_checkpoint().map(Actor::new);
            world
                .tally
                .count("checkpoints begun", u64::from(self.checkpoint.is_some()));
            return Ok(());
        };
        for _ in 0..=world.random.below(4) {
            let ended = if checkpoint.is_busy() {
                checkpoint.go_on()?
            } else {
                checkpoint.begin(CheckpointWriter::run_once)?
            };
            match ended {
                None | Some(Ok(CheckpointProgress::Working { .. })) => {}
                Some(Ok(CheckpointProgress::Waiting)) => break,
                Some(Ok(CheckpointProgress::Done(report))) => {
                    world.tally.count("checkpoints taken", 1);
                    world
                        .tally
                        .count("segments retired", report.retired.segments as u64);
                    world.trace(|| format!("{report:?}"));
                    self.checkpoint = None;
                    break;
                }
                Some(Err(error)) => {
                    hold!(!matches!(error, CheckpointError::Diverged(_)), "{error}");
                    world.tally.count("checkpoints given up", 1);
                    world.trace(|| format!("no checkpoint: {error}"));
                    self.checkpoint = None;
                    break;
                }
            }
        }
        Ok(())
    }

    /// The disk is full, or has room again. Only while no connection is about to end: it would at a time that
    /// the model does not know.
    fn fill_or_free_disk(&mut self, world: &mut World) {
        let memory = &world.disk.memory;
        if self.was_full {
            memory.set_capacity(None);
            world.trace(|| "the disk has room");
        } else if self.is_quiet() && world.random.once_in(2) {
            memory.set_capacity(Some(u64::MAX));
            let folder = crate::disk::folder();
            let free = syncline_store::Disk::free_bytes(memory, &folder).unwrap_or_default();
            memory.set_capacity(Some(u64::MAX - free + world.random.below(4096)));
            self.was_full = true;
            world.tally.count("disk full", 1);
            world.trace(|| "the disk is full");
        }
    }

    /// No connection is about to end, and nothing waits to be run.
    fn is_quiet(&self) -> bool {
        let is_staying = |client: &Client| client.may_close.is_none() || client.is_closed;
        let waits = self.requests.len() + self.handed_over.len();
        waits == 0 && !self.is_failed && self.clients.iter().all(is_staying)
    }

    /// Everything that was asked is answered.
    pub(crate) fn check_answered(&self, world: &World) -> Checked {
        let clients = self.clients.iter().filter(|client| !client.is_closed);
        let unanswered: usize = clients.map(Client::unanswered).sum();
        hold!(unanswered == 0, "{unanswered} requests were not answered");
        let tickets = world.tickets.unanswered();
        hold!(tickets == 0, "{tickets} tickets were not answered");
        Ok(())
    }
}

fn collect(effects: &mut Effects, news: &mut Vec<News>) {
    for effect in effects.iter() {
        match effect {
            EffectRef::Send { conn, message, .. } => {
                news.push(News::Message(conn, message.to_vec()));
            }
            EffectRef::FanOut { targets, message } => {
                let each = targets
                    .iter()
                    .map(|conn| News::Message(*conn, message.to_vec()));
                news.extend(each);
            }
            EffectRef::Close { conn, error } => {
                let code = error.known_code().unwrap_or(ErrorCode::Internal);
                news.push(News::Close(conn, format!("{code:?}: {}", error.message)));
            }
        }
    }
    let answers = effects.take_answers();
    news.extend(answers.map(|(Ticket(ticket), answer)| News::Answer(ticket, Box::new(answer))));
}
