//! What the test corpus runs on (`tests/corpus`): tables of every shape, reducers that write any row into them,
//! and reducers that misbehave.
//!
//! - [`tables`]: a column of every type; keys and indexes of every kind.
//! - [`rows`]: `insert_..`, `update_..` and `delete_..` for each table.
//! - [`answers`]: what reducers return: values of every type, the context, sums over tables.
//! - [`presence`]: `connected` and `disconnected`, counted in a public table.
//! - [`queries`]: SQL in a reducer.
//! - [`trouble`]: errors, panics, traps and every limit.
//! - [`visibility`]: row policies and a view.
//! - `attic`: a table more, with the feature of that name.

mod answers;
#[cfg(feature = "attic")]
mod attic;
mod presence;
mod queries;
mod rows;
mod tables;
mod trouble;
mod visibility;

#[cfg(test)]
mod tests;
