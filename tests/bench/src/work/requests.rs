//! `transfer`, `empty` and `round-trip`: requests that are answered, at three shapes.

use anyhow::{Result, ensure};

use super::{BankServer, Bench, Run, run_pumps};
use crate::bank::{ACCOUNTS, Bank};
use crate::load::Window;
use crate::load::calls::Calls;
use crate::load::echo::Echo;
use crate::load::floor::{Floor, lone_sync};
use crate::report::{Figure, note};
use crate::socket::{Lane, Link, Target, open_many};

/// Connections, and requests in flight on each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) connections: usize,
    pub(crate) in_flight: usize,
}

/// Many clients that pipeline.
pub(crate) const WIDE: Shape = Shape {
    connections: 64,
    in_flight: 40,
};
const NARROW: Shape = Shape {
    connections: 8,
    in_flight: 40,
};
/// One client that waits.
pub(crate) const LONE: Shape = Shape {
    connections: 1,
    in_flight: 1,
};

/// Two reads and two updates a transaction, over 100 000 accounts.
pub(crate) fn transfer(bench: &mut Bench) -> Result<()> {
    let bank = BankServer::start(bench)?;
    let outcome = (|| {
        for shape in [WIDE, NARROW, LONE] {
            let floor = floor(bench, shape, Bank::transfers(0)?.request_bytes())?;
            for confirmed in [true, false] {
                let run = run_transfer(bench, &bank, shape, confirmed)?;
                let figure = figure("transfer", shape, &run).floor(&floor);
                bench.report.print(&Figure {
                    confirmed: Some(confirmed),
                    ..figure
                });
            }
        }
        let sync = lone_sync(bank.folder(), bench.seconds.min(2.0))?;
        note(&format!(
            "floor of a lone confirmed transaction: write + fdatasync p50 {:.0} us",
            sync.value_at_quantile(0.5) as f64 / 1000.0
        ));
        Ok(())
    })();
    bank.finish(outcome)
}

/// One shape of `transfer`; the balances must add up afterwards.
pub(crate) fn run_transfer(
    bench: &Bench,
    bank: &BankServer,
    shape: Shape,
    confirmed: bool,
) -> Result<Run> {
    let target = bank.server.target(Bank::MODULE, confirmed);
    let before = Link::open(&target)?.welcome.lsn;
    let mut seed = 0;
    let traffic = || {
        seed += 1;
        Bank::transfers(seed)
    };
    let lanes = lanes(&target, shape.connections)?;
    let clock = bank.server.clock();
    let run = run_pumps(
        lanes,
        shape.in_flight,
        bench.workers,
        traffic,
        clock,
        bench.seconds,
    )?;
    let mut link = Link::open(&target)?;
    let total = Bank::total(&mut link)?;
    ensure!(
        total == Bank::total_expected(),
        "{ACCOUNTS} balances add up to {total} instead of {}",
        Bank::total_expected()
    );
    let transactions = link.welcome.lsn.0 - before.0;
    ensure!(
        transactions >= run.answered(),
        "{} calls were answered but only {transactions} transactions made",
        run.answered()
    );
    Ok(run)
}

/// A reducer that does nothing.
pub(crate) fn empty(bench: &mut Bench) -> Result<()> {
    let bank = BankServer::start(bench)?;
    let outcome = (|| {
        let floor = floor(bench, WIDE, Bank::empties()?.request_bytes())?;
        for confirmed in [true, false] {
            let lanes = lanes(
                &bank.server.target(Bank::MODULE, confirmed),
                WIDE.connections,
            )?;
            let clock = bank.server.clock();
            let run = run_pumps(
                lanes,
                WIDE.in_flight,
                bench.workers,
                Bank::empties,
                clock,
                bench.seconds,
            )?;
            let figure = figure("empty", WIDE, &run).floor(&floor);
            bench.report.print(&Figure {
                confirmed: Some(confirmed),
                ..figure
            });
        }
        Ok(())
    })();
    bank.finish(outcome)
}

/// Ping and Pong: no transaction at all.
pub(crate) fn round_trip(bench: &mut Bench) -> Result<()> {
    let bank = BankServer::start(bench)?;
    let outcome = (|| {
        for shape in [WIDE, LONE] {
            let floor = floor(bench, shape, Calls::pings()?.request_bytes())?;
            let lanes = lanes(&bank.server.target(Bank::MODULE, true), shape.connections)?;
            let clock = bank.server.clock();
            let run = run_pumps(
                lanes,
                shape.in_flight,
                bench.workers,
                Calls::pings,
                clock,
                bench.seconds,
            )?;
            bench
                .report
                .print(&figure("round-trip", shape, &run).floor(&floor));
        }
        Ok(())
    })();
    bank.finish(outcome)
}

/// An echo with the same load.
pub(crate) fn floor(bench: &Bench, shape: Shape, message_bytes: usize) -> Result<Window> {
    let floor = Floor::start("floor-echo")?;
    let lanes = Echo::lanes(floor.address, shape.connections)?;
    let traffic = || Ok(Echo::new(message_bytes));
    let seconds = (bench.seconds / 2.0).max(0.5);
    let run = run_pumps(
        lanes,
        shape.in_flight,
        bench.workers,
        traffic,
        floor.clock,
        seconds,
    )?;
    Ok(run.window)
}

/// Connections of a load group.
pub(super) fn lanes(target: &Target, count: usize) -> Result<Vec<Lane>> {
    open_many(target, count)?
        .into_iter()
        .map(Link::into_lane)
        .collect()
}

fn figure(work: &'static str, shape: Shape, run: &Run) -> Figure {
    let figure = Figure {
        work,
        connections: shape.connections,
        in_flight: Some(shape.in_flight),
        ..Figure::default()
    };
    figure.window(&run.window).latency(&run.latency)
}
