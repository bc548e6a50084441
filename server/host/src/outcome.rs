//! What comes out of a reducer, and what goes in.

use syncline_protocol::abi::{OUTCOME_ERROR, OUTCOME_OK};
use syncline_protocol::limits::RESULT_BYTES_MAX;
use syncline_protocol::{CodecError, ReducerDef, Type, packed};

use crate::error::{CallError, CallLimit};
use crate::guest_memory::{read, text, unpack};

/// Reads the outcome that `syncline_call` points to: the packed return value, canonical and of the
/// declared type, or why there is none.
pub(crate) fn read_outcome(
    memory: &[u8],
    outcome: u64,
    returns: Option<&Type>,
) -> Result<Vec<u8>, CallError> {
    let bytes = read(memory, unpack(outcome), "outcome")?;
    match bytes.split_first() {
        Some((&OUTCOME_OK, [])) if returns.is_none() => Ok(Vec::new()),
        Some((&OUTCOME_OK, value)) => {
            if value.len() > RESULT_BYTES_MAX {
                return Err(CallLimit::ResultBytes.into());
            }
            let mut value = value.to_vec();
            packed::canonicalize(returns, &mut value).map_err(wrong_value)?;
            Ok(value)
        }
        Some((&OUTCOME_ERROR, message)) => Err(CallError::Reducer(text(message, RESULT_BYTES_MAX))),
        Some((tag, _)) => Err(CallError::trap(format!(
            "outcome: there is no outcome {tag}"
        ))),
        None => Err(CallError::trap("outcome: it is empty")),
    }
}

#[cold]
fn wrong_value(error: CodecError) -> CallError {
    CallError::trap(format!(
        "outcome: the value is not of the type that the reducer returns: {error}"
    ))
}

/// Checks that packed arguments are those of a reducer. [`crate::Runner::call`] does not: who decodes
/// arguments from a message has checked them already.
pub fn validate_args(reducer: &ReducerDef, args: &[u8]) -> Result<(), CodecError> {
    packed::validate(reducer.params.iter().map(|param| &param.ty), args)
}
