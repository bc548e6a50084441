//! The wasm of modules: files named by their SHA-256, which publish records name.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use syncline_protocol::Lsn;

use super::error::{LogError, OpenError};
use super::handover::Handover;
use super::record::OVERHEAD_BYTES;
use crate::disk::{Disk, read_file, remove_if_there, replace_file};

fn path_of(folder: &Path, hash: &[u8; 32]) -> PathBuf {
    let mut name = String::with_capacity(64 + 5);
    for byte in hash {
        name.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        name.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
    }
    name.push_str(".wasm");
    folder.join(name)
}

/// Stores the modules of an open database, from any thread: a large one takes the disk a while, and the thread that
/// commits need not wait for that. What is stored stays as long as its [`StoredModule`] is there, and then as long as anything
/// that is kept names it.
///
/// It does not keep the database open: once that is closed it stores nothing any more.
#[derive(Clone, Debug)]
pub struct ModuleStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    handover: Weak<Handover>,
    /// Held while files are written and removed: nobody removes what another one is about to find there. Never taken by
    /// who commits, unless it stores a module itself.
    storing: Mutex<()>,
    /// Held for a moment, never over the disk.
    module_use: Mutex<ModuleUse>,
}

/// A module that is stored and waits for its publish: as long as this is there, its file stays. It goes when the publish
/// has its record, or was refused, or will never come.
#[derive(Debug)]
#[must_use = "without it the file may go before the publish comes"]
pub struct StoredModule {
    store: ModuleStore,
    hash: [u8; 32],
}

impl Drop for StoredModule {
    fn drop(&mut self) {
        self.store.0.module_use.lock().forget(&self.hash);
    }
}

impl ModuleStore {
    /// Of a database that has this module at an Lsn.
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        folder: PathBuf,
        handover: &Arc<Handover>,
        (since, hash): (Lsn, Option<[u8; 32]>),
    ) -> Self {
        Self(Arc::new(Inner {
            disk,
            folder,
            handover: Arc::downgrade(handover),
            storing: Mutex::new(()),
            module_use: Mutex::new(ModuleUse::new(since, hash)),
        }))
    }

    /// Stores the wasm of a module under its SHA-256, durably: before the publish that names it, which then waits for
    /// nothing. Those that nothing kept names any more go before, which may make the room for it. A full disk takes no
    /// more than the log would. Blocks on the disk.
    pub fn put(&self, hash: &[u8; 32], wasm: &[u8]) -> Result<StoredModule, LogError> {
        let own = &*self.0;
        // The lock of the folder is the handover's: while a file is written nobody else opens the database.
        let closed = || LogError::Poisoned("the database is closed".to_owned());
        let handover = own.handover.upgrade().ok_or_else(closed)?;
        handover.check_poison()?;
        let _turn = own.storing.lock();
        own.module_use.lock().expect(hash);
        let stored = StoredModule {
            store: self.clone(),
            hash: *hash,
        };
        // A file too many is no reason to refuse a publish; the next one tries again.
        let _ = own.remove_unused(handover.kept());
        match own.write(&handover, hash, wasm) {
            Ok(is_made) => own.module_use.lock().is_stored(hash, is_made),
            Err(error) => {
                drop(stored);
                let _ = own.remove_unused(handover.kept());
                return Err(error);
            }
        }
        Ok(stored)
    }

    /// Removes the files of modules whose publish was refused: the log may need their room. What cannot be removed now
    /// is tried again with the next module. Blocks on the disk.
    pub fn remove_refused(&self) {
        let open = self.0.handover.upgrade();
        let Some(handover) = open.filter(|handover| !handover.is_poisoned()) else {
            return;
        };
        let _ = self.remove_unused(handover.kept());
        if handover.is_full() {
            handover.ask_for_room();
        }
    }

    /// If it waits for its publish already, durable: it does so for another one too from now on.
    pub(crate) fn find(&self, hash: &[u8; 32]) -> Option<StoredModule> {
        let mut module_use = self.0.module_use.lock();
        if !module_use.stored.contains(hash) {
            return None;
        }
        module_use.expect(hash);
        Some(StoredModule {
            store: self.clone(),
            hash: *hash,
        })
    }

    /// It was published.
    pub(crate) fn published(&self, lsn: Lsn, hash: &[u8; 32]) {
        self.0.module_use.lock().publish(lsn, hash);
    }

    /// Removes the modules that nothing names which is kept.
    pub(crate) fn remove_unused(&self, kept: Lsn) -> io::Result<()> {
        let _turn = self.0.storing.lock();
        self.0.remove_unused(kept)
    }
}

impl Inner {
    /// Whether there was no file.
    fn write(&self, handover: &Handover, hash: &[u8; 32], wasm: &[u8]) -> Result<bool, LogError> {
        // The publish would be refused, and until then the file would take the room that the log waits for.
        handover.check_room(wasm.len().saturating_add(OVERHEAD_BYTES))?;
        put(&*self.disk, &self.folder, hash, wasm).map_err(|error| {
            if crate::disk::is_full(&error) {
                return LogError::DiskFull;
            }
            handover.poison(&format!("a module could not be stored: {error}"))
        })
    }

