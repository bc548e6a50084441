//! Expressions: names become positions, operands get their types.

use syncline_protocol::param::Param;
use syncline_protocol::{ErrorCode, Type};

use super::binder::{Binder, extra_parts};
use super::operand::{Free, Operand, is_number, is_ordered, null_of, nullable};
use super::types::{arithmetic, cast, class_of, comparable, type_error, unify};
use crate::error::QueryError;
use crate::plan::expr::Expr;
use crate::scalar::is_nullable;
use crate::syntax::{ArithmeticOp, CompareOp, Node, NodeKind, Position};

/// Items of an IN list, those of list parameters included.
const LIST_ITEMS_MAX: usize = 1024;

impl<'a> Binder<'a> {
    /// An expression whose type its parts decide.
    pub(super) fn value(&mut self, node: &'a Node) -> Result<(Expr, Type), QueryError> {
        self.operand(node)?.settle()
    }

    /// A condition.
    pub(super) fn condition(&mut self, node: &'a Node) -> Result<Expr, QueryError> {
        let (expr, ty) = match self.operand(node)? {
            Operand::Free(Free {
                value: Param::Null, ..
            }) => null_of(&Type::Bool),
            Operand::Free(claim) if claim.is_claim => claim.meet(&Type::Bool)?,
            other => other.settle()?,
        };
        if *ty.non_null() == Type::Bool {
            return Ok(expr);
        }
        Err(type_error(
            format!("a condition is needed, not a value of type {ty}"),
            node.at,
        )
        .hint("compare it with something"))
    }

    pub(super) fn operand(&mut self, node: &'a Node) -> Result<Operand, QueryError> {
        let at = node.at;
        self.count_parts(1, at)?;
        Ok(match &node.kind {
            NodeKind::Literal(value) => {
                self.count_parts(extra_parts(value), at)?;
                Operand::Free(Free::new(value.clone(), None, at))
            }
            NodeKind::Digits(value) => Operand::Free(Free {
                exact: Some(*value),
                ..Free::new(Param::Float(value.to_f64()), None, at)
            }),
            NodeKind::Parameter(name) => self.parameter(name, at)?,
            NodeKind::Column { table, name } => self.column(table.as_ref(), name)?,
            NodeKind::Negate(inner) => {
                let zero = Operand::Free(Free::new(Param::Int(0), None, at));
                negate(zero, self.operand(inner)?, at)?
            }
            NodeKind::Arithmetic(op, left, right) => {
                arithmetic(*op, self.operand(left)?, self.operand(right)?, at)?
            }
            NodeKind::Concat(left, right) => self.joined(left, right)?,
            NodeKind::JsonPart { json, key, as_text } => self.json_part(json, key, *as_text)?,
            NodeKind::Case {
                operand,
                arms,
                otherwise,
            } => self.case(operand.as_deref(), arms, otherwise.as_deref(), at)?,
            NodeKind::Cast(inner, ty) => cast(self.operand(inner)?, ty, at)?,
            NodeKind::Call(name, args) => self.call(name, args, at)?,
            NodeKind::CallDistinct(name, args) => self.distinct_call(name, args, at)?,
            NodeKind::CountRows => self.count_rows(at)?,
            NodeKind::Scalar(query) => self.scalar(query)?,
            NodeKind::Rank {
                unique,
                partition,
                order,
            } => self.rank(*unique, partition, order, at)?,
            _ => {
                let (expr, is_null) = self.logic(node)?;
                Operand::Typed(
                    expr,
                    if is_null {
                        nullable(&Type::Bool)
                    } else {
                        Type::Bool
                    },
                )
            }
        })
    }

