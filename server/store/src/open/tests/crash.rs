//! Power cuts at every call that changes something on the disk, and what must be left.

use std::path::Path;

use syncline_protocol::Lsn;

use super::{OpenError, reopened, shared};
use crate::checkpoint::CheckpointProgress;
use crate::disk::{Disk, Fault, MemoryDisk};
use crate::log::Options;
use crate::log::tests::fixture::{Contents, FOLDER, Random, SMALL, Session};

/// What is known from outside: the state after every Lsn, and how far was acknowledged.
#[derive(Debug, Default)]
struct Witness {
    /// By Lsn; the first is the state before any.
    states: Vec<Contents>,
    acknowledged: Lsn,
    epoch: u64,
    /// Taken, and segments that they made superfluous.
    checkpoints: u64,
    retired: usize,
}

/// Bugs that the tests must find.
#[derive(Clone, Copy, Debug)]
enum Planted {
    None,
    AcknowledgeBeforeSync,
    SkipSync(fn(&Path) -> bool),
    PublishEarly,
}

impl Witness {
    /// Looks at a database that was opened after a crash: all that was acknowledged is there, and the
    /// whole is the state after some Lsn.
    fn check(&mut self, session: &Session) -> Result<(), String> {
        let last = session.log.last();
        if last < self.acknowledged {
            return Err(format!(
                "lsn {} was acknowledged, {last} is the last",
                self.acknowledged
            ));
        }
        if self.states.is_empty() {
            self.states.push(session.contents());
        }
        let Some(state) = self.states.get(last.0 as usize) else {
            return Err(format!("lsn {last} was never committed"));
        };
        if *state != session.contents() {
            let difference = state.difference(&session.contents());
            return Err(format!(
                "the state after lsn {last} is another: {difference}"
            ));
        }
        if session.epoch.0 <= self.epoch {
            return Err(format!(
                "epoch {} follows epoch {}",
                session.epoch.0, self.epoch
            ));
        }
        self.epoch = session.epoch.0;
        self.acknowledged = last;
        self.states.truncate(last.0 as usize + 1);
        Ok(())
    }

    fn committed(&mut self, session: &Session) {
        assert_eq!(session.log.last().0 as usize, self.states.len());
        self.states.push(session.contents());
    }

