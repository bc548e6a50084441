//! What goes well.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::server::{TestServer, module, root};

#[test]
fn publish_says_what_changed() {
    let server = TestServer::start();
    let wasm = module("chat");
    let publish = ["publish", wasm.to_str().unwrap(), "--database", "chat"];
    let first = server.run(&publish).ok();
    assert!(first.starts_with("published to chat (module "), "{first}");
    assert!(
        first.contains("+ tables   message, room, user\n"),
        "{first}"
    );
    assert!(first.contains("set_name"), "{first}");
    let second = server.run(&publish).ok();
    assert!(second.contains("the schema is the same"), "{second}");

    let board = module("board");
    let publish = ["publish", board.to_str().unwrap(), "--database", "chat"];
    let error = server.run(&publish).failed(1);
    assert!(
        error.contains("code: SCHEMA_CONFLICT") && error.contains("--clear-data"),
        "{error}"
    );
    let cleared = server.json(&[&publish[..], &["--clear-data"]].concat());
    assert_eq!(cleared["data_cleared"], true);
}

#[test]
fn call_query_schema_logs_and_tokens() {
    let server = TestServer::with_chat();
    assert_eq!(
        server.run(&["call", "chat", "open_room", "den"]).ok(),
        "2\n"
    );
    assert_eq!(
        server.run(&["call", "chat", "send", "2", "hi there"]).ok(),
        "1\n"
    );
    let named = [
        "call",
        "chat",
        "send",
        "--args",
        r#"{"text": "42", "room": 2}"#,
    ];
    assert_eq!(server.json(&named)["value"], "2");
    // The server's folder gives the admin's identity, so all of it is one author.
    let table = server.run(&[
        "query",
        "chat",
        "SELECT id, text FROM message WHERE room = :r",
        "--param",
        "r=2",
    ]);
    assert_eq!(
        table.ok(),
        "id  text\n--  --------\n 1  hi there\n 2  42\n2 rows\n"
    );
    let count = "SELECT id FROM room WHERE name = :name";
    let rows = server.json(&["query", "chat", count, "--param", "name=den"]);
    assert_eq!(rows["rows"], json!([[2]]));

    let schema = server.run(&["schema", "chat"]).ok();
    assert!(schema.contains("table message (public)\n  id       u64  primary key  auto increment"));
    assert!(
        schema.contains("reducer send(room: u32, text: string) -> u64\n"),
        "{schema}"
    );
    let log = server.run(&["logs", "chat"]).ok();
    assert!(log.contains("info   open_room: room 2 is den"), "{log}");
    let line: Value = server.json(&["logs", "chat", "-n", "1"]);
    assert_eq!(line["reducer"], "open_room");

    let token = server
        .run(&["token", "chat", "--subject", "ada", "--ttl", "1h"])
        .ok();
    let (first, second) = (
        server.json(&["token", "chat", "--subject", "ada"]),
        token.trim(),
    );
    assert_ne!(first["token"], second);
    let call = ["call", "chat", "send", "1", "as ada", "--token", second];
    server.run(&call).ok();
    let authors = "SELECT author FROM message WHERE room = 1";
    assert_eq!(
        server.json(&["query", "chat", authors])["rows"],
        json!([[first["identity"]]])
    );
}

#[test]
fn subscribe_prints_rows_and_then_changes() {
    let server = TestServer::with_chat();
    let sql = "SELECT id, name FROM room";
    let follow = |flags: &[&str]| {
        let mut command = server.command(&["subscribe", "chat", sql]);
        let mut child = command.args(flags).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap);
        (child, lines)
    };
    let (mut person, mut lines) = follow(&[]);
    let (mut program, mut objects) = follow(&["--json"]);
    let head: Vec<_> = lines.by_ref().take(4).collect();
    assert_eq!(head, ["id  name", "--  -----", " 1  lobby", "1 row"]);
    let first: Value = serde_json::from_str(&objects.next().unwrap()).unwrap();
    assert_eq!(first["rows"], json!([{"id": 1, "name": "lobby"}]));

    server.run(&["call", "chat", "open_room", "den"]).ok();
    assert_eq!(lines.next().unwrap(), "+ id=2  name=den");
    let change: Value = serde_json::from_str(&objects.next().unwrap()).unwrap();
    assert_eq!(
        (&change["type"], &change["row"]["name"]),
        (&json!("insert"), &json!("den"))
    );
    for child in [&mut person, &mut program] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn logs_follow() {
    let server = TestServer::with_chat();
    let mut child = server
        .command(&["logs", "chat", "-f"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    for name in ["den", "attic"] {
        server.run(&["call", "chat", "open_room", name]).ok();
        let line = lines.next().unwrap();
        assert!(line.ends_with(&format!(" is {name}")), "{line}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn generate_is_the_same_from_database_module_and_schema() {
    let server = TestServer::with_chat();
    let wasm = module("chat");
    let of_database = server
        .run(&["generate", "--lang", "typescript", "--database", "chat"])
        .ok();
    assert!(of_database.contains("  send: Reducer<{ room: number; text: string }, bigint>;\n"));
    assert_eq!(
        server.run(&["generate", wasm.to_str().unwrap()]).ok(),
        of_database
    );
    let schema = server.run(&["schema", "chat", "--json"]).ok();
    let file = server.folder.path().join("chat.json");
    std::fs::write(&file, schema).unwrap();
    let out = server.folder.path().join("types/chat.ts");
    let (file, out_name) = (file.to_str().unwrap(), out.to_str().unwrap());
    let write = ["generate", file, "--out", out_name];
    assert!(server.run(&write).ok().ends_with(": written\n"));
    assert!(server.run(&write).ok().ends_with(": unchanged\n"));
    assert_eq!(std::fs::read_to_string(&out).unwrap(), of_database);

    let fixtures = root().join("client-sdk/typescript/test/fixtures");
    let schema = fixtures.join("types.schema.json");
    let expected = std::fs::read_to_string(fixtures.join("types.generated.ts")).unwrap();
    assert_eq!(
        server.run(&["generate", schema.to_str().unwrap()]).ok(),
        expected
    );
}

#[test]
fn a_server_told_to_end_keeps_what_it_has() {
    let server = TestServer::with_chat();
    server.run(&["call", "chat", "open_room", "den"]).ok();
    let folder = server.folder.clone();
    assert_eq!(
        server.terminate(),
        (0, String::new()),
        "one line on stdout is all"
    );
    let again = TestServer::start_in(folder);
    let rows = again.json(&["query", "chat", "SELECT name FROM room"]);
    assert_eq!(rows["rows"], json!([["lobby"], ["den"]]));
}
