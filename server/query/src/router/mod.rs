//! From changed rows to the instances that they may concern.

mod cover;
mod signature;
mod space;
mod span;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use cover::{Route, Routes, cover};
#[cfg(test)]
pub(crate) use table::SIGNATURES_MAX;
pub(crate) use table::{Group, Sides, TableRouter, Target, is_scanned};

use crate::plan::expr::Expr;

/// The routes of a source of several: `conds` are conditions on its row alone. What one key has in common is
/// followed once for all who listen to it, so equalities do not go with bounds here.
pub(crate) fn site_routes(conds: &[Expr]) -> Option<Routes> {
    let all = Expr::And(conds.to_vec());
    let mut routes = cover(Some(&all)).filter(|routes| !routes.iter().any(Route::is_weak))?;
    routes.iter_mut().for_each(Route::prefer_equality);
    Some(Routes::new(routes))
}

/// Whether these conditions lead to instances by order alone: a way that compares for equality is better.
pub(crate) fn is_order(conds: &[Expr]) -> bool {
    site_routes(conds).is_some_and(|routes| routes.iter().any(Route::is_order))
}

/// Whether a source's row can be routed by these conditions on it alone.
pub(crate) fn is_covered(conds: &[Expr]) -> bool {
    site_routes(conds).is_some()
}
