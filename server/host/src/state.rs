//! What a module instance can reach while it runs.

use std::sync::Arc;

use syncline_protocol::abi::LOG_LEVELS;
use syncline_protocol::{Identity, TableId, limits};
use syncline_store::{Database, IndexId, ScanPosition, Transaction};
use wasmtime::{Memory, ResourceLimiter};

use crate::error::{CallError, CallLimit};
use crate::shape::{IndexShape, TableShape};

/// Elements of a function table; far above what compilers emit.
pub(crate) const TABLE_ELEMENTS_MAX: usize = 1 << 16;

/// A line that a reducer logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Position in [`LOG_LEVELS`].
    pub level: u8,
    /// At most [`limits::LOG_LINE_BYTES_MAX`] bytes, then an ellipsis if it was longer.
    pub text: String,
}

impl LogLine {
    /// The level as text.
    #[must_use]
    pub fn level_name(&self) -> &'static str {
        LOG_LEVELS[usize::from(self.level)]
    }
}

/// Answers a query of a reducer: reads the request and appends the items of the answer, both as
/// [`syncline_protocol::abi::query`] has them. The database has the writes of the running transaction; the identity is
/// the caller's. An answer of over [`limits::CALL_QUERY_BYTES_MAX`] ends the call, so it had better be refused.
pub type AnswerQuery = fn(&Database, Identity, &[u8], &mut Vec<u8>);

/// The data of a wasmtime store. It has a transaction exactly while a reducer runs.
pub(crate) struct CallState {
    pub(crate) memory: Option<Memory>,
    pub(crate) cursors: Cursors,
    pub(crate) log: Vec<LogLine>,
    /// Lines that this call may still log.
    pub(crate) log_lines_left: usize,
    /// Reused for rows and keys on their way into the store, and for chunks on their way out.
    pub(crate) scratch: Vec<u8>,
    memory_bytes_max: usize,
    transaction: Option<Transaction>,
    caller: Identity,
    queries: Option<AnswerQuery>,
    tables: Vec<TableId>,
    shapes: Arc<[TableShape]>,
}

/// A table that a host function works on.
pub(crate) struct TableAccess<'s> {
    pub(crate) transaction: &'s mut Transaction,
    pub(crate) id: TableId,
    pub(crate) shape: &'s TableShape,
    pub(crate) scratch: &'s mut Vec<u8>,
    pub(crate) cursors: &'s mut Cursors,
}

impl CallState {
    pub(crate) fn new(shapes: Arc<[TableShape]>, memory_bytes_max: usize) -> Self {
        Self {
            memory: None,
            cursors: Cursors::default(),
            log: Vec::new(),
            log_lines_left: limits::CALL_LOG_LINES_MAX,
            scratch: Vec::new(),
            memory_bytes_max,
            transaction: None,
            caller: Identity::default(),
            queries: None,
            tables: Vec::new(),
            shapes,
        }
    }

    /// Begins a call. The log's memory is taken until [`Self::leave`] gives it back.
    pub(crate) fn enter(
        &mut self,
        transaction: Transaction,
        tables: &[TableId],
        (caller, queries): (Identity, Option<AnswerQuery>),
        log: &mut Vec<LogLine>,
    ) {
        self.caller = caller;
        self.queries = queries;
        assert_eq!(
            tables.len(),
            self.shapes.len(),
            "every table of the module has an id"
        );
        debug_assert!(self.transaction.is_none(), "one call at a time");
        self.transaction = Some(transaction);
        self.tables.clear();
        self.tables.extend_from_slice(tables);
        self.log = std::mem::take(log);
        self.log_lines_left = limits::CALL_LOG_LINES_MAX;
        self.cursors.clear();
    }

    /// Ends the call that [`Self::enter`] began.
    pub(crate) fn leave(&mut self, log: &mut Vec<LogLine>) -> Transaction {
        *log = std::mem::take(&mut self.log);
        self.transaction
            .take()
            .expect("enter put it there, and nothing else takes it")
    }

    /// Lets a query be answered.
    pub(crate) fn answer(&self, request: &[u8], out: &mut Vec<u8>) -> Result<(), CallError> {
        match (&self.transaction, self.queries) {
            (Some(transaction), Some(answer)) => {
                answer(transaction.database(), self.caller, request, out);
                Ok(())
            }
            (None, _) => Err(CallError::trap("query: no reducer is running")),
            (_, None) => Err(CallError::trap("query: nothing answers queries here")),
        }
    }

