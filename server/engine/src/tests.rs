//! The engine without a module: who is told what, and when. With modules it is driven by the corpus.
#![allow(clippy::unwrap_used)]

mod live;
mod publish;

use std::path::Path;
use std::sync::Arc;

use syncline_host::{Host, RunLimits};
use syncline_protocol::message::{Delivery, Encoding, ServerMessage};
use syncline_protocol::{ConnectionId, ErrorCode, Identity, TableId};
use syncline_store::{LogWriter, MemoryDisk};

use crate::{
    Answer, CallArgs, Command, ConnKey, Connect, EffectRef, Effects, Engine, Inbox, Inspect,
    Origin, Settings, Ticket,
};

/// An engine whose log is written when a test says so.
struct Bench {
    disk: MemoryDisk,
    engine: Engine,
    writer: LogWriter,
    sent: Vec<(ConnKey, ServerMessage)>,
    closed: Vec<(ConnKey, String)>,
    answers: Vec<(Ticket, Answer)>,
    stale: usize,
}

impl Bench {
    fn new() -> Self {
        Self::open(MemoryDisk::new())
    }

    fn open(disk: MemoryDisk) -> Self {
        let host = Host::new(RunLimits::default()).unwrap();
        let opened = Engine::open(
            Arc::new(disk.clone()),
            Path::new("/db"),
            &host,
            1_000,
            [7; 32],
            &Settings::default(),
        )
        .unwrap();
        let (engine, writer) = (opened.engine, opened.writer);
        let stale = opened.stale_connections;
        Self {
            disk,
            engine,
            writer,
            sent: vec![],
            closed: vec![],
            answers: vec![],
            stale,
        }
    }

    fn step(&mut self, commands: impl IntoIterator<Item = Command>) {
        let mut inbox: Inbox = commands.into_iter().collect();
        let Self {
            engine,
            sent,
            closed,
            answers,
            ..
        } = self;
        engine.step(&mut inbox, 2_000, &mut |effects: &mut Effects| {
            for effect in effects.iter() {
                match effect {
                    EffectRef::Send { conn, message, .. } => {
                        sent.push((conn, ServerMessage::decode(message).unwrap()));
                    }
                    EffectRef::FanOut { targets, message } => {
                        let message = ServerMessage::decode(message).unwrap();
                        sent.extend(targets.iter().map(|conn| (*conn, message.clone())));
                    }
                    EffectRef::Close { conn, error } => closed.push((conn, error.code.clone())),
                }
            }
            answers.extend(effects.take_answers());
        });
        assert!(inbox.is_empty());
    }

    /// Writes the log and lets the engine know.
    fn settle(&mut self) {
        self.writer.run_once().unwrap();
        self.step([Command::DurableAdvanced]);
    }

    fn connections(&self) -> usize {
        self.engine
            .database()
            .table(TableId::CONNECTIONS)
            .unwrap()
            .len()
    }
}

fn conn(index: u32) -> ConnKey {
    ConnKey {
        index,
        generation: 1,
    }
}

fn connect(index: u32, delivery: Delivery) -> Command {
    Command::Connect(Box::new(Connect {
        conn: conn(index),
        connection: ConnectionId([index as u8 + 1; 16]),
        identity: Identity([index as u8 + 1; 32]),
        admin: false,
        claims: syncline_protocol::Claims::NONE,
        encoding: Encoding::MessagePack,
        delivery,
        token: None,
        schema_hash: None,
    }))
}

#[test]
fn the_confirmed_are_told_when_it_is_durable_and_the_others_at_once() {
    let mut bench = Bench::new();
    bench.step([
        connect(0, Delivery::Confirmed),
        connect(1, Delivery::Unconfirmed),
    ]);
    let told: Vec<_> = bench.sent.iter().map(|(conn, _)| conn.index).collect();
    assert_eq!(told, [1]);
    assert!(!bench.engine.is_settled());
    bench.settle();
    let told: Vec<_> = bench.sent.iter().map(|(conn, _)| conn.index).collect();
    assert_eq!(told, [1, 0]);
    assert!(bench.engine.is_settled());
}

