//! A client that does not read, and others that do.

use std::time::{Duration, Instant};

use serde_json::json;
use syncline_protocol::message::Encoding;

use crate::client::Client;
use crate::server::TestServer;
use crate::socket::Event;

#[test]
fn who_does_not_read_is_closed_and_nobody_waits() {
    let server = TestServer::of("bank");
    let mut slow = Client::connect(&server, "bank");
    slow.subscribe("SELECT * FROM event", &[]);
    let mut reader = Client::try_connect(&server, "bank", Encoding::Json, None).unwrap();
    let events = reader.subscribe("SELECT * FROM event", &[]);
    let mut writer = Client::connect(&server, "bank");
    let payload = "x".repeat(500_000);
    let mut longest = Duration::ZERO;
    let mut id = 0;
    // More than the sockets' buffers and the outbox hold.
    while server.metric("syncline_slow_clients_total") == 0 {
        for _ in 0..8 {
            let start = Instant::now();
            writer.call("post", json!([id, payload])).unwrap();
            reader.ping();
            longest = longest.max(start.elapsed());
            id += 1;
        }
        assert!(id < 400, "200 MB wait for a client that does not read");
    }
    assert_eq!(reader.peer.subscriptions[&events].live.len(), id as usize);
    assert!(longest < Duration::from_secs(5), "a call took {longest:?}");
    // It is told why, if it reads at last; or the buffers were full, and it was cut.
    loop {
        match slow.socket.receive() {
            Event::Message(bytes) => slow.peer.receive(&bytes),
            Event::Closed(close) => {
                let code = slow.peer.last_error.expect("a close has a reason").code;
                assert_eq!((close, &*code), (1008, "SLOW_CLIENT"));
                break;
            }
            Event::Lost => break,
        }
    }
    writer.ping();
}

#[test]
fn who_does_not_read_answers_is_not_heard() {
    let server = TestServer::of("scripted");
    let mut slow = Client::connect(&server, "scripted");
    let mut other = Client::connect(&server, "scripted");
    other.call("write_many", json!([5000, 1])).unwrap();
    // 200 answers of 200 kB each wait for it, or would.
    for _ in 0..200 {
        let (_, message) = slow.peer.query("SELECT * FROM reading", &[]);
        slow.send(&message);
    }
    let start = Instant::now();
    for _ in 0..20 {
        other.ping();
    }
    assert!(start.elapsed() < Duration::from_secs(10));
    // It reads at last, and has them all, or was closed for it.
    let mut bytes = 0;
    while let Event::Message(message) = slow.socket.receive() {
        bytes += message.len();
        slow.peer.receive(&message);
        if slow.peer.answers.len() == 200 {
            break;
        }
    }
    let told = slow.peer.last_error.map(|error| error.code);
    assert!(
        slow.peer.answers.len() == 200 || told.as_deref() == Some("SLOW_CLIENT"),
        "{bytes} {told:?}"
    );
    other.ping();
}
