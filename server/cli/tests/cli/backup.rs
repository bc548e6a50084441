//! Backups, and what is done to the files of a server that does not run.

use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::server::{Done, TestServer, run, syncline};

const SAID: &str = "SELECT text FROM message ORDER BY id";

/// A server with `chat`: Lsn 2 says `0`, Lsn 3 `1`, and so on up to `4`.
fn with_messages() -> TestServer {
    let server = TestServer::with_chat();
    for text in ["0", "1", "2", "3", "4"] {
        let args = json!({ "room": 1, "text": text }).to_string();
        server.run(&["call", "chat", "send", "--args", &args]).ok();
    }
    server
}

fn said(server: &TestServer, database: &str) -> Vec<String> {
    let rows = server.json(&["query", database, SAID]);
    let rows = rows["rows"].as_array().unwrap().iter();
    rows.map(|row| row[0].as_str().unwrap().to_owned())
        .collect()
}

/// A command on a data folder without a server.
fn offline(folder: &Path, args: &[&str]) -> Done {
    let mut command = syncline();
    command.args(args).env("SYNCLINE_DATA", folder.join("data"));
    run(command.current_dir(folder))
}

fn first_file(folder: &Path) -> PathBuf {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.remove(0)
}

fn flip(file: &Path, at: u64) {
    let mut options = std::fs::OpenOptions::new();
    let file = options.read(true).write(true).open(file).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 4], at).unwrap();
}

#[test]
fn a_backup_is_restored_on_another_server() {
    let server = with_messages();
    let made = server.run(&["backup", "chat"]).ok();
    assert!(
        made.starts_with("chat at lsn 6 written to chat.backup ("),
        "{made}"
    );
    assert!(made.trim_end().ends_with(" rows verified)"), "{made}");
    let file = server.folder.path().join("chat.backup");
    server.run(&["call", "chat", "send", "1", "later"]).ok();

    let other = TestServer::start();
    let file = file.to_str().unwrap();
    let restored = other.run(&["restore", "chat", file]).ok();
    assert!(
        restored.starts_with("chat is restored as of lsn 6, 20"),
        "{restored}"
    );
    assert_eq!(said(&other, "chat"), ["0", "1", "2", "3", "4"]);
    // The module is there, and the numbers go on.
    other.run(&["call", "chat", "send", "1", "on"]).ok();
    let ids = other.json(&["query", "chat", "SELECT id FROM message WHERE text = 'on'"]);
    assert_eq!(ids["rows"], json!([["6"]]));
    // To an earlier point, beside it.
    let early = other.json(&["restore", "early", file, "--as-of", "4"]);
    assert_eq!(early["lsn"], 4);
    assert_eq!(said(&other, "early"), ["0", "1", "2"]);
    let then = other.json(&["query", "early", SAID, "--as-of", "4"]);
    assert_eq!(then["rows"], json!([["0"], ["1"], ["2"]]));
    let error = other.run(&["restore", "chat", file]).failed(1);
    assert!(error.contains("code: DATABASE_EXISTS"), "{error}");
    let error = other
        .run(&["restore", "x", file, "--as-of", "99"])
        .failed(1);
    assert!(error.contains("the last one is 6"), "{error}");
    let error = other
        .run(&["restore", "x", file, "--token", "forged"])
        .failed(1);
    assert!(error.contains("ADMIN_REQUIRED"), "{error}");
    // What came is not kept, and restored databases are there after a restart.
    let folder = other.folder.clone();
    let incoming = std::fs::read_dir(other.data().join("incoming")).unwrap();
    assert_eq!(incoming.count(), 0);
    other.terminate();
    let other = TestServer::start_in(folder);
    assert_eq!(said(&other, "early"), ["0", "1", "2"]);
    assert_eq!(said(&other, "chat").len(), 6);
}

