#![allow(clippy::unwrap_used)]

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use syncline_protocol::Lsn;

use super::load::load;
use super::{CHECKPOINTS_FOLDER, CheckpointError, CheckpointProgress, begin, checkpoint_lsn, list};
use crate::disk::{Disk, Fault, MemoryDisk, replace_file};
use crate::log::tests::fixture::{Contents, FOLDER, Random, SMALL, Session};
use crate::log::{OpenError, Options};
use crate::open::Until;
use crate::open::read::read;

mod history;
mod modules;

/// Nothing is kept behind the newest checkpoint.
const FORGETFUL: Options = Options {
    checkpoints_min: 1,
    history_bytes: 0,
    ..SMALL
};

fn opened(disk: &MemoryDisk) -> Result<Session, OpenError> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Session::open(&disk, SMALL)
}

fn folder() -> PathBuf {
    Path::new(FOLDER).join(CHECKPOINTS_FOLDER)
}

fn work(session: &mut Session, random: &mut Random, transactions: usize) {
    for _ in 0..transactions {
        while session.transact_at_random(random).is_none() {}
    }
    session.settle();
}

/// Takes a checkpoint of all that is there, to its end.
fn take(session: &mut Session) -> super::CheckpointReport {
    let mut writer = session.begin_checkpoint();
    match writer.run().unwrap() {
        CheckpointProgress::Done(report) => report,
        other => panic!("everything is durable, and yet {other:?}"),
    }
}

/// A database with checkpoints after 40 and 80 transactions, and 10 more after that.
fn with_checkpoints() -> (MemoryDisk, Session) {
    let disk = MemoryDisk::new();
    let mut session = opened(&disk).unwrap();
    session.publish(1, false).unwrap();
    let mut random = Random(11);
    for _ in 0..2 {
        work(&mut session, &mut random, 40);
        take(&mut session);
    }
    work(&mut session, &mut random, 10);
    (disk, session)
}

#[test]
fn names() {
    for (name, lsn) in [
        ("00000000000000000001.checkpoint", Some(Lsn(1))),
        ("18446744073709551615.checkpoint", Some(Lsn(u64::MAX))),
        ("18446744073709551616.checkpoint", None),
        ("1.checkpoint", None),
        ("00000000000000000001.checkpoint.new", None),
        ("0000000000000000000x.checkpoint", None),
    ] {
        assert_eq!(checkpoint_lsn(name), lsn, "{name}");
    }
}

#[test]
fn an_open_replays_only_what_came_after_a_checkpoint() {
    let (disk, session) = with_checkpoints();
    let (contents, schema) = (session.contents(), session.database().schema().clone());
    let epochs = session.epochs.clone();
    drop(session);
    let mut session = opened(&disk).unwrap();
    assert_eq!(session.contents(), contents);
    assert_eq!(*session.database().schema(), schema);
    assert_eq!(session.report.checkpoint, Some(Lsn(81)));
    assert_eq!(session.report.record_count, 10);
    assert_eq!(session.wasm, Some(vec![1; 700]));
    assert_eq!(session.epochs[..1], epochs[..]);
    assert_eq!(session.epochs.len(), 2);

    // And again, with more epochs and another schema, taken at once after an open.
    let mut random = Random(12);
    work(&mut session, &mut random, 5);
    session.publish(2, false).unwrap();
    work(&mut session, &mut random, 5);
    drop(session);
    let mut session = opened(&disk).unwrap();
    take(&mut session);
    let (contents, epochs) = (session.contents(), session.epochs.clone());
    drop(session);
    let session = opened(&disk).unwrap();
    assert_eq!(session.contents(), contents);
    assert_eq!(session.report.record_count, 0);
    assert_eq!(session.epochs[..3], epochs[..]);
    assert_eq!(session.wasm, Some(vec![2; 700]));
}

