//! The wasm engine, and modules that it has accepted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use sha2::Digest;
use syncline_protocol::limits::MODULE_BYTES_MAX;
use syncline_protocol::{Schema, abi, schema_codec};
use wasmtime::{Config, Enabled, Engine, InstancePre, Linker, OptLevel, PoolingAllocationConfig};

use crate::checks;
use crate::compiled::{self, CompiledCounts, CompiledId, CompiledModules};
use crate::error::{CallError, LoadError};
use crate::imports;
use crate::instance::{Instance, RunLimits};
use crate::shape::{TableShape, shapes};
use crate::state::{CallState, TABLE_ELEMENTS_MAX};

/// Wasm stack of a call. The thread that calls needs it on its own stack, with room for the host.
const STACK_BYTES_MAX: usize = 512 << 10;
/// Instances of a process: one a busy database, and those that load.
const INSTANCES_MAX: u32 = 1024;
/// Function tables of a module. Compilers emit one.
const TABLES_PER_MODULE_MAX: u32 = 4;
/// Wasmtime's own record of an instance; grows with the functions of the module.
const INSTANCE_BYTES_MAX: usize = 4 << 20;
/// What a 32-bit memory can address.
const MEMORY_ADDRESSES_BYTES: usize = 4 << 30;
/// Dirty memory of a dropped instance that is reset in place; what is over it goes back to the system.
const RESET_BYTES_MAX: usize = 256 << 10;

/// The wasm engine of a process. Cloning it is cheap, and clones tick together.
#[derive(Clone)]
pub struct Host {
    engine: Engine,
    linker: Arc<Linker<CallState>>,
    limits: RunLimits,
    /// Modules that somebody holds, by hash: databases of one module share its code.
    loaded: Arc<Mutex<BTreeMap<[u8; 32], Weak<Inner>>>>,
    /// Where compiled modules are kept, if anywhere.
    compiled: Option<Arc<CompiledModules>>,
}

/// The machine does not give what the engine needs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the wasm engine cannot be set up: {0}")]
pub struct HostError(String);

impl Host {
    /// An engine whose calls have these limits unless a runner is given its own.
    pub fn new(limits: RunLimits) -> Result<Self, HostError> {
        let failed = |error: wasmtime::Error| HostError(format!("{error:#}"));
        // Some sandboxes do not give away terabytes of addresses, though nothing is behind them.
        let pooled = Engine::new(config().allocation_strategy(pool()));
        let engine = pooled.or_else(|_| Engine::new(&config())).map_err(failed)?;
        let linker = imports::linker(&engine).map_err(failed)?;
        Ok(Self {
            engine,
            linker: Arc::new(linker),
            limits,
            loaded: Arc::default(),
            compiled: None,
        })
    }

    /// Keeps what it compiles on disk, and looks there first.
    #[must_use]
    pub fn with_compiled(mut self, compiled: CompiledModules) -> Self {
        self.compiled = Some(Arc::new(compiled));
        self
    }

    /// What the compiled modules on disk were good for so far; `None` if none are kept.
    #[must_use]
    pub fn compiled_counts(&self) -> Option<CompiledCounts> {
        self.compiled.as_ref().map(|compiled| compiled.counts())
    }

    /// Removes the compiled modules that nobody holds now from the disk: once all that are needed are loaded. Returns how many.
    pub fn remove_unused_compiled(&self) -> std::io::Result<usize> {
        let Some(compiled) = &self.compiled else {
            return Ok(0);
        };
        compiled.retain_held(|id| self.is_held(id))
    }

    fn is_held(&self, id: &CompiledId) -> bool {
        let loaded = self.loaded();
        let held = loaded.values().filter_map(Weak::upgrade);
        held.into_iter().any(|module| module.id == *id)
    }

    /// Counts time for the deadlines of all calls. To be called every [`crate::TICK_MS`] from a thread
    /// that never runs reducers; without it no call ever reaches its deadline.
    pub fn tick(&self) {
        self.engine.increment_epoch();
    }

