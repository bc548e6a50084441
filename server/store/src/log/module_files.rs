//! The wasm of modules: files named by their SHA-256, which publish records name.

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

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
