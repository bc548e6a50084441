//! What a server says and does on a disk that is full, broken or slow, and what is left after it.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value as Json, json};
use syncline_server::{Config, Data};
use syncline_store::disk::{Disk, DiskFile, DiskLock, RealDisk};

use crate::client::{Client, eventually};
use crate::peer::Answer;
use crate::server::TestServer;

/// What is the matter with a disk.
#[derive(Debug, Default)]
struct Trouble {
    /// No file grows any more.
    is_full: AtomicBool,
    /// No sync succeeds any more.
    is_broken: AtomicBool,
    /// No sync ends as long as this is so.
    is_stuck: AtomicBool,
    /// Syncs that have waited for that.
    stuck: AtomicUsize,
}

/// The real disk with some trouble.
#[derive(Clone, Debug, Default)]
struct BadDisk(Arc<Trouble>);

#[derive(Debug)]
struct BadFile {
    inner: Box<dyn DiskFile>,
    trouble: Arc<Trouble>,
}

impl BadDisk {
    fn file(&self, inner: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        let trouble = self.0.clone();
        Box::new(BadFile { inner, trouble })
    }
}

impl Disk for BadDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(RealDisk.create(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(RealDisk.open(path)?))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        RealDisk.exists(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(folder)
    }

    fn create_dir(&self, folder: &Path) -> io::Result<()> {
        RealDisk.create_dir(folder)
    }

    fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        self.0.sync()?;
        RealDisk.sync_dir(folder)
    }

    fn lock(&self, folder: &Path) -> io::Result<Box<dyn DiskLock>> {
        RealDisk.lock(folder)
    }

    fn free_bytes(&self, folder: &Path) -> Option<u64> {
        RealDisk.free_bytes(folder)
    }
}

impl Trouble {
    fn set(switch: &AtomicBool, is_so: bool) {
        switch.store(is_so, Ordering::SeqCst);
    }

    fn sync(&self) -> io::Result<()> {
        if self.is_stuck.load(Ordering::SeqCst) {
            self.stuck.fetch_add(1, Ordering::SeqCst);
        }
        while self.is_stuck.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        if self.is_broken.load(Ordering::SeqCst) {
            return Err(io::Error::other("the disk is broken"));
        }
        Ok(())
    }
}

/// Ends the wait of all syncs when it is dropped.
struct Unstuck<'t>(&'t Trouble);

impl Drop for Unstuck<'_> {
    fn drop(&mut self) {
        Trouble::set(&self.0.is_stuck, false);
    }
}

