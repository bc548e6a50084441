//! Connections that take all they can get, and one beside them that wants little.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use syncline_server::Config;

use crate::client::Client;
use crate::server::TestServer;

const DEADLINE: Duration = Duration::from_millis(500);
/// What the others' round trips may take, but for a few that meet a looping call.
const SHORT: Duration = Duration::from_millis(100);

/// Runs `attack` on a server whose calls have `DEADLINE`, and returns what 95 of 100 round trips took at
/// most that somebody else made meanwhile.
fn beside(attack: impl FnOnce(&TestServer)) -> Duration {
    let config = Config {
        call_ms_max: DEADLINE.as_millis() as u64,
        ..Config::default()
    };
    let server = TestServer::with(config);
    server.publish("scripted", "scripted");
    let mut victim = Client::connect(&server, "scripted");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let victim = scope.spawn(|| {
            let mut times = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                let start = Instant::now();
                victim.ping();
                times.push(start.elapsed());
                std::thread::sleep(Duration::from_micros(500));
            }
            times
        });
        attack(&server);
        is_over.store(true, Ordering::Relaxed);
        let mut times = victim.join().unwrap();
        times.sort();
        times[times.len() * 95 / 100]
    })
}

#[test]
fn who_waits_for_a_looping_call_does_not_wait_for_the_next_one_too() {
    let time = beside(|server| {
        let mut looping = Client::connect(server, "scripted");
        for _ in 0..8 {
            let error = looping.call("loop_forever", json!([])).unwrap_err();
            assert_eq!(error.code, "CALL_DEADLINE");
        }
    });
    assert!(time < SHORT, "{time:?}");
}

#[test]
fn who_waits_for_a_looping_call_does_not_wait_for_those_of_many_connections() {
    let time = beside(|server| {
        let mut looping: Vec<_> = (0..4)
            .map(|_| Client::connect(server, "scripted"))
            .collect();
        for _ in 0..2 {
            let ids: Vec<_> = looping
                .iter_mut()
                .map(|client| {
                    let (id, message) = client.peer.call("loop_forever", json!([])).unwrap();
                    client.send(&message);
                    id
                })
                .collect();
            for (client, id) in looping.iter_mut().zip(ids) {
                client.wait(id);
            }
        }
    });
    assert!(time < SHORT, "{time:?}");
}

#[test]
fn who_asks_for_little_does_not_wait_for_all_that_another_asked_for() {
    let server = TestServer::of("scripted");
    let mut greedy = Client::connect(&server, "scripted");
    let mut modest = Client::connect(&server, "scripted");
    let mut ids = Vec::new();
    let start = Instant::now();
    for _ in 0..600 {
        let (id, message) = greedy.peer.call("insert_tiny", json!([300])).unwrap();
        greedy.send(&message);
        ids.push(id);
    }
    modest.ping();
    let short = start.elapsed();
    for id in ids {
        greedy.wait(id);
    }
    let long = start.elapsed();
    assert!(short < long / 2, "{short:?} of {long:?}");
}
