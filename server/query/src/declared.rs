//! What a module declares in SQL: policies and views, read when they are first needed.

use std::sync::{Arc, OnceLock};

use syncline_protocol::{TableId, ViewDef};
use syncline_store::DatabaseSchema;

use crate::error::QueryError;
use crate::parse::{parse, parse_condition};
use crate::syntax::{Node, Query};

/// The policies and views of a schema.
#[derive(Debug)]
pub(crate) struct Declared {
    schema: Arc<DatabaseSchema>,
    /// As the schema has them.
    policies: Vec<OnceLock<Result<Node, QueryError>>>,
    views: Vec<OnceLock<Result<Query, QueryError>>>,
}

impl Declared {
    pub(crate) fn new(schema: &Arc<DatabaseSchema>) -> Self {
        let module = &schema.module;
        Self {
            schema: Arc::clone(schema),
            policies: module.policies.iter().map(|_| OnceLock::new()).collect(),
            views: module.views.iter().map(|_| OnceLock::new()).collect(),
        }
    }

    /// Whether it is of this schema.
    pub(crate) fn is_of(&self, schema: &Arc<DatabaseSchema>) -> bool {
        Arc::ptr_eq(&self.schema, schema)
    }

    /// The condition of a table's policy, if it has one.
    pub(crate) fn policy(&self, table: TableId) -> Option<Result<&Node, &QueryError>> {
        if self.policies.is_empty() {
            return None;
        }
        let position = self.schema.table_ids.iter().position(|id| *id == table)?;
        let policies = &self.schema.module.policies;
        let at = policies
            .iter()
            .position(|policy| usize::from(policy.table) == position)?;
        let parsed = self.policies[at].get_or_init(|| parse_condition(&policies[at].condition));
        Some(parsed.as_ref())
    }

    pub(crate) fn views(&self) -> impl Iterator<Item = (&str, usize)> + Clone {
        let views = self.schema.module.views.iter().enumerate();
        views.map(|(position, view)| (view.name.as_str(), position))
    }

    /// A view by its position.
    pub(crate) fn view(&self, position: usize) -> (&ViewDef, Result<&Query, &QueryError>) {
        let def = &self.schema.module.views[position];
        let parsed = self.views[position].get_or_init(|| parse(&def.sql));
        (def, parsed.as_ref())
    }
}

#[cfg(test)]
mod tests;
