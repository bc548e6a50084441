//! Databases as they were, over HTTP: queries, forks and the history of a row.

use serde_json::{Value as Json, json};
use syncline_protocol::Type;

use crate::made_module::{table, wasm};
use crate::server::{Answer, TestServer};

/// A server that has its data in a folder, and databases that change a little at each Lsn.
struct World {
    server: TestServer,
    _folder: tempfile::TempDir,
}

impl World {
    /// With `bank`: Lsn 1 publishes, 2 opens accounts 0 to 2 with 100 each, 3 to 12 move 1 from 0 to 1.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = TestServer::on(folder.path());
        server.publish("bank", "bank");
        let world = Self {
            server,
            _folder: folder,
        };
        world.call("bank", "open_accounts", &json!([3, 100]));
        for _ in 0..10 {
            world.call("bank", "transfer", &json!([0, 1, 1]));
        }
        world
    }

    fn admin(&self, path: &str, body: &Json) -> Answer {
        let token = self.server.server().admin_token();
        self.server.post(path, body.to_string(), Some(token))
    }

    fn call(&self, database: &str, reducer: &str, args: &Json) -> u64 {
        let path = format!("/v1/databases/{database}/call/{reducer}");
        let answer = self.admin(&path, args);
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["lsn"].as_u64().unwrap()
    }

    /// Balances of all accounts, now or then, and the Lsn and time of the answer.
    fn balances(&self, database: &str, as_of: Option<&Json>) -> (Vec<i64>, Json) {
        let sql = "SELECT balance FROM account ORDER BY id";
        let body = json!({ "sql": sql, "as_of": as_of });
        let answer = self.admin(&format!("/v1/databases/{database}/query"), &body);
        assert_eq!(answer.status, 200, "{}", answer.text);
        let answer = answer.json();
        let rows = answer["rows"].as_array().unwrap().iter();
        let balances = rows.map(|row| row[0].as_str().unwrap().parse().unwrap());
        (balances.collect(), answer)
    }

    fn history(&self, query: &str) -> Answer {
        let token = format!("Bearer {}", self.server.server().admin_token());
        let path = format!("/v1/databases/{query}");
        self.server.get_with(&path, &[("authorization", &token)])
    }
}

#[test]
fn a_query_as_of_an_lsn_or_a_time() {
    let world = World::new();
    assert_eq!(world.balances("bank", None).0, [90, 110, 100]);
    for moved in 0..=10 {
        let (balances, answer) = world.balances("bank", Some(&json!({ "lsn": 2 + moved })));
        assert_eq!(balances, [100 - moved, 100 + moved, 100]);
        assert_eq!(answer["lsn"], 2 + moved);
        // At its own time it is the same, or what else has happened at that time.
        let time: i64 = answer["time"].as_str().unwrap().parse().unwrap();
        let (_, again) = world.balances("bank", Some(&json!({ "time": time })));
        assert!(again["lsn"].as_i64() >= Some(2 + moved), "{again}");
        let (_, before) = world.balances("bank", Some(&json!({ "time": time - 1 })));
        assert!(before["lsn"].as_i64() < Some(2 + moved), "{before}");
    }
    assert!(
        world
            .balances("bank", Some(&json!({ "lsn": 1 })))
            .0
            .is_empty()
    );
    let path = "/v1/databases/bank/query";
    let then = |as_of: Json| json!({ "sql": "SELECT * FROM account", "as_of": as_of });
    for (as_of, code) in [
        (json!({ "lsn": 13 }), "BAD_REQUEST"),
        (json!({ "time": 1 }), "NOT_KEPT"),
        (json!({ "day": 1 }), "BAD_REQUEST"),
    ] {
        assert_eq!(
            world.admin(path, &then(as_of.clone())).code(),
            code,
            "{as_of}"
        );
    }
    let stranger = world
        .server
        .post(path, then(json!({ "lsn": 2 })).to_string(), None);
    assert_eq!(stranger.code(), "ADMIN_REQUIRED");
    let in_memory = TestServer::of("bank");
    let token = in_memory.server().admin_token();
    let refused = in_memory.post(path, then(json!({ "lsn": 1 })).to_string(), Some(token));
    assert_eq!(refused.code(), "NOT_SUPPORTED");
}

#[test]
fn a_fork_goes_on_by_itself() {
    let world = World::new();
    let forked = world.admin(
        "/v1/databases/then/fork",
        &json!({ "from": "bank", "as_of": { "lsn": 7 } }),
    );
    assert_eq!(forked.status, 200, "{}", forked.text);
    assert_eq!(forked.json()["lsn"], 7);
    let now = world.admin("/v1/databases/now/fork", &json!({ "from": "bank" }));
    assert_eq!(now.json()["lsn"], 12);
    assert_eq!(world.balances("then", None).0, [95, 105, 100]);
    assert_eq!(world.balances("now", None).0, [90, 110, 100]);
    // The module goes with it, and calls go on after the Lsn.
    assert_eq!(world.call("then", "transfer", &json!([2, 0, 50])), 8);
    assert_eq!(world.balances("then", None).0, [145, 105, 50]);
    assert_eq!(world.balances("bank", None).0, [90, 110, 100]);
    // What was before the fork is the other's to tell.
    let then = json!({ "sql": "SELECT * FROM account", "as_of": { "lsn": 6 } });
    assert_eq!(
        world.admin("/v1/databases/then/query", &then).code(),
        "NOT_KEPT"
    );
    assert_eq!(
        world.balances("then", Some(&json!({ "lsn": 7 }))).0,
        [95, 105, 100]
    );

    for (name, body, code) in [
        ("then", json!({ "from": "bank" }), "DATABASE_EXISTS"),
        ("No", json!({ "from": "bank" }), "BAD_REQUEST"),
        ("other", json!({ "from": "bonk" }), "NO_DATABASE"),
        (
            "other",
            json!({ "from": "bank", "as_of": { "lsn": 99 } }),
            "BAD_REQUEST",
        ),
        ("other", json!({}), "BAD_REQUEST"),
    ] {
        let refused = world.admin(&format!("/v1/databases/{name}/fork"), &body);
        assert_eq!(refused.code(), code, "{name} {body}: {}", refused.text);
    }
    assert_eq!(
        world.server.get("/v1/databases/other/schema").code(),
        "NO_DATABASE"
    );
}

