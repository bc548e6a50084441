//! Functions of numbers.

use syncline_protocol::Type;
use syncline_protocol::param::Param;

use super::strict;
use crate::bind::binder::Binder;
use crate::bind::operand::{Operand, is_number, null_of, nullable};
use crate::bind::types::{arithmetic, class_of, type_error};
use crate::error::QueryError;
use crate::plan::expr::{Expr, Function, NumberClass};
use crate::scalar::is_nullable;
use crate::syntax::{ArithmeticOp, Node, Position};

/// The type that values of a class have.
fn type_of(class: NumberClass) -> Type {
    match class {
        NumberClass::Int64 => Type::I64,
        NumberClass::Int128 => Type::I128,
        NumberClass::Decimal => Type::Decimal,
        NumberClass::Float => Type::F64,
    }
}

impl<'a> Binder<'a> {
    /// A function of numbers, if the name is one.
    pub(super) fn number_function(
        &mut self,
        name: &str,
        args: &'a [Node],
        at: Position,
    ) -> Result<Option<(Expr, Type)>, QueryError> {
        Ok(Some(match (name, args) {
            ("abs", [arg]) => self.in_class(name, arg, None, Function::Abs)?,
            ("round", [arg]) => self.in_class(name, arg, None, Function::Round)?,
            ("round", [arg, places]) => self.in_class(name, arg, Some(places), Function::Round)?,
            ("trunc", [arg]) => self.whole_number(name, arg, Function::Truncate)?,
            ("floor", [arg]) => self.whole_number(name, arg, Function::Floor)?,
            ("ceil" | "ceiling", [arg]) => self.whole_number(name, arg, Function::Ceiling)?,
            ("sign", [arg]) => {
                let arg = self.number(arg, name)?;
                let is_float = class_of(&arg.1) == NumberClass::Float;
                let (expr, ty) = strict(Function::Sign, vec![arg], Type::I64);
                (expr, if is_float { nullable(&ty) } else { ty })
            }
            ("sqrt", [arg]) => {
                let arg = self.number(arg, name)?;
                let (expr, ty) = strict(Function::SquareRoot, vec![arg], Type::F64);
                (expr, nullable(&ty))
            }
            ("mod", [left, right]) => {
                let (left, right) = (self.operand(left)?, self.operand(right)?);
                arithmetic(ArithmeticOp::Remainder, left, right, at)?.settle()?
            }
            ("power", [base, exponent]) => {
                let (base, exponent) = (self.number(base, name)?, self.number(exponent, name)?);
                let class = class_of(&base.1);
                let args = vec![base.0, exponent.0];
                let expr = Expr::Call(Function::Power(class), args);
                (expr, nullable(&type_of(class)))
            }
            _ => return Ok(None),
        }))
    }

    fn number(&mut self, node: &'a Node, name: &str) -> Result<(Expr, Type), QueryError> {
        let (arg, ty) = match self.operand(node)? {
            // What was computed of literals and has no value, has no type either.
            Operand::Free(free) if free.value == Param::Null => null_of(&Type::I64),
            Operand::Free(claim) if claim.is_claim => claim.meet(&Type::I64)?,
            other => other.settle()?,
        };
        if is_number(ty.non_null()) {
            return Ok((arg, ty));
        }
        let message = format!("{name} takes a number, not {}", ty.non_null());
        Err(type_error(message, node.at))
    }

    /// A function whose result is of the number's class, and can be out of it.
    fn in_class(
        &mut self,
        name: &str,
        node: &'a Node,
        places: Option<&'a Node>,
        function: fn(NumberClass) -> Function,
    ) -> Result<(Expr, Type), QueryError> {
        let (arg, ty) = self.number(node, name)?;
        let class = class_of(&ty);
        let mut args = vec![arg];
        let mut is_null = is_nullable(&ty) || class != NumberClass::Float;
        if let Some(places) = places {
            let (places, ty) = self.whole(places, name)?;
            is_null |= is_nullable(&ty);
            args.push(places);
        }
        let ty = type_of(class);
        let ty = if is_null { nullable(&ty) } else { ty };
        Ok((Expr::Call(function(class), args), ty))
    }

    /// A function to whole numbers: of an integer itself.
    fn whole_number(
        &mut self,
        name: &str,
        node: &'a Node,
        function: Function,
    ) -> Result<(Expr, Type), QueryError> {
        let (arg, ty) = self.number(node, name)?;
        if ty.non_null().is_integer() {
            return Ok((arg, ty));
        }
        let result = type_of(class_of(&ty));
        Ok(strict(function, vec![(arg, ty)], result))
    }
}