    /// Conditions, and whether they can be unknown.
    fn logic(&mut self, node: &'a Node) -> Result<(Expr, bool), QueryError> {
        let at = node.at;
        Ok(match &node.kind {
            NodeKind::Not(inner) => (Expr::Not(Box::new(self.condition(inner)?)), true),
            NodeKind::And(items) => (Expr::And(self.conditions(items)?), true),
            NodeKind::Or(items) => (Expr::Or(self.conditions(items)?), true),
            NodeKind::Compare(op, left, right) => {
                let (left, right) = (self.operand(left)?, self.operand(right)?);
                compare(*op, left, right, at)?
            }
            NodeKind::Distinct { same, left, right } => {
                let (left, right) = comparable(self.operand(left)?, self.operand(right)?, at)?;
                let expr = Expr::Same(Box::new(left.0), Box::new(right.0));
                (
                    if *same {
                        expr
                    } else {
                        Expr::Not(Box::new(expr))
                    },
                    false,
                )
            }
            NodeKind::IsNull(inner) => (Expr::IsNull(Box::new(self.value(inner)?.0)), false),
            NodeKind::IsTruth(inner, wanted) => (
                Expr::IsTruth(Box::new(self.condition(inner)?), *wanted),
                false,
            ),
            NodeKind::Exists(query) => (self.exists(query)?, false),
            NodeKind::InQuery(operand, query) => (self.in_query(operand, query)?, true),
            NodeKind::In(operand, items) => self.in_list(operand, items, at)?,
            NodeKind::Between { operand, low, high } => {
                let (operand, size) = self.sized(|this| this.operand(operand))?;
                let (low, high) = (self.operand(low)?, self.operand(high)?);
                self.count_parts(size, at)?;
                let low = compare(CompareOp::GreaterOrEqual, operand.clone(), low, at)?;
                let high = compare(CompareOp::LessOrEqual, operand, high, at)?;
                (Expr::And(vec![low.0, high.0]), low.1 || high.1)
            }
            NodeKind::Like {
                operand,
                pattern,
                escape,
            } => {
                let operand = self.text(operand, "LIKE")?;
                let pattern = self.text(pattern, "LIKE")?;
                let escape = match escape {
                    None => None,
                    Some(escape) if escape.is_ascii() => Some(*escape as u8),
                    Some(_) => return Err(type_error("ESCAPE takes an ASCII character", at)),
                };
                let is_null = is_nullable(&operand.1) || is_nullable(&pattern.1);
                let (operand, pattern) = (Box::new(operand.0), Box::new(pattern.0));
                (
                    Expr::Like {
                        operand,
                        pattern,
                        escape,
                    },
                    is_null,
                )
            }
            other => unreachable!("operand() binds {other:?}"),
        })
    }

    fn conditions(&mut self, items: &'a [Node]) -> Result<Vec<Expr>, QueryError> {
        items.iter().map(|item| self.condition(item)).collect()
    }

    pub(super) fn text(
        &mut self,
        node: &'a Node,
        operator: &str,
    ) -> Result<(Expr, Type), QueryError> {
        let (expr, ty) = self.operand(node)?.meet(&Type::String)?;
        if *ty.non_null() == Type::String {
            return Ok((expr, ty));
        }
        Err(type_error(
            format!("{operator} takes text, not {}", ty.non_null()),
            node.at,
        )
        .hint("CAST(x AS text) makes text of it"))
    }

