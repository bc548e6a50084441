//! What goes wrong: exit codes, and words that help.

use serde_json::Value;

use crate::server::{TestServer, run, syncline};

#[test]
fn the_server_refuses_with_code_and_hint() {
    let server = TestServer::with_chat();
    for (args, code, hint) in [
        (
            &["call", "chit", "send"][..],
            "NO_DATABASE",
            "did you mean chat?",
        ),
        (
            &["call", "chat", "sned", "1", "x"],
            "NO_REDUCER",
            "did you mean send?",
        ),
        (
            &["query", "chat", "SELECT * FROM mesage"],
            "SQL_UNKNOWN_TABLE",
            "message",
        ),
        (&["query", "chat", "SELECT FROM"], "SQL_SYNTAX", ""),
        (&["call", "chat", "send", "9", "x"], "REDUCER_ERROR", ""),
        (&["call", "chat", "send", "9"], "BAD_ARGUMENTS", ""),
        (&["call", "chat", "init"], "LIFECYCLE_REDUCER", ""),
        (
            &["subscribe", "chit", "SELECT * FROM room"],
            "NO_DATABASE",
            "",
        ),
        (
            &["subscribe", "chat", "SELECT * FROM rom"],
            "SQL_UNKNOWN_TABLE",
            "",
        ),
        (&["schema", "chit"], "NO_DATABASE", "did you mean chat?"),
        (&["logs", "chat", "--token", "forged"], "ADMIN_REQUIRED", ""),
        (
            &["query", "chat", "SELECT 1", "--token", "forged"],
            "BAD_TOKEN",
            "",
        ),
    ] {
        let error = server.run(args).failed(1);
        assert!(error.starts_with("error: "), "{args:?}: {error}");
        assert!(
            error.contains(&format!("\n code: {code}\n")),
            "{args:?}: {error}"
        );
        assert!(error.contains(hint), "{args:?}: {error}");

        let error = run(server.command(args).arg("--json")).failed(1);
        let error: Value = serde_json::from_str(&error).unwrap();
        assert_eq!(error["error"]["code"], code, "{args:?}");
    }
}

#[test]
fn a_wrong_command_line_is_code_2() {
    for (args, word) in [
        (&["pubish"][..], "'publish'"),
        (&["call"], "<DATABASE>"),
        (&["query", "chat", "SELECT 1", "--param", "x"], "NAME=VALUE"),
        (
            &["token", "chat", "--subject", "ada", "--ttl", "1w"],
            "unit of time",
        ),
        (
            &["token", "chat", "--subject", "ada", "--claim", "=x"],
            "NAME=VALUE",
        ),
        (
            &[
                "token",
                "chat",
                "--subject",
                "ada",
                "--claim",
                "a=1",
                "--claim",
                "a=2",
            ],
            "given twice",
        ),
        (
            &["start", "--in-memory", "--data", "x"],
            "exclude each other",
        ),
        (&["call", "chat", "send", "--args", "1"], "JSON array"),
        (&["version", "--server", "https://example.com"], ""),
        (
            &["schema", "chat", "--server", "wss://example.com"],
            "no address of a server",
        ),
    ] {
        let done = run(syncline()
            .args(args)
            .env("SYNCLINE_SERVER", "http://127.0.0.1:1"));
        if word.is_empty() {
            assert!(done.ok().starts_with("syncline "));
            continue;
        }
        let error = done.failed(2);
        assert!(error.contains(word), "{args:?}: {error}");
    }
}

#[test]
fn no_server_is_code_3_and_says_how_to_start_one() {
    for args in [
        &["schema", "chat"][..],
        &["call", "chat", "send"],
        &["subscribe", "chat", "SELECT 1"],
    ] {
        let error = run(syncline()
            .args(args)
            .args(["--server", "http://127.0.0.1:1"]))
        .failed(3);
        assert!(
            error.contains("127.0.0.1:1") && error.contains("`syncline start`"),
            "{error}"
        );
    }
}

#[test]
fn a_port_in_use_is_code_3_and_names_the_command() {
    let server = TestServer::start();
    let address = server.url.trim_start_matches("http://");
    let other = server.folder.path().join("other");
    let start = [
        "start",
        "--listen",
        address,
        "--data",
        other.to_str().unwrap(),
    ];
    let error = run(syncline().args(start)).failed(3);
    assert!(error.contains("in use"), "{error}");
    assert!(
        error.contains("`syncline start --listen 127.0.0.1:0`"),
        "{error}"
    );
}

#[test]
fn a_data_folder_in_use_is_code_3_and_says_so() {
    let server = TestServer::start();
    let data = server.data();
    let start = [
        "start",
        "--listen",
        "127.0.0.1:0",
        "--data",
        data.to_str().unwrap(),
    ];
    let error = run(syncline().args(start)).failed(3);
    assert!(error.contains("another server runs on"), "{error}");
}

#[test]
fn publish_without_the_admin_token_says_where_it_is() {
    let server = TestServer::start();
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("x.wasm");
    std::fs::write(&file, b"\0asm\x01\0\0\0").unwrap();
    let publish = |data: Option<&str>| {
        let mut command = syncline();
        command.args([
            "publish",
            "x.wasm",
            "--database",
            "x",
            "--server",
            &server.url,
        ]);
        command.args(data.map(|data| format!("--data={data}")));
        run(command.current_dir(elsewhere.path())).failed(1)
    };
    let error = publish(None);
    assert!(
        error.contains("code: ADMIN_REQUIRED") && error.contains("--data"),
        "{error}"
    );
    // A token of another server.
    std::fs::create_dir(elsewhere.path().join("theirs")).unwrap();
    std::fs::write(
        elsewhere.path().join("theirs/admin.token"),
        "syncline_admin_0\n",
    )
    .unwrap();
    let error = publish(Some("theirs"));
    assert!(
        error.contains("theirs/admin.token is not of this server"),
        "{error}"
    );
    // With the token it is the module that is refused.
    let error = publish(Some(server.data().to_str().unwrap()));
    assert!(error.contains("code: MODULE_ABI"), "{error}");
}

#[test]
fn a_missing_wasm_target_names_the_command_that_installs_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path();
    std::fs::write(project.join("Cargo.toml"), "[package]\nname = \"x\"\n").unwrap();
    // A toolchain without the target: its folder of libraries is not there.
    let rustc = project.join("rustc");
    std::fs::write(&rustc, "#!/bin/sh\necho /nowhere/lib\n").unwrap();
    std::fs::set_permissions(&rustc, std::fs::Permissions::from_mode(0o755)).unwrap();
    let build = || {
        let mut command = syncline();
        command
            .args(["publish", "--database", "x"])
            .current_dir(project);
        command
    };
    let error = run(build().env("RUSTC", &rustc)).failed(4);
    assert!(
        error.contains("`rustup target add wasm32-unknown-unknown`"),
        "{error}"
    );
    let error = run(build().env("RUSTC", project.join("none"))).failed(4);
    assert!(error.contains("https://rustup.rs"), "{error}");
}
