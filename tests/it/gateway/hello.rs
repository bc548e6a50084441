//! The beginning of a connection: upgrade, origin, Hello, tokens.

use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use syncline_protocol::message::{Auth, ClientMessage, Encoding, Hello};
use syncline_protocol::{Epoch, Lsn};
use syncline_server::Config;

use crate::client::Client;
use crate::peer::{Answer, Peer};
use crate::server::TestServer;
use crate::socket::{Event, Socket};

const MSGPACK: (&str, &str) = ("sec-websocket-protocol", "syncline.v1.msgpack");

/// A token that the server makes for the admin.
fn issue(server: &TestServer, database: &str, subject: &str, ttl_s: Option<u64>) -> String {
    let body = json!({ "subject": subject, "ttl_s": ttl_s }).to_string();
    let path = format!("/v1/databases/{database}/tokens");
    let answer = server.post(&path, body, Some(server.server().admin_token()));
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["token"].as_str().unwrap().to_owned()
}

fn refused(server: &TestServer, database: &str, token: &str) -> String {
    match Client::try_connect(server, database, Encoding::Json, Some(token)) {
        Ok(_) => panic!("the token was taken"),
        Err(error) => error.code,
    }
}

#[test]
fn a_token_is_an_identity() {
    let server = TestServer::of("bank");
    let ada = Client::connect(&server, "bank");
    let token = ada.token();
    for encoding in Encoding::ALL {
        let again = Client::try_connect(&server, "bank", encoding, Some(&token)).unwrap();
        assert_eq!(again.identity(), ada.identity());
        assert!(
            again.peer.welcome.as_ref().unwrap().token.is_none(),
            "it has one"
        );
    }
    assert_ne!(Client::connect(&server, "bank").identity(), ada.identity());
    // Over HTTP it is the same identity.
    let first = server.post("/v1/databases/bank/call/empty", "[]", None);
    let made = first.token.expect("somebody new gets a token");
    let second = server.post("/v1/databases/bank/call/empty", "[]", Some(&made));
    assert!(second.status == 200 && second.token.is_none());
    let issued = issue(&server, "bank", "ada", None);
    let one = Client::try_connect(&server, "bank", Encoding::Json, Some(&issued)).unwrap();
    let same = issue(&server, "bank", "ada", Some(60));
    let two = Client::try_connect(&server, "bank", Encoding::Json, Some(&same)).unwrap();
    assert_eq!(one.identity(), two.identity());
}

#[test]
fn bad_tokens_are_told_apart() {
    let server = TestServer::of("bank");
    server.publish("other", "bank");
    let token = Client::connect(&server, "bank").token();
    assert_eq!(refused(&server, "other", &token), "BAD_TOKEN");
    let foreign = TestServer::of("bank");
    assert_eq!(
        refused(&foreign, "bank", &token),
        "BAD_TOKEN",
        "signed by another server"
    );
    let expired = issue(&server, "bank", "ada", Some(1));
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(refused(&server, "bank", &expired), "TOKEN_EXPIRED");
    let mut forged = token.clone().into_bytes();
    let last = forged.len() - 2;
    forged[last] = if forged[last] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    let (head, rest) = token.split_once('.').unwrap();
    let unsigned = "eyJhbGciOiJub25lIn0";
    for bad in [
        &*forged,
        "",
        "x",
        "a.b.c",
        head,
        rest,
        &format!("{unsigned}.{rest}"),
    ] {
        assert_eq!(refused(&server, "bank", bad), "BAD_TOKEN", "{bad}");
        let answer = server.post("/v1/databases/bank/call/empty", "[]", Some(bad));
        assert_eq!(
            (answer.status, &*answer.code()),
            (401, "BAD_TOKEN"),
            "{bad}"
        );
    }
    Client::connect(&server, "bank").ping();
}

#[test]
fn a_token_ends_and_is_renewed() {
    let server = TestServer::of("bank");
    let connect = |subject: &str, ttl| {
        let token = issue(&server, "bank", subject, Some(ttl));
        Client::try_connect(&server, "bank", Encoding::MessagePack, Some(&token)).unwrap()
    };
    let auth = |client: &mut Client, id, token: &str| {
        let message = ClientMessage::Auth(Auth {
            id,
            token: token.into(),
        });
        client.send(&client.peer.encoded(&message));
        client.wait(id)
    };
    let ended = connect("ada", 2);
    let mut renewed = connect("eve", 2);
    let longer = issue(&server, "bank", "eve", Some(3600));
    assert!(matches!(
        auth(&mut renewed, 100, &longer),
        Answer::Value(..)
    ));
    let others = issue(&server, "bank", "bob", None);
    let Answer::Failed(error) = auth(&mut renewed, 101, &others) else {
        panic!("taken")
    };
    assert_eq!(error.code, "BAD_TOKEN");
    assert_eq!(ended.end(), ("TOKEN_EXPIRED".to_owned(), 1008));
    renewed.ping();
}