    /// The table with this number.
    pub(crate) fn table(&mut self, number: u32, what: &str) -> Result<TableAccess<'_>, CallError> {
        let Some(transaction) = &mut self.transaction else {
            return Err(CallError::trap(format!("{what}: no reducer is running")));
        };
        let (Some(shape), Some(&id)) = (
            self.shapes.get(number as usize),
            self.tables.get(number as usize),
        ) else {
            return Err(CallError::trap(format!(
                "{what}: the module has no table {number}"
            )));
        };
        Ok(TableAccess {
            transaction,
            id,
            shape,
            scratch: &mut self.scratch,
            cursors: &mut self.cursors,
        })
    }
}

impl TableShape {
    /// An index by the number that the guest gives.
    pub(crate) fn index(
        &self,
        number: u32,
        what: &str,
    ) -> Result<(IndexId, &IndexShape), CallError> {
        let index = self.indexes.get(number as usize).ok_or_else(|| {
            let name = &self.name;
            CallError::trap(format!("{what}: table `{name}` has no index {number}"))
        })?;
        Ok((IndexId(number as u16), index))
    }
}

/// The open scans and answers of a call. A cursor is a position here, plus one.
#[derive(Default)]
pub(crate) struct Cursors {
    slots: Vec<Option<Cursor>>,
}

/// What has more rows to give.
pub(crate) enum Cursor {
    Scan(Scan),
    Answer(Answer),
}

pub(crate) struct Scan {
    /// The module's number of the table.
    pub(crate) table: u32,
    pub(crate) position: ScanPosition,
}

/// The items of a query's answer that have not been handed over.
pub(crate) struct Answer {
    items: Vec<u8>,
    at: usize,
}

impl Answer {
    /// Of items, each a u32 length and its bytes.
    pub(crate) fn new(items: Vec<u8>) -> Self {
        Self { items, at: 0 }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.at >= self.items.len()
    }

    /// Copies the next items that fit, whole ones, and says how many bytes they have; `None` if there are some
    /// and not even one fits.
    pub(crate) fn fill(&mut self, out: &mut [u8]) -> Option<usize> {
        let rest = self.items.get(self.at..).unwrap_or_default();
        let mut end = 0;
        while let Some(len) = rest.get(end..).and_then(<[u8]>::first_chunk) {
            let next = end + 4 + u32::from_le_bytes(*len) as usize;
            if next > out.len() || next > rest.len() {
                break;
            }
            end = next;
        }
        if end == 0 && !rest.is_empty() {
            return None;
        }
        out[..end].copy_from_slice(&rest[..end]);
        self.at += end;
        Some(end)
    }
}

impl Cursors {
    pub(crate) fn open(&mut self, cursor: Cursor) -> Result<u32, CallError> {
        let free = self.slots.iter().position(Option::is_none);
        let slot = match free {
            Some(slot) => slot,
            None if self.slots.len() == limits::CALL_CURSORS_MAX => {
                return Err(CallLimit::Cursors.into());
            }
            None => {
                self.slots.push(None);
                self.slots.len() - 1
            }
        };
        self.slots[slot] = Some(cursor);
        Ok(slot as u32 + 1)
    }

    /// Keeps what is left of an answer. All of them together are no larger than one may be.
    pub(crate) fn open_answer(&mut self, answer: Answer) -> Result<u32, CallError> {
        let kept = |cursor: &Cursor| match cursor {
            Cursor::Answer(answer) => answer.items.len(),
            Cursor::Scan(_) => 0,
        };
        let bytes: usize = self.slots.iter().flatten().map(kept).sum();
        if bytes + answer.items.len() > limits::CALL_QUERY_BYTES_MAX {
            return Err(CallLimit::QueryBytes.into());
        }
        self.open(Cursor::Answer(answer))
    }

    /// Takes a cursor out: to close it, or for as long as it is moved on.
    pub(crate) fn take(&mut self, cursor: u32) -> Option<Cursor> {
        self.slots
            .get_mut((cursor as usize).checked_sub(1)?)?
            .take()
    }

    /// Puts back what [`Self::take`] gave.
    pub(crate) fn put_back(&mut self, number: u32, cursor: Cursor) {
        self.slots[number as usize - 1] = Some(cursor);
    }

    fn clear(&mut self) {
        self.slots.clear();
    }
}

impl ResourceLimiter for CallState {
    /// A module that wants too much ends its call here: were `memory.grow` to answer -1, the author
    /// would read of an `unreachable` somewhere in an allocator.
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > self.memory_bytes_max {
            return Err(CallError::Memory {
                limit: self.memory_bytes_max,
            }
            .into());
        }
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }

    fn instances(&self) -> usize {
        1
    }

    fn memories(&self) -> usize {
        1
    }
}
