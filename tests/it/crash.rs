//! Power cuts, on a disk that loses what was not synced: an engine with a bank on it lives many short
//! lives. What was confirmed is there, what was not is there once or not at all, and nothing by half.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use syncline_engine::{
    Answer, CallArgs, Command, Effects, Engine, Inbox, LogWriter, MemoryDisk, Options, Origin,
    Publish, QueryText, Settings, Ticket,
};
use syncline_protocol::{ErrorCode, Identity};
use syncline_store::disk::Fault;

use crate::host::{compiled, host};
use crate::server::wasm;

const FOLDER: &str = "/database";
const ACCOUNTS: u64 = 8;
const OPENING: i64 = 10_000;
/// Every life compiles the module. More: `CRASH_SEEDS=1000`.
const SEEDS: u64 = 10;
const LIVES: u64 = 6;

/// Numbers that follow from a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// What the outside knows over all lives.
#[derive(Default)]
struct Outside {
    is_published: bool,
    are_opened: bool,
    sent: BTreeMap<u64, (u64, u64, i64)>,
    confirmed: BTreeSet<u64>,
    /// How often a transfer that was not confirmed took effect all the same.
    unconfirmed_there: usize,
    transfers_there: usize,
}

/// From an open to a power cut.
struct Life {
    engine: Engine,
    writer: LogWriter,
    inbox: Inbox,
    answers: BTreeMap<u64, Answer>,
    now: i64,
}

/// The power is gone.
struct Dark;

impl Life {
    fn open(disk: &MemoryDisk, now: i64) -> Result<Self, Dark> {
        Self::open_with(disk, now, Options::default())
    }

    fn open_with(disk: &MemoryDisk, now: i64, options: Options) -> Result<Self, Dark> {
        // Segments end often, so that their ends are met as well.
        let log = Options {
            first_segment_bytes: 4096,
            segment_bytes: 8192,
            ..options
        };
        let settings = Settings {
            log,
            ..Settings::default()
        };
        let disk = Arc::new(disk.clone());
        match Engine::open(disk, Path::new(FOLDER), host(), now, [7; 32], &settings) {
            Ok(opened) => Ok(Self {
                engine: opened.engine,
                writer: opened.writer,
                inbox: Inbox::default(),
                answers: BTreeMap::new(),
                now,
            }),
            Err(error) => {
                assert!(
                    error.to_string().contains("power"),
                    "it does not open: {error}"
                );
                Err(Dark)
            }
        }
    }

    fn step(&mut self) {
        self.now += 1;
        let answers = &mut self.answers;
        self.engine
            .step(&mut self.inbox, self.now, &mut |effects: &mut Effects| {
                answers.extend(
                    effects
                        .take_answers()
                        .map(|(Ticket(ticket), answer)| (ticket, answer)),
                );
            });
    }

    /// Makes durable what the engine has handed over, and tells it.
    fn sync(&mut self) -> Result<(), Dark> {
        let result = self.writer.run_once();
        self.inbox.push(Command::DurableAdvanced, 0);
        self.step();
        result.map(|_| ()).map_err(|_| Dark)
    }

    /// Asks and waits for the answer.
    fn ask(&mut self, command: impl FnOnce(Ticket) -> Command) -> Result<Answer, Dark> {
        const TICKET: u64 = u64::MAX;
        self.inbox.push(command(Ticket(TICKET)), 0);
        self.step();
        self.sync()?;
        Ok(self
            .answers
            .remove(&TICKET)
            .expect("what is durable is answered"))
    }

    fn query(&mut self, sql: &str) -> Result<Result<Vec<Vec<u64>>, ErrorCode>, Dark> {
        let query = Box::new(QueryText {
            form: sql.into(),
            params: Vec::new(),
            claims: syncline_protocol::Claims::NONE,
        });
        let answer = self.ask(|ticket| Command::Query {
            origin: origin(ticket.0),
            query,
        })?;
        Ok(match answer {
            Answer::Rows(json) => {
                let number = |value: &Json| value.as_str().unwrap().parse().unwrap();
                let row = |row: &Json| row.as_array().unwrap().iter().map(number).collect();
                Ok(json["rows"].as_array().unwrap().iter().map(row).collect())
            }
            Answer::Failed(error) => Err(error.known_code().unwrap()),
            other => panic!("{other:?}"),
        })
    }
}

