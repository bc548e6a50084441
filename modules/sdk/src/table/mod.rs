//! Handles of tables: what a reducer reads and writes with.

use core::borrow::Borrow;
use core::marker::PhantomData;

use syncline_protocol::abi;

use crate::guest::db::Db;
use crate::guest::host;
use crate::guest::registry::TableEntry;
use crate::packed::Packed;

pub(crate) mod error;
pub(crate) mod index;
pub(crate) mod key;
pub(crate) mod rows;
mod scratch;

#[cfg(test)]
mod tests;

use error::WriteError;
use key::Key;
use rows::Rows;

/// The index number of the primary key in the ABI.
const PRIMARY: u32 = 0;

/// A row of a table. `#[table]` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a table",
    label = "no #[table] on this struct"
)]
pub trait Row: Packed + 'static {
    /// The types of the primary key's columns, as a tuple.
    type Key;

    /// What `#[table]` said.
    #[doc(hidden)]
    fn entry() -> &'static TableEntry;

    /// Appends the packed key of an index: 0 is the primary key, `i + 1` the secondary index `i`.
    #[doc(hidden)]
    fn put_index_key(&self, index: u32, out: &mut Vec<u8>);

    /// Sets the auto-increment column to what the store assigned.
    #[doc(hidden)]
    fn set_assigned(&mut self, assigned: &[u8]);
}

/// A table, within one transaction. Get it from the method that `#[table]` adds to [`Db`].
#[derive(Debug)]
pub struct Table<'db, R> {
    row: RowType<'db, R>,
}

/// Borrows from the transaction, owns no row.
type RowType<'db, R> = PhantomData<(&'db Db, fn() -> R)>;

impl Db {
    /// The table of this row type; the methods that `#[table]` adds are the convenient way.
    pub fn table<R: Row>(&self) -> Table<'_, R> {
        Table::new()
    }
}

impl<R> Clone for Table<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Table<'_, R> {}

impl<'db, R: Row> Table<'db, R> {
    pub(crate) fn new() -> Self {
        Self { row: PhantomData }
    }

    /// Adds a row. An auto-increment column that is 0 gets the next number; the row comes back with it.
    ///
    /// ```
    /// # use syncline::prelude::*;
    /// # #[table] pub struct Note { #[primary_key] #[auto_increment] id: u64, text: String }
    /// # fn insert(ctx: &Context) -> Result<(), String> {
    /// let note = ctx.db().note().insert(Note { id: 0, text: "milk".to_owned() })?;
    /// assert_eq!(note.id, 1);
    /// # Ok(()) }
    /// # syncline::testing::Database::new().call(insert).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`WriteError::Conflict`] if a row with this primary key or unique key is there,
    /// [`WriteError::Exhausted`] if the auto-increment column has no numbers left. Nothing was written then;
    /// the reducer may go on.
    pub fn insert(&self, mut row: R) -> Result<R, WriteError> {
        let mut assigned = [0; 16];
        let status = scratch::with(|scratch| {
            let packed = scratch.key(|out| row.put(out));
            host::insert(R::entry().number(), packed, &mut assigned)
        });
        match usize::try_from(status) {
            Ok(0) => {}
            Ok(len) => row.set_assigned(&assigned[..len]),
            Err(_) => return Err(WriteError::of_insert(&row, status)),
        }
        Ok(row)
    }

    /// The row with this primary key: `find(7)`, or `find((room, user))` for a key of several columns.
    pub fn find(&self, key: impl Key<R::Key>) -> Option<R> {
        fetch(PRIMARY, |out| key.put_key(out))
    }

    /// Whether there is a row with this primary key.
    pub fn contains(&self, key: impl Key<R::Key>) -> bool {
        exists::<R>(PRIMARY, |out| key.put_key(out))
    }

    /// Replaces the row that has the same primary key.
    ///
    /// # Errors
    /// [`WriteError::NotFound`] if there is no such row, [`WriteError::Conflict`] if another row has one
    /// of its unique keys. Nothing was written then; the reducer may go on.
    pub fn update(&self, row: impl Borrow<R>) -> Result<(), WriteError> {
        let row = row.borrow();
        let status = scratch::with(|scratch| {
            let packed = scratch.key(|out| row.put(out));
            host::update(R::entry().number(), packed)
        });
        if status == 0 {
            Ok(())
        } else {
            Err(WriteError::of_update(row, status))
        }
    }

    /// Replaces the row that has the same primary key, or adds it if there is none. The row comes back
    /// as it is stored.
    ///
    /// # Errors
    /// As [`Self::insert`] and [`Self::update`], except `NotFound`.
    pub fn upsert(&self, row: R) -> Result<R, WriteError> {
        match self.update(&row) {
            Ok(()) => Ok(row),
            Err(WriteError::NotFound { .. }) => self.insert(row),
            Err(error) => Err(error),
        }
    }

    /// Removes the row with this primary key; false if there was none.
    pub fn delete(&self, key: impl Key<R::Key>) -> bool {
        delete_packed::<R>(|out| key.put_key(out))
    }

    /// Removes all rows and says how many there were.
    pub fn clear(&self) -> u64 {
        delete_all(self.iter())
    }

    /// All rows, in no particular order, but always in the same one for the same history.
    pub fn iter(&self) -> Rows<'db, R> {
        Rows::open(PRIMARY, 0, |_bounds| {})
    }

    /// The number of rows; it is kept, not counted.
    pub fn count(&self) -> u64 {
        host::count(R::entry().number()).cast_unsigned()
    }
}

impl<'db, R: Row> IntoIterator for &Table<'db, R> {
    type Item = R;
    type IntoIter = Rows<'db, R>;

    fn into_iter(self) -> Rows<'db, R> {
        self.iter()
    }
}

/// Finds the row of a primary or unique key.
fn fetch<R: Row>(index: u32, put_key: impl FnOnce(&mut Vec<u8>)) -> Option<R> {
    scratch::with(|scratch| {
        scratch.key(put_key);
        scratch.find(R::entry().number(), index).map(rows::decode)
    })
}

/// Whether a primary or unique key has a row. No row is copied.
fn exists<R: Row>(index: u32, put_key: impl FnOnce(&mut Vec<u8>)) -> bool {
    let status = scratch::with(|scratch| {
        let key = scratch.key(put_key);
        host::find(R::entry().number(), index, key, &mut [])
    });
    status != abi::STATUS_NOT_FOUND
}

fn delete_packed<R: Row>(put_key: impl FnOnce(&mut Vec<u8>)) -> bool {
    let status = scratch::with(|scratch| {
        let key = scratch.key(put_key);
        host::delete(R::entry().number(), key)
    });
    status == 1
}

/// Removes every row of a scan. The scan is over before the first row goes.
fn delete_all<R: Row>(rows: Rows<'_, R>) -> u64 {
    let mut keys = Vec::new();
    let mut ends = Vec::new();
    for row in rows {
        row.put_index_key(PRIMARY, &mut keys);
        ends.push(keys.len());
    }
    let mut deleted = 0;
    let mut start = 0;
    for end in ends {
        deleted += u64::from(host::delete(R::entry().number(), &keys[start..end]) == 1);
        start = end;
    }
    deleted
}
