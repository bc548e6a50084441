//! What has become of one row.

use std::collections::VecDeque;
use std::path::Path;

use syncline_protocol::{ConnectionId, Identity, Lsn, RowLayout, Schema, TableDef, TableId};

use super::point::settled;
use crate::disk::Disk;
use crate::log::recovery::{Base, recover, survey};
use crate::log::{
    LOG_FOLDER, LoggedChange, LoggedChanges, LoggedPublish, LoggedRecord, LoggedTransaction,
    OpenError,
};

/// Which row, and how much of what happened to it.
#[derive(Clone, Copy, Debug)]
pub struct HistoryOf<'a> {
    /// Its table.
    pub table: TableId,
    /// Its packed primary key.
    pub key: &'a [u8],
    /// The schema now: what is known of the time before the first publish that is kept.
    pub schema: &'a Schema,
    /// Definition of the table now.
    pub def: &'a TableDef,
    /// The last transaction to look at.
    pub until: Lsn,
    /// At most so many events, the last ones.
    pub events: usize,
}

/// What happened to one row, as far as the log is kept.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// What happened up to it is not kept any more.
    pub after: Lsn,
    /// There were more events than are here: the first ones are left out.
    pub is_cut: bool,
    /// In order.
    pub events: Vec<RowEvent>,
}

/// A transaction that changed the row.
#[derive(Clone, Debug)]
pub struct RowEvent {
    /// Its place in the log.
    pub lsn: Lsn,
    /// Microseconds since the Unix epoch.
    pub time: i64,
    /// Who made it, unless the log was told to leave that out.
    pub cause: Option<Cause>,
    /// What became of the row.
    pub change: RowFate,
    /// The row after it, and the definition of its table then.
    pub row: Option<(Vec<u8>, TableDef)>,
}

/// What made a transaction.
#[derive(Clone, Debug)]
pub struct Cause {
    /// Who.
    pub caller: Identity,
    /// Over which connection; none for requests over HTTP.
    pub connection: ConnectionId,
    /// By which reducer; empty for the server itself, as for an import.
    pub reducer: String,
    /// With which packed arguments.
    pub args: Vec<u8>,
    /// Their parameters, if the reducer is known.
    pub params: Option<Vec<syncline_protocol::Field>>,
    /// It was a publish: `init` or the loss of all data.
    pub is_publish: bool,
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowFate {
    /// It is new.
    Inserted,
    /// It is another than before.
    Updated,
    /// It is gone.
    Deleted,
    /// It is gone if it was there: all rows are.
    Cleared,
}

/// Reads the history of a row. Takes no lock and changes nothing, as [`super::read_past`].
pub fn read_history(
    disk: &dyn Disk,
    folder: &Path,
    of: HistoryOf<'_>,
) -> Result<History, OpenError> {
    settled(|| {
        let survey = survey(disk, &folder.join(LOG_FOLDER))?;
        let base = Base {
            lsn: survey.start(),
            enough: Some(of.until),
            ..Base::default()
        };
        let mut search = Search::new(of);
        let mut visit = |record: LoggedRecord<'_>| search.record(&record);
        recover(disk, survey, base, &mut visit)?;
        Ok(History {
            after: base.lsn,
            is_cut: search.is_cut,
            events: search.events.into(),
        })
    })
}

/// What became of the row, and the row after it.
type Found = (RowFate, Option<Vec<u8>>);

struct Search<'a> {
    of: HistoryOf<'a>,
    schema: Schema,
    def: TableDef,
    layout: RowLayout,
    events: VecDeque<RowEvent>,
    is_cut: bool,
    /// Room to work in.
    key: Vec<u8>,
}

impl<'a> Search<'a> {
    fn new(of: HistoryOf<'a>) -> Self {
        Self {
            schema: of.schema.clone(),
            def: of.def.clone(),
            layout: of.def.layout(),
            of,
            events: VecDeque::new(),
            is_cut: false,
            key: Vec::new(),
        }
    }

    fn record(&mut self, record: &LoggedRecord<'_>) -> Result<(), String> {
        match record {
            LoggedRecord::Transaction(transaction) if transaction.lsn <= self.of.until => {
                self.transaction(transaction)
            }
            LoggedRecord::Publish(publish) if publish.lsn <= self.of.until => self.publish(publish),
            _ => Ok(()),
        }
    }

    fn transaction(&mut self, transaction: &LoggedTransaction<'_>) -> Result<(), String> {
        let Some((change, row)) = self.find(transaction.changes.clone())? else {
            return Ok(());
        };
        let cause = transaction.audit.map(|audit| {
            let reducer = self.schema.reducer(audit.reducer);
            Cause {
                caller: audit.caller,
                connection: audit.connection,
                reducer: audit.reducer.to_owned(),
                args: audit.args.to_vec(),
                params: reducer.map(|(_, reducer)| reducer.params.clone()),
                is_publish: false,
            }
        });
        self.push(transaction.lsn, transaction.time, cause, change, row);
        Ok(())
    }

    fn publish(&mut self, publish: &LoggedPublish<'_>) -> Result<(), String> {
        self.schema = publish.schema.module.clone();
        let ids = &publish.schema.table_ids;
        let position = ids.iter().position(|id| *id == self.of.table);
        if let Some(def) = position.and_then(|position| self.schema.tables.get(position)) {
            self.layout = def.layout();
            self.def = def.clone();
        }
        let cause = Cause {
            caller: publish.caller,
            connection: ConnectionId::default(),
            reducer: String::new(),
            args: Vec::new(),
            params: None,
            is_publish: true,
        };
        if publish.clear_data {
            let cause = Some(cause.clone());
            self.push(publish.lsn, publish.time, cause, RowFate::Cleared, None);
        }
        if let Some((change, row)) = self.find(publish.changes.clone())? {
            self.push(publish.lsn, publish.time, Some(cause), change, row);
        }
        Ok(())
    }

    /// What a transaction did with the row: changes are net, so it is one thing at most.
    fn find(&mut self, changes: LoggedChanges<'_>) -> Result<Option<Found>, String> {
        let mut found = None;
        for change in changes {
            let change = change.map_err(|error| format!("row changes: {error}"))?;
            let (table, fate, bytes) = match change {
                LoggedChange::Mark(..) => continue,
                LoggedChange::Insert(table, row) => (table, RowFate::Inserted, row),
                LoggedChange::Update(table, row) => (table, RowFate::Updated, row),
                LoggedChange::Delete(table, key) => (table, RowFate::Deleted, key),
            };
            if table != self.of.table {
                continue;
            }
            if fate == RowFate::Deleted {
                if bytes == self.of.key {
                    found = Some((fate, None));
                }
                continue;
            }
            self.layout
                .validate(bytes)
                .map_err(|error| format!("a row: {error}"))?;
            self.key.clear();
            self.layout
                .project(bytes, &self.def.primary_key, &mut self.key);
            if self.key == self.of.key {
                found = Some((fate, Some(bytes.to_vec())));
            }
        }
        Ok(found)
    }

    fn push(
        &mut self,
        lsn: Lsn,
        time: i64,
        cause: Option<Cause>,
        change: RowFate,
        row: Option<Vec<u8>>,
    ) {
        if self.events.len() >= self.of.events {
            self.events.pop_front();
            self.is_cut = true;
        }
        self.events.push_back(RowEvent {
            lsn,
            time,
            cause,
            change,
            row: row.map(|row| (row, self.def.clone())),
        });
    }
}
