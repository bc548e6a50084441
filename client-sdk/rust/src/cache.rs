//! The live copy of a query's rows: a pure value that messages are folded into.
//!
//! No socket, no clock, no lock: whoever holds a [`LiveResult`] feeds it Snapshots, Commits, Moveds and Resets
//! in the order in which they come and gets the changes that became visible. Rows show all at
//! once: those of a Snapshot when its last chunk has come, those of a Commit when all of it is applied.
//! When a new Snapshot takes the place of older rows (after a reconnect), the changes are the
//! difference: there is no moment without rows.

use std::sync::Arc;

use syncline_protocol::message::{DeltaOp, DeltaReader, ResultDescription};
use syncline_protocol::packed::Reader;
use syncline_protocol::{CodecError, Lsn};

mod table;

#[cfg(test)]
mod tests;

use table::{Shape, Table};

/// A packed row of a result: all columns of the description. Shared, so a clone is cheap.
pub type PackedRow = Arc<[u8]>;

/// How a row changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A row that was not there.
    Insert(PackedRow),
    /// A row with this key was there with other values.
    Update {
        /// As it was.
        old: PackedRow,
        /// As it is.
        new: PackedRow,
    },
    /// A row that is gone.
    Delete(PackedRow),
}

/// Why a message does not fit what came before it: the two sides no longer agree, and only a new
/// Snapshot helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// Rows or operations do not decode.
    #[error("rows do not decode: {0}")]
    Codec(#[from] CodecError),
    /// The first chunk of a Snapshot has no description, or one that contradicts itself.
    #[error("a result without a usable description")]
    Description,
    /// A chunk does not continue the ones before it.
    #[error("a chunk does not continue the ones before it")]
    Chunk,
    /// A delta or a Reset before the first Snapshot.
    #[error("changes before there are rows")]
    NoRows,
    /// A row to insert is there already.
    #[error("a row to insert is there already")]
    Duplicate,
    /// A row to update or delete is not there.
    #[error("a row to update or delete is not there")]
    Missing,
}

/// Rows of a live query and the transaction they are as of.
#[derive(Clone, Debug, Default)]
pub struct LiveResult {
    visible: Option<State>,
    loading: Option<Loading>,
}

#[derive(Clone, Debug)]
struct State {
    lsn: Lsn,
    table: Table,
}

/// Chunks that have come so far, and the deltas that came between them.
#[derive(Clone, Debug)]
struct Loading {
    state: State,
    pending: Vec<(Lsn, Vec<u8>)>,
}

/// Rows of a chunk, as Snapshot and Reset have them.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// The rows are as of this transaction.
    pub lsn: Lsn,
    /// Packed rows, one after the other.
    pub rows: &'a [u8],
    /// How many they are.
    pub row_count: u32,
    /// No chunk follows.
    pub last: bool,
}

