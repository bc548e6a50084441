//! No circle between the files of a crate or of a TypeScript package.

use std::collections::{BTreeMap, BTreeSet};

use super::libraries::is_test;
use super::tree::{File, Finding, expect_none, files, packages};

/// From a node to the nodes it uses, with the line where it first does.
type Graph = BTreeMap<String, BTreeMap<String, (String, usize)>>;

/// Top-level modules of a crate and the uses among them, by `crate::` paths. What lib.rs re-exports
/// counts as a use of the module it comes from.
fn rust_graph(source: &str, files: &[&File]) -> Graph {
    let module_of = |file: &File| {
        let rest = file.path.strip_prefix(source)?.strip_prefix('/')?;
        let first = rest.split('/').next()?;
        Some(first.trim_end_matches(".rs").to_owned())
    };
    let modules: BTreeSet<String> = files.iter().filter_map(|file| module_of(file)).collect();
    let root = files
        .iter()
        .find(|file| file.path == format!("{source}/lib.rs"));
    let exports = root.map(|file| exports(&file.text)).unwrap_or_default();
    let mut graph = Graph::new();
    for file in files.iter().filter(|file| !is_test(&file.path)) {
        let Some(from) = module_of(file).filter(|name| name != "lib" && name != "main") else {
            continue;
        };
        for (number, line) in file.text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for path in code.split("crate::").skip(1) {
                for name in first_names(path) {
                    let to = exports.get(&name).cloned().unwrap_or(name);
                    if modules.contains(&to) && to != from {
                        let place = (file.path.clone(), number + 1);
                        graph
                            .entry(from.clone())
                            .or_default()
                            .entry(to)
                            .or_insert(place);
                    }
                }
            }
        }
    }
    graph
}

/// First names of `a::b`, or of each part of `{a::b, c}`.
fn first_names(path: &str) -> Vec<String> {
    let ident = |text: &str| -> String {
        text.trim_start()
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    match path.strip_prefix('{') {
        None => vec![ident(path)],
        Some(group) => group
            .split('}')
            .next()
            .unwrap_or_default()
            .split(',')
            .map(ident)
            .collect(),
    }
}

/// From each name that lib.rs re-exports to the module it comes from.
fn exports(text: &str) -> BTreeMap<String, String> {
    let mut exports = BTreeMap::new();
    for statement in text.split("pub use ").skip(1) {
        let statement = statement.split(';').next().unwrap_or_default();
        let statement = statement.strip_prefix("crate::").unwrap_or(statement);
        let Some((module, names)) = statement.split_once("::") else {
            continue;
        };
        let names = names.trim_matches(|c: char| c == '{' || c == '}' || c.is_whitespace());
        for name in names.split(',') {
            let name = name.split(" as ").last().unwrap_or_default();
            let name = name.rsplit("::").next().unwrap_or_default().trim();
            exports.insert(name.to_owned(), module.to_owned());
        }
    }
    exports
}

/// Files of a TypeScript package and their relative imports.
fn typescript_graph(files: &[&File]) -> Graph {
    let paths: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let mut graph = Graph::new();
    for file in files {
        for (number, line) in file.text.lines().enumerate() {
            let specifier = line
                .split(" from \"")
                .nth(1)
                .or_else(|| line.strip_prefix("import \""));
            let Some(specifier) = specifier.and_then(|rest| rest.split('"').next()) else {
                continue;
            };
            if !specifier.starts_with('.') || line.starts_with("//") {
                continue;
            }
            if let Some(to) = resolve(&file.path, specifier, &paths) {
                let place = (file.path.clone(), number + 1);
                graph
                    .entry(file.path.clone())
                    .or_default()
                    .entry(to)
                    .or_insert(place);
            }
        }
    }
    graph
}

fn resolve(from: &str, specifier: &str, paths: &BTreeSet<&str>) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in specifier.split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    let path = parts.join("/");
    let stem = path.trim_end_matches(".js").trim_end_matches(".jsx");
    let candidates = [
        path.clone(),
        format!("{stem}.ts"),
        format!("{stem}.tsx"),
        format!("{path}/index.ts"),
        format!("{path}/index.tsx"),
    ];
    candidates
        .into_iter()
        .find(|candidate| paths.contains(candidate.as_str()))
}

/// One finding for each arrow that lies on a circle.
fn circles(graph: &Graph) -> Vec<Finding> {
    let reaches = |from: &str, to: &str| {
        let mut seen = BTreeSet::new();
        let mut open = vec![from];
        while let Some(next) = open.pop() {
            if next == to {
                return true;
            }
            if seen.insert(next) {
                open.extend(
                    graph
                        .get(next)
                        .into_iter()
                        .flat_map(|uses| uses.keys().map(String::as_str)),
                );
            }
        }
        false
    };
    let mut findings = Vec::new();
    for (from, uses) in graph {
        for (to, (file, line)) in uses {
            if reaches(to, from) {
                findings.push(Finding::new(
                    file,
                    *line,
                    format!("{from} -> {to} closes a circle"),
                ));
            }
        }
    }
    findings
}

#[test]
fn modules_of_a_crate_form_no_circle() {
    let mut findings = Vec::new();
    for (folder, _) in packages() {
        let source = format!("{folder}/src");
        let inside = files()
            .iter()
            .filter(|file| file.path.starts_with(&format!("{source}/")));
        let inside: Vec<_> = inside.filter(|file| file.is_any(&["rs"])).collect();
        findings.extend(circles(&rust_graph(&source, &inside)));
    }
    expect_none(&findings);
}

#[test]
fn files_of_typescript_form_no_circle() {
    let typescript: Vec<_> = files()
        .iter()
        .filter(|file| file.is_any(&["ts", "tsx"]))
        .collect();
    expect_none(&circles(&typescript_graph(&typescript)));
}

#[test]
fn circles_are_found() {
    let lib = File::sample(
        "x/src/lib.rs",
        "mod a;\nmod b;\npub use b::{Thing, Other};\n",
    );
    let a = File::sample(
        "x/src/a.rs",
        "// crate::b is only named here\nuse crate::Thing;\n",
    );
    let b = File::sample("x/src/b.rs", "use crate::{a::Part, c};\n");
    let nested = File::sample("x/src/b/inner.rs", "use crate::b::Other;\n");
    let found = circles(&rust_graph("x/src", &[&lib, &a, &b, &nested]));
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!((found[0].file.as_str(), found[0].line), ("x/src/a.rs", 2));
    let free = File::sample("x/src/b.rs", "fn b() {}\n");
    assert!(circles(&rust_graph("x/src", &[&lib, &a, &free, &nested])).is_empty());

    let one = File::sample("y/src/one.ts", "import { two } from \"./two.js\";\n");
    let two = File::sample("y/src/two.ts", "export { one } from \"./one\";\n");
    assert_eq!(circles(&typescript_graph(&[&one, &two])).len(), 2);
    let three = File::sample("y/src/two.ts", "import { x } from \"react\";\n");
    assert!(circles(&typescript_graph(&[&one, &three])).is_empty());
}
