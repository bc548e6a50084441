//! Commands through a proxy that speaks TLS.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::server::{TestServer, module, run, syncline};
use crate::tls_proxy::{Authority, TlsProxy};

/// A server, a proxy in front of it, and the authority's certificate in a file.
fn behind_a_proxy() -> (TestServer, TlsProxy) {
    let server = TestServer::start();
    let authority = Authority::new();
    let address = server.url.trim_start_matches("http://").parse().unwrap();
    let proxy = authority.proxy(address, &["localhost"]);
    std::fs::write(server.folder.path().join("ca.pem"), authority.pem()).unwrap();
    (server, proxy)
}

/// A command that knows the proxy instead of the server.
fn command(server: &TestServer, url: &str, args: &[&str]) -> Command {
    let mut command = server.command(args);
    command.env("SYNCLINE_SERVER", url);
    command
}

#[test]
fn publish_query_and_subscribe_through_tls() {
    let (server, proxy) = behind_a_proxy();
    let (url, wasm) = (proxy.url("localhost"), module("chat"));
    let with_flag = |args: &[&str]| {
        let args = [&["--cacert", "ca.pem"][..], args].concat();
        command(&server, &url, &args)
    };
    let publish = ["publish", wasm.to_str().unwrap(), "--database", "chat"];
    let published = run(&mut with_flag(&publish)).ok();
    assert!(published.starts_with("published to chat"), "{published}");
    // The environment names the file as well.
    let query = ["query", "chat", "SELECT name FROM room", "--json"];
    let mut by_environment = command(&server, &url, &query);
    let rows = run(by_environment.env("SYNCLINE_CACERT", "ca.pem")).ok();
    let rows: serde_json::Value = serde_json::from_str(&rows).unwrap();
    assert_eq!(rows["rows"], json!([["lobby"]]));

    let follow = ["subscribe", "chat", "SELECT id, name FROM room"];
    let mut child = with_flag(&follow).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    assert_eq!(lines.by_ref().take(4).last().unwrap(), "1 row");
    run(&mut with_flag(&["call", "chat", "open_room", "den"])).ok();
    assert_eq!(lines.next().unwrap(), "+ id=2  name=den");
    // The connection comes back, and what happened meanwhile with it.
    proxy.cut();
    run(&mut with_flag(&["call", "chat", "open_room", "attic"])).ok();
    assert_eq!(lines.next().unwrap(), "+ id=3  name=attic");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn tls_that_fails_is_code_3_and_says_what_to_do() {
    let (server, proxy) = behind_a_proxy();
    let (https, ip) = (proxy.url("localhost"), proxy.url("127.0.0.1"));
    let to_plain = server.url.replace("http://", "https://");
    let to_tls = https.replace("https://", "http://");
    for (url, trusts, message, hint) in [
        (
            &https,
            false,
            "signed the server's certificate",
            "--cacert FILE",
        ),
        (
            &ip,
            true,
            "for localhost, not for 127.0.0.1",
            "as its certificate does",
        ),
        (&to_plain, true, "does not speak TLS", "write http://"),
        (&to_tls, true, "does not speak plain HTTP", "write https://"),
    ] {
        for args in [
            &["schema", "chat"][..],
            &["call", "chat", "send", "1", "hi"],
            &["subscribe", "chat", "SELECT * FROM room"],
        ] {
            let mut command = command(&server, url, args);
            if trusts {
                command.args(["--cacert", "ca.pem"]);
            }
            let error = run(&mut command).failed(3);
            assert!(error.contains(message), "{url} {args:?}: {error}");
            assert!(error.contains(hint), "{url} {args:?}: {error}");
        }
    }
}

#[test]
fn an_authority_that_is_none_is_code_2() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), "hello\n").unwrap();
    let schema = [
        "schema",
        "chat",
        "--server",
        "https://localhost:1",
        "--cacert",
    ];
    let mut wrong = syncline();
    let error = run(wrong.args(schema).arg("ca.pem").current_dir(folder.path())).failed(2);
    assert!(
        error.contains("ca.pem: there is no CERTIFICATE in it"),
        "{error}"
    );
    let mut missing = syncline();
    let error = run(missing
        .args(schema)
        .arg("no.pem")
        .current_dir(folder.path()))
    .failed(1);
    assert!(error.contains("no.pem"), "{error}");
}
