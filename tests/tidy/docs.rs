//! Pages that are tied to the code: links, error codes, messages, the map.

use std::collections::BTreeSet;
use std::path::Path;

use syncline_protocol::ErrorCode;

use super::tree::{File, Finding, expect_none, file, files, line_of, root};

const ARCHITECTURE_LINES_MAX: usize = 400;

fn check_links(file: &File, exists: impl Fn(&Path) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut is_code = false;
    for (number, line) in file.text.lines().enumerate() {
        is_code ^= line.trim_start().starts_with("```");
        if is_code {
            continue;
        }
        for rest in line.split("](").skip(1) {
            let target = rest.split([')', ' ']).next().unwrap_or_default();
            let target = target.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
            if !exists(&folder.join(target)) {
                let what = format!("links to {target}, which is not there");
                findings.push(Finding::new(&file.path, number + 1, what));
            }
        }
    }
    findings
}

/// Every code has one row of the page and no row is of another code.
fn check_errors(page: &File, codes: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    for (number, line) in page.text.lines().enumerate() {
        let Some(code) = line
            .strip_prefix("| `")
            .and_then(|rest| rest.split('`').next())
        else {
            continue;
        };
        if !codes.contains(&code) {
            findings.push(Finding::new(
                &page.path,
                number + 1,
                format!("{code} is no ErrorCode"),
            ));
        } else if !seen.insert(code) {
            findings.push(Finding::new(
                &page.path,
                number + 1,
                format!("{code} is there twice"),
            ));
        }
    }
    let missing = codes.iter().filter(|code| !seen.contains(*code));
    findings.extend(missing.map(|code| Finding::new(&page.path, 0, format!("lacks {code}"))));
    findings
}

/// Pairs of tag and message of the encoder in `source`.
fn messages(source: &str) -> Vec<(String, String)> {
    let arms = source.lines().filter_map(|line| {
        let (name, rest) = line
            .trim()
            .strip_prefix("Self::")?
            .split_once("(body) => put_tagged(")?;
        let (tag, _) = rest.split_once(',')?;
        Some((tag.to_owned(), name.to_owned()))
    });
    arms.collect()
}

/// Every message has its row, with its tag, and no other row has a message.
fn check_messages(page: &File, messages: &[(String, String)]) -> Vec<Finding> {
    let row = |tag: &str, name: &str| format!("| {tag} | `{name}` |");
    let missing = messages.iter().map(|(tag, name)| row(tag, name));
    let missing = missing.filter(|row| !page.text.contains(row.as_str()));
    let mut findings: Vec<_> = missing
        .map(|row| Finding::new(&page.path, 0, format!("lacks the row {row}")))
        .collect();
    for (number, line) in page.text.lines().enumerate() {
        let mut cells = line.split(" | ");
        let tag = cells.next().and_then(|cell| cell.strip_prefix("| "));
        let name = cells
            .next()
            .and_then(|cell| cell.strip_prefix('`')?.strip_suffix('`'));
        let (Some(tag), Some(name)) = (tag.filter(|tag| tag.parse::<u8>().is_ok()), name) else {
            continue;
        };
        if !messages.iter().any(|(a, b)| a == tag && b == name) {
            let what = format!("{name} with tag {tag} is no message");
            findings.push(Finding::new(&page.path, number + 1, what));
        }
    }
    findings
}

#[test]
fn relative_links_resolve() {
    let pages = files().iter().filter(|file| file.is_any(&["md"]));
    let exists = |path: &Path| root().join(path).exists();
    expect_none(
        &pages
            .flat_map(|page| check_links(page, exists))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn errors_md_lists_every_code() {
    let codes: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    expect_none(&check_errors(file("docs/errors.md"), &codes));
}

#[test]
fn wire_md_lists_every_message() {
    let mut all = messages(&file("protocol/src/message/client.rs").text);
    all.extend(messages(&file("protocol/src/message/server.rs").text));
    assert!(
        all.len() >= 17,
        "the encoders are not written as they were: {all:?}"
    );
    expect_none(&check_messages(file("docs/wire.md"), &all));
}

#[test]
fn module_abi_md_lists_every_function() {
    let page = file("docs/module-abi.md");
    let exports = [
        "syncline_describe",
        "syncline_alloc",
        "syncline_call",
        "memory",
    ];
    let names = syncline_protocol::abi::IMPORTS
        .iter()
        .copied()
        .chain(exports);
    let missing = names.filter(|name| !page.text.contains(&format!("`{name}")));
    let findings: Vec<_> = missing
        .map(|name| Finding::new(&page.path, 0, format!("lacks `{name}`")))
        .collect();
    expect_none(&findings);
}

#[test]
fn architecture_md_is_a_map_not_a_book() {
    let lines = file("ARCHITECTURE.md").text.lines().count();
    assert!(
        lines <= ARCHITECTURE_LINES_MAX,
        "ARCHITECTURE.md has {lines} lines"
    );
}

#[test]
fn the_reading_order_names_every_page() {
    let index = file("docs/README.md");
    let pages = files().iter().filter(|file| file.is_any(&["md"]));
    let pages = pages.filter_map(|file| file.path.strip_prefix("docs/"));
    let pages = pages.filter(|name| *name != "README.md");
    let missing = pages.filter(|name| line_of(&index.text, &format!("]({name})")) == 0);
    let findings: Vec<_> = missing
        .map(|name| Finding::new(&index.path, 0, format!("does not link {name}")))
        .collect();
    expect_none(&findings);
}

#[test]
fn bad_pages_are_found() {
    let page = File::sample(
        "docs/a.md",
        "[x](b.md) [y](https://z)\n```\n[q](no.md)\n```\n[w](c.md#top)\n",
    );
    let found = check_links(&page, |path| path == Path::new("docs/b.md"));
    assert_eq!(
        found,
        [Finding::new(
            "docs/a.md",
            5,
            "links to c.md, which is not there"
        )]
    );

    let errors = File::sample("e.md", "| `A` | x |\n| `A` | x |\n| `B` | x |\n");
    let found = check_errors(&errors, &["A", "C"]);
    let what: Vec<_> = found.iter().map(|finding| finding.what.as_str()).collect();
    assert_eq!(what, ["A is there twice", "B is no ErrorCode", "lacks C"]);

    let arms = messages("    Self::Hello(body) => put_tagged(1, body, out),\n    _ => x,\n");
    assert_eq!(arms, [("1".to_owned(), "Hello".to_owned())]);
    assert!(check_messages(&File::sample("w.md", "| 1 | `Hello` | x |\n"), &arms).is_empty());
    assert_eq!(
        check_messages(&File::sample("w.md", "| 2 | `Hello` | x |\n"), &arms).len(),
        2
    );
}
