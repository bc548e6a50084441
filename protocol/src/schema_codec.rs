//! Binary form of a schema: what a module's description holds, and what the schema hash is taken of.

use crate::error::CodecError;
use crate::schema::Schema;

/// The canonical bytes.
#[must_use]
pub fn encode(_schema: &Schema) -> Vec<u8> {
    unimplemented!("helper")
}

/// Reads what [`encode`] wrote.
pub fn decode(_bytes: &[u8]) -> Result<Schema, CodecError> {
    unimplemented!("helper")
}
