//! Verifying everything in a database's folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;
use syncline_protocol::{Epoch, Lsn, TableId};

use crate::checkpoint::load::load;
use crate::checkpoint::{CHECKPOINTS_FOLDER, list};
use crate::disk::Disk;
use crate::log::record::{LoggedRecord, RowSum};
use crate::log::recovery::{Base, recover, survey};
use crate::log::{LOG_FOLDER, MODULES_FOLDER, OpenError, module_files};
use crate::open::lock_folder;
use crate::open::read::{DamagedFile, Until};
use crate::open::replay::Replay;

#[cfg(test)]
mod tests;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file, or the folder if no file can be named.
    pub file: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// What is wrong.
    pub detail: String,
}

/// A checkpoint that was verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckedCheckpoint {
    /// Its Lsn.
    pub lsn: Lsn,
    /// Bytes of its file.
    pub bytes: u64,
    /// Rows in it.
    pub rows: u64,
    /// Whether replaying the log comes to the same rows; `None` if the log does not reach back far enough to tell.
    pub agrees_with_log: Option<bool>,
}

/// A table as of the last transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckedTable {
    /// Its id.
    pub id: TableId,
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: u64,
}

/// What a check has found. It is good if there are no problems.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// What is wrong, worst first: what keeps the database from opening, then what it would get over.
    pub problems: Vec<Problem>,
    /// The oldest state that can be gone back to.
    pub oldest: Lsn,
    /// The last transaction.
    pub last: Lsn,
    /// The last epoch.
    pub epoch: Epoch,
    /// Segments of the log.
    pub segments: usize,
    /// Transactions and publishes in them.
    pub records: u64,
    /// Bytes of a write that a crash has interrupted: the next open cuts them off.
    pub torn_bytes: u64,
    /// Checkpoints, the oldest first.
    pub checkpoints: Vec<CheckedCheckpoint>,
    /// Modules whose wasm has the hash that it was published with.
    pub modules: usize,
    /// Tables, by id.
    pub tables: Vec<CheckedTable>,
}

impl Problem {
    pub(crate) fn of(error: &OpenError) -> Self {
        let at = |file: &Path, offset: u64, detail: &str| Self {
            file: file.to_owned(),
            offset,
            detail: detail.to_owned(),
        };
        match error {
            OpenError::Damaged {
                file,
                offset,
                detail,
            } => at(file, *offset, detail),
            OpenError::Missing { file } => at(file, 0, "the file is missing"),
            OpenError::ModuleDamaged { file } => at(
                file,
                0,
                "it does not have the hash that it was published with",
            ),
            OpenError::Version { file, found, .. } => {
                at(file, 0, &format!("it is of version {found}"))
            }
            other => at(Path::new(""), 0, &other.to_string()),
        }
    }

    pub(crate) fn into_error(self) -> OpenError {
        OpenError::Damaged {
            file: self.file,
            offset: self.offset,
            detail: self.detail,
        }
    }
}

impl From<DamagedFile> for Problem {
    fn from(damaged: DamagedFile) -> Self {
        Self {
            file: damaged.file,
            offset: damaged.offset,
            detail: damaged.detail,
        }
    }
}

/// Reads and verifies everything in the folder of a database that nobody has open: every segment, group and record,
/// the chain over them, every checkpoint, that replaying the log from the oldest comes to the rows of all later
/// ones and to the row sums in the log, unique indexes, and the wasm of every module. Changes nothing.
///
/// An error only if the check itself is not possible: the folder is locked or cannot be read.
pub fn check(disk: &dyn Disk, folder: &Path) -> Result<CheckReport, OpenError> {
    if !disk.exists(folder).map_err(OpenError::io(folder))? {
        return Err(OpenError::Missing {
            file: folder.to_owned(),
        });
    }
    let _lock = lock_folder(disk, folder)?;
    let mut check = Check {
        disk,
        folder,
        report: CheckReport::default(),
        hashes: BTreeSet::new(),
        replay: Replay::new(Until::END),
        base: Base::default(),
        has_base: false,
        sums: Vec::new(),
    };
    if let Err(error) = check.log() {
        match error {
            OpenError::Io { path, source } => return Err(OpenError::Io { path, source }),
            error => check.report.problems.insert(0, Problem::of(&error)),
        }
    }
    check.tables();
    check.modules()?;
    Ok(check.report)
}

struct Check<'a> {
    disk: &'a dyn Disk,
    folder: &'a Path,
    report: CheckReport,
    /// Of the modules that are named.
    hashes: BTreeSet<[u8; 32]>,
    replay: Replay,
    base: Base,
    has_base: bool,
    /// Of the checkpoints, by position.
    sums: Vec<Vec<RowSum>>,
}