/// A checkpoint right after an open leaves no group of the log but that of the open.
#[test]
fn a_checkpoint_can_take_the_place_of_the_whole_log() {
    let disk = MemoryDisk::new();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut session = Session::open(&shared, FORGETFUL).unwrap();
    session.publish(1, false).unwrap();
    work(&mut session, &mut Random(1), 30);
    for round in 0..3 {
        drop(session);
        session = Session::open(&shared, FORGETFUL).unwrap();
        take(&mut session);
        for _ in 0..3 {
            let contents = session.contents();
            drop(session);
            session = Session::open(&shared, FORGETFUL).unwrap();
            assert_eq!(session.contents(), contents);
            assert_eq!(session.report.record_count, 0);
        }
        work(&mut session, &mut Random(round), 3);
    }
}

#[test]
fn a_checkpoint_is_of_one_lsn_while_transactions_go_on() {
    let disk = MemoryDisk::new();
    let mut session = opened(&disk).unwrap();
    session.publish(1, false).unwrap();
    let mut random = Random(3);
    work(&mut session, &mut random, 60);
    let mut states = Vec::new();
    for _ in 0..4 {
        let at = (session.log.last(), session.contents());
        let mut writer = session.begin_checkpoint();
        assert_eq!(writer.lsn(), at.0);
        while !matches!(writer.run_once().unwrap(), CheckpointProgress::Done(_)) {
            while session.transact_at_random(&mut random).is_none() {}
            session.settle();
        }
        states.push(at);
    }
    let salt = crate::log::recovery::survey(&disk, &Path::new(FOLDER).join("log"));
    let salt = salt.unwrap().salt();
    let found = list(&disk, &folder()).unwrap();
    assert!(found.len() >= 2);
    for (lsn, path) in found {
        let loaded = load(&disk, &path, lsn, salt).unwrap();
        let (_, contents) = states.iter().find(|(at, _)| *at == lsn).unwrap();
        let held = Contents::of(&loaded.recovery.finish().unwrap());
        assert_eq!(held, *contents, "lsn {lsn}");
    }
}

#[test]
fn a_checkpoint_waits_until_the_log_is_durable() {
    let disk = MemoryDisk::new();
    let mut session = opened(&disk).unwrap();
    session.publish(1, false).unwrap();
    let mut random = Random(3);
    work(&mut session, &mut random, 5);
    while session.transact_at_random(&mut random).is_none() {}
    let mut writer = session.begin_checkpoint();
    for _ in 0..3 {
        assert_eq!(writer.run().unwrap(), CheckpointProgress::Waiting);
        assert!(list(&disk, &folder()).unwrap().is_empty());
    }
    session.settle();
    assert!(matches!(writer.run().unwrap(), CheckpointProgress::Done(_)));
    assert_eq!(list(&disk, &folder()).unwrap().len(), 1);

    while session.transact_at_random(&mut random).is_none() {}
    let mut writer = session.begin_checkpoint();
    disk.fault_at(disk.calls() + 1, Fault::Error(ErrorKind::Other));
    session.log.flush_inline(&mut session.writer).unwrap_err();
    disk.clear_faults();
    assert!(matches!(
        writer.run().unwrap_err(),
        CheckpointError::Poisoned
    ));
    assert_eq!(list(&disk, &folder()).unwrap().len(), 1);
}

#[test]
fn a_damaged_checkpoint_is_passed_over_for_the_one_before() {
    let (disk, session) = with_checkpoints();
    let contents = session.contents();
    drop(session);
    let (_, newest) = list(&disk, &folder()).unwrap().pop().unwrap();
    let bytes = disk.bytes(&newest).unwrap();
    for at in (0..bytes.len()).step_by(7) {
        let rotten = crate::open::tests::copy_of(&disk);
        rotten.flip(&newest, at, 1 << (at % 8)).unwrap();
        let session = opened(&rotten).unwrap();
        assert_eq!(session.contents(), contents, "byte {at}");
        if session.report.damaged_checkpoints.is_empty() {
            assert!(
                (56..128).contains(&at),
                "byte {at} of {} counts",
                bytes.len()
            );
            continue;
        }
        assert_eq!(session.report.checkpoint, Some(Lsn(41)), "byte {at}");
        assert_eq!(session.report.damaged_checkpoints[0].file, newest);
        drop(session);
        let again = opened(&rotten).unwrap();
        assert_eq!(again.report.damaged_checkpoints, [], "it was put aside");
        assert_eq!(again.contents(), contents);
    }
    for len in [0, 1, 127, 128, 200, bytes.len() - 1, bytes.len() - 8] {
        let cut = crate::open::tests::copy_of(&disk);
        replace_file(&cut, &newest, &bytes[..len]).unwrap();
        let session = opened(&cut).unwrap();
        assert_eq!(session.contents(), contents, "{len} bytes");
        assert_eq!(session.report.damaged_checkpoints.len(), 1);
    }
}

