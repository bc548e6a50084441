//! How long a database takes to be ready, from a checkpoint and from the log alone, and what a checkpoint costs commits
//! that go on: `cargo run --release -p syncline-store --example restart -- [--rows N] [--folder FOLDER]`.
//!
//! One JSON object a line: `work, engine, batch, records_per_s, cpu_us_per_record, p50_us, p99_us, rows, seconds,
//! rss_mb, write_amplification`; what a line does not measure is 0.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a measurement, not the store"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use syncline_protocol::{
    ChangeSet, ColumnDef, ConnectionId, Identity, IndexDef, IndexKind, Schema, TableDef, TableId,
    Type,
};
use syncline_store::{
    CheckpointProgress, Disk, Opened, Options, PublishRecord, RealDisk, TransactionRecord,
    checkpoint, open,
};

const TABLE: TableId = TableId::FIRST_USER;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (mut rows, mut folder) = (1_000_000, std::env::temp_dir());
    while let Some(argument) = arguments.next() {
        let value = arguments.next();
        match argument.as_str() {
            "--rows" => rows = value.unwrap().parse().unwrap(),
            "--folder" => folder = PathBuf::from(value.unwrap()),
            other => panic!("{other}: --rows N, --folder FOLDER"),
        }
    }
    let folder = folder.join(format!("syncline-restart-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for indexes in [0, 2] {
        restart(&folder.join(format!("restart-{indexes}")), rows, indexes);
    }
    commits(&folder.join("commits"), rows);
    std::fs::remove_dir_all(&folder).unwrap();
}

/// 16 bytes: a key, and a number for the indexes.
fn row(id: u64) -> [u8; 16] {
    let mut row = [0; 16];
    row[..8].copy_from_slice(&id.to_le_bytes());
    row[8..].copy_from_slice(&(id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20).to_le_bytes());
    row
}

fn open_in(folder: &Path) -> Opened {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let options = Options {
        audit: false,
        ..Options::default()
    };
    open(disk, folder, 0, 1, options).unwrap()
}

struct Session {
    opened: Option<Opened>,
    changes: ChangeSet,
}

const RECORD: TransactionRecord<'static> = TransactionRecord {
    time: 1,
    caller: Identity([1; 32]),
    connection: ConnectionId([2; 16]),
    reducer: "add",
    args: &[],
    seed: [3; 32],
};

impl Session {
    fn create(folder: &Path, indexes: usize) -> Self {
        let mut opened = open_in(folder);
        let column = |name: &str| ColumnDef {
            name: name.to_owned(),
            ty: Type::U64,
        };
        let index = |kind| IndexDef {
            name: format!("{kind:?}").to_lowercase(),
            columns: vec![1],
            kind,
            unique: false,
        };
        let table = TableDef {
            name: "item".to_owned(),
            columns: vec![column("id"), column("number")],
            primary_key: vec![0],
            indexes: [IndexKind::Hash, IndexKind::Ordered][..indexes]
                .iter()
                .map(|kind| index(*kind))
                .collect(),
            auto_increment: None,
            public: true,
        };
        let schema = Schema {
            tables: vec![table],
            ..Schema::default()
        };
        let wasm = [0; 8];
        let hash = <sha2::Sha256 as sha2::Digest>::digest(wasm).into();
        opened.log.put_module(&hash, &wasm).unwrap();
        let installed = opened.database.schema();
        let schema = installed.evolve(schema, hash, false).unwrap();
        opened.database.install(Arc::clone(&schema)).unwrap();
        let publish = PublishRecord {
            time: 0,
            caller: Identity([0; 32]),
            schema: &schema,
            clear_data: false,
        };
        let changes = ChangeSet::new();
        opened
            .log
            .append_publish(&publish, &opened.database, &changes);
        Self {
            opened: Some(opened),
            changes,
        }
    }

    /// One transaction that writes these rows.
    fn write(&mut self, ids: impl Iterator<Item = u64>, is_new: bool) {
        let Opened {
            database,
            mut log,
            writer,
            epoch,
            epochs,
            last,
            last_time,
            wasm,
            report,
        } = self.opened.take().unwrap();
        let mut transaction = database.begin();
        for id in ids {
            let mut row = row(id);
            if is_new {
                transaction.insert(TABLE, &mut row).unwrap();
            } else {
                row[8] ^= 1;
                transaction.update(TABLE, &mut row).unwrap();
            }
        }
        let database = transaction.commit(&mut self.changes);
        log.append(&RECORD, &database, &self.changes);
        self.opened = Some(Opened {
            database,
            log,
            writer,
            epoch,
            epochs,
            last,
            last_time,
            wasm,
            report,
        });
    }

