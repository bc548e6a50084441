//! Bad input in every place that takes input: each gets a typed error or a typed close, the server goes
//! on, and a connection beside it hardly notices.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use syncline_protocol::limits::CALL_MS_MAX;

use super::hostile::{self, Attack};
use super::victim::Victim;
use crate::bank::Bank;
use crate::server::Server;
use crate::socket::Link;
use crate::work::Bench;

const SCRIPTED: &str = "scripted";
/// The deadline of a call is counted in ticks; it may begin and end inside one.
const TICKS: Duration = Duration::from_millis(20);

/// One kind of bad input, and how others fared.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) name: &'static str,
    /// What the server answered.
    pub(crate) reaction: String,
    /// Of a connection to the same database.
    pub(crate) p99: Duration,
    pub(crate) allowed: Duration,
}

/// All of them, one after the other, against one server.
pub(crate) fn run(bench: &Bench) -> Result<Vec<Outcome>> {
    let folder = bench.site.folder()?;
    let mut server = Server::start(&bench.site, folder.path())?;
    server.publish(Bank::MODULE)?;
    server.publish(SCRIPTED)?;
    let outcome = attack_all(&mut server);
    match outcome {
        Ok(outcomes) => {
            server.stop()?;
            Ok(outcomes)
        }
        Err(error) => Err(error.context(format!(
            "the server's log ends with\n{}",
            server.last_words()
        ))),
    }
}

fn attack_all(server: &mut Server) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for (database, attacks) in [
        (Bank::MODULE, hostile::ON_SERVER),
        (SCRIPTED, hostile::ON_MODULE),
    ] {
        let target = server.target(database, true);
        let baseline = Victim::baseline(&target)?;
        let allowed = baseline * 2 + Duration::from_millis(CALL_MS_MAX) + TICKS;
        for Attack { name, run } in attacks {
            let victim = Victim::start(&target)?;
            let reaction = run(server, &target).with_context(|| format!("{name} failed"))?;
            let p99 = victim
                .p99()
                .with_context(|| format!("{name} harmed another connection"))?;
            ensure!(server.is_alive()?, "{name} ended the server");
            Link::open(&target)
                .and_then(|mut link| link.ping())
                .with_context(|| format!("after {name} nobody can connect"))?;
            outcomes.push(Outcome {
                name,
                reaction,
                p99,
                allowed,
            });
        }
    }
    Ok(outcomes)
}