impl Check<'_> {
    fn log(&mut self) -> Result<(), OpenError> {
        let survey = survey(self.disk, &self.folder.join(LOG_FOLDER));
        let (salt, start) = survey
            .as_ref()
            .map_or((None, None), |survey| (survey.salt(), Some(survey.start())));
        self.checkpoints(salt, start)?;
        let survey = survey?;
        self.report.segments = survey.headers.len();
        if !self.has_base
            && let Some(missing) = survey.missing()
        {
            return Err(OpenError::Missing {
                file: missing.to_owned(),
            });
        }
        self.report.oldest = self.base.lsn;
        let Self {
            report,
            hashes,
            replay,
            sums,
            ..
        } = self;
        let mut visit = |record: LoggedRecord<'_>| {
            if let LoggedRecord::Publish(publish) = &record {
                hashes.extend(publish.schema.module_hash);
            }
            replay.record(record)?;
            let database = replay.recovery().map(crate::database::Recovery::database);
            for (checked, sums) in report.checkpoints.iter_mut().zip(&*sums) {
                if checked.lsn == replay.last() && checked.agrees_with_log.is_none() {
                    let agrees = database.is_some_and(|d| RowSum::of(d).eq(sums.iter().copied()));
                    checked.agrees_with_log = Some(agrees);
                }
            }
            Ok(())
        };
        let recovered = recover(self.disk, survey, self.base, &mut visit);
        report.last = replay.last();
        report.epoch = replay.epochs.last().map_or(Epoch(0), |(epoch, _)| *epoch);
        let recovered = recovered?;
        report.records = recovered.record_count;
        report.torn_bytes = recovered.torn_bytes;
        for checked in &report.checkpoints {
            if checked.agrees_with_log == Some(false) {
                report.problems.push(Problem {
                    file: self.folder.join(CHECKPOINTS_FOLDER),
                    offset: 0,
                    detail: format!(
                        "the checkpoint at lsn {} has other rows than the log comes to",
                        checked.lsn.0
                    ),
                });
            }
        }
        Ok(())
    }

    /// Loads every checkpoint, and begins with the oldest that the log reaches back to.
    fn checkpoints(&mut self, salt: Option<u64>, start: Option<Lsn>) -> Result<(), OpenError> {
        let folder = self.folder.join(CHECKPOINTS_FOLDER);
        for (lsn, file) in list(self.disk, &folder).map_err(OpenError::io(&folder))? {
            let loaded = match load(self.disk, &file, lsn, salt) {
                Ok(loaded) => loaded,
                Err(unusable) => {
                    self.report.problems.push(Problem {
                        file,
                        offset: unusable.offset,
                        detail: unusable.detail,
                    });
                    continue;
                }
            };
            let sums: Vec<_> = RowSum::of(loaded.recovery.database()).collect();
            self.report.checkpoints.push(CheckedCheckpoint {
                lsn,
                bytes: loaded.bytes,
                rows: sums.iter().map(|sum| sum.rows).sum(),
                agrees_with_log: None,
            });
            self.sums.push(sums);
            self.hashes
                .extend(loaded.recovery.database().schema().module_hash);
            // Without a checkpoint the log begins with nothing.
            let is_needed = |start: Lsn| start > Lsn::ZERO || lsn == Lsn::ZERO;
            if !self.has_base && start.is_some_and(|start| is_needed(start) && lsn >= start) {
                self.has_base = true;
                self.base.lsn = lsn;
                self.base.epoch = loaded.epoch;
                self.replay.begin_with(loaded);
            }
        }
        Ok(())
    }

    /// Builds all indexes, which finds rows with equal keys.
    fn tables(&mut self) {
        let is_broken = self.replay.is_broken();
        match self.replay.finish() {
            Ok(Some(database)) => {
                let checked = database.tables().map(|table| CheckedTable {
                    id: table.id(),
                    name: table.def().name.clone(),
                    rows: table.len() as u64,
                });
                self.report.tables = checked.collect();
            }
            Err(error) if !is_broken => self.report.problems.push(Problem {
                file: self.folder.join(LOG_FOLDER),
                offset: 0,
                detail: error.to_string(),
            }),
            Ok(None) | Err(_) => {}
        }
    }

    fn modules(&mut self) -> Result<(), OpenError> {
        let folder = self.folder.join(MODULES_FOLDER);
        for hash in &self.hashes {
            match module_files::get(self.disk, &folder, hash) {
                Ok(_) => self.report.modules += 1,
                Err(OpenError::Io { path, source }) => {
                    return Err(OpenError::Io { path, source });
                }
                Err(error) => self.report.problems.push(Problem::of(&error)),
            }
        }
        Ok(())
    }
}
