//! `many-subscriptions`: what 100 000 distinct live queries cost a commit that touches none of them, or one.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use mio::{Events, Poll};
use syncline_protocol::message::{ClientMessage, Subscribe};
use syncline_protocol::param::Param;

use super::requests::{Shape, floor, lanes};
use super::{BankServer, Bench, Run, run_pumps};
use crate::bank::Bank;
use crate::load::calls::Calls;
use crate::load::fan_out::{Commits, Feed};
use crate::report::{Figure, note};
use crate::socket::{Lane, Link, READ_BYTES, open_many};

/// Distinct `owner = :x`, spread over connections.
pub(crate) const SUBSCRIPTIONS: usize = 100_000;
const CONNECTIONS: usize = 32;
const WRITERS: usize = 16;
const IN_FLIGHT: usize = 40;
const ITEMS_PER_WRITER: usize = 64;
/// Subscribes that are on their way at once.
const SUBSCRIBE_AHEAD: usize = 256;

/// Without subscriptions, and with them touching none and one.
pub(crate) fn run(bench: &mut Bench) -> Result<()> {
    let bank = BankServer::start(bench)?;
    let outcome = (|| {
        let bytes = writes_of_nobody()?.request_bytes();
        let shape = Shape {
            connections: WRITERS,
            in_flight: IN_FLIGHT,
        };
        let floor = floor(bench, shape, bytes)?;
        let without = unrelated(bench, &bank)?;
        bench.report.print(&figure(0, 0, &without).floor(&floor));
        let (mut links, feed) = subscribe(&bank)?;
        let with = unrelated(bench, &bank)?;
        bench
            .report
            .print(&figure(SUBSCRIPTIONS, 0, &with).floor(&floor));
        check_alive(&mut links)?;
        let touching = affected(bench, &bank, links, feed)?;
        bench
            .report
            .print(&figure(SUBSCRIPTIONS, 1, &touching).floor(&floor));
        Ok(())
    })();
    bank.finish(outcome)
}

/// CPU per unrelated commit without and with the subscriptions, in interleaved pairs.
pub(crate) fn unrelated_pairs(bench: &Bench, pairs: usize) -> Result<Vec<(f64, f64)>> {
    let bank = BankServer::start(bench)?;
    let outcome = (0..pairs)
        .map(|_| {
            let without = unrelated(bench, &bank)?.window.cpu_us_per_op();
            let (links, _) = subscribe(&bank)?;
            let with = unrelated(bench, &bank)?.window.cpu_us_per_op();
            drop(links);
            // The server has to notice that they are gone before the next pair.
            std::thread::sleep(Duration::from_secs(1));
            Ok((without, with))
        })
        .collect();
    bank.finish(outcome)
}

/// Writes of items whose owner nobody asks for, over and over, so that the table does not grow.
fn writes_of_nobody() -> Result<Calls> {
    Bank::items(|lane, number| {
        let id = 1 + lane * ITEMS_PER_WRITER + number as usize % ITEMS_PER_WRITER;
        (id as u64, (SUBSCRIPTIONS + lane) as u64)
    })
}

fn unrelated(bench: &Bench, bank: &BankServer) -> Result<Run> {
    let lanes = lanes(&bank.server.target(Bank::MODULE, true), WRITERS)?;
    let clock = bank.server.clock();
    run_pumps(
        lanes,
        IN_FLIGHT,
        bench.workers,
        writes_of_nobody,
        clock,
        bench.seconds,
    )
}

