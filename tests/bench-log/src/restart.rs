//! Opening a database after SIGKILL. Filling and opening are processes of their own: the one is killed in the middle of
//! commits, the other starts with nothing in its memory. The files are in the system's cache, as after a crash of
//! the process alone.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use syncline_store::CheckpointProgress;

use crate::engine::syncline::Layout;
use crate::engine::{Engine, PEERS, Syncline, open_peer, title};
use crate::figure::{Figure, Report};
use crate::machine::{cpu_seconds, rss_mb};

/// An id and a number.
const ROW_BYTES: usize = 16;
/// Rows that are made durable together while a folder is filled.
const FILL_BATCH: u64 = 10_000;
/// Opens of one folder; the median counts.
const OPENS: usize = 3;

/// What a process of its own is to do.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Stage {
    /// syncline, or a peer.
    engine: String,
    folder: PathBuf,
    count: u64,
    #[arg(long, default_value_t = 0)]
    indexes: usize,
    /// Take a checkpoint when it is full, before more is written.
    #[arg(long)]
    checkpoint: bool,
}

/// Fills a folder, says so, and goes on writing until it is killed.
pub(crate) fn fill(stage: &Stage) -> Result<()> {
    let mut engine: Box<dyn Engine> = if stage.engine == "syncline" {
        let mut engine = open_syncline(stage)?;
        put_all(&mut engine, stage.count)?;
        if stage.checkpoint {
            let mut writer = engine.checkpoint()?;
            let done = writer.run()?;
            ensure!(matches!(done, CheckpointProgress::Done(_)), "{done:?}");
        }
        Box::new(engine)
    } else {
        let mut engine = open_peer(&stage.engine, &stage.folder)?;
        put_all(&mut *engine, stage.count)?;
        engine
    };
    println!("full");
    go_on(&mut *engine, stage.count)
}

/// Opens a folder and says how long it took, then goes on like [`fill`].
pub(crate) fn open(stage: &Stage) -> Result<()> {
    let (cpu, start) = (cpu_seconds(), Instant::now());
    let is_ours = stage.engine == "syncline";
    let (mut engine, replayed): (Box<dyn Engine>, u64) = if is_ours {
        let engine = open_syncline(stage)?;
        let replayed = engine.report.record_count;
        (Box::new(engine), replayed)
    } else {
        (open_peer(&stage.engine, &stage.folder)?, 0)
    };
    let opened = start.elapsed();
    let rows = engine.count()?;
    let counted = start.elapsed();
    ensure!(rows == stage.count, "{rows} rows of {}", stage.count);
    // A peer leaves its rows on the disk: it has them when it has read them.
    let ready = if is_ours { opened } else { counted };
    let figure = Figure {
        work: String::new(),
        engine: title(&stage.engine).to_owned(),
        batch: replayed,
        records_per_s: rows as f64 / ready.as_secs_f64(),
        cpu_us_per_record: (cpu_seconds() - cpu) * 1e6 / rows as f64,
        p50_us: opened.as_secs_f64() * 1e6,
        p99_us: counted.as_secs_f64() * 1e6,
        rows,
        seconds: ready.as_secs_f64(),
        rss_mb: rss_mb(),
        write_amplification: 0.0,
    };
    println!("{}", serde_json::to_string(&figure)?);
    go_on(&mut *engine, stage.count)
}

fn open_syncline(stage: &Stage) -> Result<Syncline> {
    let layout = Layout {
        indexes: stage.indexes,
        has_numbers: true,
        audit: false,
    };
    Syncline::open(&stage.folder, layout)
}

fn put_all(engine: &mut (impl Engine + ?Sized), count: u64) -> Result<()> {
    let mut first = 0;
    while first < count {
        let next = count.min(first + FILL_BATCH);
        engine.insert(first..next, ROW_BYTES)?;
        first = next;
    }
    Ok(())
}

