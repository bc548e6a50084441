//! A table that only the second form of this module has (feature `attic`): what it is to publish a module
//! that gains one.

use syncline::prelude::*;

/// A thing in the attic.
#[table(public)]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Thing {
    /// Assigned.
    #[primary_key]
    #[auto_increment]
    pub(crate) id: u64,
    /// Anything.
    pub(crate) name: String,
}

/// Puts a thing into the attic.
#[reducer]
pub(crate) fn insert_thing(ctx: &Context, row: Thing) -> Result<Thing, WriteError> {
    ctx.db().thing().insert(row)
}