    /// Opens the database and works on it until the disk fails or all is done.
    fn run(&mut self, disk: &MemoryDisk, planted: Planted, seed: u64) -> Result<(), String> {
        let mut session = match Session::open(&shared(disk), options_of(seed)) {
            Ok(session) => session,
            Err(OpenError::Io { source, .. }) if is_told(&source) => return Ok(()),
            Err(error) => return Err(error.to_string()),
        };
        self.check(&session)?;
        if matches!(planted, Planted::AcknowledgeBeforeSync) {
            session.writer.acknowledge_before_sync();
        }
        let mut random = Random(seed);
        let mut checkpoint = None;
        for step in 0..30 {
            let version = session.database().tables().len() as u8;
            let publishes = version == 1 || (version == 3 && random.next(15) == 0);
            let committed = if publishes {
                session.publish(version.min(2), false).ok()
            } else {
                session.transact_at_random(&mut random)
            };
            if committed.is_some() {
                self.committed(&session);
            }
            if random.next(2) == 0 {
                session.log.flush();
            }
            let done = match random.next(4) {
                0 | 1 => session.writer.run_once().map(drop),
                2 if step % 7 == 0 => session.writer.seal(),
                _ => Ok(()),
            };
            self.acknowledged = self.acknowledged.max(session.log.durable());
            if checkpoint.is_none() && random.next(6) == 0 {
                let begun = checkpoint.insert(session.begin_checkpoint());
                begun.ignores_durability = matches!(planted, Planted::PublishEarly);
            }
            if let Some(writer) = &mut checkpoint {
                match writer.run_once() {
                    Ok(CheckpointProgress::Done(report)) => {
                        self.checkpoints += 1;
                        self.retired += report.retired.segments;
                        checkpoint = None;
                    }
                    Ok(_) => {}
                    // Of the disk, or the log: the database goes on without.
                    Err(_) => checkpoint = None,
                }
            }
            if done.is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// Mostly small segments; some that are filled with zeros in several steps.
fn options_of(seed: u64) -> Options {
    match seed % 4 {
        0 => Options {
            segment_bytes: 1 << 16,
            first_segment_bytes: 1 << 15,
            ..SMALL
        },
        1 => Options {
            audit: false,
            checkpoints_min: 1,
            history_bytes: 0,
            ..SMALL
        },
        2 => Options {
            history_bytes: 0,
            ..SMALL
        },
        _ => SMALL,
    }
}

/// Whether the disk has failed because the test wanted it.
fn is_told(error: &std::io::Error) -> bool {
    let text = error.to_string();
    text.contains("no power") || text.contains("told to fail")
}

/// One history with crashes: the first at call `at`, then more at random ones.
fn crashes(planted: Planted, seed: u64, at: u64) -> Result<Witness, String> {
    let disk = MemoryDisk::new();
    if let Planted::SkipSync(which) = planted {
        disk.skip_syncs(which);
    }
    let mut witness = Witness::default();
    let mut random = Random(seed.wrapping_mul(1000) + at);
    disk.fault_at(at, Fault::PowerOff);
    for round in 0..4 {
        witness
            .run(&disk, planted, seed * 10 + round)
            .map_err(|what| format!("seed {seed}, call {at}, round {round}: {what}"))?;
        disk.crash(random.next(u64::MAX));
        disk.fault_at(disk.calls() + random.next(60), Fault::PowerOff);
    }
    disk.clear_faults();
    witness
        .run(&disk, planted, seed)
        .map_err(|what| format!("seed {seed}, call {at}, at the end: {what}"))?;
    Ok(witness)
}

/// How many calls a run without a crash makes.
fn calls_of(seed: u64) -> u64 {
    let disk = MemoryDisk::new();
    Witness::default()
        .run(&disk, Planted::None, seed * 10)
        .unwrap();
    disk.calls()
}

/// Crashes at every call of some histories, or tells the first that went wrong.
fn crash_everywhere(planted: Planted, seeds: std::ops::Range<u64>) -> Result<u64, String> {
    let mut points = 0;
    let (mut checkpoints, mut retired) = (0, 0);
    for seed in seeds {
        for at in 0..calls_of(seed) {
            let witness = crashes(planted, seed, at)?;
            checkpoints += witness.checkpoints;
            retired += witness.retired;
            points += 1;
        }
    }
    println!("{checkpoints} checkpoints were taken, {retired} segments retired");
    assert!(
        checkpoints > points && retired > 100,
        "{checkpoints}, {retired}"
    );
    Ok(points)
}

#[test]
fn nothing_acknowledged_is_lost_wherever_the_power_goes_off() {
    let points = crash_everywhere(Planted::None, 0..8).unwrap();
    println!("{points} histories of four crashes each, seeds 0 to 7");
    assert!(points > 500, "{points}");
}

/// More seeds, for the night: `SYNCLINE_SEEDS=1000 cargo nextest run --run-ignored all crash`.
#[test]
#[ignore = "long"]
fn nothing_acknowledged_is_lost_with_many_seeds() {
    let seeds = std::env::var("SYNCLINE_SEEDS").map_or(200, |seeds| seeds.parse().unwrap());
    let points = crash_everywhere(Planted::None, 0..seeds).unwrap();
    println!(
        "{points} histories of four crashes each, seeds 0 to {}",
        seeds - 1
    );
}

fn is_log(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "log")
}

fn is_new(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.ends_with(".log.new"))
}

fn is_module(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.contains(".wasm"))
}

fn is_checkpoint(path: &Path) -> bool {
    path.to_str()
        .is_some_and(|path| path.contains(".checkpoint"))
}

