#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use syncline_protocol::Lsn;

use super::*;
use crate::catalog::Catalog;
use crate::checkpoint::CheckpointProgress;
use crate::disk::{Disk, Fault, MemoryDisk, RealDisk};
use crate::log::tests::fixture::{Contents, FOLDER, Random, SMALL, Session};
use crate::log::{OpenError, Options};
use crate::open::Until;

const COPY: &str = "/data/databases/copy";

fn shared(disk: &MemoryDisk) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

/// All of the history is kept.
const WHOLE: Options = Options {
    history_bytes: u64::MAX,
    ..SMALL
};

/// A database that still runs, with what it held after each Lsn.
fn with_history(disk: &Arc<dyn Disk>, folder: &Path) -> (Session, Vec<(Lsn, i64, Contents)>) {
    let mut session = Session::open_in(disk, folder, WHOLE).unwrap();
    let mut states = Vec::new();
    let mut random = Random(3);
    session.publish(1, false).unwrap();
    for number in 0..60 {
        session.settle();
        let (lsn, time) = (session.log.last(), session.log.last_time());
        states.push((lsn, time, session.contents()));
        // History reaches back to the oldest checkpoint.
        if number % 20 == 0 {
            session.begin_checkpoint().run().unwrap();
        }
        while session.transact_at_random(&mut random).is_none() {}
    }
    session.settle();
    (session, states)
}

/// Makes a copy, opens it and lets it go on, through a power cut.
fn check_copy(disk: &MemoryDisk, folder: &Path, past: &Past, expected: &Contents, seed: u64) {
    let disk_of_all = shared(disk);
    let epoch = found(&disk_of_all, folder, past, 5_000, seed, &SMALL).unwrap();
    assert!(past.epochs.iter().all(|(other, _)| *other < epoch));
    let mut copy = Session::open_in(&disk_of_all, folder, SMALL).unwrap();
    assert_eq!(copy.contents(), *expected);
    assert_eq!(copy.log.last(), past.lsn);
    assert_eq!(copy.wasm, Some(vec![1; 700]));
    assert!(copy.log.last_time() >= past.time, "time does not go back");
    let mut random = Random(seed);
    while copy.transact_at_random(&mut random).is_none() {}
    assert_eq!(copy.log.last(), past.lsn.next());
    copy.settle();
    let contents = copy.contents();
    drop(copy);
    disk.crash(seed);
    let copy = Session::open_in(&disk_of_all, folder, SMALL).unwrap();
    assert_eq!(copy.contents(), contents);
}

#[test]
fn a_copy_from_any_point_goes_on_by_itself() {
    let disk = MemoryDisk::new();
    let (session, states) = with_history(&shared(&disk), Path::new(FOLDER));
    let after = session.contents();
    drop(session);
    for (number, (lsn, time, contents)) in states.iter().enumerate() {
        for until in [Until::lsn(*lsn), Until::time(*time)] {
            let past = read_past(&disk, Path::new(FOLDER), until).unwrap();
            assert_eq!((past.lsn, past.time), (*lsn, *time));
            assert_eq!(Contents::of(&past.database), *contents);
        }
        if number % 7 == 0 {
            let past = read_past(&disk, Path::new(FOLDER), Until::lsn(*lsn)).unwrap();
            let folder = Path::new("/data/databases").join(format!("copy{number}"));
            check_copy(&disk, &folder, &past, contents, number as u64);
        }
    }
    let session = Session::open_in(&shared(&disk), Path::new(FOLDER), WHOLE).unwrap();
    assert_eq!(session.contents(), after, "the other has not noticed");
}

#[test]
fn a_copy_of_a_copy_has_their_history_and_its_own() {
    let disk = MemoryDisk::new();
    let (session, states) = with_history(&shared(&disk), Path::new(FOLDER));
    drop(session);
    let (lsn, _, contents) = &states[30];
    let past = read_past(&disk, Path::new(FOLDER), Until::lsn(*lsn)).unwrap();
    let copy = Path::new(COPY);
    found(&shared(&disk), copy, &past, 5_000, 1, &SMALL).unwrap();
    // A copy can be copied before it was ever opened.
    let again = read_past(&disk, copy, Until::END).unwrap();
    assert_eq!(Contents::of(&again.database), *contents);
    assert_eq!(again.epochs.len(), past.epochs.len() + 1);
    let folder = Path::new("/data/databases/another");
    check_copy(&disk, folder, &again, contents, 2);
    // Before its beginning it knows nothing.
    let before = read_past(&disk, copy, Until::lsn(Lsn(lsn.0 - 1)));
    assert!(matches!(before, Err(OpenError::NotKept)), "{before:?}");
}

