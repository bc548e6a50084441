//! One foreign library a crate: who may know sockets, files, WASM, MessagePack, SQL.

use super::tree::{File, Finding, expect_none, files, packages};

/// Libraries that are known in few places, and those places.
const HOMES: &[(&str, &[&str])] = &[
    ("wasmtime", &["server/host"]),
    ("sqlparser", &["server/query"]),
    ("sled", &["server/store", "tests/bench-log"]),
    ("redb", &["tests/bench-log"]),
    ("crc32c", &["server/store", "tests/sim"]),
    ("rmp", &["protocol"]),
    ("rmp-serde", &["protocol"]),
    (
        "tokio",
        &["server/gateway", "server/cli", "client-sdk/rust", "tests"],
    ),
    (
        "tokio-tungstenite",
        &["server/gateway", "client-sdk/rust", "tests"],
    ),
    ("tokio-rustls", &["client-sdk/rust", "server/cli", "tests"]),
    ("rustls", &["server/cli"]),
    ("axum", &["server/gateway"]),
    ("hyper", &["server/gateway"]),
    ("hyper-util", &["server/gateway"]),
    ("jsonwebtoken", &["server/gateway"]),
    ("metrics-exporter-prometheus", &["server/gateway"]),
    ("rust-embed", &["server/gateway"]),
    ("socket2", &["server/gateway"]),
    (
        "rusqlite",
        &["server/query", "tests/bench-log", "tests/oracle"],
    ),
    ("mio", &["tests/bench"]),
    ("notify", &["server/cli"]),
    ("include_dir", &["server/cli"]),
    (
        "clap",
        &[
            "server/cli",
            "tests/bench",
            "tests/bench-live",
            "tests/bench-log",
            "tests/oracle",
            "tests/sim",
            "xtask",
        ],
    ),
    ("csv-core", &["server/gateway", "server/cli"]),
    ("indicatif", &["server/cli"]),
    ("syn", &["modules/sdk-macros"]),
];

/// Modules of the standard library that floors below the gateway do not touch, and who does.
const STD_HOMES: &[(&str, &[&str])] = &[
    (
        "std::net",
        &[
            "server/gateway",
            "server/cli",
            "client-sdk/rust",
            "tests",
            "xtask",
        ],
    ),
    (
        "std::fs",
        &[
            "server/store",
            "server/gateway",
            "server/cli",
            "tests",
            "xtask",
        ],
    ),
    ("std::process", &["server/cli", "tests", "xtask"]),
    (
        "std::thread",
        &[
            "server/gateway",
            "server/cli",
            "client-sdk/rust",
            "tests",
            "xtask",
        ],
    ),
];

fn check_dependency(folder: &str, library: &str) -> Option<Finding> {
    let (_, homes) = HOMES.iter().find(|(name, _)| *name == library)?;
    let manifest = format!("{folder}/Cargo.toml");
    (!homes.contains(&folder)).then(|| {
        Finding::new(
            &manifest,
            0,
            format!("{library} is known to {homes:?} alone"),
        )
    })
}

fn check_source(file: &File) -> Vec<Finding> {
    if !file.is_any(&["rs"]) || is_test(&file.path) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for (module, homes) in STD_HOMES {
            let is_home = homes
                .iter()
                .any(|home| file.path.starts_with(&format!("{home}/")));
            if code.contains(module) && !is_home {
                let what = format!("{module} is known to {homes:?} alone");
                findings.push(Finding::new(&file.path, number + 1, what));
            }
        }
    }
    findings
}

/// Tests may use files and threads.
pub(super) fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs")
        || path.contains("/tests/")
        || path.contains("/examples/")
        || path.contains("/benches/")
}

#[test]
fn foreign_libraries_stay_in_their_crates() {
    let mut findings = Vec::new();
    for (folder, package) in packages() {
        let names = package
            .dependencies
            .iter()
            .map(|dependency| dependency.name.as_str());
        findings.extend(names.filter_map(|name| check_dependency(&folder, name)));
    }
    expect_none(&findings);
}

#[test]
fn sockets_files_and_threads_stay_on_their_floor() {
    expect_none(&files().iter().flat_map(check_source).collect::<Vec<_>>());
}

#[test]
fn strays_are_found() {
    assert!(check_dependency("server/engine", "tokio").is_some());
    assert!(check_dependency("server/gateway", "tokio").is_none());
    let bad = File::sample(
        "server/engine/src/engine.rs",
        "// std::fs is fine here\nuse std::fs;\n",
    );
    let findings = check_source(&bad);
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].line, 2);
    let test = File::sample("server/engine/src/tests.rs", "use std::fs;");
    assert!(check_source(&test).is_empty());
}
