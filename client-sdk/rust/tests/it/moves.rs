//! Other parameters for a live query.

use serde_bytes::ByteBuf;
use syncline_client::Error;
use syncline_client::protocol::message::{ClientMessage, Moved, ServerMessage, SetParams};
use syncline_client::protocol::param::Param;
use syncline_client::protocol::{ErrorCode, Lsn, WireError};

use super::server::{Peer, Server, delete, insert, whole};
use super::{player, players, soon};

impl Peer {
    /// Request, subscription and parameters.
    async fn set_params(&mut self) -> (u32, u32, Vec<(String, Param)>) {
        self.expect(|message| match message {
            ClientMessage::SetParams(SetParams {
                id,
                subscription,
                params,
            }) => Some((id, subscription, params)),
            _ => None,
        })
        .await
    }

    async fn moved(&mut self, id: u32, handle: u64, lsn: u64, ops: Vec<u8>) {
        self.send(ServerMessage::Moved(Moved {
            id,
            handle,
            lsn: Lsn(lsn),
            ops: ByteBuf::from(ops),
        }))
        .await;
    }
}

fn team(n: i32) -> [(&'static str, Param); 1] {
    [("team", n.into())]
}

#[tokio::test]
async fn rows_become_those_of_other_parameters_at_once() {
    let server = Server::start().await;
    let (client, mut peer) = server.client().await;
    let sql = "SELECT * FROM player WHERE team = :team";
    let moving = client.subscribe(sql, &team(1)).await.unwrap();
    let (first, _) = soon(peer.subscribe()).await;
    peer.snapshot(first, 7, whole(10, &[(1, "ada"), (2, "bob")]))
        .await;
    let still = client.subscribe(sql, &team(1)).await.unwrap();
    let (second, _) = soon(peer.subscribe()).await;
    peer.snapshot(second, 7, whole(10, &[(1, "ada"), (2, "bob")]))
        .await;
    soon(still.ready()).await.unwrap();

    let server_side = async {
        let (id, subscription, params) = peer.set_params().await;
        assert_eq!(subscription, first);
        assert_eq!(params, [("team".to_owned(), Param::Int(2))]);
        let ops = [delete(1), insert(3, "cid")].concat();
        peer.moved(first, 8, 10, ops).await;
        peer.reply(id, 10, &[]).await;
        peer
    };
    let params = team(2);
    let (done, mut peer) = soon(async { tokio::join!(moving.set(&params), server_side) }).await;
    done.unwrap();
    assert_eq!(
        players(&moving.rows()),
        [player(2, "bob"), player(3, "cid")]
    );
    assert_eq!(players(&still.rows()), [player(1, "ada"), player(2, "bob")]);

    // Each follows its own instance.
    peer.commit(11, &[(7, insert(4, "dan")), (8, insert(5, "eve"))])
        .await;
    peer.barrier(&client).await;
    let moved = [player(2, "bob"), player(3, "cid"), player(5, "eve")];
    assert_eq!(players(&moving.rows()), moved);
    assert_eq!(players(&still.rows()).last(), Some(&player(4, "dan")));

    // The server may send the rows instead.
    let params = team(3);
    let server_side = async {
        let (id, ..) = peer.set_params().await;
        peer.snapshot(first, 9, whole(11, &[(6, "fay")])).await;
        peer.reply(id, 11, &[]).await;
        peer
    };
    let (done, mut peer) = soon(async { tokio::join!(moving.set(&params), server_side) }).await;
    done.unwrap();
    peer.commit(12, &[(8, insert(9, "old")), (9, insert(7, "gus"))])
        .await;
    peer.barrier(&client).await;
    assert_eq!(
        players(&moving.rows()),
        [player(6, "fay"), player(7, "gus")]
    );
}

#[tokio::test]
async fn refused_parameters_are_taken_back_and_new_ones_survive_the_connection() {
    let server = Server::start().await;
    let (client, mut peer) = server.client().await;
    let sql = "SELECT * FROM player WHERE team = :team";
    let live = client.subscribe(sql, &team(1)).await.unwrap();
    let (id, _) = soon(peer.subscribe()).await;
    peer.snapshot(id, 7, whole(10, &[(1, "ada")])).await;
    let bad = [("team", Param::from("x"))];
    let server_side = async {
        let (id, ..) = peer.set_params().await;
        let error = WireError::new(ErrorCode::SqlType, "no");
        peer.refuse(id, error).await;
        peer
    };
    let (done, mut peer) = soon(async { tokio::join!(live.set(&bad), server_side) }).await;
    assert!(matches!(done, Err(Error::Server(_))), "{done:?}");
    assert_eq!(players(&live.rows()), [player(1, "ada")]);
    peer.commit(11, &[(7, insert(2, "bob"))]).await;
    peer.barrier(&client).await;
    assert_eq!(live.rows().len(), 2);

    let params = team(5);
    let server_side = async {
        peer.set_params().await;
        drop(peer);
    };
    let (done, ()) = soon(async { tokio::join!(live.set(&params), server_side) }).await;
    assert_eq!(done, Err(Error::Lost));
    let (mut peer, _) = soon(server.welcome(20)).await;
    let asked = soon(peer.expect(|message| match message {
        ClientMessage::Subscribe(subscribe) => Some(subscribe.params),
        _ => None,
    }));
    assert_eq!(asked.await, [("team".to_owned(), Param::Int(5))]);
}
