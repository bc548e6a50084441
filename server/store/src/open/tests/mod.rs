#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use syncline_protocol::Lsn;

use super::{OpenError, open};
use crate::disk::{DiscardDisk, Disk, MemoryDisk, RealDisk, replace_file};
pub(crate) use damage::copy_of;

use crate::log::tests::fixture::{FOLDER, Random, SMALL, Session};

mod crash;
pub(crate) mod damage;
mod identity;
mod kill;

fn shared(disk: &MemoryDisk) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

fn reopened(disk: &MemoryDisk) -> Result<Session, OpenError> {
    Session::open(&shared(disk), SMALL)
}

/// A database with some history: the disk, and the session that is still open.
fn with_history(transactions: usize) -> (MemoryDisk, Session) {
    let disk = MemoryDisk::new();
    let mut session = reopened(&disk).unwrap();
    let mut random = Random(5);
    session.publish(1, false).unwrap();
    for _ in 0..transactions {
        session.transact_at_random(&mut random);
        session.settle();
    }
    (disk, session)
}

fn segment(number: u64) -> PathBuf {
    crate::log::segment::segment_path(&Path::new(FOLDER).join("log"), number)
}

fn module_file(disk: &MemoryDisk) -> PathBuf {
    let mut files = disk.files();
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "wasm")
    });
    files.pop().unwrap()
}

#[test]
fn a_new_database_is_empty_and_says_so() {
    let disk = MemoryDisk::new();
    let opened = open(shared(&disk), Path::new(FOLDER), 5_000, 42, SMALL).unwrap();
    assert!(opened.report.is_new);
    assert_eq!(opened.last, Lsn::ZERO);
    assert_eq!(opened.epochs, [(opened.epoch, Lsn::ZERO)]);
    let first = opened.epoch;
    assert_eq!((opened.last_time, opened.wasm), (5_000, None));
    assert_eq!(opened.database.hash_seed(), 42);
    drop((opened.log, opened.writer));

    let again = open(shared(&disk), Path::new(FOLDER), 4_000, 43, SMALL).unwrap();
    assert!(!again.report.is_new);
    assert!(again.epoch > first);
    assert_eq!(again.epochs, [(first, Lsn::ZERO), (again.epoch, Lsn::ZERO)]);
    assert_eq!(again.last_time, 5_000, "time does not go back");
    assert_eq!(
        again.database.hash_seed(),
        42,
        "the seed is that of the first open"
    );
}

#[test]
fn a_database_in_memory_alone_is_new_at_every_open() {
    let disk: Arc<dyn Disk> = Arc::new(DiscardDisk);
    for _ in 0..2 {
        let mut session = Session::open(&disk, SMALL).unwrap();
        assert!(session.report.is_new);
        session.publish(1, false).unwrap();
        let mut random = Random(1);
        for _ in 0..200 {
            session.transact_at_random(&mut random);
        }
        session.settle();
    }
}

#[test]
fn two_opens_of_a_folder_exclude_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("board");
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let session = Session::open_in(&disk, &folder, SMALL).unwrap();
    let error = Session::open_in(&disk, &folder, SMALL).unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }));
    assert!(
        error
            .to_string()
            .contains("board: the database is open already"),
        "{error}"
    );
    let Session { log, writer, .. } = session;
    drop(log);
    assert!(
        Session::open_in(&disk, &folder, SMALL).is_err(),
        "the writer still has it"
    );
    drop(writer);
    Session::open_in(&disk, &folder, SMALL).unwrap();
}

#[test]
fn a_publish_brings_schema_and_module_back() {
    let (disk, mut session) = with_history(30);
    session.publish(2, false).unwrap();
    let mut random = Random(9);
    for _ in 0..30 {
        session.transact_at_random(&mut random);
    }
    session.settle();
    let (contents, schema) = (session.contents(), session.database().schema().clone());
    drop(session);
    let mut session = reopened(&disk).unwrap();
    assert_eq!(session.contents(), contents);
    assert_eq!(*session.database().schema(), schema);
    assert_eq!(session.wasm, Some(vec![2; 700]));

    session.publish(1, true).unwrap();
    session.settle();
    let contents = session.contents();
    assert_eq!(contents.len(), 0);
    drop(session);
    let session = reopened(&disk).unwrap();
    assert_eq!(session.contents(), contents);
    assert_eq!(session.wasm, Some(vec![1; 700]));
}

#[test]
fn a_module_that_is_missing_or_another_is_named() {
    let (disk, session) = with_history(3);
    drop(session);
    let path = module_file(&disk);
    let wasm = disk.bytes(&path).unwrap();
    disk.flip(&path, 5, 1).unwrap();
    let error = reopened(&disk).unwrap_err();
    assert!(
        matches!(&error, OpenError::ModuleDamaged { file } if *file == path),
        "{error}"
    );
    disk.remove(&path).unwrap();
    let error = reopened(&disk).unwrap_err();
    assert!(
        matches!(&error, OpenError::Missing { file } if *file == path),
        "{error}"
    );
    replace_file(&disk, &path, &wasm).unwrap();
    reopened(&disk).unwrap();
}

#[test]
fn a_module_is_refused_under_a_hash_that_is_not_its_own() {
    let (_, mut session) = with_history(1);
    session.log.put_module(&[1; 32], b"wasm").unwrap_err();
}

#[test]
fn segments_of_the_past_are_as_long_as_what_is_in_them() {
    let (disk, session) = with_history(60);
    drop(session);
    let session = reopened(&disk).unwrap();
    let bytes = disk.bytes(&segment(1)).unwrap();
    assert!(bytes.len() < 1024 && bytes.last() != Some(&0) || bytes.len().is_multiple_of(8));
    let total: usize = disk
        .files()
        .iter()
        .map(|path| disk.bytes(path).unwrap().len())
        .sum();
    drop(session);
    for _ in 0..10 {
        reopened(&disk).unwrap();
    }
    let after: usize = disk
        .files()
        .iter()
        .map(|path| disk.bytes(path).unwrap().len())
        .sum();
    assert!(
        after < total + 10 * 400,
        "an open that does nothing costs little: {total}, {after}"
    );
}