    /// The same, for who has the turn to.
    fn remove_unused(&self, kept: Lsn) -> io::Result<()> {
        // While we have the turn nothing becomes needed that is not.
        let (needed, refused) = {
            let mut module_use = self.module_use.lock();
            (module_use.needed_from(kept), module_use.refused())
        };
        let paths = |hashes: &[[u8; 32]]| -> Vec<PathBuf> {
            let paths = hashes.iter().map(|hash| path_of(&self.folder, hash));
            paths.collect()
        };
        let mut failed = Ok(());
        for hash in &refused {
            match remove_if_there(&*self.disk, &path_of(&self.folder, hash)) {
                // Not before it is gone: who fails to remove it tries again, and the others go all the same.
                Ok(()) => self.module_use.lock().made.retain(|own| own != hash),
                Err(error) => failed = Err(error),
            }
        }
        let mut unused = Vec::new();
        if let Some(needed) = needed {
            let needed = paths(&needed);
            let files = self.disk.list(&self.folder)?.into_iter();
            unused = files.map(|name| self.folder.join(name)).collect();
            unused.retain(|path| {
                path.extension().is_some_and(|e| e == "wasm") && !needed.contains(path)
            });
        }
        for path in &unused {
            remove_if_there(&*self.disk, path)?;
        }
        if !(refused.is_empty() && unused.is_empty()) {
            self.disk.sync_dir(&self.folder)?;
        }
        failed
    }
}

/// Which modules the kept past names: the one in force when it begins, and each that was published since.
/// What was published before this open is not known, so nothing is removed until the past begins after it.
#[derive(Debug)]
struct ModuleUse {
    /// The Lsn from which on it is complete.
    since: Lsn,
    /// By the Lsn of their publish, in order.
    published: Vec<(Lsn, [u8; 32])>,
    /// Of publishes that are still to come: once for each, since two may bring the same module.
    expected: Vec<[u8; 32]>,
    /// Those of them that are durable.
    stored: Vec<[u8; 32]>,
    /// Modules whose files this open has made, and that no publish has named so far: nothing of the past does.
    made: Vec<[u8; 32]>,
}

impl ModuleUse {
    fn new(since: Lsn, hash: Option<[u8; 32]>) -> Self {
        Self {
            since,
            published: hash.map(|hash| (since, hash)).into_iter().collect(),
            expected: Vec::new(),
            stored: Vec::new(),
            made: Vec::new(),
        }
    }

    /// It is about to be stored: its file stays from now on.
    fn expect(&mut self, hash: &[u8; 32]) {
        self.expected.push(*hash);
    }

    /// Its file is durable, and was not there before if it `is_made`.
    fn is_stored(&mut self, hash: &[u8; 32], is_made: bool) {
        if !self.stored.contains(hash) {
            self.stored.push(*hash);
        }
        if is_made && !self.made.contains(hash) {
            self.made.push(*hash);
        }
    }

    fn publish(&mut self, lsn: Lsn, hash: &[u8; 32]) {
        self.published.push((lsn, *hash));
        self.made.retain(|own| own != hash);
    }

    /// Modules that were stored for nothing: they can go whatever is known of the past.
    fn refused(&self) -> Vec<[u8; 32]> {
        let mut refused = self.made.clone();
        refused.retain(|own| !self.expected.contains(own));
        refused
    }

    /// One publish less will come with it.
    fn forget(&mut self, hash: &[u8; 32]) {
        if let Some(index) = self.expected.iter().position(|own| own == hash) {
            self.expected.swap_remove(index);
        }
        if !self.expected.contains(hash) {
            self.stored.retain(|own| own != hash);
        }
    }

    /// The modules of the database from this Lsn on, and those that are still to be published; `None` if that is not
    /// known. Forgets those that only an earlier past has named.
    fn needed_from(&mut self, kept: Lsn) -> Option<Vec<[u8; 32]>> {
        if kept < self.since {
            return None;
        }
        if let Some(first) = self.published.iter().rposition(|(lsn, _)| *lsn <= kept) {
            self.published.drain(..first);
        }
        let published = self.published.iter().map(|(_, hash)| *hash);
        Some(published.chain(self.expected.iter().copied()).collect())
    }
}

/// Stores the wasm; durable when this returns. Nothing is written if it is there already; whether there was no file, and
/// then there is none either after an error.
pub(crate) fn put(
    disk: &dyn Disk,
    folder: &Path,
    hash: &[u8; 32],
    wasm: &[u8],
) -> io::Result<bool> {
    if Sha256::digest(wasm).as_slice() != hash {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the hash is not that of the wasm",
        ));
    }
    let path = path_of(folder, hash);
    // A file that is there may be from before a crash that it did not survive whole.
    match read_file(disk, &path) {
        Ok(stored) if stored == wasm => disk.sync_dir(folder).map(|()| false),
        found => {
            let is_new = found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
            replace_file(disk, &path, wasm).inspect_err(|_| {
                if is_new {
                    let _ = remove_if_there(disk, &path);
                }
            })?;
            Ok(is_new)
        }
    }
}

/// The wasm with this hash.
pub(crate) fn get(disk: &dyn Disk, folder: &Path, hash: &[u8; 32]) -> Result<Vec<u8>, OpenError> {
    let file = path_of(folder, hash);
    let wasm = match read_file(disk, &file) {
        Ok(wasm) => wasm,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(OpenError::Missing { file });
        }
        Err(error) => return Err(OpenError::io(&file)(error)),
    };
    if Sha256::digest(&wasm).as_slice() != hash {
        return Err(OpenError::ModuleDamaged { file });
    }
    Ok(wasm)
}
