//! SIGKILL in the middle of load: what was confirmed is there once, what was not is there once or not at
//! all, and nothing is there by half. `cargo xtask bench kill` does the same at length.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use syncline_protocol::message::Encoding;

use crate::client::Client;
use crate::peer::Answer;
use crate::server::{TestServer, post, wasm};
use crate::socket::{Event, Socket};

const FOLDER: &str = "SYNCLINE_TEST_FOLDER";
const ACCOUNTS: u64 = 20;
const OPENING: i64 = 1_000_000;
const CLIENTS: u64 = 3;
const IN_FLIGHT: usize = 8;

/// The victim: this test in a process of its own, started by the other one.
#[test]
#[ignore = "runs for ever, on the folder that SYNCLINE_TEST_FOLDER names"]
fn a_server_until_it_is_killed() {
    let folder = std::env::var(FOLDER).unwrap();
    let server = TestServer::on(Path::new(&folder));
    println!("\nlistening on {}", server.server().address());
    loop {
        std::thread::park();
    }
}

struct Victim {
    child: Child,
    address: SocketAddr,
}

impl Victim {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "kill::a_server_until_it_is_killed",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .env(FOLDER, folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut addresses = lines.map_while(Result::ok).filter_map(|line| {
            line.strip_prefix("listening on ")
                .map(|address| address.parse().unwrap())
        });
        let address = addresses.next().expect("the server listens");
        Self { child, address }
    }

    fn connect(&self) -> Client {
        let socket = Socket::open_at(self.address, "bank", Encoding::MessagePack);
        Client::greet(socket, Encoding::MessagePack, None).unwrap()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// One client's transfers: what it sent by marker, and what was confirmed.
#[derive(Default)]
struct Ledger {
    sent: BTreeMap<u64, (u64, u64, i64)>,
    confirmed: Vec<u64>,
}

impl Ledger {
    /// Transfers until the connection is lost.
    fn fill(mut client: Client, first_marker: u64) -> Self {
        let mut ledger = Self::default();
        let mut markers = BTreeMap::new();
        let mut marker = first_marker;
        loop {
            while markers.len() < IN_FLIGHT {
                let (from, to) = (marker % ACCOUNTS, (marker * 7 + 1) % ACCOUNTS);
                let amount = (marker % 5) as i64 + 1;
                let args = json!([marker, from, to, amount]);
                let (id, message) = client.peer.call("transfer_marked", args).unwrap();
                client.send(&message);
                ledger.sent.insert(marker, (from, to, amount));
                markers.insert(id, marker);
                marker += 1;
            }
            let Event::Message(bytes) = client.socket.receive() else {
                return ledger;
            };
            client.peer.receive(&bytes);
            for (id, answer) in std::mem::take(&mut client.peer.answers) {
                assert!(matches!(answer, Answer::Value(..)), "{answer:?}");
                ledger.confirmed.extend(markers.remove(&id));
            }
        }
    }
}

#[test]
fn what_was_confirmed_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let victim = Victim::start(folder.path());
    let token = std::fs::read_to_string(folder.path().join("admin.token")).unwrap();
    let publish = format!("http://{}/v1/databases/bank/publish", victim.address);
    let answer = post(&publish, &wasm("bank"), Some(token.trim()));
    assert_eq!(answer.status, 200, "{}", answer.text);
    victim
        .connect()
        .call("open_accounts", json!([ACCOUNTS, OPENING]))
        .unwrap();
    let mut all = Ledger::default();
    let mut victim = Some(victim);
    for round in 0..3_u64 {
        let running = victim.take().unwrap();
        let threads: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let client = running.connect();
                let first_marker = (round * CLIENTS + number) * 1_000_000;
                std::thread::spawn(move || Ledger::fill(client, first_marker))
            })
            .collect();
        std::thread::sleep(Duration::from_millis(300 + 97 * round));
        drop(running);
        for thread in threads {
            let ledger = thread.join().unwrap();
            assert!(
                !ledger.confirmed.is_empty(),
                "the kill came before anything was confirmed"
            );
            all.sent.extend(ledger.sent);
            all.confirmed.extend(ledger.confirmed);
        }
        let start = Instant::now();
        let next = Victim::start(folder.path());
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "the restart took {:?}",
            start.elapsed()
        );
        check(&mut next.connect(), &all);
        victim = Some(next);
    }
}

fn check(client: &mut Client, ledger: &Ledger) {
    let number =
        |row: &serde_json::Value, name: &str| row[name].as_str().unwrap().parse::<i64>().unwrap();
    let markers = client.query("SELECT id FROM marker").unwrap();
    let mut balances: BTreeMap<_, _> = (0..ACCOUNTS).map(|id| (id, OPENING)).collect();
    let mut there = std::collections::BTreeSet::new();
    for row in &markers {
        let marker = number(row, "id") as u64;
        assert!(there.insert(marker), "marker {marker} is there twice");
        let (from, to, amount) = ledger.sent[&marker];
        // A transfer to the same account moves nothing.
        *balances.get_mut(&from).unwrap() -= amount;
        *balances.get_mut(&to).unwrap() += amount;
    }
    for marker in &ledger.confirmed {
        assert!(
            there.contains(marker),
            "transfer {marker} was confirmed and is gone"
        );
    }
    for row in client.query("SELECT id, balance FROM account").unwrap() {
        let id = number(&row, "id") as u64;
        assert_eq!(number(&row, "balance"), balances[&id], "account {id}");
    }
    // The subscription side starts from the same rows.
    let id = client.subscribe("SELECT id FROM marker", &[]);
    assert_eq!(client.peer.subscriptions[&id].live.len(), there.len());
}