fn is_checkpoints_folder(path: &Path) -> bool {
    path.ends_with("checkpoints")
}

fn is_log_folder(path: &Path) -> bool {
    path.ends_with("log")
}

fn is_data_folder(path: &Path) -> bool {
    path.ends_with("databases") || path.ends_with("board")
}

#[test]
fn planted_bugs_are_found() {
    let bugs: [(&str, Planted); 9] = [
        (
            "acknowledge before the sync",
            Planted::AcknowledgeBeforeSync,
        ),
        ("skip the sync of segments", Planted::SkipSync(is_log)),
        (
            "skip the sync of a segment before it gets its name",
            Planted::SkipSync(is_new),
        ),
        ("skip the sync of modules", Planted::SkipSync(is_module)),
        (
            "publish a checkpoint before the log is durable",
            Planted::PublishEarly,
        ),
        (
            "skip the sync of checkpoints",
            Planted::SkipSync(is_checkpoint),
        ),
        (
            "skip the sync of the checkpoints' folder",
            Planted::SkipSync(is_checkpoints_folder),
        ),
        (
            "skip the sync of the log's folder",
            Planted::SkipSync(is_log_folder),
        ),
        (
            "skip the sync of the folders above",
            Planted::SkipSync(is_data_folder),
        ),
    ];
    for (name, planted) in bugs {
        let found = crash_everywhere(planted, 0..12);
        let what = found.expect_err(name);
        println!("{name}: found by {what}");
    }
}

#[test]
fn a_crash_in_the_middle_of_recovery_loses_nothing() {
    for seed in 0..40 {
        let (disk, mut session) = super::with_history(20);
        let acknowledged = session.log.durable();
        let mut random = Random(seed);
        while session.transact_at_random(&mut random).is_none() {}
        session.log.flush_inline(&mut session.writer).unwrap();
        let contents = session.contents();
        drop(session);
        // Every call of an open, again and again, until one gets through.
        let mut opens = 0;
        for at in 0.. {
            disk.fault_at(disk.calls() + at, Fault::PowerOff);
            let opened = reopened(&disk);
            opens += 1;
            if opened.is_ok() {
                break;
            }
            disk.crash(seed * 100 + at);
        }
        assert!(opens > 5, "seed {seed}: an open has {opens} calls");
        disk.clear_faults();
        let session = reopened(&disk).unwrap();
        assert!(
            session.log.last() > acknowledged,
            "seed {seed}: it was durable when it was found"
        );
        assert_eq!(session.contents(), contents, "seed {seed}");
    }
}

#[test]
fn a_failing_disk_loses_nothing_that_was_acknowledged() {
    use std::io::ErrorKind;
    for seed in 0..3 {
        for at in 0..calls_of(seed) {
            for kind in [ErrorKind::Other, ErrorKind::StorageFull] {
                let disk = MemoryDisk::new();
                let mut witness = Witness::default();
                disk.fault_at(at, Fault::Error(kind));
                let at_fault = format!("seed {seed}, call {at}, {kind}");
                match Session::open(&shared(&disk), SMALL) {
                    Err(OpenError::Io { .. }) => {}
                    Err(error) => panic!("{at_fault}: {error}"),
                    Ok(session) => drop(session),
                }
                for round in 0..3 {
                    let run = witness.run(&disk, Planted::None, seed * 10 + round);
                    run.unwrap_or_else(|what| panic!("{at_fault}, round {round}: {what}"));
                    if round == 1 {
                        disk.crash(seed);
                    }
                }
            }
        }
    }
}

#[test]
fn the_folder_is_free_again_after_a_crash() {
    let (disk, session) = super::with_history(2);
    disk.crash(1);
    let opened = reopened(&disk).unwrap();
    drop(session);
    assert!(
        disk.lock(Path::new(FOLDER)).is_err(),
        "the old session does not end the new lock"
    );
    drop(opened);
}
