//! The whole stack once, by hand: publish, connect, subscribe, call, query.

use serde_json::json;
use syncline_protocol::message::Encoding;

use crate::client::Client;
use crate::server::TestServer;

#[test]
fn a_bank_over_a_socket() {
    let server = TestServer::of("bank");
    for encoding in Encoding::ALL {
        let mut client = Client::try_connect(&server, "bank", encoding, None).unwrap();
        let accounts = client.subscribe("SELECT * FROM account", &[]);
        let before = client.peer.lsn;
        let (lsn, value) = client.call("open_accounts", json!([2, 100])).unwrap();
        assert!(lsn > before && value.is_string());
        // The Commit came before the Reply.
        let subscribed = client.peer.subscriptions.get_mut(&accounts).unwrap();
        assert_eq!(subscribed.live.lsn(), lsn);
        assert_eq!(subscribed.take_changes().len(), 2);
        assert_eq!(client.peer.commits, 1);
        let rows = client
            .query("SELECT id, balance FROM account WHERE id = 1")
            .unwrap();
        assert_eq!(rows, [json!({"id": "1", "balance": "100"})]);
        client.socket.close();
    }
    assert_eq!(server.get("/v1/health").status, 200);
}
