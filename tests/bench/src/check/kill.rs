//! SIGKILL in the middle of load, again and again: what was acknowledged is there exactly once, what was
//! not is there once or not at all, and nothing is there in part.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use syncline_protocol::Value;
use syncline_protocol::message::{Args, Call, ClientMessage, ServerMessage};
use syncline_protocol::param::Param;

use crate::bank::{ACCOUNTS, Accounts, Bank};
use crate::server::Server;
use crate::socket::{Link, Target};
use crate::work::{Bench, check_disk};

/// How often the server dies.
pub(crate) const ROUNDS: usize = 20;
const WRITERS: u64 = 4;
/// Calls that are on their way together.
const BURST: u64 = 32;
/// Load that must be there before the kill.
const ACKNOWLEDGED_MIN: u64 = 200;
const MARKERS_PER_ROUND: u64 = 1 << 32;
const MARKERS_PER_WRITER: u64 = 1 << 28;

/// What one round did.
#[derive(Default)]
struct Round {
    sent: HashMap<u64, (u64, u64)>,
    acknowledged: HashSet<u64>,
}

/// What all rounds did.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) acknowledged: usize,
    pub(crate) unanswered: usize,
    /// Of the unanswered, those that had taken effect.
    pub(crate) found: usize,
    /// Longest time from the start of a server after a kill to its first answer.
    pub(crate) restart: Duration,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} acknowledged, all there once; {} unanswered, {} of them there; slowest restart {:.2?}",
            self.acknowledged, self.unanswered, self.found, self.restart
        )
    }
}

/// Runs all rounds on one data folder.
pub(crate) fn run(bench: &Bench, rounds: usize) -> Result<Outcome> {
    let folder = bench.site.folder()?;
    check_disk(folder.path())?;
    let mut server = Server::start(&bench.site, folder.path())?;
    server.publish(Bank::MODULE)?;
    Bank::open(&server.target(Bank::MODULE, true))?;
    let mut link = Link::open(&server.target(Bank::MODULE, true))?;
    let mut balances = balances(&mut link)?;
    let mut outcome = Outcome::default();
    for number in 0..rounds as u64 {
        let round = load_and_kill(server, number)?;
        let start = Instant::now();
        server = Server::start(&bench.site, folder.path())
            .with_context(|| format!("the restart after kill {} failed", number + 1))?;
        outcome.restart = outcome.restart.max(start.elapsed());
        let found = check(&server, number, &round, &mut balances)
            .with_context(|| format!("after kill {}:\n{}", number + 1, server.last_words()))?;
        outcome.acknowledged += round.acknowledged.len();
        outcome.unanswered += round.sent.len() - round.acknowledged.len();
        outcome.found += found;
    }
    let total = Bank::total(&mut Link::open(&server.target(Bank::MODULE, true))?)?;
    ensure!(
        total == Bank::total_expected(),
        "the balances add up to {total}"
    );
    server.stop()?;
    Ok(outcome)
}

/// Transfers with markers from several connections until the server is killed under them.
fn load_and_kill(server: Server, number: u64) -> Result<Round> {
    let target = server.target(Bank::MODULE, true);
    let acknowledged = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let first = number * MARKERS_PER_ROUND + writer * MARKERS_PER_WRITER;
                let (target, acknowledged) = (&target, &acknowledged);
                scope.spawn(move || write(target, first, acknowledged))
            })
            .collect();
        let start = Instant::now();
        while acknowledged.load(Ordering::Relaxed) < ACKNOWLEDGED_MIN {
            if start.elapsed() > Duration::from_secs(30) {
                bail!("no load before the kill:\n{}", server.last_words());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        // Any moment is as good as another, and each round has its own.
        std::thread::sleep(Duration::from_millis(17 + number * 37 % 211));
        server.kill()?;
        let mut round = Round::default();
        for writer in writers {
            let Ok(part) = writer.join() else {
                bail!("a writer panicked")
            };
            let part = part?;
            round.sent.extend(part.sent);
            round.acknowledged.extend(part.acknowledged);
        }
        Ok(round)
    })
}

