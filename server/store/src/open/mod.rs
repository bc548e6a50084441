//! Opening a database: lock its folder, recover what is in it, begin a new epoch.
//!
//! | in the folder | what |
//! |---|---|
//! | `LOCK` | locked while the database is open |
//! | `log/` | segments of the commit log |
//! | `checkpoints/` | all rows at some Lsns |
//! | `modules/` | wasm of published modules, named by their hash |

use std::io;
use std::path::Path;
use std::sync::Arc;

use syncline_protocol::{Epoch, Lsn};

use crate::checkpoint::{
    self, CHECKPOINTS_FOLDER, CheckpointError, CheckpointProgress, CheckpointReport, DAMAGED,
};
use crate::database::Database;
use crate::disk::{Disk, DiskLock, NEW, create_dir_all};
use crate::log::appender::Origin;
use crate::log::file::FileLog;
use crate::log::handover::Handover;
use crate::log::recovery::{Begin, begin_segment};
use crate::log::{
    LOG_FOLDER, LogAppender, LogWriter, MODULES_FOLDER, OpenError, OpenRecord, Options,
};

pub(crate) mod read;
pub(crate) mod replay;
#[cfg(test)]
pub(crate) mod tests;

pub use read::{DamagedFile, Until};
use read::{read, read_module};

/// A database that is open.
#[derive(Debug)]
pub struct Opened {
    /// As of the last Lsn.
    pub database: Database,
    /// The engine's side of its log.
    pub log: LogAppender,
    /// The other side: somebody must run it.
    pub writer: LogWriter,
    /// The new epoch.
    pub epoch: Epoch,
    /// Every epoch so far with the Lsn that it started after, the new one last. A position of an older epoch
    /// is valid up to where the next one started.
    pub epochs: Vec<(Epoch, Lsn)>,
    /// The last Lsn; durable.
    pub last: Lsn,
    /// Time of the last record: the next one may not be before it.
    pub last_time: i64,
    /// Wasm of the module, if one was published.
    pub wasm: Option<Vec<u8>>,
    /// What recovery found.
    pub report: OpenReport,
}

/// What recovery found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// The database is new.
    pub is_new: bool,
    /// Segments that were read.
    pub segment_count: usize,
    /// Transactions and publishes that were replayed.
    pub record_count: u64,
    /// Bytes of a torn tail that were cut off: of a write that was under way in a crash.
    pub torn_bytes: u64,
    /// Bytes that were whole, but not known to be durable, and were written again.
    pub rewritten_bytes: u64,
    /// The checkpoint that the rows came from; `None` if all of them came from the log.
    pub checkpoint: Option<Lsn>,
    /// Newer checkpoints that were damaged; they lie beside it with `.damaged` at the end of their names.
    pub damaged_checkpoints: Vec<DamagedFile>,
}

/// Opens the database in `folder`, or creates it. `now` is microseconds since the Unix epoch; `fresh_seed`
/// is random, new at every open, and becomes the seed of the hash tables of a new database.
///
/// Locks the folder until both sides of the log are dropped. When this returns, everything it found is
/// durable. After an error nothing has changed, or trying again is safe.
pub fn open(
    disk: Arc<dyn Disk>,
    folder: &Path,
    now: i64,
    fresh_seed: u64,
    options: Options,
) -> Result<Opened, OpenError> {
    let lock = lock_folder(&*disk, folder)?;
    let (log_folder, modules) = (folder.join(LOG_FOLDER), folder.join(MODULES_FOLDER));
    for folder in [&log_folder, &modules] {
        create_dir_all(&*disk, folder).map_err(OpenError::io(folder))?;
    }

    let read = read(&*disk, folder, Until::END)?;
    let recovered = &read.recovered;
    debug_assert_eq!(read.last, recovered.last, "nothing is left out");
    let database = read.database.unwrap_or_else(|| Database::new(fresh_seed));
    let open = OpenRecord {
        epoch: next_epoch(recovered.epoch, fresh_seed),
        parent: recovered.epoch,
        start: recovered.last,
        time: read.last_time.unwrap_or(now).max(now),
        hash_seed: database.hash_seed(),
    };
    let wasm = read_module(&*disk, folder, &database)?;
    let mut epochs = read.epochs;
    epochs.push((open.epoch, open.start));
    let salt = recovered.salt.unwrap_or_else(|| salt_of(fresh_seed));
    let begun = Begin {
        disk: &*disk,
        folder: &log_folder,
        recovered,
        open: &open,
        salt,
    };
    let segment = begin_segment(&begun, &database, &options)?;
    tidy_checkpoints(&*disk, folder, &read.damaged)?;

    let handover = Arc::new(Handover::new(recovered.last, lock));
    let origin = Origin {
        folder: folder.to_owned(),
        salt,
        epoch: open.epoch,
        epochs: epochs.as_slice().into(),
    };
    let mut log = LogAppender::new(
        Arc::clone(&handover),
        Arc::clone(&disk),
        origin,
        (recovered.last, open.time),
        database.schema().module_hash,
        &options,
    );
    let checkpoint_bytes = read.checkpoint.map_or(0, |(_, bytes)| bytes);
    log.set_unchecked(recovered.read_bytes, checkpoint_bytes);
    let segment_bytes = options.segment_bytes as u64;
    let files = FileLog::new(disk, &log_folder, segment, recovered.last, segment_bytes);
    let writer = LogWriter::new(Box::new(files), handover);
    let report = OpenReport {
        is_new: recovered.segment_count == 0,
        segment_count: recovered.segment_count,
        record_count: recovered.record_count,
        torn_bytes: recovered.torn_bytes,
        rewritten_bytes: recovered.tail.len() as u64,
        checkpoint: read.checkpoint.map(|(lsn, _)| lsn),
        damaged_checkpoints: read.damaged,
    };
    Ok(Opened {
        database,
        log,
        writer,
        epoch: open.epoch,
        epochs,
        last: recovered.last,
        last_time: open.time,
        wasm,
        report,
    })
}