impl LiveResult {
    /// Without rows, waiting for a Snapshot.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there are rows to show (none is a number of rows as well).
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.visible.is_some()
    }

    /// What the rows are, once there are any.
    #[must_use]
    pub fn description(&self) -> Option<&Arc<ResultDescription>> {
        self.visible
            .as_ref()
            .map(|state| state.table.shape().description())
    }

    /// The transaction that the visible rows are as of.
    #[must_use]
    pub fn lsn(&self) -> Lsn {
        self.visible.as_ref().map_or(Lsn::ZERO, |state| state.lsn)
    }

    /// Number of visible rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.visible.as_ref().map_or(0, |state| state.table.len())
    }

    /// Whether no rows are visible.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The visible rows in the order of the result; without one in the order of their keys.
    pub fn rows(&self) -> impl Iterator<Item = &PackedRow> {
        self.visible.iter().flat_map(|state| state.table.rows())
    }

    /// The visible row with this packed key.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<&PackedRow> {
        self.visible.as_ref()?.table.get(key)
    }

    /// Takes a chunk of a Snapshot. Appends what became visible to `changes`; returns whether the
    /// Snapshot is complete.
    pub fn snapshot(
        &mut self,
        description: Option<ResultDescription>,
        chunk: Chunk<'_>,
        changes: &mut Vec<Change>,
    ) -> Result<bool, CacheError> {
        if let Some(description) = description {
            let shape = Shape::new(description).ok_or(CacheError::Description)?;
            self.begin(chunk.lsn, Arc::new(shape));
        } else if self.loading.is_none() {
            return Err(CacheError::Description);
        }
        self.load(chunk, changes)
    }

    /// Takes a chunk of a Reset, like one of a Snapshot.
    pub fn reset(
        &mut self,
        chunk: Chunk<'_>,
        changes: &mut Vec<Change>,
    ) -> Result<bool, CacheError> {
        if self.loading.is_none() {
            let visible = self.visible.as_ref().ok_or(CacheError::NoRows)?;
            self.begin(chunk.lsn, visible.table.shape().clone());
        }
        self.load(chunk, changes)
    }

    /// Takes the delta of a Commit. One that the rows hold already is left out; one that comes between
    /// two chunks waits for the last of them.
    pub fn commit(
        &mut self,
        lsn: Lsn,
        ops: &[u8],
        changes: &mut Vec<Change>,
    ) -> Result<(), CacheError> {
        if let Some(loading) = &mut self.loading {
            if lsn > loading.state.lsn {
                loading.pending.push((lsn, ops.to_vec()));
            }
            return Ok(());
        }
        let state = self.visible.as_mut().ok_or(CacheError::NoRows)?;
        if lsn > state.lsn {
            state.apply(lsn, ops, |change| changes.push(change))?;
        }
        Ok(())
    }

    /// Takes the difference that other parameters make, with no chunk on its way.
    pub fn moved(
        &mut self,
        lsn: Lsn,
        ops: &[u8],
        changes: &mut Vec<Change>,
    ) -> Result<(), CacheError> {
        if self.loading.is_some() {
            return Err(CacheError::Chunk);
        }
        let state = self.visible.as_mut().ok_or(CacheError::NoRows)?;
        state.apply(lsn, ops, |change| changes.push(change))
    }

    /// The connection is gone: forgets chunks that are not complete and keeps what is visible.
    pub fn abandon(&mut self) {
        self.loading = None;
    }

    fn begin(&mut self, lsn: Lsn, shape: Arc<Shape>) {
        let state = State {
            lsn,
            table: Table::new(shape),
        };
        self.loading = Some(Loading {
            state,
            pending: Vec::new(),
        });
    }

    fn load(&mut self, chunk: Chunk<'_>, changes: &mut Vec<Change>) -> Result<bool, CacheError> {
        let mut loading = self.loading.take().expect("the caller has begun one");
        if loading.state.lsn != chunk.lsn {
            return Err(CacheError::Chunk);
        }
        loading.state.table.extend(chunk.rows, chunk.row_count)?;
        if !chunk.last {
            self.loading = Some(loading);
            return Ok(false);
        }
        let Loading { mut state, pending } = loading;
        for (lsn, ops) in pending {
            state.apply(lsn, &ops, |_| ())?;
        }
        match &self.visible {
            Some(old) => old.table.difference(&state.table, changes),
            None => changes.extend(state.table.rows().cloned().map(Change::Insert)),
        }
        self.visible = Some(state);
        Ok(true)
    }
}

impl State {
    /// Applies a delta; a failure leaves a part of it applied.
    fn apply(
        &mut self,
        lsn: Lsn,
        ops: &[u8],
        mut visit: impl FnMut(Change),
    ) -> Result<(), CacheError> {
        let shape = self.table.shape().clone();
        let mut reader = DeltaReader::new(shape.description(), ops);
        while let Some(op) = reader.next_op()? {
            visit(match op {
                DeltaOp::Insert { row } => {
                    let row: PackedRow = row.into();
                    self.table.insert(row.clone())?;
                    Change::Insert(row)
                }
                DeltaOp::Update { key, mask, values } => {
                    let old = self.table.remove(key).ok_or(CacheError::Missing)?;
                    let new = merge(shape.description(), &old, mask, values)?;
                    self.table.insert(new.clone())?;
                    Change::Update { old, new }
                }
                DeltaOp::Delete { key } => {
                    Change::Delete(self.table.remove(key).ok_or(CacheError::Missing)?)
                }
            });
        }
        self.lsn = lsn;
        Ok(())
    }
}

/// The row `old` with new values in the masked columns.
fn merge(
    description: &ResultDescription,
    old: &[u8],
    mask: &[u8],
    values: &[u8],
) -> Result<PackedRow, CodecError> {
    let mut old = Reader::new(old);
    let mut values = Reader::new(values);
    let mut row = Vec::new();
    for (position, ty) in description.types().enumerate() {
        let kept = old.value(ty)?;
        let is_new = mask[position / 8] >> (position % 8) & 1 == 1;
        row.extend_from_slice(if is_new { values.value(ty)? } else { kept });
    }
    Ok(row.into())
}
