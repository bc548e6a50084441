//! What an evaluation of a select would do, without doing it.

use syncline_store::Database;

use super::access::{Access, choose_ordered};
use super::runner::Runner;
use super::sort::sort_keys;
use crate::error::QueryError;
use crate::plan::expr::Params;
use crate::plan::{Query, Select};

/// One loop over the rows of a source.
#[derive(Debug)]
pub(crate) struct Loop {
    /// Its position in FROM.
    pub(crate) source: usize,
    pub(crate) access: Access,
    /// Its rows are read once and found by a hash.
    pub(crate) is_hashed: bool,
}

/// The loops of a select of a query, the outermost first. Queries in FROM are evaluated.
pub(crate) fn outline(
    db: &Database,
    query: &Query,
    select: &Select,
    params: Params<'_>,
) -> Result<Vec<Loop>, QueryError> {
    let is_ordered = !query.order.is_empty() && select.grouping.is_none() && !select.distinct;
    if let Some(table) = select.only_table().and_then(|id| db.table(id))
        && is_ordered
    {
        let order = sort_keys(query, select, &query.order);
        let path = choose_ordered(table, select.filter.as_ref(), &order);
        if let Some(path) = path.filter(|path| query.limit.is_some() || !path.equal.is_empty()) {
            return Ok(vec![Loop {
                source: 0,
                access: Access::Range(path),
                is_hashed: false,
            }]);
        }
    }
    let runner = Runner::new(db, query, params);
    Ok(runner.join(select)?.outline())
}