#[test]
fn what_is_not_there_is_said() {
    let disk = MemoryDisk::new();
    let nothing = read_past(&disk, Path::new(FOLDER), Until::END);
    assert!(matches!(nothing, Err(OpenError::NotKept)), "{nothing:?}");
    let (session, _) = with_history(&shared(&disk), Path::new(FOLDER));
    let before = read_past(&disk, Path::new(FOLDER), Until::time(5));
    assert!(matches!(before, Err(OpenError::NotKept)), "{before:?}");
    // Reading needs no lock, founding does.
    let past = read_past(&disk, Path::new(FOLDER), Until::END).unwrap();
    let taken = found(&shared(&disk), Path::new(FOLDER), &past, 1, 1, &SMALL);
    assert!(
        matches!(taken, Err(FoundError::Open(OpenError::Locked { .. }))),
        "{taken:?}"
    );
    drop(session);
    let taken = found(&shared(&disk), Path::new(FOLDER), &past, 1, 1, &SMALL);
    assert!(matches!(taken, Err(FoundError::Exists { .. })), "{taken:?}");
    // Without its checkpoint a copy is not whole, and does not pass for one that is.
    found(&shared(&disk), Path::new(COPY), &past, 1, 1, &SMALL).unwrap();
    let checkpoint = disk
        .files()
        .into_iter()
        .find(|file| file.starts_with(COPY) && file.extension().is_some_and(|e| e == "checkpoint"));
    disk.remove(&checkpoint.unwrap()).unwrap();
    let open = Session::open_in(&shared(&disk), Path::new(COPY), SMALL);
    assert!(matches!(open, Err(OpenError::Missing { .. })), "{open:?}");
}

/// The power goes at every call of founding a copy. After that it is there as a whole, or it is no database
/// to anybody and can be founded again.
#[test]
fn a_power_cut_while_a_copy_is_founded() {
    let disk = MemoryDisk::new();
    let (session, states) = with_history(&shared(&disk), Path::new(FOLDER));
    drop(session);
    let (lsn, _, contents) = &states[40];
    let past = read_past(&disk, Path::new(FOLDER), Until::lsn(*lsn)).unwrap();
    let (mut whole, mut unfinished) = (0, 0);
    for at in 0.. {
        let disk = crate::open::tests::copy_of(&disk);
        let calls = disk.calls();
        disk.fault_at(calls + at, Fault::PowerOff);
        let done = found(&shared(&disk), Path::new(COPY), &past, 5_000, 9, &SMALL);
        let is_over = disk.calls() <= calls + at;
        assert_eq!(done.is_ok(), is_over, "call {at}: {done:?}");
        disk.crash(at);
        let catalog = Catalog::open_without_index(shared(&disk), Path::new("/data")).unwrap();
        if catalog.database("copy").is_some() {
            whole += 1;
            let copy = Session::open_in(&shared(&disk), Path::new(COPY), SMALL).unwrap();
            assert_eq!(copy.contents(), *contents, "call {at}");
        } else {
            assert!(!is_over);
            unfinished += 1;
            check_copy(&disk, Path::new(COPY), &past, contents, at);
        }
        if is_over {
            break;
        }
    }
    assert!(whole >= 1 && unfinished > 20, "{whole} and {unfinished}");
}