#[test]
fn a_bad_backup_is_refused_by_everybody() {
    let server = with_messages();
    server.run(&["backup", "chat", "--out", "good.backup"]).ok();
    let folder = server.folder.path();
    let good = std::fs::read(folder.join("good.backup")).unwrap();
    std::fs::write(folder.join("cut.backup"), &good[..good.len() - 9]).unwrap();
    std::fs::write(folder.join("text.backup"), "hello").unwrap();
    std::fs::write(folder.join("rotten.backup"), &good).unwrap();
    flip(&folder.join("rotten.backup"), good.len() as u64 / 2);
    for (file, words) in [
        ("cut.backup", "before it is whole"),
        ("text.backup", "no backup of a database"),
        ("rotten.backup", "damaged at byte"),
    ] {
        let error = server.run(&["restore", "x", file]).failed(1);
        assert!(
            error.contains("code: BAD_BACKUP") && error.contains(words),
            "{error}"
        );
        let error = server.run(&["check", "--backup", file]).failed(1);
        assert!(error.contains(words), "{error}");
    }
    // Nobody has to be able to write to it.
    let read_only = std::fs::Permissions::from_mode(0o400);
    std::fs::set_permissions(folder.join("good.backup"), read_only).unwrap();
    let report = server.json(&["check", "--backup", "good.backup"]);
    assert_eq!(
        (&report["last"], &report["problems"]),
        (&json!(6), &json!([]))
    );
    let error = server.run(&["backup", "chit"]).failed(1);
    assert!(error.contains("did you mean chat?"), "{error}");
    let schema = server.run(&["schema", "x"]).failed(1);
    assert!(schema.contains("NO_DATABASE"), "{schema}");
}

#[test]
fn check_salvage_and_compact_need_the_server_to_be_down() {
    let server = with_messages();
    let folder = server.folder.clone();
    for args in [
        &["check"][..],
        &["salvage", "chat", "x"],
        &["compact", "chat"],
    ] {
        let error = offline(folder.path(), args).failed(2);
        assert!(error.contains("a server runs on"), "{error}");
    }
    server.terminate();
    let folder = folder.path();
    let said = offline(folder, &["check"]).ok();
    assert!(
        said.starts_with("chat: ") && said.contains("tables at lsn 6; "),
        "{said}"
    );
    let report = offline(folder, &["check", "chat", "--json"]).ok();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(
        (&report["name"], &report["oldest"]),
        (&json!("chat"), &json!(0))
    );
    let error = offline(folder, &["check", "chit"]).failed(2);
    assert!(error.contains("no database named chit"), "{error}");

    let said = offline(folder, &["compact", "chat"]).ok();
    assert!(said.starts_with("chat begins at lsn 6 now: "), "{said}");
    let report = offline(folder, &["check", "chat", "--json"]).ok();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["oldest"], &report["last"]), (&json!(6), &json!(6)));
    let error = offline(Path::new("/"), &["check", "--data", "/nowhere"]).failed(2);
    assert!(error.contains("no such folder"), "{error}");
}

#[test]
fn what_is_good_of_a_damaged_database_is_saved() {
    let server = with_messages();
    let folder = server.folder.clone();
    server.terminate();
    let log = folder.path().join("data/databases/chat/log");
    let segment = first_file(&log);
    // Somewhere in the messages, which are the last thing in the log.
    let bytes = std::fs::read(&segment).unwrap();
    let used = bytes.iter().rposition(|&byte| byte != 0).unwrap() as u64;
    flip(&segment, used - 300);
    let done = offline(folder.path(), &["check"]);
    assert_eq!(done.code, 1, "{}", done.stderr);
    assert!(
        done.stdout.contains("chat: ") && done.stdout.contains(".log at byte "),
        "{}",
        done.stdout
    );
    assert!(done.stderr.contains("found"), "{}", done.stderr);

    let saved = offline(folder.path(), &["salvage", "chat", "saved", "--json"]).ok();
    let saved: serde_json::Value = serde_json::from_str(&saved).unwrap();
    let lsn = saved["lsn"].as_u64().unwrap();
    assert!((1..6).contains(&lsn), "{saved}");
    assert!(!saved["problems"].as_array().unwrap().is_empty(), "{saved}");
    // The damaged one is out of the way, and the server starts with the other.
    std::fs::rename(
        folder.path().join("data/databases/chat"),
        folder.path().join("damaged"),
    )
    .unwrap();
    let server = TestServer::start_in(folder);
    let kept = said(&server, "saved");
    assert_eq!(
        kept,
        (0..lsn - 1)
            .map(|text| text.to_string())
            .collect::<Vec<_>>()
    );
    server.run(&["call", "saved", "send", "1", "on"]).ok();
}
