//! Licences and duplicates of everything that is linked or installed; deny.toml has the lists.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::tree::{File, Finding, expect_none, file, files, line_of, metadata};

/// Licences of deny.toml.
fn allowed(deny: &str) -> BTreeSet<String> {
    let block = deny
        .split("\nallow = [")
        .nth(1)
        .unwrap()
        .split("\n]")
        .next()
        .unwrap();
    block
        .lines()
        .filter_map(|line| line.trim().strip_prefix('"')?.strip_suffix("\","))
        .map(str::to_owned)
        .collect()
}

/// Crates that may be there twice, of deny.toml.
fn skipped(deny: &str) -> BTreeSet<String> {
    let names = deny.split("{ name = \"").skip(1);
    names
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect()
}

/// Whether an SPDX expression can be met with the allowed licences. `OR` binds weaker than `AND`, and
/// old manifests write `/` for it.
fn is_met(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let met = any(&tokens, &mut at, allowed);
    met && at == tokens.len()
}

fn any(tokens: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let mut met = all(tokens, at, allowed);
    while tokens.get(*at) == Some(&"OR") {
        *at += 1;
        met |= all(tokens, at, allowed);
    }
    met
}

fn all(tokens: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let mut met = one(tokens, at, allowed);
    while tokens.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(tokens, at, allowed);
    }
    met
}

fn one(tokens: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let Some(token) = tokens.get(*at) else {
        return false;
    };
    *at += 1;
    if *token == "(" {
        let met = any(tokens, at, allowed);
        let is_closed = tokens.get(*at) == Some(&")");
        *at += 1;
        return met && is_closed;
    }
    let mut name = (*token).to_owned();
    if tokens.get(*at) == Some(&"WITH") {
        name = format!(
            "{name} WITH {}",
            tokens.get(*at + 1).copied().unwrap_or_default()
        );
        *at += 2;
    }
    allowed.contains(&name)
}

/// Names with more than one version that are not excused, and excuses without a duplicate.
fn duplicates(packages: &[(String, String)], skipped: &BTreeSet<String>) -> Vec<Finding> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, version) in packages {
        versions.entry(name).or_default().insert(version);
    }
    versions.retain(|_, versions| versions.len() > 1);
    let mut findings = Vec::new();
    for (name, versions) in &versions {
        if !skipped.contains(*name) {
            let what = format!("{name} is there as {versions:?} and deny.toml does not say why");
            findings.push(Finding::new("Cargo.lock", 0, what));
        }
    }
    for name in skipped
        .iter()
        .filter(|name| !versions.contains_key(name.as_str()))
    {
        findings.push(Finding::new(
            "deny.toml",
            0,
            format!("{name} is there once: no excuse needed"),
        ));
    }
    findings
}

fn npm_licences(lock: &File, allowed: &BTreeSet<String>) -> Vec<Finding> {
    let json: Value = serde_json::from_str(&lock.text).unwrap();
    let mut findings = Vec::new();
    for (path, package) in json["packages"].as_object().into_iter().flatten() {
        if !path.contains("node_modules/") || package["link"] == true {
            continue;
        }
        let licence = package["license"].as_str().unwrap_or("(none)");
        if !is_met(licence, allowed) {
            let line = line_of(&lock.text, &format!("\"{path}\""));
            findings.push(Finding::new(
                &lock.path,
                line,
                format!("{path} is under {licence}"),
            ));
        }
    }
    findings
}

/// Licences that only tools of the TypeScript build have; nothing of them is shipped.
const NPM_TOOLS: [&str; 3] = ["MPL-2.0", "BlueOak-1.0.0", "CC-BY-4.0"];

#[test]
fn cargo_packages_have_allowed_licences() {
    let allowed = allowed(&file("deny.toml").text);
    assert!(allowed.contains("MIT") && allowed.contains("Apache-2.0 WITH LLVM-exception"));
    let findings: Vec<_> = metadata()
        .packages
        .iter()
        .filter_map(|package| {
            let licence = package.license.as_deref().unwrap_or("(none)");
            let what = format!("{} {} is under {licence}", package.name, package.version);
            (!is_met(licence, &allowed)).then(|| Finding::new("Cargo.lock", 0, what))
        })
        .collect();
    expect_none(&findings);
}

#[test]
fn npm_packages_have_allowed_licences() {
    let mut allowed = allowed(&file("deny.toml").text);
    allowed.extend(NPM_TOOLS.map(str::to_owned));
    let locks = files()
        .iter()
        .filter(|file| file.path.ends_with("package-lock.json"));
    expect_none(
        &locks
            .flat_map(|lock| npm_licences(lock, &allowed))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn duplicates_have_an_excuse() {
    let packages = metadata().packages.iter();
    let packages: Vec<_> = packages
        .map(|package| (package.name.to_string(), package.version.to_string()))
        .collect();
    expect_none(&duplicates(&packages, &skipped(&file("deny.toml").text)));
}

#[test]
fn licences_and_duplicates_are_found() {
    let allowed = BTreeSet::from(["MIT", "ISC"].map(str::to_owned));
    for good in [
        "MIT",
        "GPL-3.0 OR MIT",
        "GPL-3.0/MIT",
        "MIT AND ISC",
        "(GPL-3.0 OR ISC) AND MIT",
    ] {
        assert!(is_met(good, &allowed), "{good}");
    }
    let bad = [
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "(GPL-3.0 OR ISC) AND GPL-3.0",
        "MIT WITH X",
        "",
        "(MIT",
    ];
    for bad in bad {
        assert!(!is_met(bad, &allowed), "{bad}");
    }
    let packages = [("a", "1"), ("a", "2"), ("b", "1")].map(|(n, v)| (n.to_owned(), v.to_owned()));
    assert_eq!(duplicates(&packages, &BTreeSet::new()).len(), 1);
    assert_eq!(
        duplicates(&packages, &BTreeSet::from(["a".to_owned()])).len(),
        0
    );
    assert_eq!(
        duplicates(&packages, &BTreeSet::from(["a".to_owned(), "b".to_owned()])).len(),
        1
    );
    let lock = r#"{"packages": {"": {}, "node_modules/x": {"license": "GPL-3.0"}}}"#;
    assert_eq!(
        npm_licences(&File::sample("package-lock.json", lock), &allowed).len(),
        1
    );
}
