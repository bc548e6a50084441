//! The determinism fence: crates whose runs depend on their inputs alone say so to clippy.

use super::tree::{File, Finding, expect_none, file};

const FENCED: [&str; 4] = [
    "server/store",
    "server/query",
    "server/host",
    "server/engine",
];
/// What each of them bans.
const BANNED: [&str; 5] = [
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    "std::thread::spawn",
    "std::fs::File::open",
    "std::collections::HashMap",
];

/// A crate's clippy.toml replaces the root's, so it repeats its lines.
fn check(fence: &File, root: &str) -> Vec<Finding> {
    let banned = BANNED
        .iter()
        .filter(|path| !fence.text.contains(&format!("\"{path}\"")));
    let mut findings: Vec<_> = banned
        .map(|path| Finding::new(&fence.path, 0, format!("does not ban {path}")))
        .collect();
    let lines = root
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    for line in lines.filter(|line| !fence.text.lines().any(|other| other == *line)) {
        findings.push(Finding::new(
            &fence.path,
            0,
            format!("does not repeat `{line}` of the root"),
        ));
    }
    findings
}

#[test]
fn deterministic_crates_are_fenced() {
    let root = &file("clippy.toml").text;
    let fences = FENCED
        .iter()
        .map(|folder| file(&format!("{folder}/clippy.toml")));
    expect_none(
        &fences
            .flat_map(|fence| check(fence, root))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn holes_in_the_fence_are_found() {
    let whole = BANNED.map(|path| format!("\"{path}\"\n")).concat();
    let fence = |text: &str| File::sample("clippy.toml", text);
    assert!(check(&fence(&format!("{whole}a = 1\n")), "# why\na = 1\n").is_empty());
    assert_eq!(check(&fence(&whole), "a = 1\n").len(), 1);
    assert_eq!(check(&fence("a = 1\n"), "a = 1\n").len(), BANNED.len());
}
