//! Making logged changes again.

use std::sync::Arc;

use syncline_protocol::{Epoch, Lsn, TableId};

use super::read::Until;
use crate::checkpoint::load::Loaded;
use crate::database::{Database, Recovery, StoreError};
use crate::log::changes::{LoggedChange, LoggedChanges};
use crate::log::record::{LoggedPublish, LoggedRecord};
use crate::log::{OpenRecord, RowSums};

const NOT_OPENED: &str = "a record before the first open";

/// A database as of the last record that was shown.
#[derive(Debug)]
pub(crate) struct Replay {
    recovery: Option<Recovery>,
    pub(crate) epochs: Vec<(Epoch, Lsn)>,
    last_time: Option<i64>,
    last: Lsn,
    until: Until,
    is_broken: bool,
    /// A record was left out, and so is every later one.
    is_past: bool,
}

impl Replay {
    pub(crate) fn new(until: Until) -> Self {
        Self {
            recovery: None,
            epochs: Vec::new(),
            last_time: None,
            last: Lsn::ZERO,
            until,
            is_past: false,
            is_broken: false,
        }
    }

    /// Goes on from a checkpoint.
    pub(crate) fn begin_with(&mut self, loaded: Loaded) {
        self.recovery = Some(loaded.recovery);
        self.epochs = loaded.epochs;
        self.last_time = Some(loaded.time);
        self.last = loaded.lsn;
    }

    /// The database so far, without its indexes.
    pub(crate) fn recovery(&self) -> Option<&Recovery> {
        self.recovery.as_ref()
    }

    /// Whether a record did not fit and may have been replayed in part.
    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// The last transaction that is in.
    pub(crate) fn last(&self) -> Lsn {
        self.last
    }

    pub(crate) fn last_time(&self) -> Option<i64> {
        self.last_time
    }

    /// The database with its indexes; `None` if there was no record.
    pub(crate) fn finish(&mut self) -> Result<Option<Database>, StoreError> {
        self.recovery.take().map(Recovery::finish).transpose()
    }

    /// Replays a record, or says why it does not fit.
    pub(crate) fn record(&mut self, record: LoggedRecord<'_>) -> Result<(), String> {
        let (lsn, time) = match &record {
            LoggedRecord::Transaction(transaction) => (Some(transaction.lsn), transaction.time),
            LoggedRecord::Publish(publish) => (Some(publish.lsn), publish.time),
            LoggedRecord::Open(open, _) => (None, open.time),
            LoggedRecord::Seal(_) => (None, i64::MIN),
        };
        let lsn = lsn.unwrap_or(self.last);
        self.is_past |= lsn > self.until.lsn || time > self.until.time;
        if self.is_past {
            return Ok(());
        }
        let done = self.replay(record);
        match done {
            Ok(()) => self.last = lsn,
            Err(_) => self.is_broken = true,
        }
        done
    }

    fn replay(&mut self, record: LoggedRecord<'_>) -> Result<(), String> {
        match record {
            LoggedRecord::Open(open, sums) => {
                self.open(&open)?;
                self.check(&sums)
            }
            LoggedRecord::Transaction(transaction) => {
                self.last_time = Some(transaction.time);
                self.changes(transaction.changes)?;
                transaction.sums.map_or(Ok(()), |sums| self.check(&sums))
            }
            LoggedRecord::Publish(publish) => self.publish(publish),
            LoggedRecord::Seal(_) => Ok(()),
        }
    }

    fn open(&mut self, open: &OpenRecord) -> Result<(), String> {
        let last_epoch = self.epochs.last().map_or(Epoch(0), |(epoch, _)| *epoch);
        if open.parent != last_epoch || open.epoch <= last_epoch {
            let (epoch, parent) = (open.epoch.0, open.parent.0);
            return Err(format!(
                "epoch {epoch} of {parent} follows epoch {}",
                last_epoch.0
            ));
        }
        self.epochs.push((open.epoch, open.start));
        self.last_time = Some(open.time);
        let new = || Recovery::new(Database::new(open.hash_seed));
        self.recovery.get_or_insert_with(new);
        Ok(())
    }

    fn publish(&mut self, publish: LoggedPublish<'_>) -> Result<(), String> {
        self.last_time = Some(publish.time);
        publish
            .schema
            .module
            .validate()
            .map_err(|error| error.to_string())?;
        let recovery = self.recovery.as_mut().ok_or(NOT_OPENED)?;
        if publish.clear_data {
            recovery.clear_user_tables();
        }
        recovery
            .install(Arc::new(publish.schema))
            .map_err(|error| error.to_string())?;
        self.changes(publish.changes)?;
        publish.sums.map_or(Ok(()), |sums| self.check(&sums))
    }

    /// Compares the tables with what the log says that they held. Version 1 says nothing.
    fn check(&self, sums: &RowSums<'_>) -> Result<(), String> {
        let recovery = self.recovery.as_ref().ok_or(NOT_OPENED)?;
        if *sums == RowSums::default() {
            return Ok(());
        }
        let differs = |table: TableId| {
            format!(
                "row sums: table {} does not hold the rows that it held",
                table.0
            )
        };
        sums.check(recovery.database()).map_err(differs)
    }

    fn changes(&mut self, changes: LoggedChanges<'_>) -> Result<(), String> {
        let recovery = self.recovery.as_mut().ok_or(NOT_OPENED)?;
        let mut mark = None;
        for change in changes {
            match change.map_err(|error| format!("row changes: {error}"))? {
                // Rows raise the mark, so it is set after them.
                LoggedChange::Mark(table, value) => {
                    set(recovery, mark.replace((table, value)));
                }
                LoggedChange::Insert(table, row) => put(recovery, table, row, 1)?,
                LoggedChange::Update(table, row) => put(recovery, table, row, 0)?,
                LoggedChange::Delete(table, key) => {
                    recovery
                        .remove(table, key)
                        .map_err(|error| error.to_string())?;
                }
            }
        }
        set(recovery, mark);
        Ok(())
    }
}

fn set(recovery: &mut Recovery, mark: Option<(TableId, u128)>) {
    if let Some((table, value)) = mark {
        recovery.set_auto_increment(table, value);
    }
}

/// Puts a row, which must make the table longer by `growth`.
fn put(recovery: &mut Recovery, id: TableId, row: &[u8], growth: usize) -> Result<(), String> {
    let len = |recovery: &Recovery| recovery.database().table(id).map_or(0, crate::Table::len);
    let before = len(recovery);
    recovery.put(id, row).map_err(|error| error.to_string())?;
    if len(recovery) != before + growth {
        return Err(StoreError::Diverged(id).to_string());
    }
    Ok(())
}
