//! Reducers that write any row into any table.

use syncline::prelude::*;

use crate::tables::{
    Book, BookAccess, Everything, EverythingAccess, Pair, PairAccess, Price, PriceAccess, Reading,
    ReadingAccess, Secret, SecretAccess, Tiny, TinyAccess, Word, WordAccess,
};

/// `insert_..`, `update_..`, `upsert_..` and `delete_..` for a table.
macro_rules! write_reducers {
    ($table:ident $row:ident $insert:ident $update:ident $upsert:ident $delete:ident($($key:ident: $type:ty),+)) => {
        /// Adds a row and returns it as it is stored.
        #[reducer]
        pub(crate) fn $insert(ctx: &Context, row: $row) -> Result<$row, WriteError> {
            ctx.db().$table().insert(row)
        }

        /// Replaces the row with the same primary key.
        #[reducer]
        pub(crate) fn $update(ctx: &Context, row: $row) -> Result<(), WriteError> {
            ctx.db().$table().update(row)
        }

        /// Replaces the row with the same primary key, or adds it.
        #[reducer]
        pub(crate) fn $upsert(ctx: &Context, row: $row) -> Result<(), WriteError> {
            ctx.db().$table().upsert(row).map(|_row| ())
        }

        /// Removes the row with this primary key and says whether there was one.
        #[reducer]
        pub(crate) fn $delete(ctx: &Context, $($key: $type),+) -> bool {
            write_reducers!(@key ctx.db().$table(), delete $($key)+)
        }
    };
    (@key $table:expr, $method:ident $key:ident) => { $table.$method($key) };
    (@key $table:expr, $method:ident $($key:ident)+) => { $table.$method(($($key),+)) };
}

write_reducers!(everything Everything insert_everything update_everything upsert_everything
    delete_everything(id: u64));
write_reducers!(pair Pair insert_pair update_pair upsert_pair
    delete_pair(right: String, left: u32));
write_reducers!(word Word insert_word update_word upsert_word delete_word(word: String));
write_reducers!(book Book insert_book update_book upsert_book delete_book(id: u32));
write_reducers!(reading Reading insert_reading update_reading upsert_reading
    delete_reading(id: u64));
write_reducers!(price Price insert_price update_price upsert_price
    delete_price(rate: Decimal, name: String));
write_reducers!(secret Secret insert_secret update_secret upsert_secret
    delete_secret(owner: Identity));

/// Adds rows with the next numbers.
#[reducer]
pub(crate) fn insert_tiny(ctx: &Context, count: u32) -> Result<(), WriteError> {
    for _ in 0..count {
        ctx.db().tiny().insert(Tiny { id: 0 })?;
    }
    Ok(())
}

/// Changes, in one transaction: insert, update twice, delete another, insert it again as it was. What
/// subscribers see is the net of it.
#[reducer]
pub(crate) fn churn(ctx: &Context, sensor: u32) -> Result<(), WriteError> {
    let readings = ctx.db().reading();
    let at = ctx.timestamp();
    let old: Vec<_> = readings.by_sensor().filter(sensor).collect();
    for reading in &old {
        readings.delete(reading.id);
    }
    let fresh = Reading {
        id: 0,
        sensor,
        value: 1,
        at,
        quality: None,
        level: 0.5,
    };
    let fresh = readings.insert(fresh)?;
    readings.update(Reading {
        value: 2,
        ..fresh.clone()
    })?;
    readings.update(Reading { value: 3, ..fresh })?;
    for reading in old {
        readings.insert(reading)?;
    }
    Ok(())
}

/// Removes all rows of a sensor and returns how many there were.
#[reducer]
pub(crate) fn delete_sensor(ctx: &Context, sensor: u32) -> u64 {
    ctx.db().reading().by_sensor().delete_all(sensor)
}

/// Removes all readings and returns how many there were.
#[reducer]
pub(crate) fn clear_readings(ctx: &Context) -> u64 {
    ctx.db().reading().clear()
}

/// Two ids trade places in one transaction: each unique key is free when it is taken.
#[reducer]
pub(crate) fn swap_books(ctx: &Context, one: u32, other: u32) -> Result<(), String> {
    let books = ctx.db().book();
    let one = books.find(one).ok_or("no such book")?;
    let other = books.find(other).ok_or("no such book")?;
    books.delete(one.id);
    books.delete(other.id);
    let (one_id, other_id) = (one.id, other.id);
    books.insert(Book {
        id: other_id,
        ..one
    })?;
    books.insert(Book {
        id: one_id,
        ..other
    })?;
    Ok(())
}
