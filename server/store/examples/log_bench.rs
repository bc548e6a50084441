//! The commit log beside others, one JSON object a line: `work, engine, batch, records_per_s, cpu_us_per_record, p50_us,
//! p99_us, rows, seconds, rss_mb, write_amplification`.
//! `cargo run --release -p syncline-store --example log_bench -- [--folder FOLDER] [--seconds S]`.
//!
//! A record is one new row of 64 bytes, made durable in batches of 1 to 1000. `floor` is one write of a batch's bytes and one
//! fdatasync in a file that was filled with zeros before. sled's flush is no fdatasync: its figures promise less. The write
//! amplification is bytes in the files at the end, trailing zeros left out, for a byte of rows. What the device writes is
//! more: whole sectors and pages for each sync, and of our log the zeros of each segment once more.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a measurement, not the store"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use syncline_protocol::{
    ChangeSet, ColumnDef, ConnectionId, Identity, Schema, TableDef, TableId, Type,
};
use syncline_store::{Disk, Opened, Options, PublishRecord, RealDisk, TransactionRecord, open};

const ROW_BYTES: usize = 64;
const BATCHES: [u64; 4] = [1, 10, 100, 1000];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (mut seconds, mut folder) = (2.0, std::env::temp_dir());
    while let Some(argument) = arguments.next() {
        let value = arguments.next();
        match argument.as_str() {
            "--seconds" => seconds = value.unwrap().parse().unwrap(),
            "--folder" => folder = PathBuf::from(value.unwrap()),
            other => panic!("{other}: --folder FOLDER, --seconds S"),
        }
    }
    let time = Duration::from_secs_f64(seconds);
    let folder = folder.join(format!("syncline-log-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for batch in BATCHES {
        floor(&folder.join(format!("floor-{batch}")), batch, time);
        for (engine, audit) in [("syncline", false), ("syncline, audit", true)] {
            let folder = folder.join(format!("{engine}-{batch}"));
            syncline(engine, &folder, audit, batch, time);
        }
        sled(&folder.join(format!("sled-{batch}")), batch, time);
    }
    amplification(&folder.join("amplification"));
    std::fs::remove_dir_all(&folder).unwrap();
}

fn floor(path: &Path, batch: u64, time: Duration) {
    let mut file = RealDisk.create(path).unwrap();
    let len = 64 << 20;
    file.write_at(0, &vec![0; len]).unwrap();
    file.sync_data().unwrap();
    let bytes = vec![7; ROW_BYTES * batch as usize];
    let mut at = 0;
    measure("floor", path, batch, time, || {
        file.write_at(at, &bytes).unwrap();
        file.sync_data().unwrap();
        at = (at + bytes.len() as u64) % (len as u64 - (1 << 20));
    });
}

fn row(id: u64, len: usize) -> Vec<u8> {
    let mut row = id.to_le_bytes().to_vec();
    row.extend_from_slice(&(len as u32 - 12).to_le_bytes());
    row.resize(len, b'x');
    row
}

fn opened(folder: &Path, audit: bool) -> Opened {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let options = Options {
        audit,
        ..Options::default()
    };
    let mut opened = open(disk, folder, 0, 1, options).unwrap();
    let column = |name: &str, ty| ColumnDef {
        name: name.to_owned(),
        ty,
    };
    let table = TableDef {
        name: "item".to_owned(),
        columns: vec![column("id", Type::U64), column("text", Type::String)],
        primary_key: vec![0],
        indexes: Vec::new(),
        auto_increment: None,
        public: true,
    };
    let schema = Schema {
        tables: vec![table],
        ..Schema::default()
    };
    let installed = opened.database.schema();
    let schema = installed.evolve(schema, [0; 32], false).unwrap();
    opened.database.install(Arc::clone(&schema)).unwrap();
    let publish = PublishRecord {
        time: 0,
        caller: Identity([0; 32]),
        schema: &schema,
        clear_data: false,
    };
    let none = ChangeSet::new();
    opened.log.append_publish(&publish, &opened.database, &none);
    opened.log.flush_inline(&mut opened.writer).unwrap();
    opened
}

const RECORD: TransactionRecord<'static> = TransactionRecord {
    time: 1,
    caller: Identity([1; 32]),
    connection: ConnectionId([2; 16]),
    reducer: "add",
    args: &[0; 24],
    seed: [3; 32],
};

