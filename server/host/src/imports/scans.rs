//! Scans: a chunk of rows a call.

use syncline_protocol::abi::STATUS_ROW_TOO_LARGE;
use syncline_protocol::limits::{KEY_BYTES_MAX, ROW_BYTES_MAX, SCAN_CHUNK_BYTES};
use syncline_store::{ScanChunk, ScanPosition};
use wasmtime::{Caller, Linker};

use super::{add, pack, split};
use crate::error::{CallError, CallLimit};
use crate::guest_memory::{read, slice_mut};
use crate::state::{CallState, Cursor, Scan, TableAccess};

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
    let mut scan = Scan { table, position };
    let (chunk, bytes) = fill(memory, out, &mut access, &mut scan)?;
    let cursor = match chunk {
        ScanChunk::Done => 0,
        ScanChunk::More => access.cursors.open(Cursor::Scan(scan))?,
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
    let mut scan = match state.cursors.take(number).ok_or_else(no_cursor)? {
        Cursor::Scan(scan) => scan,
        Cursor::Answer(mut answer) => {
            let out = slice_mut(memory, out.0, out.1 as usize, "scan_next")?;
            let filled = answer.fill(out);
            if filled.is_some() && answer.is_done() {
                return Ok(pack(0, filled.unwrap_or_default()));
            }
            state.cursors.put_back(number, Cursor::Answer(answer));
            return Ok(filled.map_or(STATUS_ROW_TOO_LARGE, |bytes| pack(number, bytes)));
        }
    };
    let mut access = state.table(scan.table, "scan_next")?;
    let (chunk, bytes) = fill(memory, out, &mut access, &mut scan)?;
    if chunk == ScanChunk::Done {
        return Ok(pack(0, bytes));
    }
    access.cursors.put_back(number, Cursor::Scan(scan));
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
    scan: &mut Scan,
) -> Result<(ScanChunk, usize), CallError> {
    let out = slice_mut(memory, out, cap as usize, "scan")?;
    let cap = out.len().min(CHUNK_BYTES_MAX);
    let scratch = &mut *access.scratch;
    scratch.clear();
    let chunk = access
        .transaction
        .scan_chunk(access.id, &mut scan.position, cap, scratch);
    debug_assert!(scratch.len() <= cap, "the store keeps to the cap");
    out[..scratch.len()].copy_from_slice(scratch);
    Ok((chunk, scratch.len()))
}
