//! Point operations: one host call each, on packed bytes in the guest's memory.

use syncline_protocol::CodecError;
use syncline_protocol::abi::{STATUS_EXHAUSTED, STATUS_NOT_FOUND, STATUS_UNIQUE};
use syncline_store::{IndexId, WriteError};
use wasmtime::{Caller, Linker};

use super::{add, split};
use crate::error::{CallError, CallLimit};
use crate::guest_memory::{read, slice_mut};
use crate::shape::{IndexShape, TableShape};
use crate::state::{CallState, TableAccess};

/// Bytes that a guest has ready for the auto-increment value.
const ASSIGNED_BYTES: usize = 16;

pub(super) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    add(
        linker,
        "find",
        |mut caller: Caller<'_, CallState>, table, index, key, key_len, out, cap| {
            Ok(find(&mut caller, table, index, (key, key_len), (out, cap))?)
        },
    )?;
    add(
        linker,
        "insert",
        |mut caller: Caller<'_, CallState>, table, row, len, out| {
            Ok(insert(&mut caller, table, (row, len), out)?)
        },
    )?;
    add(
        linker,
        "update",
        |mut caller: Caller<'_, CallState>, table, row, len| {
            Ok(update(&mut caller, table, (row, len))?)
        },
    )?;
    add(
        linker,
        "delete",
        |mut caller: Caller<'_, CallState>, table, key, len| {
            Ok(delete(&mut caller, table, (key, len))?)
        },
    )?;
    add(
        linker,
        "count",
        |mut caller: Caller<'_, CallState>, table| Ok(count(&mut caller, table)?),
    )
}

fn find(
    caller: &mut Caller<'_, CallState>,
    table: u32,
    index: u32,
    key: (u32, u32),
    (out, cap): (u32, u32),
) -> Result<i64, CallError> {
    let (memory, state) = split(caller)?;
    let TableAccess {
        transaction,
        id,
        shape,
        ..
    } = state.table(table, "find")?;
    let (index, index_shape) = shape.index(index, "find")?;
    if !index_shape.is_unique {
        let (table, index) = (&shape.name, &index_shape.name);
        let text = format!("find: index `{index}` of table `{table}` is not unique");
        return Err(CallError::trap(text));
    }
    let key = read(memory, key, "find")?;
    index_shape
        .check(key)
        .map_err(|error| bad_key("find", shape, index_shape, error))?;
    let found = transaction
        .table(id)
        .and_then(|table| table.find(index, key));
    let Some(row) = found else {
        return Ok(STATUS_NOT_FOUND);
    };
    let out = slice_mut(memory, out, cap as usize, "find")?;
    if let Some(out) = out.get_mut(..row.len()) {
        out.copy_from_slice(row);
    }
    Ok(row.len() as i64)
}

fn insert(
    caller: &mut Caller<'_, CallState>,
    table: u32,
    row: (u32, u32),
    out: u32,
) -> Result<i64, CallError> {
    let (memory, state) = split(caller)?;
    let TableAccess {
        transaction,
        id,
        shape,
        scratch,
        ..
    } = state.table(table, "insert")?;
    scratch.clear();
    scratch.extend_from_slice(read(memory, row, "insert")?);
    let Some(len) = shape.auto_increment_len else {
        return match transaction.insert(id, scratch) {
            Ok(_) => Ok(0),
            Err(error) => refused(error, shape, "insert"),
        };
    };
    let out = slice_mut(memory, out, ASSIGNED_BYTES, "insert")?;
    match transaction.insert(id, scratch) {
        Ok(None) => Ok(0),
        Ok(Some(assigned)) => {
            out[..len].copy_from_slice(&assigned.to_le_bytes()[..len]);
            Ok(len as i64)
        }
        Err(error) => refused(error, shape, "insert"),
    }
}

fn update(
    caller: &mut Caller<'_, CallState>,
    table: u32,
    row: (u32, u32),
) -> Result<i64, CallError> {
    let (memory, state) = split(caller)?;
    let TableAccess {
        transaction,
        id,
        shape,
        scratch,
        ..
    } = state.table(table, "update")?;
    let result = if shape.is_canonical {
        // The store leaves such a row as it is, so it can be read where it lies.
        let (ptr, len) = row;
        transaction.update(id, slice_mut(memory, ptr, len as usize, "update")?)
    } else {
        scratch.clear();
        scratch.extend_from_slice(read(memory, row, "update")?);
        transaction.update(id, scratch)
    };
    match result {
        Ok(()) => Ok(0),
        Err(error) => refused(error, shape, "update"),
    }
}

fn delete(
    caller: &mut Caller<'_, CallState>,
    table: u32,
    key: (u32, u32),
) -> Result<i64, CallError> {
    let (memory, state) = split(caller)?;
    let TableAccess {
        transaction,
        id,
        shape,
        ..
    } = state.table(table, "delete")?;
    let (_, index_shape) = shape.index(u32::from(IndexId::PRIMARY.0), "delete")?;
    let key = read(memory, key, "delete")?;
    index_shape
        .check(key)
        .map_err(|error| bad_key("delete", shape, index_shape, error))?;
    match transaction.delete(id, key) {
        Ok(is_deleted) => Ok(i64::from(is_deleted)),
        Err(error) => refused(error, shape, "delete"),
    }
}

fn count(caller: &mut Caller<'_, CallState>, table: u32) -> Result<i64, CallError> {
    let TableAccess {
        transaction, id, ..
    } = caller.data_mut().table(table, "count")?;
    Ok(transaction.table(id).map_or(0, |table| table.len() as i64))
}

/// What a write that changed nothing means: a status for the guest, or the end of the call.
#[cold]
fn refused(error: WriteError, shape: &TableShape, what: &str) -> Result<i64, CallError> {
    Err(match error {
        WriteError::NotFound => return Ok(STATUS_NOT_FOUND),
        WriteError::Unique { .. } => return Ok(STATUS_UNIQUE),
        WriteError::Exhausted => return Ok(STATUS_EXHAUSTED),
        WriteError::RowTooLarge => CallLimit::RowBytes.into(),
        WriteError::KeyTooLarge => CallLimit::KeyBytes.into(),
        WriteError::TooManyRows => CallLimit::Rows.into(),
        WriteError::TooManyBytes => CallLimit::WriteBytes.into(),
        WriteError::TableFull => CallLimit::TableFull.into(),
        other => CallError::trap(format!("{what}: table `{}`: {other}", shape.name)),
    })
}

#[cold]
fn bad_key(what: &str, table: &TableShape, index: &IndexShape, error: CodecError) -> CallError {
    let (table, index) = (&table.name, &index.name);
    CallError::trap(format!(
        "{what}: the key for `{index}` of table `{table}` is malformed: {error}"
    ))
}