    fn in_list(
        &mut self,
        operand: &'a Node,
        items: &'a [Node],
        at: Position,
    ) -> Result<(Expr, bool), QueryError> {
        let operand = self.operand(operand)?;
        let mut list = Vec::new();
        for item in items {
            match self.operand(item)? {
                Operand::Free(Free {
                    value: Param::List(values),
                    parameter,
                    at,
                    ..
                }) => {
                    let items = values.into_iter();
                    let items = items.map(|value| Free::new(value, parameter.clone(), at));
                    list.extend(items.map(Operand::Free));
                }
                other => list.push(other),
            }
        }
        if list.len() > LIST_ITEMS_MAX {
            let message = format!("the list has {} items, over {LIST_ITEMS_MAX}", list.len());
            return Err(QueryError::new(ErrorCode::QueryLimit, message).at(at));
        }
        let (operand, ty) = match (operand, list.first()) {
            // A NULL is one of what it is looked for among.
            (Operand::Free(free), Some(first)) if free.value == Param::Null => {
                null_of(first.clone().settle()?.1.non_null())
            }
            (Operand::Free(claim), Some(first)) if claim.is_claim => {
                claim.meet(first.clone().settle()?.1.non_null())?
            }
            (operand, _) => operand.settle()?,
        };
        let mut is_null = is_nullable(&ty);
        let mut bound = Vec::with_capacity(list.len());
        for item in list {
            // Of the operand only the type matters to an item: it is not copied for each.
            let left = Operand::Typed(Expr::Coalesce(Vec::new()), ty.clone());
            let (_, (item, item_ty)) = comparable(left, item, at)?;
            is_null |= is_nullable(&item_ty);
            bound.push(item);
        }
        Ok((Expr::In(Box::new(operand), bound), is_null))
    }

    fn case(
        &mut self,
        operand: Option<&'a Node>,
        arms: &'a [(Node, Node)],
        otherwise: Option<&'a Node>,
        at: Position,
    ) -> Result<Operand, QueryError> {
        let operand = operand.map(|operand| self.sized(|this| this.operand(operand)));
        let operand = operand.transpose()?;
        let mut conditions = Vec::with_capacity(arms.len());
        let mut results = Vec::with_capacity(arms.len() + 1);
        for (condition, result) in arms {
            conditions.push(match &operand {
                None => self.condition(condition)?,
                Some((operand, size)) => {
                    let other = self.operand(condition)?;
                    self.count_parts(*size, at)?;
                    compare(CompareOp::Equal, operand.clone(), other, condition.at)?.0
                }
            });
            results.push(self.operand(result)?);
        }
        if let Some(otherwise) = otherwise {
            results.push(self.operand(otherwise)?);
        }
        let (mut results, ty) = unify(results, at)?;
        let is_null = otherwise.is_none() || results.iter().any(|(_, is_null)| *is_null);
        let otherwise = otherwise
            .and_then(|_| results.pop())
            .map(|(expr, _)| Box::new(expr));
        let arms = conditions
            .into_iter()
            .zip(results.into_iter().map(|(expr, _)| expr));
        let ty = if is_null { nullable(&ty) } else { ty };
        Ok(Operand::Typed(Expr::Case(arms.collect(), otherwise), ty))
    }
}

fn negate(zero: Operand, operand: Operand, at: Position) -> Result<Operand, QueryError> {
    let Operand::Typed(expr, ty) = operand else {
        return arithmetic(ArithmeticOp::Subtract, zero, operand, at);
    };
    let is_plain = is_number(ty.non_null());
    let difference = arithmetic(
        ArithmeticOp::Subtract,
        zero,
        Operand::Typed(expr.clone(), ty),
        at,
    )?;
    if !is_plain {
        return Ok(difference);
    }
    let (_, ty) = difference.settle()?;
    Ok(Operand::Typed(
        Expr::Negate(class_of(&ty), Box::new(expr)),
        ty,
    ))
}

pub(super) fn compare(
    op: CompareOp,
    left: Operand,
    right: Operand,
    at: Position,
) -> Result<(Expr, bool), QueryError> {
    let (left, right) = comparable(left, right, at)?;
    if !matches!(op, CompareOp::Equal | CompareOp::NotEqual) && !is_ordered(&left.1) {
        let message = format!("values of type {} have no order", left.1.non_null());
        return Err(type_error(message, at).hint("they can be equal or not: = <> IN"));
    }
    let is_null = is_nullable(&left.1) || is_nullable(&right.1);
    Ok((
        Expr::Compare(op, Box::new(left.0), Box::new(right.0)),
        is_null,
    ))
}
