//! `idle`: what a connection costs that does nothing, half of them with a subscription.

use std::time::Duration;

use anyhow::Result;
use syncline_protocol::param::Param;

use super::{BankServer, Bench};
use crate::bank::Bank;
use crate::report::Figure;
use crate::socket::open_many;

/// As many as fit under the usual hard limit of open files, twice.
pub(crate) const CONNECTIONS: usize = 10_000;
/// Allocators and caches settle.
const SETTLE: Duration = Duration::from_secs(2);
/// Opened and closed first, so that what the server allocates once does not count.
const REHEARSAL: usize = 100;

/// Opens them, looks at the server's memory, sees that all are alive.
pub(crate) fn run(bench: &mut Bench) -> Result<()> {
    let figure = connections(bench)?;
    bench.report.print(&figure);
    Ok(())
}

/// The figure of `idle`.
pub(crate) fn connections(bench: &Bench) -> Result<Figure> {
    let bank = BankServer::start(bench)?;
    let outcome = (|| {
        let target = bank.server.target(Bank::MODULE, true);
        drop(open_many(&target, REHEARSAL)?);
        std::thread::sleep(SETTLE);
        let clock = bank.server.clock();
        let before = clock.resident()?;
        let mut links = open_many(&target, CONNECTIONS)?;
        for (position, link) in links.iter_mut().enumerate().step_by(2) {
            let owner = vec![("owner".to_owned(), Param::Int(position as i128))];
            link.subscribe(Bank::ITEMS_OF_OWNER, owner)?;
        }
        std::thread::sleep(SETTLE);
        let bytes = clock.resident()?.saturating_sub(before) / CONNECTIONS as u64;
        for link in &mut links {
            link.ping()?;
        }
        Ok(Figure {
            work: "idle",
            connections: CONNECTIONS,
            subscriptions: Some(CONNECTIONS / 2),
            bytes_per_connection: Some(bytes),
            ..Figure::default()
        })
    })();
    bank.finish(outcome)
}
