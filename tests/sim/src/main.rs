//! `cargo xtask sim`.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use syncline_sim::{Mutant, Plan, Report, Tally, simulate, simulate_many};

/// Simulates a database on a disk that crashes.
#[derive(Parser)]
struct Cli {
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// Stop after so many seconds.
    #[arg(long)]
    seconds: Option<f64>,
    /// Threads, two for each core if not given; each runs seeds of its own.
    #[arg(long)]
    threads: Option<usize>,
    /// Plant a bug: the run must fail.
    #[arg(long)]
    mutant: Option<String>,
    /// Print what happened, line by line (with one seed).
    #[arg(long)]
    trace: bool,
}

fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    let mutant = cli.mutant.as_deref().map(|name| {
        let names = || Mutant::ALL.map(|(name, _)| name).join(", ");
        Mutant::named(name).with_context(|| format!("no mutant {name}; there are {}", names()))
    });
    let plan = Plan {
        mutant: mutant.transpose()?,
        is_traced: cli.trace && cli.seeds == 1,
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let time = cli.seconds.map(Duration::from_secs_f64);
    let start = Instant::now();
    let (count, tally, failed) = if plan.is_traced {
        let report = simulate(cli.seed, plan);
        report.trace.iter().for_each(|line| println!("{line}"));
        let tally = report.tally.clone();
        (1, tally, report.failure.is_some().then_some(report))
    } else {
        let seeds = cli.seed..cli.seed.saturating_add(cli.seeds);
        simulate_many(seeds, plan, cli.threads.unwrap_or(2 * cores), time)
    };
    let seconds = start.elapsed().as_secs_f64();
    if cli.json {
        let report = json(cli.seed, count, seconds, &tally, failed.as_ref());
        println!("{report}");
    } else {
        table(count, seconds, &tally);
    }
    let Some(failed) = failed else {
        return Ok(ExitCode::SUCCESS);
    };
    tell(&failed, plan, cli.mutant.as_deref());
    Ok(ExitCode::FAILURE)
}

/// The failure, its trace, and how to have it again.
fn tell(failed: &Report, plan: Plan, mutant: Option<&str>) {
    let words = failed.failure.as_deref().unwrap_or_default();
    eprintln!("seed {}: {words}", failed.seed);
    if !plan.is_traced {
        let again = simulate(
            failed.seed,
            Plan {
                is_traced: true,
                ..plan
            },
        );
        let from = again.trace.len().saturating_sub(40);
        again.trace[from..]
            .iter()
            .for_each(|line| eprintln!("  {line}"));
        if again.fingerprint != failed.fingerprint {
            eprintln!("the second run was another: something here is not deterministic");
        }
    }
    let mutant = mutant
        .map(|name| format!(" --mutant {name}"))
        .unwrap_or_default();
    eprintln!(
        "replay: cargo xtask sim --seed {} --trace{mutant}",
        failed.seed
    );
}

fn table(count: u64, seconds: f64, tally: &Tally) {
    println!(
        "{count} seeds in {seconds:.1} s, {} crashes",
        tally.crash_count()
    );
    for (name, count) in &tally.counts {
        println!("{count:>10}  {name}");
    }
    let covered = tally.crashes.len();
    println!("{covered} crash points: phase, call and place (power cuts, kills of the process)");
    let mut points = std::collections::BTreeMap::<_, (u64, u64)>::new();
    for ((end, phase, call), count) in &tally.crashes {
        let found = points.entry((*phase, *call)).or_default();
        match end {
            syncline_sim::End::PowerCut => found.0 += count,
            syncline_sim::End::Kill => found.1 += count,
        }
    }
    for ((phase, call), (cuts, kills)) in points {
        let (kind, place) = call.map_or(("between two calls".to_owned(), ""), |(kind, place)| {
            (format!("{kind:?}"), place)
        });
        println!("{cuts:>10} {kills:>7}  {phase:<5} {kind:<18} {place}");
    }
}

fn json(
    first: u64,
    count: u64,
    seconds: f64,
    tally: &Tally,
    failed: Option<&Report>,
) -> serde_json::Value {
    let crashes = tally.crashes.iter().map(|((end, phase, call), count)| {
        let kind = call.map(|(kind, _)| format!("{kind:?}"));
        let place = call.map(|(_, place)| place);
        serde_json::json!({
            "end": format!("{end:?}"), "phase": phase, "call": kind, "place": place, "count": count,
        })
    });
    serde_json::json!({
        "first_seed": first,
        "seeds": count,
        "seconds": seconds,
        "crashes": tally.crash_count(),
        "counts": tally.counts,
        "crash_points": crashes.collect::<Vec<_>>(),
        "failed_seed": failed.map(|report| report.seed),
        "failure": failed.and_then(|report| report.failure.as_deref()),
    })
}
