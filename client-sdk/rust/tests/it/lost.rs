//! Lost connections.

use std::time::Duration;

use syncline_client::protocol::message::{ErrorMessage, ServerMessage};
use syncline_client::protocol::{ErrorCode, Lsn, WireError};
use syncline_client::{Client, ConnectionState, Error, Event, RowChange};

use super::server::{Server, SnapshotChunk, insert, whole};
use super::{player, players, soon, until};

#[tokio::test]
async fn requests_in_flight_are_told_and_not_sent_again() {
    let server = Server::start().await;
    let (client, mut peer) = server.client().await;
    let (call, query) = (client.clone(), client.clone());
    let call = tokio::spawn(async move { call.call("tick", ()).await });
    soon(peer.call()).await;
    let query = tokio::spawn(async move { query.query("SELECT 1", &[]).await });
    soon(peer.query()).await;
    drop(peer);
    let unknown = Error::OutcomeUnknown {
        reducer: "tick".into(),
    };
    assert_eq!(soon(call).await.unwrap(), Err(unknown));
    assert_eq!(soon(query).await.unwrap(), Err(Error::Lost));

    // The next connection begins with the token and the schema that the first one brought, and the first
    // thing that it carries is what is asked then.
    let (mut peer, hello) = soon(server.welcome(20)).await;
    assert_eq!(hello, [Some("made".into()), Some("5c".into())]);
    until(&client, ConnectionState::Online).await;
    let calls = async { client.call("rename", (1, "ada")).await.unwrap() };
    let answers = async {
        let (id, reducer, _) = peer.call().await;
        assert_eq!(reducer, "rename");
        peer.reply(id, 21, &[0; 8]).await;
    };
    soon(async { tokio::join!(calls, answers) }).await;
}

#[tokio::test]
async fn rows_stay_until_the_new_ones_are_complete() {
    let server = Server::start().await;
    let (client, mut peer) = server.client().await;
    let live = client.subscribe("SELECT * FROM player", &[]).await.unwrap();
    let gone = client.subscribe("SELECT * FROM enemy", &[]).await.unwrap();
    let (id, _) = soon(peer.subscribe()).await;
    soon(peer.subscribe()).await;
    let old = [player(1, "ada"), player(2, "bob")];
    peer.snapshot(id, 7, whole(10, &[(1, "ada"), (2, "bob")]))
        .await;
    soon(live.ready()).await.unwrap();
    let mut events = live.events();
    drop(peer);
    // What is dropped while there is no connection is not subscribed on the next one.
    drop(gone);

    let (mut peer, _) = soon(server.welcome(4)).await;
    let (again, sql) = soon(peer.subscribe()).await;
    assert_eq!((again, sql.as_str()), (id, "SELECT * FROM player"));
    let first = SnapshotChunk {
        lsn: 4,
        rows: &[(1, "ada")],
        first: true,
        last: false,
    };
    peer.snapshot(again, 1, first).await;
    peer.barrier(&client).await;
    assert_eq!(players(&live.rows()), old);
    let second = SnapshotChunk {
        lsn: 4,
        rows: &[(3, "cy")],
        first: false,
        last: true,
    };
    peer.snapshot(again, 1, second).await;
    peer.commit(5, &[(1, insert(4, "di"))]).await;

    let Some(Event::Changes(batch)) = soon(events.next()).await else {
        panic!("changes")
    };
    let changes: Vec<_> = batch.iter().collect();
    let [RowChange::Delete(gone), RowChange::Insert(new)] = &changes[..] else {
        panic!("{changes:?}");
    };
    assert_eq!(
        (gone.parse(), new.parse()),
        (Ok(player(2, "bob")), Ok(player(3, "cy")))
    );
    assert_eq!(batch.lsn(), Lsn(4));
    peer.barrier(&client).await;
    let expected = [player(1, "ada"), player(3, "cy"), player(4, "di")];
    assert_eq!(players(&live.rows()), expected);
}

#[tokio::test]
async fn offline_nothing_is_sent() {
    let server = Server::start().await;
    let hour = Duration::from_hours(1);
    let builder = Client::builder(&server.url(), "game").reconnect(hour, hour);
    let (client, (peer, _)) = tokio::join!(builder.connect(), server.welcome(10));
    let client = client.unwrap();
    drop(peer);
    until(&client, ConnectionState::Offline).await;
    assert_eq!(soon(client.call("tick", ())).await, Err(Error::Offline));
    assert_eq!(
        soon(client.query("SELECT 1", &[])).await,
        Err(Error::Offline)
    );
    let live = soon(client.subscribe("SELECT 1", &[])).await.unwrap();
    assert!(!live.is_ready());
    soon(client.close()).await;
    assert_eq!(soon(live.ready()).await, Err(Error::Closed));
}

