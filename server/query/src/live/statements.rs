//! What is remembered for who asks next: the syntax of queries, and what the module declares.

use std::sync::Arc;

use syncline_protocol::ErrorCode;
use syncline_store::Database;

use super::{LiveQueries, Statement};
use crate::Caller;
use crate::asked::QueryRef;
use crate::bind::asks_view;
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

    /// Whether a caller's query may live here, if only views may.
    pub(super) fn check_adhoc(
        &self,
        db: &Database,
        declared: &Arc<Declared>,
        select: &Arc<Query>,
        caller: &Caller,
    ) -> Result<(), QueryError> {
        let is_free = self.budgets.allow_adhoc || caller.admin;
        if is_free || asks_view(db, declared, select, caller) {
            return Ok(());
        }
        let message = "only views of the module may be live here";
        Err(QueryError::new(ErrorCode::AdhocLiveOff, message)
            .hint("subscribe to SELECT * FROM view(..), or ask the query once"))
    }

    /// A query without its parameters, for [`Self::set_params`]; the same for all that ask alike.
    pub fn statement<'a>(
        &mut self,
        query: impl Into<QueryRef<'a>>,
    ) -> Result<Statement, QueryError> {
        self.syntax(query.into()).map(Statement)
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
