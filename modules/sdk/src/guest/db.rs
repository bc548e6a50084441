//! What handles of tables borrow from. It knows no table: `table` adds the way to them, so that a context
//! can hold it without knowing them either.

use core::marker::PhantomData;

/// The tables. Every `#[table]` adds a method named like it: `ctx.db().message()`.
///
/// The method comes from a trait beside the struct, for a `Message` the trait `MessageAccess`; in another
/// module of the crate, import it along with the struct.
#[derive(Debug)]
pub struct Db {
    /// Handles borrow from here, so that none outlives its transaction.
    transaction: PhantomData<*const ()>,
}

impl Db {
    /// For one transaction.
    pub(super) fn new() -> Self {
        Self {
            transaction: PhantomData,
        }
    }
}
