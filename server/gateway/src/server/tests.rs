//! A server without a module, over real sockets.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use syncline_protocol::ErrorCode;
use syncline_protocol::limits::FRAME_BYTES_MAX;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocket;
use tokio_tungstenite::tungstenite::{Message, client};

use super::*;
use crate::shared::Outside;

fn start() -> Server {
    let config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        ..Config::default()
    };
    let server = Server::start(config).unwrap();
    server.state.database_or_create("board").unwrap();
    server
}

fn stream(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream
}

fn connect(server: &Server) -> WebSocket<TcpStream> {
    let url = format!("ws://{}/v1/databases/board/connect", server.address());
    let mut request = url.into_client_request().unwrap();
    let protocol = "syncline.v1.json".parse().unwrap();
    request
        .headers_mut()
        .insert("sec-websocket-protocol", protocol);
    client(request, stream(server)).unwrap().0
}

/// Sends an HTTP request and returns the answer, head and body.
fn http(server: &Server, head: &str, body: &[u8]) -> String {
    let mut stream = stream(server);
    let len = body.len();
    let address = server.address();
    let head =
        format!("{head}\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {len}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    // A body that is refused by its length is not read.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

fn hello(socket: &mut WebSocket<TcpStream>) {
    socket.send(Message::text(r#"{"type":"hello"}"#)).unwrap();
    let welcome = socket.read().unwrap().into_text().unwrap();
    assert!(welcome.contains(r#""type":"welcome""#), "{welcome}");
}

#[test]
fn a_goodbye_is_answered_with_its_code_and_the_socket_closed_at_once() {
    use tokio_tungstenite::tungstenite::protocol::CloseFrame;
    let server = start();
    let mut socket = connect(&server);
    hello(&mut socket);
    let start = Instant::now();
    let goodbye = CloseFrame {
        code: 4000.into(),
        reason: "done".into(),
    };
    socket.close(Some(goodbye)).unwrap();
    let Message::Close(Some(answer)) = socket.read().unwrap() else {
        panic!("expected a close frame")
    };
    assert_eq!(u16::from(answer.code), 4000);
    assert!(socket.read().is_err(), "the server closes the socket");
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn a_client_that_is_told_to_go_may_go_at_once() {
    let server = start();
    let mut socket = connect(&server);
    let start = Instant::now();
    socket.send(Message::text("rubbish")).unwrap();
    let error = socket.read().unwrap().into_text().unwrap();
    assert!(error.contains("BAD_MESSAGE"), "{error}");
    assert!(matches!(socket.read().unwrap(), Message::Close(Some(_))));
    assert!(socket.read().is_err(), "both have said goodbye");
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[test]
fn another_version_of_websocket_is_told_which_one_is_spoken() {
    let server = start();
    let head = "GET /v1/databases/board/connect HTTP/1.1\r\nupgrade: websocket\r\n\
                sec-websocket-version: 8";
    let answer = http(&server, head, b"");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("sec-websocket-version: 13"), "{answer}");
}

#[test]
fn bodies_over_the_limit_get_a_typed_error() {
    let server = start();
    let head = "POST /v1/databases/board/query HTTP/1.1";
    let answer = http(&server, head, &vec![b' '; FRAME_BYTES_MAX + 1]);
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("FRAME_TOO_LARGE"), "{answer}");
}

#[test]
fn a_stranger_cannot_make_the_server_read_a_module() {
    let server = start();
    let mut stream = stream(&server);
    let head = "POST /v1/databases/board/publish HTTP/1.1";
    let address = server.address();
    write!(
        stream,
        "{head}\r\nhost: {address}\r\ncontent-length: 1000000\r\n\r\n"
    )
    .unwrap();
    // Nothing of the body is sent, and the answer is there.
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 401");
}

#[test]
fn a_database_that_has_ended_answers_that() {
    let server = start();
    let shared = server.state.database("board").unwrap();
    shared.close();
    let error = shared.send(Outside::Stats(oneshot::channel().0));
    let code = error.unwrap_err().known_code();
    assert_eq!(code, Some(ErrorCode::ServerShutdown));
    let health = http(&server, "GET /v1/health HTTP/1.1", b"");
    assert!(health.contains(r#""failed":1"#), "{health}");
    assert!(health.contains(r#""status":"degraded""#), "{health}");
    let metrics = http(&server, "GET /metrics HTTP/1.1", b"");
    assert!(metrics.contains("syncline_databases_failed 1"), "{metrics}");
}

#[test]
fn a_damaged_database_does_not_keep_the_others_from_being_served() {
    let data = tempfile::tempdir().unwrap();
    let start = || {
        let config = Config {
            listen: ([127, 0, 0, 1], 0).into(),
            data: Data::Folder(data.path().to_owned()),
            ..Config::default()
        };
        Server::start(config).unwrap()
    };
    let server = start();
    for name in ["good", "bad"] {
        server.state.database_or_create(name).unwrap();
    }
    server.shut_down();
    let log = data.path().join("databases/bad/log");
    let segment = std::fs::read_dir(log).unwrap().next().unwrap().unwrap();
    let mut bytes = std::fs::read(segment.path()).unwrap();
    bytes[20] ^= 1;
    std::fs::write(segment.path(), &bytes).unwrap();

    let server = start();
    assert!(server.state.database("good").is_ok());
    let health = http(&server, "GET /v1/health HTTP/1.1", b"");
    for part in [
        r#""closed":1"#,
        r#""databases":1"#,
        r#""status":"degraded""#,
    ] {
        assert!(health.contains(part), "{health}");
    }
    let left_out = server.left_out();
    assert!(left_out[0].1.contains("salvage"), "{left_out:?}");
    assert_eq!(left_out[0].0, "bad");
    // Neither an upload nor anything else makes a new one in its place.
    for found in [
        server.state.database("bad"),
        server.state.database_or_create("bad"),
    ] {
        let code = found.err().unwrap().known_code();
        assert_eq!(code, Some(ErrorCode::DatabaseClosed));
    }
    let head = "GET /v1/databases/bad/schema HTTP/1.1";
    let answer = http(&server, head, b"");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert_eq!(std::fs::read(segment.path()).unwrap(), bytes);
}

#[test]
fn rot_on_the_disk_is_found_and_memory_saves_what_was_there() {
    let data = tempfile::tempdir().unwrap();
    let start = |scrub_every| {
        let config = Config {
            listen: ([127, 0, 0, 1], 0).into(),
            data: Data::Folder(data.path().to_owned()),
            checkpoint_bytes: 1,
            scrub_every,
            ..Config::default()
        };
        Server::start(config).unwrap()
    };
    let checkpoints = || {
        let folder = data.path().join("databases/board/checkpoints");
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path());
        let mut whole: Vec<_> = paths
            .filter(|path| path.extension().is_some_and(|e| e == "checkpoint"))
            .collect();
        whole.sort();
        whole
    };
    let wait = |what: &str, is_so: &dyn Fn() -> bool| {
        let end = Instant::now() + Duration::from_mins(1);
        while !is_so() {
            assert!(Instant::now() < end, "{what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let server = start(None);
    server.state.database_or_create("board").unwrap();
    // The connection is a transaction.
    let mut socket = connect(&server);
    hello(&mut socket);
    wait("no checkpoint", &|| !checkpoints().is_empty());
    drop(socket);
    server.shut_down();

    let server = start(Some(Duration::from_millis(10)));
    let shared = server.state.database("board").unwrap();
    let problems = || shared.scrubs.problems.load(Ordering::Relaxed);
    wait("no scrub", &|| {
        shared.scrubs.finished.load(Ordering::Relaxed) > 0
    });
    assert_eq!(problems(), 0);
    let newest = checkpoints().pop().unwrap();
    let mut bytes = std::fs::read(&newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&newest, &bytes).unwrap();
    wait("the rot is not seen", &|| problems() > 0);
    let metrics = http(&server, "GET /metrics HTTP/1.1", b"");
    assert!(
        metrics.contains("syncline_scrub_problems_total"),
        "{metrics}"
    );
    // A checkpoint of what memory has makes the next open independent of the rotten file.
    let before = checkpoints();
    wait("no new checkpoint", &|| {
        checkpoints() != before || std::fs::read(&newest).is_ok_and(|now| now != bytes)
    });
    drop(shared);
    server.shut_down();
    let server = start(None);
    assert!(server.state.database("board").is_ok());
}
