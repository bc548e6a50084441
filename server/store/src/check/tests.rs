#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use super::*;
use crate::disk::MemoryDisk;
use crate::log::Options;
use crate::log::tests::fixture::{FOLDER, SMALL, Session};
use crate::open::tests::copy_of;
use crate::salvage::tests::with_states;

const KEEPING: Options = Options {
    history_bytes: u64::MAX,
    ..SMALL
};

fn checked(disk: &MemoryDisk) -> CheckReport {
    check(disk, Path::new(FOLDER)).unwrap()
}

#[test]
fn a_good_database_is_good() {
    for (options, oldest) in [(KEEPING, Lsn(0)), (SMALL, Lsn(0))] {
        let (disk, session, states) = with_states(options);
        let locked = check(&disk, Path::new(FOLDER)).unwrap_err();
        assert!(matches!(locked, OpenError::Locked { .. }));
        let epoch = session.epoch;
        drop(session);
        let files = disk.files();
        let report = checked(&disk);
        assert_eq!(report.problems, []);
        assert_eq!(disk.files(), files, "nothing was changed");
        assert_eq!((report.last, report.epoch), (Lsn(61), epoch));
        assert_eq!((report.modules, report.records), (1, 61));
        let rows: u64 = report.tables.iter().map(|table| table.rows).sum();
        assert_eq!(rows as usize, states[61].len());
        assert_eq!(report.oldest, oldest);
        let lsns: Vec<_> = report.checkpoints.iter().map(|c| c.lsn).collect();
        assert_eq!(lsns, [Lsn(21), Lsn(41)]);
        assert!(
            report
                .checkpoints
                .iter()
                .all(|c| c.agrees_with_log == Some(true))
        );
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["checkpoints"][1]["lsn"], 41);
    }
}

#[test]
fn the_log_of_a_trimmed_database_is_checked_from_its_oldest_checkpoint_on() {
    let options = Options {
        history_bytes: 0,
        ..SMALL
    };
    let (disk, session, _) = with_states(options);
    drop(session);
    let report = checked(&disk);
    assert_eq!(report.problems, []);
    assert_eq!((report.oldest, report.last), (Lsn(21), Lsn(61)));
    assert_eq!(report.records, 40);
    assert_eq!(report.checkpoints[0].agrees_with_log, None);
    assert_eq!(report.checkpoints[1].agrees_with_log, Some(true));
}

/// Whatever keeps a database from opening is found, and so is what it would get over.
#[test]
fn a_flipped_bit_is_found_wherever_it_is() {
    let (disk, mut session, _) = with_states(KEEPING);
    session.writer.seal().unwrap();
    drop(session);
    let mut found = 0;
    for path in disk.files().iter().filter(|path| !path.ends_with("LOCK")) {
        let bytes = disk.bytes(path).unwrap();
        let written = bytes.iter().rposition(|&b| b != 0).map_or(0, |at| at + 1);
        for at in (0..written).step_by(83) {
            let rotten = copy_of(&disk);
            rotten.flip(path, at, 1 << (at % 8)).unwrap();
            let report = checked(&rotten);
            let place = format!("byte {at} of {}", path.display());
            if report.problems.is_empty() {
                // Reserved bytes of a checkpoint count; the seal at the end is a torn tail.
                assert!(report.torn_bytes > 0 && at + 100 > written, "{place}");
                continue;
            }
            found += 1;
            let disk: Arc<dyn Disk> = Arc::new(rotten);
            if let Err(error) = Session::open(&disk, SMALL) {
                assert_eq!(report.problems[0], Problem::of(&error), "{place}");
            }
        }
    }
    assert!(found > 100, "{found}");
}

#[test]
fn a_checkpoint_with_other_rows_than_the_log_is_found() {
    let (good, session, _) = with_states(KEEPING);
    drop(session);
    // The checkpoint of a copy that went on apart, under the name of one of this database.
    let other = copy_of(&good);
    let shared: Arc<dyn Disk> = Arc::new(other.clone());
    let mut copy = Session::open(&shared, KEEPING).unwrap();
    let mut random = crate::log::tests::fixture::Random(99);
    let shared: Arc<dyn Disk> = Arc::new(good.clone());
    let mut origin = Session::open(&shared, KEEPING).unwrap();
    let mut more = crate::log::tests::fixture::Random(98);
    for (session, random) in [(&mut copy, &mut random), (&mut origin, &mut more)] {
        while session.log.last() < Lsn(70) {
            session.transact_at_random(random);
            session.settle();
        }
    }
    copy.begin_checkpoint().run().unwrap();
    drop((copy, origin));
    let path = crate::checkpoint::checkpoint_path(&Path::new(FOLDER).join("checkpoints"), Lsn(70));
    let bytes = other.bytes(&path).unwrap();
    crate::disk::replace_file(&good, &path, &bytes).unwrap();
    let report = checked(&good);
    assert_eq!(
        report.checkpoints.last().unwrap().agrees_with_log,
        Some(false)
    );
    assert!(
        report.problems[0].detail.contains("lsn 70"),
        "{:?}",
        report.problems
    );
}

#[test]
fn a_folder_that_is_not_there_is_not_made() {
    let disk = MemoryDisk::new();
    let error = check(&disk, Path::new("/none")).unwrap_err();
    assert!(matches!(error, OpenError::Missing { .. }));
    assert_eq!(disk.files(), [] as [PathBuf; 0]);
}
