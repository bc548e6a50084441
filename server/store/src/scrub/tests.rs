#![allow(clippy::unwrap_used)]

use super::*;
use crate::disk::MemoryDisk;
use crate::log::Options;
use crate::log::tests::fixture::{Random, SMALL, Session};
use crate::salvage::tests::with_states;

const KEEPING: Options = Options {
    history_bytes: u64::MAX,
    ..SMALL
};

fn scrubbed(session: &Session) -> ScrubReport {
    let mut scrub = Scrub::begin(&session.log).unwrap();
    loop {
        if let ScrubProgress::Done(report) = scrub.run_once() {
            return report;
        }
    }
}

fn old_files(disk: &MemoryDisk, session: &Session) -> Vec<PathBuf> {
    let scrub = Scrub::begin(&session.log).unwrap();
    let paths = scrub.files.iter().map(|item| match item {
        Item::Segment(path, ..) | Item::Checkpoint(path, _) => path.clone(),
    });
    let paths: Vec<_> = paths.collect();
    assert!(paths.iter().all(|path| disk.bytes(path).is_some()));
    paths
}

#[test]
fn good_files_are_good_and_rot_is_found_wherever_it_is() {
    let (disk, mut session, _) = with_states(KEEPING);
    // Over more than one open, with torn and superseded groups behind.
    for round in 0..3 {
        drop(session);
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        session = Session::open(&shared, KEEPING).unwrap();
        let mut random = Random(round);
        for _ in 0..20 {
            while session.transact_at_random(&mut random).is_none() {}
            session.settle();
        }
    }
    let files = old_files(&disk, &session);
    assert!(files.len() > 6, "{}", files.len());
    let report = scrubbed(&session);
    assert_eq!((report.problems.len(), report.files), (0, files.len()));
    let (mut found, mut unread) = (0, 0);
    for path in &files {
        let bytes = disk.bytes(path).unwrap();
        for at in (0..bytes.len()).step_by(41) {
            let mask = 1 << (at % 8);
            disk.flip(path, at, mask).unwrap();
            let report = scrubbed(&session);
            disk.flip(path, at, mask).unwrap();
            let place = format!("byte {at} of {}", path.display());
            match &report.problems[..] {
                // The padding of a group, or behind the last that counts: zeros, and groups that a later segment has again.
                [] => unread += usize::from(bytes[at] != 0),
                [problem, ..] => {
                    assert_eq!(problem.file, *path, "{place}");
                    assert!(problem.offset as usize <= at, "{place}: {problem:?}");
                    found += 1;
                }
            }
        }
    }
    assert!(found > 100 && unread * 20 < found, "{found}, {unread}");
    assert_eq!(scrubbed(&session).problems, []);
}

#[test]
fn a_file_that_goes_meanwhile_is_no_problem() {
    let (disk, session, _) = with_states(KEEPING);
    let files = old_files(&disk, &session);
    let mut scrub = Scrub::begin(&session.log).unwrap();
    disk.remove(&files[0]).unwrap();
    loop {
        if let ScrubProgress::Done(report) = scrub.run_once() {
            assert_eq!(report.problems, []);
            assert_eq!(report.files, files.len() - 1);
            break;
        }
    }
}
