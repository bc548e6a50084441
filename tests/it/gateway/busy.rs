//! Much at once: publishing under load, connections that come and go, databases beside each other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use syncline_protocol::message::Encoding;
use syncline_server::Config;

use crate::client::{Client, eventually};
use crate::server::{self, TestServer};

#[test]
fn publishing_again_loses_no_call() {
    let server = TestServer::of("bank");
    Client::connect(&server, "bank")
        .call("open_accounts", json!([100, 1000]))
        .unwrap();
    let bank = server::wasm("bank");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let work = |encoding: Encoding, seed: u64| {
            let (server, is_over) = (&server, &is_over);
            move || {
                let mut client = Client::try_connect(server, "bank", encoding, None).unwrap();
                let accounts = client.subscribe("SELECT * FROM account", &[]);
                let mut count = seed;
                while !is_over.load(Ordering::Relaxed) {
                    count += 1;
                    let args = json!([count % 100, (count * 7 + 3) % 100, 1]);
                    client.call("transfer", args).unwrap();
                }
                client.ping();
                let (rows, _) = client.peer.subscriptions[&accounts].rows();
                let sum: i64 = rows
                    .iter()
                    .map(|row| row["balance"].as_str().unwrap().parse::<i64>().unwrap())
                    .sum();
                (rows.len(), sum, client.peer.schema_changes)
            }
        };
        let clients = [
            scope.spawn(work(Encoding::MessagePack, 0)),
            scope.spawn(work(Encoding::Json, 1_000_000)),
        ];
        std::thread::sleep(Duration::from_millis(100));
        for _ in 0..3 {
            assert_eq!(server.publish_bytes("bank", &bank).status, 200);
        }
        is_over.store(true, Ordering::Relaxed);
        for client in clients {
            assert_eq!(client.join().unwrap(), (100, 100_000, 3));
        }
    });
    assert_eq!(
        Client::connect(&server, "bank")
            .call("total", json!([]))
            .unwrap()
            .1,
        "100000"
    );
}

#[test]
fn connections_that_come_and_go_leave_nothing() {
    let server = TestServer::of("scripted");
    let mut witness = Client::connect(&server, "scripted");
    let sessions = witness.subscribe("SELECT * FROM session", &[]);
    for round in 0..60 {
        let encoding = Encoding::ALL[round % 2];
        let mut client = Client::try_connect(&server, "scripted", encoding, None).unwrap();
        client.subscribe("SELECT * FROM reading WHERE sensor = 1", &[]);
        client.subscribe(
            "SELECT id FROM reading WHERE sensor = 1 ORDER BY at LIMIT 3",
            &[],
        );
        client.call("insert_tiny", json!([1])).unwrap();
        match round % 3 {
            // A goodbye, a cut in the middle of a frame, and a cut with requests under way.
            0 => client.socket.close(),
            1 => {
                use std::io::Write;
                client.socket.raw().write_all(&[0x82, 0xff, 0]).unwrap();
            }
            _ => {
                let (_, message) = client.peer.call("scan_sum", json!([])).unwrap();
                client.send(&message);
            }
        }
    }
    eventually("only the witness is left", || {
        witness.ping();
        witness.peer.subscriptions[&sessions].live.len() == 1
    });
    assert_eq!(server.metric("syncline_connections"), 1);
    assert_eq!(server.metric("syncline_subscriptions"), 1);
    eventually("all sockets are closed", || {
        server.metric("syncline_sockets") <= 1
    });
    let rows = witness
        .query("SELECT SUM(connected) AS came, SUM(disconnected) AS went FROM visit")
        .unwrap();
    assert_eq!(rows, [json!({"came": "61", "went": "60"})]);
    // A bookkeeping test of its own: ids of connections are not used up.
    assert_eq!(
        witness.query("SELECT COUNT(*) AS n FROM tiny").unwrap(),
        [json!({"n": "60"})]
    );
}

#[test]
fn a_database_that_loops_does_not_stop_the_others() {
    let config = Config {
        home_threads: 2,
        call_ms_max: 2000,
        ..Config::default()
    };
    let server = TestServer::with(config);
    server.publish("scripted", "scripted");
    server.publish("bank", "bank");
    let mut other = Client::connect(&server, "bank");
    let mut looping = Client::connect(&server, "scripted");
    let (id, message) = looping.peer.call("loop_forever", json!([])).unwrap();
    looping.send(&message);
    let start = Instant::now();
    std::thread::sleep(Duration::from_millis(100));
    for _ in 0..10 {
        other.call("empty", json!([])).unwrap();
    }
    assert!(
        start.elapsed() < Duration::from_millis(1800),
        "{:?}",
        start.elapsed()
    );
    let crate::peer::Answer::Failed(error) = looping.wait(id) else {
        panic!("it came back")
    };
    assert_eq!(error.code, "CALL_DEADLINE");
    assert!(
        start.elapsed() > Duration::from_millis(1500),
        "{:?}",
        start.elapsed()
    );
    looping.ping();
}
