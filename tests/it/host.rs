//! The host of modules for tests that run an engine themselves.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use syncline_engine::{Host, Module, RunLimits, TICK_MS};

use crate::server::wasm;

/// One for all engines, with a thread that lets its deadlines pass.
pub(crate) fn host() -> &'static Host {
    static HOST: OnceLock<Host> = OnceLock::new();
    HOST.get_or_init(|| {
        let host = Host::new(RunLimits::default()).unwrap();
        let clock = host.clone();
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_millis(TICK_MS));
                clock.tick();
            }
        });
        host
    })
}

/// A module that `cargo xtask modules` has built. Each is compiled once.
pub(crate) fn compiled(module: &str) -> Module {
    static MODULES: Mutex<BTreeMap<String, Module>> = Mutex::new(BTreeMap::new());
    let mut modules = MODULES.lock().unwrap();
    let load = || host().load(&wasm(module)).unwrap();
    modules
        .entry(module.to_owned())
        .or_insert_with(load)
        .clone()
}