/// A server goes on, on the real disk, while it is read as it was at Lsns that were durable when they were
/// asked for.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a server reads on another thread than it writes"
)]
fn a_database_that_runs_is_read_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let (mut session, states) = with_history(&disk, folder.path());
    let (sender, asked) = std::sync::mpsc::channel::<(Lsn, Contents)>();
    let reader = std::thread::spawn({
        let (disk, folder) = (disk.clone(), folder.path().to_owned());
        move || {
            let mut count = 0;
            for (lsn, contents) in asked {
                let past = read_past(&*disk, &folder, Until::lsn(lsn)).unwrap();
                assert_eq!(past.lsn, lsn);
                assert_eq!(Contents::of(&past.database), contents);
                count += 1;
            }
            count
        }
    });
    let mut random = Random(8);
    for round in 0..40 {
        let (lsn, _, contents) = &states[random.next(states.len() as u64) as usize];
        sender.send((*lsn, contents.clone())).unwrap();
        sender
            .send((session.log.last(), session.contents()))
            .unwrap();
        for _ in 0..20 {
            session.transact_at_random(&mut random);
            session.settle();
        }
        if round % 10 == 9 {
            let mut writer = session.begin_checkpoint();
            while !matches!(writer.run().unwrap(), CheckpointProgress::Done(_)) {}
        }
    }
    drop(sender);
    assert_eq!(reader.join().unwrap(), 80);
}

/// The rows of a table by the number that is their key.
fn items(session: &Session) -> BTreeMap<u64, Vec<u8>> {
    let id = session.database().schema().table_id("item").unwrap();
    let rows = session.database().table(id).unwrap().rows();
    rows.map(|row| {
        let key = u64::from_le_bytes(*row.first_chunk().unwrap());
        (key, row.to_vec())
    })
    .collect()
}

/// What happened to each row, in order.
type Fates = BTreeMap<u64, Vec<(Lsn, RowFate, Option<Vec<u8>>)>>;

/// Random transactions, with a publish in the middle that throws everything away.
fn fates(session: &mut Session) -> Fates {
    let mut random = Random(17);
    let mut fates = Fates::new();
    let mut before = items(session);
    for number in 0..300 {
        let fate_of_gone = if number == 200 {
            session.publish(1, true).unwrap();
            RowFate::Cleared
        } else {
            session.transact_at_random(&mut random);
            RowFate::Deleted
        };
        session.settle();
        let (lsn, after) = (session.log.last(), items(session));
        for key in 1..=20 {
            let fate = match (before.get(&key), after.get(&key)) {
                (old, new) if number != 200 && old == new => continue,
                (None, Some(_)) => RowFate::Inserted,
                (Some(_), Some(_)) => RowFate::Updated,
                (_, None) => fate_of_gone,
            };
            let row = after.get(&key).cloned();
            fates.entry(key).or_default().push((lsn, fate, row));
        }
        before = after;
    }
    fates
}

#[test]
fn the_history_of_a_row_is_what_was_done_to_it() {
    let disk = MemoryDisk::new();
    let mut session = Session::open(&shared(&disk), WHOLE).unwrap();
    session.publish(1, false).unwrap();
    let expected = fates(&mut session);
    let schema = session.database().schema().clone();
    let (table, def) = (schema.table_id("item").unwrap(), &schema.module.tables[0]);
    let of = |key: &u64, events: usize, until: Lsn| {
        let of = HistoryOf {
            table,
            key: &key.to_le_bytes(),
            schema: &schema.module,
            def,
            until,
            events,
        };
        read_history(&disk, Path::new(FOLDER), of).unwrap()
    };
    let last = session.log.last();
    let mut count = 0;
    for (key, expected) in &expected {
        let history = of(key, 1000, last);
        assert!(!history.is_cut && history.after == Lsn::ZERO);
        let found: Vec<_> = history
            .events
            .iter()
            .map(|event| {
                (
                    event.lsn,
                    event.change,
                    event.row.clone().map(|(row, _)| row),
                )
            })
            .collect();
        assert_eq!(found, *expected, "row {key}");
        count += found.len();
        for event in &history.events {
            let cause = event.cause.as_ref().unwrap();
            let is_publish = event.change == RowFate::Cleared;
            assert_eq!(cause.is_publish, is_publish);
            assert_eq!(cause.reducer, if is_publish { "" } else { "paint" });
        }
        // The last ones, and those up to a point.
        let two = of(key, 2, last);
        let lsns = |events: &[RowEvent]| events.iter().map(|e| e.lsn).collect::<Vec<_>>();
        let all = lsns(&history.events);
        assert_eq!(lsns(&two.events), all[all.len().saturating_sub(2)..]);
        assert_eq!(two.is_cut, all.len() > 2);
        let first = of(key, 1000, all[0]);
        assert_eq!(lsns(&first.events), all[..1]);
    }
    assert!(count > 100, "{count} events are too few to prove anything");
    // After a checkpoint what it replaced is not known any more, if no history is to be kept.
    drop(session);
    let short = Options {
        checkpoints_min: 1,
        history_bytes: 0,
        ..SMALL
    };
    let mut session = Session::open(&shared(&disk), short).unwrap();
    session.begin_checkpoint().run().unwrap();
    let history = of(&1, 1000, last);
    assert!(history.after > Lsn::ZERO && history.events.is_empty());
}

