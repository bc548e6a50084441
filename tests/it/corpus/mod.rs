//! The corpus: the same scripts in the engine and over a socket, in both encodings. The TypeScript
//! client runs them as well.

mod compare;
mod engine;
mod run;
mod script;
mod socket;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use syncline_protocol::message::Encoding;

use crate::server::{TestServer, root};
use engine::{EngineWorld, Logged};
use script::Script;
use socket::SocketWorld;

/// Runs all scripts, or those whose name has the value of `CORPUS` in it, and reports every failure.
fn all(run: impl Fn(&Script) -> Result<(), String>) {
    let wanted = std::env::var("CORPUS").unwrap_or_default();
    let scripts = script::all(&root().join("tests/corpus"));
    assert!(scripts.len() >= 20, "the corpus is somewhere else");
    let mut failures = Vec::new();
    for script in scripts
        .iter()
        .filter(|script| script.name.contains(&wanted))
    {
        let result = catch_unwind(AssertUnwindSafe(|| run(script)));
        let result = result.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or(panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
            Err(format!(
                "{}: panicked: {}",
                script.name,
                text.unwrap_or_default()
            ))
        });
        failures.extend(result.err());
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn in_the_engine() {
    all(|script| {
        if script.needs_socket {
            return Ok(());
        }
        let mut kept = EngineWorld::new(None);
        run::run(script, &mut kept)?;
        // The same with a new instance of the module for each call: nothing may differ.
        let mut fresh = EngineWorld::new(Some(&script.module));
        run::run(script, &mut fresh)?;
        let (kept, fresh) = (kept.log(), fresh.log());
        difference(&kept, &fresh).map_or(Ok(()), |what| Err(format!("{}: {what}", script.name)))
    });
}

/// The first difference of two logs, briefly.
fn difference(left: &[Logged], right: &[Logged]) -> Option<String> {
    let differ = |(left, right): &(&Logged, &Logged)| left != right;
    if let Some((left, right)) = left.iter().zip(right).find(differ) {
        let changes = left
            .changes
            .iter()
            .zip(&right.changes)
            .find(|(left, right)| left != right);
        let counts = (left.changes.len(), right.changes.len());
        return Some(format!(
            "at {:?} and {:?}: {counts:?}, {changes:?}",
            left.call, right.call
        ));
    }
    let counts = (left.len(), right.len());
    (counts.0 != counts.1).then(|| format!("transactions: {counts:?}"))
}

#[test]
fn over_a_socket_in_messagepack() {
    over_a_socket(Encoding::MessagePack);
}

#[test]
fn over_a_socket_in_json() {
    over_a_socket(Encoding::Json);
}

fn over_a_socket(encoding: Encoding) {
    let server = TestServer::start();
    all(|script| {
        let mut world = if script.needs_restart {
            SocketWorld::alone(&script.name, encoding)
        } else {
            SocketWorld::on(&server, &script.name, encoding)
        };
        run::run(script, &mut world)
    });
}