    /// Compiles a module and checks all that can be checked before its first call: size, imports,
    /// exports, memory, and the description that it gives of itself. Takes up to seconds and may run on
    /// any thread. While somebody holds a module, loading the same wasm again takes no time; a module whose
    /// compiled form is kept takes milliseconds.
    pub fn load(&self, wasm: &[u8]) -> Result<Module, LoadError> {
        if wasm.len() > MODULE_BYTES_MAX {
            return Err(LoadError::TooLarge { bytes: wasm.len() });
        }
        let hash = sha2::Sha256::digest(wasm).into();
        if let Some(inner) = self.loaded().get(&hash).and_then(Weak::upgrade) {
            return Ok(Module { inner });
        }
        checks::header(wasm)?;
        let id = compiled::id(&self.engine, &hash);
        let compile = || wasmtime::Module::from_binary(&self.engine, wasm);
        let compiled = match &self.compiled {
            Some(kept) => {
                kept.get_or_compile(&self.engine, &id, |other| self.is_held(other), compile)
            }
            None => compile(),
        };
        let compiled = compiled.map_err(|error| LoadError::Invalid(format!("{error:#}")))?;
        checks::imports(&compiled)?;
        checks::exports(&compiled, self.limits.memory_bytes_max)?;
        let pre = self
            .linker
            .instantiate_pre(&compiled)
            .map_err(|error| LoadError::Invalid(format!("{error:#}")))?;
        let description = Instance::new(&pre, Arc::new([]), self.limits)
            .and_then(Instance::describe)
            .map_err(LoadError::Describe)?;
        let schema = read_description(&description)?;
        let inner = Inner {
            limits: self.limits,
            pre,
            shapes: shapes(&schema).into(),
            schema,
            hash,
            id,
        };
        let inner = Arc::new(inner);
        let mut loaded = self.loaded();
        loaded.retain(|_, module| module.strong_count() > 0);
        loaded.insert(hash, Arc::downgrade(&inner));
        Ok(Module { inner })
    }

    fn loaded(&self) -> std::sync::MutexGuard<'_, BTreeMap<[u8; 32], Weak<Inner>>> {
        // Each change of the map is one call, so a panic elsewhere leaves it whole.
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A compiled module that speaks the ABI and has a valid schema. Clones share it.
#[derive(Clone)]
pub struct Module {
    inner: Arc<Inner>,
}

struct Inner {
    limits: RunLimits,
    pre: InstancePre<CallState>,
    shapes: Arc<[TableShape]>,
    schema: Schema,
    hash: [u8; 32],
    /// Of its compiled form.
    id: CompiledId,
}

impl Module {
    /// What it declares.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.inner.schema
    }

    /// SHA-256 of the wasm.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        self.inner.hash
    }

    pub(crate) fn limits(&self) -> RunLimits {
        self.inner.limits
    }

    pub(crate) fn instantiate(&self, limits: RunLimits) -> Result<Instance, CallError> {
        Instance::new(&self.inner.pre, Arc::clone(&self.inner.shapes), limits)
    }
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module")
            .field("schema", self.schema())
            .finish_non_exhaustive()
    }
}

/// Reads the version, then the schema.
fn read_description(description: &[u8]) -> Result<Schema, LoadError> {
    let Some((version, schema)) = description.split_first_chunk() else {
        return Err(LoadError::Description(
            syncline_protocol::CodecError::Truncated,
        ));
    };
    let version = u32::from_le_bytes(*version);
    if version != abi::VERSION {
        return Err(LoadError::Version { found: version });
    }
    let schema = schema_codec::decode(schema).map_err(LoadError::Description)?;
    schema.validate().map_err(LoadError::Schema)?;
    Ok(schema)
}

/// Same wasm, same bits: what differs between machines is off, and so is what no compiler of ours emits.
fn config() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .max_wasm_stack(STACK_BYTES_MAX)
        .memory_reservation(MEMORY_ADDRESSES_BYTES as u64)
        // A trap with a backtrace costs ten times as much, and a module has no names to show.
        .wasm_backtrace_max_frames(None);
    config
}

/// Slots for instances. A call that fails costs a fresh instance, and that is 2.5 us from a slot whose
/// few dirty pages are reset in place where it is 22 us from fresh mappings (`call_speed`). Slots
/// cost addresses, not memory; they are full 32-bit spaces, so that guests need no bounds checks.
fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(INSTANCES_MAX)
        .total_memories(INSTANCES_MAX)
        .total_tables(INSTANCES_MAX * TABLES_PER_MODULE_MAX)
        .max_tables_per_module(TABLES_PER_MODULE_MAX)
        .max_core_instance_size(INSTANCE_BYTES_MAX)
        .max_memory_size(MEMORY_ADDRESSES_BYTES)
        .table_elements(TABLE_ELEMENTS_MAX)
        .linear_memory_keep_resident(RESET_BYTES_MAX)
        .table_keep_resident(RESET_BYTES_MAX)
        .pagemap_scan(Enabled::Auto);
    pool
}