#[test]
fn a_fork_is_there_after_a_restart_and_clients_start_anew() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::on(folder.path());
    server.publish("bank", "bank");
    let token = server.server().admin_token().to_owned();
    let fork = |name: &str, server: &TestServer| {
        let path = format!("/v1/databases/{name}/fork");
        let body = json!({ "from": "bank" }).to_string();
        assert_eq!(server.post(&path, body, Some(&token)).status, 200);
    };
    fork("copy", &server);
    server.shut_down();
    let server = TestServer::on(folder.path());
    fork("copy2", &server);
    let mut epochs = Vec::new();
    crate::rust_client::block_on(async {
        for database in ["bank", "copy", "copy2"] {
            let url = server.server().url();
            let client = syncline_client::Client::builder(&url, database);
            let client = client.connect().await.unwrap();
            client.call("open_accounts", (1, 5)).await.unwrap();
            epochs.push(client.epoch());
            client.close().await;
        }
    });
    epochs.sort_unstable();
    epochs.dedup();
    assert_eq!(
        epochs.len(),
        3,
        "no two of them can be taken for each other"
    );
}

#[test]
fn the_history_of_a_row_says_who_and_by_which_call() {
    let world = World::new();
    let history = world.history("bank/history?table=account&key=1").json();
    assert_eq!(
        (&history["after"], &history["is_cut"]),
        (&json!(0), &json!(false))
    );
    let events = history["events"].as_array().unwrap();
    assert_eq!(events.len(), 11);
    let expected = json!({ "id": "1", "balance": "100" });
    assert_eq!(
        (&events[0]["lsn"], &events[0]["change"], &events[0]["row"]),
        (&json!(2), &json!("insert"), &expected)
    );
    for (number, event) in events.iter().enumerate().skip(1) {
        assert_eq!(event["lsn"], 2 + number);
        assert_eq!(event["change"], "update");
        assert_eq!(event["row"]["balance"], (100 + number).to_string());
        assert_eq!(
            (&event["by"], &event["reducer"]),
            (&json!("reducer"), &json!("transfer"))
        );
        let args = json!({ "from": "0", "to": "1", "amount": "1" });
        assert_eq!(event["args"], args);
        assert_eq!(event["caller"], events[0]["caller"]);
        assert!(event["connection"].is_null(), "it was a request over HTTP");
    }
    let last = world
        .history("bank/history?table=account&key=%221%22&limit=1")
        .json();
    assert_eq!(
        (&last["is_cut"], &last["events"][0]["lsn"]),
        (&json!(true), &json!(12))
    );
    let none = world.history("bank/history?table=account&key=77").json();
    assert_eq!(none["events"], json!([]));
    for (query, code) in [
        ("bank/history?table=acount&key=1", "SQL_UNKNOWN_TABLE"),
        ("bank/history?table=account&key=x", "BAD_REQUEST"),
        ("bank/history?table=account&key=[1,2]", "BAD_REQUEST"),
        ("bank/history?table=account&key=-1", "BAD_REQUEST"),
        ("bonk/history?table=account&key=1", "NO_DATABASE"),
    ] {
        assert_eq!(world.history(query).code(), code, "{query}");
    }
    let path = "/v1/databases/bank/history?table=account&key=1";
    assert_eq!(world.server.get(path).code(), "ADMIN_REQUIRED");
}

#[test]
fn history_knows_imports_and_publishes() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::on(folder.path());
    let mut place = table(
        "place",
        &[("x", Type::U8), ("y", Type::String), ("n", Type::U8)],
    );
    place.primary_key = vec![1, 0];
    let code = wasm(&[place], &[], &[]);
    assert_eq!(server.publish_bytes("db", &code).status, 200);
    let token = server.server().admin_token().to_owned();
    let import = |n: u8| {
        let row = json!({ "x": 1, "y": "a", "n": n }).to_string();
        let path = "/v1/databases/db/import?table=place&mode=upsert";
        assert_eq!(server.post(path, row, Some(&token)).status, 200);
    };
    import(1);
    import(2);
    assert_eq!(
        server.publish_bytes("db?clear_data=true", &code).status,
        200
    );
    import(3);
    // The key's columns in the key's order.
    let path = "/v1/databases/db/history?table=place&key=[%22a%22,1]";
    let authorization = format!("Bearer {token}");
    let history = server
        .get_with(path, &[("authorization", &authorization)])
        .json();
    let events = history["events"].as_array().unwrap();
    let brief: Vec<_> = events
        .iter()
        .map(|event| json!([event["change"], event["by"], event["row"]["n"]]))
        .collect();
    let expected = [
        json!(["insert", "server", 1]),
        json!(["update", "server", 2]),
        json!(["clear", "publish", null]),
        json!(["insert", "server", 3]),
    ];
    assert_eq!(brief, expected);
}
