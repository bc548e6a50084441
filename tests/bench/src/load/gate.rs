//! When it counts: the measuring thread opens and closes, the pumps look.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::clock::ProcessClock;

/// A fresh gate is at 0: the load runs and does not count yet.
const MEASURED: u8 = 1;
const STOPPED: u8 = 2;

/// Shared by one measuring thread and its pumps.
#[derive(Default)]
pub(crate) struct Gate {
    phase: AtomicU8,
    ops: AtomicU64,
    failed: AtomicBool,
}

impl Gate {
    /// Latencies count now.
    pub(crate) fn is_measured(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == MEASURED
    }

    /// No new requests.
    pub(crate) fn is_stopped(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == STOPPED || self.failed.load(Ordering::Relaxed)
    }

    /// Counts operations that are done.
    pub(crate) fn add(&self, ops: u64) {
        self.ops.fetch_add(ops, Ordering::Relaxed);
    }

    /// A pump has failed: the others must not wait.
    pub(crate) fn fail(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }
}

/// What happened while it counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) ops: u64,
    pub(crate) seconds: f64,
    /// User and system time of the server.
    pub(crate) cpu: Duration,
}

impl Window {
    /// Microseconds of CPU for each operation.
    pub(crate) fn cpu_us_per_op(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.ops.max(1) as f64
    }

    /// Throughput.
    pub(crate) fn ops_per_s(&self) -> f64 {
        self.ops as f64 / self.seconds
    }
}

/// Lets the load run warm, measures `seconds` of it, stops it. Call it beside the pumps.
pub(crate) fn measure(gate: &Gate, process: ProcessClock, seconds: f64) -> Result<Window> {
    let window = open(gate, process, seconds);
    gate.phase.store(STOPPED, Ordering::Relaxed);
    let window = window?;
    if window.ops == 0 {
        bail!("nothing was done in {seconds} s");
    }
    Ok(window)
}

fn open(gate: &Gate, process: ProcessClock, seconds: f64) -> Result<Window> {
    wait(gate, (seconds / 3.0).clamp(0.2, 2.0))?;
    let (cpu, ops, start) = (
        process.cpu()?,
        gate.ops.load(Ordering::Relaxed),
        Instant::now(),
    );
    gate.phase.store(MEASURED, Ordering::Relaxed);
    wait(gate, seconds)?;
    let cpu = process.cpu()?.saturating_sub(cpu);
    let ops = gate.ops.load(Ordering::Relaxed) - ops;
    Ok(Window {
        ops,
        seconds: start.elapsed().as_secs_f64(),
        cpu,
    })
}

fn wait(gate: &Gate, seconds: f64) -> Result<()> {
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        if gate.failed.load(Ordering::Relaxed) {
            bail!("the load failed");
        }
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
    Ok(())
}
