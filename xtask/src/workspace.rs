//! Where things are.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// The repository and what cargo says about it.
pub(crate) struct Workspace {
    /// Top folder.
    pub(crate) root: PathBuf,
    /// Where cargo builds to; `target` unless the environment says otherwise.
    pub(crate) target: PathBuf,
    /// Packages under `modules/` that build to WASM.
    pub(crate) modules: Vec<ModulePackage>,
}

/// A package that is a module.
pub(crate) struct ModulePackage {
    /// Cargo's name for it.
    pub(crate) package: String,
    /// Name of its folder, and of its file in `target/modules`.
    pub(crate) name: String,
    /// File that cargo builds, without its folder.
    pub(crate) artifact: String,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .expect("xtask is a folder of the repository")
            .to_path_buf();
        let output = cargo(&root)
            .args(["metadata", "--format-version=1", "--no-deps", "--locked"])
            .output()
            .context("cargo does not start")?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let metadata: Value = serde_json::from_slice(&output.stdout)?;
        let target = metadata["target_directory"]
            .as_str()
            .context("no target_directory")?
            .into();
        let packages = metadata["packages"].as_array().context("no packages")?;
        let modules = packages
            .iter()
            .filter_map(|package| module(package, &root))
            .collect();
        Ok(Self {
            root,
            target,
            modules,
        })
    }

    /// A binary of the release profile.
    pub(crate) fn release_binary(&self, name: &str) -> PathBuf {
        self.target.join("release").join(name)
    }

    /// Where tests, the bench and the demo look for modules.
    pub(crate) fn modules_folder(&self) -> PathBuf {
        self.root.join("target/modules")
    }
}

/// A cargo command in this folder. The toolchain that runs xtask names itself in `CARGO`.
pub(crate) fn cargo(folder: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(folder);
    command
}

fn module(package: &Value, root: &Path) -> Option<ModulePackage> {
    let manifest = Path::new(package["manifest_path"].as_str()?);
    let folder = manifest.parent()?;
    if folder.parent()? != root.join("modules") {
        return None;
    }
    let library = package["targets"].as_array()?.iter().find(|target| {
        let kinds = target["crate_types"].as_array();
        kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind == "cdylib"))
    })?;
    Some(ModulePackage {
        package: package["name"].as_str()?.to_owned(),
        name: folder.file_name()?.to_str()?.to_owned(),
        artifact: format!("{}.wasm", library["name"].as_str()?.replace('-', "_")),
    })
}
