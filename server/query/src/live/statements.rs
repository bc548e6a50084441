//! What is remembered for who asks next: the syntax of queries, and what the module declares.

use std::sync::Arc;

use syncline_store::Database;

use super::LiveQueries;
use crate::asked::QueryRef;
use crate::declared::Declared;
use crate::error::QueryError;
use crate::syntax::Query;

/// Texts whose syntax is kept; when there are more all are forgotten.
const STATEMENTS_MAX: usize = 256;
/// A longer text is parsed each time: its syntax would take too much memory.
const STATEMENT_BYTES_MAX: usize = 1024;

impl LiveQueries {
    /// What the module declares, remembered for the next one.
    pub(super) fn declared(&mut self, db: &Database) -> Arc<Declared> {
        match &self.declared {
            Some(declared) if declared.is_of(db.schema()) => Arc::clone(declared),
            _ => Arc::clone(self.declared.insert(Arc::new(Declared::new(db.schema())))),
        }
    }

    /// The syntax of a query, remembered for the next one who sends it.
    pub(super) fn syntax(&mut self, query: QueryRef<'_>) -> Result<Arc<Query>, QueryError> {
        let statements = &mut self.statements[usize::from(matches!(query, QueryRef::Logical(_)))];
        if let Some(select) = statements.get(query.bytes()) {
            return Ok(Arc::clone(select));
        }
        let select = Arc::new(query.read()?);
        if query.bytes().len() > STATEMENT_BYTES_MAX {
            return Ok(select);
        }
        if statements.len() == STATEMENTS_MAX {
            statements.clear();
        }
        statements.insert(query.bytes().into(), Arc::clone(&select));
        Ok(select)
    }
}
