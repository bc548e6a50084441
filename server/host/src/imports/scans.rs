//! Scans: a chunk of rows a call.

use syncline_protocol::abi::STATUS_ROW_TOO_LARGE;
use syncline_protocol::limits::{KEY_BYTES_MAX, ROW_BYTES_MAX, SCAN_CHUNK_BYTES};
use syncline_store::{ScanChunk, ScanPosition};
use wasmtime::{Caller, Linker};

use super::{add, split};
use crate::error::{CallError, CallLimit};
use crate::guest_memory::{read, slice_mut};
use crate::state::{CallState, Cursor, TableAccess};

/// Bytes of a chunk at most, whatever the guest has room for: so a host call is never long, and what
/// cannot be interrupted stays short.
const CHUNK_BYTES_MAX: usize = if SCAN_CHUNK_BYTES > ROW_BYTES_MAX + 4 {
    SCAN_CHUNK_BYTES
} else {
    ROW_BYTES_MAX + 4
};

/// Two kinds, two lengths and two keys.
const BOUNDS_BYTES_MAX: usize = 2 * (1 + 4 + KEY_BYTES_MAX);

pub(super) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    add(
        linker,
        "scan_open",
        |mut caller: Caller<'_, CallState>, table, index, flags, bounds, len, out, cap| {
            Ok(open(
                &mut caller,
                (table, index, flags),
                (bounds, len),
                (out, cap),
            )?)
        },
    )?;
    add(
        linker,
        "scan_next",
        |mut caller: Caller<'_, CallState>, cursor, out, cap| {
            Ok(next(&mut caller, cursor, (out, cap))?)
        },
    )?;
    add(
        linker,
        "scan_close",
        |mut caller: Caller<'_, CallState>, cursor| Ok(close(&mut caller, cursor)?),
    )
}

fn open(
    caller: &mut Caller<'_, CallState>,
    (table, index, flags): (u32, u32, u32),
    bounds: (u32, u32),
    out: (u32, u32),
) -> Result<i64, CallError> {
    let (memory, state) = split(caller)?;
    let bounds = read(memory, bounds, "scan_open")?;
    if bounds.len() > BOUNDS_BYTES_MAX {
        return Err(CallLimit::KeyBytes.into());
    }
    let mut access = state.table(table, "scan_open")?;
    let (index, index_shape) = access.shape.index(index, "scan_open")?;
    let stored = access.transaction.table(access.id);
    let stored = stored.ok_or_else(|| CallError::trap("scan_open: the table is not installed"))?;
    let position = ScanPosition::open(stored, index, flags, bounds).map_err(|error| {
        let (table, index) = (&access.shape.name, &index_shape.name);
        CallError::trap(format!("scan_open: `{index}` of table `{table}`: {error}"))
    })?;
    let mut cursor = Cursor { table, position };
    let (chunk, bytes) = fill(memory, out, &mut access, &mut cursor)?;
    let cursor = match chunk {
        ScanChunk::Done => 0,
        ScanChunk::More => access.cursors.open(cursor)?,
        ScanChunk::RowTooLarge => return Ok(STATUS_ROW_TOO_LARGE),
    };
    Ok(pack(cursor, bytes))
}

fn next(
    caller: &mut Caller<'_, CallState>,
    number: u32,
    out: (u32, u32),
) -> Result<i64, CallError> {
    let (memory, state) = split(caller)?;
    let no_cursor = || CallError::trap(format!("scan_next: there is no cursor {number}"));
    let mut cursor = state.cursors.take(number).ok_or_else(no_cursor)?;
    let mut access = state.table(cursor.table, "scan_next")?;
    let (chunk, bytes) = fill(memory, out, &mut access, &mut cursor)?;
    if chunk == ScanChunk::Done {
        return Ok(pack(0, bytes));
    }
    access.cursors.put_back(number, cursor);
    match chunk {
        ScanChunk::RowTooLarge => Ok(STATUS_ROW_TOO_LARGE),
        _ => Ok(pack(number, bytes)),
    }
}

fn close(caller: &mut Caller<'_, CallState>, cursor: u32) -> Result<(), CallError> {
    match caller.data_mut().cursors.take(cursor) {
        Some(_) => Ok(()),
        None => Err(CallError::trap(format!(
            "scan_close: there is no cursor {cursor}"
        ))),
    }
}

/// Writes the next rows into the guest's buffer, and says how many bytes they are.
fn fill(
    memory: &mut [u8],
    (out, cap): (u32, u32),
    access: &mut TableAccess<'_>,
    cursor: &mut Cursor,
) -> Result<(ScanChunk, usize), CallError> {
    let out = slice_mut(memory, out, cap as usize, "scan")?;
    let cap = out.len().min(CHUNK_BYTES_MAX);
    let scratch = &mut *access.scratch;
    scratch.clear();
    let chunk = access
        .transaction
        .scan_chunk(access.id, &mut cursor.position, cap, scratch);
    debug_assert!(scratch.len() <= cap, "the store keeps to the cap");
    out[..scratch.len()].copy_from_slice(scratch);
    Ok((chunk, scratch.len()))
}

/// A chunk as the guest gets it.
fn pack(cursor: u32, bytes: usize) -> i64 {
    i64::from(cursor) << 32 | bytes as i64
}
