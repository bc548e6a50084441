//! Requests and their answers.

use serde_json::json;
use syncline_client::protocol::message::{ErrorMessage, Pong, Rows, ServerMessage};
use syncline_client::protocol::{ErrorCode, Identity, Lsn, Value, WireError};
use syncline_client::{Client, ConnectionState, Error};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::server::{Server, description, row, schema};
use super::{player, players, soon, until};

#[tokio::test]
async fn calls_take_arguments_in_all_forms() {
    let server = Server::start().await;
    let (client, mut peer) = server.client().await;
    assert_eq!(client.state(), ConnectionState::Online);
    assert_eq!(client.identity(), Identity([1; 32]));
    assert_eq!(client.token().as_deref(), Some("made"));
    assert_eq!(*client.schema(), schema());

    let expected = row(7, "ada");
    let answers = tokio::spawn(async move {
        for _ in 0..3 {
            let (id, reducer, args) = peer.call().await;
            assert_eq!((reducer.as_str(), args), ("rename", expected.clone()));
            peer.reply(id, 11, &5u64.to_le_bytes()).await;
        }
        let (id, reducer, args) = peer.call().await;
        assert_eq!((reducer.as_str(), args), ("tick", Vec::new()));
        peer.reply(id, 12, &[]).await;
        peer
    });
    let by_position = soon(client.call("rename", (7, "ada"))).await.unwrap();
    let by_name = soon(client.call("rename", json!({"name": "ada", "id": "7"})))
        .await
        .unwrap();
    let packed = soon(client.call_packed("rename", row(7, "ada")))
        .await
        .unwrap();
    assert_eq!((&by_position, &by_position), (&by_name, &packed));
    assert_eq!(packed.lsn(), Lsn(11));
    assert_eq!(packed.parse(), Ok(5u64));
    assert_eq!(packed.json(), json!("5"));
    assert_eq!(packed.value(), Some(Value::U64(5)));
    assert_eq!(soon(client.call("tick", ())).await.unwrap().parse(), Ok(()));
    answers.await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_right_is_not_sent() {
    let server = Server::start().await;
    let (client, _peer) = server.client().await;
    let error = soon(client.call("rename", (7,))).await.unwrap_err();
    let expected = "expected arguments (id: u64, name: string), found 1";
    assert_eq!(error, Error::Arguments(expected.into()));
    let error = soon(client.call_packed("rename", vec![1]))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::BadArguments));
    let error = soon(client.call("renam", ())).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::NoReducer));
}

#[tokio::test]
async fn errors_of_the_reducer_are_told_from_others() {
    let server = Server::start().await;
    let (client, mut peer) = server.client().await;
    let answers = async {
        let (id, ..) = peer.call().await;
        peer.refuse(
            id,
            WireError::new(ErrorCode::ReducerError, "no such player"),
        )
        .await;
        let (id, ..) = peer.call().await;
        peer.refuse(
            id,
            WireError::new(ErrorCode::Overloaded, "busy").hint("wait"),
        )
        .await;
    };
    let calls = async {
        let error = client.call("tick", ()).await.unwrap_err();
        assert!(matches!(error, Error::Reducer(_)), "{error:?}");
        assert_eq!(error.to_string(), "no such player");
        let error = client.call("tick", ()).await.unwrap_err();
        assert_eq!(
            (error.code(), error.hint()),
            (Some(ErrorCode::Overloaded), Some("wait"))
        );
    };
    soon(async { tokio::join!(answers, calls) }).await;
}

