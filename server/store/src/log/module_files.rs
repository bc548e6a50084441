//! The wasm of modules: files named by their SHA-256, which publish records name.

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use syncline_protocol::Lsn;

use super::error::OpenError;
use crate::disk::{Disk, read_file, replace_file};

fn path_of(folder: &Path, hash: &[u8; 32]) -> PathBuf {
    let mut name = String::with_capacity(64 + 5);
    for byte in hash {
        name.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        name.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
    }
    name.push_str(".wasm");
    folder.join(name)
}

/// Which modules the kept past names: the one in force when it begins, and each that was published since.
/// What was published before this open is not known, so nothing is removed until the past begins after it.
#[derive(Debug)]
pub(crate) struct ModuleUse {
    /// The Lsn from which on it is complete.
    since: Lsn,
    /// By the Lsn of its publish; of one that is still to come, or never came, the greatest.
    uses: Vec<(Lsn, [u8; 32])>,
}

const NOT_YET: Lsn = Lsn(u64::MAX);

impl ModuleUse {
    /// Of a database that has this module at an Lsn.
    pub(crate) fn new(since: Lsn, hash: Option<[u8; 32]>) -> Self {
        Self {
            since,
            uses: hash.map(|hash| (since, hash)).into_iter().collect(),
        }
    }

    /// A module is about to be stored: its file stays from now on.
    pub(crate) fn expect(&mut self, hash: &[u8; 32]) {
        self.add(NOT_YET, hash);
    }

    /// It was published.
    pub(crate) fn publish(&mut self, lsn: Lsn, hash: &[u8; 32]) {
        self.add(lsn, hash);
    }

    /// Adds a use at the end, so that the published ones are in order. An earlier publish of the same module
    /// that failed is forgotten.
    fn add(&mut self, lsn: Lsn, hash: &[u8; 32]) {
        self.uses.retain(|own| *own != (NOT_YET, *hash));
        self.uses.push((lsn, *hash));
    }

    /// Removes the files of modules that nothing names: not the database at this Lsn, and no publish after it.
    pub(crate) fn remove_unused(
        &mut self,
        disk: &dyn Disk,
        folder: &Path,
        kept: Lsn,
    ) -> io::Result<()> {
        if kept < self.since {
            return Ok(());
        }
        if let Some(first) = self.uses.iter().rposition(|(lsn, _)| *lsn <= kept) {
            self.uses.drain(..first);
        }
        let needed = |path: &PathBuf| {
            let mut paths = self.uses.iter().map(|(_, hash)| path_of(folder, hash));
            paths.any(|own| own == *path)
        };
        let mut is_any = false;
        for name in disk.list(folder)? {
            let path = folder.join(name);
            if path.extension().is_some_and(|e| e == "wasm") && !needed(&path) {
                disk.remove(&path)?;
                is_any = true;
            }
        }
        if is_any {
            disk.sync_dir(folder)?;
        }
        Ok(())
    }
}

/// Stores the wasm; durable when this returns. Nothing is written if it is there already.
pub(crate) fn put(disk: &dyn Disk, folder: &Path, hash: &[u8; 32], wasm: &[u8]) -> io::Result<()> {
    if Sha256::digest(wasm).as_slice() != hash {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the hash is not that of the wasm",
        ));
    }
    let path = path_of(folder, hash);
    // A file that is there may be from before a crash that it did not survive whole.
    match read_file(disk, &path) {
        Ok(stored) if stored == wasm => disk.sync_dir(folder),
        _ => replace_file(disk, &path, wasm),
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
