//! Commits against subscriptions, timed.

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Result, ensure};
use syncline_protocol::param::Param;
use syncline_protocol::{ChangeSet, TableId};
use syncline_query::{Deltas, LiveQueries, Subscribed};
use syncline_store::Database;

use crate::figure::Figure;
use crate::world::CALLER;

/// So many subscriptions are asked again, to know what all would cost.
const SAMPLE: usize = 16;

/// Median nanoseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times(Vec<u64>);

impl Times {
    /// Runs `work` and notes how long it took.
    pub(crate) fn time<R>(&mut self, work: impl FnOnce() -> R) -> R {
        let start = Instant::now();
        let result = work();
        self.0.push(start.elapsed().as_nanos() as u64);
        result
    }

    pub(crate) fn median(&mut self) -> f64 {
        self.0.sort_unstable();
        self.0.get(self.0.len() / 2).map_or(0.0, |ns| *ns as f64)
    }

    pub(crate) fn push(&mut self, ns: u64) {
        self.0.push(ns);
    }
}

/// Subscriptions to one query.
pub(crate) struct Crowd {
    pub(crate) live: LiveQueries,
    pub(crate) members: Vec<Subscribed>,
    /// Resident memory that each added.
    pub(crate) bytes_each: f64,
}

/// The parameters of a subscription by its number.
pub(crate) type ParamsOf<'p> = &'p dyn Fn(u64) -> Vec<(&'static str, u64)>;

/// Packs named numbers as parameters.
pub(crate) fn params(values: &[(&'static str, u64)]) -> Vec<(String, Param)> {
    let param = |(name, value): &(&str, u64)| ((*name).to_owned(), Param::Int((*value).into()));
    values.iter().map(param).collect()
}

impl Crowd {
    /// Subscribes `count` times.
    pub(crate) fn new(
        db: &mut Database,
        sql: &str,
        count: u64,
        params_of: ParamsOf<'_>,
    ) -> Result<Self> {
        let mut live = LiveQueries::with_hash_seed(7);
        let mut members = Vec::with_capacity(count as usize);
        let before = resident_bytes();
        for number in 0..count {
            let params = params(&params_of(number));
            let subscribed = live.subscribe(db, sql, &params, &CALLER);
            members.push(subscribed.map_err(|error| anyhow::anyhow!("{sql}: {error:?}"))?);
        }
        let held = size_of::<Subscribed>() * members.capacity();
        let added = resident_bytes().saturating_sub(before).saturating_sub(held);
        Ok(Self {
            live,
            members,
            bytes_each: added as f64 / count.max(1) as f64,
        })
    }

    /// What asking all of them again would cost: a sample, times their number.
    pub(crate) fn ask_again_ns(&self, db: &Database) -> Result<f64> {
        let step = (self.members.len() / SAMPLE).max(1);
        let mut times = Times::default();
        for member in self.members.iter().step_by(step).take(SAMPLE) {
            let mut sink = |row: &[u8]| {
                black_box(row);
            };
            times
                .time(|| self.live.rows(db, member.handle, &mut sink))
                .map_err(|error| anyhow::anyhow!("{error:?}"))?;
        }
        Ok(times.median() * self.members.len() as f64)
    }
}

/// A change that a commit makes.
pub(crate) enum Write {
    Insert(TableId, Vec<u8>),
    Update(TableId, Vec<u8>),
}

/// Makes a transaction of changes: the database after it and what it changed.
pub(crate) fn commit(db: Database, writes: Vec<Write>, changes: &mut ChangeSet) -> Database {
    let mut transaction = db.begin();
    for write in writes {
        let done = match write {
            Write::Insert(table, mut row) => transaction.insert(table, &mut row).map(|_| ()),
            Write::Update(table, mut row) => transaction.update(table, &mut row),
        };
        done.expect("the work's own rows fit");
    }
    transaction.commit(changes)
}

/// Commits that a work makes, each stepped through the crowd.
pub(crate) fn run(
    (work, compare_all_ns_per_commit): (&'static str, f64),
    mut db: Database,
    crowd: &mut Crowd,
    commits: u64,
    mut writes: impl FnMut(u64) -> Vec<Write>,
) -> Result<(Figure, Database)> {
    let (mut steps, mut transactions) = (Times::default(), Times::default());
    let (mut changes, mut out) = (ChangeSet::new(), Deltas::new());
    let (mut affected, mut bytes) = (0u64, 0u64);
    // The first tenth warms up, and is not counted.
    let warm = commits / 10;
    for number in 0..commits + warm {
        let writes = writes(number);
        let start = Instant::now();
        db = commit(db, writes, &mut changes);
        let between = Instant::now();
        crowd.live.step(&db, &changes, &mut out);
        let end = Instant::now();
        if number >= warm {
            transactions.push(between.duration_since(start).as_nanos() as u64);
            steps.push(end.duration_since(between).as_nanos() as u64);
            affected += out.len() as u64;
            bytes += out.byte_len() as u64;
        }
    }
    let ns_per_commit = steps.median();
    let affected = affected as f64 / commits as f64;
    ensure!(!ns_per_commit.is_nan(), "nothing was measured");
    let figure = Figure {
        work,
        compare_all_ns_per_commit,
        subscriptions: crowd.members.len() as u64,
        affected,
        ns_per_commit,
        ns_per_affected: ns_per_commit / affected.max(1.0),
        bytes_per_subscription: crowd.bytes_each,
        naive_ns_per_commit: crowd.ask_again_ns(&db)?,
        transaction_ns_per_commit: transactions.median(),
        bytes_per_commit: bytes as f64 / commits as f64,
    };
    Ok((figure, db))
}

/// Nanoseconds of a loop over the parameters of all subscriptions that says how many `is_hit`.
pub(crate) fn compare_all<P>(params: &[P], is_hit: impl Fn(&P, u64) -> bool) -> f64 {
    let mut times = Times::default();
    for probe in 0..200u64 {
        let probe = black_box(probe * 7919);
        let found = times.time(|| params.iter().filter(|param| is_hit(param, probe)).count());
        black_box(found);
    }
    times.median()
}

/// Bytes of memory that the process has.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0usize) * 4096
}
