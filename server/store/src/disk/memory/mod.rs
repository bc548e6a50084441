//! A disk in memory that can lose power, fail and fill up.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::{Disk, DiskFile, DiskLock};

mod contents;
mod random;
mod state;

use state::{Entry, State, Target};

/// A disk in memory that tells apart what was synced from what was merely written.
///
/// [`Self::crash`] is a power cut: of the contents of each file what was synced stays, and of every
/// sector written since, any of its versions; of the names in each folder those synced stay, and
/// of the changes since, any subset. What happens is a function of the seed. A folder whose own
/// name is lost takes all that is in it along. Handles and locks from before the crash are dead.
///
/// Every call that changes something has a number, counted from 0: [`Self::fault_at`] makes one of
/// them fail. Clones are the same disk.
#[derive(Clone, Default)]
pub struct MemoryDisk {
    state: Arc<Mutex<State>>,
}

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The power goes off: the call was under way and may or may not have had its effect; every call
    /// from it on fails until [`MemoryDisk::crash`] says what is left.
    PowerOff,
    /// The call fails with this error. A failed sync of a file leaves what it should have synced looking
    /// clean and yet not durable, as kernels do; any other call has no effect.
    Error(ErrorKind),
    /// The call fails with this error after it had its effect: half of it for a write, none for a sync.
    Late(ErrorKind),
}

/// What a call that changes something does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallKind {
    /// A new file.
    Create,
    /// A new folder.
    CreateDir,
    /// Bytes of a file.
    Write,
    /// Its length.
    SetLen,
    /// A sync of a file.
    Sync,
    /// A sync of a folder.
    SyncDir,
    /// Another name.
    Rename,
    /// A file less.
    Remove,
}

impl CallKind {
    /// Every kind there is.
    pub const ALL: [Self; 8] = [
        Self::Create,
        Self::CreateDir,
        Self::Write,
        Self::SetLen,
        Self::Sync,
        Self::SyncDir,
        Self::Rename,
        Self::Remove,
    ];
}

#[derive(Debug)]
struct MemoryFile {
    disk: MemoryDisk,
    node: u64,
    generation: u64,
}

#[derive(Debug)]
struct MemoryLock {
    disk: MemoryDisk,
    folder: PathBuf,
    generation: u64,
}

impl MemoryDisk {
    /// An empty disk; its root folder `/` is there.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The power goes off and comes back.
    pub fn crash(&self, seed: u64) {
        self.state.lock().crash(seed);
    }

    /// A disk of its own with the same files and folders, all of them durable: what is done to it leaves this one alone.
    #[must_use]
    pub fn copy(&self) -> Self {
        let state = self.state.lock().copy();
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// How many calls so far were to change something; the number that the next one gets.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.state.lock().call_count()
    }

    /// How many of them were of this kind; the number that the next one of it gets.
    #[must_use]
    pub fn calls_of(&self, kind: CallKind) -> u64 {
        let state = self.state.lock();
        state.calls.get(&kind).copied().unwrap_or_default()
    }

    /// The call at which a fault turned the power off, and its file or folder; `None` while there is power.
    #[must_use]
    pub fn power_cut(&self) -> Option<(CallKind, PathBuf)> {
        self.state.lock().cut.clone()
    }

    /// Every call fails from now on, until [`Self::crash`] or [`Self::restart`].
    pub fn power_off(&self) {
        self.state.lock().power_off();
    }

    /// The process that uses the disk ends, the power stays: locks and handles are dead, faults forgotten, and
    /// what was written and not synced is there to be read, and to be lost by a later crash.
    pub fn restart(&self) {
        self.state.lock().restart();
    }

    /// Lets the call of this number go wrong. A crash forgets all faults.
    pub fn fault_at(&self, call: u64, fault: Fault) {
        self.state.lock().faults.insert(call, fault);
    }

    /// The same for the call of this number among those of its kind.
    pub fn fault_at_kind(&self, kind: CallKind, call: u64, fault: Fault) {
        let mut state = self.state.lock();
        state.kind_faults.insert((kind, call), fault);
    }

    /// Forgets all faults.
    pub fn clear_faults(&self) {
        let mut state = self.state.lock();
        state.faults.clear();
        state.kind_faults.clear();
    }

