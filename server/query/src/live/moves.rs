//! Other parameters for a subscription that there is: it leaves its instance for another one, and gets
//! the difference of their rows.
//!
//! Both results are evaluated and compared, which costs what is in them. Where that is much, who asked
//! gets the new rows instead.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use syncline_protocol::limits::MOVED_ROWS_MAX;
use syncline_protocol::message::{DeltaOp, DeltaWriter, ResultDescription};
use syncline_protocol::param::Param;
use syncline_protocol::{ErrorCode, RowLayout};
use syncline_store::Database;

use super::LiveQueries;
use crate::Caller;
use crate::error::QueryError;
use crate::row::write_difference;
use crate::syntax::Query;

/// Packed rows by their packed keys.
type RowsByKey = BTreeMap<Vec<u8>, Vec<u8>>;

/// A query without its parameters, as a subscription keeps it: shared by all that asked alike.
#[derive(Clone, Debug)]
pub struct Statement(pub(super) Arc<Query>);

/// Where other parameters have brought a subscription.
#[derive(Clone, Debug)]
pub struct Moved {
    /// The instance that it now is of; it may be the same.
    pub handle: u64,
    /// How its rows became those of now.
    pub how: How,
}

/// What to tell who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// Operations on the rows of before; maybe none.
    Delta(Vec<u8>),
    /// The rows of now: [`LiveQueries::rows`].
    Anew,
}

impl LiveQueries {
    /// Takes a subscription of instance `handle`, made with `statement`, to other parameters. If that
    /// fails it stays as it was.
    pub fn set_params(
        &mut self,
        db: &Database,
        handle: u64,
        statement: &Statement,
        params: &[(String, Param)],
        caller: &Caller,
    ) -> Result<Moved, QueryError> {
        let next = self.join(db, &statement.0, params, caller)?;
        if next.handle == handle {
            // It is counted twice now.
            self.unsubscribe(handle);
            let how = How::Delta(Vec::new());
            return Ok(Moved { handle, how });
        }
        match self.compare(db, handle, next.handle) {
            Ok(how) => {
                self.unsubscribe(handle);
                let handle = next.handle;
                Ok(Moved { handle, how })
            }
            Err(error) => {
                self.unsubscribe(next.handle);
                Err(error)
            }
        }
    }

    /// How the rows of one instance become those of another.
    fn compare(&self, db: &Database, before: u64, after: u64) -> Result<How, QueryError> {
        let known = self.description(before).cloned();
        let Some(description) = known.filter(|known| self.description(after) == Some(known)) else {
            let message = "with these parameters the columns of the result have other types";
            return Err(QueryError::new(ErrorCode::SqlType, message)
                .hint("subscribe to the query anew, or cast the parameter: CAST(:p AS text)"));
        };
        let layout = RowLayout::new(description.types().cloned().collect());
        let Some(new) = self.few_rows(db, after, &description, &layout)? else {
            return Ok(How::Anew);
        };
        let Some(mut old) = self.few_rows(db, before, &description, &layout)? else {
            return Ok(How::Anew);
        };
        let mut ops = Vec::new();
        for (key, row) in &new {
            let Some(was) = old.remove(key) else {
                DeltaWriter::new(&mut ops).push(DeltaOp::Insert { row });
                continue;
            };
            let start = ops.len();
            DeltaWriter::new(&mut ops).push(DeltaOp::Update {
                key,
                mask: &[],
                values: &[],
            });
            if !write_difference(&layout, &was, row, &mut ops) {
                ops.truncate(start);
            }
        }
        for key in old.keys() {
            DeltaWriter::new(&mut ops).push(DeltaOp::Delete { key });
        }
        Ok(How::Delta(ops))
    }

    /// The rows of an instance by their packed keys; `None` if they are too many to compare.
    fn few_rows(
        &self,
        db: &Database,
        handle: u64,
        description: &ResultDescription,
        layout: &RowLayout,
    ) -> Result<Option<RowsByKey>, QueryError> {
        let mut rows = BTreeMap::new();
        let mut is_few = true;
        self.rows(db, handle, &mut |row| {
            if rows.len() == MOVED_ROWS_MAX {
                is_few = false;
            }
            if is_few {
                let mut key = Vec::new();
                layout.project(row, &description.key, &mut key);
                rows.insert(key, row.to_vec());
            }
        })?;
        Ok(is_few.then_some(rows))
    }
}
