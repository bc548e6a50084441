//! Compiled modules on disk: a module is compiled once, and loaded in milliseconds at every start after that.
//!
//! A file is named by what its contents depend on, the wasm and everything of the engine that compiles it
//! (its version, its settings, the machine's instructions), and holds
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic `SYNCWASM` |
//! | 8 | 32 | HMAC-SHA-256 of the name's 32 bytes and the rest of the file, by the server's key |
//! | 40 | | what the wasm engine wrote |
//!
//! Machine code from a file runs with all the rights of the server, so nothing is believed that does not have the
//! authentication code: a file that is damaged, of another server, or made by somebody who cannot read the
//! key is compiled anew and replaced. Who can read the server's key could read everything else of the server too, and is not kept out.

use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::hash::{Hash, Hasher};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};
use syncline_protocol::limits::COMPILED_BYTES_MAX;
use syncline_store::Disk;
use syncline_store::disk::{create_dir_all, read_file, replace_file};
use wasmtime::{Engine, Module};

const MAGIC: &[u8; 8] = b"SYNCWASM";
const HEADER_BYTES: usize = MAGIC.len() + 32;
const EXTENSION: &str = ".compiled";
/// Of SHA-256, for the HMAC.
const BLOCK_BYTES: usize = 64;

/// Name of a compiled module: of the wasm, and of the engine that compiles it.
pub(crate) type CompiledId = [u8; 32];

/// A folder of compiled modules.
pub struct CompiledModules {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    key: [u8; 32],
    pub(crate) bytes_max: u64,
    /// One writes at a time.
    writing: Mutex<()>,
    counts: [AtomicU64; 4],
}

/// What became of the modules that were asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompiledCounts {
    /// Taken from a file.
    pub read: u64,
    /// Compiled, because there was no file.
    pub compiled: u64,
    /// Compiled, because the file was not what this server wrote.
    pub refused: u64,
    /// Compiled, and not written: the disk did not take it.
    pub unwritten: u64,
}

#[derive(Clone, Copy)]
enum Count {
    Read,
    Compiled,
    Refused,
    Unwritten,
}

impl CompiledModules {
    /// In this folder, which need not exist yet. `key` is the server's secret: 32 random bytes.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>, folder: PathBuf, key: [u8; 32]) -> Self {
        Self {
            disk,
            folder,
            key,
            bytes_max: COMPILED_BYTES_MAX,
            writing: Mutex::new(()),
            counts: Default::default(),
        }
    }

    pub(crate) fn counts(&self) -> CompiledCounts {
        let [read, compiled, refused, unwritten] =
            self.counts.each_ref().map(|n| n.load(Ordering::Relaxed));
        CompiledCounts {
            read,
            compiled,
            refused,
            unwritten,
        }
    }

    fn count(&self, what: Count) {
        self.counts[what as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// The module with this name, from its file if that is good, and else from `compile`. `is_held` says which
    /// others must not be removed for lack of room.
    pub(crate) fn get_or_compile(
        &self,
        engine: &Engine,
        id: &CompiledId,
        is_held: impl Fn(&CompiledId) -> bool,
        compile: impl FnOnce() -> wasmtime::Result<Module>,
    ) -> wasmtime::Result<Module> {
        let stored = self.read(id);
        if let Ok(stored) = &stored
            && let Some(code) = self.authentic(id, stored)
            && let Ok(module) = deserialize(engine, code)
        {
            self.count(Count::Read);
            return Ok(module);
        }
        let module = compile()?;
        self.count(match stored {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Count::Compiled,
            _ => Count::Refused,
        });
        // Without a file it is compiled once more at the next start, and nothing else is the matter.
        let written = module.serialize().is_ok_and(|code| {
            let written = self.write(id, &code, is_held);
            written.is_ok()
        });
        if !written {
            self.count(Count::Unwritten);
        }
        Ok(module)
    }

    fn path(&self, id: &CompiledId) -> PathBuf {
        self.folder.join(file_name(id))
    }

    fn read(&self, id: &CompiledId) -> io::Result<Vec<u8>> {
        let path = self.path(id);
        if self.disk.open(&path)?.byte_len()? > self.bytes_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        read_file(&*self.disk, &path)
    }

    /// What the engine wrote, if this server wrote it under this name.
    fn authentic<'a>(&self, id: &CompiledId, stored: &'a [u8]) -> Option<&'a [u8]> {
        let (magic, rest) = stored.split_first_chunk()?;
        let (found, code) = rest.split_first_chunk::<32>()?;
        let wanted = hmac(&self.key, &[id, code]);
        // All of it is looked at, so that time says nothing of how much was right.
        let differs = found.iter().zip(wanted).fold(0, |d, (a, b)| d | (a ^ b));
        (magic == MAGIC && differs == 0).then_some(code)
    }

    fn write(
        &self,
        id: &CompiledId,
        code: &[u8],
        is_held: impl Fn(&CompiledId) -> bool,
    ) -> io::Result<()> {
        let _one_at_a_time = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        create_dir_all(&*self.disk, &self.folder)?;
        if self.byte_len()? + code.len() as u64 > self.bytes_max {
            self.retain(is_held)?;
        }
        let mut bytes = Vec::with_capacity(HEADER_BYTES + code.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&hmac(&self.key, &[id, code]));
        bytes.extend_from_slice(code);
        replace_file(&*self.disk, &self.path(id), &bytes)
    }

    /// Of all files.
    fn byte_len(&self) -> io::Result<u64> {
        let names = self.disk.list(&self.folder)?;
        let paths = names.iter().map(|name| self.folder.join(name));
        paths
            .map(|path| self.disk.open(&path)?.byte_len())
            .try_fold(0, |sum, len| Ok(sum + len?))
    }

    /// Removes everything that nobody holds: modules of the past, those of other engines, what a crash left.
    pub(crate) fn retain_held(&self, is_held: impl Fn(&CompiledId) -> bool) -> io::Result<usize> {
        let _one_at_a_time = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.disk.exists(&self.folder)? {
            return Ok(0);
        }
        self.retain(is_held)
    }

    fn retain(&self, is_held: impl Fn(&CompiledId) -> bool) -> io::Result<usize> {
        let names = self.disk.list(&self.folder)?;
        let is_left = |name: &&String| !id_of(name).is_some_and(|id| is_held(&id));
        let gone: BTreeSet<_> = names.iter().filter(is_left).collect();
        for name in &gone {
            self.disk.remove(&self.folder.join(name))?;
        }
        Ok(gone.len())
    }
}

