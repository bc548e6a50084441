//! Gathers what projects need of this repository into `OUT_DIR/kit`, which the binary carries: the sources
//! of the module SDK under `rust/`, as a small workspace, and the TypeScript packages under `npm/`.

use std::path::{Path, PathBuf};
use std::{env, fs};

use serde_json::json;

/// Crates that a module depends on, where they lie here and in the kit.
const CRATES: [&str; 3] = ["protocol", "modules/sdk", "modules/sdk-macros"];
/// npm packages: where they lie here, and their folder in the kit.
const PACKAGES: [(&str, &str); 2] = [
    ("client-sdk/typescript", "client"),
    ("client-sdk/react", "react"),
];
/// Parts of a crate or package that travel, and names in them that do not.
const PARTS: [&str; 4] = ["Cargo.toml", "package.json", "README.md", "src"];
const SKIPPED: [&str; 5] = ["target", "node_modules", "dist", "tests", "tests.rs"];

fn main() {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let root = here.join("../..");
    let kit = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("kit");
    if kit.exists() {
        fs::remove_dir_all(&kit).expect("the kit of the last build is ours");
    }
    for path in CRATES {
        copy_parts(&root.join(path), &kit.join("rust").join(path));
    }
    for (from, to) in PACKAGES {
        let to = kit.join("npm").join(to);
        copy_parts(&root.join(from), &to);
        rewrite_package(&to.join("package.json"));
    }
    watch(&root.join("Cargo.toml"));
    fs::write(kit.join("rust/Cargo.toml"), workspace(&root)).expect("the kit can be written");
    watch(&root.join("Cargo.lock"));
    fs::copy(root.join("Cargo.lock"), kit.join("Cargo.lock")).expect("the root has a lock file");
    watch(&here.join("template"));
    watch(&here.join("build.rs"));
    println!("cargo:rustc-env=SYNCLINE_KIT_HASH={:016x}", hash(&kit));
}

fn watch(path: &Path) {
    println!("cargo:rerun-if-changed={}", path.display());
}

fn copy_parts(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the kit can be written");
    for part in PARTS {
        let source = from.join(part);
        if source.exists() {
            watch(&source);
            copy(&source, &to.join(part));
        }
    }
}

fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        fs::copy(from, to).expect("sources can be read, the kit written");
        return;
    }
    fs::create_dir_all(to).expect("the kit can be written");
    for entry in sorted(from) {
        let name = entry.file_name().expect("entries have names");
        let is_skipped = SKIPPED.iter().any(|skipped| name == *skipped);
        if !is_skipped && !name.to_string_lossy().starts_with('.') {
            copy(&entry, &to.join(name));
        }
    }
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder can be read");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("as before").path())
        .collect();
    paths.sort();
    paths
}

/// The root manifest with the kit's crates as its only members, so that `workspace = true` in them holds.
fn workspace(root: &Path) -> String {
    let text = fs::read_to_string(root.join("Cargo.toml")).expect("the root has a manifest");
    let manifest: toml::Table = text.parse().expect("cargo has read it too");
    let mut workspace = manifest["workspace"]
        .as_table()
        .expect("it is a workspace")
        .clone();
    workspace.insert("members".to_owned(), CRATES.to_vec().into());
    workspace.remove("exclude");
    // Our lints are about our style; a module's build has nothing to say on it.
    workspace.insert("lints".to_owned(), toml::Table::new().into());
    let dependencies = workspace["dependencies"].as_table_mut().expect("a table");
    dependencies.retain(
        |_, value| match value.get("path").and_then(|path| path.as_str()) {
            Some(path) => CRATES.contains(&path),
            None => true,
        },
    );
    let mut kit = toml::Table::new();
    kit.insert("workspace".to_owned(), workspace.into());
    kit.to_string()
}

/// The package is used from its sources: bundlers and tsc read TypeScript, and nothing has to be built.
fn rewrite_package(file: &Path) {
    let text = fs::read_to_string(file).expect("a package has a package.json");
    let mut package: serde_json::Value = serde_json::from_str(&text).expect("npm has read it too");
    let members = package.as_object_mut().expect("an object");
    members.remove("devDependencies");
    members.remove("scripts");
    members.insert("private".to_owned(), true.into());
    members.insert("files".to_owned(), json!(["src"]));
    members.insert("exports".to_owned(), "./src/index.ts".into());
    let text = serde_json::to_string_pretty(&package).expect("it was JSON");
    fs::write(file, text + "\n").expect("the kit can be written");
}

/// FNV-1a over names and contents.
fn hash(folder: &Path) -> u64 {
    fn add(path: &Path, root: &Path, state: &mut u64) {
        let mut feed = |bytes: &[u8]| {
            for byte in bytes {
                *state = (*state ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        };
        if path.is_dir() {
            for entry in sorted(path) {
                add(&entry, root, state);
            }
        } else {
            let name = path
                .strip_prefix(root)
                .expect("it lies below")
                .to_string_lossy();
            feed(name.as_bytes());
            feed(&fs::read(path).expect("the kit can be read"));
        }
    }
    let mut state = 0xcbf2_9ce4_8422_2325;
    add(folder, folder, &mut state);
    state
}
