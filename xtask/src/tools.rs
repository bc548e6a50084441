//! What else must be on the machine: installed if that is ours to do, else named with its command.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::step::Step;

const WASM_TARGET: &str = "wasm32-unknown-unknown";
const NODE_MIN: (u32, u32) = (20, 19);
const BROWSERS: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// Adds the target of modules to the toolchain unless it is there.
pub(crate) fn wasm_target(root: &Path, step: &Step) -> Result<()> {
    let sysroot = Command::new("rustc")
        .args(["--print", "sysroot"])
        .current_dir(root)
        .output();
    let sysroot = sysroot.context("rustc does not start: install Rust from https://rustup.rs")?;
    let sysroot = String::from_utf8(sysroot.stdout)?;
    if Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(WASM_TARGET)
        .is_dir()
    {
        return Ok(());
    }
    ensure!(
        is_there("rustup"),
        "the toolchain lacks the target {WASM_TARGET} and rustup is not there to add it"
    );
    step.run(
        Command::new("rustup")
            .args(["target", "add", WASM_TARGET])
            .current_dir(root),
    )
}

/// Fails unless a Node.js that Vite can use is there.
pub(crate) fn node() -> Result<()> {
    let wanted = format!("install Node.js {}.{} or newer", NODE_MIN.0, NODE_MIN.1);
    let Ok(output) = Command::new("node").arg("--version").output() else {
        bail!("node is not there: {wanted}");
    };
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let numbers: Vec<u32> = version
        .trim_start_matches('v')
        .split('.')
        .filter_map(|part| part.parse().ok())
        .collect();
    match numbers.as_slice() {
        [major, minor, ..] if (*major, *minor) >= NODE_MIN => Ok(()),
        _ => bail!("node is {version}: {wanted}"),
    }
}

/// An npm command in this folder.
pub(crate) fn npm(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("npm");
    command
        .args(arguments)
        .current_dir(root)
        .env("CI", "1")
        .env("NO_COLOR", "1");
    command
}

/// Installs what package-lock.json says, unless it was installed since the lock changed.
pub(crate) fn npm_ci(root: &Path, step: &Step) -> Result<()> {
    node()?;
    let changed = |path: &str| {
        root.join(path)
            .metadata()
            .and_then(|meta| meta.modified())
            .ok()
    };
    let installed = changed("node_modules/.package-lock.json");
    if installed.is_some() && installed >= changed("package-lock.json") {
        return Ok(());
    }
    step.run(&mut npm(
        root,
        &["ci", "--no-audit", "--no-fund", "--loglevel=error"],
    ))
}

/// The browser of the end-to-end test: `CHROMIUM`, or what is in the path.
pub(crate) fn chromium() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("CHROMIUM").map(PathBuf::from) {
        ensure!(
            path.is_file(),
            "CHROMIUM names {}, which is no file",
            path.display()
        );
        return Ok(path);
    }
    BROWSERS.into_iter().find_map(in_path).context(
        "no Chromium for the browser test: apt-get install --no-install-recommends chromium, \
         or name one in CHROMIUM, or leave the test out with --skip-browser",
    )
}

/// Whether `cargo nextest` is there.
pub(crate) fn has_nextest() -> bool {
    is_there("cargo-nextest")
}

fn is_there(program: &str) -> bool {
    let mut command = Command::new(program);
    command
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn in_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}
