//! What is provably good of a damaged database.

use std::path::Path;
use std::sync::Arc;

use syncline_protocol::{Epoch, Lsn};

use crate::check::Problem;
use crate::disk::Disk;
use crate::log::recovery::{Recovered, Run, Survey, survey};
use crate::log::{LOG_FOLDER, OpenError, Options};
use crate::open::read::{Reading, read_module};
use crate::open::{Until, lock_folder};
use crate::past::{FoundError, Past, found};

#[cfg(test)]
pub(crate) mod tests;

/// What was saved, and what was not.
#[derive(Clone, Debug)]
pub struct Salvaged {
    /// The last transaction that is in the new database.
    pub last: Lsn,
    /// Its time, in microseconds since the Unix epoch.
    pub time: i64,
    /// The epoch that the new database begins with.
    pub epoch: Epoch,
    /// Rows of all its tables.
    pub rows: u64,
    /// What is wrong with the old one: everything after `last` is lost.
    pub problems: Vec<Problem>,
    /// The greatest Lsn that anything in the old folder names: so many transactions more there have been at least.
    pub seen: Lsn,
    /// The module's wasm is gone or damaged: the new database has all rows and no module, until one is
    /// published that fits the tables.
    pub is_module_lost: bool,
}

/// Copies what is provably good in `source` into a new database: the newest whole checkpoint, and every
/// transaction after it up to the first that is damaged or does not fit. Changes nothing in `source`, which is
/// locked meanwhile. `folder` is that of the new one; `now` is microseconds since the Unix epoch, `fresh_seed` random.
/// An error if there is nothing to begin with.
pub fn salvage(
    disk: &Arc<dyn Disk>,
    source: &Path,
    folder: &Path,
    now: i64,
    fresh_seed: u64,
) -> Result<Salvaged, FoundError> {
    let _lock = lock_folder(&**disk, source)?;
    let mut problems = Vec::new();
    let mut attempt = Attempt {
        until: Until::END,
        run: Run::Last,
    };
    let (reading, recovered, seen) = loop {
        problems.clear();
        match attempt.make(&**disk, source, &mut problems)? {
            Outcome::Read(found) => break *found,
            Outcome::Again(next) => attempt = next,
        }
    };
    let seen = seen.max(recovered.last).max(recovered.proven);
    let mut read = reading.finish(recovered)?;
    let database = read.database.take().ok_or_else(|| {
        let missing = || OpenError::Missing {
            file: source.to_owned(),
        };
        problems
            .first()
            .cloned()
            .map_or_else(missing, Problem::into_error)
    })?;
    let (wasm, database) = match read_module(&**disk, source, &database) {
        Ok(wasm) => (wasm, database),
        Err(error) => {
            problems.push(Problem::of(&error));
            (None, database.without_module())
        }
    };
    let past = Past {
        lsn: read.last,
        time: read.last_time.unwrap_or(now),
        epochs: read.epochs,
        wasm,
        database,
    };
    let epoch = found(disk, folder, &past, now, fresh_seed, &Options::default())?;
    let schema = past.database.schema();
    Ok(Salvaged {
        last: past.lsn,
        time: past.time,
        epoch,
        rows: past.database.tables().map(|table| table.len() as u64).sum(),
        problems,
        seen,
        is_module_lost: schema.module_hash.is_none() && !schema.module.tables.is_empty(),
    })
}

/// How much of the old database is tried.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    until: Until,
    run: Run,
}

enum Outcome {
    Read(Box<(Reading, Recovered, Lsn)>),
    /// With less than this.
    Again(Attempt),
}

impl Attempt {
    fn make(
        self,
        disk: &dyn Disk,
        source: &Path,
        problems: &mut Vec<Problem>,
    ) -> Result<Outcome, OpenError> {
        let log_folder = source.join(LOG_FOLDER);
        let before_gap = || {
            let run = Run::First;
            Ok(Outcome::Again(Self { run, ..self }))
        };
        let survey = match usable(disk, &log_folder, self.run, problems) {
            Err(OpenError::Missing { .. }) => return before_gap(),
            other => other?,
        };
        let seen = survey.headers.iter().map(|header| header.first.0 - 1);
        let seen = Lsn(seen.max().unwrap_or(0));
        let mut reading = match Reading::begin(disk, source, self.until, survey) {
            Ok(reading) => reading,
            Err(OpenError::Missing { .. }) if self.run == Run::Last => return before_gap(),
            Err(error) if problems.is_empty() => return Err(error),
            // Not even a beginning: what is wrong with the segments is why.
            Err(_) => return Err(problems.remove(0).into_error()),
        };
        problems.extend(reading.damaged.iter().cloned().map(Problem::from));
        let recovered = match reading.replay(disk) {
            Ok(recovered) => recovered,
            Err(OpenError::Io { path, source }) => return Err(OpenError::Io { path, source }),
            Err(OpenError::Missing { .. }) if self.run == Run::Last => return before_gap(),
            // A record that did not fit may be in by half: once more, and only up to the one before.
            Err(error) if reading.replay.is_broken() => {
                let last = reading.replay.last();
                // What does not fit may be the beginning of an epoch, which has no Lsn: it proves that the
                // rows before it are not those that were there, so at least the last of them goes as well.
                let kept = if last < self.until.lsn {
                    Some(last.0)
                } else {
                    last.0.checked_sub(1)
                };
                let Some(kept) = kept else {
                    return Err(error);
                };
                let until = Until::lsn(Lsn(kept));
                return Ok(Outcome::Again(Self { until, ..self }));
            }
            Err(error) => {
                problems.push(Problem::of(&error));
                Recovered::after(reading.replay.last())
            }
        };
        let mut told = |detail: String| {
            problems.push(Problem {
                file: log_folder.clone(),
                offset: 0,
                detail,
            });
        };
        if self.until != Until::END {
            let lsn = self.until.lsn.next().0;
            told(format!(
                "the record with lsn {lsn} does not fit what was there before it"
            ));
        }
        if self.run == Run::First {
            told("a segment is missing; those after it are of no use without it".to_owned());
        }
        Ok(Outcome::Read(Box::new((reading, recovered, seen))))
    }
}

/// The segments up to the first whose header is damaged.
fn usable(
    disk: &dyn Disk,
    folder: &Path,
    run: Run,
    problems: &mut Vec<Problem>,
) -> Result<Survey, OpenError> {
    match survey(disk, folder) {
        Ok(survey) if run == Run::Last => return Ok(survey),
        Err(error @ (OpenError::Io { .. } | OpenError::Version { .. })) => return Err(error),
        Err(error @ OpenError::Missing { .. }) if run == Run::Last => return Err(error),
        Err(error) => problems.push(Problem::of(&error)),
        Ok(_) => {}
    }
    let mut found = Survey::list(disk, folder, run)?;
    found.keep_usable();
    Ok(found)
}
