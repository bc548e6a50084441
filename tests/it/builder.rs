//! Queries of the Rust builder against the real server: what they answer, and that they are the live
//! queries of their SQL texts.

use std::collections::BTreeSet;

use serde_json::json;
use syncline_client::protocol::message::OwnedQueryForm;
use syncline_client::protocol::param::Param;
use syncline_client::query::{IntoQuery, count, from, lit, max, param, table};
use syncline_protocol::logical::LogicalQuery;
use syncline_protocol::message::Encoding;

use crate::client::Client;
use crate::rust_client::block_on;
use crate::server::TestServer;

syncline_client::row! {
    /// Accounts of a balance.
    pub struct Level {
        balance: i64,
        n: i64,
    }
}

fn json_of(query: impl IntoQuery) -> String {
    match query.form() {
        OwnedQueryForm::Logical(bytes) => {
            LogicalQuery::decode(&bytes).unwrap().to_json().to_string()
        }
        OwnedQueryForm::Sql(sql) => sql,
    }
}

#[test]
fn text_and_builder_are_one_live_query() {
    let server = TestServer::of("bank");
    let rich = || {
        from(table("account"))
            .filter(|a| {
                a.col::<i64>("balance").gt(param::<i64>("b")) & a.col::<u64>("id").ne(7_u64)
            })
            .select(|a| (a.col::<u64>("id"), a.col::<i64>("balance")))
    };
    let sql = "SELECT id, balance FROM account WHERE id <> 7 AND :b < balance";
    let params = [("b".to_owned(), Param::Int(50))];
    let mut handles = BTreeSet::new();
    for encoding in Encoding::ALL {
        let mut client = Client::try_connect(&server, "bank", encoding, None).unwrap();
        for query in [sql, &json_of(rich())] {
            let id = client.subscribe(query, &params);
            handles.insert(client.peer.subscriptions[&id].handle.unwrap());
        }
        let other = client.subscribe(&json_of(rich()), &[("b".to_owned(), Param::Int(51))]);
        assert!(!handles.contains(&client.peer.subscriptions[&other].handle.unwrap()));
        client.socket.close();
    }
    // While one of them lives the others join it; a new life is a new handle.
    assert!(handles.len() <= 2, "{handles:?}");
}

#[test]
fn typed_rows_follow_and_move() {
    let server = TestServer::of("bank");
    block_on(async {
        let client = syncline_client::Client::builder(&server.server().url(), "bank")
            .connect()
            .await
            .unwrap();
        client.call("open_accounts", (4, 100)).await.unwrap();
        let query = from(table("account"))
            .filter(|a| a.col::<i64>("balance").gt(param::<i64>("b")))
            .select(|a| (a.col::<u64>("id"), a.col::<i64>("balance") * 2));
        let live = client.subscribe(query, &[("b", 100.into())]).await.unwrap();
        live.ready().await.unwrap();
        assert_eq!(live.all(), Ok(vec![]));
        let transfer = json!({"from": 0, "to": 1, "amount": 5});
        client.call("transfer", transfer).await.unwrap();
        assert_eq!(live.all(), Ok(vec![(1, Some(210))]));
        live.set(&[("b", 99.into())]).await.unwrap();
        let ids = |rows: Vec<(u64, Option<i64>)>| rows.iter().map(|row| row.0).collect::<Vec<_>>();
        assert_eq!(ids(live.all().unwrap()), [1, 2, 3]);
        assert!(live.set(&[("b", "much".into())]).await.is_err());
        assert_eq!(ids(live.all().unwrap()), [1, 2, 3]);

        // Once: groups, a join with itself, a sub-query, a derived table.
        let levels = from(table("account"))
            .group_by(|a| a.col::<i64>("balance"))
            .select(|a| Level::select(a.col("balance"), count()))
            .order_by(|a| a.col::<i64>("balance").desc());
        let level = |balance, n| Level { balance, n };
        let expected = vec![level(105, 1), level(100, 2), level(95, 1)];
        assert_eq!(client.fetch(levels.clone(), &[]).await, Ok(expected));
        let largest = from(levels).select(|l| max(l.col::<i64>("n")));
        assert_eq!(client.fetch(largest, &[]).await, Ok(vec![Some(2)]));
        let pairs = from(table("account"))
            .join(table("account"), |a, b| {
                a.col::<i64>("balance").eq(b.col::<i64>("balance"))
                    & a.col::<u64>("id").lt(b.col::<u64>("id"))
            })
            .select(|(a, b)| {
                (
                    a.col::<u64>("id"),
                    b.col::<u64>("id"),
                    lit("same".to_owned()),
                )
            });
        let rows = client.fetch(pairs, &[]).await.unwrap();
        assert_eq!(rows, [(2, 3, "same".to_owned())]);
    });
}
