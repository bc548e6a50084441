//! The repository as the rules see it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use cargo_metadata::{Metadata, MetadataCommand, Package};

/// Folders that hold nothing of ours.
const SKIPPED: [&str; 8] = [
    ".git",
    "target",
    "node_modules",
    "dist",
    "test-results",
    "playwright-report",
    ".vite",
    "coverage",
];

/// A place that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// Relative to the top folder.
    pub(super) file: String,
    /// From 1; 0 if the whole file is meant.
    pub(super) line: usize,
    pub(super) what: String,
}

impl Finding {
    pub(super) fn new(file: &str, line: usize, what: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line,
            what: what.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.what),
            line => write!(f, "{}:{line}: {}", self.file, self.what),
        }
    }
}

/// Fails with one line for each finding.
#[track_caller]
pub(super) fn expect_none(findings: &[Finding]) {
    let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert!(
        lines.is_empty(),
        "{} findings:\n{}",
        lines.len(),
        lines.join("\n")
    );
}

/// The top folder.
pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A text file of the repository.
#[derive(Clone, Debug)]
pub(super) struct File {
    /// Relative to the top folder.
    pub(super) path: String,
    pub(super) text: String,
}

impl File {
    /// For bad samples.
    pub(super) fn sample(path: &str, text: &str) -> Self {
        Self {
            path: path.into(),
            text: text.into(),
        }
    }

    /// Whether the name ends in one of these.
    pub(super) fn is_any(&self, extensions: &[&str]) -> bool {
        let extension = Path::new(&self.path)
            .extension()
            .and_then(|end| end.to_str());
        extension.is_some_and(|end| extensions.contains(&end))
    }
}

/// All text files.
pub(super) fn files() -> &'static [File] {
    static FILES: OnceLock<Vec<File>> = OnceLock::new();
    FILES.get_or_init(|| {
        let mut files = Vec::new();
        walk(root(), &mut files);
        assert!(files.len() > 50, "the walk has missed the repository");
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files
    })
}

/// The file with this path.
#[track_caller]
pub(super) fn file(path: &str) -> &'static File {
    files()
        .iter()
        .find(|file| file.path == path)
        .unwrap_or_else(|| panic!("there is no {path}"))
}

fn walk(folder: &Path, files: &mut Vec<File>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_symlink() || SKIPPED.contains(&name) || path == root().join("data") {
            continue;
        }
        if path.is_dir() {
            walk(&path, files);
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            let path = path
                .strip_prefix(root())
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            files.push(File { path, text });
        }
    }
}

/// What cargo knows of the workspace and of all that it depends on, on every platform.
pub(super) fn metadata() -> &'static Metadata {
    static METADATA: OnceLock<Metadata> = OnceLock::new();
    METADATA.get_or_init(|| {
        let mut command = MetadataCommand::new();
        command
            .manifest_path(root().join("Cargo.toml"))
            .other_options(["--locked".to_owned()]);
        command.exec().unwrap()
    })
}

/// Our packages, each with its folder relative to the top one.
pub(super) fn packages() -> Vec<(String, &'static Package)> {
    let packages = metadata().workspace_packages();
    packages
        .into_iter()
        .map(|package| (folder(package), package))
        .collect()
}

fn folder(package: &Package) -> String {
    relative(package.manifest_path.parent().unwrap().as_std_path())
        .to_str()
        .unwrap()
        .to_owned()
}

/// The path below the top folder.
pub(super) fn relative(path: &Path) -> PathBuf {
    path.strip_prefix(root()).unwrap().to_path_buf()
}

/// Line of the first occurrence of `needle`, from 1; 0 if there is none.
pub(super) fn line_of(text: &str, needle: &str) -> usize {
    text.find(needle)
        .map_or(0, |at| text[..at].matches('\n').count() + 1)
}
