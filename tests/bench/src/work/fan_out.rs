//! `fan-out`: one row to many subscribers of the same query, one transaction at a time and busy.

use anyhow::{Context, Result, bail, ensure};

use super::{BankServer, Bench, requests::lanes};
use crate::bank::Bank;
use crate::clock::ProcessClock;
use crate::load::echo::Echo;
use crate::load::fan_out::{Commits, Delivered, Feed, fan_out};
use crate::load::floor::Floor;
use crate::load::{Gate, Traffic, Window, measure};
use crate::report::Figure;
use crate::socket::{Lane, Link, open_many};

/// Transactions in flight when the writer does not wait for its subscribers.
const BUSY: usize = 40;

/// All shapes.
pub(crate) fn run(bench: &mut Bench) -> Result<()> {
    for subscribers in [100, 1000] {
        for in_flight in [1, BUSY] {
            let figure = deliveries(bench, subscribers, in_flight)?;
            bench.report.print(&figure);
        }
    }
    Ok(())
}

/// One shape, with its floor.
pub(crate) fn deliveries(bench: &Bench, subscribers: usize, in_flight: usize) -> Result<Figure> {
    let bank = BankServer::start(bench)?;
    let outcome = (|| {
        let target = bank.server.target(Bank::MODULE, true);
        let mut description = None;
        let mut links = open_many(&target, subscribers)?;
        for link in &mut links {
            let subscription = link.subscribe(Bank::EVENTS, Vec::new())?;
            ensure!(
                subscription.row_count == 0,
                "a fresh bank has {} events",
                subscription.row_count
            );
            description = Some(subscription.description);
        }
        let feed = Commits::new(description.context("no subscriber")?, "id")?;
        let links = links
            .into_iter()
            .map(Link::into_lane)
            .collect::<Result<_>>()?;
        let writer = lanes(&target, 1)?.pop().context("no writer")?;
        let traffic = Bank::posts()?;
        let clock = bank.server.clock();
        let (window, delivered) = measured(
            (writer, traffic),
            links,
            in_flight,
            feed,
            clock,
            bench.seconds,
        )?;
        let count = delivered.transactions as usize;
        let mut link = Link::open(&target)?;
        let rows = link.query(Bank::EVENTS, Vec::new())?.len();
        ensure!(
            rows == count,
            "{count} rows were delivered, the table has {rows}"
        );
        let floor = floor(
            subscribers,
            in_flight,
            delivered.feed.frame_bytes(),
            bench.seconds / 2.0,
        )?;
        let figure = Figure {
            work: "fan-out",
            connections: 1,
            in_flight: Some(in_flight),
            confirmed: Some(true),
            subscribers: Some(subscribers),
            affected: Some(1),
            ..Figure::default()
        };
        Ok(figure
            .window(&window)
            .latency(&delivered.latency)
            .floor(&floor))
    })();
    bank.finish(outcome)
}

/// One write of as many bytes to as many sockets.
pub(crate) fn floor(
    subscribers: usize,
    in_flight: usize,
    bytes: usize,
    seconds: f64,
) -> Result<Window> {
    let floor = Floor::start("floor-fan-out")?;
    let (writer, lanes) = Echo::known_lanes(floor.address, subscribers)?;
    let echo = Echo::new(bytes);
    let (window, _) = measured(
        (writer, echo.clone()),
        lanes,
        in_flight,
        echo,
        floor.clock,
        seconds.max(0.5),
    )?;
    Ok(window)
}

fn measured<W: Traffic, F: Feed>(
    writer: (Lane, W),
    subscribers: Vec<Lane>,
    in_flight: usize,
    feed: F,
    clock: ProcessClock,
    seconds: f64,
) -> Result<(Window, Delivered<F>)> {
    let gate = Gate::default();
    std::thread::scope(|scope| {
        let load = scope.spawn(|| fan_out(writer, subscribers, in_flight, feed, &gate));
        let window = measure(&gate, clock, seconds);
        let Ok(delivered) = load.join() else {
            bail!("the fan-out panicked")
        };
        Ok((window?, delivered.context("the fan-out failed")?))
    })
}
