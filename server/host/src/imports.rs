//! The host functions: what a module can import.

mod queries;
mod rows;
mod scans;
mod text;

use wasmtime::{Caller, Engine, FuncType, Linker, ValType};

use crate::error::CallError;
use crate::state::CallState;
use syncline_protocol::abi::IMPORT_MODULE;

/// A host function: its name, how many i32 it takes, and whether it returns an i64.
pub(crate) struct Signature {
    pub(crate) name: &'static str,
    pub(crate) params: usize,
    pub(crate) has_result: bool,
}

/// Every host function, in the order of [`syncline_protocol::abi::IMPORTS`].
pub(crate) const SIGNATURES: [Signature; 11] = [
    signature("find", 6, true),
    signature("insert", 4, true),
    signature("update", 3, true),
    signature("delete", 3, true),
    signature("scan_open", 7, true),
    signature("scan_next", 3, true),
    signature("scan_close", 1, false),
    signature("count", 1, true),
    signature("query", 4, true),
    signature("log", 3, false),
    signature("panic", 2, false),
];

const fn signature(name: &'static str, params: usize, has_result: bool) -> Signature {
    Signature {
        name,
        params,
        has_result,
    }
}

impl Signature {
    /// The wasm type.
    pub(crate) fn ty(&self, engine: &Engine) -> FuncType {
        let params = std::iter::repeat_n(ValType::I32, self.params);
        FuncType::new(engine, params, self.has_result.then_some(ValType::I64))
    }
}

/// All host functions, ready to be linked with any module of this engine.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<CallState>> {
    let mut linker = Linker::new(engine);
    rows::link(&mut linker)?;
    scans::link(&mut linker)?;
    queries::link(&mut linker)?;
    text::link(&mut linker)?;
    Ok(linker)
}

/// The guest's memory and the state of its call, both at once.
fn split<'c>(
    caller: &'c mut Caller<'_, CallState>,
) -> Result<(&'c mut [u8], &'c mut CallState), CallError> {
    match caller.data().memory {
        Some(memory) => Ok(memory.data_and_store_mut(caller)),
        None => Err(CallError::trap(
            "a host function was called before the module was set up",
        )),
    }
}

/// Adds a host function of the ABI.
fn add<Params, Args>(
    linker: &mut Linker<CallState>,
    name: &'static str,
    function: impl wasmtime::IntoFunc<CallState, Params, Args>,
) -> wasmtime::Result<()> {
    linker.func_wrap(IMPORT_MODULE, name, function).map(|_| ())
}

/// A chunk as the guest gets it.
fn pack(cursor: u32, bytes: usize) -> i64 {
    i64::from(cursor) << 32 | bytes as i64
}