#[tokio::test]
async fn a_query_comes_in_chunks() {
    let server = Server::start().await;
    let (client, mut peer) = server.client().await;
    let answers = async {
        let id = peer.query().await;
        for (player, last) in [(1, false), (2, true)] {
            peer.send(ServerMessage::Rows(Rows {
                id,
                lsn: Lsn(10),
                description: (!last).then(description),
                rows: row(player, "p").into(),
                row_count: 1,
                last,
            }))
            .await;
        }
        let id = peer.query().await;
        peer.refuse(id, WireError::new(ErrorCode::SqlSyntax, "what?"))
            .await;
        let id = peer.ping().await;
        peer.send(ServerMessage::Pong(Pong { id, lsn: Lsn(10) }))
            .await;
    };
    let queries = async {
        let rows = client.query("SELECT * FROM player", &[]).await.unwrap();
        assert_eq!(players(&rows), [player(1, "p"), player(2, "p")]);
        assert_eq!(
            rows.json(),
            json!([{"id": "1", "name": "p"}, {"id": "2", "name": "p"}])
        );
        assert_eq!(
            rows.get(1).unwrap().value("name"),
            Some(Value::String("p".into()))
        );
        let error = client.query("SELEC", &[("x", 1.into())]).await.unwrap_err();
        assert_eq!(error.code(), Some(ErrorCode::SqlSyntax));
        client.ping().await.unwrap();
    };
    soon(async { tokio::join!(answers, queries) }).await;
}

#[tokio::test]
async fn a_refused_connection_says_why() {
    let server = Server::start().await;
    let builder = || Client::builder(&server.url(), "game").token("forged");
    let refuse = async {
        let mut peer = server.accept().await;
        let error = WireError::new(ErrorCode::BadToken, "the signature does not fit");
        peer.send(ServerMessage::Error(ErrorMessage { error }))
            .await;
    };
    let (client, ()) = soon(async { tokio::join!(builder().connect(), refuse) }).await;
    assert_eq!(client.unwrap_err().code(), Some(ErrorCode::BadToken));

    let refuse = async {
        let mut tcp = server.accept_tcp().await;
        let body = r#"{"error":{"code":"NO_DATABASE","message":"no database `game`","hint":null}}"#;
        let length = body.len();
        let head = format!("HTTP/1.1 404 Not Found\r\ncontent-length: {length}\r\n\r\n");
        tcp.write_all(format!("{head}{body}").as_bytes())
            .await
            .unwrap();
        // Until the client has read it.
        drop(tcp.read_to_end(&mut Vec::new()).await);
    };
    let (client, ()) = soon(async { tokio::join!(builder().connect(), refuse) }).await;
    assert_eq!(client.unwrap_err().code(), Some(ErrorCode::NoDatabase));
}

#[tokio::test]
async fn the_last_handle_closes_the_connection() {
    let server = Server::start().await;
    let (client, peer) = server.client().await;
    let other = client.clone();
    let subscription = client.subscribe("SELECT 1", &[]).await.unwrap();
    drop((client, other));
    let mut peer = peer;
    peer.subscribe().await;
    drop(subscription);
    soon(peer.gone()).await;
}

#[tokio::test]
async fn a_closed_client_answers_closed() {
    let server = Server::start().await;
    let (client, peer) = server.client().await;
    let mut subscription = client.subscribe("SELECT 1", &[]).await.unwrap();
    soon(async {
        tokio::join!(client.close(), async {
            let mut peer = peer;
            peer.subscribe().await;
            peer.gone().await;
        })
    })
    .await;
    until(&client, ConnectionState::Closed { error: None }).await;
    assert_eq!(soon(client.call("tick", ())).await, Err(Error::Closed));
    assert_eq!(soon(subscription.ready()).await, Err(Error::Closed));
    assert_eq!(soon(subscription.changed()).await, Err(Error::Closed));
}

/// Both sides write more than the sockets hold: a client that stopped reading would stand still.
#[tokio::test]
async fn neither_side_waits_for_the_other_for_ever() {
    const CALLS: usize = 300;
    let server = Server::start().await;
    let (client, mut peer) = server.client().await;
    let name = "n".repeat(60_000);
    let calls: Vec<_> = (0..CALLS)
        .map(|_| {
            let (client, name) = (client.clone(), name.clone());
            tokio::spawn(async move { client.call("rename", (1, name)).await })
        })
        .collect();
    let noise = vec![(99, vec![0; 100_000]); 1];
    soon(async {
        for lsn in 0..200 {
            peer.commit(lsn, &noise).await;
        }
        for _ in 0..CALLS {
            let (id, ..) = peer.call().await;
            peer.reply(id, 11, &[0; 8]).await;
        }
        for call in calls {
            call.await.unwrap().unwrap();
        }
    })
    .await;
}
