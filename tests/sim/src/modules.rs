//! The modules of the workload, compiled once for all seeds.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result};
use bytes::Bytes;
use syncline_engine::{Host, Module, RunLimits};

use crate::model::ModuleName;

/// Host and modules. Nobody ticks the host: no call of a run ever reaches a deadline.
pub(crate) struct Modules {
    pub(crate) host: Host,
    plain: (Module, Bytes),
    stamped: (Module, Bytes),
    attic: (Module, Bytes),
}

impl Modules {
    /// What `cargo xtask modules` has built.
    pub(crate) fn get() -> &'static Self {
        static MODULES: OnceLock<Modules> = OnceLock::new();
        MODULES.get_or_init(|| Self::load().expect("the modules are built by cargo xtask modules"))
    }

    pub(crate) fn load() -> Result<Self> {
        let host = Host::new(RunLimits::default())?;
        let plain = wasm("scripted")?;
        // A custom section that nobody reads: kind 0, its length, the length of its name, its name.
        let stamp = [0, 6, 5, b's', b't', b'a', b'm', b'p'];
        let stamped = [&*plain, &stamp].concat();
        let module =
            |wasm: Vec<u8>| -> Result<(Module, Bytes)> { Ok((host.load(&wasm)?, wasm.into())) };
        Ok(Self {
            plain: module(plain)?,
            stamped: module(stamped)?,
            attic: module(wasm("scripted-attic")?)?,
            host,
        })
    }

    pub(crate) fn of(&self, name: ModuleName) -> (Module, Bytes) {
        match name {
            ModuleName::Plain => self.plain.clone(),
            ModuleName::Stamped => self.stamped.clone(),
            ModuleName::Attic => self.attic.clone(),
        }
    }
}

fn wasm(name: &str) -> Result<Vec<u8>> {
    let built = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/modules");
    let folder = std::env::var_os("SYNCLINE_MODULES").map_or_else(built, PathBuf::from);
    let path = folder.join(format!("{name}.wasm"));
    std::fs::read(&path).with_context(|| format!("{}: `cargo xtask modules`", path.display()))
}