/// Sends bursts until the connection breaks.
fn write(target: &Target, first: u64, acknowledged: &AtomicU64) -> Result<Round> {
    let mut link = Link::open(target)?;
    let mut accounts = Accounts::new(first);
    let mut round = Round::default();
    let mut waiting = HashMap::new();
    let mut marker = first;
    loop {
        for _ in 0..BURST {
            let (from, to) = accounts.pair();
            let id = link.fresh_id();
            let mut args = Vec::with_capacity(32);
            for number in [marker, from, to, 1] {
                args.extend_from_slice(&number.to_le_bytes());
            }
            // Before it is sent: what is half sent may take effect.
            round.sent.insert(marker, (from, to));
            waiting.insert(id, marker);
            marker += 1;
            let call = ClientMessage::Call(Call {
                id,
                reducer: "transfer_marked".into(),
                args: Args::Packed(args.into()),
                idempotency_key: None,
            });
            if link.send(&call).is_err() {
                return Ok(round);
            }
        }
        while !waiting.is_empty() {
            match link.receive() {
                Ok(ServerMessage::Reply(reply)) => {
                    let marker = waiting.remove(&reply.id).context("an answer to nothing")?;
                    match reply.error {
                        None => round.acknowledged.insert(marker),
                        Some(error) => bail!("a transfer failed: {error}"),
                    };
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                }
                Ok(other) => bail!("no Reply but {other:?}"),
                Err(_) => return Ok(round),
            }
        }
    }
}

/// Compares a restarted server with what was sent and acknowledged before the kill; returns how many
/// unanswered calls had taken effect.
fn check(server: &Server, number: u64, round: &Round, expected: &mut [i64]) -> Result<usize> {
    let mut link = Link::open(&server.target(Bank::MODULE, true))?;
    let first = number * MARKERS_PER_ROUND;
    let bound = |name: &str, value: u64| (name.to_owned(), Param::Int(i128::from(value)));
    let rows = link.query(
        "SELECT * FROM marker WHERE id >= :first AND id < :end",
        vec![
            bound("first", first),
            bound("end", first + MARKERS_PER_ROUND),
        ],
    )?;
    let mut seen = HashSet::new();
    for row in rows {
        let [
            Value::U64(id),
            Value::U64(from),
            Value::U64(to),
            Value::I64(amount),
        ] = row[..]
        else {
            bail!("a marker has other columns: {row:?}");
        };
        ensure!(seen.insert(id), "marker {id} is there twice");
        ensure!(
            round.sent.get(&id) == Some(&(from, to)),
            "marker {id} was never sent like that"
        );
        expected[from as usize] -= amount;
        expected[to as usize] += amount;
    }
    let lost: Vec<_> = round.acknowledged.difference(&seen).take(5).collect();
    ensure!(
        lost.is_empty(),
        "acknowledged transfers are gone, among them {lost:?}"
    );
    let real = balances(&mut link)?;
    let half = real
        .iter()
        .zip(expected.iter())
        .position(|(real, expected)| real != expected);
    if let Some(account) = half {
        bail!(
            "account {account} has {} instead of {}: a transfer is there in part",
            real[account],
            expected[account]
        );
    }
    Ok(seen.len() - round.acknowledged.len())
}

/// Balances by account.
fn balances(link: &mut Link) -> Result<Vec<i64>> {
    let mut balances = vec![0; ACCOUNTS as usize];
    for row in link.query("SELECT id, balance FROM account", Vec::new())? {
        let [Value::U64(id), Value::I64(balance)] = row[..] else {
            bail!("no account: {row:?}")
        };
        *balances
            .get_mut(id as usize)
            .context("an account too many")? = balance;
    }
    Ok(balances)
}
