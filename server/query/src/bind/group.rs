//! Aggregates and GROUP BY.

use syncline_protocol::{ErrorCode, Type};

use super::binder::Binder;
use super::operand::{Operand, is_number, is_ordered, nullable};
use super::scopes::{Frame, Scope};
use super::types::{class_of, type_error};
use crate::error::QueryError;
use crate::plan::expr::{Expr, NumberClass, Slot};
use crate::plan::{Aggregate, AggregateCall};
use crate::syntax::{Node, Position};

impl<'a> Binder<'a> {
    /// `COUNT(*)`.
    pub(super) fn count_rows(&mut self, at: Position) -> Result<Operand, QueryError> {
        self.check_place("count", at)?;
        let (function, arg_ty) = (Aggregate::Count, Type::I64);
        Ok(self.add_call(AggregateCall {
            function,
            arg: None,
            distinct: false,
            arg_ty,
            ty: Type::I64,
        }))
    }

    /// An aggregate of one argument; `None` if the name is none.
    pub(super) fn aggregate(
        &mut self,
        name: &str,
        args: &'a [Node],
        distinct: bool,
        at: Position,
    ) -> Result<Option<Operand>, QueryError> {
        let function = match name {
            "count" => Aggregate::Count,
            "sum" => Aggregate::Sum,
            "min" => Aggregate::Min,
            "max" => Aggregate::Max,
            "avg" => Aggregate::Average,
            "bool_and" | "every" => Aggregate::All,
            "bool_or" => Aggregate::Any,
            _ => return Ok(None),
        };
        let [arg] = args else { return Ok(None) };
        self.check_place(name, at)?;
        self.scope().aggregates_allowed = false;
        let bound = self.value(arg);
        self.scope().aggregates_allowed = true;
        let (arg, arg_ty) = bound?;
        let inner = arg_ty.non_null();
        let is_fit = match function {
            Aggregate::Count => true,
            Aggregate::Sum => is_number(inner) || *inner == Type::Duration,
            Aggregate::Average => is_number(inner),
            Aggregate::Min | Aggregate::Max => is_ordered(inner),
            Aggregate::All | Aggregate::Any => *inner == Type::Bool,
        };
        if !is_fit {
            return Err(type_error(format!("{name} of {inner} is not defined"), at));
        }
        let ty = match function {
            Aggregate::Count => Type::I64,
            Aggregate::Average if *inner == Type::Decimal => nullable(inner),
            Aggregate::Average => nullable(&Type::F64),
            Aggregate::Min | Aggregate::Max | Aggregate::All | Aggregate::Any => nullable(inner),
            Aggregate::Sum if *inner == Type::Duration => nullable(inner),
            Aggregate::Sum => nullable(match class_of(inner) {
                NumberClass::Int64 => &Type::I64,
                NumberClass::Int128 => &Type::I128,
                NumberClass::Decimal => &Type::Decimal,
                NumberClass::Float => &Type::F64,
            }),
        };
        Ok(Some(self.add_call(AggregateCall {
            function,
            arg: Some(arg),
            // The others are the same of equal values.
            distinct: distinct
                && matches!(
                    function,
                    Aggregate::Count | Aggregate::Sum | Aggregate::Average
                ),
            arg_ty,
            ty,
        })))
    }

    /// `COUNT(DISTINCT x)` and the like.
    pub(super) fn distinct_call(
        &mut self,
        name: &str,
        args: &'a [Node],
        at: Position,
    ) -> Result<Operand, QueryError> {
        if let Some(bound) = self.aggregate(name, args, true, at)? {
            return Ok(bound);
        }
        let message = format!("DISTINCT inside {name} is not supported");
        Err(QueryError::new(ErrorCode::SqlUnsupported, message)
            .at(at)
            .hint("aggregates of one argument take it: count(DISTINCT x)"))
    }

    fn check_place(&self, name: &str, at: Position) -> Result<(), QueryError> {
        if matches!(self.frames.last(), Some(Frame::Select(scope)) if scope.aggregates_allowed) {
            return Ok(());
        }
        let message = format!("the aggregate {name} cannot stand here");
        Err(QueryError::new(ErrorCode::SqlUnsupported, message)
            .at(at)
            .hint("aggregates stand in the select list, HAVING and ORDER BY, not in each other"))
    }

    /// Equal calls are computed once.
    fn add_call(&mut self, call: AggregateCall) -> Operand {
        let ty = call.ty.clone();
        let calls = &mut self.scope().calls;
        let known = calls.iter().position(|other| *other == call);
        let index = known.unwrap_or_else(|| {
            calls.push(call);
            calls.len() - 1
        });
        Operand::Typed(Expr::Aggregate(index as u16), ty)
    }
}

/// The rows of a grouping, over which expressions over the sources' rows are rewritten.
pub(super) struct Groups<'g> {
    pub(super) keys: &'g [(Expr, Type)],
    pub(super) calls: &'g [AggregateCall],
    pub(super) scope: &'g Scope,
}

impl Groups<'_> {
    /// Rewrites an expression; `at` is where it stands, for the error.
    pub(super) fn rewrite(&self, expr: &mut Expr, at: Position) -> Result<(), QueryError> {
        let keys = self.keys;
        if let Some(position) = keys.iter().position(|(key, _)| key == expr) {
            *expr = Expr::Column(Slot::new(position, &keys[position].1));
            return Ok(());
        }
        match expr {
            Expr::Aggregate(index) => {
                let ty = &self.calls[usize::from(*index)].ty;
                *expr = Expr::Column(Slot::new(keys.len() + usize::from(*index), ty));
                Ok(())
            }
            Expr::Column(slot) => {
                let name = self.scope.name_of(*slot);
                let message = format!("column `{name}` has many values in a group");
                Err(QueryError::new(ErrorCode::SqlUnsupported, message)
                    .at(at)
                    .hint(format!(
                        "add it to GROUP BY, or use an aggregate: max({name})"
                    )))
            }
            other => {
                let mut result = Ok(());
                other.for_each_part_mut(&mut |part| {
                    if result.is_ok() {
                        result = self.rewrite(part, at);
                    }
                });
                result
            }
        }
    }
}
