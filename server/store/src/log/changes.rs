//! Row changes as a record holds them.
//!
//! | item | bytes |
//! |---|---|
//! | changes | runs; then 0 |
//! | run | varint: table id * 2, + 1 if a mark follows; varint: the auto_increment mark; rows; varint 3 |
//! | row | varint: length * 4 + what; bytes |
//!
//! A mark is that after all rows of the record; a record has those that it changed, and the first one
//! after an open has all. What a row's bytes are: 0, a new row; 1, the new version of the row with the same primary key; 2, the
//! packed primary key of a row that is gone. Replaying them needs the schema, which the log has too,
//! and no code.

use std::sync::Arc;

use syncline_protocol::packed::Reader;
use syncline_protocol::{ChangeSet, CodecError, TableId};

use super::varint;
use crate::database::Database;
use crate::schema::DatabaseSchema;
use crate::table::Table;

const INSERT: u128 = 0;
const UPDATE: u128 = 1;
const DELETE: u128 = 2;
const END_OF_RUN: u128 = 3;

/// What the log says of auto_increment marks, so that only changes are written.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// Of the database that `tables` are of.
    schema: Option<Arc<DatabaseSchema>>,
    /// Tables that have a mark, and what it was in the last record: `None` if this process has not written
    /// it yet.
    tables: Vec<(TableId, Option<u128>)>,
}

impl Marks {
    /// Takes note of a schema that is new.
    fn follow(&mut self, database: &Database) {
        let schema = database.schema();
        if self
            .schema
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, schema))
        {
            return;
        }
        let known = std::mem::take(&mut self.tables);
        for table in database
            .tables()
            .filter(|table| table.def().auto_increment.is_some())
        {
            let mark = known
                .iter()
                .find(|(id, _)| *id == table.id())
                .and_then(|(_, mark)| *mark);
            self.tables.push((table.id(), mark));
        }
        self.schema = Some(Arc::clone(schema));
    }
}

/// Appends the changes that led to `database`, and the marks that are no longer what they were. `key` is
/// room to work in.
///
/// # Panics
/// If a change is of a table that the database does not have: its own commit made the change set.
pub(crate) fn put(
    changes: &ChangeSet,
    database: &Database,
    marks: &mut Marks,
    key: &mut Vec<u8>,
    out: &mut Vec<u8>,
) {
    marks.follow(database);
    for (id, last) in &mut marks.tables {
        let mark = database.auto_increment(*id);
        if *last != Some(mark) {
            *last = Some(mark);
            varint::put(u128::from(id.0) << 1 | 1, out);
            varint::put(mark, out);
            varint::put(END_OF_RUN, out);
        }
    }
    let mut run: Option<&Table> = None;
    for change in changes.iter() {
        let table = match run {
            Some(table) if table.id() == change.table => table,
            ended => {
                if ended.is_some() {
                    varint::put(END_OF_RUN, out);
                }
                varint::put(u128::from(change.table.0) << 1, out);
                let table = database.table(change.table);
                run.insert(table.expect("a change is of a table of its database"))
            }
        };
        match (change.old, change.new) {
            (None, Some(new)) => put_row(INSERT, new, out),
            (Some(_), Some(new)) => put_row(UPDATE, new, out),
            (old, None) => {
                let old = old.expect("a change has an old or a new row");
                key.clear();
                table.layout().project(old, &table.def().primary_key, key);
                put_row(DELETE, key, out);
            }
        }
    }
    if run.is_some() {
        varint::put(END_OF_RUN, out);
    }
    out.push(0);
}

fn put_row(what: u128, bytes: &[u8], out: &mut Vec<u8>) {
    varint::put((bytes.len() as u128) << 2 | what, out);
    out.extend_from_slice(bytes);
}

/// One step of replaying changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoggedChange<'a> {
    /// The auto_increment mark of a table is now this.
    Mark(TableId, u128),
    /// A row is new.
    Insert(TableId, &'a [u8]),
    /// A row has taken the place of the one with the same primary key.
    Update(TableId, &'a [u8]),
    /// The row with this packed primary key is gone.
    Delete(TableId, &'a [u8]),
}

/// Reads changes one by one. After an error, or the end, it is over.
#[derive(Clone, Debug)]
pub struct LoggedChanges<'a> {
    reader: Reader<'a>,
    table: Option<TableId>,
    is_over: bool,
}

impl<'a> LoggedChanges<'a> {
    /// Of the bytes at the end of a record.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            reader: Reader::new(bytes),
            table: None,
            is_over: false,
        }
    }

    fn read(&mut self) -> Result<Option<LoggedChange<'a>>, CodecError> {
        loop {
            let Some(table) = self.table else {
                let code = varint::take(&mut self.reader)?;
                if code == 0 {
                    self.reader.finish()?;
                    return Ok(None);
                }
                let table = TableId(u32::try_from(code >> 1).map_err(|_| CodecError::TooLong)?);
                self.table = Some(table);
                if code & 1 == 1 {
                    let mark = varint::take(&mut self.reader)?;
                    return Ok(Some(LoggedChange::Mark(table, mark)));
                }
                continue;
            };
            let code = varint::take(&mut self.reader)?;
            if code == END_OF_RUN {
                self.table = None;
                continue;
            }
            let len = usize::try_from(code >> 2).map_err(|_| CodecError::TooLong)?;
            let bytes = self.reader.take(len)?;
            return match code & 3 {
                INSERT => Ok(Some(LoggedChange::Insert(table, bytes))),
                UPDATE => Ok(Some(LoggedChange::Update(table, bytes))),
                DELETE => Ok(Some(LoggedChange::Delete(table, bytes))),
                _ => Err(CodecError::BadTag),
            };
        }
    }
}

impl<'a> Iterator for LoggedChanges<'a> {
    type Item = Result<LoggedChange<'a>, CodecError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let read = self.read().transpose();
        self.is_over = !matches!(read, Some(Ok(_)));
        read
    }
}
