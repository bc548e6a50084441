#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use syncline_protocol::{Epoch, Lsn, Type, Value};

use super::recovery::{Base, recover, survey};
use super::{LoggedRecord, Options, Wake, read_log};
use crate::disk::{Disk, MemoryDisk};
use fixture::{Contents, FOLDER, Random, SMALL, Session};

mod conformance;
mod faults;
pub(crate) mod fixture;
mod formats;
mod modules;

fn session(disk: &MemoryDisk, options: Options) -> Session {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Session::open(&disk, options).unwrap()
}

fn published(disk: &MemoryDisk, options: Options) -> Session {
    let mut session = session(disk, options);
    session.publish(1, false).unwrap();
    session.settle();
    session
}

fn segments(disk: &MemoryDisk) -> Vec<PathBuf> {
    let mut files = disk.files();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    files
}

fn insert(session: &mut Session, name: &str) -> Lsn {
    let item = session.database().schema().table_id("item").unwrap();
    let types = [Type::U64, Type::U32, Type::String];
    let values = [Value::U64(0), Value::U32(1), Value::String(name.to_owned())];
    let mut row = fixture::row(&types, &values);
    session
        .transact(|transaction| assert!(transaction.insert(item, &mut row).is_ok()))
        .unwrap()
}

#[test]
fn what_was_committed_is_there_after_the_next_open() {
    let disk = MemoryDisk::new();
    let mut random = Random(1);
    let mut contents = Contents::default();
    let mut epoch = Epoch(0);
    for round in 0..5 {
        let mut session = session(&disk, SMALL);
        assert_eq!(
            session.contents(),
            if round == 0 {
                session.contents()
            } else {
                contents
            }
        );
        assert!(session.epoch > epoch);
        epoch = session.epoch;
        if round == 0 {
            session.publish(1, false).unwrap();
        }
        for _ in 0..100 {
            session.transact_at_random(&mut random);
            if random.next(3) == 0 {
                session.settle();
            }
        }
        session.settle();
        assert_eq!(session.wasm, (round > 0).then(|| vec![1; 700]));
        contents = session.contents();
    }
    assert!(contents.len() > 10 && segments(&disk).len() > 10);
}

#[test]
fn a_group_is_what_came_meanwhile() {
    let disk = MemoryDisk::new();
    let mut session = published(
        &disk,
        Options {
            first_segment_bytes: 1 << 16,
            ..SMALL
        },
    );
    let names: Vec<_> = (0..10).map(|number| format!("name {number}")).collect();
    for name in &names {
        insert(&mut session, name);
        session.log.flush();
    }
    assert_eq!(
        session.log.durable(),
        Lsn(1),
        "nothing is durable before the writer has run"
    );
    let progress = session.writer.run_once().unwrap();
    assert_eq!(progress.durable, Lsn(11));
    assert_eq!(session.log.durable(), Lsn(11));

    let groups = count_groups(&disk, 1);
    assert_eq!(
        groups,
        [0, 1, 10],
        "open, publish, and ten transactions in one group"
    );
}

/// Transactions and publishes of each group of a segment.
fn count_groups(disk: &MemoryDisk, number: u64) -> Vec<u32> {
    let bytes = disk
        .bytes(&super::segment::segment_path(&log_folder(), number))
        .unwrap();
    let super::segment::Beginning::Header(header) = super::segment::Beginning::decode(&bytes)
    else {
        panic!("segment {number} has no header")
    };
    let mut at = super::segment::SEGMENT_HEADER_BYTES;
    let mut counts = Vec::new();
    while let Some(group) = super::group::GroupHeader::decode(&bytes[at..], header.salt) {
        counts.push(group.count);
        at += group.len();
    }
    counts
}

fn log_folder() -> PathBuf {
    Path::new(FOLDER).join("log")
}

#[test]
fn the_audit_part_is_recorded_unless_switched_off() {
    for audit in [true, false] {
        let disk = MemoryDisk::new();
        let mut session = published(&disk, Options { audit, ..SMALL });
        insert(&mut session, "audited");
        session.settle();
        let bytes = segments(&disk)
            .iter()
            .map(|path| disk.bytes(path).unwrap())
            .collect::<Vec<_>>();
        let holds = |text: &[u8]| bytes.concat().windows(text.len()).any(|part| part == text);
        assert!(holds(b"audited"));
        assert_eq!(holds(b"paint"), audit);
        drop(session);
        let mut audited = 0;
        let last = read_log(&disk, Path::new(FOLDER), &mut |record| {
            if let LoggedRecord::Transaction(transaction) = record
                && let Some(audit) = transaction.audit
            {
                assert_eq!((audit.reducer, audit.args), ("paint", [3; 20].as_slice()));
                assert_eq!((audit.caller.0, audit.connection.0), ([1; 32], [2; 16]));
                audited += 1;
            }
            Ok(())
        });
        assert_eq!((last.unwrap(), audited), (Lsn(2), i32::from(audit)));
    }
}

#[test]
fn a_record_longer_than_a_segment_gets_one_of_its_own() {
    let disk = MemoryDisk::new();
    let mut session = published(&disk, SMALL);
    insert(&mut session, "before");
    insert(&mut session, &"x".repeat(4000));
    insert(&mut session, "after");
    session.settle();
    let contents = session.contents();
    drop(session);
    assert_eq!(self::session(&disk, SMALL).contents(), contents);
}