/// Takes a checkpoint of a database that nobody has open and removes everything that it makes superfluous: the
/// past is gone, and the next open has nothing to replay. `now` and `fresh_seed` as for [`open`].
pub fn compact(
    disk: Arc<dyn Disk>,
    folder: &Path,
    now: i64,
    fresh_seed: u64,
    options: Options,
) -> Result<CheckpointReport, OpenError> {
    let options = Options {
        checkpoints_min: 1,
        history_bytes: 0,
        ..options
    };
    let mut opened = open(disk, folder, now, fresh_seed, options)?;
    let done = checkpoint::begin(&mut opened.log, &opened.database).run();
    let failed = |error: CheckpointError| match error {
        CheckpointError::Io { path, source } => OpenError::Io { path, source },
        CheckpointError::DiskFull => OpenError::io(folder)(io::ErrorKind::StorageFull.into()),
        error => OpenError::io(folder)(io::Error::other(error)),
    };
    match done.map_err(failed)? {
        CheckpointProgress::Done(report) => {
            let removed = opened.log.remove_unused_modules();
            removed.map_err(OpenError::io(folder))?;
            Ok(report)
        }
        // Nothing was appended, so all there is is durable.
        progress => Err(OpenError::io(folder)(io::Error::other(format!(
            "{progress:?}"
        )))),
    }
}

/// Removes checkpoints that were never finished, and puts damaged ones aside: they do not count any more, even
/// if they can be read the next time.
fn tidy_checkpoints(
    disk: &dyn Disk,
    folder: &Path,
    damaged: &[DamagedFile],
) -> Result<(), OpenError> {
    let folder = folder.join(CHECKPOINTS_FOLDER);
    if !disk.exists(&folder).map_err(OpenError::io(&folder))? {
        return Ok(());
    }
    let names = disk.list(&folder).map_err(OpenError::io(&folder))?;
    let paths = names.iter().map(|name| folder.join(name));
    for path in paths.filter(|path| path.extension().is_some_and(|e| e == NEW)) {
        disk.remove(&path).map_err(OpenError::io(&path))?;
    }
    for DamagedFile { file, .. } in damaged {
        let aside = file.with_added_extension(DAMAGED);
        disk.rename(file, &aside).map_err(OpenError::io(file))?;
    }
    if !damaged.is_empty() {
        disk.sync_dir(&folder).map_err(OpenError::io(&folder))?;
    }
    Ok(())
}

/// Takes the lock of a folder, which is created if it is not there.
pub(crate) fn lock_folder(disk: &dyn Disk, folder: &Path) -> Result<Box<dyn DiskLock>, OpenError> {
    create_dir_all(disk, folder).map_err(OpenError::io(folder))?;
    disk.lock(folder).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => OpenError::Locked {
            folder: folder.to_owned(),
        },
        _ => OpenError::io(folder)(error),
    })
}

/// Epochs rise by random steps: two copies of a database that go on apart do not come to the same one, and
/// a client of the one is not taken for a client of the other. They stay below 2^53, which JSON holds, for
/// millions of opens.
pub(crate) fn next_epoch(parent: Epoch, fresh_seed: u64) -> Epoch {
    let step = 1 + (salt_of(fresh_seed.rotate_left(17)) >> 36);
    Epoch(parent.0.saturating_add(step))
}

/// Not the seed itself: what can be learned of the one says nothing of the other.
pub(crate) fn salt_of(seed: u64) -> u64 {
    let mixed = (seed ^ (seed >> 32)).wrapping_mul(0x9fb2_1c65_1e98_df25);
    mixed ^ (mixed >> 28)
}
