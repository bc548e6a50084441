//! What a module has to say: log lines and its last words.

use syncline_protocol::abi::LOG_LEVELS;
use syncline_protocol::limits::LOG_LINE_BYTES_MAX;
use wasmtime::{Caller, Linker};

use super::{add, split};
use crate::error::{CallError, CallLimit};
use crate::guest_memory::{read, text};
use crate::state::{CallState, LogLine};

pub(super) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    add(
        linker,
        "log",
        |mut caller: Caller<'_, CallState>, level, ptr, len| {
            Ok(log(&mut caller, level, (ptr, len))?)
        },
    )?;
    add(
        linker,
        "panic",
        |mut caller: Caller<'_, CallState>, ptr, len| {
            Err::<(), _>(panicked(&mut caller, (ptr, len)).into())
        },
    )
}

fn log(caller: &mut Caller<'_, CallState>, level: u32, line: (u32, u32)) -> Result<(), CallError> {
    let (memory, state) = split(caller)?;
    let line = read(memory, line, "log")?;
    if level as usize >= LOG_LEVELS.len() {
        return Err(CallError::trap(format!("log: there is no level {level}")));
    }
    state.log_lines_left = state
        .log_lines_left
        .checked_sub(1)
        .ok_or(CallLimit::LogLines)?;
    state.log.push(LogLine {
        level: level as u8,
        text: text(line, LOG_LINE_BYTES_MAX),
    });
    Ok(())
}

fn panicked(caller: &mut Caller<'_, CallState>, message: (u32, u32)) -> CallError {
    let message = split(caller).and_then(|(memory, _)| read(memory, message, "panic"));
    match message {
        Ok(message) => CallError::Panic(text(message, LOG_LINE_BYTES_MAX)),
        Err(error) => error,
    }
}
