//! Every bar that a running server can be held to: figure, bar, PASS or FAIL.

use std::time::Duration;

use anyhow::Result;

use crate::check::{abuse, kill, soak};
use crate::load::floor::lone_sync;
use crate::load::histogram;
use crate::work::{self, BankServer, Bench};

/// Interleaved pairs of which the median counts.
const PAIRS: usize = 5;
const SOAK_SECONDS: f64 = 600.0;

/// What came of one bar.
struct Verdict {
    figure: String,
    passed: bool,
}

struct Bar {
    name: &'static str,
    limit: &'static str,
    measure: fn(&mut Bench) -> Result<Verdict>,
}

const BARS: &[Bar] = &[
    Bar {
        name: "transfer 64x40 confirmed",
        limit: "server CPU <= 5 us per transaction, p99 <= 20 ms",
        measure: transfer,
    },
    Bar {
        name: "transfer 1x1 confirmed",
        limit: "p50 <= lone write + fdatasync + 200 us",
        measure: lone_transfer,
    },
    Bar {
        name: "fan-out to 1000, one at a time",
        limit: "server CPU per delivery <= 1.5 x floor",
        measure: fan_out,
    },
    Bar {
        name: "unrelated commit, 100 k subscriptions",
        limit: "<= 200 ns + 5 % over none (median of 5 interleaved pairs)",
        measure: unrelated,
    },
    Bar {
        name: "idle connection",
        limit: "<= 12 kB (10 k, half subscribed)",
        measure: idle,
    },
    Bar {
        name: "kill -9, 20 times",
        limit: "acknowledged once, none half",
        measure: killed,
    },
    Bar {
        name: "abuse",
        limit: "typed errors, others' p99 <= 2 x baseline + 1 s",
        measure: abused,
    },
    Bar {
        name: "soak, 10 minutes",
        limit: "memory flat",
        measure: soaked,
    },
];

/// Measures them, those whose names contain `filter`. Whether all passed.
pub(crate) fn run(bench: &mut Bench, filter: Option<&str>) -> bool {
    let wanted = |bar: &&Bar| filter.is_none_or(|filter| bar.name.contains(filter));
    let mut all_passed = true;
    for bar in BARS.iter().filter(wanted) {
        let (figure, passed) = match (bar.measure)(bench) {
            Ok(verdict) => (verdict.figure, verdict.passed),
            Err(error) => (format!("{error:#}"), false),
        };
        all_passed &= passed;
        let word = if passed { "PASS" } else { "FAIL" };
        println!(
            "{word}  {}\n      figure  {figure}\n      bar     {}",
            bar.name, bar.limit
        );
    }
    all_passed
}

fn transfer(bench: &mut Bench) -> Result<Verdict> {
    let bank = BankServer::start(bench)?;
    let outcome = work::run_transfer(bench, &bank, work::WIDE, true);
    let run = work::Latencies::of(&bank.finish(outcome)?);
    Ok(Verdict {
        figure: format!(
            "{:.2} us, p99 {:.2} ms, {:.0} transactions/s",
            run.cpu_us_per_op,
            run.p99_us / 1000.0,
            run.ops_per_s
        ),
        passed: run.cpu_us_per_op <= 5.0 && run.p99_us <= 20_000.0,
    })
}

/// Transfers and bare syncs by turns: a disk has its moods.
fn lone_transfer(bench: &mut Bench) -> Result<Verdict> {
    const TURNS: u32 = 4;
    let bank = BankServer::start(bench)?;
    let (seconds, mut calls, mut syncs) = (bench.seconds, histogram(), histogram());
    bench.seconds /= f64::from(TURNS);
    let outcome = (0..TURNS).try_for_each(|_| {
        syncs.add(lone_sync(bank.folder(), bench.seconds)?)?;
        calls.add(work::run_transfer(bench, &bank, work::LONE, true)?.latency)?;
        Ok(())
    });
    bench.seconds = seconds;
    bank.finish(outcome)?;
    let [call_us, sync_us] =
        [calls, syncs].map(|histogram| histogram.value_at_quantile(0.5) as f64 / 1000.0);
    Ok(Verdict {
        figure: format!("p50 {call_us:.0} us, sync {sync_us:.0} us"),
        passed: call_us <= sync_us + 200.0,
    })
}

fn fan_out(bench: &mut Bench) -> Result<Verdict> {
    let figure = work::deliveries(bench, 1000, 1)?;
    let server = figure.server_cpu_us_per_op.unwrap_or(f64::INFINITY);
    let floor = figure.floor_cpu_us_per_op.unwrap_or_default();
    Ok(Verdict {
        figure: format!(
            "{server:.2} us, floor {floor:.2} us: {:.2} x",
            server / floor
        ),
        passed: server <= 1.5 * floor,
    })
}

fn unrelated(bench: &mut Bench) -> Result<Verdict> {
    let pairs = work::unrelated_pairs(bench, PAIRS)?;
    let mut over: Vec<f64> = pairs
        .iter()
        .map(|(without, with)| with - (without * 1.05 + 0.2))
        .collect();
    over.sort_by(f64::total_cmp);
    let text: Vec<_> = pairs
        .iter()
        .map(|(a, b)| format!("{a:.3}/{b:.3}"))
        .collect();
    let median = over[over.len() / 2];
    Ok(Verdict {
        figure: format!(
            "{} us without/with, median {median:+.3} us over the bar",
            text.join(" ")
        ),
        passed: median <= 0.0,
    })
}

fn idle(bench: &mut Bench) -> Result<Verdict> {
    let bytes = work::connections(bench)?
        .bytes_per_connection
        .unwrap_or(u64::MAX);
    Ok(Verdict {
        figure: format!("{bytes} B"),
        passed: bytes <= 12_000,
    })
}

fn killed(bench: &mut Bench) -> Result<Verdict> {
    // It fails by itself if anything is lost, doubled or half there.
    let outcome = kill::run(bench, kill::ROUNDS)?;
    Ok(Verdict {
        figure: outcome.to_string(),
        passed: true,
    })
}

fn abused(bench: &mut Bench) -> Result<Verdict> {
    let outcomes = abuse::run(bench)?;
    let slow = outcomes
        .iter()
        .filter(|outcome| outcome.p99 > outcome.allowed)
        .count();
    let worst = outcomes
        .iter()
        .map(|outcome| outcome.p99)
        .max()
        .unwrap_or(Duration::ZERO);
    Ok(Verdict {
        figure: format!(
            "{} kinds, {slow} over, worst p99 {worst:.1?}",
            outcomes.len()
        ),
        passed: slow == 0,
    })
}

fn soaked(bench: &mut Bench) -> Result<Verdict> {
    let outcome = soak::run(bench, SOAK_SECONDS)?;
    Ok(Verdict {
        figure: outcome.to_string(),
        passed: outcome.is_flat(),
    })
}