    fn settle(&mut self) {
        let opened = self.opened.as_mut().unwrap();
        opened.log.flush_inline(&mut opened.writer).unwrap();
    }
}

fn line(work: &str, batch: u64, records: f64, times: (f64, f64), rows: u64, seconds: f64) {
    let rate = if seconds > 0.0 {
        records / seconds
    } else {
        0.0
    };
    println!(
        "{{\"work\":\"{work}\",\"engine\":\"syncline\",\"batch\":{batch},\"records_per_s\":{rate:.0},\
         \"cpu_us_per_record\":0,\"p50_us\":{:.1},\"p99_us\":{:.1},\"rows\":{rows},\
         \"seconds\":{seconds:.4},\"rss_mb\":{:.1},\"write_amplification\":0}}",
        times.0,
        times.1,
        rss_mb()
    );
}

fn rss_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}

/// Rows in transactions of one, so that the log has a record for each.
fn restart(folder: &Path, rows: u64, indexes: usize) {
    let mut session = Session::create(folder, indexes);
    for id in 0..rows {
        session.write(std::iter::once(id), true);
        if id % 10_000 == 0 {
            session.settle();
        }
    }
    session.settle();
    drop(session);
    let name = |what: &str| format!("restart from {what}, primary key + {indexes} indexes");
    for _ in 0..3 {
        let start = Instant::now();
        let opened = open_in(folder);
        let seconds = start.elapsed().as_secs_f64();
        assert_eq!(opened.report.record_count, rows + 1);
        line(&name("the log"), 1, rows as f64, (0.0, 0.0), rows, seconds);
    }
    let mut opened = open_in(folder);
    let start = Instant::now();
    let begun = checkpoint::begin(&mut opened.log, &opened.database);
    let begin_us = start.elapsed().as_secs_f64() * 1e6;
    let mut writer = begun;
    let progress = writer.run().unwrap();
    assert!(matches!(progress, CheckpointProgress::Done(_)));
    let seconds = start.elapsed().as_secs_f64();
    line(
        "checkpoint, nothing beside it",
        0,
        rows as f64,
        (begin_us, begin_us),
        rows,
        seconds,
    );
    drop((opened, writer));
    for _ in 0..3 {
        let start = Instant::now();
        let opened = open_in(folder);
        let seconds = start.elapsed().as_secs_f64();
        assert_eq!(opened.report.record_count, 0);
        line(
            &name("a checkpoint"),
            0,
            rows as f64,
            (0.0, 0.0),
            rows,
            seconds,
        );
    }
}

/// Transactions of two updates at a steady rate, each made durable by itself, with and without a checkpoint.
fn commits(folder: &Path, rows: u64) {
    const INTERVAL: Duration = Duration::from_micros(500);
    let mut session = Session::create(folder, 0);
    for first in (0..rows).step_by(1000) {
        session.write(first..(first + 1000).min(rows), true);
        session.settle();
    }
    for round in 0..3 {
        for with_checkpoint in [false, true] {
            let opened = session.opened.as_mut().unwrap();
            let writer =
                with_checkpoint.then(|| checkpoint::begin(&mut opened.log, &opened.database));
            let thread = writer.map(|mut writer| {
                std::thread::spawn(move || {
                    let start = Instant::now();
                    while !matches!(writer.run_once().unwrap(), CheckpointProgress::Done(_)) {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    start.elapsed()
                })
            });
            let mut times = Vec::new();
            let start = Instant::now();
            let mut id: u64 = round;
            while thread
                .as_ref()
                .map_or(times.len() < 1000, |thread| !thread.is_finished())
            {
                let due = start + INTERVAL * times.len() as u32;
                while Instant::now() < due {
                    std::hint::spin_loop();
                }
                let before = Instant::now();
                id = (id.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(7)) >> 3;
                session.write([id % rows, (id + rows / 2) % rows].into_iter(), false);
                session.settle();
                times.push(before.elapsed());
            }
            let seconds = start.elapsed().as_secs_f64();
            let count = times.len() as f64;
            times.sort_unstable();
            let us = |part: usize| times[(times.len() - 1) * part / 100].as_secs_f64() * 1e6;
            let work = if with_checkpoint {
                "commits during a checkpoint"
            } else {
                "commits without a checkpoint"
            };
            line(work, 1, count, (us(50), us(99)), rows, seconds);
            if let Some(thread) = thread {
                thread.join().unwrap();
            }
        }
    }
}
