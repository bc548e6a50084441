//! Seeds that must hold, seeds that failed once, and bugs that must be found. More of the first:
//! `cargo xtask sim --seeds 100000`.

use std::time::Duration;

use syncline_sim::{Mutant, Plan, simulate, simulate_many};
use syncline_store::disk::CallKind;

/// A planted bug is found within so many seeds.
const MUTANT_SEEDS: u64 = 200;
/// So many seeds meet everything that the simulation is about.
const SEEDS_MIN: u64 = 100;
/// Seeds that failed once, one a line, with a word on why.
const REGRESSIONS: &str = include_str!("../regressions.txt");

/// `SIM_SEEDS` says how many; it takes no longer than `SIM_SECONDS`.
fn number_from(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

/// Two for each core: those of one seed hand over to each other, and wait meanwhile.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| 2 * cores.get())
}

#[test]
fn nothing_acknowledged_is_lost() {
    let seeds = number_from("SIM_SEEDS", SEEDS_MIN);
    let time = Duration::from_secs(number_from("SIM_SECONDS", 150));
    let (count, tally, failed) = simulate_many(0..seeds, Plan::default(), threads(), Some(time));
    if let Some(failed) = failed {
        let words = failed.failure.unwrap_or_default();
        panic!(
            "seed {}: {words}\nreplay: cargo xtask sim --seed {0} --trace",
            failed.seed
        );
    }
    assert!(
        tally.crash_count() >= 3 * count,
        "{} crashes",
        tally.crash_count()
    );
    // The run meets what it is about, unless it was asked for less than that takes.
    if seeds < SEEDS_MIN {
        println!("{count} seeds are too few to meet everything");
        return;
    }
    assert!(
        count >= SEEDS_MIN,
        "only {count} seeds in {time:?}: nothing is said by that; raise SIM_SECONDS"
    );
    for name in [
        "checkpoints taken",
        "committed",
        "data cleared",
        "disk full",
        "disk slow",
        "flips in a checkpoint passed over",
        "flips refused, the file named",
        "log failed",
        "lost unconfirmed",
        "opens from a checkpoint",
        "opens that failed",
        "opens with a torn tail",
        "opens with an unproven tail",
        "publishes",
        "salvaged",
        "segments retired",
        "stale connections",
        "told durable",
    ] {
        assert!(tally.of(name) > 0, "no {name} in {count} seeds");
    }
    for kind in CallKind::ALL {
        assert!(
            tally.crashes_at(kind) > 0,
            "no crash at a {kind:?} in {count} seeds"
        );
    }
}

#[test]
fn seeds_that_failed_once_hold() {
    let lines = REGRESSIONS.lines().filter(|line| !line.starts_with('#'));
    for line in lines.filter(|line| !line.trim().is_empty()) {
        let number = line.split_whitespace().next().expect("it is not empty");
        let seed = number.parse().expect("a seed");
        assert_eq!(simulate(seed, Plan::default()).failure, None, "{line}");
    }
}

#[test]
fn a_seed_says_everything_that_happens() {
    let run = |seed| {
        let plan = Plan {
            is_traced: true,
            ..Plan::default()
        };
        let report = simulate(seed, plan);
        (report.fingerprint, report.trace)
    };
    for seed in 0..5 {
        let (first, second) = (run(seed), run(seed));
        assert_eq!(first, second, "seed {seed}");
        assert_ne!(first, run(seed + 1), "two seeds do the same");
    }
}

#[test]
fn planted_bugs_are_found() {
    for (name, mutant) in Mutant::ALL {
        let plan = Plan {
            mutant: Some(mutant),
            ..Plan::default()
        };
        let (_, _, failed) = simulate_many(0..MUTANT_SEEDS, plan, threads(), None);
        let failed = failed.unwrap_or_else(|| panic!("{name} lives through {MUTANT_SEEDS} seeds"));
        println!(
            "{name}: seed {}: {}",
            failed.seed,
            failed.failure.unwrap_or_default()
        );
    }
}
