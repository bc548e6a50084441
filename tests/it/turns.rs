//! Who waits for whom in an engine whose clock moves only when the test says so.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use syncline_engine::{
    CallArgs, Command, ConnKey, Connect, EffectRef, Effects, Engine, Host, Inbox, LogWriter,
    MemoryDisk, Origin, Publish, RunLimits, Settings, TICK_MS, Ticket, Wait,
};
use syncline_protocol::limits::DEFERRED_COMMANDS_MAX;
use syncline_protocol::message::{Delivery, Encoding, ServerMessage};
use syncline_protocol::{ConnectionId, Identity};

use crate::server::wasm;

/// How long others may go first, since the clock stands still while a call loops.
const PATIENCE: u64 = 10;
/// How long a reducer is a suspect.
const SUSPICION: u64 = 100;

struct World {
    engine: Engine,
    writer: LogWriter,
    inbox: Inbox,
    tick: u64,
    /// Connection and id of every answer, and the code of its error.
    answers: Vec<(u32, u32, String)>,
}

impl World {
    /// With so many connections, and a looping reducer that is a suspect already.
    fn new(connections: u32) -> Self {
        let limits = RunLimits {
            call_ms_max: 3 * TICK_MS,
            ..RunLimits::default()
        };
        let host = Host::new(limits).unwrap();
        let clock = host.clone();
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_millis(TICK_MS));
                clock.tick();
            }
        });
        let disk = Arc::new(MemoryDisk::new());
        let settings = Settings::default();
        let opened = Engine::open(disk, Path::new("/db"), &host, 1, [7; 32], &settings).unwrap();
        let mut world = Self {
            engine: opened.engine,
            writer: opened.writer,
            inbox: Inbox::default(),
            tick: 1000,
            answers: Vec::new(),
        };
        let wasm = wasm("scripted");
        let publish = Publish {
            ticket: Ticket(1),
            identity: Identity([1; 32]),
            module: host.load(&wasm).unwrap(),
            wasm: wasm.into(),
            clear_data: false,
        };
        world.inbox.push(Command::Publish(Box::new(publish)), 0);
        for index in 0..connections {
            let connect = Connect {
                conn: conn(index),
                connection: ConnectionId([index as u8 + 1; 16]),
                identity: Identity([index as u8 + 1; 32]),
                admin: false,
                claims: syncline_protocol::Claims::NONE,
                encoding: Encoding::MessagePack,
                delivery: Delivery::Confirmed,
                token: None,
                schema_hash: None,
            };
            world.inbox.push(Command::Connect(Box::new(connect)), 0);
        }
        world.settle();
        world.inbox.extend([looping(0, 1)]);
        world.settle();
        assert_eq!(world.take(), [(0, 1, "CALL_DEADLINE".to_owned())]);
        world
    }

    fn step(&mut self) {
        let Self {
            engine,
            inbox,
            tick,
            answers,
            ..
        } = self;
        engine.step_timed(inbox, 1, &mut || *tick, &mut |effects: &mut Effects| {
            for effect in effects.iter() {
                let EffectRef::Send { conn, message, .. } = effect else {
                    continue;
                };
                let (id, code) = match ServerMessage::decode(message).unwrap() {
                    ServerMessage::Pong(pong) => (pong.id, "pong".to_owned()),
                    ServerMessage::Reply(reply) => (
                        reply.id,
                        reply.error.map_or("ok".into(), |error| error.code),
                    ),
                    _ => continue,
                };
                answers.push((conn.index, id, code));
            }
        });
    }

    fn sync(&mut self) {
        self.writer.run_once().unwrap();
    }

    /// Steps and syncs, until there is nothing to do before the clock moves.
    fn settle(&mut self) {
        while self.wait() == Wait::Nothing || !self.engine.is_settled() {
            self.step();
            self.sync();
            self.step();
        }
    }

    fn wait(&self) -> Wait {
        self.engine.waits_for(&self.inbox, self.tick)
    }

    /// The answers since the last time.
    fn take(&mut self) -> Vec<(u32, u32, String)> {
        std::mem::take(&mut self.answers)
    }
}

fn conn(index: u32) -> ConnKey {
    ConnKey {
        index,
        generation: 1,
    }
}

fn ping(index: u32, id: u32) -> Command {
    let conn = conn(index);
    Command::Ping { conn, id }
}

fn call(index: u32, id: u32, reducer: &'static str, args: &'static [u8]) -> Command {
    let conn = conn(index);
    Command::Call {
        origin: Origin::Connection { conn, id },
        reducer: reducer.into(),
        args: CallArgs::Packed(args.into()),
    }
}

fn looping(index: u32, id: u32) -> Command {
    call(index, id, "loop_forever", &[])
}

fn writing(index: u32, id: u32) -> Command {
    call(index, id, "insert_tiny", &[1, 0, 0, 0])
}

