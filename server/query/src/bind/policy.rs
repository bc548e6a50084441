//! Row visibility: the policy of a table is a condition wherever the table is read.
//!
//! It is bound as if the table stood alone, so nothing of the query can change what it means, and reads
//! other tables as they are. The admin, and so every reducer, sees all rows.

use super::binder::Binder;
use super::scopes::{Frame, NamedColumn, Scope, Visible};
use crate::Caller;
use crate::error::QueryError;
use crate::plan::Relation;
use crate::plan::expr::Expr;

impl Binder<'_> {
    /// The condition for the rows of a source that the caller sees.
    pub(super) fn policy(
        &mut self,
        relation: &Relation,
        number: usize,
    ) -> Result<Option<Expr>, QueryError> {
        let Relation::Table(id) = relation else {
            return Ok(None);
        };
        if self.caller.admin {
            return Ok(None);
        }
        let (Some(policy), Some(table)) = (self.declared.policy(*id), self.db.table(*id)) else {
            return Ok(None);
        };
        let def = table.def();
        let within = |error: QueryError| {
            let message = format!(
                "policy of table `{}`: {}",
                def.name,
                error.to_wire().message
            );
            QueryError {
                message,
                position: None,
                ..error
            }
        };
        let policy = policy.map_err(|error| within(error.clone()))?;
        let columns = def.columns.iter().map(|column| NamedColumn {
            name: column.name.clone(),
            ty: column.ty.clone(),
            merged: false,
        });
        let alone = Visible {
            name: def.name.clone(),
            columns: columns.collect(),
            number,
            left: false,
            place: 0,
        };
        let raw = Caller {
            admin: true,
            ..self.caller.clone()
        };
        let caller = std::mem::replace(&mut self.caller, raw);
        let local = self.local.replace(Vec::new());
        let with = std::mem::take(&mut self.with);
        self.frames.push(Frame::Wall);
        self.frames.push(Frame::Select(Scope {
            visible: vec![alone],
            ..Scope::default()
        }));
        let bound = self.condition(policy);
        self.frames.truncate(self.frames.len() - 2);
        (self.caller, self.local, self.with) = (caller, local, with);
        let bound = bound.map_err(within)?;
        Ok(self.decided(bound))
    }
}
