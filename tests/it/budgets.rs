//! Budgets of live queries as a client meets them, and EXPLAIN over HTTP.

use serde_json::json;
use syncline_client::Client;
use syncline_protocol::ErrorCode;
use syncline_server::Config;

use crate::rust_client::block_on;
use crate::server::TestServer;

async fn client(server: &TestServer, database: &str) -> Client {
    let builder = Client::builder(&server.server().url(), database);
    builder.connect().await.unwrap()
}

#[test]
fn a_live_query_that_grows_over_the_budget_ends() {
    let server = TestServer::with(Config {
        live_bytes_max: 100_000,
        ..Config::default()
    });
    server.publish("bank", "bank");
    block_on(async {
        let client = client(&server, "bank").await;
        let groups = "SELECT id, COUNT(*) AS n FROM account GROUP BY id";
        let mut large = client.subscribe(groups, &[]).await.unwrap();
        let small = "SELECT balance FROM account WHERE id = 3";
        let small = client.subscribe(small, &[]).await.unwrap();
        large.ready().await.unwrap();
        small.ready().await.unwrap();
        client.call("open_accounts", (5000, 7)).await.unwrap();
        // First what changed, then the end.
        while large.changed().await.is_ok() {}
        assert_eq!(large.error().unwrap().code(), Some(ErrorCode::LiveLimit));
        assert!(small.error().is_none());
        assert_eq!(small.rows().json(), json!([{"balance": "7"}]));
        let again = client.subscribe(groups, &[]).await.unwrap();
        let error = again.ready().await.unwrap_err();
        assert_eq!(error.code(), Some(ErrorCode::LiveLimit));
        let once = client.query(groups, &[]).await.unwrap();
        assert_eq!(once.len(), 5000, "once it is no burden");
    });
    assert!(server.metric("syncline_live_bytes") < 100_000);
}

#[test]
fn without_adhoc_queries_views_are_live() {
    let server = TestServer::with(Config {
        allow_adhoc_live: false,
        ..Config::default()
    });
    server.publish("scripted", "scripted");
    block_on(async {
        let client = client(&server, "scripted").await;
        let refused = client.subscribe("SELECT * FROM word", &[]).await.unwrap();
        let error = refused.ready().await.unwrap_err();
        assert_eq!(error.code(), Some(ErrorCode::AdhocLiveOff));
        let view = "SELECT * FROM diary_since(:least)";
        let view = client
            .subscribe(view, &[("least", 1.into())])
            .await
            .unwrap();
        view.ready().await.unwrap();
        view.set(&[("least", 2.into())]).await.unwrap();
        let once = client.query("SELECT * FROM word", &[]).await.unwrap();
        assert!(!once.is_empty());
    });
}

#[test]
fn who_loads_the_page_again_finds_its_result() {
    let server = TestServer::of("bank");
    let sql = "SELECT balance, COUNT(*) AS n FROM account GROUP BY balance";
    block_on(async {
        for _ in 0..5 {
            let client = client(&server, "bank").await;
            let live = client.subscribe(sql, &[]).await.unwrap();
            live.ready().await.unwrap();
        }
    });
    assert_eq!(server.metric("syncline_snapshots_total"), 5);
    assert_eq!(server.metric("syncline_evaluations_total"), 1);
}

#[test]
fn explain_is_asked_like_any_query() {
    let server = TestServer::of("bank");
    let sql = "EXPLAIN LIVE SELECT balance, COUNT(*) AS n FROM account GROUP BY balance";
    let body = json!({ "sql": sql }).to_string();
    let ask = |token: Option<&str>| {
        let answer = server.post("/v1/databases/bank/query", &body, token);
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.text
    };
    let everybody = ask(None);
    assert!(everybody.contains("B: ") && everybody.contains("figures of each group"));
    assert!(!everybody.contains("counters"));
    assert!(ask(Some(server.server().admin_token())).contains("counters"));
}