    /// Limits the bytes of all files together; `None` for no limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state.lock().capacity = bytes;
    }

    /// Makes the disk lie: syncs of the files and folders that `which` picks do nothing and
    /// say that all went well. For tests that must find out.
    pub fn skip_syncs(&self, which: fn(&Path) -> bool) {
        self.state.lock().skips_sync = Some(which);
    }

    /// The bytes of a file; `None` if there is none.
    #[must_use]
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state.lock();
        let node = state.file(path).ok()?;
        Some(state.nodes[&node].live().to_vec())
    }

    /// Flips the bits of `mask` in a byte of a file, durably: the disk has rotted.
    pub fn flip(&self, path: &Path, offset: usize, mask: u8) -> io::Result<()> {
        let mut state = self.state.lock();
        let node = state.file(path)?;
        state.node_mut(node).flip(offset, mask)
    }

    /// Every file there is, sorted.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let state = self.state.lock();
        let files = state.entries.iter();
        files
            .filter(|(_, entry)| matches!(entry, Entry::File(_)))
            .map(|(path, _)| path.clone())
            .collect()
    }

    fn file(&self, node: u64, generation: u64) -> Box<dyn DiskFile> {
        Box::new(MemoryFile {
            disk: self.clone(),
            node,
            generation,
        })
    }
}

impl fmt::Debug for MemoryDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryDisk")
            .field("calls", &self.calls())
            .finish_non_exhaustive()
    }
}

impl Disk for MemoryDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state.lock();
        let node = state.change(CallKind::Create, Target::Path(path), |state| {
            state.create(path)
        })?;
        Ok(self.file(node, state.generation))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let state = self.state.lock();
        state.check_power()?;
        let node = state.file(path)?;
        Ok(self.file(node, state.generation))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let state = self.state.lock();
        state.check_power()?;
        Ok(state.entry(path).is_some())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.change(CallKind::Rename, Target::Path(to), |state| {
            state.rename(from, to)
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.change(CallKind::Remove, Target::Path(path), |state| {
            state.remove(path)
        })
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let state = self.state.lock();
        state.check_power()?;
        state.list(folder)
    }

    fn create_dir(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.change(CallKind::CreateDir, Target::Path(folder), |state| {
            state.create_dir(folder)
        })
    }

    fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        let target = Target::Path(folder);
        state.change_sync(
            CallKind::SyncDir,
            target,
            |state| state.sync_dir(folder),
            |_| (),
        )
    }

    fn lock(&self, folder: &Path) -> io::Result<Box<dyn DiskLock>> {
        let mut state = self.state.lock();
        state.check_power()?;
        if !state.locks.insert(folder.to_owned()) {
            return Err(ErrorKind::WouldBlock.into());
        }
        let generation = state.generation;
        Ok(Box::new(MemoryLock {
            disk: self.clone(),
            folder: folder.to_owned(),
            generation,
        }))
    }

    fn free_bytes(&self, _folder: &Path) -> Option<u64> {
        self.state.lock().free_bytes()
    }
}

impl MemoryFile {
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.state.lock();
        state.check_power()?;
        if state.generation != self.generation {
            return Err(io::Error::other("the file was opened before the crash"));
        }
        Ok(state)
    }
}

impl DiskFile for MemoryFile {
    fn byte_len(&self) -> io::Result<u64> {
        Ok(self.state()?.nodes[&self.node].live().len() as u64)
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state()?;
        let from = state.nodes[&self.node].live().get(offset as usize..);
        let bytes = from.and_then(|bytes| bytes.get(..out.len()));
        out.copy_from_slice(bytes.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state()?;
        let len = state.nodes[&self.node].live().len() as u64;
        let grown = (offset + bytes.len() as u64).saturating_sub(len);
        if state.free_bytes().is_some_and(|free| grown > free) {
            return Err(ErrorKind::StorageFull.into());
        }
        state.write(self.node, offset as usize, bytes)
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        let target = Target::Node(self.node);
        self.state()?.change(CallKind::SetLen, target, |state| {
            state.node_mut(self.node).set_len(len as usize);
            Ok(())
        })
    }

    fn sync_data(&mut self) -> io::Result<()> {
        let sync = |state: &mut State| {
            if !state.skips_sync_of(self.node) {
                state.node_mut(self.node).sync();
            }
        };
        let forget = |state: &mut State| state.node_mut(self.node).forget();
        let target = Target::Node(self.node);
        self.state()?
            .change_sync(CallKind::Sync, target, sync, forget)
    }
}

impl DiskLock for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        let mut state = self.disk.state.lock();
        if state.generation == self.generation {
            state.locks.remove(&self.folder);
        }
    }
}
