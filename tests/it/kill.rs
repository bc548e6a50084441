//! SIGKILL in the middle of load, of a checkpoint, of a publish: what was confirmed is there once, what was not is there once
//! or not at all, and nothing is there by half. `cargo xtask bench kill` does the same at length.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use syncline_protocol::Lsn;
use syncline_protocol::message::{Delivery, Encoding};
use syncline_server::{Config, Data};

use crate::client::Client;
use crate::peer::Answer;
use crate::server::{TestServer, post, wasm};
use crate::socket::{Event, Socket};

const FOLDER: &str = "SYNCLINE_TEST_FOLDER";
/// Bytes of log after which the victim takes a checkpoint.
const CHECKPOINT: &str = "SYNCLINE_TEST_CHECKPOINT_BYTES";
const ACCOUNTS: u64 = 20;
const OPENING: i64 = 1_000_000;
const CLIENTS: u64 = 3;
const IN_FLIGHT: usize = 8;

/// The victim: this test in a process of its own, started by the other one.
#[test]
#[ignore = "runs for ever, on the folder that SYNCLINE_TEST_FOLDER names"]
fn a_server_until_it_is_killed() {
    let mut config = Config {
        data: Data::Folder(std::env::var_os(FOLDER).unwrap().into()),
        ..Config::default()
    };
    if let Ok(bytes) = std::env::var(CHECKPOINT) {
        config.checkpoint_bytes = bytes.parse().unwrap();
    }
    let server = TestServer::with(config);
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
        Self::start_with(folder, &[])
    }

    fn start_with(folder: &Path, variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "kill::a_server_until_it_is_killed",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .env(FOLDER, folder)
            .envs(variables.iter().copied())
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
        self.connect_for("bank", Delivery::Confirmed)
    }

    fn connect_for(&self, database: &str, delivery: Delivery) -> Client {
        let socket = Socket::open_at(self.address, database, Encoding::MessagePack);
        Client::greet_for(socket, Encoding::MessagePack, None, delivery).unwrap()
    }

    /// Publishes a module, and says whether it was told that this is done: the process may be killed meanwhile.
    fn publish(address: SocketAddr, folder: &Path, database: &str, module: &str) -> bool {
        let token = std::fs::read_to_string(folder.join("admin.token")).unwrap();
        let url = format!("http://{address}/v1/databases/{database}/publish");
        let wasm = wasm(module);
        // A connection that breaks is a panic in there.
        let asked = std::panic::catch_unwind(|| post(&url, &wasm, Some(token.trim())));
        asked.is_ok_and(|answer| {
            assert_eq!(answer.status, 200, "{}", answer.text);
            true
        })
    }

    /// With the module bank published and its accounts open.
    fn start_bank(folder: &Path, variables: &[(&str, &str)], accounts: u64) -> Self {
        let victim = Self::start_with(folder, variables);
        assert!(Self::publish(victim.address, folder, "bank", "bank"));
        let opened = victim
            .connect()
            .call("open_accounts", json!([accounts, OPENING]));
        opened.unwrap();
        victim
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
    /// Told before it was durable, with the Lsn that was told.
    unconfirmed: Vec<(Lsn, u64)>,
}

impl Ledger {
    /// Transfers until the connection is lost.
    fn fill(mut client: Client, first_marker: u64, delivery: Delivery) -> Self {
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
                let Answer::Value(lsn, _) = answer else {
                    panic!("{answer:?}");
                };
                let marker = markers.remove(&id).unwrap();
                match delivery {
                    Delivery::Confirmed => ledger.confirmed.push(marker),
                    Delivery::Unconfirmed => ledger.unconfirmed.push((lsn, marker)),
                }
            }
        }
    }
}

/// Clients that transfer until the process is killed, `kill` says when; what all of them know.
fn load(victim: Victim, round: u64, kill: impl FnOnce()) -> Ledger {
    let threads: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let delivery = if number % 2 == 0 {
                Delivery::Confirmed
            } else {
                Delivery::Unconfirmed
            };
            let client = victim.connect_for("bank", delivery);
            let first_marker = (round * CLIENTS + number) * 1_000_000;
            std::thread::spawn(move || Ledger::fill(client, first_marker, delivery))
        })
        .collect();
    kill();
    drop(victim);
    let mut all = Ledger::default();
    for thread in threads {
        let ledger = thread.join().unwrap();
        all.sent.extend(ledger.sent);
        all.confirmed.extend(ledger.confirmed);
        all.unconfirmed.extend(ledger.unconfirmed);
    }
    all
}

/// Starts the process again, which must be quick.
fn restart(folder: &Path, variables: &[(&str, &str)]) -> Victim {
    let start = Instant::now();
    let next = Victim::start_with(folder, variables);
    let took = start.elapsed();
    assert!(took < Duration::from_secs(20), "the restart took {took:?}");
    next
}