#[test]
fn answers_keep_the_order_of_requests() {
    let mut bench = Bench::new();
    bench.step([
        connect(0, Delivery::Confirmed),
        Command::Ping {
            conn: conn(0),
            id: 1,
        },
        Command::Unsubscribe {
            conn: conn(0),
            id: 2,
            subscription: 9,
        },
        Command::Ping {
            conn: conn(0),
            id: 3,
        },
    ]);
    bench.settle();
    assert!(matches!(bench.sent[0].1, ServerMessage::Welcome(_)));
    assert!(
        matches!(&bench.sent[1].1, ServerMessage::Pong(pong) if pong.id == 1 && pong.lsn.0 > 0)
    );
    let ServerMessage::Reply(reply) = &bench.sent[2].1 else {
        panic!("{:?}", bench.sent[2])
    };
    let error = reply.error.as_ref().unwrap();
    assert_eq!(error.known_code(), Some(ErrorCode::NoSubscription));
    assert!(matches!(&bench.sent[3].1, ServerMessage::Pong(pong) if pong.id == 3));
}

#[test]
fn without_a_module_calls_say_so() {
    let mut bench = Bench::new();
    let origin = Origin::Ticket {
        ticket: Ticket(5),
        identity: Identity([1; 32]),
        admin: true,
    };
    let args = CallArgs::Json(serde_json::json!([]));
    bench.step([Command::Call {
        origin,
        reducer: "any".into(),
        args,
    }]);
    bench.settle();
    let (Ticket(5), Answer::Failed(error)) = &bench.answers[0] else {
        panic!("{:?}", bench.answers)
    };
    assert_eq!(error.known_code(), Some(ErrorCode::NoModule));
}

#[test]
fn connections_of_a_crash_are_ended_at_the_next_open() {
    let mut bench = Bench::new();
    bench.step([
        connect(0, Delivery::Confirmed),
        connect(1, Delivery::Confirmed),
    ]);
    bench.settle();
    bench.step([Command::Disconnect(conn(1))]);
    bench.settle();
    assert_eq!(bench.connections(), 1);
    bench.disk.crash(3);
    let disk = bench.disk.clone();
    drop(bench);
    let mut bench = Bench::open(disk);
    assert_eq!(bench.stale, 1);
    assert_eq!(bench.connections(), 0);
    bench.settle();
    assert_eq!(bench.engine.counters().lsn, 4);
}

#[test]
fn a_message_for_a_connection_that_is_gone_reaches_nobody() {
    let mut bench = Bench::new();
    bench.step([connect(0, Delivery::Confirmed)]);
    bench.settle();
    bench.sent.clear();
    let reused = ConnKey {
        index: 0,
        generation: 2,
    };
    bench.step([
        Command::Disconnect(conn(0)),
        Command::Ping {
            conn: conn(0),
            id: 1,
        },
        Command::Ping {
            conn: reused,
            id: 2,
        },
    ]);
    bench.settle();
    assert!(bench.sent.is_empty(), "{:?}", bench.sent);
}

#[test]
fn a_failed_sync_is_told_as_unknown_and_poisons() {
    let mut bench = Bench::new();
    bench.step([connect(0, Delivery::Confirmed)]);
    bench.settle();
    bench.sent.clear();
    let ticket = Ticket(8);
    bench.step([
        connect(1, Delivery::Confirmed),
        Command::Inspect {
            ticket,
            what: Inspect::Schema,
        },
    ]);
    let fault = syncline_store::disk::Fault::Error(std::io::ErrorKind::Other);
    for call in bench.disk.calls()..bench.disk.calls() + 4 {
        bench.disk.fault_at(call, fault);
    }
    bench.writer.run_once().unwrap_err();
    bench.step([Command::DurableAdvanced]);
    assert!(bench.engine.is_poisoned());
    assert!(
        bench.sent.is_empty(),
        "nobody was welcomed: {:?}",
        bench.sent
    );
    let closed: Vec<_> = bench
        .closed
        .iter()
        .map(|(conn, code)| (conn.index, &**code))
        .collect();
    assert_eq!(closed, [(0, "POISONED"), (1, "POISONED")]);
    let (Ticket(8), Answer::Failed(error)) = &bench.answers[0] else {
        panic!("{:?}", bench.answers)
    };
    assert_eq!(error.known_code(), Some(ErrorCode::OutcomeUnknown));
    bench.step([connect(2, Delivery::Confirmed)]);
    assert_eq!(bench.closed[2], (conn(2), "POISONED".to_owned()));
}