#[test]
fn the_admin_sees_more() {
    let server = TestServer::of("scripted");
    let token = server.server().admin_token().to_owned();
    let mut root =
        Client::try_connect(&server, "scripted", Encoding::MessagePack, Some(&token)).unwrap();
    assert!(root.query("SELECT * FROM secret").unwrap().is_empty());
    let mut ada = Client::connect(&server, "scripted");
    assert_eq!(
        ada.query("SELECT * FROM secret").unwrap_err().code,
        "SQL_UNKNOWN_TABLE"
    );
    let answer = server.post(
        "/v1/databases/scripted/tokens",
        r#"{"subject":"x"}"#,
        Some(&ada.token()),
    );
    assert_eq!((answer.status, &*answer.code()), (401, "ADMIN_REQUIRED"));
}

#[test]
fn hello_comes_first_and_once() {
    let server = TestServer::of("bank");
    for encoding in Encoding::ALL {
        let mut client = Client {
            socket: Socket::open(&server, "bank", encoding),
            peer: Peer::new(encoding),
        };
        let (_, ping) = client.peer.ping();
        client.send(&ping);
        assert_eq!(client.end(), ("HELLO_EXPECTED".to_owned(), 1008));

        let mut client = Client::try_connect(&server, "bank", encoding, None).unwrap();
        let hello = client.peer.encoded(&ClientMessage::Hello(Hello::default()));
        client.send(&hello);
        assert_eq!(client.end(), ("BAD_MESSAGE".to_owned(), 1002));

        let mut client = Client {
            socket: Socket::open(&server, "bank", encoding),
            peer: Peer::new(encoding),
        };
        let resume = Hello {
            resume: Some((Epoch(1), Lsn(1))),
            ..Hello::default()
        };
        client.send(&client.peer.encoded(&ClientMessage::Hello(resume)));
        assert_eq!(client.end(), ("NOT_SUPPORTED".to_owned(), 1008));
    }
}

#[test]
fn who_never_says_hello_is_cut() {
    let server = TestServer::of("bank");
    let start = Instant::now();
    let socket = Socket::open(&server, "bank", Encoding::Json);
    let silent = Client {
        socket,
        peer: Peer::new(Encoding::Json),
    };
    let mut other = Client::connect(&server, "bank");
    assert_eq!(silent.end(), ("HELLO_EXPECTED".to_owned(), 1008));
    let waited = start.elapsed();
    assert!(
        waited > Duration::from_secs(4) && waited < Duration::from_secs(12),
        "{waited:?}"
    );
    other.ping();
    // Not even the upgrade: a bare connection holds nothing of a database.
    assert_eq!(server.get("/v1/health").status, 200);
}

