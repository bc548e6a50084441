//! Builds the modules to WASM.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::step::{Step, Steps};
use crate::tools;
use crate::workspace::{Workspace, cargo};

/// `cargo xtask modules`.
pub(crate) fn run() -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    let steps = Steps::new();
    steps.run("modules", |step| build(&workspace, step))?;
    let names = workspace.modules.iter().map(|module| module.name.as_str());
    for name in names.chain(VARIANTS.iter().map(|(_, _, name)| *name)) {
        let path = workspace.modules_folder().join(format!("{name}.wasm"));
        println!("{} ({} kB)", path.display(), path.metadata()?.len() / 1000);
    }
    Ok(ExitCode::SUCCESS)
}

/// Modules that are built a second time: name of the module, feature, and name of what comes of it.
const VARIANTS: &[(&str, &str, &str)] = &[("scripted", "attic", "scripted-attic")];

/// Builds all modules in one go and copies them to `target/modules/<name>.wasm`, then the variants.
pub(crate) fn build(workspace: &Workspace, step: &Step) -> Result<()> {
    tools::wasm_target(&workspace.root, step)?;
    std::fs::create_dir_all(workspace.modules_folder())?;
    // Variants first: what a build leaves behind is then the module as it is.
    for (name, feature, variant) in VARIANTS {
        let module = workspace.modules.iter().find(|module| module.name == *name);
        let module = module.with_context(|| format!("no module {name}"))?;
        let mut command = build_command(workspace);
        command.args(["--package", &module.package, "--features", feature]);
        step.run(&mut command)?;
        deliver(workspace, &module.artifact, variant)?;
    }
    let mut command = build_command(workspace);
    for module in &workspace.modules {
        command.args(["--package", &module.package]);
    }
    step.run(&mut command)?;
    for module in &workspace.modules {
        deliver(workspace, &module.artifact, &module.name)?;
    }
    Ok(())
}

fn build_command(workspace: &Workspace) -> Command {
    let mut command = cargo(&workspace.root);
    command.args([
        "build",
        "--locked",
        "--profile=module",
        "--target=wasm32-unknown-unknown",
    ]);
    command
}

/// Copies what cargo has built to where it is looked for.
fn deliver(workspace: &Workspace, artifact: &str, name: &str) -> Result<()> {
    let built = workspace.target.join("wasm32-unknown-unknown/module");
    let from = built.join(artifact);
    let folder = workspace.modules_folder();
    // Renamed into place: a test that reads it meanwhile sees the old file or the new one.
    let fresh = folder.join(format!(".{name}.wasm"));
    std::fs::copy(&from, &fresh).with_context(|| format!("no {}", from.display()))?;
    std::fs::rename(&fresh, folder.join(format!("{name}.wasm")))?;
    Ok(())
}
