#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::disk::MemoryDisk;
use crate::log::Options;
use crate::log::tests::fixture::{Contents, FOLDER, Random, SMALL, Session};
use crate::salvage::tests::with_states;

const UNPACKED: &str = "/data/unpacked";
const COPY: &str = "/data/databases/copy";
const KEEPING: Options = Options {
    history_bytes: u64::MAX,
    ..SMALL
};

fn shared(disk: &MemoryDisk) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

fn stream(mut source: BackupSource) -> Vec<u8> {
    let mut bytes = Vec::new();
    while source.next_chunk(&mut bytes).unwrap() {}
    bytes
}

/// Takes a stream apart in pieces of this size, on a disk of its own.
fn unpack(bytes: &[u8], piece: usize) -> Result<(MemoryDisk, Lsn), BackupError> {
    let disk = MemoryDisk::new();
    let mut sink = BackupSink::new(&disk, Path::new(UNPACKED))?;
    for piece in bytes.chunks(piece) {
        sink.push(piece)?;
    }
    let lsn = sink.finish()?;
    Ok((disk, lsn))
}

fn restored(bytes: &[u8], until: Until) -> (Restored, Contents) {
    let (disk, _) = unpack(bytes, 1000).unwrap();
    let disk = shared(&disk);
    let [unpacked, copy] = [UNPACKED, COPY].map(Path::new);
    let restored = restore(&disk, unpacked, until, copy, 5, 77).unwrap();
    let mut session = Session::open_in(&disk, copy, SMALL).unwrap();
    let contents = session.contents();
    let mut random = Random(1);
    while session.transact_at_random(&mut random).is_none() {}
    session.settle();
    (restored, contents)
}

#[test]
fn a_running_database_is_backed_up_and_restored() {
    for history in [false, true] {
        let (_disk, mut session, states) = with_states(KEEPING);
        let source = BackupSource::of_running(&session.log, history).unwrap();
        let about = source.byte_len();
        // It goes on, and drops what the backup still needs.
        let mut random = Random(6);
        for _ in 0..20 {
            while session.transact_at_random(&mut random).is_none() {}
            session.settle();
        }
        let mut writer = session.begin_checkpoint();
        writer.run().unwrap();
        let bytes = stream(source);
        assert!(bytes.len() as u64 > about && (bytes.len() as u64) < about + 2000);
        for piece in [1, 7, 1000, bytes.len()] {
            assert_eq!(unpack(&bytes, piece).unwrap().1, Lsn(61));
        }
        let (back, contents) = restored(&bytes, Until::END);
        assert_eq!((back.last, back.rows as usize), (Lsn(61), states[61].len()));
        assert_eq!(contents, states[61]);
        assert!(session.epochs.iter().all(|(epoch, _)| *epoch < back.epoch));
        // To a point: as far back as what is in it.
        let (back, contents) = restored(&bytes, Until::lsn(Lsn(50)));
        assert_eq!((back.last, contents), (Lsn(50), states[50].clone()));
        if history {
            let (back, contents) = restored(&bytes, Until::lsn(Lsn(5)));
            assert_eq!((back.last, contents), (Lsn(5), states[5].clone()));
        }
    }
}

#[test]
fn what_is_not_durable_is_not_in_a_backup() {
    let (disk, mut session, states) = with_states(KEEPING);
    let mut random = Random(1);
    while session.transact_at_random(&mut random).is_none() {}
    let source = BackupSource::of_running(&session.log, false).unwrap();
    session.settle();
    let (back, contents) = restored(&stream(source), Until::END);
    assert_eq!((back.last, &contents), (Lsn(61), &states[61]));

    let folder = Path::new(FOLDER);
    let locked = BackupSource::of_folder(&disk, folder, false).unwrap_err();
    assert!(matches!(locked, crate::OpenError::Locked { .. }));
    let contents = session.contents();
    drop(session);
    let source = BackupSource::of_folder(&disk, folder, false).unwrap();
    let (back, copied) = restored(&stream(source), Until::END);
    assert_eq!((back.last, copied), (Lsn(62), contents));
}

#[test]
fn a_backup_that_was_changed_or_cut_is_refused() {
    let (_disk, session, _) = with_states(SMALL);
    let bytes = stream(BackupSource::of_running(&session.log, false).unwrap());
    for at in (0..bytes.len()).step_by(61) {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(unpack(&changed, 5000).is_err(), "byte {at}");
    }
    for len in (0..bytes.len()).step_by(97) {
        let error = unpack(&bytes[..len], 5000).unwrap_err();
        assert!(matches!(error, BackupError::CutOff), "{len} bytes: {error}");
    }
    let mut more = bytes.clone();
    more.push(0);
    assert!(unpack(&more, 5000).is_err());
    let twice = [&bytes[..], &bytes[..]].concat();
    assert!(unpack(&twice, 5000).is_err());
    let mut newer = bytes.clone();
    newer[8] = 2;
    let error = unpack(&newer, 5000).unwrap_err();
    assert!(
        matches!(error, BackupError::Version { found: 2 }),
        "{error}"
    );
    let error = unpack(b"something else", 5000).unwrap_err();
    assert!(matches!(error, BackupError::NotABackup), "{error}");
}

#[test]
fn no_file_is_written_that_a_database_does_not_have() {
    for name in [
        "log/../../x.log",
        "/etc/0000000001.log",
        "LOCK",
        "log/1.log",
        "modules/x.wasm",
    ] {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        let mut body = vec![FILE];
        body.extend_from_slice(&0u64.to_le_bytes());
        body.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
        bytes.extend_from_slice(&body);
        let error = unpack(&bytes, 5000).unwrap_err();
        assert!(
            matches!(error, BackupError::Damaged { .. }),
            "{name}: {error}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn random_streams_never_panic(
        frames in prop::collection::vec((0u8..5, prop::collection::vec(any::<u8>(), 0..60)), 0..8),
        piece in 1usize..200,
    ) {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        for (kind, body) in frames {
            let body = [&[kind][..], &body].concat();
            bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
            bytes.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
            bytes.extend_from_slice(&body);
        }
        prop_assert!(unpack(&bytes, piece).is_err(), "no hash fits by chance");
    }
}