#[test]
fn without_the_log_before_it_a_damaged_checkpoint_is_refused() {
    let disk = MemoryDisk::new();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut session = Session::open(&shared, FORGETFUL).unwrap();
    session.publish(1, false).unwrap();
    work(&mut session, &mut Random(1), 80);
    let report = take(&mut session);
    assert!(report.retired.segments > 2, "{report:?}");
    let contents = session.contents();
    drop(session);
    assert_eq!(
        Session::open(&shared, FORGETFUL).unwrap().contents(),
        contents
    );

    let (_, path) = list(&disk, &folder()).unwrap().pop().unwrap();
    let bytes = disk.bytes(&path).unwrap();
    disk.flip(&path, 300, 1).unwrap();
    let files = disk.files();
    let error = Session::open(&shared, FORGETFUL).unwrap_err();
    assert!(
        matches!(&error, OpenError::Damaged { file, .. } if *file == path),
        "{error}"
    );
    assert_eq!(disk.files(), files, "nothing was changed");
    replace_file(&disk, &path, &bytes).unwrap();
    assert_eq!(
        Session::open(&shared, FORGETFUL).unwrap().contents(),
        contents
    );
    disk.remove(&path).unwrap();
    let error = Session::open(&shared, FORGETFUL).unwrap_err();
    assert!(matches!(error, OpenError::Missing { .. }), "{error}");
}

#[test]
fn a_checkpoint_of_another_database_is_not_taken() {
    let (disk, session) = with_checkpoints();
    let contents = session.contents();
    drop(session);
    let other = MemoryDisk::new();
    let shared: Arc<dyn Disk> = Arc::new(other.clone());
    let opened_other =
        crate::open::open(shared, Path::new(FOLDER), 0, 4711, SMALL).map(Session::of);
    let mut session = opened_other.unwrap();
    session.publish(1, false).unwrap();
    work(&mut session, &mut Random(8), 80);
    take(&mut session);
    let (lsn, newest) = list(&disk, &folder()).unwrap().pop().unwrap();
    let (other_lsn, path) = list(&other, &folder()).unwrap().pop().unwrap();
    assert_eq!(lsn, other_lsn);
    replace_file(&disk, &newest, &other.bytes(&path).unwrap()).unwrap();
    let session = opened(&disk).unwrap();
    assert_eq!(session.contents(), contents);
    assert!(
        session.report.damaged_checkpoints[0]
            .detail
            .contains("another database")
    );
}

#[test]
fn a_full_disk_ends_a_checkpoint_and_nothing_else() {
    let (disk, mut session) = with_checkpoints();
    let used: u64 = disk
        .files()
        .iter()
        .map(|path| disk.bytes(path).unwrap().len() as u64)
        .sum();
    let mut random = Random(4);
    for room in [0, 100, 600] {
        disk.set_capacity(Some(used + room));
        let error = session.begin_checkpoint().run().unwrap_err();
        assert!(matches!(error, CheckpointError::DiskFull), "{error}");
        let is_new = |path: &PathBuf| path.extension().is_some_and(|e| e == "new");
        assert!(!disk.files().iter().any(is_new), "what was written is gone");
    }
    disk.set_capacity(None);
    work(&mut session, &mut random, 20);
    take(&mut session);
    let contents = session.contents();
    drop(session);
    assert_eq!(opened(&disk).unwrap().contents(), contents);
}

