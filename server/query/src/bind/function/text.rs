//! Functions of texts.

use syncline_protocol::Type;

use super::strict;
use crate::bind::binder::Binder;
use crate::bind::operand::{Operand, nullable};
use crate::bind::types::{cast, type_error};
use crate::error::QueryError;
use crate::plan::expr::{Expr, Function};
use crate::syntax::{Node, Position};

impl<'a> Binder<'a> {
    /// A function of texts, if the name is one.
    pub(super) fn text_function(
        &mut self,
        name: &str,
        args: &'a [Node],
        at: Position,
    ) -> Result<Option<(Expr, Type)>, QueryError> {
        if name == "concat" && !args.is_empty() {
            return self.concat(args, at).map(Some);
        }
        if let ("length" | "char_length" | "octet_length", [arg]) = (name, args) {
            return self.length(name, arg).map(Some);
        }
        let (function, texts, result) = match (name, args.len()) {
            ("lower", 1) => (Function::Lower, 1, Type::String),
            ("upper", 1) => (Function::Upper, 1, Type::String),
            ("reverse", 1) => (Function::Reverse, 1, Type::String),
            ("starts_with", 2) => (Function::StartsWith, 2, Type::Bool),
            ("ends_with", 2) => (Function::EndsWith, 2, Type::Bool),
            ("instr" | "strpos", 2) => (Function::Position, 2, Type::I64),
            ("trim" | "btrim", 1 | 2) => (trim(true, true), 2, Type::String),
            ("ltrim", 1 | 2) => (trim(true, false), 2, Type::String),
            ("rtrim", 1 | 2) => (trim(false, true), 2, Type::String),
            ("left", 2) => (Function::Left, 1, Type::String),
            ("right", 2) => (Function::Right, 1, Type::String),
            // A count below zero and a text that is too long are NULL.
            ("substr" | "substring", 2) => (Function::Substring, 1, Type::String),
            ("substr" | "substring", 3) => (Function::Substring, 1, nullable(&Type::String)),
            ("replace", 3) => (Function::Replace, 3, nullable(&Type::String)),
            _ => return Ok(None),
        };
        let mut bound = Vec::with_capacity(args.len());
        for (place, arg) in args.iter().enumerate() {
            bound.push(if place < texts {
                self.text(arg, name)?
            } else {
                self.whole(arg, name)?
            });
        }
        Ok(Some(strict(function, bound, result)))
    }

    fn length(&mut self, name: &str, node: &'a Node) -> Result<(Expr, Type), QueryError> {
        let (arg, ty) = self.value(node)?;
        let function = match ty.non_null() {
            Type::String if name == "octet_length" => Function::ByteCount,
            Type::String => Function::CharCount,
            Type::Bytes => Function::ByteCount,
            other => {
                let message = format!("{name} takes text or bytes, not {other}");
                return Err(type_error(message, node.at));
            }
        };
        Ok(strict(function, vec![(arg, ty)], Type::I64))
    }

    /// All arguments as text, one behind the other; NULL is none. One node however many they are: whatever
    /// walks over expressions does so in as many frames as they are deep.
    fn concat(&mut self, args: &'a [Node], at: Position) -> Result<(Expr, Type), QueryError> {
        let mut texts = Vec::with_capacity(args.len());
        for arg in args {
            let operand = self.operand(arg)?;
            texts.push(cast(operand, &Type::String, at)?.settle()?.0);
        }
        let joined = Expr::Call(Function::Concat, texts);
        Ok((joined, nullable(&Type::String)))
    }

    /// `left || right`.
    pub(in crate::bind) fn joined(
        &mut self,
        left: &'a Node,
        right: &'a Node,
    ) -> Result<Operand, QueryError> {
        let (left, right) = (self.text(left, "||")?, self.text(right, "||")?);
        let expr = Expr::Concat(Box::new(left.0), Box::new(right.0));
        // A text that no row can hold is NULL.
        Ok(Operand::Typed(expr, nullable(&Type::String)))
    }
}

fn trim(start: bool, end: bool) -> Function {
    Function::Trim { start, end }
}
