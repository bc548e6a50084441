//! How a host runs a reducer: by its number, with a block of bytes.

use syncline_protocol::abi;
use syncline_protocol::packed::Reader;

use super::context::Context;
use super::{outcome, registry};

/// Runs the reducer of that number with this call block and writes the outcome.
///
/// # Panics
/// If there is no such reducer or the block has no header: the host does not do that.
#[cfg_attr(
    not(target_arch = "wasm32"),
    allow(dead_code, reason = "only a host calls by number")
)]
pub(super) fn run(number: u32, block: &[u8], out: &mut Vec<u8>) {
    let reducer = registry::reducer(number).expect("the host calls reducers of the schema");
    let mut reader = Reader::new(block);
    let context = Context::read(&mut reader).expect("a call block starts with its header");
    debug_assert_eq!(block.len() - reader.rest().len(), abi::CALL_HEADER_BYTES);
    if let Err(error) = (reducer.run)(&context, reader, out) {
        let name = reducer.name;
        outcome::put_error(
            &format_args!("the arguments of `{name}` do not decode: {error}"),
            out,
        );
    }
}
