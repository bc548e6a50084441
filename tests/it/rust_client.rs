//! The Rust client against the real server.

use std::time::Duration;

use serde_json::json;
use syncline_client::{Client, Error};
use syncline_protocol::{ErrorCode, PolicyDef, Schema, Type};

use crate::made_module::{table, wasm_of};
use crate::server::TestServer;
use crate::socket::PATIENCE;

pub(crate) fn block_on(test: impl Future<Output = ()>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE, test)
            .await
            .expect("it takes too long");
    });
}

#[test]
fn calls_and_subscribes() {
    let server = TestServer::of("bank");
    block_on(async {
        let client = Client::builder(&server.server().url(), "bank")
            .connect()
            .await
            .unwrap();
        let mut rich = client
            .subscribe(
                "SELECT id, balance FROM account WHERE balance > :b",
                &[("b", 100.into())],
            )
            .await
            .unwrap();
        rich.ready().await.unwrap();
        assert!(rich.rows().is_empty());
        let opened = client.call("open_accounts", (3, 100)).await.unwrap();
        assert_eq!(opened.parse(), Ok(3_u64));
        client
            .call("transfer", json!({"from": 0, "to": 1, "amount": 5}))
            .await
            .unwrap();
        // The reply comes after the rows.
        assert_eq!(rich.rows().json(), json!([{"id": "1", "balance": "105"}]));
        rich.changed().await.unwrap();
        let error = client.call("transfer", (0, 1, 1000)).await.unwrap_err();
        assert!(matches!(error, Error::Reducer(_)), "{error:?}");
        assert_eq!(error.to_string(), "the balance is too low");
        let error = client.query("SELECT * FROM acount", &[]).await.unwrap_err();
        assert_eq!(error.code(), Some(ErrorCode::SqlUnknownTable));
        let refused = client
            .subscribe("SELECT * FROM account LIMIT 5", &[])
            .await
            .unwrap();
        let error = refused.ready().await.unwrap_err();
        assert_eq!(error.code(), Some(ErrorCode::LiveUnsupported));
        let sum = client
            .query("SELECT SUM(balance) AS sum FROM account", &[])
            .await
            .unwrap();
        assert_eq!(sum.json(), json!([{"sum": "300"}]));
        client.close().await;
    });
}

/// Two who shared a result see different rows of it from then on, and nobody connects again.
#[test]
fn rows_follow_a_policy_that_changes() {
    let server = TestServer::start();
    let publish = |condition: &str| {
        let policy = PolicyDef {
            table: 0,
            condition: condition.into(),
        };
        let schema = Schema {
            tables: vec![table("note", &[("id", Type::U64)])],
            policies: vec![policy],
            ..Schema::default()
        };
        let answer = server.publish_bytes("db", &wasm_of(&schema, &[]));
        assert_eq!(answer.status, 200, "{}", answer.text);
    };
    publish("true");
    let token = server.server().admin_token().to_owned();
    let path = "/v1/databases/db/import?table=note";
    let rows = "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n";
    assert_eq!(server.post(path, rows, Some(&token)).status, 200);
    block_on(async {
        let url = server.server().url();
        let one = Client::builder(&url, "db").connect().await.unwrap();
        let other = Client::builder(&url, "db").connect().await.unwrap();
        let sql = "SELECT id FROM note";
        let mut notes = one.subscribe(sql, &[]).await.unwrap();
        let mut others = other.subscribe(sql, &[]).await.unwrap();
        for own in [&mut notes, &mut others] {
            own.ready().await.unwrap();
            own.changed().await.unwrap();
            assert_eq!(own.rows().len(), 3);
        }
        publish("id <> 2");
        for own in [&mut notes, &mut others] {
            own.changed().await.unwrap();
            assert_eq!(own.rows().json(), json!([{"id": "1"}, {"id": "3"}]));
        }
        publish(&format!("id < 2 OR :me = '{}'", one.identity()));
        for (own, count) in [(&mut notes, 3), (&mut others, 1)] {
            own.changed().await.unwrap();
            assert_eq!(own.rows().len(), count);
        }
        assert!(server.post(path, "{\"id\":0}\n", Some(&token)).status == 200);
        for (own, count) in [(&mut notes, 4), (&mut others, 2)] {
            own.changed().await.unwrap();
            assert_eq!(own.rows().len(), count);
        }
        one.close().await;
        other.close().await;
    });
}

#[test]
fn comes_back_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::on(folder.path());
    server.publish("bank", "bank");
    let address = server.server().address();
    let url = server.server().url();
    block_on(async {
        let client = Client::builder(&url, "bank")
            .reconnect(Duration::from_millis(20), Duration::from_millis(200))
            .connect()
            .await
            .unwrap();
        let mut accounts = client
            .subscribe("SELECT * FROM account", &[])
            .await
            .unwrap();
        client.call("open_accounts", (2, 7)).await.unwrap();
        assert_eq!(accounts.rows().len(), 2);
        accounts.changed().await.unwrap();
        let (identity, epoch) = (client.identity(), client.epoch());
        let mut states = client.state_changes();
        tokio::task::spawn_blocking(move || server.shut_down())
            .await
            .unwrap();
        states.wait_for(|state| !state.is_online()).await.unwrap();
        // What is there stays for show.
        assert_eq!(accounts.rows().len(), 2);
        let folder = folder.path().to_path_buf();
        let again = tokio::task::spawn_blocking(move || TestServer::again(&folder, address));
        let again = again.await.unwrap();
        states
            .wait_for(syncline_client::ConnectionState::is_online)
            .await
            .unwrap();
        assert_eq!(client.identity(), identity);
        assert!(client.epoch() > epoch);
        client.call("open_accounts", (1, 7)).await.unwrap();
        while accounts.rows().len() < 3 {
            accounts.changed().await.unwrap();
        }
        client.close().await;
        tokio::task::spawn_blocking(move || again.shut_down())
            .await
            .unwrap();
    });
}
