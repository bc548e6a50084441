//! What a checkpoint costs commits that go on: windows without one and with one take turns.

use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use syncline_store::{CheckpointProgress, CheckpointWriter};

use crate::engine::syncline::Layout;
use crate::engine::{Engine, Sqlite, Syncline, checkpointer, title};
use crate::figure::{Figure, Report, Times};
use crate::machine::{cpu_seconds, device_bytes};

const ROW_BYTES: usize = 64;
const FILL_BATCH: u64 = 10_000;
/// Windows of either kind.
const ROUNDS: u64 = 8;
/// Each commit waits for the disk; one is due this often.
const INTERVAL: Duration = Duration::from_micros(500);
/// Pauses of the server between steps of a checkpoint.
const PAUSE_MIN: Duration = Duration::from_micros(200);

type Beside = JoinHandle<Result<()>>;

/// Writes a checkpoint at the pace of the server: as long at rest as at work.
fn write(mut writer: CheckpointWriter) -> Result<()> {
    loop {
        let step = Instant::now();
        match writer.run_once()? {
            CheckpointProgress::Working { .. } => {
                std::thread::sleep(step.elapsed().max(PAUSE_MIN));
            }
            CheckpointProgress::Waiting => std::thread::sleep(Duration::from_millis(5)),
            CheckpointProgress::Done(_) => return Ok(()),
        }
    }
}

/// Windows of one kind.
#[derive(Default)]
struct Windows {
    times: Times,
    seconds: f64,
    cpu: f64,
    device: u64,
}

impl Windows {
    /// Commits of two updates until the work beside is over, or for as long as the last such work took.
    fn run(
        &mut self,
        engine: &mut dyn Engine,
        rows: u64,
        beside: Option<Beside>,
        time: Duration,
    ) -> Result<Duration> {
        let (cpu, device, start) = (cpu_seconds(), device_bytes(), Instant::now());
        let (mut id, mut number) = (self.times.len() as u64, 0);
        let is_going = |beside: &Option<Beside>| match beside {
            Some(beside) => !beside.is_finished(),
            None => start.elapsed() < time,
        };
        while is_going(&beside) {
            let due = start + INTERVAL * number;
            number += 1;
            while Instant::now() < due {
                std::thread::sleep(due - Instant::now().min(due));
            }
            let before = Instant::now();
            id = id.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(7);
            let at = (id >> 3) % rows;
            engine.update(&[at, (at + rows / 2) % rows], ROW_BYTES)?;
            self.times.push(before.elapsed());
        }
        let took = start.elapsed();
        if let Some(beside) = beside {
            beside.join().map_err(|_| anyhow!("it panicked"))??;
        }
        self.seconds += took.as_secs_f64();
        self.cpu += cpu_seconds() - cpu;
        self.device += device_bytes() - device;
        Ok(took)
    }

    fn figure(&self, work: &str, engine: &str, rows: u64) -> Figure {
        let commits = self.times.len() as f64;
        Figure {
            work: work.to_owned(),
            engine: engine.to_owned(),
            batch: 1,
            records_per_s: commits / self.seconds,
            cpu_us_per_record: self.cpu * 1e6 / commits,
            p50_us: self.times.us(50),
            p99_us: self.times.us(99),
            rows,
            seconds: self.seconds,
            rss_mb: 0.0,
            write_amplification: self.device as f64 / (commits * 2.0 * ROW_BYTES as f64),
        }
    }
}

fn fill(engine: &mut impl Engine, rows: u64) -> Result<()> {
    for first in (0..rows).step_by(FILL_BATCH as usize) {
        engine.insert(first..rows.min(first + FILL_BATCH), ROW_BYTES)?;
    }
    Ok(())
}

/// Prints both kinds of windows; their p99 with, divided by that without.
fn windows<E: Engine>(
    engine: &mut E,
    name: &str,
    rows: u64,
    beside: impl Fn(&mut E) -> Result<Beside>,
    report: &mut Report,
) -> Result<f64> {
    let (mut without, mut with) = (Windows::default(), Windows::default());
    let mut time = Duration::from_millis(500);
    for _ in 0..ROUNDS {
        without.run(engine, rows, None, time)?;
        let beside = beside(engine)?;
        let took = with.run(engine, rows, Some(beside), time)?;
        time = took.max(Duration::from_millis(200));
    }
    let figures = [
        without.figure("commits without a checkpoint", name, rows),
        with.figure("commits during a checkpoint", name, rows),
    ];
    for figure in &figures {
        report.print(figure);
    }
    Ok(figures[1].p99_us / figures[0].p99_us)
}

/// `cargo xtask bench checkpoint`.
pub(crate) fn run(folder: &Path, rows: u64, report: &mut Report) -> Result<()> {
    let name = title("syncline");
    let mut engine = Syncline::open(&folder.join("syncline"), Layout::default())?.with_thread();
    fill(&mut engine, rows)?;
    alone(&mut engine, rows, report)?;
    let beside = |engine: &mut Syncline| {
        let writer = engine.checkpoint()?;
        Ok(std::thread::spawn(move || write(writer)))
    };
    let ratio = windows(&mut engine, name, rows, beside, report)?;
    report.at_most("p99 of commits, with / without a checkpoint", ratio, 2.0);
    drop(engine);

    let folder = folder.join("sqlite");
    let mut engine = Sqlite::open(&folder)?;
    fill(&mut engine, rows)?;
    engine.stop_checkpoints()?;
    let beside = |_: &mut Sqlite| Ok(std::thread::spawn(checkpointer(&folder)));
    windows(&mut engine, title("sqlite"), rows, beside, report)?;
    Ok(())
}

/// One checkpoint with nothing beside it, as fast as it goes.
fn alone(engine: &mut Syncline, rows: u64, report: &mut Report) -> Result<()> {
    let (cpu, device, start) = (cpu_seconds(), device_bytes(), Instant::now());
    let mut writer = engine.checkpoint()?;
    let begun = start.elapsed();
    writer.run()?;
    let seconds = start.elapsed().as_secs_f64();
    report.print(&Figure {
        work: "checkpoint, nothing beside it (p50: its begin)".to_owned(),
        engine: title("syncline").to_owned(),
        batch: 0,
        records_per_s: rows as f64 / seconds,
        cpu_us_per_record: (cpu_seconds() - cpu) * 1e6 / rows as f64,
        p50_us: begun.as_secs_f64() * 1e6,
        p99_us: 0.0,
        rows,
        seconds,
        rss_mb: 0.0,
        write_amplification: (device_bytes() - device) as f64 / (rows * ROW_BYTES as u64) as f64,
    });
    Ok(())
}