#[test]
fn a_close_that_was_held_is_told_when_the_disk_fails() {
    let mut bench = Bench::new();
    bench.step([connect(0, Delivery::Confirmed)]);
    // As if `connected` had refused it: gateway has it, the engine does not.
    let refused = syncline_protocol::WireError::new(ErrorCode::ReducerError, "no");
    bench.engine.confirmed.close(conn(5), refused);
    bench.step([]);
    let fault = syncline_store::disk::Fault::Error(std::io::ErrorKind::Other);
    for call in bench.disk.calls()..bench.disk.calls() + 4 {
        bench.disk.fault_at(call, fault);
    }
    bench.writer.run_once().unwrap_err();
    bench.step([Command::DurableAdvanced]);
    let closed: Vec<_> = bench
        .closed
        .iter()
        .map(|(conn, code)| (conn.index, &**code))
        .collect();
    assert_eq!(closed, [(5, "REDUCER_ERROR"), (0, "POISONED")]);
}

#[test]
fn the_end_of_a_connection_that_could_not_be_logged_is_made_up_for() {
    let mut bench = Bench::new();
    bench.step([connect(0, Delivery::Confirmed)]);
    bench.settle();
    // As if the disk had been full when it left.
    let gone = bench.engine.connections.remove(conn(0)).unwrap();
    bench.engine.unended.push((gone.identity, gone.id));
    assert_eq!(bench.connections(), 1);
    bench.step([]);
    assert_eq!(bench.connections(), 0);
    assert!(bench.engine.unended.is_empty());
}

#[test]
fn a_step_ends_when_it_has_taken_long() {
    let mut bench = Bench::new();
    let ping = |id| Command::Ping { conn: conn(0), id };
    let mut inbox: Inbox = [ping(1), ping(2), ping(3)].into_iter().collect();
    let mut tick = 0;
    let mut ticks = || {
        tick += 1;
        tick
    };
    let engine = &mut bench.engine;
    engine.step_timed(&mut inbox, 2_000, &mut ticks, &mut |_| {});
    assert_eq!(inbox.len(), 1);
}

#[test]
fn too_many_answers_that_wait_for_the_disk_stop_the_engine() {
    let mut bench = Bench::new();
    bench.step([connect(0, Delivery::Confirmed)]);
    assert!(bench.engine.held_bytes > 0 && !bench.engine.is_behind());
    bench
        .engine
        .confirmed
        .send(conn(0), false, |out| out.resize(65 << 20, 0));
    let mut inbox = Inbox::default();
    bench.engine.step(&mut inbox, 2_000, &mut |_| {});
    assert!(bench.engine.is_behind());
    inbox.push(Command::DurableAdvanced, 0);
    bench.engine.step(&mut inbox, 2_000, &mut |_| {});
    assert_eq!(inbox.len(), 1, "it takes nothing");
    bench.writer.run_once().unwrap();
    bench.engine.step(&mut inbox, 2_000, &mut |_| {});
    assert!(!bench.engine.is_behind() && bench.engine.held_bytes == 0);
}

#[test]
fn a_reducer_name_of_megabytes_is_not_compared() {
    let mut bench = Bench::new();
    let origin = Origin::Ticket {
        ticket: Ticket(1),
        identity: Identity([1; 32]),
        admin: false,
    };
    bench.step([Command::Call {
        origin,
        reducer: vec![b'a'; 1 << 20].into(),
        args: CallArgs::Json(serde_json::json!([])),
    }]);
    bench.settle();
    let (_, Answer::Failed(error)) = &bench.answers[0] else {
        panic!("{:?}", bench.answers)
    };
    assert_eq!(error.known_code(), Some(ErrorCode::NoReducer));
    assert!(error.message.len() < 100, "it is not echoed");
}
