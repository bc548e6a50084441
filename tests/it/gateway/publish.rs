//! Publishing: what is refused and why, what changes while clients are there.

use serde_json::json;
use syncline_protocol::message::Encoding;
use syncline_protocol::{PolicyDef, ReducerKind, Schema, Type, ViewDef};

use crate::client::Client;
use crate::made_module::{index, reducer, table, wasm, wasm_of, with_description};
use crate::server::{self, TestServer};

#[test]
fn only_the_admin_publishes() {
    let server = TestServer::of("bank");
    let token = Client::connect(&server, "bank").token();
    let bank = server::wasm("bank");
    for token in [None, Some(&*token), Some("syncline_admin_guess")] {
        let answer = server.publish_as("bank", &bank, token);
        assert_eq!((answer.status, &*answer.code()), (401, "ADMIN_REQUIRED"));
    }
    assert_eq!(server.publish_as("new", &bank, None).status, 401);
    assert_eq!(server.server().databases(), ["bank"]);
}

#[test]
fn bad_modules_change_nothing() {
    let server = TestServer::of("bank");
    let mut client = Client::connect(&server, "bank");
    client.call("open_accounts", json!([2, 5])).unwrap();
    let bank = server::wasm("bank");
    let check = |wasm: &[u8], code: &str, part: &str| {
        let answer = server.publish_bytes("bank", wasm);
        assert_eq!(
            (answer.status, &*answer.code()),
            (422, code),
            "{}",
            answer.text
        );
        assert!(
            answer.text.contains(part),
            "{part:?} is not in {}",
            answer.text
        );
    };
    check(b"", "MODULE_INVALID", "");
    check(b"not wasm at all", "MODULE_INVALID", "");
    check(&bank[..bank.len() / 2], "MODULE_INVALID", "");
    check(b"\0asm\x01\0\0\0", "MODULE_ABI", "syncline_describe");
    let import = wat::parse_str(r#"(module (import "env" "clock" (func (result i64))))"#).unwrap();
    check(&import, "MODULE_ABI", "clock");
    check(
        &with_description(&[9, 0, 0, 0], &[], &[]),
        "MODULE_ABI",
        "9",
    );
    check(
        &with_description(b"\x01\0\0\0rubbish", &[], &[]),
        "MODULE_ABI",
        "does not decode",
    );
    let twice = [
        table("a", &[("id", Type::U64)]),
        table("a", &[("id", Type::U64)]),
    ];
    check(&wasm(&twice, &[], &[]), "MODULE_SCHEMA", "a");
    let mut random = 1_u64;
    for len in [1, 8, 100, 5000] {
        let noise: Vec<u8> = (0..len)
            .map(|_| {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                (random >> 56) as u8
            })
            .collect();
        check(&noise, "MODULE_INVALID", "");
        let mut damaged = bank.clone();
        let at = 8 + random as usize % (bank.len() - 8);
        damaged[at] ^= 0x55;
        let answer = server.publish_bytes("other", &damaged);
        assert!(
            answer.status == 422 || answer.status == 200,
            "{}",
            answer.text
        );
    }
    assert_eq!(client.call("total", json!([])).unwrap().1, "10");
    assert_eq!(client.peer.schema_changes, 0);
}

#[test]
fn names_of_databases() {
    let server = TestServer::start();
    let bank = server::wasm("bank");
    for name in ["Bank", "a.b", "-a", "%2e%2e", "a%2fb", &"a".repeat(65)] {
        let answer = server.publish_bytes(name, &bank);
        assert_eq!(
            (answer.status, &*answer.code()),
            (400, "BAD_REQUEST"),
            "{name}"
        );
    }
    assert!(server.server().databases().is_empty());
    let answer = server.get("/v1/databases/bnak/schema");
    assert_eq!((answer.status, &*answer.code()), (404, "NO_DATABASE"));
    server.publish("bank", "bank");
    assert!(
        server
            .get("/v1/databases/bnak/schema")
            .text
            .contains("did you mean bank?")
    );
}

#[test]
fn what_fits_is_taken_while_clients_go_on() {
    let server = TestServer::start();
    let note = || table("note", &[("id", Type::U64), ("text", Type::String)]);
    let call = |name: &str| reducer(name, ReducerKind::Call);
    let first = wasm(&[note()], &[call("go"), call("old")], &[]);
    assert_eq!(server.publish_bytes("db", &first).status, 200);
    let mut clients = Encoding::ALL.map(|encoding| {
        let mut client = Client::try_connect(&server, "db", encoding, None).unwrap();
        client.subscribe("SELECT * FROM note", &[]);
        client
    });
    let mut indexed = note();
    indexed.indexes.push(index("by_text", 1));
    let more = table("more", &[("id", Type::U32)]);
    let second = wasm(&[indexed, more], &[call("go"), call("new")], &[]);
    let answer = server.publish_bytes("db", &second);
    assert_eq!(answer.status, 200, "{}", answer.text);
    let told = answer.json();
    assert_eq!(told["tables_added"], json!(["more"]));
    assert_eq!(told["indexes_added"], json!(["note.by_text"]));
    assert_eq!(told["reducers_added"], json!(["new"]));
    assert_eq!(told["reducers_removed"], json!(["old"]));
    assert_eq!(told["data_cleared"], json!(false));
    for client in &mut clients {
        client.ping();
        assert_eq!(client.peer.schema_changes, 1);
        assert!(client.peer.schema.table("more").is_some());
        client.call("new", json!([])).unwrap();
        assert_eq!(
            client.call("old", json!([])).unwrap_err().code,
            "NO_REDUCER"
        );
        assert!(client.query("SELECT * FROM more").unwrap().is_empty());
        // A window that the new index makes possible.
        client.subscribe("SELECT * FROM note ORDER BY text LIMIT 3", &[]);
        assert_eq!(client.peer.subscriptions.len(), 2);
    }
}

/// Rows move in and out, for those who are there, without a new connection; what cannot be asked any more ends.
#[test]
fn policies_and_views_change_while_clients_go_on() {
    let module = |policy: Option<&str>, view: &str| {
        let columns = [("id", Type::U64), ("owner", Type::Identity)];
        let policy = policy.map(|condition| PolicyDef {
            table: 0,
            condition: condition.into(),
        });
        let view = ViewDef {
            name: "newest".into(),
            params: Vec::new(),
            sql: view.into(),
        };
        let schema = Schema {
            tables: vec![table("note", &columns)],
            policies: policy.into_iter().collect(),
            views: vec![view],
            ..Schema::default()
        };
        wasm_of(&schema, &[])
    };
    let newest = "SELECT id FROM note WHERE id > 2";
    let server = TestServer::start();
    let publish = |policy: Option<&str>, view: &str| {
        let answer = server.publish_bytes("db", &module(policy, view));
        assert_eq!(answer.status, 200, "{}", answer.text);
    };
    publish(None, newest);
    let mut clients = Encoding::ALL.map(|encoding| {
        let mut client = Client::try_connect(&server, "db", encoding, None).unwrap();
        client.subscribe(
            "SELECT id FROM note WHERE id < :n",
            &[("n".into(), 9.into())],
        );
        client.subscribe("SELECT * FROM newest", &[]);
        client
    });
    let rows = (1..=4).map(|id| {
        let owner = clients[id % 2].identity();
        format!("{}\n", json!({ "id": id, "owner": owner }))
    });
    let token = server.server().admin_token().to_owned();
    let path = "/v1/databases/db/import?table=note";
    let done = server.post(path, rows.collect::<String>(), Some(&token));
    assert_eq!(done.status, 200, "{}", done.text);
    let mut check = |which: usize, notes: &[u64], view: Option<&[u64]>| {
        let client = &mut clients[which];
        client.ping();
        let rows = |id: &u64| json!({ "id": id.to_string() });
        let mut own = client.peer.subscriptions.values();
        let told = own.next().unwrap().rows().0;
        assert_eq!(told, notes.iter().map(rows).collect::<Vec<_>>());
        let told = own.next().map(|own| own.rows().0);
        assert_eq!(told, view.map(|ids| ids.iter().map(rows).collect()));
    };
    for which in [0, 1] {
        check(which, &[1, 2, 3, 4], Some(&[3, 4]));
    }
    publish(Some("id <> 3"), newest);
    for which in [0, 1] {
        check(which, &[1, 2, 4], Some(&[4]));
    }
    publish(Some("owner = :me"), newest);
    check(0, &[2, 4], Some(&[4]));
    check(1, &[1, 3], Some(&[3]));
    publish(None, "SELECT id, owner FROM note");
    for which in [0, 1] {
        check(which, &[1, 2, 3, 4], None);
    }
}

#[test]
fn what_does_not_fit_is_refused_with_the_differences() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::on(folder.path());
    server.publish("bank", "bank");
    let stored = || {
        let modules = folder.path().join("databases/bank/modules");
        std::fs::read_dir(modules).unwrap().count()
    };
    let mut client = Client::connect(&server, "bank");
    client.call("open_accounts", json!([2, 5])).unwrap();
    client.subscribe("SELECT * FROM account", &[]);
    let account = table("account", &[("id", Type::U64), ("balance", Type::String)]);
    let other = wasm(&[account], &[reducer("go", ReducerKind::Call)], &[]);
    let answer = server.publish_bytes("bank", &other);
    assert_eq!((answer.status, &*answer.code()), (409, "SCHEMA_CONFLICT"));
    for part in ["account", "balance", "marker", "--clear-data"] {
        assert!(
            answer.text.contains(part),
            "{part} is not in {}",
            answer.text
        );
    }
    assert_eq!(stored(), 1, "its file takes no room");
    client.ping();
    assert_eq!(
        (
            client.peer.schema_changes,
            client.call("total", json!([])).unwrap().1
        ),
        (0, json!("10"))
    );
    // Unless the rows may go: clients come back to what is there then.
    let answer = server.publish_bytes("bank?clear_data=true", &other);
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json()["data_cleared"], json!(true));
    assert_eq!(stored(), 2);
    assert_eq!(client.end(), ("SCHEMA_CONFLICT".to_owned(), 1001));
    let mut client = Client::connect(&server, "bank");
    assert!(client.query("SELECT * FROM account").unwrap().is_empty());
    client.call("go", json!([])).unwrap();
}