impl fmt::Debug for CompiledModules {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompiledModules")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

/// The name of what this engine makes of the wasm with this hash.
pub(crate) fn id(engine: &Engine, wasm_hash: &[u8; 32]) -> CompiledId {
    let mut digest = Sink(Sha256::new_with_prefix(b"syncline compiled module 1"));
    digest.0.update(wasm_hash);
    engine.precompile_compatibility_hash().hash(&mut digest);
    digest.0.finalize().into()
}

fn file_name(id: &CompiledId) -> String {
    let mut name = String::with_capacity(2 * id.len() + EXTENSION.len());
    for byte in id {
        let _ = write!(name, "{byte:02x}");
    }
    name + EXTENSION
}

fn id_of(name: &str) -> Option<CompiledId> {
    let hex = name.strip_suffix(EXTENSION)?;
    let mut id = CompiledId::default();
    for (index, byte) in id.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    (file_name(&id) == name).then_some(id)
}

/// RFC 2104 with SHA-256, for keys that are no longer than a block.
pub(crate) fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let padded = |pad: u8| {
        let mut block = [pad; BLOCK_BYTES];
        block.iter_mut().zip(key).for_each(|(byte, k)| *byte ^= k);
        Sha256::new_with_prefix(block)
    };
    let mut inner = padded(0x36);
    for part in parts {
        inner.update(part);
    }
    padded(0x5c)
        .chain_update(inner.finalize())
        .finalize()
        .into()
}

/// SHA-256 as what `Hash` writes to: 64 bits would be too few for a name that code is run by.
struct Sink(Sha256);

impl Hasher for Sink {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

/// A module from the bytes that an engine wrote.
#[expect(unsafe_code, reason = "the only way to load what was compiled before")]
fn deserialize(engine: &Engine, authentic: &[u8]) -> wasmtime::Result<Module> {
    // SAFETY: the bytes must be what `Module::serialize` of some version of wasmtime returned. The only caller has them
    // from `authentic`, in this very buffer: they carry a code that only `write` makes, with a key that
    // only this server has, and `write` is given nothing but the result of `Module::serialize`. What another version or
    // other settings made is refused by wasmtime itself.
    unsafe { Module::deserialize(engine, authentic) }
}
