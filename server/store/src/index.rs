//! Indexes: from a key to the places of rows. No index holds a row, and hash indexes hold no key.
//!
//! An index trusts its caller: the table checks uniqueness before it writes. Between two writes of one
//! commit, a unique index may hold two rows of one key.

mod columns;
mod counted;
mod hash;
mod heap;
mod key;
mod ordered;
mod posting;
mod secondary;

pub(crate) use columns::{KeyBuffer, KeyColumns};
pub(crate) use hash::{HashIndex, KeyHash, KeyHasher};
pub(crate) use heap::Heap;
pub(crate) use key::OrderedKey;
pub(crate) use ordered::{OrderedIndex, advance};
pub(crate) use secondary::{BuildError, Matches, Secondary};
