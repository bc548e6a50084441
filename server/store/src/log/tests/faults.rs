//! Disks that fail, fill up and fall behind.

use std::io::ErrorKind;

use syncline_protocol::Lsn;

use super::fixture::{SMALL, Session};
use super::{insert, published, segments, session as session_on};
use crate::disk::{Fault, MemoryDisk};
use crate::log::{LogError, Options, Wake};

#[test]
fn a_failed_write_or_sync_poisons_for_good() {
    let reasons = [
        (0, "a write to the log failed"),
        (1, "a write to the log failed"),
    ];
    for (call, reason) in reasons {
        let disk = MemoryDisk::new();
        let mut session = published(
            &disk,
            Options {
                segment_bytes: 1 << 16,
                ..SMALL
            },
        );
        let durable = session.log.durable();
        insert(&mut session, "lost");
        disk.fault_at(disk.calls() + call, Fault::Error(ErrorKind::Other));
        let error = session.log.flush_inline(&mut session.writer).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
        assert!(session.log.is_poisoned());
        assert_eq!(
            session.log.durable(),
            durable,
            "nothing is acknowledged any more"
        );
        assert_eq!(session.log.reserve(1).unwrap_err(), error);
        assert_eq!(session.log.put_module(&[0; 32], &[]).unwrap_err(), error);
        insert(&mut session, "lost too");
        assert_eq!(
            session.log.flush_inline(&mut session.writer).unwrap_err(),
            error
        );
        assert_eq!(session.writer.wait(), Wake::Closed);
        assert_eq!(session.log.durable(), durable);
    }
}

#[test]
fn what_a_failed_sync_left_in_the_kernels_memory_is_written_again() {
    let disk = MemoryDisk::new();
    let mut session = published(
        &disk,
        Options {
            segment_bytes: 1 << 16,
            ..SMALL
        },
    );
    insert(&mut session, "readable, not durable");
    disk.fault_at(disk.calls() + 1, Fault::Error(ErrorKind::Other));
    session.log.flush_inline(&mut session.writer).unwrap_err();
    let contents = session.contents();
    drop(session);
    // The process is started again, the machine is not: a reader sees the group.
    let session = session_on(&disk, SMALL);
    assert_eq!(session.contents(), contents);
    assert!(session.report.rewritten_bytes > 0, "{:?}", session.report);
    drop(session);
    // What an open has shown must survive a power cut after it.
    for seed in 0..20 {
        disk.crash(seed);
        assert_eq!(session_on(&disk, SMALL).contents(), contents, "seed {seed}");
    }
}

#[test]
fn a_full_disk_refuses_calls_and_takes_them_again_when_there_is_room() {
    let disk = MemoryDisk::new();
    let mut session = published(&disk, SMALL);
    let used: u64 = disk
        .files()
        .iter()
        .map(|path| disk.bytes(path).unwrap().len() as u64)
        .sum();
    disk.set_capacity(Some(used + 6000));
    let mut accepted = 0;
    let refused = loop {
        match session.log.reserve(100) {
            Ok(()) => {}
            Err(error) => break error,
        }
        insert(&mut session, &format!("item {accepted}"));
        session.settle();
        accepted += 1;
        assert!(accepted < 1000, "the disk has no end");
    };
    assert_eq!(refused, LogError::DiskFull);
    assert!(accepted > 10, "what room there was is used: {accepted}");
    assert!(!session.log.is_poisoned());
    assert_eq!(
        session.writer.wait(),
        Wake::Work,
        "the refusal made the writer look for room"
    );
    session.writer.run_once().unwrap();
    assert_eq!(
        session.log.reserve(100),
        Err(LogError::DiskFull),
        "there is none"
    );
    disk.set_capacity(None);
    session.writer.run_once().unwrap();
    session.log.reserve(100).unwrap();
    insert(&mut session, "there is room again");
    session.settle();
    let contents = session.contents();
    drop(session);
    assert_eq!(session_on(&disk, SMALL).contents(), contents);
}

#[test]
fn records_that_a_full_disk_does_not_take_wait_and_are_not_lost() {
    let disk = MemoryDisk::new();
    let mut session = published(&disk, SMALL);
    disk.set_capacity(Some(0));
    for number in 0..50 {
        insert(&mut session, &format!("an item that has to wait, {number}"));
    }
    let progress = session.log.flush_inline(&mut session.writer).unwrap();
    assert!(progress.is_stalled && progress.durable < session.log.last());
    assert!(progress.durable > Lsn(1), "what room there was is used");
    assert_eq!(session.log.reserve(0), Err(LogError::DiskFull));
    session.log.flush_inline(&mut session.writer).unwrap();
    disk.set_capacity(None);
    session.settle();
    session.log.reserve(0).unwrap();
    let contents = session.contents();
    drop(session);
    assert_eq!(session_on(&disk, SMALL).contents(), contents);
}

#[test]
fn a_database_opens_on_a_disk_without_room_for_a_segment() {
    let disk = MemoryDisk::new();
    let mut session = published(&disk, SMALL);
    insert(&mut session, "kept");
    session.settle();
    let contents = session.contents();
    drop(session);
    let used: u64 = disk
        .files()
        .iter()
        .map(|path| disk.bytes(path).unwrap().len() as u64)
        .sum();
    disk.set_capacity(Some(used + 700));
    let mut session = session_on(&disk, SMALL);
    assert_eq!(session.contents(), contents);
    let last = segments(&disk).pop().unwrap();
    assert!(
        disk.bytes(&last).unwrap().len() < 1024,
        "it is as long as what must be in it"
    );
    disk.set_capacity(Some(0));
    session.writer.run_once().unwrap();
    assert_eq!(session.log.reserve(0), Err(LogError::DiskFull));
}

#[test]
fn too_much_that_waits_refuses_calls_until_the_disk_has_caught_up() {
    let disk = MemoryDisk::new();
    let mut session = published(
        &disk,
        Options {
            pending_bytes_max: 2000,
            ..SMALL
        },
    );
    let mut accepted = 0;
    while session.log.reserve(100).is_ok() {
        insert(&mut session, &format!("item {accepted}"));
        if accepted % 2 == 0 {
            session.log.flush();
        }
        accepted += 1;
    }
    assert!((5..50).contains(&accepted), "{accepted}");
    assert_eq!(session.log.reserve(100), Err(LogError::Busy));
    session.settle();
    session.log.reserve(100).unwrap();
}

#[test]
fn a_writer_that_goes_away_early_poisons() {
    let disk = MemoryDisk::new();
    let mut session = published(&disk, SMALL);
    insert(&mut session, "never written");
    session.log.flush();
    let Session { log, writer, .. } = session;
    drop(writer);
    assert!(log.is_poisoned());
    assert!(matches!(log.reserve(1), Err(LogError::Poisoned(_))));
}
