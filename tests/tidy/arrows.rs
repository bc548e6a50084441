//! Arrows between packages: ARCHITECTURE.md has the list, cargo and npm must agree with it.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::DependencyKind;
use serde_json::Value;

use super::tree::{Finding, expect_none, file, files, line_of, packages, relative};

/// From a package's folder to the folders it may depend on; `*` is any.
type Arrows = BTreeMap<String, BTreeSet<String>>;

/// The block fenced as `arrows`.
fn parse(text: &str) -> Result<Arrows, String> {
    let block = text
        .split("```arrows\n")
        .nth(1)
        .ok_or("no block fenced as ```arrows")?;
    let block = block.split("```").next().unwrap_or_default();
    let mut arrows = Arrows::new();
    for line in block.lines().filter(|line| !line.trim().is_empty()) {
        let (from, to) = line
            .split_once("->")
            .ok_or(format!("no arrow in `{line}`"))?;
        let to = to
            .split(',')
            .map(|to| to.trim().to_owned())
            .filter(|to| to != "nothing");
        arrows.insert(from.trim().to_owned(), to.collect());
    }
    Ok(arrows)
}

/// Every arrow of the list must be there and no other. Tests may reach what their package reaches
/// through others.
fn check(listed: &Arrows, real: &Arrows, tested: &Arrows) -> Vec<Finding> {
    let manifest = |folder: &str| format!("{folder} (its manifest)");
    let mut findings = Vec::new();
    for (from, targets) in real {
        let Some(allowed) = listed.get(from) else {
            findings.push(Finding::new(
                &manifest(from),
                0,
                "ARCHITECTURE.md does not list it",
            ));
            continue;
        };
        if allowed.contains("*") {
            continue;
        }
        for to in targets.difference(allowed) {
            findings.push(Finding::new(
                &manifest(from),
                0,
                format!("must not depend on {to}"),
            ));
        }
        for to in allowed.difference(targets) {
            let what = format!("ARCHITECTURE.md lists {from} -> {to}, which is not there");
            findings.push(Finding::new(&manifest(from), 0, what));
        }
        let reachable = reachable(listed, from);
        for to in tested
            .get(from)
            .into_iter()
            .flatten()
            .filter(|to| !reachable.contains(*to))
        {
            findings.push(Finding::new(
                &manifest(from),
                0,
                format!("its tests must not use {to}"),
            ));
        }
    }
    let gone = listed.keys().filter(|from| !real.contains_key(*from));
    findings.extend(gone.map(|from| Finding::new(from, 0, "is listed but not there")));
    findings
}

fn reachable(arrows: &Arrows, from: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::from([from.to_owned()]);
    let mut open = vec![from.to_owned()];
    while let Some(next) = open.pop() {
        for to in arrows.get(&next).into_iter().flatten() {
            if seen.insert(to.clone()) {
                open.push(to.clone());
            }
        }
    }
    seen
}

/// Arrows between our cargo packages, of code and of tests.
fn cargo_arrows() -> (Arrows, Arrows) {
    let (mut real, mut tested) = (Arrows::new(), Arrows::new());
    for (folder, package) in packages() {
        real.entry(folder.clone()).or_default();
        for dependency in &package.dependencies {
            let Some(path) = &dependency.path else {
                continue;
            };
            let to = relative(path.as_std_path()).to_str().unwrap().to_owned();
            let is_test = dependency.kind == DependencyKind::Development;
            let arrows = if is_test { &mut tested } else { &mut real };
            arrows.entry(folder.clone()).or_default().insert(to);
        }
    }
    (real, tested)
}

/// Arrows between our npm packages. What a package is built or used with counts alike.
fn npm_arrows() -> Arrows {
    let manifests = files().iter().filter(|file| {
        let is_ours = file.path.starts_with("client-sdk/") || file.path.starts_with("web-demo/");
        is_ours && file.path.ends_with("/package.json")
    });
    let manifests: Vec<(String, Value)> = manifests
        .map(|file| {
            let folder = file.path.trim_end_matches("/package.json").to_owned();
            (folder, serde_json::from_str(&file.text).unwrap())
        })
        .collect();
    let folder_of = |name: &str| {
        manifests
            .iter()
            .find(|(_, manifest)| manifest["name"] == name)
            .map(|(folder, _)| folder)
    };
    let mut arrows = Arrows::new();
    for (folder, manifest) in &manifests {
        let targets = arrows.entry(folder.clone()).or_default();
        for kind in ["dependencies", "devDependencies", "peerDependencies"] {
            let names = manifest[kind]
                .as_object()
                .into_iter()
                .flat_map(|map| map.keys());
            targets.extend(names.filter_map(|name| folder_of(name).cloned()));
        }
    }
    arrows
}

#[test]
fn arrows_are_those_of_architecture_md() {
    let listed = parse(&file("ARCHITECTURE.md").text).unwrap();
    let (mut real, mut tested) = cargo_arrows();
    // Tests stand above everything, and what they use they use in tests alone.
    if let Some(used) = tested.remove("tests") {
        real.entry("tests".into()).or_default().extend(used);
    }
    real.extend(npm_arrows());
    expect_none(&check(&listed, &real, &tested));
}

#[test]
fn arrows_that_are_not_listed_are_found() {
    let listed = parse("x\n```arrows\nstore -> protocol\nprotocol -> nothing\n```\n").unwrap();
    let arrows = |list: &[(&str, &[&str])]| -> Arrows {
        let entry = |(from, to): &(&str, &[&str])| {
            (
                (*from).to_owned(),
                to.iter().map(|to| (*to).to_owned()).collect(),
            )
        };
        list.iter().map(entry).collect()
    };
    let good = arrows(&[("store", &["protocol"]), ("protocol", &[])]);
    expect_none(&check(&listed, &good, &Arrows::new()));
    for (bad, what) in [
        (
            arrows(&[("store", &["protocol", "gateway"]), ("protocol", &[])]),
            "must not depend on",
        ),
        (
            arrows(&[("store", &[]), ("protocol", &[])]),
            "which is not there",
        ),
        (
            arrows(&[("store", &["protocol"]), ("protocol", &[]), ("new", &[])]),
            "does not list it",
        ),
        (arrows(&[("store", &["protocol"])]), "listed but not there"),
    ] {
        let findings = check(&listed, &bad, &Arrows::new());
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].what.contains(what), "{findings:?}");
    }
    let upward = check(&listed, &good, &arrows(&[("protocol", &["store"])]));
    assert!(upward[0].what.contains("its tests must not use store"));
    assert!(parse("no block").is_err());
    assert!(line_of("a\nb", "b") == 2 && line_of("a", "b") == 0);
}
