//! Builds the modules to WASM.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::step::{Step, Steps};
use crate::tools;
use crate::workspace::{Workspace, cargo};

/// `cargo xtask modules`.
pub(crate) fn run() -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    let steps = Steps::new();
    steps.run("modules", |step| build(&workspace, step))?;
    for module in &workspace.modules {
        let path = workspace
            .modules_folder()
            .join(format!("{}.wasm", module.name));
        println!("{} ({} kB)", path.display(), path.metadata()?.len() / 1000);
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds all modules in one go and copies them to `target/modules/<name>.wasm`.
pub(crate) fn build(workspace: &Workspace, step: &Step) -> Result<()> {
    tools::wasm_target(&workspace.root, step)?;
    let mut command = cargo(&workspace.root);
    command.args([
        "build",
        "--locked",
        "--profile=module",
        "--target=wasm32-unknown-unknown",
    ]);
    for module in &workspace.modules {
        command.args(["--package", &module.package]);
    }
    step.run(&mut command)?;
    let folder = workspace.modules_folder();
    std::fs::create_dir_all(&folder)?;
    let built = workspace.target.join("wasm32-unknown-unknown/module");
    for module in &workspace.modules {
        let from = built.join(&module.artifact);
        // Renamed into place: a test that reads it meanwhile sees the old file or the new one.
        let fresh = folder.join(format!(".{}.wasm", module.name));
        std::fs::copy(&from, &fresh).with_context(|| format!("no {}", from.display()))?;
        std::fs::rename(&fresh, folder.join(format!("{}.wasm", module.name)))?;
    }
    Ok(())
}