/// Every call that a checkpoint makes fails once; the database goes on and the next checkpoint comes about.
#[test]
fn a_failing_disk_ends_a_checkpoint_and_nothing_else() {
    for at in 0.. {
        let (disk, mut session) = with_checkpoints();
        disk.fault_at(disk.calls() + at, Fault::Error(ErrorKind::Other));
        let before = disk.calls();
        let done = session.begin_checkpoint().run();
        if done.is_ok() && disk.calls() <= before + at {
            assert!(at > 6, "a checkpoint has {at} calls");
            break;
        }
        disk.clear_faults();
        work(&mut session, &mut Random(at), 5);
        take(&mut session);
        let contents = session.contents();
        drop(session);
        assert_eq!(opened(&disk).unwrap().contents(), contents, "call {at}");
    }
}

#[test]
fn what_is_kept_is_bounded_by_size_and_count() {
    let disk = MemoryDisk::new();
    let mut session = opened(&disk).unwrap();
    session.publish(1, false).unwrap();
    let mut random = Random(21);
    let bytes = |disk: &MemoryDisk| -> usize {
        disk.files()
            .iter()
            .map(|path| disk.bytes(path).unwrap().len())
            .sum()
    };
    let mut taken = 0;
    for _ in 0..120 {
        work(&mut session, &mut random, 20);
        if session.log.is_checkpoint_due() {
            let report = take(&mut session);
            assert!(!session.log.is_checkpoint_due());
            taken += 1;
            // Two checkpoints and the log between them, which is no longer than one of them; the segments
            // at either end, modules, and a history of as much as the options say.
            let most = 3 * report.bytes as usize + (1 << 16) + 20_000;
            assert!(bytes(&disk) < most, "{} of {most}", bytes(&disk));
        }
    }
    assert!(taken > 5, "{taken}");
    assert!(list(&disk, &folder()).unwrap().len() >= 2);
    let contents = session.contents();
    drop(session);
    let session = opened(&disk).unwrap();
    assert_eq!(session.contents(), contents);
    assert!(session.report.checkpoint.is_some());
}

#[test]
fn a_segment_that_is_still_needed_is_named_when_it_is_gone() {
    let (disk, mut session) = with_checkpoints();
    work(&mut session, &mut Random(1), 60);
    drop(session);
    let survey = crate::log::recovery::survey(&disk, &Path::new(FOLDER).join("log")).unwrap();
    let needed: Vec<_> = survey
        .used()
        .filter(|(header, _)| header.first > Lsn(82))
        .map(|(_, path)| path.to_owned())
        .collect();
    for path in &needed[..needed.len() - 1] {
        let bytes = disk.bytes(path).unwrap();
        disk.remove(path).unwrap();
        let error = opened(&disk).unwrap_err();
        assert!(
            matches!(&error, OpenError::Missing { file } if file == path),
            "{}: {error}",
            path.display()
        );
        replace_file(&disk, path, &bytes).unwrap();
    }
    // And one that the checkpoints have made superfluous is not.
    let first = survey.used().next().unwrap().1.to_owned();
    disk.remove(&first).unwrap();
    opened(&disk).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn random_files_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 0..4),
    ) {
        thread_local! {
            static GOOD: Vec<u8> = {
                let (disk, _session) = with_checkpoints();
                disk.bytes(&list(&disk, &folder()).unwrap()[0].1).unwrap()
            };
        }
        let disk = MemoryDisk::new();
        let path = Path::new("/x");
        replace_file(&disk, path, &bytes).unwrap();
        prop_assert!(load(&disk, path, Lsn(41), None).is_err());
        // Changed, with checksums that are right again.
        let mut good = GOOD.with(Clone::clone);
        crate::checkpoint::tests::history::change_with_good_checksums(&mut good, &flips);
        replace_file(&disk, path, &good).unwrap();
        let _ = load(&disk, path, Lsn(41), None).map(|loaded| loaded.recovery.finish());
    }
}

const KEEPING_ALL: Options = Options {
    history_bytes: u64::MAX,
    ..SMALL
};
