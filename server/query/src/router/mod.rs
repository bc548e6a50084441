//! From changed rows to the instances that they may concern.

mod cover;
mod table;

pub(crate) use cover::{Route, cover};
#[cfg(test)]
pub(crate) use table::SIGNATURES_MAX;
pub(crate) use table::{Group, TableRouter, Target};

use crate::plan::expr::Expr;

/// The routes of a source of several: `conds` are conditions on its row alone.
pub(crate) fn site_routes(conds: &[Expr]) -> Option<Vec<Route>> {
    let all = Expr::And(conds.to_vec());
    cover(Some(&all)).filter(|routes| !routes.iter().any(Route::is_weak))
}

/// Whether a source's row can be routed by these conditions on it alone.
pub(crate) fn is_covered(conds: &[Expr]) -> bool {
    site_routes(conds).is_some()
}
