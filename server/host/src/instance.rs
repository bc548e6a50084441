//! One instance of a module with its memory, globals and state.

use std::sync::Arc;

use syncline_protocol::abi::{EXPORT_ALLOC, EXPORT_CALL, EXPORT_DESCRIBE, EXPORT_MEMORY};
use syncline_protocol::{Type, limits};
use wasmtime::{InstancePre, Memory, Store, Trap, TypedFunc};

use crate::error::CallError;
use crate::guest_memory::{read, slice_mut, unpack};
use crate::outcome::read_outcome;
use crate::shape::TableShape;
use crate::state::CallState;

/// Milliseconds between two calls of [`crate::Host::tick`].
pub const TICK_MS: u64 = 10;

/// The least that is asked of `syncline_alloc`.
const BLOCK_BYTES_MIN: usize = 1 << 10;

/// What a call may take of time and memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunLimits {
    /// Wall time of a call, to the next but one [`crate::Host::tick`].
    pub call_ms_max: u64,
    /// Linear memory of an instance.
    pub memory_bytes_max: usize,
}

impl Default for RunLimits {
    fn default() -> Self {
        Self {
            call_ms_max: limits::CALL_MS_MAX,
            memory_bytes_max: limits::CALL_MEMORY_BYTES_MAX,
        }
    }
}

/// An instance. After any error it is in an unknown state and must be dropped.
pub(crate) struct Instance {
    store: Store<CallState>,
    exports: wasmtime::Instance,
    memory: Memory,
    alloc: TypedFunc<u32, u32>,
    call: TypedFunc<(u32, u32, u32), u64>,
    limits: RunLimits,
    /// Memory when it was new.
    memory_bytes_initial: usize,
    /// Where the call block goes: what `syncline_alloc` gave last.
    block_ptr: u32,
    block_len: usize,
}

/// The exports were checked when the module was loaded.
const CHECKED: &str = "a loaded module has this export";

impl Instance {
    /// A fresh instance; runs the start function, if there is one.
    pub(crate) fn new(
        pre: &InstancePre<CallState>,
        shapes: Arc<[TableShape]>,
        limits: RunLimits,
    ) -> Result<Self, CallError> {
        let state = CallState::new(shapes, limits.memory_bytes_max);
        let mut store = Store::new(pre.module().engine(), state);
        store.limiter(|state| state);
        store.set_epoch_deadline(limits.ticks());
        let exports = pre.instantiate(&mut store).map_err(|error| {
            if error.is::<Trap>() || error.is::<CallError>() {
                limits.call_error(error)
            } else {
                CallError::Instantiate(format!("{error:#}"))
            }
        })?;
        let memory = exports
            .get_memory(&mut store, EXPORT_MEMORY)
            .expect(CHECKED);
        store.data_mut().memory = Some(memory);
        Ok(Self {
            exports,
            memory,
            alloc: exports
                .get_typed_func(&mut store, EXPORT_ALLOC)
                .expect(CHECKED),
            call: exports
                .get_typed_func(&mut store, EXPORT_CALL)
                .expect(CHECKED),
            limits,
            memory_bytes_initial: memory.data_size(&store),
            block_ptr: 0,
            block_len: 0,
            store,
        })
    }

    /// The module's description, copied out.
    pub(crate) fn describe(mut self) -> Result<Vec<u8>, CallError> {
        let describe = self
            .exports
            .get_typed_func::<(), u64>(&mut self.store, EXPORT_DESCRIBE)
            .expect(CHECKED);
        self.store.set_epoch_deadline(self.limits.ticks());
        let description = describe
            .call(&mut self.store, ())
            .map_err(|error| self.limits.call_error(error))?;
        read(
            self.memory.data(&self.store),
            unpack(description),
            EXPORT_DESCRIBE,
        )
        .map(<[u8]>::to_vec)
    }

    /// Starts the clock of a call and finds room for its block of `len` bytes.
    pub(crate) fn prepare(&mut self, len: usize) -> Result<&mut [u8], CallError> {
        self.store.set_epoch_deadline(self.limits.ticks());
        if len > self.block_len {
            self.grow_block(len)?;
        }
        slice_mut(
            self.memory.data_mut(&mut self.store),
            self.block_ptr,
            len,
            EXPORT_ALLOC,
        )
    }

    #[cold]
    fn grow_block(&mut self, len: usize) -> Result<(), CallError> {
        let len = len.next_power_of_two().max(BLOCK_BYTES_MIN);
        let ptr = self.alloc.call(&mut self.store, len as u32);
        self.block_ptr = ptr.map_err(|error| self.limits.call_error(error))?;
        self.block_len = len;
        Ok(())
    }

    /// What the host functions see.
    pub(crate) fn state(&mut self) -> &mut CallState {
        self.store.data_mut()
    }

    /// Runs a reducer on the block that [`Self::prepare`] gave; the packed value that it returns.
    pub(crate) fn run(
        &mut self,
        reducer: u32,
        block_len: usize,
        returns: Option<&Type>,
    ) -> Result<Vec<u8>, CallError> {
        let outcome = self
            .call
            .call(&mut self.store, (reducer, self.block_ptr, block_len as u32));
        let outcome = outcome.map_err(|error| self.limits.call_error(error))?;
        read_outcome(self.memory.data(&self.store), outcome, returns)
    }

    /// Whether its memory has grown past half of what it may have: a fresh instance is due, or calls
    /// would fail for what earlier ones left behind.
    pub(crate) fn is_bloated(&self) -> bool {
        let bytes = self.memory.data_size(&self.store);
        bytes > self.memory_bytes_initial && bytes > self.limits.memory_bytes_max / 2
    }
}

impl RunLimits {
    /// The deadline. The next tick may come at once, so one more.
    fn ticks(self) -> u64 {
        self.call_ms_max.div_ceil(TICK_MS).saturating_add(1)
    }

    /// Why wasm came back with an error.
    #[cold]
    fn call_error(self, error: wasmtime::Error) -> CallError {
        match error.downcast::<CallError>() {
            Ok(own) => own,
            Err(error) => match error.downcast_ref::<Trap>() {
                Some(Trap::Interrupt) => CallError::Deadline {
                    ms: self.call_ms_max,
                },
                Some(trap) => {
                    let text = trap.to_string();
                    CallError::trap(text.strip_prefix("wasm trap: ").unwrap_or(&text))
                }
                None => CallError::trap(format!("{error:#}")),
            },
        }
    }
}
