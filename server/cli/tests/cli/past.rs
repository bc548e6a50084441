//! Databases as they were.

use serde_json::json;

use crate::server::TestServer;

/// A server with `chat`, where room 2 was opened as `den` at Lsn 2 and messages said at 3 and 4.
fn with_a_past() -> TestServer {
    let server = TestServer::with_chat();
    server.run(&["call", "chat", "open_room", "den"]).ok();
    server.run(&["call", "chat", "send", "2", "one"]).ok();
    server.run(&["call", "chat", "send", "2", "two"]).ok();
    server
}

#[test]
fn query_as_of_and_fork() {
    let server = with_a_past();
    let said = "SELECT text FROM message ORDER BY id";
    let at = |as_of: &str| server.run(&["query", "chat", said, "--as-of", as_of]);
    assert_eq!(at("3").ok(), "text\n----\none\n1 row\n");
    assert_eq!(
        server.json(&["query", "chat", said, "--as-of", "2"])["rows"],
        json!([])
    );
    // All of it has happened within the last hour, and none of it before.
    let error = at("1h").failed(1);
    assert!(error.contains("code: NOT_KEPT"), "{error}");
    let error = at("99").failed(1);
    assert!(error.contains("the last one is 4"), "{error}");
    let error = at("yesterday").failed(2);
    assert!(error.contains("2026-11-25T12:00:00Z"), "{error}");

    let made = server
        .run(&["fork", "then", "--from", "chat", "--as-of", "3"])
        .ok();
    assert!(made.starts_with("then is chat as of lsn 3, 20"), "{made}");
    assert_eq!(
        server.json(&["query", "then", said])["rows"],
        json!([["one"]])
    );
    server.run(&["call", "then", "send", "2", "other"]).ok();
    assert_eq!(server.json(&["fork", "now", "--from", "chat"])["lsn"], 4);
    assert_eq!(
        server.json(&["query", "now", said])["rows"],
        json!([["one"], ["two"]])
    );
    let error = server.run(&["fork", "then", "--from", "chat"]).failed(1);
    assert!(error.contains("code: DATABASE_EXISTS"), "{error}");
}

#[test]
fn history_of_a_row() {
    let server = with_a_past();
    let text = server.run(&["history", "chat", "room", "2"]).ok();
    assert!(
        text.starts_with("2  20") && text.lines().count() == 1,
        "{text}"
    );
    assert!(
        text.contains("Z  insert  id=2 name=den  by open_room(name=den) for "),
        "{text}"
    );
    let events = server.json(&["history", "chat", "message", "2"]);
    assert_eq!(
        events["events"][0]["args"],
        json!({ "room": 2, "text": "two" })
    );
    let lobby = server.run(&["history", "chat", "room", "1"]).ok();
    assert!(
        lobby.contains("insert  id=1 name=lobby  by a publish for "),
        "{lobby}"
    );
    assert_eq!(server.run(&["history", "chat", "room", "7"]).ok(), "");
    for (args, words) in [
        (["history", "chat", "rom", "1"], "its tables are"),
        (
            ["history", "chat", "room", "x"],
            "key column id: expected u32",
        ),
        (["history", "chit", "room", "1"], "did you mean chat?"),
    ] {
        let error = server.run(&args).failed(1);
        assert!(error.contains(words), "{error}");
    }
}
