//! Records made durable in groups of 1 to 1000, and what the log is larger than the rows.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::engine::syncline::Layout;
use crate::engine::{Engine, Floor, PEERS, Syncline, open_peer, title};
use crate::figure::{Figure, Report, Times};
use crate::machine::{Device, cpu_seconds, used_bytes};

const ROW_BYTES: usize = 64;
const BATCHES: [u64; 4] = [1, 10, 100, 1000];
/// Each engine gets its time in so many windows, which take turns.
const ROUNDS: u32 = 10;

const FLOOR: &str = "write + fdatasync";
const THREAD: &str = "syncline";
const AUDIT: &str = "syncline, audit";
const INLINE: &str = "syncline, same thread";

/// An engine and what it has done so far.
struct Contender {
    name: &'static str,
    engine: Box<dyn Engine>,
    next: u64,
    times: Times,
    seconds: f64,
    cpu: f64,
    written: u64,
}

impl Contender {
    fn new(name: &'static str, engine: Box<dyn Engine>) -> Self {
        Self {
            name,
            engine,
            next: 0,
            times: Times::default(),
            seconds: 0.0,
            cpu: 0.0,
            written: 0,
        }
    }

    fn window(&mut self, batch: u64, time: Duration, device: &Device) -> Result<()> {
        let (cpu, written, start) = (cpu_seconds(), device.bytes(), Instant::now());
        while start.elapsed() < time {
            let before = Instant::now();
            let ids = self.next..self.next + batch;
            self.engine.insert(ids, ROW_BYTES)?;
            self.times.push(before.elapsed());
            self.next += batch;
        }
        self.seconds += start.elapsed().as_secs_f64();
        self.cpu += cpu_seconds() - cpu;
        self.written += device.bytes() - written;
        Ok(())
    }

    fn figure(&self, batch: u64) -> Figure {
        let records = self.next as f64;
        Figure {
            work: "log".to_owned(),
            engine: self.name.to_owned(),
            batch,
            records_per_s: records / self.seconds,
            cpu_us_per_record: self.cpu * 1e6 / records,
            p50_us: self.times.us(50),
            p99_us: self.times.us(99),
            rows: self.next,
            seconds: self.seconds,
            rss_mb: 0.0,
            write_amplification: self.written as f64 / (records * ROW_BYTES as f64),
        }
    }
}

fn contenders(folder: &Path) -> Result<Vec<Contender>> {
    std::fs::create_dir_all(folder)?;
    let audit = Layout {
        audit: true,
        ..Layout::default()
    };
    let ours = |name: &str, layout| Syncline::open(&folder.join(name), layout);
    let mut list = vec![
        Contender::new(FLOOR, Box::new(Floor::create(&folder.join("floor"))?)),
        Contender::new(
            THREAD,
            Box::new(ours("thread", Layout::default())?.with_thread()),
        ),
        Contender::new(AUDIT, Box::new(ours("audit", audit)?.with_thread())),
        Contender::new(INLINE, Box::new(ours("inline", Layout::default())?)),
    ];
    for name in PEERS {
        let engine = open_peer(name, &folder.join(name))?;
        list.push(Contender::new(title(name), engine));
    }
    Ok(list)
}

/// `cargo xtask bench log`.
pub(crate) fn run(folder: &Path, seconds: f64, report: &mut Report) -> Result<()> {
    let window = Duration::from_secs_f64(seconds / f64::from(ROUNDS));
    let device = Device::of(folder)?;
    for batch in BATCHES {
        let folder = folder.join(batch.to_string());
        let mut list = contenders(&folder)?;
        for _ in 0..ROUNDS {
            for contender in &mut list {
                contender
                    .window(batch, window, &device)
                    .with_context(|| contender.name.to_owned())?;
            }
        }
        for contender in &list {
            report.print(&contender.figure(batch));
        }
        if batch == 1 {
            let p50 = |name| {
                let found = list.iter().find(|contender| contender.name == name);
                found.map_or(f64::NAN, |contender| contender.times.us(50))
            };
            report.at_most(
                "a lone commit / the disk's own write + fdatasync (p50)",
                p50(THREAD) / p50(FLOOR),
                1.3,
            );
        }
        drop(list);
        std::fs::remove_dir_all(&folder)?;
    }
    amplification(&folder.join("amplification"), &device, report)
}

/// 100 new rows of 100 bytes a transaction, each a group of its own.
fn amplification(folder: &Path, device: &Device, report: &mut Report) -> Result<()> {
    let (transactions, rows, row_bytes) = (1000, 100, 100);
    let mut engine = Syncline::open(folder, Layout::default())?;
    let (mut times, written) = (Times::default(), device.bytes());
    let (cpu, start) = (cpu_seconds(), Instant::now());
    for number in 0..transactions {
        let ids: Vec<u64> = (number * rows..(number + 1) * rows).collect();
        let before = Instant::now();
        engine.transact(&ids, row_bytes, true)?;
        engine.settle()?;
        times.push(before.elapsed());
    }
    let seconds = start.elapsed().as_secs_f64();
    let cpu = cpu_seconds() - cpu;
    let written = device.bytes() - written;
    drop(engine);
    let count = (transactions * rows) as f64;
    let bytes = count * row_bytes as f64;
    let log = used_bytes(&folder.join("log"))? as f64 / bytes;
    let figure = |work: &str, write_amplification| Figure {
        work: work.to_owned(),
        engine: INLINE.to_owned(),
        batch: rows,
        records_per_s: count / seconds,
        cpu_us_per_record: cpu * 1e6 / count,
        p50_us: times.us(50),
        p99_us: times.us(99),
        rows: transactions * rows,
        seconds,
        rss_mb: 0.0,
        write_amplification,
    };
    report.print(&figure(
        "100 rows of 100 B a transaction: device bytes",
        written as f64 / bytes,
    ));
    report.print(&figure("100 rows of 100 B a transaction: log bytes", log));
    report.at_most(
        "log bytes / row bytes, 100 rows of 100 B a transaction",
        log,
        1.6,
    );
    Ok(())
}
