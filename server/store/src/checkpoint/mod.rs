//! Checkpoints: all rows of a database at one Lsn, on disk, so that an open replays only what came after.
//!
//! - [`CheckpointWriter`] writes one from a read view while the database goes on: a state machine that
//!   somebody else's thread drives. A checkpoint gets its name when it is whole and everything in it is durable in the log.
//! - `load` reads one back and verifies all of it; `format` is what is in the file, byte by byte.
//! - `retention` says which segments and checkpoints are no longer needed.
//!
//! Checkpoints lie in `checkpoints/` of a database's folder, named by their Lsn in twenty digits and
//! `.checkpoint`. They save time and room and are never the only proof of anything: a damaged one is passed
//! over for the one before as long as the log still reaches back to it.

use std::io;
use std::path::{Path, PathBuf};

use syncline_protocol::Lsn;

use crate::disk::Disk;

pub(crate) mod format;
pub(crate) mod load;
pub(crate) mod retention;
#[cfg(test)]
mod tests;
pub(crate) mod writer;

pub use retention::Retired;
pub use writer::{CheckpointError, CheckpointProgress, CheckpointReport, CheckpointWriter, begin};

/// Folder of the checkpoints inside that of a database.
pub(crate) const CHECKPOINTS_FOLDER: &str = "checkpoints";

const EXTENSION: &str = ".checkpoint";
/// Added to the name of a checkpoint that an open could not read.
pub(crate) const DAMAGED: &str = "damaged";

/// The file of the checkpoint at an Lsn.
pub(crate) fn checkpoint_path(folder: &Path, lsn: Lsn) -> PathBuf {
    folder.join(format!("{:020}{EXTENSION}", lsn.0))
}

/// The Lsn of the checkpoint with this file name; `None` if it is the name of something else.
pub(crate) fn checkpoint_lsn(name: &str) -> Option<Lsn> {
    let digits = name.strip_suffix(EXTENSION)?;
    let is_plain = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| digits.parse().ok().map(Lsn))?
}

/// The checkpoints in a folder, the oldest first; none if there is no such folder.
pub(crate) fn list(disk: &dyn Disk, folder: &Path) -> io::Result<Vec<(Lsn, PathBuf)>> {
    let names = match disk.list(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        other => other?,
    };
    let lsns = names.iter().filter_map(|name| checkpoint_lsn(name));
    Ok(lsns
        .map(|lsn| (lsn, checkpoint_path(folder, lsn)))
        .collect())
}
