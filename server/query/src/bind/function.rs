//! Functions of values.

use syncline_protocol::param::Param;
use syncline_protocol::{ErrorCode, Type};

use super::binder::Binder;
use super::names;
use super::operand::{Free, Operand, is_number, null_of, nullable};
use super::types::{arithmetic, class_of, comparable, type_error, unify};
use crate::error::QueryError;
use crate::plan::expr::{Expr, Function};
use crate::scalar::is_nullable;
use crate::syntax::{ArithmeticOp, CompareOp, Node, Position};

fn with_null(ty: Type, is_null: bool) -> Type {
    if is_null { nullable(&ty) } else { ty }
}

impl<'a> Binder<'a> {
    /// A call of a function by its lower-case name.
    pub(super) fn call(
        &mut self,
        name: &str,
        args: &'a [Node],
        at: Position,
    ) -> Result<Operand, QueryError> {
        if let Some(bound) = self.aggregate(name, args, false, at)? {
            return Ok(bound);
        }
        let (expr, ty) = match (name, args) {
            ("coalesce", [_, ..]) => {
                let args = args.iter().map(|arg| self.operand(arg));
                let (args, ty) = unify(args.collect::<Result<_, _>>()?, at)?;
                let is_null = args.iter().all(|(_, is_null)| *is_null);
                let args = args.into_iter().map(|(expr, _)| expr).collect();
                (Expr::Coalesce(args), with_null(ty, is_null))
            }
            ("nullif", [left, right]) => {
                let (left, right) = (self.operand(left)?, self.operand(right)?);
                let (left, right) = comparable(left, right, at)?;
                let value = Box::new(left.0.clone());
                let same = Expr::Compare(CompareOp::Equal, Box::new(left.0), Box::new(right.0));
                let (null, ty) = null_of(&left.1);
                (Expr::Case(vec![(same, null)], Some(value)), ty)
            }
            ("lower" | "upper", [arg]) => {
                let (arg, ty) = self.text(arg, name)?;
                let function = if name == "lower" {
                    Function::Lower
                } else {
                    Function::Upper
                };
                (Expr::Call(function, vec![arg]), ty)
            }
            ("length" | "char_length", [arg]) => self.length(name, arg)?,
            ("abs", [arg]) => self.abs(arg)?,
            ("starts_with", [text, prefix]) => {
                let (text, prefix) = (self.text(text, name)?, self.text(prefix, name)?);
                let is_null = is_nullable(&text.1) || is_nullable(&prefix.1);
                let expr = Expr::Call(Function::StartsWith, vec![text.0, prefix.0]);
                (expr, with_null(Type::Bool, is_null))
            }
            _ => return Err(unknown_function(name, args.len(), at)),
        };
        Ok(Operand::Typed(expr, ty))
    }

    fn length(&mut self, name: &str, node: &'a Node) -> Result<(Expr, Type), QueryError> {
        let (arg, ty) = self.value(node)?;
        let function = match ty.non_null() {
            Type::String => Function::CharCount,
            Type::Bytes => Function::ByteCount,
            other => {
                let message = format!("{name} takes text or bytes, not {other}");
                return Err(type_error(message, node.at));
            }
        };
        Ok((
            Expr::Call(function, vec![arg]),
            with_null(Type::I64, is_nullable(&ty)),
        ))
    }

    fn abs(&mut self, node: &'a Node) -> Result<(Expr, Type), QueryError> {
        let (arg, ty) = self.value(node)?;
        if !is_number(ty.non_null()) {
            return Err(type_error(
                format!("abs takes a number, not {}", ty.non_null()),
                node.at,
            ));
        }
        let class = class_of(&ty);
        // Its type is that of 0 - x: the least integer has no opposite.
        let zero = Operand::Free(Free {
            value: Param::Int(0),
            parameter: None,
            at: node.at,
        });
        let operand = Operand::Typed(arg.clone(), ty);
        let (_, ty) = arithmetic(ArithmeticOp::Subtract, zero, operand, node.at)?.settle()?;
        Ok((Expr::Call(Function::Abs(class), vec![arg]), ty))
    }
}

fn unknown_function(name: &str, arg_count: usize, at: Position) -> QueryError {
    const KNOWN: [&str; 15] = [
        "coalesce",
        "nullif",
        "lower",
        "upper",
        "length",
        "char_length",
        "abs",
        "starts_with",
        "count",
        "sum",
        "min",
        "max",
        "avg",
        "bool_and",
        "bool_or",
    ];
    let unsupported = |message: String| QueryError::new(ErrorCode::SqlUnsupported, message).at(at);
    if KNOWN.contains(&name) {
        return unsupported(format!("{name} does not take {arg_count} arguments"));
    }
    let error = unsupported(format!("there is no function {name}"));
    match name {
        "now" | "current_timestamp" | "clock_timestamp" => error.hint(
            "time changes without a transaction: give it as a parameter, or store it in a column",
        ),
        "random" | "gen_random_uuid" => error.hint("queries are functions of the data"),
        _ => error.hint(
            names::suggestion(name, &KNOWN)
                .unwrap_or_else(|| format!("there are {}", KNOWN.join(", "))),
        ),
    }
}