/// The log alone: the rows are not put into a table, as they are not by the others' floor.
fn syncline(engine: &str, folder: &Path, audit: bool, batch: u64, time: Duration) {
    let mut opened = opened(folder, audit);
    let mut changes = ChangeSet::new();
    changes.push(TableId::FIRST_USER, None, Some(&row(1, ROW_BYTES)));
    measure(engine, folder, batch, time, || {
        for _ in 0..batch {
            opened.log.append(&RECORD, &opened.database, &changes);
        }
        opened.log.flush_inline(&mut opened.writer).unwrap();
    });
}

fn sled(folder: &Path, batch: u64, time: Duration) {
    let db = sled::Config::new().path(folder).open().unwrap();
    let mut id = 0u64;
    measure("sled 0.34", folder, batch, time, || {
        for _ in 0..batch {
            id += 1;
            db.insert(id.to_be_bytes(), row(id, ROW_BYTES)).unwrap();
        }
        db.flush().unwrap();
    });
}

/// 100 new rows of 100 bytes a transaction, each a group of its own: bytes of the log for a byte of rows.
fn amplification(folder: &Path) {
    let mut opened = opened(folder, false);
    let (transactions, rows) = (200, 100);
    let start = Instant::now();
    for number in 0..transactions {
        let mut changes = ChangeSet::new();
        for id in 0..rows {
            let row = row(number * rows + id, 100);
            changes.push(TableId::FIRST_USER, None, Some(&row));
        }
        opened.log.append(&RECORD, &opened.database, &changes);
        opened.log.flush_inline(&mut opened.writer).unwrap();
    }
    let seconds = start.elapsed().as_secs_f64();
    drop(opened);
    let ratio = used_bytes(&folder.join("log")) as f64 / (transactions * rows * 100) as f64;
    let rate = transactions as f64 / seconds;
    println!(
        "{{\"work\":\"100 rows of 100 bytes a transaction\",\"engine\":\"syncline\",\"batch\":1,\
         \"records_per_s\":{rate:.0},\"cpu_us_per_record\":0,\"p50_us\":0,\"p99_us\":0,\"rows\":{},\
         \"seconds\":{seconds:.3},\"rss_mb\":{:.1},\"write_amplification\":{ratio:.3}}}",
        transactions * rows,
        rss_mb()
    );
}

/// Bytes of a file, or of all files in a folder, without the zeros at their ends.
fn used_bytes(path: &Path) -> u64 {
    if path.is_dir() {
        let entries = std::fs::read_dir(path).unwrap();
        return entries
            .map(|entry| used_bytes(&entry.unwrap().path()))
            .sum();
    }
    let bytes = std::fs::read(path).unwrap();
    bytes
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |at| at as u64 + 1)
}

/// Runs `step`, which makes `batch` records durable, for a while, and prints what it took.
fn measure(engine: &str, files: &Path, batch: u64, time: Duration, mut step: impl FnMut()) {
    let cpu = cpu_seconds();
    let mut times = Vec::new();
    let start = Instant::now();
    while start.elapsed() < time {
        let before = Instant::now();
        step();
        times.push(before.elapsed());
    }
    let seconds = start.elapsed().as_secs_f64();
    let records = (times.len() as u64 * batch) as f64;
    let cpu = (cpu_seconds() - cpu) * 1e6 / records;
    let amplification = used_bytes(files) as f64 / (records * ROW_BYTES as f64);
    times.sort_unstable();
    let us = |part: usize| times[(times.len() - 1) * part / 100].as_secs_f64() * 1e6;
    println!(
        "{{\"work\":\"append\",\"engine\":\"{engine}\",\"batch\":{batch},\"records_per_s\":{:.0},\
         \"cpu_us_per_record\":{cpu:.3},\"p50_us\":{:.1},\"p99_us\":{:.1},\"rows\":{records:.0},\
         \"seconds\":{seconds:.3},\"rss_mb\":{:.1},\"write_amplification\":{amplification:.2}}}",
        records / seconds,
        us(50),
        us(99),
        rss_mb()
    );
}

/// User and system time of this process.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields = after_name.split_whitespace().skip(11).take(2);
    let ticks: u64 = fields.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    ticks as f64 / 100.0
}

fn number_of(file: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or_default()
}

fn rss_mb() -> f64 {
    number_of("/proc/self/status", "VmRSS:") as f64 / 1024.0
}
