//! A new folder for a database that is there already: in memory, as it was at some time.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use syncline_protocol::Epoch;

use super::point::Past;
use crate::checkpoint::format::Header;
use crate::checkpoint::{
    CHECKPOINTS_FOLDER, CheckpointError, CheckpointProgress, CheckpointWriter,
};
use crate::disk::{Disk, DiskLock, create_dir_all, folder_of, replace_file};
use crate::log::recovery::{Begin, Recovered, begin_segment};
use crate::log::{LOG_FOLDER, MODULES_FOLDER, OpenError, OpenRecord, Options, module_files};
use crate::open::{lock_folder, next_epoch, salt_of};

/// File that marks the folder of a database that is not whole yet: it is no database.
pub(crate) const UNFINISHED: &str = "unfinished";

/// Why a database could not be founded. What was written is marked as unfinished.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FoundError {
    /// There is something in the folder.
    #[error("{}: there is a database already", .folder.display())]
    Exists {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder cannot be had, or written to.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The rows cannot be written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// Makes a database in `folder`, which must not have one, out of one as it was. Its log begins after that: the
/// rows are in a checkpoint. Its epoch is one that no copy shares, so clients of the other start anew. `now` is
/// microseconds since the Unix epoch; `fresh_seed` is random.
///
/// When this returns everything is durable, and [`crate::open()`] opens it. A crash before that leaves a folder
/// that the catalog does not take for a database, and that this begins anew.
pub fn found(
    disk: &Arc<dyn Disk>,
    folder: &Path,
    past: &Past,
    now: i64,
    fresh_seed: u64,
    options: &Options,
) -> Result<Epoch, FoundError> {
    let _lock = begin(&**disk, folder)?;
    let [log, modules] = [LOG_FOLDER, MODULES_FOLDER].map(|name| folder.join(name));
    for folder in [&log, &modules] {
        create_dir_all(&**disk, folder).map_err(OpenError::io(folder))?;
    }
    if let (Some(hash), Some(wasm)) = (past.database.schema().module_hash, &past.wasm) {
        module_files::put(&**disk, &modules, &hash, wasm).map_err(OpenError::io(&modules))?;
    }
    let parent = past.epochs.last().map_or(Epoch(0), |(epoch, _)| *epoch);
    let salt = salt_of(fresh_seed);
    let header = Header {
        lsn: past.lsn,
        epoch: parent,
        salt,
        time: past.time,
        hash_seed: past.database.hash_seed(),
    };
    let epochs: Arc<[_]> = past.epochs.as_slice().into();
    let view = past.database.read_view();
    let mut writer = CheckpointWriter::new(Arc::clone(disk), folder, view, header, &epochs);
    while !matches!(writer.run()?, CheckpointProgress::Done(_)) {}
    let open = OpenRecord {
        epoch: next_epoch(parent, fresh_seed),
        parent,
        start: past.lsn,
        time: past.time.max(now),
        hash_seed: past.database.hash_seed(),
    };
    let recovered = Recovered::after(past.lsn);
    let begun = Begin {
        disk: &**disk,
        folder: &log,
        recovered: &recovered,
        open: &open,
        salt,
    };
    begin_segment(&begun, &past.database, options)?;
    let marker = folder.join(UNFINISHED);
    let finished = disk.remove(&marker).and_then(|()| disk.sync_dir(folder));
    finished.map_err(OpenError::io(&marker))?;
    Ok(open.epoch)
}

/// Locks and marks the folder, and removes what an earlier try has left.
fn begin(disk: &dyn Disk, folder: &Path) -> Result<Box<dyn DiskLock>, FoundError> {
    let lock = lock_folder(disk, folder)?;
    let marker = folder.join(UNFINISHED);
    let io = |error| FoundError::Open(OpenError::io(folder)(error));
    if !disk.exists(&marker).map_err(io)? {
        for inside in [LOG_FOLDER, CHECKPOINTS_FOLDER] {
            if disk.exists(&folder.join(inside)).map_err(io)? {
                let folder = folder.to_owned();
                return Err(FoundError::Exists { folder });
            }
        }
        replace_file(disk, &marker, &[]).map_err(io)?;
    }
    // The marker's own folder may be new.
    disk.sync_dir(folder_of(folder)).map_err(io)?;
    for inside in [LOG_FOLDER, CHECKPOINTS_FOLDER, MODULES_FOLDER] {
        clear(disk, &folder.join(inside)).map_err(io)?;
    }
    Ok(lock)
}

/// Removes the files of a folder, if there is one.
fn clear(disk: &dyn Disk, folder: &Path) -> io::Result<()> {
    if !disk.exists(folder)? {
        return Ok(());
    }
    for name in disk.list(folder)? {
        disk.remove(&folder.join(name))?;
    }
    disk.sync_dir(folder)
}