fn origin(ticket: u64) -> Origin {
    Origin::Ticket {
        ticket: Ticket(ticket),
        identity: Identity([1; 32]),
        admin: true,
    }
}

fn call(ticket: u64, reducer: &'static str, args: Json) -> Command {
    Command::Call {
        origin: origin(ticket),
        reducer: reducer.into(),
        args: CallArgs::Json(args),
    }
}

/// Publishes and opens the accounts, unless a life before has done so.
fn prepare(life: &mut Life, outside: &mut Outside) -> Result<(), Dark> {
    let mut accounts = life.query("SELECT id, balance FROM account")?;
    if accounts.is_err() {
        assert!(
            !outside.is_published,
            "the publish was confirmed and is gone"
        );
        let answer = life.ask(|ticket| {
            Command::Publish(Box::new(Publish {
                ticket,
                identity: Identity([1; 32]),
                module: compiled("bank"),
                wasm: wasm("bank").into(),
                clear_data: false,
            }))
        })?;
        outside.is_published |= matches!(answer, Answer::Published(_));
        accounts = life.query("SELECT id, balance FROM account")?;
    }
    match accounts.unwrap().len() as u64 {
        0 => {
            assert!(
                !outside.are_opened,
                "the accounts were confirmed and are gone"
            );
            let answer = life
                .ask(|Ticket(ticket)| call(ticket, "open_accounts", json!([ACCOUNTS, OPENING])))?;
            outside.are_opened |= matches!(answer, Answer::Called(..));
        }
        count => assert_eq!(count, ACCOUNTS, "some accounts of a transaction are there"),
    }
    Ok(())
}

/// Compares what is there with what was said.
fn check(life: &mut Life, outside: &mut Outside) -> Result<(), Dark> {
    let markers = life.query("SELECT id FROM marker")?.unwrap();
    let accounts = life.query("SELECT id, balance FROM account")?.unwrap();
    let there: BTreeSet<u64> = markers.iter().map(|row| row[0]).collect();
    assert_eq!(there.len(), markers.len(), "a transfer is there twice");
    let lost: Vec<_> = outside.confirmed.difference(&there).collect();
    assert!(lost.is_empty(), "confirmed and gone: {lost:?}");
    let mut balances: BTreeMap<u64, i64> = (0..ACCOUNTS).map(|id| (id, OPENING)).collect();
    for marker in &there {
        let (from, to, amount) = outside.sent[marker];
        *balances.get_mut(&from).unwrap() -= amount;
        *balances.get_mut(&to).unwrap() += amount;
    }
    let found: BTreeMap<u64, i64> = accounts.iter().map(|row| (row[0], row[1] as i64)).collect();
    assert_eq!(found, balances);
    outside.transfers_there = there.len();
    outside.unconfirmed_there = there.difference(&outside.confirmed).count();
    Ok(())
}

fn live(life: &mut Life, outside: &mut Outside, random: &mut Random) -> Result<(), Dark> {
    prepare(life, outside)?;
    check(life, outside)?;
    for _ in 0..random.below(30) {
        for _ in 0..=random.below(12) {
            let marker = outside.sent.len() as u64;
            let (from, to) = (random.below(ACCOUNTS), random.below(ACCOUNTS));
            let amount = random.below(5) as i64 + 1;
            outside.sent.insert(marker, (from, to, amount));
            let args = json!([marker, from, to, amount]);
            life.inbox.extend([call(marker, "transfer_marked", args)]);
        }
        life.step();
        // The engine runs ahead of the disk.
        let synced = if random.below(3) > 0 {
            life.sync()
        } else {
            Ok(())
        };
        for (marker, answer) in std::mem::take(&mut life.answers) {
            match answer {
                Answer::Called(..) => assert!(outside.confirmed.insert(marker)),
                Answer::Failed(error) => {
                    assert_eq!(
                        error.known_code(),
                        Some(ErrorCode::OutcomeUnknown),
                        "{error:?}"
                    );
                }
                other => panic!("{other:?}"),
            }
        }
        synced?;
    }
    Ok(())
}