fn answer(index: u32, id: u32, code: &str) -> (u32, u32, String) {
    (index, id, code.to_owned())
}

#[test]
fn a_slow_call_waits_until_others_are_served_and_what_they_did_is_durable() {
    let mut world = World::new(2);
    world
        .inbox
        .extend([looping(0, 2), ping(0, 3), writing(1, 1)]);
    world.step();
    world.tick += 1;
    assert_eq!(world.wait(), Wait::Disk, "the write is not durable yet");
    world.step();
    assert!(world.take().is_empty());
    world.sync();
    world.step();
    assert_eq!(world.take(), [answer(1, 1, "ok")]);
    // Its turn; and while it waited, somebody came who asks for little.
    assert_eq!(world.wait(), Wait::Nothing);
    world.inbox.extend([ping(1, 2)]);
    world.step();
    assert_eq!(world.take(), [answer(1, 2, "pong")]);
    // One moment in which nobody wants anything.
    assert_eq!(world.wait(), Wait::Tick(world.tick + 1));
    world.step();
    assert!(world.take().is_empty());
    world.tick += 1;
    world.step();
    // What the same connection asked for after it still comes after it.
    assert_eq!(world.take(), [answer(0, 2, "CALL_DEADLINE")]);
    world.settle();
    assert_eq!(world.take(), [answer(0, 3, "pong")]);
    assert_eq!(world.wait(), Wait::Command);
}

#[test]
fn a_slow_call_waits_no_longer_than_it_takes() {
    let mut world = World::new(2);
    world.inbox.extend([looping(0, 2)]);
    let start = world.tick;
    let mut id = 0;
    while world.answers.iter().all(|(index, ..)| *index != 0) {
        assert!(world.tick <= start + PATIENCE, "{:?}", world.answers);
        // Somebody always wants something.
        world.inbox.extend([writing(1, id), ping(1, id + 1)]);
        id += 2;
        world.step();
        world.sync();
        world.step();
        world.tick += 1;
    }
    assert_eq!(world.tick, start + PATIENCE + 1);
    world.settle();
    let answers = world.take().len() as u32;
    assert_eq!(answers, id + 1, "all others were answered as well");
}

#[test]
fn slow_calls_of_many_connections_do_not_come_before_anybody_else() {
    let mut world = World::new(5);
    world.inbox.extend((0..4).map(|index| looping(index, 2)));
    for id in 0..4 {
        world.inbox.extend([ping(4, id)]);
        world.settle();
        assert_eq!(world.take(), [answer(4, id, "pong")]);
        world.tick += 1;
        // One of them runs in a step of its own.
        world.step();
        assert_eq!(world.take().len(), 1);
    }
    assert!(world.inbox.is_empty());
}

#[test]
fn a_quick_call_of_a_suspect_is_only_later() {
    let mut world = World::new(2);
    // Both are in the step that belongs to deferred calls; the first of them loops.
    world
        .inbox
        .extend([looping(0, 2), looping(1, 1), ping(1, 2)]);
    world.settle();
    world.tick += 1;
    world.settle();
    let codes: Vec<_> = world.take().into_iter().map(|(.., code)| code).collect();
    assert_eq!(codes, ["CALL_DEADLINE", "CALL_DEADLINE", "pong"]);
}

#[test]
fn suspicion_ends() {
    let mut world = World::new(2);
    world.tick += SUSPICION - 1;
    world.inbox.extend([looping(0, 2), ping(1, 1)]);
    world.step();
    assert_eq!(world.take(), [answer(1, 1, "pong")]);
    world.tick += 1;
    world.step();
    world.step();
    assert_eq!(world.take(), [answer(0, 2, "CALL_DEADLINE")]);
    world.tick += SUSPICION;
    world.inbox.extend([looping(0, 3), ping(1, 2)]);
    world.step();
    assert_eq!(world.take(), [answer(0, 3, "CALL_DEADLINE")]);
}

#[test]
fn too_many_slow_calls_are_refused_and_leave_room_for_others() {
    let mut world = World::new(6);
    let excess = 10;
    for number in 0..(DEFERRED_COMMANDS_MAX + excess) as u32 {
        world.inbox.extend([looping(number % 5, 2 + number)]);
    }
    world.inbox.extend([ping(5, 1)]);
    world.settle();
    let answers = world.take();
    assert_eq!(answers[0], answer(5, 1, "pong"));
    assert_eq!(answers.len(), excess + 1);
    assert!(answers[1..].iter().all(|(.., code)| code == "OVERLOADED"));
    world.inbox.extend([ping(5, 2)]);
    world.settle();
    assert_eq!(world.take(), [answer(5, 2, "pong")]);
    assert_eq!(world.inbox.len(), DEFERRED_COMMANDS_MAX);
}
