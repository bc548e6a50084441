//! kill -9 of a real process on the real disk.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use syncline_protocol::Lsn;

use crate::checkpoint::CheckpointProgress;
use crate::disk::{Disk, MemoryDisk, RealDisk};
use crate::log::Options;
use crate::log::tests::fixture::{Random, SMALL, Session};

const CHILD_FOLDER: &str = "SYNCLINE_TEST_CHILD_FOLDER";
const OPTIONS: Options = Options {
    segment_bytes: 1 << 16,
    // So many that most kills hit one.
    checkpoint_bytes: 2000,
    history_bytes: 1 << 14,
    ..SMALL
};

/// Commits what comes after the last Lsn: the same for the same Lsn and state, in every process.
fn commit_next(session: &mut Session) {
    if session.log.last() == Lsn::ZERO {
        session.publish(1, false).unwrap();
        return;
    }
    let mut random = Random(session.log.last().0);
    while session.transact_at_random(&mut random).is_none() {}
}

/// The process that is killed: commits for ever, and says what is durable.
#[test]
#[ignore = "a part of the test below"]
fn child() {
    let Ok(folder) = std::env::var(CHILD_FOLDER) else {
        return;
    };
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let mut session = Session::open_in(&disk, Path::new(&folder), OPTIONS).unwrap();
    let mut random = Random(std::process::id().into());
    let mut checkpoint = None;
    loop {
        if checkpoint.is_none() && session.log.is_checkpoint_due() {
            println!("checkpoint");
            checkpoint = Some(session.begin_checkpoint());
        }
        if let Some(writer) = &mut checkpoint
            && let CheckpointProgress::Done(_) = writer.run_once().unwrap()
        {
            checkpoint = None;
        }
        for _ in 0..=random.next(5) {
            commit_next(&mut session);
        }
        session.log.flush_inline(&mut session.writer).unwrap();
        println!("durable {}", session.log.durable());
        std::io::stdout().flush().unwrap();
    }
}

#[test]
fn what_a_killed_process_has_acknowledged_is_there() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("board");
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let shadow_disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let mut shadow = Session::open(&shadow_disk, OPTIONS).unwrap();
    let (mut acknowledged, mut from_checkpoints) = (Lsn::ZERO, 0);
    for round in 0..8 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "open::tests::kill::child",
                "--ignored",
                "--nocapture",
            ])
            .env(CHILD_FOLDER, &folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut durable = lines
            .map_while(Result::ok)
            .filter_map(|line| Some(Lsn(line.split_once("durable ")?.1.trim().parse().ok()?)));
        let wanted = 5 + round * 13;
        let mut seen = durable.by_ref().take(wanted).last().unwrap();
        child.kill().unwrap();
        // What it said before it died counts as well.
        seen = durable.last().unwrap_or(seen);
        child.wait().unwrap();
        acknowledged = acknowledged.max(seen);

        let session = Session::open_in(&disk, &folder, OPTIONS).unwrap();
        let last = session.log.last();
        from_checkpoints += u32::from(session.report.checkpoint.is_some());
        assert!(
            last >= acknowledged,
            "round {round}: {acknowledged} was durable, {last} is there"
        );
        while shadow.log.last() < last {
            commit_next(&mut shadow);
        }
        assert_eq!(
            session.contents(),
            shadow.contents(),
            "round {round}, lsn {last}"
        );
    }
    assert!(acknowledged > Lsn(100), "{acknowledged}");
    assert!(
        from_checkpoints > 3,
        "{from_checkpoints} of 8 opens began with a checkpoint"
    );
}