#[test]
fn a_batch_that_does_not_fit_goes_on_in_the_next_segment() {
    let disk = MemoryDisk::new();
    let mut session = published(&disk, SMALL);
    for number in 0..100 {
        insert(&mut session, &format!("a name with a number, {number}"));
    }
    session.settle();
    assert!(segments(&disk).len() > 3);
    let contents = session.contents();
    drop(session);
    assert_eq!(self::session(&disk, SMALL).contents(), contents);
}

#[test]
fn the_next_segment_is_whole_before_it_is_needed() {
    let disk = MemoryDisk::new();
    let options = Options {
        segment_bytes: 1 << 20,
        first_segment_bytes: 1 << 18,
        ..SMALL
    };
    let mut session = published(&disk, options);
    let mut largest_step = 0;
    for number in 0..200 {
        insert(&mut session, &format!("{number} {}", "x".repeat(1000)));
        let len = |disk: &MemoryDisk| disk.bytes(&segments(disk)[1]).map_or(0, |b| b.len());
        let before = if segments(&disk).len() > 1 {
            len(&disk)
        } else {
            0
        };
        session.settle();
        largest_step = largest_step.max(len(&disk) - before);
        if session.log.durable() > Lsn(140) {
            assert_eq!(len(&disk), 1 << 19, "half of the first segment is used");
        }
    }
    assert!(
        largest_step <= 1 << 16,
        "no commit waits for {largest_step} bytes of zeros"
    );
    assert_eq!(segments(&disk).len(), 2);
}

#[test]
fn a_log_thread_works_until_the_appender_is_gone() {
    let disk = MemoryDisk::new();
    let mut session = published(&disk, SMALL);
    let folder = Path::new(FOLDER);
    let mut steps = Vec::new();
    std::thread::scope(|scope| {
        let Session {
            mut log,
            writer,
            mut database,
            ..
        } = session_parts(&mut session);
        let thread = scope.spawn(|| {
            let mut durable = Vec::new();
            writer.run(|progress| durable.push(progress.unwrap().durable));
            durable
        });
        let changes = syncline_protocol::ChangeSet::new();
        for _ in 0..50 {
            let record = super::TransactionRecord {
                time: 5,
                caller: syncline_protocol::Identity([0; 32]),
                connection: syncline_protocol::ConnectionId([0; 16]),
                reducer: "",
                args: &[],
                seed: [0; 32],
            };
            log.append(&record, database.as_mut().unwrap(), &changes);
            log.flush();
        }
        drop(log);
        steps = thread.join().unwrap();
    });
    assert!(steps.is_sorted());
    assert_eq!(steps.last(), Some(&Lsn(51)));
    drop(session);
    let survey = survey(&disk, &folder.join("log")).unwrap();
    let read = recover(&disk, survey, Base::default(), &mut |_| Ok(())).unwrap();
    assert_eq!(
        (read.last, read.proven),
        (Lsn(51), Lsn(51)),
        "the end is sealed"
    );
}

/// Takes a session apart and leaves another one, of another folder, in its place.
fn session_parts(session: &mut Session) -> Session {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    std::mem::replace(session, Session::open(&disk, SMALL).unwrap())
}

#[test]
fn an_idle_log_is_sealed_once() {
    let disk = MemoryDisk::new();
    let mut session = published(&disk, SMALL);
    insert(&mut session, "last");
    session.settle();
    let proven = |disk: &MemoryDisk| {
        let survey = survey(disk, &log_folder()).unwrap();
        recover(disk, survey, Base::default(), &mut |_| Ok(()))
            .unwrap()
            .proven
    };
    assert_eq!(proven(&disk), Lsn(1), "nothing names the last group yet");
    assert_eq!(session.writer.wait(), Wake::Idle);
    session.writer.seal().unwrap();
    assert_eq!(proven(&disk), Lsn(2));
    let calls = disk.calls();
    session.writer.seal().unwrap();
    assert_eq!(disk.calls(), calls, "there is nothing new to seal");
    insert(&mut session, "more");
    session.settle();
    assert_eq!(session.log.durable(), Lsn(3));
}

#[test]
fn the_last_group_of_a_segment_is_sealed_too() {
    let disk = MemoryDisk::new();
    let mut session = published(&disk, SMALL);
    // Groups of many lengths, so that they end everywhere in segments.
    for number in 2..200_u64 {
        insert(&mut session, &format!("{number:0>0$}", number as usize));
        session.settle();
        session.writer.seal().unwrap();
        let survey = survey(&disk, &log_folder()).unwrap();
        let read = recover(&disk, survey, Base::default(), &mut |_| Ok(())).unwrap();
        assert_eq!((read.last, read.proven), (Lsn(number), Lsn(number)));
    }
}

#[test]
fn a_warm_appender_allocates_nothing_per_record() {
    let disk = MemoryDisk::new();
    let mut session = published(
        &disk,
        Options {
            segment_bytes: 1 << 20,
            ..SMALL
        },
    );
    let mut pointers = std::collections::BTreeSet::new();
    for number in 0..100 {
        insert(&mut session, &format!("{number:05}"));
        session.settle();
        if number > 10 {
            pointers.insert(session.log.buffer_address());
        }
    }
    assert!(
        pointers.len() <= 3,
        "three buffers take turns: {pointers:?}"
    );
}
