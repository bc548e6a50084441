//! A disk that is full in earnest: a small file system in memory, in a namespace that needs no rights of an administrator.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::server::{TestServer, module, run, syncline};

/// Of the file system.
const MIB: u64 = 48;
/// Of a file that is there for a while.
const BALLAST_MIB: usize = 36;
const ROWS: u64 = 10_000;

/// `unshare` with what makes a namespace of our own.
fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount"]);
    command.stdin(Stdio::null());
    command
}

/// A server on a file system of its own. Only through its process can others see that.
fn on_small_disk() -> Option<TestServer> {
    let is_allowed = unshare()
        .args(["mount", "-t", "tmpfs", "none", "/tmp"])
        .output();
    if !is_allowed.is_ok_and(|done| done.status.success()) {
        return None;
    }
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let path = folder.path().to_owned();
    let script = format!(
        "mount -t tmpfs -o size={MIB}m none \"$1\" && exec \"$0\" start --listen 127.0.0.1:0 --data \"$1/data\""
    );
    let mut command = unshare();
    command
        .args(["sh", "-c", &script])
        .arg(syncline().get_program())
        .arg(&path);
    let data = |process| seen_by(process, &path.join("data"));
    Some(TestServer::serve(command, folder.clone(), data))
}

fn seen_by(process: u32, path: &Path) -> PathBuf {
    let root = PathBuf::from(format!("/proc/{process}/root"));
    root.join(path.strip_prefix("/").unwrap())
}

fn count(server: &TestServer) -> u64 {
    let rows = server.json(&["query", "chat", "SELECT COUNT(*) FROM message"]);
    rows["rows"][0][0].as_str().unwrap().parse().unwrap()
}

fn health(server: &TestServer) -> Value {
    let mut answer = ureq::get(format!("{}/v1/health", server.url))
        .call()
        .unwrap();
    serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
}

#[test]
fn an_import_that_fills_the_disk_goes_on_when_there_is_room() {
    let Some(server) = on_small_disk() else {
        println!("no namespaces here: there is no small disk to fill");
        return;
    };
    let wasm = module("chat");
    let publish = ["publish", wasm.to_str().unwrap(), "--database", "chat"];
    server.run(&publish).ok();
    let ballast = server.data().join("ballast");
    std::fs::write(&ballast, vec![7; BALLAST_MIB << 20]).unwrap();
    let text = "x".repeat(1000);
    let line = |id| {
        json!({ "id": id, "room": 1, "author": "0".repeat(64), "text": text, "sent_at": "0" })
            .to_string()
            + "\n"
    };
    let file = server.folder.path().join("message.jsonl");
    std::fs::write(&file, (1..=ROWS).map(line).collect::<String>()).unwrap();
    let import = [
        "import",
        "chat",
        file.to_str().unwrap(),
        "--table",
        "message",
    ];

    let error = server.run(&import).failed(1);
    assert!(error.contains("code: DISK_FULL"), "{error}");
    assert!(error.contains("free some space"), "{error}");
    let skip = error.split("--skip ").nth(1).expect("it says how to go on");
    let digits: String = skip.chars().take_while(char::is_ascii_digit).collect();
    let there: u64 = digits.parse().unwrap();
    assert!((1000..ROWS).contains(&there), "{error}");
    // Reads go on, and what is there is what was said.
    assert_eq!(count(&server), there);
    let told = health(&server);
    assert_eq!(
        (&told["status"], &told["full"]),
        (&json!("degraded"), &json!(1))
    );

    std::fs::remove_file(&ballast).unwrap();
    // Nobody writes meanwhile.
    let is_seen = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        health(&server)["status"] == json!("ok")
    });
    assert!(is_seen, "there is room, and it is not found");
    server
        .run(&[&import[..], &["--skip", &digits]].concat())
        .ok();
    assert_eq!(count(&server), ROWS);
    assert_eq!(health(&server)["status"], json!("ok"));

    // The file system ends with the server: what is on it is looked at elsewhere.
    let copy = Arc::new(tempfile::tempdir().unwrap());
    let mut cp = Command::new("cp");
    cp.arg("-r").arg(server.data()).arg(copy.path());
    run(&mut cp).ok();
    drop(server);
    let data = copy.path().join("data");
    run(syncline().args(["check", "--data"]).arg(data)).ok();
    assert_eq!(count(&TestServer::start_in(copy)), ROWS);
}
