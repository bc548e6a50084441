//! The whole stack once, by hand: publish, connect, subscribe, call, query.

use serde_json::json;
use syncline_protocol::message::{Delivery, Encoding};

use crate::peer::{Answer, Peer};
use crate::server::TestServer;
use crate::socket::{Event, Socket};

fn wait(socket: &mut Socket, peer: &mut Peer, id: u32) -> Answer {
    loop {
        if let Some(answer) = peer.answers.remove(&id) {
            return answer;
        }
        match socket.receive() {
            Event::Message(bytes) => peer.receive(&bytes),
            end => panic!("{end:?} after {:?}", peer.last_error),
        }
    }
}

#[test]
fn a_bank_over_a_socket() {
    let server = TestServer::of("bank");
    for encoding in Encoding::ALL {
        let mut socket = Socket::open(&server, "bank", encoding);
        let mut peer = Peer::new(encoding);
        socket.send(encoding, &peer.hello(None, Delivery::Confirmed));
        while peer.welcome.is_none() {
            let Event::Message(bytes) = socket.receive() else {
                panic!("no Welcome")
            };
            peer.receive(&bytes);
        }
        assert!(peer.welcome.as_ref().unwrap().token.is_some());
        let (id, bytes) = peer.subscribe("SELECT * FROM account", &[]);
        socket.send(encoding, &bytes);
        assert!(matches!(
            wait(&mut socket, &mut peer, id),
            Answer::Subscribed
        ));
        let (call, bytes) = peer.call("open_accounts", json!([2, 100])).unwrap();
        socket.send(encoding, &bytes);
        let before = peer.lsn;
        let answer = wait(&mut socket, &mut peer, call);
        let Answer::Value(lsn, value) = answer else {
            panic!("{answer:?}")
        };
        assert!(lsn > before && value.as_str().is_some());
        // The Commit came before the Reply.
        assert_eq!((peer.commits, peer.subscriptions[&id].live.lsn()), (1, lsn));
        assert_eq!(
            peer.subscriptions
                .get_mut(&id)
                .unwrap()
                .take_changes()
                .len(),
            2
        );
        let sql = "SELECT id, balance FROM account WHERE id = :id";
        let (query, bytes) = peer.query(sql, &[("id".to_owned(), 1.into())]);
        socket.send(encoding, &bytes);
        let answer = wait(&mut socket, &mut peer, query);
        let Answer::Rows { rows, .. } = answer else {
            panic!("{answer:?}")
        };
        assert_eq!(rows, [json!({"id": "1", "balance": "100"})]);
        socket.close();
    }
    assert_eq!(server.get("/v1/health").status, 200);
}