impl BadFile {
    fn grow_to(&self, len: u64) -> io::Result<()> {
        if self.trouble.is_full.load(Ordering::SeqCst) && len > self.inner.byte_len()? {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl DiskFile for BadFile {
    fn byte_len(&self) -> io::Result<u64> {
        self.inner.byte_len()
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.inner.read_at(offset, out)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.grow_to(offset + bytes.len() as u64)?;
        self.inner.write_at(offset, bytes)
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.grow_to(len)?;
        self.inner.set_len(len)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.trouble.sync()?;
        self.inner.sync_data()
    }
}

/// A server whose disk can be troubled, with the module bank.
struct Troubled {
    folder: tempfile::TempDir,
    server: TestServer,
    trouble: Arc<Trouble>,
}

impl Troubled {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = BadDisk::default();
        let trouble = disk.0.clone();
        let server = TestServer::with(Config {
            data: Data::Folder(folder.path().to_path_buf()),
            disk: Some(Arc::new(disk)),
            audit: false,
            ..Config::default()
        });
        server.publish("bank", "bank");
        Self {
            folder,
            server,
            trouble,
        }
    }

    /// Posts an event over HTTP: the code and the hint if it is refused.
    fn post(&self, id: u64, payload: &str) -> Result<(), (String, String)> {
        let body = json!([id, payload]).to_string();
        let path = "/v1/databases/bank/call/post";
        let answer = self.server.post(path, body, None);
        if answer.status == 200 {
            return Ok(());
        }
        let hint = answer.json()["error"]["hint"].clone();
        Err((answer.code(), hint.as_str().unwrap_or_default().to_owned()))
    }

    /// What the server says of itself.
    fn health(&self) -> Json {
        let answer = self.server.get("/v1/health");
        assert_eq!(answer.status, 200);
        answer.json()
    }

    /// The ids of the events that are there after a restart on a disk that has no trouble.
    fn restart(self) -> (TestServer, tempfile::TempDir, Vec<u64>) {
        drop(self.server);
        let server = TestServer::on(self.folder.path());
        let rows = Client::connect(&server, "bank")
            .query("SELECT id FROM event ORDER BY id")
            .unwrap();
        let id = |row: &Json| row["id"].as_str().unwrap().parse().unwrap();
        let ids = rows.iter().map(id).collect();
        (server, self.folder, ids)
    }
}

#[test]
fn a_full_disk_refuses_writes_and_takes_them_again_when_there_is_room() {
    let own = Troubled::start();
    let payload = "x".repeat(100_000);
    let mut watcher = Client::connect(&own.server, "bank");
    let events = watcher.subscribe("SELECT id FROM event", &[]);
    own.post(0, &payload).unwrap();
    Trouble::set(&own.trouble.is_full, true);
    // What was made ahead of need is used up first.
    let mut next = 1;
    let (code, hint) = loop {
        match own.post(next, &payload) {
            Ok(()) => next += 1,
            Err(refused) => break refused,
        }
        assert!(next < 1000, "it is never full");
    };
    assert_eq!(code, "DISK_FULL");
    assert!(hint.contains("free some space"), "{hint}");
    let health = own.health();
    assert_eq!(
        (&health["status"], &health["full"]),
        (&json!("degraded"), &json!(1))
    );
    assert_eq!(own.server.metric("syncline_disk_full"), 1);
    // Who reads does not notice.
    let count = watcher.query("SELECT COUNT(*) AS n FROM event").unwrap();
    assert_eq!(count[0]["n"], json!(next.to_string()));
    assert_eq!(
        watcher.peer.subscriptions[&events].live.len(),
        next as usize
    );
    let refused = own
        .server
        .publish_bytes("bank", &crate::server::wasm("board"));
    assert_eq!(refused.code(), "DISK_FULL", "{}", refused.text);

    Trouble::set(&own.trouble.is_full, false);
    eventually("there is room again", || own.post(next, &payload).is_ok());
    next += 1;
    assert_eq!(own.health()["status"], json!("ok"));
    drop(watcher);
    let (_, _, ids) = own.restart();
    assert_eq!(ids, (0..next).collect::<Vec<_>>());
}

#[test]
fn a_failed_sync_ends_all_promises_until_a_restart() {
    let own = Troubled::start();
    let watcher = Client::connect(&own.server, "bank");
    for id in 0..5 {
        own.post(id, "kept").unwrap();
    }
    Trouble::set(&own.trouble.is_broken, true);
    let (code, hint) = own.post(5, "who knows").unwrap_err();
    assert_eq!(code, "OUTCOME_UNKNOWN");
    assert!(hint.contains("restart"), "{hint}");
    // Even if the disk says that all is well again.
    Trouble::set(&own.trouble.is_broken, false);
    for id in 6..9 {
        let (code, hint) = own.post(id, "refused").unwrap_err();
        assert_eq!(code, "POISONED");
        assert!(hint.contains("restart"), "{hint}");
    }
    assert_eq!(watcher.end().0, "POISONED");
    let publish = own
        .server
        .publish_bytes("bank", &crate::server::wasm("bank"));
    assert_eq!(publish.code(), "POISONED", "{}", publish.text);
    let health = own.health();
    assert_eq!(
        (&health["status"], &health["databases"], &health["poisoned"]),
        (&json!("degraded"), &json!(1), &json!(1))
    );
    assert_eq!(own.server.metric("syncline_poisoned"), 1);

    let (server, _folder, mut ids) = own.restart();
    // The one whose outcome was unknown is there or not, those that were refused are not.
    ids.retain(|id| *id != 5);
    assert_eq!(ids, [0, 1, 2, 3, 4]);
    let mut client = Client::connect(&server, "bank");
    client.call("post", json!([9, "on"])).unwrap();
    assert_eq!(server.get("/v1/health").json()["status"], json!("ok"));
}

#[test]
fn a_disk_that_is_stuck_holds_answers_back_and_loses_none() {
    const CALLS: u64 = 200;
    let own = Troubled::start();
    own.post(0, "before").unwrap();
    let mut client = Client::connect(&own.server, "bank");
    Trouble::set(&own.trouble.is_stuck, true);
    let mut sent = Vec::new();
    for id in 1..=CALLS {
        let (request, message) = client.peer.call("post", json!([id, "x"])).unwrap();
        client.send(&message);
        sent.push(request);
    }
    eventually("the log waits for the disk", || {
        own.trouble.stuck.load(Ordering::SeqCst) > 0
            && own.server.metric("syncline_lsn") > own.server.metric("syncline_durable_lsn")
    });
    // A module that is stored meanwhile keeps nobody but who publishes it.
    let answered = std::thread::scope(|scope| {
        // Whatever fails in here: nobody is left waiting.
        let _unstuck = Unstuck(&own.trouble);
        let publish = scope.spawn(|| own.server.publish("bank", "bank"));
        eventually("the publish waits for the disk", || {
            own.trouble.stuck.load(Ordering::SeqCst) > 1
        });
        assert_eq!(own.server.metric("syncline_connections"), 1);
        assert!(!publish.is_finished());
        let early = client.socket.receive_within(Duration::from_millis(200));
        Trouble::set(&own.trouble.is_stuck, false);
        publish.join().unwrap();
        early
    });
    assert!(answered.is_none(), "{answered:?} before it was durable");
    for request in sent {
        let answer = client.wait(request);
        assert!(matches!(answer, Answer::Value(..)), "{answer:?}");
    }
    drop(client);
    let (_, _, ids) = own.restart();
    assert_eq!(ids, (0..=CALLS).collect::<Vec<_>>());
}
