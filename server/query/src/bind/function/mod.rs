//! Functions of values: which arguments they take and what they give. docs/query.md has the list.
//!
//! A function is NULL if an argument is, but for `coalesce`, `nullif` and `concat`.

mod number;
mod text;

use syncline_protocol::{ErrorCode, Type};

use super::binder::Binder;
use super::names;
use super::operand::{Free, Operand, is_ordered, null_of, nullable};
use super::types::{comparable, type_error, unify};
use crate::error::QueryError;
use crate::plan::expr::{Expr, Function};
use crate::scalar::is_nullable;
use crate::syntax::{CompareOp, Node, Position};

fn with_null(ty: Type, is_null: bool) -> Type {
    if is_null { nullable(&ty) } else { ty }
}

/// A call that is NULL if an argument is.
fn strict(function: Function, args: Vec<(Expr, Type)>, ty: Type) -> (Expr, Type) {
    let is_null = args.iter().any(|(_, ty)| is_nullable(ty));
    let args = args.into_iter().map(|(expr, _)| expr).collect();
    (Expr::Call(function, args), with_null(ty, is_null))
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
        let found = match self.choice(name, args, at)? {
            Some(bound) => Some(bound),
            None => match self.text_function(name, args, at)? {
                Some(bound) => Some(bound),
                None => self.number_function(name, args, at)?,
            },
        };
        match found {
            Some((expr, ty)) => Ok(Operand::Typed(expr, ty)),
            None => Err(unknown_function(name, args.len(), at)),
        }
    }

    /// Functions that choose among their arguments, of any type.
    fn choice(
        &mut self,
        name: &str,
        args: &'a [Node],
        at: Position,
    ) -> Result<Option<(Expr, Type)>, QueryError> {
        Ok(Some(match (name, args) {
            ("coalesce", [_, ..]) | ("ifnull", [_, _]) => {
                let args = args.iter().map(|arg| self.operand(arg));
                let (args, ty) = unify(args.collect::<Result<_, _>>()?, at)?;
                let is_null = args.iter().all(|(_, is_null)| *is_null);
                let args = args.into_iter().map(|(expr, _)| expr).collect();
                (Expr::Coalesce(args), with_null(ty, is_null))
            }
            ("nullif", [left, right]) => {
                let (left, size) = self.sized(|this| this.operand(left))?;
                let right = self.operand(right)?;
                let (left, right) = comparable(left, right, at)?;
                self.count_parts(size, at)?;
                let value = Box::new(left.0.clone());
                let same = Expr::Compare(CompareOp::Equal, Box::new(left.0), Box::new(right.0));
                let (null, ty) = null_of(&left.1);
                (Expr::Case(vec![(same, null)], Some(value)), ty)
            }
            ("greatest" | "least", [_, ..]) => {
                let args = args.iter().map(|arg| self.operand(arg));
                let (args, ty) = unify(args.collect::<Result<_, _>>()?, at)?;
                if !is_ordered(&ty) {
                    return Err(type_error(format!("values of type {ty} have no order"), at));
                }
                let function = if name == "greatest" {
                    Function::Greatest
                } else {
                    Function::Least
                };
                let is_null = args.iter().any(|(_, is_null)| *is_null);
                let args = args.into_iter().map(|(expr, _)| expr).collect();
                (Expr::Call(function, args), with_null(ty, is_null))
            }
            ("json_type" | "json_typeof", [arg]) => strict(
                Function::JsonType,
                vec![self.json(arg, name)?],
                Type::String,
            ),
            ("json_array_length", [arg]) => {
                let (expr, _) =
                    strict(Function::JsonLength, vec![self.json(arg, name)?], Type::I64);
                (expr, nullable(&Type::I64))
            }
            _ => return Ok(None),
        }))
    }

    fn json(&mut self, node: &'a Node, operator: &str) -> Result<(Expr, Type), QueryError> {
        let (expr, ty) = self.operand(node)?.meet(&Type::Json)?;
        if *ty.non_null() == Type::Json {
            return Ok((expr, ty));
        }
        Err(type_error(
            format!("{operator} takes JSON, not {}", ty.non_null()),
            node.at,
        )
        .hint("CAST(x AS json) makes JSON of a text"))
    }

    /// `json -> key` and `json ->> key`: a member by its name, an item by its place.
    pub(super) fn json_part(
        &mut self,
        json: &'a Node,
        key: &'a Node,
        as_text: bool,
    ) -> Result<Operand, QueryError> {
        let operator = if as_text { "->>" } else { "->" };
        let (json, _) = self.json(json, operator)?;
        let (key_expr, key_ty) = self.value(key)?;
        let function = match key_ty.non_null() {
            Type::String => Function::JsonMember,
            number if number.is_integer() => Function::JsonItem,
            other => {
                let message = format!("{operator} takes a name or a place, not {other}");
                return Err(type_error(message, key.at));
            }
        };
        let part = Expr::Call(function, vec![json, key_expr]);
        Ok(if as_text {
            let text = Expr::Call(Function::JsonText, vec![part]);
            Operand::Typed(text, nullable(&Type::String))
        } else {
            Operand::Typed(part, nullable(&Type::Json))
        })
    }

    /// An argument that must be a whole number.
    fn whole(&mut self, node: &'a Node, name: &str) -> Result<(Expr, Type), QueryError> {
        let (expr, ty) = match self.operand(node)? {
            Operand::Free(free) => whole_literal(free)?,
            typed @ Operand::Typed(..) => typed.settle()?,
        };
        if ty.non_null().is_integer() {
            return Ok((expr, ty));
        }
        let message = format!("{name} takes a whole number here, not {}", ty.non_null());
        Err(type_error(message, node.at))
    }
}

fn whole_literal(free: Free) -> Result<(Expr, Type), QueryError> {
    match free.exactly(&Type::I64) {
        Some((expr, _)) if free.value == syncline_protocol::param::Param::Null => {
            Ok((expr, nullable(&Type::I64)))
        }
        Some(bound) => Ok(bound),
        None if free.is_claim => Ok(null_of(&Type::I64)),
        None => free.settle(),
    }
}

/// All there are, aggregates too, for who wrote another name.
const KNOWN: [&str; 46] = [
    "coalesce",
    "ifnull",
    "nullif",
    "greatest",
    "least",
    "lower",
    "upper",
    "length",
    "char_length",
    "octet_length",
    "substr",
    "left",
    "right",
    "trim",
    "btrim",
    "ltrim",
    "rtrim",
    "replace",
    "concat",
    "starts_with",
    "ends_with",
    "instr",
    "strpos",
    "position",
    "reverse",
    "abs",
    "sign",
    "round",
    "floor",
    "ceil",
    "ceiling",
    "trunc",
    "mod",
    "power",
    "sqrt",
    "json_type",
    "json_typeof",
    "json_array_length",
    "substring",
    "count",
    "sum",
    "min",
    "max",
    "avg",
    "bool_and",
    "bool_or",
];

fn unknown_function(name: &str, arg_count: usize, at: Position) -> QueryError {
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
        "exp" | "ln" | "log" | "sin" | "cos" | "pow" => error
            .hint("what differs from machine to machine is not there; power(x, n) and sqrt(x) are"),
        _ => error.hint(
            names::suggestion(name, &KNOWN)
                .unwrap_or_else(|| format!("there are {}", KNOWN.join(", "))),
        ),
    }
}
