//! Churn: connections come, subscribe, call and are cut off, for minutes. The server's memory must not
//! grow, for nothing stays.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use syncline_protocol::Value;
use syncline_protocol::param::Param;

use crate::bank::{Accounts, Bank};
use crate::report::note;
use crate::socket::{Link, Target, open_many};
use crate::work::{BankServer, Bench};

const THREADS: u64 = 2;
/// Connections of a thread that live at the same time.
const ALIVE: usize = 200;
/// Connections that are replaced in one go.
const GENERATION: usize = 20;
const SUBSCRIPTIONS: u64 = 10;
/// Growth that an allocator may show for nothing.
const SLACK_RATIO: f64 = 1.10;
const SLACK_BYTES: f64 = 8e6;

/// Highest memory of the second and of the last quarter.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) early: u64,
    pub(crate) late: u64,
    pub(crate) connections: u64,
}

impl Outcome {
    /// Whether memory stayed.
    pub(crate) fn is_flat(&self) -> bool {
        self.late as f64 <= self.early as f64 * SLACK_RATIO + SLACK_BYTES
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.1} MB in the second quarter, {:.1} MB in the last, {} connections",
            self.early as f64 / 1e6,
            self.late as f64 / 1e6,
            self.connections
        )
    }
}

/// Churns for so long.
pub(crate) fn run(bench: &Bench, seconds: f64) -> Result<Outcome> {
    let bank = BankServer::start(bench)?;
    let outcome = churn_and_watch(&bank, seconds);
    bank.finish(outcome)
}

fn churn_and_watch(bank: &BankServer, seconds: f64) -> Result<Outcome> {
    let target = bank.server.target(Bank::MODULE, true);
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let clock = bank.server.clock();
    let (samples, connections) = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|seed| {
                let target = &target;
                scope.spawn(move || churn(target, bank, seed, end))
            })
            .collect();
        let mut samples = Vec::new();
        let mut next_note = Instant::now();
        while Instant::now() < end {
            std::thread::sleep(Duration::from_millis(500));
            samples.push(clock.resident()?);
            if Instant::now() >= next_note {
                next_note += Duration::from_secs(30);
                let left = end.saturating_duration_since(Instant::now()).as_secs();
                let megabytes = samples.last().map_or(0, |bytes| bytes / 1_000_000);
                note(&format!("  server memory {megabytes} MB, {left} s to go"));
            }
        }
        let mut connections = 0;
        for thread in threads {
            let Ok(count) = thread.join() else {
                bail!("a churn panicked")
            };
            connections += count.context("the churn failed")?;
        }
        Ok((samples, connections))
    })?;
    let total = Bank::total(&mut Link::open(&target)?)?;
    ensure!(
        total == Bank::total_expected(),
        "the balances add up to {total}"
    );
    let quarter = samples.len() / 4;
    ensure!(quarter > 0, "{seconds} s are too short to see anything");
    let highest = |samples: &[u64]| samples.iter().copied().max().unwrap_or_default();
    Ok(Outcome {
        early: highest(&samples[quarter..2 * quarter]),
        late: highest(&samples[3 * quarter..]),
        connections,
    })
}

fn churn(target: &Target, bank: &BankServer, seed: u64, end: Instant) -> Result<u64> {
    let schema = &bank.bank.schema;
    let mut random = Accounts::new(seed + 1);
    let mut links: Vec<Link> = Vec::new();
    let mut opened = 0;
    while Instant::now() < end {
        // Cut off without a goodbye: the oldest ones, with answers on their way.
        if links.len() >= ALIVE {
            links.drain(..GENERATION);
        }
        let mut fresh = open_many(target, GENERATION)?;
        opened += GENERATION as u64;
        for link in &mut fresh {
            for _ in 0..random.next() % SUBSCRIPTIONS {
                let owner = i128::from(random.next() % 1000);
                let params = vec![("owner".to_owned(), Param::Int(owner))];
                link.subscribe(Bank::ITEMS_OF_OWNER, params)?;
            }
            let (from, to) = random.pair();
            link.must_call(
                schema,
                "transfer",
                &[Value::U64(from), Value::U64(to), Value::I64(1)],
            )?;
            let item = [
                random.next() % 1000 + 1,
                random.next() % 1000,
                random.next(),
            ];
            link.must_call(schema, "put_item", &item.map(Value::U64))?;
        }
        links.append(&mut fresh);
        for link in &mut links {
            link.ping()?;
        }
    }
    Ok(opened)
}
