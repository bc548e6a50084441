//! How many rows are ahead of one: `COUNT(*) .. WHERE score > (SELECT score .. WHERE id = :me)`, and
//! `RANK()` of one row.
//!
//! Every instance watches the place that one row, its subject, has in a counted index. A row that moves in
//! that index changes the counts of exactly the watchers between its old place and its new one, by one: so
//! watchers are kept in the order of their places, each with its count, and a step goes over those between.
//! The count is asked of the index only when the subject itself moves.

mod plan;
mod shape;
mod step;
mod watchers;

/// The site of the rows that a rank counts, among those that every change concerns.
pub(super) const RANK: u16 = u16::MAX;

pub(super) use plan::Rank;
pub(super) use step::RankScratch;
pub(super) use watchers::{Place, Watchers};