#[test]
fn an_init_that_fails_publishes_nothing() {
    let server = TestServer::start();
    let tables = [table("note", &[("id", Type::U64)])];
    let reducers = [
        reducer("init", ReducerKind::Init),
        reducer("go", ReducerKind::Call),
    ];
    let answer = server.publish_bytes("db", &wasm(&tables, &reducers, &["init"]));
    assert_eq!((answer.status, &*answer.code()), (422, "INIT_FAILED"));
    assert!(answer.text.contains("nope"), "{}", answer.text);
    let answer = server.post("/v1/databases/db/call/go", "[]", None);
    assert_eq!((answer.status, &*answer.code()), (404, "NO_MODULE"));
    assert_eq!(
        server
            .publish_bytes("db", &wasm(&tables, &reducers, &[]))
            .status,
        200
    );
    assert_eq!(
        server.post("/v1/databases/db/call/go", "[]", None).status,
        200
    );
}

#[test]
fn a_connected_that_fails_lets_nobody_in() {
    let server = TestServer::start();
    let reducers = [
        reducer("connected", ReducerKind::Connected),
        reducer("disconnected", ReducerKind::Disconnected),
    ];
    assert_eq!(
        server
            .publish_bytes("db", &wasm(&[], &reducers, &["connected"]))
            .status,
        200
    );
    let refused = Client::try_connect(&server, "db", Encoding::Json, None);
    assert_eq!(refused.err().expect("it was let in").code, "REDUCER_ERROR");
    // One that fails at the end keeps nobody.
    assert_eq!(
        server
            .publish_bytes("db", &wasm(&[], &reducers, &["disconnected"]))
            .status,
        200
    );
    Client::try_connect(&server, "db", Encoding::Json, None)
        .unwrap()
        .socket
        .close();
    let token = server.server().admin_token().to_owned();
    let mut root = Client::try_connect(&server, "db", Encoding::Json, Some(&token)).unwrap();
    assert_eq!(root.query("SELECT * FROM __connections").unwrap().len(), 1);
    let path = "/v1/databases/db/logs";
    let bearer = format!("Bearer {token}");
    assert!(
        server
            .get_with(path, &[("authorization", &bearer)])
            .text
            .contains("disconnected failed")
    );
}
