//! Reducers that ask queries.

use syncline::prelude::*;

use crate::tables::{Reading, ReadingAccess};

/// The rows of a query with one column of integers; `:bound` is a parameter of it.
#[reducer]
pub(crate) fn ask(ctx: &Context, sql: String, bound: i64) -> Result<Vec<i64>, String> {
    let rows = ctx.query(&sql).bind("bound", bound).rows::<(i64,)>()?;
    Ok(rows.into_iter().map(|(number,)| number).collect())
}

/// Sees its own writes, and takes them back.
#[reducer]
pub(crate) fn ask_after_write(ctx: &Context, count: i64) -> Result<(), String> {
    let reading = ctx.db().reading();
    for value in 0..count {
        reading
            .insert(Reading {
                id: 0,
                sensor: 77,
                quality: None,
                level: 0.0,
                at: ctx.timestamp(),
                value,
            })
            .map_err(|error| error.to_string())?;
    }
    let seen = ctx
        .query("SELECT COUNT(*), SUM(value) FROM reading WHERE sensor = :sensor")
        .bind("sensor", 77)
        .one::<(i64, Option<i64>)>()?;
    Err(format!("seen {seen:?}"))
}

/// Rows of a table, as its type, in chunks.
#[reducer]
pub(crate) fn ask_rows(ctx: &Context) -> Result<i64, QueryError> {
    let rows: Vec<Reading> = ctx.query("SELECT * FROM reading ORDER BY id").rows()?;
    Ok(rows.iter().map(|row| row.value).sum())
}
