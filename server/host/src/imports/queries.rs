//! Queries that a reducer asks. What SQL means is for others to say: the runner is given a function.

use syncline_protocol::abi::STATUS_ROW_TOO_LARGE;
use syncline_protocol::limits::{CALL_QUERY_BYTES_MAX, SQL_BYTES_MAX};
use wasmtime::{Caller, Linker};

use super::{add, split};
use crate::error::{CallError, CallLimit};
use crate::guest_memory::{read, slice_mut};
use crate::state::{Answer, CallState};

/// A request: a text and parameters; an argument of a call is no longer.
const REQUEST_BYTES_MAX: usize = SQL_BYTES_MAX + syncline_protocol::limits::ARGS_BYTES_MAX;

pub(super) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    add(
        linker,
        "query",
        |mut caller: Caller<'_, CallState>, request, len, out, cap| {
            Ok(query(&mut caller, (request, len), (out, cap))?)
        },
    )
}

fn query(
    caller: &mut Caller<'_, CallState>,
    request: (u32, u32),
    (out, cap): (u32, u32),
) -> Result<i64, CallError> {
    let (memory, state) = split(caller)?;
    let request = read(memory, request, "query")?;
    if request.len() > REQUEST_BYTES_MAX {
        let text = format!("query: the request has over {REQUEST_BYTES_MAX} bytes");
        return Err(CallError::trap(text));
    }
    let mut items = Vec::new();
    state.answer(request, &mut items)?;
    if items.len() > CALL_QUERY_BYTES_MAX {
        return Err(CallLimit::QueryBytes.into());
    }
    let mut answer = Answer::new(items);
    let out = slice_mut(memory, out, cap as usize, "query")?;
    let Some(bytes) = answer.fill(out) else {
        return Ok(STATUS_ROW_TOO_LARGE);
    };
    let cursor = if answer.is_done() {
        0
    } else {
        state.cursors.open_answer(answer)?
    };
    Ok(super::pack(cursor, bytes))
}
