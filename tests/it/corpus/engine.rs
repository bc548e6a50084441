//! The engine alone, on a disk in memory: no socket, no clock, no thread but the deadline's.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use syncline_engine::{
    Answer, CallArgs, Command, ConnKey, Connect, EffectRef, Effects, Engine, Inbox, LogWriter,
    MemoryDisk, Origin, Publish, QueryText, Settings, Ticket,
};
use syncline_protocol::message::{
    Args, ClientMessage, Encoding, ErrorMessage, QueryForm, ServerMessage,
};
use syncline_protocol::{ConnectionId, Identity};
use syncline_store::log::{LoggedRecord, read_log};

use super::world::World;
use crate::host::{compiled, host};
use crate::server::wasm;
use crate::socket::Event;

const FOLDER: &str = "/database";
const ADMIN: &str = "admin";

/// What the commit log says of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Logged {
    pub(crate) time: i64,
    /// Reducer and arguments, or nothing.
    pub(crate) call: Option<(String, Vec<u8>)>,
    pub(crate) changes: Vec<String>,
}

pub(crate) struct EngineWorld {
    disk: MemoryDisk,
    /// `None` only while it is opened anew.
    open: Option<(Engine, LogWriter)>,
    inbox: Inbox,
    outboxes: Vec<VecDeque<Event>>,
    answers: BTreeMap<u64, Answer>,
    now: i64,
    tickets: u64,
    crashes: u64,
    /// Publish before each call, so that each runs on a fresh instance.
    freshly: Option<String>,
}

impl EngineWorld {
    pub(crate) fn new(freshly: Option<&str>) -> Self {
        let disk = MemoryDisk::new();
        let open = Some(open(&disk, 1_000_000));
        Self {
            disk,
            open,
            inbox: Inbox::default(),
            outboxes: Vec::new(),
            answers: BTreeMap::new(),
            now: 1_000_000,
            tickets: 0,
            crashes: 0,
            freshly: freshly.map(str::to_owned),
        }
    }

    /// Steps until nothing is to be done, and nothing waits for the disk.
    fn settle(&mut self) {
        while !self.inbox.is_empty() || !self.opened().0.is_settled() {
            self.step();
            self.opened().1.run_once().unwrap();
            self.inbox.push(Command::DurableAdvanced, 0);
            self.step();
        }
    }

    fn opened(&mut self) -> &mut (Engine, LogWriter) {
        self.open.as_mut().expect("it is open between two steps")
    }

    fn step(&mut self) {
        let (engine, _) = self.open.as_mut().expect("it is open between two steps");
        let (outboxes, answers) = (&mut self.outboxes, &mut self.answers);
        engine.step(&mut self.inbox, self.now, &mut |effects: &mut Effects| {
            for effect in effects.iter() {
                match effect {
                    EffectRef::Send { conn, message, .. } => {
                        outboxes[conn.index as usize].push_back(Event::Message(message.to_vec()));
                    }
                    EffectRef::FanOut { targets, message } => {
                        for conn in targets {
                            let event = Event::Message(message.to_vec());
                            outboxes[conn.index as usize].push_back(event);
                        }
                    }
                    EffectRef::Close { conn, error } => {
                        let mut bytes = Vec::new();
                        let error = error.clone();
                        ServerMessage::Error(ErrorMessage { error }).encode(&mut bytes);
                        outboxes[conn.index as usize].extend([Event::Message(bytes), Event::Lost]);
                    }
                }
            }
            answers.extend(
                effects
                    .take_answers()
                    .map(|(Ticket(ticket), answer)| (ticket, answer)),
            );
        });
    }

    /// Ends the engine and reads its log.
    pub(crate) fn log(mut self) -> Vec<Logged> {
        self.settle();
        let disk = self.disk.clone();
        drop(self);
        let mut log = Vec::new();
        read_log(&disk, Path::new(FOLDER), &mut |record| {
            let LoggedRecord::Transaction(transaction) = record else {
                return Ok(());
            };
            let changes = transaction.changes.map(|change| match change {
                Ok(change) => Ok(format!("{change:?}")),
                Err(error) => Err(error.to_string()),
            });
            let call = transaction
                .audit
                .map(|audit| (audit.reducer.to_owned(), audit.args.to_vec()));
            let changes = changes.collect::<Result<_, _>>()?;
            log.push(Logged {
                time: transaction.time,
                call,
                changes,
            });
            Ok(())
        })
        .unwrap();
        log
    }
}

impl World for EngineWorld {
    fn encoding(&self) -> Encoding {
        Encoding::MessagePack
    }