fn backup_of(disk: &MemoryDisk, last: Lsn) -> Vec<u8> {
    let mut backup = begin_backup(disk, Path::new(FOLDER), last, 6_000).unwrap();
    let mut bytes = Vec::new();
    while backup.write(&mut bytes).unwrap() {}
    bytes
}

/// A disk with a file that has these bytes.
fn opened(bytes: &[u8]) -> Result<BackupDisk, BackupError> {
    let disk = MemoryDisk::new();
    let mut file = disk.create(Path::new("/copy")).unwrap();
    file.write_at(0, bytes).unwrap();
    BackupDisk::open(file)
}

#[test]
fn a_backup_of_a_database_that_runs_has_all_its_history() {
    let disk = MemoryDisk::new();
    let (mut session, states) = with_history(&shared(&disk), Path::new(FOLDER));
    let last = session.log.last();
    let mut backup = begin_backup(&disk, Path::new(FOLDER), last, 6_000).unwrap();
    let contents = session.contents();
    // It goes on while the backup is written, and drops what it does not need any more.
    let mut random = Random(4);
    let mut bytes = Vec::new();
    while backup.write(&mut bytes).unwrap() {
        session.transact_at_random(&mut random);
        session.settle();
    }
    for _ in 0..3 {
        session.transact_at_random(&mut random);
        session.settle();
        session.begin_checkpoint().run().unwrap();
    }
    assert!(session.log.last() > last);
    let restored = opened(&bytes).unwrap();
    assert_eq!((restored.last(), restored.time()), (last, 6_000));
    let folder = Path::new(BackupDisk::FOLDER);
    let past = read_past(&restored, folder, Until::END).unwrap();
    assert_eq!(past.lsn, last);
    assert_eq!(Contents::of(&past.database), contents);
    for (number, (lsn, _, contents)) in states.iter().enumerate() {
        let past = read_past(&restored, folder, Until::lsn(*lsn)).unwrap();
        assert_eq!(Contents::of(&past.database), *contents, "{lsn}");
        if number % 20 == 7 {
            let folder = Path::new("/data/databases").join(format!("restored{number}"));
            check_copy(&disk, &folder, &past, contents, number as u64);
        }
    }
    // One up to an earlier point.
    let (lsn, _, contents) = &states[33];
    let early = opened(&backup_of(&disk, *lsn)).unwrap();
    let past = read_past(&early, folder, Until::END).unwrap();
    assert_eq!((past.lsn, &Contents::of(&past.database)), (*lsn, contents));
}

#[test]
fn every_flipped_bit_and_every_cut_of_a_backup_is_found() {
    let disk = MemoryDisk::new();
    let (session, _) = with_history(&shared(&disk), Path::new(FOLDER));
    let bytes = backup_of(&disk, session.log.last());
    assert!(opened(&bytes).is_ok());
    for at in (0..bytes.len())
        .step_by(41)
        .chain(bytes.len() - 60..bytes.len())
    {
        let mut rotten = bytes.clone();
        rotten[at] ^= 1 << (at % 8);
        assert!(opened(&rotten).is_err(), "byte {at}");
    }
    for len in (0..bytes.len()).step_by(97) {
        let cut = opened(&bytes[..len]);
        assert!(
            matches!(cut, Err(BackupError::CutOff { .. } | BackupError::NoBackup)),
            "{len} bytes: {cut:?}"
        );
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(opened(&longer).is_err());
    let mut newer = bytes;
    newer[8] = 9;
    assert!(
        matches!(opened(&newer), Err(BackupError::NoBackup)),
        "its checksum says so"
    );
}
