//! What is known while a query is bound: who asks, what the parameters are, which names are in sight.

use syncline_protocol::limits::{PARAMS_MAX, QUERY_PARTS_MAX};
use syncline_protocol::param::Param;
use syncline_protocol::{ErrorCode, Type};
use syncline_store::Database;

use super::names;
use super::operand::{Free, Operand};
use super::scopes::Frame;
use crate::Caller;
use crate::declared::Declared;
use crate::error::QueryError;
use crate::plan::expr::Expr;
use crate::syntax::{Name, Position, Query};

/// Name of the parameter that is the caller's identity.
const ME: &str = "me";

/// What queries are bound against.
pub(super) struct Binder<'a> {
    pub(super) db: &'a Database,
    pub(super) declared: &'a Declared,
    pub(super) caller: Caller,
    /// Whether a claim was met.
    pub(super) has_claims: bool,
    params: &'a [(String, Param)],
    used: Vec<bool>,
    /// The positions of the parameters, in the order of their uses.
    uses: Vec<u16>,
    /// Parameters of the view that is being bound (a policy has none); the query's are out of sight there.
    pub(super) local: Option<Vec<(&'a str, Expr, Type)>>,
    /// Views that are being bound, one in the other.
    pub(super) view_depth: usize,
    /// Whether every row needs a key: in all that lives, and in what is ordered.
    pub(super) keyed: bool,
    pub(super) frames: Vec<Frame>,
    /// What WITH names, the last one first to be found, and whether it was.
    pub(super) with: Vec<(&'a Name, &'a Query, bool)>,
    /// Sources bound so far, those of every use of a WITH among them.
    pub(super) source_count: usize,
    /// Parts of expressions made so far, copies among them.
    parts: usize,
}

impl<'a> Binder<'a> {
    pub(super) fn new(
        db: &'a Database,
        declared: &'a Declared,
        params: &'a [(String, Param)],
        caller: &Caller,
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
        Ok(Self {
            db,
            declared,
            caller: caller.clone(),
            has_claims: false,
            params,
            used: vec![false; params.len()],
            uses: Vec::new(),
            local: None,
            view_depth: 0,
            keyed: false,
            frames: Vec::new(),
            with: Vec::new(),
            source_count: 0,
            parts: 0,
        })
    }

    /// Counts parts of expressions before they are made. Copies of copies are as many as the levels of them are
    /// to a power, so the text being short bounds nothing.
    pub(super) fn count_parts(&mut self, count: usize, at: Position) -> Result<(), QueryError> {
        self.parts = self.parts.saturating_add(count);
        if self.parts <= QUERY_PARTS_MAX {
            return Ok(());
        }
        let message = format!("the expressions of the query have over {QUERY_PARTS_MAX} parts");
        Err(QueryError::new(ErrorCode::QueryLimit, message)
            .at(at)
            .hint("nullif, BETWEEN, CASE x WHEN and RANK repeat their operands: compute these in a query in FROM"))
    }

    /// What `bind` gives, and how many parts it has made: a copy of it has no more.
    pub(super) fn sized<T>(
        &mut self,
        bind: impl FnOnce(&mut Self) -> Result<T, QueryError>,
    ) -> Result<(T, usize), QueryError> {
        let before = self.parts;
        let bound = bind(self)?;
        Ok((bound, self.parts - before))
    }

    /// Which parameters were used, one after the other. Fails if one was given that the query does not have.
    pub(super) fn finish(self) -> Result<Vec<u16>, QueryError> {
        match self.used.iter().position(|used| !used) {
            None => Ok(self.uses),
            Some(unused) => {
                let message = format!("the query has no parameter :{}", self.params[unused].0);
                Err(QueryError::new(ErrorCode::SqlParameter, message))
            }
        }
    }

    pub(super) fn parameter(&mut self, name: &str, at: Position) -> Result<Operand, QueryError> {
        if name == ME {
            let me = self.caller.identity.0.to_vec();
            return Ok(Operand::Typed(
                Expr::literal(Type::Identity, me),
                Type::Identity,
            ));
        }
        if let Some(local) = &self.local {
            let found = local.iter().find(|(other, ..)| *other == name);
            if let Some((_, expr, ty)) = found {
                let bound = Operand::Typed(expr.clone(), ty.clone());
                if let Expr::Literal(literal) = expr {
                    self.count_parts(literal.packed.len() >> 10, at)?;
                }
                return Ok(bound);
            }
            let message = format!("the parameter :{name} is not declared");
            return Err(QueryError::new(ErrorCode::SqlParameter, message)
                .at(at)
                .hint("a view has the parameters that it declares, a policy none but :me"));
        }
        if let Some(position) = self.params.iter().position(|(other, _)| other == name) {
            self.used[position] = true;
            let given = &self.params[position].1;
            self.count_parts(extra_parts(given), at)?;
            let value = given.clone();
            self.uses.push(position as u16);
            // Of more uses than there are numbers the last ones have none.
            let origin = u16::try_from(self.uses.len()).unwrap_or(0);
            return Ok(Operand::Free(Free {
                origin,
                ..Free::new(value, Some(name.to_owned()), at)
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

/// What a value counts for beside the one part that it is: for its length.
pub(super) fn extra_parts(value: &Param) -> usize {
    match value {
        Param::Text(text) => text.len() >> 10,
        Param::Bytes(bytes) => bytes.len() >> 10,
        Param::List(items) => items.iter().map(|item| 1 + extra_parts(item)).sum(),
        _ => 0,
    }
}