#[test]
fn what_was_confirmed_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut victim = Victim::start_bank(folder.path(), &[], ACCOUNTS);
    let mut all = Ledger::default();
    let mut epoch = 0;
    for round in 0..4 {
        let ledger = load(victim, round, || {
            std::thread::sleep(Duration::from_millis(300 + 97 * round));
        });
        let told = (!ledger.confirmed.is_empty(), !ledger.unconfirmed.is_empty());
        assert_eq!(told, (true, true), "the kill came before anything was told");
        all.sent.extend(ledger.sent);
        all.confirmed.extend(ledger.confirmed);
        victim = restart(folder.path(), &[]);
        let mut client = victim.connect();
        let there = check(&mut client, &all, ACCOUNTS);
        // Whoever was told too early is told of another epoch, and of what he was told the beginning is there.
        let now = client.peer.welcome.as_ref().unwrap().epoch.0;
        assert!(now > epoch, "epoch {now} after {epoch}");
        epoch = now;
        let (kept, lost): (Vec<_>, Vec<_>) = ledger
            .unconfirmed
            .iter()
            .partition(|(_, marker)| there.contains(marker));
        let first_lost = lost.iter().map(|(lsn, _)| *lsn).min();
        let last_kept = kept.iter().map(|(lsn, _)| *lsn).max();
        assert!(
            first_lost.is_none_or(|lost| last_kept.is_none_or(|kept| kept < lost)),
            "{last_kept:?} is there, {first_lost:?} is not"
        );
        println!("round {round}: {} kept, {} lost", kept.len(), lost.len());
    }
}

/// Files of checkpoints with this at the end of their names.
fn checkpoints(folder: &Path, extension: &str) -> usize {
    let files = std::fs::read_dir(folder.join("databases/bank/checkpoints"));
    let files = files.into_iter().flatten().flatten();
    files
        .filter(|file| {
            file.path()
                .extension()
                .is_some_and(|found| found == extension)
        })
        .count()
}

#[test]
fn a_kill_in_the_middle_of_a_checkpoint_costs_nothing() {
    const MANY: u64 = 20_000;
    // More: `KILL_ROUNDS=20`.
    let rounds = std::env::var("KILL_ROUNDS").map_or(8, |rounds| rounds.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let variables = [(CHECKPOINT, "100000")];
    let mut victim = Victim::start_bank(folder.path(), &variables, MANY);
    let mut all = Ledger::default();
    let mut caught = 0;
    for round in 0..rounds {
        let ledger = load(victim, round, || {
            let start = Instant::now();
            while checkpoints(folder.path(), "new") == 0 && start.elapsed().as_secs() < 20 {
                std::thread::sleep(Duration::from_micros(100));
            }
            // At its beginning, in the middle, near its end.
            std::thread::sleep(Duration::from_micros(700 * (round % 8)));
        });
        caught += u64::from(checkpoints(folder.path(), "new") > 0);
        all.sent.extend(ledger.sent);
        all.confirmed.extend(ledger.confirmed);
        victim = restart(folder.path(), &variables);
        check(&mut victim.connect(), &all, MANY);
    }
    println!("{caught} of {rounds} kills met a checkpoint");
    assert!(caught * 2 >= rounds, "{caught} of {rounds} kills met one");
    assert!(checkpoints(folder.path(), "damaged") == 0);
}

#[test]
fn a_kill_in_the_middle_of_a_publish_leaves_the_old_module_or_the_new_one() {
    // While the file of the module is written, when it has its name, when the log has the publish, when that is told.
    const DELAYS_US: [u64; 8] = [0, 300, 1000, 2000, 4000, 8000, 16_000, 32_000];
    let folder = tempfile::tempdir().unwrap();
    let publish =
        |address, database: &str, module| Victim::publish(address, folder.path(), database, module);
    let stored = |database: &str| {
        let database = folder.path().join("databases").join(database);
        std::fs::read_dir(database.join("modules")).map_or(0, Iterator::count)
    };
    let mut victim = Victim::start(folder.path());
    // From here on it is compiled already: what is left of a publish is what is done on the disk.
    assert!(publish(victim.address, "first", "scripted-attic"));
    let (mut met, mut old, mut new) = (0, 0, 0);
    for (round, delay) in DELAYS_US.into_iter().enumerate() {
        let database = format!("database-{round}");
        let address = victim.address;
        assert!(publish(address, &database, "scripted"));
        assert_eq!(stored(&database), 1);
        let is_told = std::thread::scope(|scope| {
            let asked = scope.spawn(|| publish(address, &database, "scripted-attic"));
            // Until there is the file of the second module, or what will be it.
            while stored(&database) == 1 && !asked.is_finished() {
                std::thread::sleep(Duration::from_micros(50));
            }
            std::thread::sleep(Duration::from_micros(delay));
            drop(victim);
            asked.join().unwrap()
        });
        met += u32::from(!is_told && stored(&database) > 1);
        victim = restart(folder.path(), &[]);
        let mut client = victim.connect_for(&database, Delivery::Confirmed);
        let is_new = client.query("SELECT * FROM thing").is_ok();
        assert!(is_new || !is_told, "the publish was answered and is gone");
        if is_new {
            new += 1;
        } else {
            old += 1;
        }
        client.query("SELECT * FROM word").unwrap();
        drop(client);
        assert!(publish(victim.address, &database, "scripted-attic"));
        let mut client = victim.connect_for(&database, Delivery::Confirmed);
        client.query("SELECT * FROM thing").unwrap();
    }
    println!("{met} kills met a publish: {old} times the old module, {new} times the new one");
    // Those that came at once.
    assert!(met >= 3, "{met} kills met a publish");
}

/// Returns the markers that are there.
fn check(client: &mut Client, ledger: &Ledger, accounts: u64) -> BTreeSet<u64> {
    let number =
        |row: &serde_json::Value, name: &str| row[name].as_str().unwrap().parse::<i64>().unwrap();
    let markers = client.query("SELECT id FROM marker").unwrap();
    let mut balances: BTreeMap<_, _> = (0..accounts).map(|id| (id, OPENING)).collect();
    let mut there = BTreeSet::new();
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
    there
}
