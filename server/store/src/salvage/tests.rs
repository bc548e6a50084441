#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use super::*;
use crate::checkpoint::{CheckpointProgress, list};
use crate::disk::{MemoryDisk, replace_file};
use crate::log::recovery::survey;
use crate::log::tests::fixture::{Contents, FOLDER, Random, SMALL, Session};
use crate::open::tests::copy_of;

const COPY: &str = "/data/databases/copy";

fn shared(disk: &MemoryDisk) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

/// What is kept is enough to go back to the beginning.
const KEEPING: Options = Options {
    history_bytes: u64::MAX,
    ..SMALL
};

/// A database with a checkpoint after 20 of 60 transactions and another one after 40, and its state after each.
/// Every transaction is a group of its own.
pub(crate) fn with_states(options: Options) -> (MemoryDisk, Session, Vec<Contents>) {
    let disk = MemoryDisk::new();
    let mut session = Session::open(&shared(&disk), options).unwrap();
    let mut states = vec![session.contents()];
    session.publish(1, false).unwrap();
    session.settle();
    states.push(session.contents());
    let mut random = Random(17);
    for number in 1..=60 {
        while session.transact_at_random(&mut random).is_none() {}
        session.settle();
        states.push(session.contents());
        if number % 20 == 0 && number < 60 {
            let done = session.begin_checkpoint().run().unwrap();
            assert!(matches!(done, CheckpointProgress::Done(_)));
        }
    }
    (disk, session, states)
}

fn opened(disk: &MemoryDisk) -> Session {
    Session::open_in(&shared(disk), Path::new(COPY), SMALL).unwrap()
}

#[test]
fn compacting_leaves_the_rows_and_nothing_else() {
    let (disk, session, states) = with_states(KEEPING);
    drop(session);
    let bytes = |disk: &MemoryDisk| -> usize {
        let files = disk.files();
        files
            .iter()
            .map(|path| disk.bytes(path).unwrap().len())
            .sum()
    };
    let before = bytes(&disk);
    let folder = Path::new(FOLDER);
    let report = crate::open::compact(shared(&disk), folder, 1, 2, SMALL).unwrap();
    assert_eq!((report.lsn, report.retired.checkpoints), (Lsn(61), 2));
    assert!(bytes(&disk) < before / 2, "{before}, {}", bytes(&disk));
    let session = Session::open(&shared(&disk), SMALL).unwrap();
    assert_eq!(session.contents(), states[61]);
    assert_eq!(session.report.record_count, 0);
}

fn salvaged(disk: &MemoryDisk) -> Salvaged {
    salvage(
        &shared(disk),
        Path::new(FOLDER),
        Path::new(COPY),
        9_000_000,
        4242,
    )
    .unwrap()
}

/// A bit flipped anywhere: what comes out is a state that was there, nothing that a file in front of the damage
/// proves is missing, and what is lost is told.
#[test]
fn what_is_provably_good_is_saved_wherever_the_damage_is() {
    let (disk, mut session, states) = with_states(KEEPING);
    session.writer.seal().unwrap();
    drop(session);
    let files: Vec<PathBuf> = disk.files();
    let (mut whole, mut told) = (0, 0);
    for path in files.iter().filter(|path| !path.ends_with("LOCK")) {
        let bytes = disk.bytes(path).unwrap();
        for at in (0..bytes.len()).step_by(97) {
            let rotten = copy_of(&disk);
            rotten.flip(path, at, 1 << (at % 8)).unwrap();
            let saved = salvaged(&rotten);
            let lsn = saved.last;
            let place = format!("byte {at} of {}", path.display());
            let copy = opened(&rotten);
            let mut contents = copy.contents();
            if saved.is_module_lost {
                assert!(path.extension().is_some_and(|e| e == "wasm"), "{place}");
                assert_eq!(copy.wasm, None);
                contents = contents.with_module_of(&states[lsn.0 as usize]);
            }
            assert_eq!(contents, states[lsn.0 as usize], "{place}");
            // The newest checkpoint, or the one before, is whole.
            assert!(lsn >= Lsn(21), "{place}: {lsn}");
            if lsn < Lsn(61) {
                assert!(!saved.problems.is_empty(), "{place}");
                assert!(saved.seen >= lsn, "{place}");
                told += 1;
            } else {
                whole += 1;
            }
        }
    }
    assert!(whole > 20 && told > 5, "{whole} whole, {told} not");
}

#[test]
fn a_missing_segment_ends_what_can_be_saved() {
    let (disk, session, states) = with_states(KEEPING);
    drop(session);
    let survey = survey(&disk, &Path::new(FOLDER).join("log")).unwrap();
    let used: Vec<_> = survey
        .used()
        .map(|(header, path)| (header.first, path.to_owned()))
        .collect();
    for with_checkpoints in [true, false] {
        for (index, (first, path)) in used.iter().enumerate().skip(1) {
            let holey = copy_of(&disk);
            holey.remove(path).unwrap();
            if !with_checkpoints {
                for (_, path) in list(&holey, &Path::new(FOLDER).join("checkpoints")).unwrap() {
                    holey.remove(&path).unwrap();
                }
            }
            let saved = salvaged(&holey);
            let lsn = saved.last;
            assert_eq!(opened(&holey).contents(), states[lsn.0 as usize]);
            let newest = if with_checkpoints { Lsn(41) } else { Lsn(0) };
            let is_covered = used
                .get(index + 1)
                .is_some_and(|(next, _)| *next <= newest.next());
            if is_covered {
                assert_eq!(lsn, Lsn(61), "segment {index}: {:?}", saved.problems);
            } else {
                let expected = newest.max(Lsn(first.0 - 1));
                assert_eq!(lsn, expected, "segment {index} from {first}");
                // The loss of the last ones is only seen if there is one behind them, if it is an unused one.
                assert!(!saved.problems.is_empty() || index + 1 == used.len());
            }
        }
    }
}

#[test]
fn nothing_is_made_of_nothing() {
    let (disk, session, _) = with_states(KEEPING);
    drop(session);
    let empty = MemoryDisk::new();
    let error = salvage(
        &shared(&empty),
        Path::new("/data/none"),
        Path::new(COPY),
        1,
        2,
    )
    .unwrap_err();
    assert!(
        matches!(error, FoundError::Open(OpenError::Missing { .. })),
        "{error}"
    );
    // Every header of a segment, and every checkpoint.
    for path in disk.files() {
        let ends = |end: &str| path.to_str().is_some_and(|path| path.ends_with(end));
        if ends(".log") || ends(".checkpoint") {
            replace_file(&disk, &path, &[7; 300]).unwrap();
        }
    }
    let error = salvage(&shared(&disk), Path::new(FOLDER), Path::new(COPY), 1, 2).unwrap_err();
    assert!(
        matches!(error, FoundError::Open(OpenError::Damaged { .. })),
        "{error}"
    );
}
