//! Reading a database from its folder: the newest checkpoint that is whole, and the log after it.

use std::path::{Path, PathBuf};

use syncline_protocol::{Epoch, Lsn};

use super::replay::Replay;
use crate::checkpoint::load::{Loaded, Unusable, load};
use crate::checkpoint::{CHECKPOINTS_FOLDER, list};
use crate::database::Database;
use crate::disk::Disk;
use crate::log::record::LoggedRecord;
use crate::log::recovery::{Base, Recovered, Survey, recover, survey};
use crate::log::{LOG_FOLDER, MODULES_FOLDER, OpenError, module_files};

/// How far a database is read: what comes after either is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Until {
    /// The last transaction.
    pub lsn: Lsn,
    /// The last transaction is not after this, in microseconds since the Unix epoch.
    pub time: i64,
}

impl Until {
    /// Everything.
    pub const END: Self = Self {
        lsn: Lsn(u64::MAX),
        time: i64::MAX,
    };

    /// Up to this transaction.
    #[must_use]
    pub fn lsn(lsn: Lsn) -> Self {
        Self { lsn, ..Self::END }
    }

    /// Up to this time, in microseconds since the Unix epoch.
    #[must_use]
    pub fn time(time: i64) -> Self {
        Self { time, ..Self::END }
    }
}

/// A file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedFile {
    /// The file.
    pub file: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// What is wrong there.
    pub detail: String,
}

/// A database as its folder has it. Nothing was changed.
#[derive(Debug)]
pub(crate) struct Read {
    /// `None` if there is nothing.
    pub(crate) database: Option<Database>,
    pub(crate) epochs: Vec<(Epoch, Lsn)>,
    /// Of the last transaction that is in, or the last open.
    pub(crate) last_time: Option<i64>,
    /// The last transaction that is in.
    pub(crate) last: Lsn,
    /// What the log says: all of it, unless the database was read up to an Lsn.
    pub(crate) recovered: Recovered,
    /// The checkpoint that was used, and its bytes.
    pub(crate) checkpoint: Option<(Lsn, u64)>,
    /// Checkpoints that were passed over.
    pub(crate) damaged: Vec<DamagedFile>,
}

/// Reads the database in a folder.
pub(crate) fn read(disk: &dyn Disk, folder: &Path, until: Until) -> Result<Read, OpenError> {
    let survey = survey(disk, &folder.join(LOG_FOLDER))?;
    let mut reading = Reading::begin(disk, folder, until, survey)?;
    let recovered = reading.replay(disk)?;
    refuse_lost_log(disk, folder, &recovered)?;
    reading.finish(recovered)
}

/// A database that is being read.
#[derive(Debug)]
pub(crate) struct Reading {
    log_folder: PathBuf,
    survey: Survey,
    base: Base,
    pub(crate) replay: Replay,
    pub(crate) checkpoint: Option<(Lsn, u64)>,
    pub(crate) damaged: Vec<DamagedFile>,
}

impl Reading {
    /// Loads the newest checkpoint that is whole and not too new.
    pub(crate) fn begin(
        disk: &dyn Disk,
        folder: &Path,
        until: Until,
        survey: Survey,
    ) -> Result<Self, OpenError> {
        let mut damaged = Vec::new();
        let loaded = newest(disk, folder, until, &survey, &mut damaged)?;
        if loaded.is_none() {
            check_reach(&survey, until, &damaged)?;
        }
        let mut reading = Self {
            log_folder: folder.join(LOG_FOLDER),
            survey,
            base: Base {
                enough: (until.lsn != Until::END.lsn).then_some(until.lsn),
                ..Base::default()
            },
            replay: Replay::new(until),
            checkpoint: None,
            damaged,
        };
        if let Some(loaded) = loaded {
            reading.base.lsn = loaded.lsn;
            reading.base.epoch = loaded.epoch;
            reading.checkpoint = Some((loaded.lsn, loaded.bytes));
            reading.replay.begin_with(loaded);
        }
        Ok(reading)
    }

    /// Replays the log after it.
    pub(crate) fn replay(&mut self, disk: &dyn Disk) -> Result<Recovered, OpenError> {
        let mut visit = |record: LoggedRecord<'_>| self.replay.record(record);
        let survey = std::mem::take(&mut self.survey);
        recover(disk, survey, self.base, &mut visit)
    }

    /// Builds the indexes.
    pub(crate) fn finish(mut self, recovered: Recovered) -> Result<Read, OpenError> {
        let database = self.replay.finish().map_err(|error| OpenError::Damaged {
            file: self.log_folder.clone(),
            offset: 0,
            detail: error.to_string(),
        })?;
        Ok(Read {
            database,
            last_time: self.replay.last_time(),
            last: self.replay.last(),
            epochs: self.replay.epochs,
            recovered,
            checkpoint: self.checkpoint,
            damaged: self.damaged,
        })
    }
}

/// Without a checkpoint the log must reach back to its beginning.
fn check_reach(survey: &Survey, until: Until, damaged: &[DamagedFile]) -> Result<(), OpenError> {
    let Some(missing) = survey.missing() else {
        return Ok(());
    };
    Err(match damaged.first() {
        Some(damaged) => OpenError::Damaged {
            file: damaged.file.clone(),
            offset: damaged.offset,
            detail: damaged.detail.clone(),
        },
        None if until != Until::END => OpenError::NotKept,
        None => OpenError::Missing {
            file: missing.to_owned(),
        },
    })
}

/// The newest checkpoint that is whole and not too new.
fn newest(
    disk: &dyn Disk,
    folder: &Path,
    until: Until,
    survey: &Survey,
    damaged: &mut Vec<DamagedFile>,
) -> Result<Option<Loaded>, OpenError> {
    let folder = folder.join(CHECKPOINTS_FOLDER);
    let checkpoints = list(disk, &folder).map_err(OpenError::io(&folder))?;
    for (lsn, file) in checkpoints.into_iter().rev() {
        if lsn > until.lsn {
            continue;
        }
        match load(disk, &file, lsn, survey.salt()) {
            Ok(loaded) if loaded.time > until.time => {}
            Ok(loaded) => return Ok(Some(loaded)),
            Err(Unusable { offset, detail }) => damaged.push(DamagedFile {
                file,
                offset,
                detail,
            }),
        }
    }
    Ok(None)
}

/// The wasm of a database's module, if one was published.
pub(crate) fn read_module(
    disk: &dyn Disk,
    folder: &Path,
    database: &Database,
) -> Result<Option<Vec<u8>>, OpenError> {
    let hash = database.schema().module_hash.as_ref();
    let get = |hash| module_files::get(disk, &folder.join(MODULES_FOLDER), hash);
    hash.map(get).transpose()
}

/// A folder with modules or checkpoints has had a log. One without a log would otherwise pass for a new
/// database.
fn refuse_lost_log(disk: &dyn Disk, folder: &Path, recovered: &Recovered) -> Result<(), OpenError> {
    if recovered.segment_count > 0 {
        return Ok(());
    }
    for inside in [MODULES_FOLDER, CHECKPOINTS_FOLDER] {
        let inside = folder.join(inside);
        let is_there = disk.exists(&inside).map_err(OpenError::io(&inside))?;
        if is_there
            && !disk
                .list(&inside)
                .map_err(OpenError::io(&inside))?
                .is_empty()
        {
            let file = crate::log::segment::segment_path(&folder.join(LOG_FOLDER), 1);
            return Err(OpenError::Missing { file });
        }
    }
    Ok(())
}
