//! How fast the commit log is beside the disk's own write + fdatasync, in the same run:
//! `cargo run --release -p syncline-store --example log_speed [FOLDER]`.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a measurement, not the store"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use syncline_protocol::{
    ChangeSet, ColumnDef, ConnectionId, Identity, Schema, TableDef, TableId, Type, Value, packed,
};
use syncline_store::{Disk, Opened, Options, PublishRecord, RealDisk, TransactionRecord, open};

/// How long each measurement takes.
const TIME: Duration = Duration::from_secs(2);
const ROW_BYTES: usize = 64;

fn main() {
    let given = std::env::args()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = given.join(format!("syncline-log-speed-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    println!("in {}; rows of {ROW_BYTES} bytes", given.display());
    println!(
        "{:<44}{:>12}{:>10}{:>10}",
        "", "records/s", "p50 us", "p99 us"
    );
    floor(&folder.join("floor"));
    for audit in [false, true] {
        for group in [1, 10, 100, 1000] {
            let name = format!(
                "log, group of {group}{}",
                if audit { ", audit" } else { "" }
            );
            inline(
                &name,
                &folder.join(format!("inline-{audit}-{group}")),
                audit,
                group,
            );
        }
    }
    threaded(&folder.join("threaded"));
    pipelined(&folder.join("pipelined"));
    floor(&folder.join("floor-again"));
    replay(&folder.join("replay"));
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A session with a table, and one transaction's changes.
struct Log {
    opened: Opened,
    changes: ChangeSet,
}

impl Log {
    fn open(folder: &Path, audit: bool) -> Self {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let options = Options {
            audit,
            ..Options::default()
        };
        let mut opened = open(disk, folder, 0, 1, options).unwrap();
        let table = TableDef {
            name: "item".to_owned(),
            columns: vec![
                ColumnDef {
                    name: "id".to_owned(),
                    ty: Type::U64,
                },
                ColumnDef {
                    name: "text".to_owned(),
                    ty: Type::String,
                },
            ],
            primary_key: vec![0],
            indexes: Vec::new(),
            auto_increment: None,
            public: true,
        };
        let schema = Schema {
            tables: vec![table],
            reducers: Vec::new(),
            ..Schema::default()
        };
        let schema = opened
            .database
            .schema()
            .evolve(schema, [0; 32], false)
            .unwrap();
        opened.database.install(Arc::clone(&schema)).unwrap();
        let mut changes = ChangeSet::new();
        let row = |id| {
            let mut row = Vec::new();
            packed::encode(&Type::U64, &Value::U64(id), &mut row).unwrap();
            let text = Value::String("x".repeat(ROW_BYTES - 12));
            packed::encode(&Type::String, &text, &mut row).unwrap();
            row
        };
        changes.push(TableId::FIRST_USER, None, Some(&row(1)));
        let publish = PublishRecord {
            time: 0,
            caller: Identity([0; 32]),
            schema: &schema,
            clear_data: false,
        };
        opened
            .log
            .append_publish(&publish, &opened.database, &changes);
        opened.log.flush_inline(&mut opened.writer).unwrap();
        changes.clear();
        // An update of the row by itself is enough: the log does not compare.
        let mut old = row(1);
        old[20] = b'y';
        changes.push(TableId::FIRST_USER, Some(&old), Some(&row(1)));
        Self { opened, changes }
    }

    fn append(&mut self) {
        let record = TransactionRecord {
            time: 1,
            caller: Identity([1; 32]),
            connection: ConnectionId([2; 16]),
            reducer: "transfer",
            args: &[0; 24],
            seed: [3; 32],
        };
        self.opened
            .log
            .append(&record, &self.opened.database, &self.changes);
    }
}

/// One write of a row's bytes and one fdatasync after the other, in a file filled with zeros before.
fn floor(path: &Path) {
    let disk = RealDisk;
    let mut file = disk.create(path).unwrap();
    let len = 64 << 20;
    file.write_at(0, &vec![0; len]).unwrap();
    file.sync_data().unwrap();
    let mut at = 0;
    let bytes = [7; 72 + ROW_BYTES + 24];
    measure("floor: write + fdatasync, zero-filled", 1, || {
        file.write_at(at, &bytes).unwrap();
        file.sync_data().unwrap();
        at = (at + bytes.len() as u64) % (len as u64 - 4096);
    });
}

fn inline(name: &str, folder: &Path, audit: bool, group: u32) {
    let mut log = Log::open(folder, audit);
    measure(name, group, || {
        for _ in 0..group {
            log.append();
        }
        log.opened.log.flush_inline(&mut log.opened.writer).unwrap();
    });
}

/// A lone record with the writer on a thread of its own, until this thread knows.
fn threaded(folder: &Path) {
    let mut log = Log::open(folder, false);
    let (told, news) = mpsc::sync_channel(1);
    let Opened {
        database,
        log: appender,
        writer,
        ..
    } = log.opened;
    let thread = std::thread::spawn(move || {
        writer.run(|progress| {
            // The last one may find nobody.
            let _ = told.send(progress.unwrap().durable);
        });
    });
    let mut appender = appender;
    measure("log, group of 1, writer on its own thread", 1, || {
        let record = TransactionRecord {
            time: 1,
            caller: Identity([1; 32]),
            connection: ConnectionId([2; 16]),
            reducer: "transfer",
            args: &[0; 24],
            seed: [3; 32],
        };
        let lsn = appender.append(&record, &database, &log.changes);
        appender.flush();
        while news.recv().unwrap() < lsn {}
    });
    log.changes.clear();
    drop((appender, news));
    thread.join().unwrap();
}

/// Batches of 64 as fast as they are made, group commit beside it; nobody waits for one record.
fn pipelined(folder: &Path) {
    let mut log = Log::open(folder, false);
    let disk: Arc<dyn Disk> = Arc::new(syncline_store::DiscardDisk);
    let spare = open(disk, Path::new("/none"), 0, 1, Options::default()).unwrap();
    let writer = std::mem::replace(&mut log.opened.writer, spare.writer);
    let thread = std::thread::spawn(move || {
        let mut groups = 0u64;
        writer.run(|_| groups += 1);
        groups
    });
    let start = Instant::now();
    let mut records = 0u64;
    while start.elapsed() < TIME {
        while log.opened.log.reserve(100).is_err() {
            std::thread::yield_now();
        }
        for _ in 0..64 {
            log.append();
        }
        records += 64;
        log.opened.log.flush();
    }
    let last = log.opened.log.last();
    while log.opened.log.durable() < last {
        std::thread::yield_now();
    }
    let rate = records as f64 / start.elapsed().as_secs_f64();
    drop(log.opened.log);
    let groups = thread.join().unwrap();
    println!(
        "{:<44}{rate:>12.0}",
        format!("log, pipelined, {} a group", records / groups.max(1))
    );
}

fn replay(folder: &Path) {
    let mut log = Log::open(folder, false);
    let records = 1_000_000;
    for _ in 0..records / 1000 {
        for _ in 0..1000 {
            log.append();
        }
        log.opened.log.flush_inline(&mut log.opened.writer).unwrap();
    }
    drop(log);
    let start = Instant::now();
    let read = std::cell::Cell::new(0u64);
    syncline_store::log::read_log(&RealDisk, folder, &mut |_| {
        read.set(read.get() + 1);
        Ok(())
    })
    .unwrap();
    let read_rate = read.get() as f64 / start.elapsed().as_secs_f64();
    println!("{:<44}{read_rate:>12.0}", "read back, rows untouched");
}

/// Runs `step`, which makes `records` durable, for a while, and prints what it took.
fn measure(name: &str, records: u32, mut step: impl FnMut()) {
    let mut times = Vec::new();
    let start = Instant::now();
    while start.elapsed() < TIME {
        let before = Instant::now();
        step();
        times.push(before.elapsed());
    }
    let rate = times.len() as f64 * f64::from(records) / start.elapsed().as_secs_f64();
    times.sort_unstable();
    let us = |part: usize| times[(times.len() - 1) * part / 100].as_secs_f64() * 1e6;
    println!("{name:<44}{rate:>12.0}{:>10.1}{:>10.1}", us(50), us(99));
}
