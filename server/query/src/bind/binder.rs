//! What the names and parameters of a query stand for.

use syncline_protocol::limits::PARAMS_MAX;
use syncline_protocol::param::Param;
use syncline_protocol::{ErrorCode, Identity, TableDef, Type};

use super::names;
use super::operand::{Free, Operand};
use crate::error::QueryError;
use crate::plan::AggregateCall;
use crate::plan::expr::{Expr, Slot};
use crate::syntax::{Name, Position};

/// Name of the parameter that is the caller's identity.
const ME: &str = "me";

/// What expressions of one query are bound against.
pub(super) struct Binder<'a> {
    pub(super) def: &'a TableDef,
    /// The name by which columns may be qualified: the alias, else the table's.
    pub(super) qualifier: &'a str,
    params: &'a [(String, Param)],
    used: Vec<bool>,
    me: Identity,
    /// Aggregates met so far, and whether one may stand here.
    pub(super) calls: Vec<AggregateCall>,
    pub(super) aggregates_allowed: bool,
}

impl<'a> Binder<'a> {
    pub(super) fn new(
        def: &'a TableDef,
        qualifier: &'a str,
        params: &'a [(String, Param)],
        me: Identity,
    ) -> Result<Self, QueryError> {
        if params.len() > PARAMS_MAX {
            let message = format!("{} parameters are given, over {PARAMS_MAX}", params.len());
            return Err(QueryError::new(ErrorCode::SqlParameter, message));
        }
        for (position, (name, _)) in params.iter().enumerate() {
            let problem = if name == ME {
                "is the caller's identity and cannot be given"
            } else if params[..position].iter().any(|(other, _)| other == name) {
                "is given twice"
            } else {
                continue;
            };
            let message = format!("parameter :{name} {problem}");
            return Err(QueryError::new(ErrorCode::SqlParameter, message));
        }
        let used = vec![false; params.len()];
        let (calls, aggregates_allowed) = (Vec::new(), false);
        Ok(Self {
            def,
            qualifier,
            params,
            used,
            me,
            calls,
            aggregates_allowed,
        })
    }

    /// Fails if a parameter was given that the query does not have.
    pub(super) fn finish(self) -> Result<(), QueryError> {
        match self.used.iter().position(|used| !used) {
            None => Ok(()),
            Some(unused) => {
                let message = format!("the query has no parameter :{}", self.params[unused].0);
                Err(QueryError::new(ErrorCode::SqlParameter, message))
            }
        }
    }

    pub(super) fn column(&self, table: Option<&Name>, name: &Name) -> Result<Operand, QueryError> {
        self.check_qualifier(table)?;
        let position = names::column(self.def, name)?;
        let ty = self.def.columns[position].ty.clone();
        Ok(Operand::Typed(Expr::Column(Slot::new(position, &ty)), ty))
    }

    pub(super) fn check_qualifier(&self, table: Option<&Name>) -> Result<(), QueryError> {
        match table {
            Some(name) if !names::is_same(name, self.qualifier) => {
                let message = format!("the query has no table `{}`", name.text);
                Err(QueryError::new(ErrorCode::SqlUnknownTable, message)
                    .at(name.at)
                    .hint(format!("it has `{}`", self.qualifier)))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn parameter(&mut self, name: &str, at: Position) -> Result<Operand, QueryError> {
        if name == ME {
            return Ok(Operand::Typed(
                Expr::literal(Type::Identity, self.me.0.to_vec()),
                Type::Identity,
            ));
        }
        if let Some(position) = self.params.iter().position(|(other, _)| other == name) {
            self.used[position] = true;
            let value = self.params[position].1.clone();
            return Ok(Operand::Free(Free {
                value,
                parameter: Some(name.to_owned()),
                at,
            }));
        }
        let error = QueryError::new(
            ErrorCode::SqlParameter,
            format!("parameter :{name} is not given"),
        );
        let given: Vec<&str> = self.params.iter().map(|(name, _)| name.as_str()).collect();
        let error = error.at(at);
        Err(match names::suggestion(name, &given) {
            Some(hint) => error.hint(hint),
            None => error.hint("give it with the query, without the colon"),
        })
    }
}