/// Changes a row now and then, until somebody kills this process.
fn go_on(engine: &mut dyn Engine, count: u64) -> Result<()> {
    let mut id = 1_u64;
    loop {
        id = id.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(7);
        engine.update(&[(id >> 8) % count], ROW_BYTES)?;
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A process that is killed when this is dropped.
struct Victim(Child);

impl Victim {
    /// Starts one and waits for its one line.
    fn start(work: &str, stage: &Stage) -> Result<(Self, String)> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(work).arg(&stage.engine).arg(&stage.folder);
        command.arg(stage.count.to_string());
        command.arg(format!("--indexes={}", stage.indexes));
        if stage.checkpoint {
            command.arg("--checkpoint");
        }
        let child = command.stdout(Stdio::piped()).spawn()?;
        let mut victim = Self(child);
        let out = victim.0.stdout.take().context("it is piped")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        ensure!(!line.is_empty(), "{work} {} has failed", stage.engine);
        // Killed in the middle of its commits, not before the first of them.
        std::thread::sleep(Duration::from_millis(50));
        Ok((victim, line))
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // SIGKILL. It may be gone by itself, after an error that it has printed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Fills a folder, then kills and opens it some times; the median open.
fn measure(stage: &Stage, work: &str) -> Result<Figure> {
    drop(Victim::start("fill", stage)?);
    let mut opens = Vec::new();
    for _ in 0..OPENS {
        let (victim, line) = Victim::start("open", stage)?;
        drop(victim);
        opens.push(serde_json::from_str::<Figure>(&line).context("what an open says")?);
    }
    std::fs::remove_dir_all(&stage.folder)?;
    opens.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let mut median = opens.swap_remove(OPENS / 2);
    work.clone_into(&mut median.work);
    Ok(median)
}

/// `cargo xtask bench restart`.
pub(crate) fn run(folder: &Path, counts: &[u64], report: &mut Report) -> Result<()> {
    for &count in counts {
        for (indexes, checkpoint) in [(0, false), (0, true), (2, false), (2, true)] {
            let stage = Stage {
                engine: "syncline".to_owned(),
                folder: folder.join("syncline"),
                count,
                indexes,
                checkpoint,
            };
            let from = if checkpoint {
                "a checkpoint"
            } else {
                "the log"
            };
            let keys = match indexes {
                0 => "primary key",
                _ => "primary key, 2 indexes",
            };
            let mut figure = measure(&stage, &format!("restart from {from}, {keys}"))?;
            let replayed = std::mem::take(&mut figure.batch);
            if checkpoint {
                ensure!(replayed < count / 10, "{replayed} records after it");
            } else {
                ensure!(replayed > count, "{replayed} records in the log");
            }
            report.print(&figure);
            bars(&figure, count, indexes, checkpoint, report);
        }
        for name in PEERS {
            let stage = Stage {
                engine: name.to_owned(),
                folder: folder.join(name),
                count,
                indexes: 0,
                checkpoint: false,
            };
            let figure = measure(&stage, "restart, all rows read")?;
            let open = Figure {
                work: "restart, opened alone".to_owned(),
                seconds: figure.p50_us / 1e6,
                records_per_s: 0.0,
                cpu_us_per_record: 0.0,
                p50_us: 0.0,
                p99_us: 0.0,
                ..figure.clone()
            };
            report.print(&open);
            report.print(&figure);
        }
    }
    Ok(())
}

fn bars(figure: &Figure, count: u64, indexes: usize, checkpoint: bool, report: &mut Report) {
    if indexes == 0 && !checkpoint {
        let what = format!("replay of {count} rows, million records/s");
        report.at_least(&what, figure.records_per_s / 1e6, 3.0);
    }
    if count == 1_000_000 && indexes == 0 {
        let what = format!("1 M rows ready, seconds, {}", figure.work);
        report.at_most(&what, figure.seconds, 0.4);
    }
}
