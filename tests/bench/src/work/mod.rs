//! The works: what is measured, and how each checks its own result.

mod fan_out;
mod idle;
mod requests;
mod subscriptions;

use std::path::Path;

use anyhow::{Context, Result, bail};
use hdrhistogram::Histogram;

use crate::bank::Bank;
use crate::clock::{ProcessClock, filesystem, refuse_memory};
use crate::load::floor::lone_sync;
use crate::load::{Gate, Pumped, Traffic, Window, histogram, measure, pump};
use crate::report::{Report, note};
use crate::server::{Server, Site};
use crate::socket::Lane;

pub(crate) use fan_out::{deliveries, floor as fan_out_floor, run as fan_out};
pub(crate) use idle::{connections, run as idle};
pub(crate) use requests::{
    LONE, WIDE, empty, floor as request_floor, round_trip, run_transfer, transfer,
};
pub(crate) use subscriptions::{run as many_subscriptions, unrelated_pairs};

/// What all works need.
pub(crate) struct Bench {
    pub(crate) site: Site,
    /// Measured time of each figure.
    pub(crate) seconds: f64,
    /// Threads of the generator.
    pub(crate) workers: usize,
    pub(crate) report: Report,
}

/// Names the filesystem of a data folder and refuses one that forgets.
pub(crate) fn check_disk(data: &Path) -> Result<()> {
    let filesystem = filesystem(data)?;
    note(&format!("data folder on {filesystem}"));
    refuse_memory(&filesystem)
}

/// A server with the bank published and filled, in a fresh folder.
pub(crate) struct BankServer {
    pub(crate) server: Server,
    pub(crate) bank: Bank,
    folder: tempfile::TempDir,
}

impl BankServer {
    /// Starts, publishes, opens accounts.
    pub(crate) fn start(bench: &Bench) -> Result<Self> {
        let folder = bench.site.folder()?;
        check_disk(folder.path())?;
        let server = Server::start(&bench.site, folder.path())?;
        server.publish(Bank::MODULE)?;
        let bank = Bank::open(&server.target(Bank::MODULE, true))?;
        Ok(Self {
            server,
            bank,
            folder,
        })
    }

    /// The data folder's parent: on the disk that the log is on.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Stops the server and adds its last words to an error.
    pub(crate) fn finish<T>(self, outcome: Result<T>) -> Result<T> {
        match outcome {
            Ok(value) => {
                self.server.stop()?;
                Ok(value)
            }
            Err(error) => {
                let words = self.server.last_words();
                Err(error.context(format!("the server's log ends with\n{words}")))
            }
        }
    }
}

/// What a group of pumps did together.
pub(crate) struct Run {
    pub(crate) window: Window,
    pub(crate) latency: Histogram<u64>,
    pub(crate) pumped: Vec<Pumped>,
}

impl Run {
    /// Requests that were answered, from the first to the last.
    pub(crate) fn answered(&self) -> u64 {
        self.pumped
            .iter()
            .flat_map(|pumped| &pumped.answered)
            .map(|count| u64::from(*count))
            .sum()
    }
}

/// Spreads lanes over the workers and measures them.
pub(crate) fn run_pumps<T: Traffic>(
    lanes: Vec<Lane>,
    in_flight: usize,
    workers: usize,
    mut traffic: impl FnMut() -> Result<T>,
    process: ProcessClock,
    seconds: f64,
) -> Result<Run> {
    let mut groups: Vec<Vec<Lane>> = (0..workers.clamp(1, lanes.len()))
        .map(|_| Vec::new())
        .collect();
    let group_count = groups.len();
    for (position, lane) in lanes.into_iter().enumerate() {
        groups[position % group_count].push(lane);
    }
    let groups = groups.into_iter().map(|group| Ok((group, traffic()?)));
    let groups = groups.collect::<Result<Vec<_>>>()?;
    let gate = Gate::default();
    std::thread::scope(|scope| {
        let pumps: Vec<_> = groups
            .into_iter()
            .map(|(lanes, traffic)| scope.spawn(|| pump(lanes, in_flight, traffic, &gate)))
            .collect();
        let window = measure(&gate, process, seconds);
        let mut latency = histogram();
        let mut pumped = Vec::new();
        for pump in pumps {
            let Ok(outcome) = pump.join() else {
                bail!("a pump panicked")
            };
            let outcome = outcome.context("a pump failed")?;
            latency.add(&outcome.latency)?;
            pumped.push(outcome);
        }
        let refused: u64 = pumped.iter().map(|pumped| pumped.refused).sum();
        if refused > 0 {
            note(&format!(
                "{refused} calls were refused because the disk was behind, and sent again"
            ));
        }
        Ok(Run {
            window: window?,
            latency,
            pumped,
        })
    })
}

/// What a bar looks at.
pub(crate) struct Latencies {
    pub(crate) p99_us: f64,
    pub(crate) cpu_us_per_op: f64,
    pub(crate) ops_per_s: f64,
}

impl Latencies {
    /// Of a run.
    pub(crate) fn of(run: &Run) -> Self {
        Self {
            p99_us: run.latency.value_at_quantile(0.99) as f64 / 1000.0,
            cpu_us_per_op: run.window.cpu_us_per_op(),
            ops_per_s: run.window.ops_per_s(),
        }
    }
}

/// What the sockets alone cost, without a server.
pub(crate) fn floors(bench: &mut Bench) -> Result<()> {
    const BYTES: usize = 60;
    for shape in [WIDE, LONE] {
        let window = request_floor(bench, shape, BYTES)?;
        let text = format!("echo {}x{}", shape.connections, shape.in_flight);
        note(&format!(
            "{text:<24} {:>8.3} us CPU {:>12.0} ops/s",
            window.cpu_us_per_op(),
            window.ops_per_s()
        ));
    }
    for (subscribers, in_flight) in [(100, 1), (1000, 1), (1000, 40)] {
        let window = fan_out_floor(subscribers, in_flight, 100, bench.seconds)?;
        let text = format!("fan-out to {subscribers}, {in_flight} in flight");
        note(&format!(
            "{text:<32} {:>8.3} us CPU {:>12.0} deliveries/s",
            window.cpu_us_per_op(),
            window.ops_per_s()
        ));
    }
    std::fs::create_dir_all(&bench.site.data)?;
    let sync = lone_sync(&bench.site.data, bench.seconds)?;
    note(&format!(
        "lone write + fdatasync on {}: p50 {:.0} us, p99 {:.0} us",
        filesystem(&bench.site.data)?,
        sync.value_at_quantile(0.5) as f64 / 1000.0,
        sync.value_at_quantile(0.99) as f64 / 1000.0
    ));
    Ok(())
}
