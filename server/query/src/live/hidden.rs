//! Indexes that live queries make for themselves, where the module declares none that leads to rows they must
//! find. Templates share them; one goes some time after the last template that used it.
//!
//! Making one stops everything for as long as it takes to read the table, so a table that is too large for it
//! has none, and the query is refused with a hint to declare the index. The module's own code and one-off queries
//! never use them: what those cost must not depend on who is connected.

use syncline_protocol::limits::{LIVE_INDEXES_MAX, LIVE_INDEXES_PER_TABLE_MAX};
use syncline_protocol::{IndexKind, TableId};
use syncline_store::{Database, IndexId, Table};

use super::LiveQueries;
use super::template::{Draft, Template};
use crate::error::{MissingIndex, QueryError};

/// Hidden indexes of a database, all made here.
#[derive(Debug, Default)]
pub(super) struct HiddenIndexes {
    all: Vec<Hidden>,
    /// The tick at which bytes were counted last.
    counted_at: u64,
}

#[derive(Debug)]
struct Hidden {
    index: IndexId,
    of: MissingIndex,
    /// Templates.
    users: usize,
    /// When nobody uses it, the tick from which on it goes.
    until: u64,
    bytes: usize,
}

/// Bytes that an index takes for a row, where it is not there yet.
const ROW_BYTES: usize = 64;

impl HiddenIndexes {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Bytes of all, roughly.
    pub(super) fn byte_len(&self) -> usize {
        self.all.iter().map(|own| own.bytes).sum()
    }

    fn get_mut(&mut self, table: TableId, index: IndexId) -> Option<&mut Hidden> {
        let mut all = self.all.iter_mut();
        all.find(|own| (own.of.table, own.index) == (table, index))
    }

    fn count_bytes(&mut self, db: &Database) {
        for own in &mut self.all {
            let table = db.table(own.of.table);
            own.bytes = table.map_or(0, |table| table.hidden_index_bytes(own.index));
        }
    }

    /// Why there is no room for one more index of a table.
    fn refuses(&self, table: &Table) -> Option<String> {
        let own = self.all.iter().filter(|own| own.of.table == table.id());
        if own.count() >= LIVE_INDEXES_PER_TABLE_MAX {
            return Some(format!(
                "its live queries have made {LIVE_INDEXES_PER_TABLE_MAX} already"
            ));
        }
        (self.all.len() >= LIVE_INDEXES_MAX).then(|| {
            format!("the live queries of the database have made {LIVE_INDEXES_MAX} already")
        })
    }

    fn drop_if(&mut self, db: &mut Database, is_over: impl Fn(&Hidden) -> bool) {
        self.all.retain(|own| {
            let goes = own.users == 0 && is_over(own);
            if goes {
                db.drop_hidden_index(own.of.table, own.index);
            }
            !goes
        });
    }
}

impl LiveQueries {
    /// How many hidden indexes there are.
    #[must_use]
    pub fn hidden_index_count(&self) -> usize {
        self.hidden.len()
    }

    /// Drops hidden indexes that no live query has used for a while. Costs nothing if there are none.
    pub fn drop_unused_indexes(&mut self, db: &mut Database) {
        if self.hidden.all.is_empty() {
            return;
        }
        let tick = self.idle.tick();
        self.hidden.drop_if(db, |own| own.until <= tick);
        // They grow with their tables.
        if self.hidden.counted_at != tick {
            self.hidden.counted_at = tick;
            self.hidden.count_bytes(db);
        }
    }

    /// The template of a draft. Indexes that it lacks are made.
    pub(super) fn make_template(
        &mut self,
        db: &mut Database,
        draft: &Draft,
        may_evict: bool,
    ) -> Result<Template, QueryError> {
        let mut made = Vec::new();
        loop {
            match draft.to_template(db) {
                Ok(template) => return Ok(template),
                Err(error) => {
                    let index = self.make_missing(db, error, &made, may_evict)?;
                    made.push(index);
                }
            }
        }
    }