#[test]
fn upgrades_that_do_not_fit_are_refused() {
    let server = TestServer::of("bank");
    let address = server.server().address();
    let refusal = |database: &str, headers: &[(&'static str, &str)]| {
        let Err((status, body)) = Socket::try_open(address, database, headers) else {
            panic!("it was let in")
        };
        let body: Json = serde_json::from_str(&body).unwrap();
        (status, body["error"]["code"].as_str().unwrap().to_owned())
    };
    let bad_request = (400, "BAD_REQUEST".to_owned());
    assert_eq!(refusal("bank", &[]), bad_request, "no subprotocol");
    assert_eq!(
        refusal("bank", &[("sec-websocket-protocol", "chat, syncline.v0")]),
        bad_request
    );
    let old = [MSGPACK, ("sec-websocket-version", "8")];
    assert_eq!(refusal("bank", &old), bad_request);
    assert_eq!(refusal("bnak", &[MSGPACK]), (404, "NO_DATABASE".to_owned()));
    let answer = server.get("/v1/databases/bank/connect");
    assert_eq!(
        (answer.status, &*answer.code()),
        (400, "BAD_REQUEST"),
        "no upgrade at all"
    );
    let both = [(
        "sec-websocket-protocol",
        "syncline.v1.json, syncline.v1.msgpack",
    )];
    let mut socket = Socket::try_open(address, "bank", &both).unwrap();
    let hello = Peer::new(Encoding::MessagePack)
        .hello(None, syncline_protocol::message::Delivery::Confirmed);
    socket.send_binary(&hello);
    assert!(matches!(socket.receive(), Event::Message(bytes) if bytes[0] == 0x92));
}

#[test]
fn pages_of_others_stay_out() {
    let listed = "https://app.example.com".to_owned();
    let config = Config {
        allowed_origins: vec![listed],
        ..Config::default()
    };
    let server = TestServer::with(config);
    server.publish("bank", "bank");
    let address = server.server().address();
    let open = |headers: &[(&'static str, &str)]| {
        let headers = [&[MSGPACK], headers].concat();
        Socket::try_open(address, "bank", &headers)
            .err()
            .map(|(status, _)| status)
    };
    assert_eq!(open(&[("origin", "https://evil.example")]), Some(403));
    assert_eq!(open(&[("origin", "null")]), Some(403));
    assert_eq!(
        open(&[("host", "evil.example")]),
        Some(403),
        "a name that resolves to this machine"
    );
    assert_eq!(open(&[("origin", "http://localhost:5173")]), None);
    assert_eq!(
        open(&[
            ("origin", "https://app.example.com"),
            ("host", "app.example.com")
        ]),
        None
    );
    let evil = [("origin", "https://evil.example")];
    assert_eq!(
        server.get_with("/v1/databases/bank/schema", &evil).status,
        403
    );
    assert_eq!(server.get("/v1/databases/bank/schema").status, 200);
}

#[test]
fn only_so_many_connections() {
    let server = TestServer::with(Config {
        connections_max: 2,
        ..Config::default()
    });
    server.publish("bank", "bank");
    let first = Client::connect(&server, "bank");
    let _second = Client::connect(&server, "bank");
    let full = Socket::try_open(server.server().address(), "bank", &[MSGPACK]);
    let (status, body) = full.err().expect("there is no room");
    assert!(
        status == 503 && body.contains("TOO_MANY_CONNECTIONS"),
        "{status} {body}"
    );
    first.socket.close();
    crate::client::eventually("room again", || {
        Socket::try_open(server.server().address(), "bank", &[MSGPACK]).is_ok()
    });
}

#[test]
fn claims_of_a_token_decide_what_its_queries_give() {
    let server = TestServer::of("bank");
    let issue = |subject: &str, claims: Json| {
        let body = json!({ "subject": subject, "claims": claims }).to_string();
        let token = Some(server.server().admin_token());
        server.post("/v1/databases/bank/tokens", body, token)
    };
    let token = |subject: &str, claims: Json| {
        let answer = issue(subject, claims);
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["token"].as_str().unwrap().to_owned()
    };
    let ask = |token: Option<&str>| {
        let sql = "SELECT auth.role AS role, auth.level >= 3 AS high FROM (SELECT COUNT(*) AS n FROM account) AS one";
        let body = json!({ "sql": sql }).to_string();
        let answer = server.post("/v1/databases/bank/query", body, token);
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["rows"][0].clone()
    };
    let teller = token("ada", json!({"role": "teller", "level": 3}));
    let guest = token("eve", json!({"role": "guest", "level": 1}));
    let _open = Client::connect(&server, "bank");
    assert_eq!(ask(Some(&teller)), json!(["teller", true]));
    assert_eq!(ask(Some(&guest)), json!(["guest", false]));
    assert_eq!(ask(None), json!([null, null]));
    for bad in [
        json!({"sub": "eve"}),
        json!({"exp": 1}),
        json!({"role": "x".repeat(300)}),
        json!({"role": ["teller"]}),
        json!({"level": 3.5}),
        json!({"level": null}),
    ] {
        assert_eq!(issue("eve", bad).status, 400);
    }
    // A connection keeps the claims that it came with.
    let connect = |token: &str| {
        Client::try_connect(&server, "bank", Encoding::MessagePack, Some(token)).unwrap()
    };
    let mut ada = connect(&teller);
    for (id, claims, is_taken) in [
        (100, json!({"role": "teller", "level": 3}), true),
        (101, json!({"role": "admin", "level": 3}), false),
        (102, json!({}), false),
    ] {
        let next = token("ada", claims);
        let message = ClientMessage::Auth(Auth {
            id,
            token: next.as_str().into(),
        });
        ada.send(&ada.peer.encoded(&message));
        assert_eq!(matches!(ada.wait(id), Answer::Value(..)), is_taken);
    }
}