#[tokio::test]
async fn what_was_subscribed_offline_is_sent_with_the_next_connection() {
    let server = Server::start().await;
    let (client, peer) = server.client().await;
    drop(peer);
    let mut states = client.state_changes();
    soon(states.wait_for(|state| !state.is_online()))
        .await
        .unwrap();
    let live = client.subscribe("SELECT * FROM player", &[]).await.unwrap();
    let (mut peer, _) = soon(server.welcome(10)).await;
    let (id, _) = soon(peer.subscribe()).await;
    peer.snapshot(id, 7, whole(10, &[(1, "ada")])).await;
    soon(live.ready()).await.unwrap();
}

#[tokio::test]
async fn a_final_refusal_closes_the_client() {
    let server = Server::start().await;
    let (client, mut peer) = server.client().await;
    let live = client.subscribe("SELECT 1", &[]).await.unwrap();
    let error = WireError::new(ErrorCode::TokenExpired, "the token's time is over");
    peer.send(ServerMessage::Error(ErrorMessage {
        error: error.clone(),
    }))
    .await;
    let error = Error::Refused(error);
    until(
        &client,
        ConnectionState::Closed {
            error: Some(error.clone()),
        },
    )
    .await;
    assert_eq!(soon(live.ready()).await, Err(error));
    assert_eq!(soon(client.call("tick", ())).await, Err(Error::Closed));
}

#[tokio::test]
async fn a_server_that_goes_down_is_waited_for() {
    let server = Server::start().await;
    let (client, mut peer) = server.client().await;
    let error = WireError::new(ErrorCode::ServerShutdown, "the server is going down");
    peer.send(ServerMessage::Error(ErrorMessage { error }))
        .await;
    drop(peer);
    // The first attempt finds nothing that answers.
    drop(soon(server.accept_tcp()).await);
    let (_peer, _) = soon(server.welcome(10)).await;
    until(&client, ConnectionState::Online).await;
}

#[tokio::test]
async fn without_reconnect_a_loss_is_the_end() {
    let server = Server::start().await;
    let builder = Client::builder(&server.url(), "game").no_reconnect();
    let (client, (peer, _)) = tokio::join!(builder.connect(), server.welcome(10));
    let client = client.unwrap();
    drop(peer);
    let mut states = client.state_changes();
    let end = soon(states.wait_for(ConnectionState::is_closed))
        .await
        .unwrap()
        .clone();
    assert!(
        matches!(
            end,
            ConnectionState::Closed {
                error: Some(Error::Connect(_))
            }
        ),
        "{end:?}"
    );
}

#[tokio::test]
async fn a_delta_that_does_not_fit_starts_anew() {
    let server = Server::start().await;
    let (client, mut peer) = server.client().await;
    let live = client.subscribe("SELECT * FROM player", &[]).await.unwrap();
    let (id, _) = soon(peer.subscribe()).await;
    peer.snapshot(id, 7, whole(10, &[(1, "ada")])).await;
    soon(live.ready()).await.unwrap();
    // The row is there already: the client must not go on with rows that it knows to be wrong.
    peer.commit(11, &[(7, insert(1, "eve"))]).await;
    let (mut peer, _) = soon(server.welcome(11)).await;
    let (id, _) = soon(peer.subscribe()).await;
    peer.snapshot(id, 1, whole(11, &[(1, "eve")])).await;
    peer.barrier(&client).await;
    assert_eq!(players(&live.rows()), [player(1, "eve")]);
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let server = Server::start().await;
    let millis = Duration::from_millis;
    let builder = Client::builder(&server.url(), "game").keep_alive(millis(50));
    let builder = builder.reconnect(millis(1), millis(20));
    let (client, (mut silent, _)) = tokio::join!(builder.connect(), server.welcome(10));
    let client = client.unwrap();
    soon(silent.ping()).await;
    let (_peer, _) = soon(server.welcome(10)).await;
    until(&client, ConnectionState::Online).await;
}
