//! Errors: of a log that runs, and of one that is opened.

use std::io;
use std::path::{Path, PathBuf};

use super::segment::segment_number;

/// Why the log takes no more work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// No room for another segment, and what is left of this one is spoken for. Goes away by itself when
    /// there is room again.
    #[error("no room on the disk for the commit log")]
    DiskFull,
    /// More waits for the disk than `log_pending_bytes_max`. Goes away as the disk catches up.
    #[error("too much of the commit log waits for the disk")]
    Busy,
    /// A write or sync has failed. Nobody knows what is durable beyond the durable Lsn; opening the
    /// database again finds out.
    #[error("the commit log has failed: {0}")]
    Poisoned(String),
}

/// Why a database does not open. Nothing was changed, except by [`OpenError::Io`], after which trying
/// again is safe.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process, or another part of this one, has the database open.
    #[error("{}: the database is open already, here or in another process", .folder.display())]
    Locked {
        /// Its folder.
        folder: PathBuf,
    },
    /// The disk failed or is full.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file holds something else than was once durable there.
    #[error(
        "{}: damaged at byte {offset}: {detail}; nothing was changed: {}",
        .file.display(), way_out(.file)
    )]
    Damaged {
        /// The segment.
        file: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong there.
        detail: String,
    },
    /// A file that must be there is not.
    #[error(
        "{}: this file of the database is missing; nothing was changed: put it back, or restore the \
         database from a backup",
        .file.display()
    )]
    Missing {
        /// The file.
        file: PathBuf,
    },
    /// What is asked for is older than what is kept.
    #[error("no checkpoint is that old: the log of that time is not kept any more")]
    NotKept,
    /// A file is of another version than this build reads.
    #[error(
        "{}: commit log of version {found}, but this build reads version {supported}: open it with the \
         release that wrote it, or a {} one",
        .file.display(), if found > supported { "newer" } else { "older" }
    )]
    Version {
        /// The segment.
        file: PathBuf,
        /// Its version.
        found: u32,
        /// The version that this build reads.
        supported: u32,
    },
    /// The stored wasm of the module is not what was published.
    #[error(
        "{}: the wasm of the module does not have the hash it was published with; nothing was \
         changed: restore the file from a backup or build the module of this hash again",
        .file.display()
    )]
    ModuleDamaged {
        /// The file.
        file: PathBuf,
    },
}

impl OpenError {
    /// An error of the disk at a path.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// What to do about a damaged file.
fn way_out(file: &Path) -> &'static str {
    let number = file
        .file_name()
        .and_then(|name| segment_number(name.to_str()?));
    if number.is_some_and(|number| number > 1) {
        "salvage what is good into a new database, restore a backup, or move this file and the segments \
         after it away to open the database as it was before them"
    } else {
        "salvage what is good into a new database, or restore a backup"
    }
}