    /// Lets a template find its indexes again after a publish. Those that it lacks are made.
    pub(super) fn rebind_template(
        &mut self,
        db: &mut Database,
        number: u32,
    ) -> Result<(), QueryError> {
        // If it fails it holds what it held.
        let mut kept = self.templates.get(number).hidden_indexes().to_vec();
        self.release_indexes(number);
        let result = loop {
            match self.templates.get_mut(number).rebind(db) {
                Ok(()) => break Ok(()),
                Err(error) => match self.make_missing(db, error, &kept, false) {
                    Ok(index) => kept.push(index),
                    Err(error) => break Err(error),
                },
            }
        };
        self.hold_indexes(number);
        result
    }

    /// Notes that a template uses its indexes.
    pub(super) fn hold_indexes(&mut self, number: u32) {
        for (table, index) in self.templates.get(number).hidden_indexes() {
            if let Some(own) = self.hidden.get_mut(*table, *index) {
                own.users += 1;
            }
        }
    }

    /// Undoes [`Self::hold_indexes`].
    pub(super) fn release_indexes(&mut self, number: u32) {
        let until = self.unused_until();
        for (table, index) in self.templates.get(number).hidden_indexes() {
            if let Some(own) = self.hidden.get_mut(*table, *index) {
                own.users = own.users.saturating_sub(1);
                own.until = until;
            }
        }
    }

    fn unused_until(&self) -> u64 {
        self.idle.tick().saturating_add(self.budgets.idle_ticks)
    }

    /// Makes the index for want of which there was an error; else gives the error back, with what forbids it.
    /// To make room, those go that nobody uses, but for the ones that are `kept`: made for the same template, which
    /// does not hold them yet. `may_evict`: instances that nobody listens to go for it too.
    fn make_missing(
        &mut self,
        db: &mut Database,
        error: QueryError,
        kept: &[(TableId, IndexId)],
        may_evict: bool,
    ) -> Result<(TableId, IndexId), QueryError> {
        let Some(missing) = error.missing.clone() else {
            return Err(error);
        };
        let refused = |reason: String| QueryError {
            message: format!("{}, and none was made: {reason}", error.message),
            ..error.clone()
        };
        // It is there, and did not lead on.
        if self.hidden.all.iter().any(|own| own.of == *missing) {
            return Err(error);
        }
        let Some(table) = db.table(missing.table) else {
            return Err(error);
        };
        let rows = table.len();
        if rows > self.budgets.index_rows {
            let reason = format!("the table has over {} rows", self.budgets.index_rows);
            return Err(refused(reason));
        }
        let goes = |own: &Hidden| !kept.contains(&(own.of.table, own.index));
        let bytes = rows * ROW_BYTES;
        if self.hidden.refuses(table).is_some() || self.byte_len() + bytes > self.budgets.bytes {
            self.hidden.drop_if(db, goes);
        }
        if self.byte_len() + bytes > self.budgets.bytes {
            return Err(refused("live queries take all their memory".to_owned()));
        }
        let is_full = |hidden: &HiddenIndexes, db: &Database| {
            let table = db.table(missing.table);
            table.and_then(|table| hidden.refuses(table))
        };
        if is_full(&self.hidden, db).is_some() && may_evict && self.evict_idle() {
            self.hidden.drop_if(db, goes);
        }
        if let Some(reason) = is_full(&self.hidden, db) {
            return Err(refused(reason));
        }
        let kind = if missing.is_ordered {
            IndexKind::Ordered
        } else {
            IndexKind::Hash
        };
        let made = db.add_hidden_index(missing.table, &missing.columns, kind);
        let index = made.ok_or_else(|| refused("its keys can be long".to_owned()))?;
        let place = (missing.table, index);
        self.hidden.all.push(Hidden {
            index,
            of: *missing,
            users: 0,
            until: self.unused_until(),
            bytes: 0,
        });
        self.hidden.count_bytes(db);
        Ok(place)
    }
}
