//! Syntax to plan: every name is looked up, every type checked, and an error says where and what else
//! was meant. What can be said in several ways (BETWEEN, USING, RIGHT JOIN, WITH, AFTER, RANK) becomes
//! one.

mod binder;
mod claims;
mod expr;
mod function;
mod group;
pub(crate) mod keys;
mod names;
mod operand;
mod order;
mod outputs;
mod policy;
mod scopes;
mod select;
mod sources;
mod sub_query;
#[cfg(test)]
mod tests;
mod types;
mod union;
mod view;

use syncline_protocol::ErrorCode;
use syncline_protocol::param::Param;
use syncline_store::Database;

use crate::Caller;
use crate::declared::Declared;
use crate::error::QueryError;
use crate::plan::Query;
use crate::syntax::{self, Body, Node};
use binder::Binder;
use operand::Operand;
use scopes::Frame;
pub(crate) use view::asks_view;

/// Columns of a result, and keys of a group or an order.
const OUTPUTS_MAX: usize = 256;
const KEYS_MAX: usize = 32;

/// What a query is bound for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// To be evaluated once.
    Once,
    /// To be kept current: its rows need keys.
    Live,
}

/// Binds a query with its parameters for a caller: policies are conditions of it, and views parts of it.
pub(crate) fn bind(
    db: &Database,
    declared: &Declared,
    query: &syntax::Query,
    params: &[(String, Param)],
    caller: &Caller,
    mode: Mode,
) -> Result<Query, QueryError> {
    Ok(bind_uses(db, declared, query, params, caller, mode)?.0)
}

/// Appends the packed value of a parameter as one of a type; `false` if it is none, or NULL.
pub(crate) fn pack_param(value: &Param, ty: &syncline_protocol::Type, out: &mut Vec<u8>) -> bool {
    if *value == Param::Null {
        return false;
    }
    let at = syntax::Position { line: 1, column: 1 };
    match operand::Free::new(value.clone(), None, at).exactly(ty) {
        Some((crate::plan::expr::Expr::Literal(literal), _)) => {
            out.extend_from_slice(&literal.packed);
            true
        }
        _ => false,
    }
}

/// As [`bind`], with the position of the parameter that each use is of: what literals have as their origin.
pub(crate) fn bind_uses(
    db: &Database,
    declared: &Declared,
    query: &syntax::Query,
    params: &[(String, Param)],
    caller: &Caller,
    mode: Mode,
) -> Result<(Query, Vec<u16>), QueryError> {
    debug_assert!(
        declared.is_of(db.schema()),
        "declarations are of the schema"
    );
    let mut binder = Binder::new(db, declared, params, caller)?;
    binder.keyed = mode == Mode::Live;
    let bound = match binder.whole_view(query)? {
        Some(bound) => bound,
        None => binder.query(query)?,
    };
    let uses = binder.finish()?;
    Ok((bound, uses))
}

impl<'a> Binder<'a> {
    /// Binds a query in the scope of the frames there are.
    pub(super) fn query(&mut self, query: &'a syntax::Query) -> Result<Query, QueryError> {
        let (with, keyed) = (self.with.len(), self.keyed);
        self.with
            .extend(query.with.iter().map(|(name, query)| (name, query, false)));
        self.keyed |= !query.order.is_empty();
        let mut bound = match &query.body {
            Body::Select(select) => self.select(select, query)?,
            Body::Union { all, branches } => self.union(*all, branches, query)?,
        };
        self.keyed = keyed;
        // What nobody uses must be right all the same.
        for position in (with..self.with.len()).rev() {
            let (_, query, is_used) = self.with[position];
            if !is_used {
                self.walled(query, position)?;
            }
        }
        self.with.truncate(with);
        // No column can stand in LIMIT and OFFSET.
        self.frames.push(Frame::Wall);
        if let Some(node) = &query.limit {
            bound.limit = self.count(node, "LIMIT")?;
        }
        if let Some(node) = &query.offset {
            bound.offset = self.count(node, "OFFSET")?.unwrap_or(0);
        }
        self.frames.pop();
        Ok(bound)
    }

    /// A number of rows: a literal, a parameter, or computed of those. NULL is no limit, so a claim, which some do not
    /// have, cannot be one.
    fn count(&mut self, node: &'a Node, clause: &str) -> Result<Option<u64>, QueryError> {
        let bound = self.operand(node)?;
        let message = match &bound {
            Operand::Free(claim) if claim.is_claim => {
                format!("{clause} takes a number or a parameter, not a claim")
            }
            Operand::Free(free) => match &free.value {
                Param::Null => return Ok(None),
                Param::Int(value) if *value >= 0 => {
                    return Ok(Some(u64::try_from(*value).unwrap_or(u64::MAX)));
                }
                _ => format!("{clause} takes a number of rows, not {}", free.describe()),
            },
            Operand::Typed(..) => format!("{clause} takes a number or a parameter"),
        };
        Err(QueryError::new(ErrorCode::SqlType, message).at(node.at))
    }
}

fn check_key_count(count: usize, clause: &str) -> Result<(), QueryError> {
    if count <= KEYS_MAX {
        return Ok(());
    }
    let message = format!("{clause} has {count} keys, over {KEYS_MAX}");
    Err(QueryError::new(ErrorCode::QueryLimit, message))
}
