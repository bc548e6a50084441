//! Rows out of a database and into another.

use std::fmt::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::server::{TestServer, module, run};

/// A server with two databases of chat; the first has some messages.
fn two_chats() -> TestServer {
    let server = TestServer::with_chat();
    let wasm = module("chat");
    let publish = ["publish", wasm.to_str().unwrap(), "--database", "other"];
    server.run(&publish).ok();
    for text in ["hi", "a \"quote\", and a comma", "two\nlines"] {
        server.run(&["call", "chat", "send", "1", text]).ok();
    }
    server
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn a_database_goes_through_files_into_another() {
    let server = two_chats();
    // All tables at once. The lobby is there already: `init` has made it.
    let said = server.run(&["export", "chat", "--out", "all.jsonl"]).ok();
    assert!(
        said.contains(" rows at lsn ") && said.contains("written to all.jsonl"),
        "{said}"
    );
    let error = server.run(&["import", "other", "all.jsonl"]).failed(1);
    assert!(
        error.contains("code: BAD_ROW") && error.contains("upsert"),
        "{error}"
    );
    // Tables come one after the other, and messages before rooms.
    assert!(error.contains("go on with --skip 3"), "{error}");
    let done = server.json(&["import", "other", "all.jsonl", "--mode", "upsert"]);
    assert_eq!(
        (&done["inserted"], &done["updated"]),
        (&json!(0), &json!(4)),
        "{done}"
    );
    let (first, second) = (
        server.run(&["export", "chat"]).ok(),
        server.run(&["export", "other"]).ok(),
    );
    assert_eq!(sorted(&first), sorted(&second));

    // One table as CSV, through a pipe; the file's ending tells the form.
    let table = ["--table", "message"];
    server
        .run(&[&["export", "chat", "--out", "m.csv"][..], &table].concat())
        .ok();
    let text = std::fs::read_to_string(server.folder.path().join("m.csv")).unwrap();
    assert!(text.starts_with("id,room,author,"), "{text}");
    assert!(
        text.contains(",\"a \"\"quote\"\", and a comma\"") && text.contains("\"two\nlines\""),
        "{text}"
    );
    server
        .run(&[
            "publish",
            module("chat").to_str().unwrap(),
            "--database",
            "third",
        ])
        .ok();
    let csv = [
        "import", "third", "-", "--format", "csv", "--table", "message",
    ];
    let file = std::fs::File::open(server.folder.path().join("m.csv")).unwrap();
    let said = run(server.command(&csv).stdin(Stdio::from(file))).ok();
    assert!(
        said.starts_with("3 rows imported: 3 new, 0 replaced (lsn "),
        "{said}"
    );
    let of = |database: &str| server.run(&["export", database, "--table", "message"]).ok();
    assert_eq!(sorted(&of("chat")), sorted(&of("third")));
    let done = server.json(&["export", "chat", "--table", "message", "--out", "m.jsonl"]);
    assert_eq!(done["rows"], 3);
    assert!(!server.folder.path().join("m.jsonl.part").exists());
}

#[test]
fn an_import_that_stopped_goes_on() {
    let server = TestServer::with_chat();
    // More than one part of 4 MiB, and a bad row in the last one.
    let line = |id: u32, name: &str| format!("{{\"id\": {id}, \"name\": \"{name}\"}}\n");
    let long = "x".repeat(400);
    let mut text = String::new();
    for id in 10..14_010 {
        text += &line(id, &format!("{long}{id}"));
    }
    let whole = text.len();
    writeln!(text, "{{\"id\": \"ten\", \"name\": \"\"}}").unwrap();
    text += &line(20_000, "last");
    assert!(whole > 4 << 20);
    let file = server.folder.path().join("rooms.jsonl");
    std::fs::write(&file, &text).unwrap();
    let import = ["import", "chat", "rooms.jsonl", "--table", "room"];
    let error = run(server.command(&import).arg("--json")).failed(1);
    let error: Value = serde_json::from_str(&error).unwrap();
    let (message, hint) = (&error["error"]["message"], &error["error"]["hint"]);
    let message = message.as_str().unwrap();
    assert!(
        message.starts_with("line 14001, column id: expected u32, found"),
        "{error}"
    );
    assert!(
        hint.as_str().unwrap().ends_with("go on with --skip 14000"),
        "{error}"
    );

    let corrected = text.replace("\"ten\"", "19999");
    std::fs::write(&file, corrected).unwrap();
    let said = server
        .run(&[&import[..], &["--skip", "14000"]].concat())
        .ok();
    assert!(said.starts_with("2 rows imported"), "{said}");
    let count = server.json(&["query", "chat", "SELECT COUNT(*) AS n FROM room"]);
    assert_eq!(count["rows"], json!([["14003"]]));
    let error = server
        .run(&[&import[..], &["--skip", "20000"]].concat())
        .failed(2);
    assert!(error.contains("there are 14002 rows"), "{error}");
}

#[test]
fn what_export_and_import_refuse() {
    let server = TestServer::with_chat();
    std::fs::write(server.folder.path().join("none.jsonl"), "").unwrap();
    for (args, code, words) in [
        (&["export", "chit"][..], 1, "did you mean chat?"),
        (&["export", "chat", "--table", "rom"], 1, "its tables are"),
        (&["export", "chat", "--format", "csv"], 2, "--table"),
        (&["export", "chat", "--out", "x.csv"], 2, "--table"),
        (
            &["export", "chat", "--out", "no/such/folder"],
            1,
            "no/such/folder",
        ),
        (
            &["export", "chat", "--token", "forged"],
            1,
            "ADMIN_REQUIRED",
        ),
        (
            &["import", "chat", "missing.csv", "--table", "room"],
            1,
            "missing.csv",
        ),
        (
            &["import", "chat", "none.jsonl", "--table", "rom"],
            1,
            "its tables are",
        ),
        (
            &["import", "chat", "none.jsonl", "--token", "forged"],
            1,
            "ADMIN_REQUIRED",
        ),
        (
            &[
                "import",
                "chat",
                "none.jsonl",
                "--format",
                "csv",
                "--table",
                "room",
            ],
            1,
            "no head",
        ),
        (
            &["import", "chat", "none.jsonl", "--format", "xml"],
            2,
            "jsonl",
        ),
    ] {
        let error = server.run(args).failed(code);
        assert!(error.contains(words), "{args:?}: {error}");
    }
    let done = server.json(&["import", "chat", "none.jsonl"]);
    assert_eq!(done["rows"], 0);
    // Nothing is left of an export that failed.
    assert!(!server.folder.path().join("x.csv").exists());
}
