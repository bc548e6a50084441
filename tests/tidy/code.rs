//! Files: their size, their crate documentation, what they must not contain.

use super::tree::{File, Finding, expect_none, file, files, line_of, packages, relative};

const LINES_MAX: usize = 500;
const LINES_HARD_MAX: usize = 1000;
/// A file over the limit gives its reason in its first lines, with these words.
const REASON: &str = "over 500 lines";
const REASON_WITHIN_LINES: usize = 30;
const TOP_FILES_MAX: usize = 12;

fn check_size(file: &File) -> Option<Finding> {
    if !file.is_any(&["rs", "ts", "tsx"]) || file.path.contains("/generated/") {
        return None;
    }
    let lines = file.text.lines().count();
    let has_reason = file
        .text
        .lines()
        .take(REASON_WITHIN_LINES)
        .any(|line| line.contains(REASON));
    if lines <= LINES_MAX || (lines <= LINES_HARD_MAX && has_reason) {
        return None;
    }
    let what = if lines <= LINES_HARD_MAX {
        format!("{lines} lines, and its head has no reason with `{REASON}`")
    } else {
        format!("{lines} lines: over {LINES_HARD_MAX} whatever the reason")
    };
    Some(Finding::new(&file.path, 0, what))
}

/// Tests stand beside the code, not below it.
fn check_test_place(file: &File) -> Option<Finding> {
    let is_below = file.is_any(&["rs"]) && file.text.contains("\nmod tests {");
    let line = line_of(&file.text, "\nmod tests {") + 1;
    is_below.then(|| {
        Finding::new(
            &file.path,
            line,
            "tests stand in tests.rs beside the module",
        )
    })
}

/// Paths of somebody's machine, written in two pieces so that this file has none.
const PLACES: [(&str, &str); 6] = [
    ("/ro", "ot/"),
    ("/wo", "rk/"),
    ("/Us", "ers/"),
    ("C:\\", "Users"),
    ("/tmp/tar", "get"),
    ("/tmp/con", "tract"),
];

fn check_places(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        for (head, tail) in PLACES {
            if line.contains(&format!("{head}{tail}")) {
                let what = format!("names a place of somebody's machine: {head}{tail}");
                findings.push(Finding::new(&file.path, number + 1, what));
            }
        }
    }
    findings
}

fn check_manifest(file: &File) -> Option<Finding> {
    let is_package = file.text.contains("[package]");
    let inherits = file.text.contains("[lints]\nworkspace = true");
    (is_package && !inherits)
        .then(|| Finding::new(&file.path, 0, "lacks `[lints]` with `workspace = true`"))
}

fn check_crate_doc(file: &File) -> Option<Finding> {
    let code = file
        .text
        .lines()
        .find(|line| !line.starts_with("#!") || line.starts_with("#!["));
    let has_doc = code.is_some_and(|line| line.starts_with("//! "));
    (!has_doc).then(|| Finding::new(&file.path, 1, "a crate begins with `//!` and what it is"))
}

#[test]
fn files_are_of_a_size_to_read() {
    expect_none(&files().iter().filter_map(check_size).collect::<Vec<_>>());
}

#[test]
fn tests_stand_beside_the_code() {
    expect_none(
        &files()
            .iter()
            .filter_map(check_test_place)
            .collect::<Vec<_>>(),
    );
}

#[test]
fn no_file_names_a_machine() {
    let ours = files()
        .iter()
        .filter(|file| file.path != "package-lock.json");
    expect_none(&ours.flat_map(check_places).collect::<Vec<_>>());
}

#[test]
fn every_package_inherits_the_lints() {
    let manifests = packages()
        .into_iter()
        .map(|(folder, _)| file(&format!("{folder}/Cargo.toml")));
    expect_none(&manifests.filter_map(check_manifest).collect::<Vec<_>>());
}

#[test]
fn every_crate_says_what_it_is() {
    let mut findings = Vec::new();
    for (_, package) in packages() {
        for target in &package.targets {
            let path = relative(target.src_path.as_std_path());
            findings.extend(check_crate_doc(file(path.to_str().unwrap())));
        }
    }
    expect_none(&findings);
}

#[test]
fn folders_of_code_hold_few_files() {
    let mut folders = std::collections::BTreeMap::<&str, usize>::new();
    for file in files().iter().filter(|file| file.is_any(&["rs"])) {
        *folders
            .entry(file.path.rsplit_once('/').map_or("", |(folder, _)| folder))
            .or_default() += 1;
    }
    let crowded = folders
        .iter()
        .filter(|(_, count)| **count > 2 * TOP_FILES_MAX);
    let findings: Vec<_> = crowded
        .map(|(folder, count)| Finding::new(folder, 0, format!("{count} files in one folder")))
        .collect();
    expect_none(&findings);
}

#[test]
fn bad_files_are_found() {
    let long =
        |lines: usize, head: &str| File::sample("a.rs", &format!("{head}{}", "x\n".repeat(lines)));
    assert!(check_size(&long(LINES_MAX, "")).is_none());
    assert!(check_size(&long(LINES_MAX + 1, "")).is_some());
    assert!(check_size(&long(LINES_MAX + 1, "//! over 500 lines: a table\n")).is_none());
    assert!(check_size(&long(LINES_HARD_MAX, "//! over 500 lines: a table\n")).is_some());
    assert!(check_size(&File::sample("a.md", &"x\n".repeat(5000))).is_none());
    assert!(check_test_place(&File::sample("a.rs", "fn a() {}\n\nmod tests {\n}\n")).is_some());
    assert!(check_test_place(&File::sample("a.rs", "#[cfg(test)]\nmod tests;\n")).is_none());
    let place = File::sample("a.md", &format!("fine\nsee /ro{}x", "ot/"));
    assert_eq!(check_places(&place)[0].line, 2);
    assert!(check_manifest(&File::sample("Cargo.toml", "[package]\nname = \"a\"\n")).is_some());
    assert!(check_crate_doc(&File::sample("lib.rs", "fn main() {}\n")).is_some());
    assert!(check_crate_doc(&File::sample("lib.rs", "//! A crate.\n")).is_none());
}