    fn publish(&mut self, module: &str) {
        self.tickets += 1;
        self.inbox.extend([Command::Publish(Box::new(Publish {
            ticket: Ticket(self.tickets),
            identity: identity(ADMIN),
            module: compiled(module),
            wasm: wasm(module).into(),
            clear_data: false,
        }))]);
        self.settle();
        let answer = self.answers.remove(&self.tickets);
        assert!(matches!(answer, Some(Answer::Published(_))), "{answer:?}");
    }

    fn admin_token(&self) -> String {
        ADMIN.to_owned()
    }

    fn open(&mut self, who: &str, hello: &[u8]) -> usize {
        let Ok(ClientMessage::Hello(hello)) = ClientMessage::decode(Encoding::MessagePack, hello)
        else {
            panic!("no Hello")
        };
        self.now += 1000;
        let index = self.outboxes.len();
        self.outboxes.push(VecDeque::new());
        // A token is a name here.
        let token = hello.token.as_deref();
        self.inbox.extend([Command::Connect(Box::new(Connect {
            conn: key(index),
            connection: ConnectionId([index as u8 + 1; 16]),
            identity: identity(token.unwrap_or(who)),
            admin: token == Some(ADMIN),
            claims: syncline_protocol::Claims::NONE,
            encoding: Encoding::MessagePack,
            delivery: hello.delivery,
            token: token.is_none().then(|| who.to_owned()),
            schema_hash: None,
        }))]);
        index
    }

    fn send(&mut self, link: usize, message: &[u8]) {
        self.now += 1000;
        let conn = key(link);
        let text = |form: QueryForm<'_>, params| {
            let form = form.into_owned().unwrap();
            let claims = syncline_protocol::Claims::NONE;
            Box::new(QueryText {
                form,
                params,
                claims,
            })
        };
        let command = match ClientMessage::decode(Encoding::MessagePack, message).unwrap() {
            ClientMessage::Call(call) => {
                let Args::Packed(args) = call.args else {
                    panic!("arguments are packed here")
                };
                Command::Call {
                    origin: Origin::Connection { conn, id: call.id },
                    reducer: call.reducer.as_bytes().to_vec().into(),
                    args: CallArgs::Packed(args.into_owned().into()),
                }
            }
            ClientMessage::Subscribe(request) => {
                let query = text(request.sql, request.params);
                Command::Subscribe {
                    conn,
                    id: request.id,
                    query,
                }
            }
            ClientMessage::Unsubscribe(request) => {
                let subscription = request.subscription;
                Command::Unsubscribe {
                    conn,
                    id: request.id,
                    subscription,
                }
            }
            ClientMessage::SetParams(request) => Command::SetParams {
                conn,
                id: request.id,
                subscription: request.subscription,
                params: request.params,
            },
            ClientMessage::Query(request) => {
                let query = text(request.sql, request.params);
                Command::Query {
                    origin: Origin::Connection {
                        conn,
                        id: request.id,
                    },
                    query,
                }
            }
            ClientMessage::Ping(request) => Command::Ping {
                conn,
                id: request.id,
            },
            other => panic!("scripts do not send {other:?}"),
        };
        self.inbox.push(command, 0);
    }

    fn send_frame(&mut self, _: usize, _: bool, _: &[u8]) {
        panic!("the engine has no frames: `needs socket`")
    }

    fn receive(&mut self, link: usize) -> Event {
        if self.outboxes[link].is_empty() {
            self.settle();
        }
        self.outboxes[link].pop_front().expect("nothing came")
    }

    fn close(&mut self, link: usize) {
        self.inbox.push(Command::Disconnect(key(link)), 0);
        self.settle();
    }

    /// A crash: what was not synced is gone.
    fn restart(&mut self) {
        self.settle();
        self.crashes += 1;
        self.disk.crash(self.crashes);
        // The lock of the folder goes with the old engine, so it goes first.
        self.open = None;
        self.open = Some(open(&self.disk, self.now));
    }

    fn before_call(&mut self) {
        if let Some(module) = self.freshly.clone() {
            self.publish(&module);
        }
    }
}

fn open(disk: &MemoryDisk, now: i64) -> (Engine, LogWriter) {
    let disk = Arc::new(disk.clone());
    let settings = Settings::default();
    let opened = Engine::open(disk, Path::new(FOLDER), host(), now, [7; 32], &settings).unwrap();
    (opened.engine, opened.writer)
}

fn key(index: usize) -> ConnKey {
    ConnKey {
        index: index as u32,
        generation: 1,
    }
}

/// An identity that follows from the name.
fn identity(name: &str) -> Identity {
    let mut bytes = [0; 32];
    for (byte, letter) in bytes.iter_mut().zip(name.bytes().cycle()) {
        *byte = letter;
    }
    Identity(bytes)
}
