//! Live rows while the connection lasts.

use syncline_client::protocol::message::{Reset, ServerMessage};
use syncline_client::protocol::{ErrorCode, Lsn, WireError};
use syncline_client::{Event, Events, RowChange};

use super::server::{Server, SnapshotChunk, insert, rename, row, whole};
use super::{player, players, soon};

async fn changes(events: &mut Events) -> (Lsn, Vec<RowChange>) {
    match soon(events.next()).await {
        Some(Event::Changes(batch)) => (batch.lsn(), batch.iter().collect()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn rows_show_with_the_last_chunk() {
    let server = Server::start().await;
    let (client, mut peer) = server.client().await;
    let mut live = client.subscribe("SELECT * FROM player", &[]).await.unwrap();
    let (id, sql) = soon(peer.subscribe()).await;
    assert_eq!(sql, "SELECT * FROM player");
    assert!(!live.is_ready() && live.rows().is_empty());
    let first = SnapshotChunk {
        lsn: 10,
        rows: &[(1, "ada")],
        first: true,
        last: false,
    };
    peer.snapshot(id, 7, first).await;
    // A Commit that is later than the rows comes between their chunks.
    peer.commit(11, &[(7, rename(1, "eve"))]).await;
    peer.barrier(&client).await;
    assert!(!live.is_ready() && live.rows().is_empty());
    let second = SnapshotChunk {
        lsn: 10,
        rows: &[(2, "bob")],
        first: false,
        last: true,
    };
    peer.snapshot(id, 7, second).await;
    soon(live.ready()).await.unwrap();
    assert_eq!(players(&live.rows()), [player(1, "eve"), player(2, "bob")]);
    assert_eq!(live.rows().lsn(), Lsn(11));
    soon(live.changed()).await.unwrap();
}

#[tokio::test]
async fn a_reply_comes_after_its_effects() {
    let server = Server::start().await;
    let (client, mut peer) = server.client().await;
    let live = client.subscribe("SELECT * FROM player", &[]).await.unwrap();
    let mut events = live.events();
    let (id, _) = soon(peer.subscribe()).await;
    peer.snapshot(id, 7, whole(10, &[(1, "ada")])).await;
    let (_, first) = changes(&mut events).await;
    assert!(matches!(&first[..], [RowChange::Insert(_)]), "{first:?}");
    let serve = async {
        let (id, ..) = peer.call().await;
        peer.commit(11, &[(7, rename(1, "eve"))]).await;
        peer.reply(id, 11, &[0; 8]).await;
    };
    let call = async {
        client.call("rename", (1, "eve")).await.unwrap();
        assert_eq!(players(&live.rows()), [player(1, "eve")]);
    };
    soon(async { tokio::join!(serve, call) }).await;
    let (lsn, changes) = changes(&mut events).await;
    assert_eq!(lsn, Lsn(11));
    let [RowChange::Update { old, new }] = &changes[..] else {
        panic!("{changes:?}")
    };
    assert_eq!(
        (old.parse(), new.parse()),
        (Ok(player(1, "ada")), Ok(player(1, "eve")))
    );
}

#[tokio::test]
async fn a_commit_shows_in_all_queries_at_once() {
    let server = Server::start().await;
    let (client, mut peer) = server.client().await;
    let mut lives = Vec::new();
    // The third is the same instance as the first: one handle, one delta for both.
    for handle in [7, 8, 7] {
        let live = client.subscribe("SELECT * FROM player", &[]).await.unwrap();
        let (id, _) = soon(peer.subscribe()).await;
        peer.snapshot(id, handle, whole(10, &[(1, "ada")])).await;
        soon(live.ready()).await.unwrap();
        lives.push(live);
    }
    for lsn in 11..200 {
        let name = format!("n{lsn}");
        peer.commit(lsn, &[(7, rename(1, &name)), (8, rename(1, &name))])
            .await;
        let [first, second, third] = client.rows_of([&lives[0], &lives[1], &lives[2]]);
        assert_eq!((first.lsn(), first.lsn()), (second.lsn(), third.lsn()));
        assert_eq!(
            (players(&first), players(&first)),
            (players(&second), players(&third))
        );
    }
    peer.barrier(&client).await;
    assert_eq!(players(&lives[2].rows()), [player(1, "n199")]);

    // One of the two is dropped: the other goes on.
    drop(lives.remove(0));
    soon(peer.unsubscribe()).await;
    peer.commit(200, &[(7, insert(2, "bob"))]).await;
    peer.barrier(&client).await;
    assert_eq!(
        players(&lives[1].rows()),
        [player(1, "n199"), player(2, "bob")]
    );
}

#[tokio::test]
async fn a_reset_replaces_rows_and_tells_the_difference() {
    let server = Server::start().await;
    let (client, mut peer) = server.client().await;
    let live = client.subscribe("SELECT * FROM player", &[]).await.unwrap();
    let (id, _) = soon(peer.subscribe()).await;
    peer.snapshot(id, 7, whole(10, &[(1, "ada"), (2, "bob"), (3, "cy")]))
        .await;
    soon(live.ready()).await.unwrap();
    let mut events = live.events();
    for (rows, row_count, last) in [(row(1, "ada"), 1, false), (row(3, "cyd"), 1, true)] {
        let rows = rows.into();
        let reset = Reset {
            handle: 7,
            lsn: Lsn(50),
            rows,
            row_count,
            last,
        };
        peer.send(ServerMessage::Reset(reset)).await;
    }
    let (lsn, changes) = changes(&mut events).await;
    assert_eq!(lsn, Lsn(50));
    let [RowChange::Delete(gone), RowChange::Update { new, .. }] = &changes[..] else {
        panic!("{changes:?}");
    };
    assert_eq!(
        (gone.parse(), new.parse()),
        (Ok(player(2, "bob")), Ok(player(3, "cyd")))
    );
    assert_eq!(players(&live.rows()), [player(1, "ada"), player(3, "cyd")]);
}

#[tokio::test]
async fn a_query_that_is_refused_fails_its_subscription_alone() {
    let server = Server::start().await;
    let (client, mut peer) = server.client().await;
    let mut bad = client.subscribe("SELECT nonsense", &[]).await.unwrap();
    let good = client.subscribe("SELECT * FROM player", &[]).await.unwrap();
    let (bad_id, _) = soon(peer.subscribe()).await;
    let (good_id, _) = soon(peer.subscribe()).await;
    peer.refuse(
        bad_id,
        WireError::new(ErrorCode::SqlUnknownColumn, "no `nonsense`"),
    )
    .await;
    peer.snapshot(good_id, 7, whole(10, &[])).await;
    soon(good.ready()).await.unwrap();
    assert!(good.rows().is_empty());
    let error = soon(bad.ready()).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::SqlUnknownColumn));
    assert_eq!(soon(bad.changed()).await, Err(error));
    // Nothing is there to unsubscribe: the next request is a call.
    drop(bad);
    let calls = async { client.call("tick", ()).await.unwrap() };
    let answers = async {
        let (id, ..) = peer.call().await;
        peer.reply(id, 11, &[]).await;
    };
    soon(async { tokio::join!(calls, answers) }).await;
}

#[tokio::test]
async fn a_reader_that_lags_is_told_so() {
    let server = Server::start().await;
    let (client, mut peer) = server.client().await;
    let live = client.subscribe("SELECT * FROM player", &[]).await.unwrap();
    let (id, _) = soon(peer.subscribe()).await;
    peer.snapshot(id, 7, whole(10, &[])).await;
    soon(live.ready()).await.unwrap();
    let mut events = live.events();
    for lsn in 11..1011 {
        peer.commit(lsn, &[(7, insert(lsn, "p"))]).await;
    }
    peer.barrier(&client).await;
    let Some(Event::Lagged(count)) = soon(events.next()).await else {
        panic!("it lagged")
    };
    assert_eq!(live.rows().len(), 1000);
    let (lsn, _) = changes(&mut events).await;
    assert_eq!(lsn, Lsn(11 + count));
    drop(live);
    let rest = async { while events.next().await.is_some() {} };
    soon(rest).await;
}
