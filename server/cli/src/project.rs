//! A module's project on disk: where it is, what it is called, how it is built.
//!
//! A project is a folder with a crate that builds to a `cdylib`, or one that `syncline init` has made: there
//! `syncline.toml` names the database, the folder of the module and the file for its TypeScript types.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::Value;

use crate::failure::{Failure, at};
use crate::kit;

/// The target that modules are built for.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
/// What names a project's parts.
pub(crate) const FILE: &str = "syncline.toml";

/// A project.
#[derive(Debug)]
pub(crate) struct Project {
    root: PathBuf,
    module: PathBuf,
    settings: Settings,
}

/// `syncline.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Database to publish to.
    database: Option<String>,
    /// Folder of the module's crate.
    module: Option<PathBuf>,
    /// File for the generated TypeScript.
    types: Option<PathBuf>,
}

impl Project {
    /// The project in this folder.
    pub(crate) fn find(folder: &Path) -> Result<Self, Failure> {
        let file = folder.join(FILE);
        let settings = match std::fs::read_to_string(&file) {
            Ok(text) => toml::from_str::<Settings>(&text)
                .map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Settings::default(),
            Err(error) => return Err(at(&file)(error)),
        };
        let module = folder.join(settings.module.as_deref().unwrap_or(Path::new(".")));
        if !module.join("Cargo.toml").is_file() {
            return Err(
                Failure::usage(format!("there is no Cargo.toml in {}", module.display())).hint(
                    "name the folder of the module with --project, or make one: `syncline init`",
                ),
            );
        }
        // A project of `syncline init` has its SDK from the binary; a fresh clone has none yet.
        if file.is_file() && kit::refresh(folder)? {
            let (version, to) = (env!("CARGO_PKG_VERSION"), folder.join(kit::FOLDER));
            eprintln!(
                "unpacked the SDK of syncline {version} into {}",
                to.display()
            );
        }
        Ok(Self {
            root: folder.to_owned(),
            module,
            settings,
        })
    }

    /// The folder that everything is in.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the module's crate.
    pub(crate) fn module(&self) -> &Path {
        &self.module
    }

    /// The database that the project is for, if it says so.
    pub(crate) fn database(&self) -> Option<String> {
        self.settings.database.clone()
    }

    /// The file for generated TypeScript, if the project names one.
    pub(crate) fn types(&self) -> Option<PathBuf> {
        self.settings
            .types
            .as_ref()
            .map(|file| self.root.join(file))
    }

    /// Builds the module; the file that came out. The compiler speaks to stderr.
    pub(crate) fn build(&self) -> Result<PathBuf, Failure> {
        self.check_target()?;
        let output = tool("CARGO", "cargo")
            .args(["build", "--release", "--lib", "--target", TARGET])
            .arg("--message-format=json-render-diagnostics")
            .current_dir(&self.module)
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| no_tool("cargo", &error))?;
        if !output.status.success() {
            return Err(Failure::build("the module does not build")
                .hint("the compiler's message above says why"));
        }
        let manifest = std::fs::canonicalize(self.module.join("Cargo.toml"))?;
        let messages = output.stdout.split(|&byte| byte == b'\n');
        let artefact = messages.rev().find_map(|line| artefact(line, &manifest));
        artefact.ok_or_else(|| {
            Failure::build("the crate builds, but to no .wasm file")
                .hint("its Cargo.toml needs `[lib] crate-type = [\"cdylib\", \"rlib\"]`")
        })
    }

    /// Without its target, the compiler's own message is a page on a missing `core`.
    fn check_target(&self) -> Result<(), Failure> {
        let output = tool("RUSTC", "rustc")
            .args(["--print", "target-libdir", "--target", TARGET])
            .current_dir(&self.module)
            .output()
            .map_err(|error| no_tool("rustc", &error))?;
        let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if output.status.success() && Path::new(&folder).is_dir() {
            return Ok(());
        }
        Err(
            Failure::build(format!("the Rust target {TARGET} is not installed"))
                .hint(format!("type `rustup target add {TARGET}`")),
        )
    }
}

/// A tool of the Rust toolchain; the environment may name another one, as for cargo itself.
fn tool(variable: &str, name: &str) -> Command {
    Command::new(std::env::var_os(variable).unwrap_or_else(|| name.into()))
}

fn no_tool(name: &str, error: &std::io::Error) -> Failure {
    Failure::build(format!("{name} does not start: {error}"))
        .hint("modules are built with Rust; install it from https://rustup.rs")
}

/// The .wasm file that a message of cargo tells of, if it is of this crate.
fn artefact(line: &[u8], manifest: &Path) -> Option<PathBuf> {
    let message: Value = serde_json::from_slice(line).ok()?;
    if message["reason"] != "compiler-artifact" {
        return None;
    }
    if std::fs::canonicalize(message["manifest_path"].as_str()?).ok()? != manifest {
        return None;
    }
    let files = message["filenames"].as_array()?.iter();
    let mut files = files.filter_map(Value::as_str).map(PathBuf::from);
    files.find(|file| {
        file.extension()
            .is_some_and(|extension| extension == "wasm")
    })
}

#[cfg(test)]
mod tests;
