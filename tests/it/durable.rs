//! Data in a folder: goodbyes, restarts, one server at a time.

use serde_json::json;
use syncline_protocol::message::Encoding;
use syncline_server::{Config, Data, Server};

use crate::client::Client;
use crate::server::TestServer;

#[test]
fn a_shutdown_says_goodbye_and_keeps_everything() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::on(folder.path());
    server.publish("bank", "bank");
    server.publish("two", "scripted");
    let admin = server.server().admin_token().to_owned();
    let mut ada = Client::connect(&server, "bank");
    let token = ada.token();
    let epoch = ada.peer.welcome.as_ref().unwrap().epoch;
    ada.call("open_accounts", json!([10, 100])).unwrap();
    let mut bob = Client::try_connect(&server, "bank", Encoding::Json, None).unwrap();
    // Calls in flight when the end comes are answered, or lost without a trace.
    let mut sent = Vec::new();
    for to in 1..10 {
        let (id, message) = bob.peer.call("transfer", json!([0, to, 1])).unwrap();
        bob.send(&message);
        sent.push(id);
    }
    server.shut_down();
    assert_eq!(ada.end(), ("SERVER_SHUTDOWN".to_owned(), 1001));
    let mut answered = 0;
    while let crate::socket::Event::Message(bytes) = bob.socket.receive() {
        bob.peer.receive(&bytes);
        answered = bob.peer.answers.len();
    }
    assert!(answered <= sent.len());

    let server = TestServer::on(folder.path());
    assert_eq!(server.server().databases(), ["bank", "two"]);
    assert_eq!(server.server().admin_token(), admin);
    let mut ada =
        Client::try_connect(&server, "bank", Encoding::MessagePack, Some(&token)).unwrap();
    assert!(ada.peer.welcome.as_ref().unwrap().epoch > epoch);
    assert_eq!(ada.call("total", json!([])).unwrap().1, "1000");
    let rows = ada
        .query("SELECT balance FROM account WHERE id = 0")
        .unwrap();
    let taken = 100
        - rows[0]["balance"]
            .as_str()
            .unwrap()
            .parse::<usize>()
            .unwrap();
    assert!(
        taken >= answered && taken <= sent.len(),
        "{answered} answered, {taken} taken"
    );
    let mut two = Client::connect(&server, "two");
    assert_eq!(
        two.query("SELECT word FROM word").unwrap(),
        [json!({"word": "init"})]
    );
    assert_eq!(two.query("SELECT * FROM session").unwrap().len(), 1);
}

#[test]
fn a_folder_has_one_server() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::on(folder.path());
    server.publish("bank", "bank");
    let data = Data::Folder(folder.path().to_path_buf());
    let config = || Config {
        listen: ([127, 0, 0, 1], 0).into(),
        data: data.clone(),
        ..Config::default()
    };
    let refused = Server::start(config())
        .expect_err("the folder is taken")
        .to_string();
    assert!(
        refused.to_lowercase().contains("another") || refused.contains("lock"),
        "{refused}"
    );
    Client::connect(&server, "bank").ping();
    server.shut_down();
    Server::start(config()).unwrap().shut_down();
}

#[test]
fn an_address_has_one_server() {
    let server = TestServer::start();
    let config = Config {
        listen: server.server().address(),
        ..Config::default()
    };
    let refused = Server::start(config)
        .expect_err("the port is taken")
        .to_string();
    assert!(refused.contains("cannot listen on 127.0.0.1:"), "{refused}");
}

#[cfg(unix)]
#[test]
fn secrets_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::on(folder.path());
    let token = std::fs::read_to_string(folder.path().join("admin.token")).unwrap();
    assert_eq!(token.trim(), server.server().admin_token());
    for file in ["admin.token", "keys/signing.pem"] {
        let mode = folder
            .path()
            .join(file)
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[test]
fn checkpoints_are_taken_by_themselves_and_a_restart_begins_with_one() {
    let folder = tempfile::tempdir().unwrap();
    let config = || Config {
        data: Data::Folder(folder.path().to_path_buf()),
        checkpoint_bytes: 4000,
        history_bytes: 0,
        ..Config::default()
    };
    let checkpoints = || {
        let folder = folder.path().join("databases/bank/checkpoints");
        let files = std::fs::read_dir(folder).map(Iterator::collect::<Vec<_>>);
        files.map_or(0, |files| files.len())
    };
    let server = TestServer::with(config());
    server.publish("bank", "bank");
    let mut ada = Client::connect(&server, "bank");
    ada.call("open_accounts", json!([100, 100])).unwrap();
    let start = std::time::Instant::now();
    let mut transfers = 0;
    while checkpoints() == 0 {
        ada.call(
            "transfer",
            json!([transfers % 100, (transfers + 1) % 100, 1]),
        )
        .unwrap();
        transfers += 1;
        assert!(start.elapsed().as_secs() < 20, "no checkpoint was taken");
    }
    for to in 1..20 {
        ada.call("transfer", json!([0, to, 1])).unwrap();
    }
    let before = ada.query("SELECT id, balance FROM account").unwrap();
    drop(ada);
    server.shut_down();

    let server = TestServer::with(config());
    let mut ada = Client::connect(&server, "bank");
    assert_eq!(
        ada.query("SELECT id, balance FROM account").unwrap(),
        before
    );
    assert_eq!(ada.call("total", json!([])).unwrap().1, "10000");
}
