//! What a checkpoint costs commits that go on: windows without one and with one take turns.

use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use syncline_store::{CheckpointProgress, CheckpointWriter};

use crate::engine::syncline::Layout;
use crate::engine::{Engine, Sqlite, Syncline, checkpointer, title};
use crate::figure::{Figure, Report, Times};
use crate::machine::{Device, cpu_seconds};

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
    /// p99 of each window.
    p99s: Vec<f64>,
    seconds: f64,
    cpu: f64,
    written: u64,
}

impl Windows {
    /// Commits of two updates until the work beside is over, or for as long as the last such work took.
    fn run(
        &mut self,
        engine: &mut dyn Engine,
        rows: u64,
        beside: Option<Beside>,
        time: Duration,
        device: &Device,
    ) -> Result<Duration> {
        let (cpu, written, start) = (cpu_seconds(), device.bytes(), Instant::now());
        let before = self.times.len();
        let (mut id, mut number) = (before as u64, 0);
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
            let begun = Instant::now();
            id = id.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(7);
            let at = (id >> 3) % rows;
            engine.update(&[at, (at + rows / 2) % rows], ROW_BYTES)?;
            self.times.push(begun.elapsed());
        }
        let took = start.elapsed();
        self.p99s.push(self.times.us_from(before, 99));
        if let Some(beside) = beside {
            beside.join().map_err(|_| anyhow!("it panicked"))??;
        }
        self.seconds += took.as_secs_f64();
        self.cpu += cpu_seconds() - cpu;
        self.written += device.bytes() - written;
        Ok(took)
    }

    /// That of the window in the middle: one in which somebody else had the machine says nothing.
    fn median_p99(&self) -> f64 {
        let mut sorted = self.p99s.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or_default()
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
            write_amplification: self.written as f64 / (commits * 2.0 * ROW_BYTES as f64),
        }
    }
}

fn fill(engine: &mut impl Engine, rows: u64) -> Result<()> {
    for first in (0..rows).step_by(FILL_BATCH as usize) {
        engine.insert(first..rows.min(first + FILL_BATCH), ROW_BYTES)?;
    }
    Ok(())
}

/// Prints both kinds of windows; returns the p99 of a window with, divided by that of one without.
fn windows<E: Engine>(
    engine: &mut E,
    name: &str,
    rows: u64,
    beside: impl Fn(&mut E) -> Result<Beside>,
    device: &Device,
    report: &mut Report,
) -> Result<f64> {
    let (mut without, mut with) = (Windows::default(), Windows::default());
    let mut time = Duration::from_millis(500);
    for _ in 0..ROUNDS {
        without.run(engine, rows, None, time, device)?;
        let beside = beside(engine)?;
        let took = with.run(engine, rows, Some(beside), time, device)?;
        time = took.max(Duration::from_millis(200));
    }
    let figures = [
        without.figure("commits without a checkpoint", name, rows),
        with.figure("commits during a checkpoint", name, rows),
    ];
    for figure in &figures {
        report.print(figure);
    }
    Ok(with.median_p99() / without.median_p99())
}

/// `cargo xtask bench checkpoint`.
pub(crate) fn run(folder: &Path, rows: u64, report: &mut Report) -> Result<()> {
    let (name, device) = (title("syncline"), Device::of(folder)?);
    let mut engine = Syncline::open(&folder.join("syncline"), Layout::default())?.with_thread();
    fill(&mut engine, rows)?;
    alone(&mut engine, rows, &device, report)?;
    let beside = |engine: &mut Syncline| {
        let writer = engine.checkpoint()?;
        Ok(std::thread::spawn(move || write(writer)))
    };
    let ratio = windows(&mut engine, name, rows, beside, &device, report)?;
    report.at_most(
        "p99 of commits, with / without a checkpoint (median of windows)",
        ratio,
        2.0,
    );
    drop(engine);

    let folder = folder.join("sqlite");
    let mut engine = Sqlite::open(&folder)?;
    fill(&mut engine, rows)?;
    engine.stop_checkpoints()?;
    let beside = |_: &mut Sqlite| Ok(std::thread::spawn(checkpointer(&folder)));
    windows(&mut engine, title("sqlite"), rows, beside, &device, report)?;
    Ok(())
}

/// One checkpoint with nothing beside it, as fast as it goes.
fn alone(engine: &mut Syncline, rows: u64, device: &Device, report: &mut Report) -> Result<()> {
    let (cpu, written, start) = (cpu_seconds(), device.bytes(), Instant::now());
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
        write_amplification: (device.bytes() - written) as f64 / (rows * ROW_BYTES as u64) as f64,
    });
    Ok(())
}
