//! Files, as much of them as the log, the modules and the catalog need.
//!
//! - [`RealDisk`] is the operating system's file system.
//! - [`MemoryDisk`] is one in memory that knows what was synced and what was not: a simulated power
//!   cut drops or tears the rest. Every recovery test runs on it.
//! - [`DiscardDisk`] keeps nothing: the disk of a database that lives in memory alone.
//!
//! Nothing else in this crate opens a file (sled, the catalog's index, does so itself).

use std::fmt::Debug;
use std::io::{self, ErrorKind};
use std::path::Path;

mod discard;
mod memory;
mod real;
#[cfg(test)]
mod tests;

pub use discard::DiscardDisk;
pub use memory::{CallKind, Fault, MemoryDisk};
pub use real::RealDisk;

/// A disk: files by path, and folders of them.
///
/// A caller may rely on what it has synced and on nothing else. [`DiskFile::sync_data`] makes the
/// contents and length of a file durable; [`Disk::sync_dir`] makes durable that a file or folder is
/// in its folder under its name, or is no longer. Both are needed for a new file. What was not synced may after a power cut be
/// there, be gone, or be there in part, in any order; sectors of 512 bytes do not tear.
///
/// After a failed sync nobody knows what is durable, and asking again proves nothing: the caller
/// must stop trusting the file. Other calls that fail changed nothing that the caller may rely on.
///
/// An implementation reports a full disk as [`ErrorKind::StorageFull`] or
/// [`ErrorKind::QuotaExceeded`] (see [`is_full`]), a missing file as [`ErrorKind::NotFound`].
pub trait Disk: Debug + Send + Sync {
    /// A new, empty file, open for reading and writing. [`ErrorKind::AlreadyExists`] if there is one.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// A file that is there, open for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Whether a file or folder is there.
    fn exists(&self, path: &Path) -> io::Result<bool>;
    /// Gives a file another name in the same folder, replacing the file of that name: at every
    /// moment, and after a power cut too, that name is the old file or the new one.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Names of the files and folders in a folder, sorted.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;
    /// Creates a folder in a folder that is there; no error if it exists.
    fn create_dir(&self, folder: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_dir(&self, folder: &Path) -> io::Result<()>;
    /// Takes the one lock of a folder, in this process or another; [`ErrorKind::WouldBlock`] if it
    /// is taken. The lock ends with the value, and with the process.
    fn lock(&self, folder: &Path) -> io::Result<Box<dyn DiskLock>>;
    /// About how many bytes new files in this folder may have. A hint: `None` if not known.
    fn free_bytes(&self, folder: &Path) -> Option<u64>;
}

/// An open file.
pub trait DiskFile: Debug + Send {
    /// Its length in bytes.
    fn byte_len(&self) -> io::Result<u64>;
    /// Fills `out` from `offset` on; [`ErrorKind::UnexpectedEof`] if the file ends before that.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;
    /// Writes all of `bytes` at `offset`; the file grows as needed.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Cuts the file, or extends it with zeros.
    fn set_len(&mut self, len: u64) -> io::Result<()>;
    /// Makes contents and length durable.
    fn sync_data(&mut self) -> io::Result<()>;
}

/// The lock of a folder, held until it is dropped.
pub trait DiskLock: Debug + Send + Sync {}

/// Whether an error says that the disk (or the user's share of it) is full.
#[must_use]
pub fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    )
}

/// All bytes of a file.
pub fn read_file(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let file = disk.open(path)?;
    let len = usize::try_from(file.byte_len()?).map_err(|_| ErrorKind::FileTooLarge)?;
    let mut bytes = vec![0; len];
    file.read_at(0, &mut bytes)?;
    Ok(bytes)
}

/// Puts a file in the place of what `path` names: durable when this returns, and after a power cut
/// in the middle of it either the old file or the new one, whole.
pub fn replace_file(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_added_extension(NEW);
    remove_if_there(disk, &new)?;
    if let Err(error) = write_new(disk, &new, bytes) {
        // A disk that is full needs the room of what does not fit. Who opens the folder next removes it otherwise.
        let _ = disk.remove(&new);
        return Err(error);
    }
    disk.rename(&new, path)?;
    disk.sync_dir(folder_of(path))
}

fn write_new(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = disk.create(path)?;
    file.write_at(0, bytes)?;
    file.sync_data()
}

/// Removes a file; no error if there is none.
pub fn remove_if_there(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    match disk.remove(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Extension of a file that is being written and has not got its name yet.
pub const NEW: &str = "new";

/// Creates a folder and those above it, all durable when this returns. A folder that is there may be
/// one that a process has created and not synced before it died; those above it were synced before.
pub fn create_dir_all(disk: &dyn Disk, folder: &Path) -> io::Result<()> {
    let above = folder_of(folder);
    if !disk.exists(folder)? {
        create_dir_all(disk, above)?;
        disk.create_dir(folder)?;
    }
    disk.sync_dir(above)
}

/// The folder that a path lies in.
#[must_use]
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
        None => path,
    }
}
