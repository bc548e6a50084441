//! Handles of secondary indexes.

use core::marker::PhantomData;

use syncline_protocol::abi;

use super::key::{Key, KeyRange, Prefix, put_equal};
use super::rows::Rows;
use super::{PRIMARY, Row, delete_all, delete_packed, exists, fetch};
use crate::guest::db::Db;

/// A secondary index of a table, within one transaction. `#[table]` adds a method for each to the table's
/// handle, named like the index: `by_<column>`, or `by_<column>_<column>`, unless it has a name of its own.
///
/// `R` is the row, `C` the tuple of the columns' types, `K` what the index can do.
///
/// ```
/// # use syncline::prelude::*;
/// #[table(index(ordered, columns(room, sent_at)))]
/// pub struct Message {
///     #[primary_key]
///     id: u64,
///     #[index(hash)]
///     room: u32,
///     sent_at: Timestamp,
///     #[unique]
///     link: Option<String>,
/// }
///
/// # fn read(ctx: &Context) {
/// let messages = ctx.db().message();
/// let linked: Option<Message> = messages.by_link().find("welcome");
/// let in_room: Vec<Message> = messages.by_room().filter(7).collect();
/// let since = ctx.timestamp() - Duration::from_minutes(5);
/// for message in messages.by_room_sent_at().range((7, since..)) { /* oldest first */ }
/// for message in messages.by_room_sent_at().rev().filter(7).take(20) { /* newest first */ }
/// # }
/// # syncline::testing::Database::new().run(read);
/// ```
#[derive(Debug)]
pub struct Index<'db, R, C, K> {
    /// As the ABI numbers them: the position in the schema + 1.
    number: u32,
    flags: u32,
    types: Types<'db, R, C, K>,
}

/// Borrows from the transaction, owns none of the types.
type Types<'db, R, C, K> = PhantomData<(&'db Db, fn() -> (R, C, K))>;

/// Any number of rows per key; equality on all columns.
#[derive(Debug)]
pub struct Hash;
/// Any number of rows per key; equality on a prefix of the columns, ranges, order.
#[derive(Debug)]
pub struct Ordered;
/// One row per key; equality on all columns.
#[derive(Debug)]
pub struct Unique;
/// One row per key; equality on a prefix of the columns, ranges, order.
#[derive(Debug)]
pub struct UniqueOrdered;

/// Indexes with at most one row per key.
#[doc(hidden)]
#[diagnostic::on_unimplemented(message = "this index is not unique", label = "needs #[unique]")]
pub trait IsUnique {}
impl IsUnique for Unique {}
impl IsUnique for UniqueOrdered {}

/// Indexes with an order.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "this index has no order",
    label = "needs an index of kind `ordered`"
)]
pub trait IsOrdered {}
impl IsOrdered for Ordered {}
impl IsOrdered for UniqueOrdered {}

impl<R: Row, C, K> Index<'_, R, C, K> {
    #[doc(hidden)]
    pub fn numbered(number: u32) -> Self {
        Self {
            number,
            flags: 0,
            types: PhantomData,
        }
    }
}

impl<R: Row, C, K: IsUnique> Index<'_, R, C, K> {
    /// The row with this key. A key with `None` in it is not constrained and finds nothing.
    pub fn find(&self, key: impl Key<C>) -> Option<R> {
        fetch(self.number, |out| key.put_key(out))
    }

    /// Whether there is a row with this key.
    pub fn contains(&self, key: impl Key<C>) -> bool {
        exists::<R>(self.number, |out| key.put_key(out))
    }

    /// Removes the row with this key; false if there was none.
    pub fn delete(&self, key: impl Key<C>) -> bool {
        let row: Option<R> = fetch(self.number, |out| key.put_key(out));
        row.is_some_and(|row| delete_packed::<R>(|out| row.put_index_key(PRIMARY, out)))
    }
}

impl<'db, R: Row, C> Index<'db, R, C, Hash> {
    /// The rows with this key.
    pub fn filter(&self, key: impl Key<C>) -> Rows<'db, R> {
        Rows::open(self.number, 0, |out| put_equal(|out| key.put_key(out), out))
    }

    /// Removes the rows with this key and says how many there were.
    pub fn delete_all(&self, key: impl Key<C>) -> u64 {
        delete_all(self.filter(key))
    }
}

impl<'db, R: Row, C, K: IsOrdered> Index<'db, R, C, K> {
    /// The same index read from the end: the rows of every method come in descending order.
    #[must_use]
    pub fn rev(self) -> Self {
        Self {
            flags: self.flags ^ abi::SCAN_REVERSE,
            ..self
        }
    }

    /// All rows in the order of the index.
    pub fn iter(&self) -> Rows<'db, R> {
        Rows::open(self.number, self.flags, |_bounds| {})
    }

    /// The rows whose first columns are these, in the order of the index: `filter(7)`,
    /// `filter((7, since))`.
    pub fn filter<M>(&self, prefix: impl Prefix<C, M>) -> Rows<'db, R> {
        Rows::open(self.number, self.flags, |out| {
            put_equal(|out| prefix.put_prefix(out), out);
        })
    }

    /// The rows in a range of the first column, or of a later one when those before it are given, in the
    /// order of the index: `range(5..)`, `range((room, from..=to))`.
    pub fn range(&self, range: impl KeyRange<C>) -> Rows<'db, R> {
        Rows::open(self.number, self.flags, |out| range.put_bounds(out))
    }

    /// Removes the rows whose first columns are these and says how many there were.
    pub fn delete_all<M>(&self, prefix: impl Prefix<C, M>) -> u64 {
        delete_all(self.filter(prefix))
    }
}

impl<'db, R: Row, C, K: IsOrdered> IntoIterator for &Index<'db, R, C, K> {
    type Item = R;
    type IntoIter = Rows<'db, R>;

    fn into_iter(self) -> Rows<'db, R> {
        self.iter()
    }
}