/// Inserts of items that one subscription each has asked for.
fn affected(bench: &Bench, bank: &BankServer, links: Vec<Link>, feed: Commits) -> Result<Run> {
    let target = bank.server.target(Bank::MODULE, true);
    let writers = lanes(&target, WRITERS)?;
    let mut next: u64 = 0;
    let traffic = || {
        let mut owner = next;
        next += 1;
        Bank::items(move |_, _| {
            // A step that has no factor in common with the count visits every owner.
            owner = (owner + 7_919) % SUBSCRIPTIONS as u64;
            (0, owner)
        })
    };
    let subscribers = links
        .into_iter()
        .map(Link::into_lane)
        .collect::<Result<Vec<_>>>()?;
    let received = AtomicU64::new(0);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let drain = scope.spawn(|| drain(subscribers, feed, &received, &is_over));
        let clock = bank.server.clock();
        let run = run_pumps(
            writers,
            IN_FLIGHT,
            bench.workers,
            traffic,
            clock,
            bench.seconds,
        );
        // Replies may come before the last Commits of other connections.
        if let Ok(run) = &run {
            for _ in 0..500 {
                if received.load(Ordering::Relaxed) >= run.answered() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        is_over.store(true, Ordering::Relaxed);
        let Ok(drained) = drain.join() else {
            bail!("the drain panicked")
        };
        drained?;
        let run = run?;
        let (received, sent) = (received.load(Ordering::Relaxed), run.answered());
        ensure!(
            received == sent,
            "{sent} rows were inserted, subscribers got {received}"
        );
        Ok(run)
    })
}

/// Reads what subscribers are sent and counts the rows.
fn drain(
    mut lanes: Vec<Lane>,
    mut feed: Commits,
    received: &AtomicU64,
    is_over: &AtomicBool,
) -> Result<()> {
    let mut poll = Poll::new()?;
    for (token, lane) in lanes.iter_mut().enumerate() {
        lane.register(poll.registry(), token)?;
    }
    let mut events = Events::with_capacity(1024);
    let mut scratch: Box<[u8; READ_BYTES]> = vec![0; READ_BYTES]
        .try_into()
        .expect("the length is that of the array");
    let mut numbers = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        poll.poll(&mut events, Some(Duration::from_millis(20)))?;
        for event in events.iter().filter(|event| event.is_readable()) {
            let lane = &mut lanes[event.token().0];
            lane.read(&mut scratch)?;
            while let Some(len) = feed.take(lane.input(), &mut numbers)? {
                lane.consume(len);
            }
        }
        received.fetch_add(numbers.len() as u64, Ordering::Relaxed);
        numbers.clear();
    }
    Ok(())
}

/// Opens the connections and subscribes; says what that cost.
fn subscribe(bank: &BankServer) -> Result<(Vec<Link>, Commits)> {
    let clock = bank.server.clock();
    let mut links = open_many(&bank.server.target(Bank::MODULE, true), CONNECTIONS)?;
    let (cpu, resident) = (clock.cpu()?, clock.resident()?);
    let each = SUBSCRIPTIONS / CONNECTIONS;
    let mut description = None;
    for (position, link) in links.iter_mut().enumerate() {
        let owners: Vec<_> = (position * each..(position + 1) * each).collect();
        for ahead in owners.chunks(SUBSCRIBE_AHEAD) {
            let mut ids = Vec::with_capacity(ahead.len());
            for owner in ahead {
                let id = link.fresh_id();
                let params = vec![("owner".to_owned(), Param::Int(*owner as i128))];
                let sql = Bank::ITEMS_OF_OWNER.into();
                link.send(&ClientMessage::Subscribe(Subscribe { id, sql, params }))?;
                ids.push(id);
            }
            for id in ids {
                description = Some(link.subscribed(id)?.description);
            }
        }
    }
    let cpu = (clock.cpu()?.saturating_sub(cpu)).as_secs_f64() * 1e6 / SUBSCRIPTIONS as f64;
    let bytes = clock.resident()?.saturating_sub(resident) as f64 / SUBSCRIPTIONS as f64;
    note(&format!(
        "{SUBSCRIPTIONS} subscriptions: {cpu:.2} us CPU and {bytes:.0} B of server memory each"
    ));
    Ok((
        links,
        Commits::new(description.context("no subscription")?, "n")?,
    ))
}

/// Nothing may have arrived that was not asked for.
fn check_alive(links: &mut [Link]) -> Result<()> {
    for link in links {
        link.ping()?;
    }
    Ok(())
}

fn figure(subscriptions: usize, affected: usize, run: &Run) -> Figure {
    let figure = Figure {
        work: "many-subscriptions",
        connections: WRITERS,
        in_flight: Some(IN_FLIGHT),
        confirmed: Some(true),
        subscriptions: Some(subscriptions),
        affected: Some(affected),
        ..Figure::default()
    };
    figure.window(&run.window).latency(&run.latency)
}