/// A disk that gets nothing done: as soon as so much waits for it commands wait too, and all are done when it goes on.
#[test]
fn commands_wait_for_a_slow_disk_and_none_is_lost() {
    const CALLS: u64 = 1000;
    let options = Options {
        pending_bytes_max: 20_000,
        ..Options::default()
    };
    let (disk, mut outside) = (MemoryDisk::new(), Outside::default());
    let Ok(mut life) = Life::open_with(&disk, 1, options) else {
        panic!("the disk is whole")
    };
    assert!(prepare(&mut life, &mut outside).is_ok());
    let first = life.engine.counters().lsn;
    for marker in 0..CALLS {
        let (from, to) = (marker % ACCOUNTS, (marker + 1) % ACCOUNTS);
        outside.sent.insert(marker, (from, to, 1));
        let args = json!([marker, from, to, 1]);
        life.inbox.push(call(marker, "transfer_marked", args), 0);
    }
    // Nothing is written meanwhile.
    for _ in 0..10 {
        life.step();
    }
    assert!(life.engine.is_behind());
    let (waiting, taken) = (life.inbox.len() as u64, life.engine.counters().lsn - first);
    assert_eq!(waiting + taken, CALLS);
    // A record of a transfer has some two hundred bytes.
    assert!((50..200).contains(&taken), "{taken} are in memory");
    assert!(life.answers.is_empty(), "nothing of it is durable");
    for _ in 0..CALLS {
        assert!(life.sync().is_ok());
    }
    let answers = std::mem::take(&mut life.answers);
    assert_eq!(answers.len() as u64, CALLS);
    for (marker, answer) in answers {
        assert!(matches!(answer, Answer::Called(..)), "{answer:?}");
        outside.confirmed.insert(marker);
    }
    drop(life);
    disk.crash(7);
    let Ok(mut life) = Life::open(&disk, 2) else {
        panic!("the disk is whole")
    };
    assert!(check(&mut life, &mut outside).is_ok());
    assert_eq!(outside.transfers_there as u64, CALLS);
}

#[test]
fn what_was_confirmed_survives_power_cuts() {
    let (mut confirmed, mut unconfirmed_there, mut cuts_in_a_write) = (0, 0, 0);
    let seeds = std::env::var("CRASH_SEEDS").map_or(SEEDS, |count| count.parse().unwrap());
    for seed in 0..seeds {
        let mut random = Random(seed);
        let disk = MemoryDisk::new();
        let mut outside = Outside::default();
        for number in 0..LIVES {
            disk.fault_at(disk.calls() + random.below(80), Fault::PowerOff);
            let life = Life::open(&disk, 1 + number as i64);
            let ended = life.and_then(|mut life| live(&mut life, &mut outside, &mut random));
            cuts_in_a_write += usize::from(ended.is_err());
            disk.crash(random.below(u64::MAX >> 33));
        }
        let Ok(mut life) = Life::open(&disk, 100) else {
            panic!("seed {seed}: nothing is wrong now")
        };
        let checked =
            prepare(&mut life, &mut outside).and_then(|()| check(&mut life, &mut outside));
        assert!(checked.is_ok(), "seed {seed}");
        confirmed += outside.confirmed.len();
        unconfirmed_there += outside.unconfirmed_there;
    }
    // The test meets what it is about.
    assert!(confirmed > 100, "{confirmed}");
    assert!(
        unconfirmed_there > 0 && cuts_in_a_write > 5,
        "{unconfirmed_there} {cuts_in_a_write}"
    );
}
