//! The oracle: whatever a random query, its parameters, its caller and a random history of transactions are, the
//! rows that the client's cache folds from the deltas are those of a fresh answer, and those are SQLite's.
//!
//! A run is a seed: `cargo xtask fuzz-queries --seed 17` repeats one. One that fails is made smaller and
//! printed, and kept as a file that `--case` plays again.
//!
//! Not compared with SQLite, because it means something else there: integers that overflow 64 bits (it
//! turns to floats), NaN (its NULL), the remainder of floats (it cuts them to integers), casts of text
//! that is no number (0 there, NULL here), case in LIKE and in letters beyond ASCII, division of decimal numbers.
//! For those `execute::tests` of syncline-query says what they are.

mod answer;
mod case;
mod failure;
mod play;
mod query;
mod random;
mod relational;
mod schema;
mod shadow;
mod shrink;
mod sqlite;
mod tally;
mod text;
mod watched;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;

use case::Case;
use failure::Failure;
use play::{play, play_while};
use tally::Tally;

/// A case that takes longer is told of.
const SLOW: Duration = Duration::from_secs(10);

/// Compares random live queries with SQLite.
#[derive(Parser)]
struct Cli {
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Stop when so many live queries were met.
    #[arg(long, default_value_t = 1000)]
    queries: u64,
    /// Stop after so many seconds.
    #[arg(long)]
    seconds: Option<f64>,
    /// Fail if fewer results were compared.
    #[arg(long, default_value_t = 0)]
    comparisons_min: u64,
    /// One JSON object instead of tables.
    #[arg(long)]
    json: bool,
    /// Threads; each runs seeds of its own.
    #[arg(long)]
    threads: Option<usize>,
    /// Play a case that a run has kept.
    #[arg(long)]
    case: Option<PathBuf>,
    /// Where to keep a case that fails.
    #[arg(long, default_value = "failed-case.json")]
    keep: PathBuf,
}

fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    std::panic::set_hook(Box::new(|_| {}));
    let start = Instant::now();
    if let Some(path) = &cli.case {
        let text = std::fs::read_to_string(path)?;
        let case: Case = serde_json::from_str(&text).context("this is no case")?;
        let Err(failure) = play(&case, &mut Tally::default()) else {
            println!("the case passes");
            return Ok(ExitCode::SUCCESS);
        };
        tell(&case, &failure);
        return Ok(ExitCode::FAILURE);
    }
    let (tally, failed) = run(&cli, start);
    let seconds = start.elapsed().as_secs_f64();
    if cli.json {
        let mut json = tally.json(seconds);
        json["failed_seed"] = failed.as_ref().map(|(seed, _)| *seed).into();
        println!("{json}");
    } else {
        tally.print(seconds);
    }
    if let Some((seed, failure)) = failed {
        eprintln!("seed {seed}: {}: {}", failure.kind, failure.words);
        let (case, failure) = shrink::shrink(&Case::random(seed), &failure);
        tell(&case, &failure);
        std::fs::write(&cli.keep, serde_json::to_string(&case)?)?;
        let kept = cli.keep.display();
        eprintln!("replay: cargo xtask fuzz-queries --case {kept}, or --seed {seed} --queries 1");
        return Ok(ExitCode::FAILURE);
    }
    let (count, min) = (tally.compared, cli.comparisons_min);
    ensure!(
        count >= min,
        "{count} results were compared, fewer than {min}"
    );
    Ok(ExitCode::SUCCESS)
}

/// Runs seeds on some threads until there is enough, the time is over or one fails.
fn run(cli: &Cli, start: Instant) -> (Tally, Option<(u64, Failure)>) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let limit = cli.seconds.map(Duration::from_secs_f64);
    let next = AtomicU64::new(cli.seed);
    let queries = AtomicU64::new(0);
    let is_over = AtomicBool::new(false);
    let ended: Mutex<(Tally, Vec<(u64, Failure)>)> = Mutex::default();
    let work = || {
        let mut total = Tally::default();
        let mut failed = None;
        while failed.is_none()
            && !is_over.load(Ordering::Relaxed)
            && queries.load(Ordering::Relaxed) < cli.queries
            && limit.is_none_or(|limit| start.elapsed() < limit)
        {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let mut tally = Tally::default();
            let began = start.elapsed();
            let goes_on = || limit.is_none_or(|limit| start.elapsed() < limit);
            if let Err(failure) = play_while(&Case::random(seed), &mut tally, &goes_on) {
                is_over.store(true, Ordering::Relaxed);
                failed = Some((seed, failure));
            }
            let took = start.elapsed().saturating_sub(began);
            if took > SLOW {
                eprintln!("seed {seed} took {:.1} s", took.as_secs_f64());
            }
            tally.cases = 1;
            queries.fetch_add(tally.queries, Ordering::Relaxed);
            total.add(&tally);
        }
        let mut ended = ended.lock().expect("no thread panics with it");
        ended.0.add(&total);
        ended.1.extend(failed);
    };
    std::thread::scope(|scope| {
        for _ in 0..cli.threads.unwrap_or(cores) {
            scope.spawn(work);
        }
    });
    let (tally, mut failed) = ended.into_inner().expect("no thread panics with it");
    failed.sort_by_key(|(seed, _)| *seed);
    (tally, failed.into_iter().next())
}

/// Prints a case that fails, and how.
fn tell(case: &Case, failure: &Failure) {
    let names = case.names(&[]);
    for def in &case.tables {
        let columns: Vec<String> = def
            .columns
            .iter()
            .map(|column| format!("{} {}", column.name, column.ty))
            .collect();
        eprintln!(
            "{} ({}), key {:?}",
            def.name,
            columns.join(", "),
            def.primary_key
        );
        for index in &def.indexes {
            let unique = if index.unique { ", unique" } else { "" };
            eprintln!("  index {:?} {:?}{unique}", index.kind, index.columns);
        }
    }
    for (def, policy) in case.tables.iter().zip(&case.policies) {
        if let Some(policy) = policy {
            eprintln!("policy of {}: {}", def.name, policy.ours(&names));
        }
    }
    for step in &case.steps {
        eprintln!("{}", step.words(case));
    }
    let step = failure.step + 1;
    eprintln!("step {step}: {}: {}", failure.kind, failure.words);
}
