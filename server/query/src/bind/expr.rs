//! Expressions: names become positions, operands get their types.

use syncline_protocol::limits::PARAMS_MAX;
use syncline_protocol::param::Param;
use syncline_protocol::{ErrorCode, Identity, TableDef, Type};

use super::operand::{Free, Operand, is_number, is_ordered, null_of, nullable};
use super::types::{arithmetic, cast, class_of, comparable, type_error, unify};
use super::{function, group, names};
use crate::error::QueryError;
use crate::expr::{Expr, Slot};
use crate::plan::AggregateCall;
use crate::scalar::is_nullable;
use crate::syntax::{ArithmeticOp, CompareOp, Name, Node, NodeKind, Position};

/// Name of the parameter that is the caller's identity.
const ME: &str = "me";
/// Items of an IN list, those of list parameters included.
const LIST_ITEMS_MAX: usize = 1024;

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

    /// An expression whose type its parts decide.
    pub(super) fn value(&mut self, node: &Node) -> Result<(Expr, Type), QueryError> {
        self.operand(node)?.settle()
    }

    /// A condition.
    pub(super) fn condition(&mut self, node: &Node) -> Result<Expr, QueryError> {
        let (expr, ty) = match self.operand(node)? {
            Operand::Free(Free {
                value: Param::Null, ..
            }) => null_of(&Type::Bool),
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

    pub(super) fn operand(&mut self, node: &Node) -> Result<Operand, QueryError> {
        let at = node.at;
        Ok(match &node.kind {
            NodeKind::Literal(value) => Operand::Free(Free {
                value: value.clone(),
                parameter: None,
                at,
            }),
            NodeKind::Parameter(name) => self.parameter(name, at)?,
            NodeKind::Column { table, name } => self.column(table.as_ref(), name)?,
            NodeKind::Negate(inner) => {
                let zero = Operand::Free(Free {
                    value: Param::Int(0),
                    parameter: None,
                    at,
                });
                negate(zero, self.operand(inner)?, at)?
            }
            NodeKind::Arithmetic(op, left, right) => {
                arithmetic(*op, self.operand(left)?, self.operand(right)?, at)?
            }
            NodeKind::Concat(left, right) => {
                let (left, right) = (self.text(left, "||")?, self.text(right, "||")?);
                let is_null = is_nullable(&left.1) || is_nullable(&right.1);
                let ty = if is_null {
                    nullable(&Type::String)
                } else {
                    Type::String
                };
                Operand::Typed(Expr::Concat(Box::new(left.0), Box::new(right.0)), ty)
            }
            NodeKind::Case {
                operand,
                arms,
                otherwise,
            } => self.case(operand.as_deref(), arms, otherwise.as_deref(), at)?,
            NodeKind::Cast(inner, ty) => cast(self.operand(inner)?, ty, at)?,
            NodeKind::Call(name, args) => function::call(self, name, args, at)?,
            NodeKind::CountRows => group::count_rows(self, at)?,
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
    fn logic(&mut self, node: &Node) -> Result<(Expr, bool), QueryError> {
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
            NodeKind::In(operand, items) => self.in_list(operand, items, at)?,
            NodeKind::Between { operand, low, high } => {
                let operand = self.operand(operand)?;
                let (low, high) = (self.operand(low)?, self.operand(high)?);
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

    fn conditions(&mut self, items: &[Node]) -> Result<Vec<Expr>, QueryError> {
        items.iter().map(|item| self.condition(item)).collect()
    }

    fn column(&self, table: Option<&Name>, name: &Name) -> Result<Operand, QueryError> {
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

    fn parameter(&mut self, name: &str, at: Position) -> Result<Operand, QueryError> {
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

    pub(super) fn text(&mut self, node: &Node, operator: &str) -> Result<(Expr, Type), QueryError> {
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
        operand: &Node,
        items: &[Node],
        at: Position,
    ) -> Result<(Expr, bool), QueryError> {
        let (operand, ty) = self.value(operand)?;
        let mut list = Vec::new();
        for item in items {
            match self.operand(item)? {
                Operand::Free(Free {
                    value: Param::List(values),
                    parameter,
                    at,
                }) => {
                    for value in values {
                        let parameter = parameter.clone();
                        list.push(Operand::Free(Free {
                            value,
                            parameter,
                            at,
                        }));
                    }
                }
                other => list.push(other),
            }
        }
        if list.len() > LIST_ITEMS_MAX {
            let message = format!("the list has {} items, over {LIST_ITEMS_MAX}", list.len());
            return Err(QueryError::new(ErrorCode::QueryLimit, message).at(at));
        }
        let mut is_null = is_nullable(&ty);
        let mut bound = Vec::with_capacity(list.len());
        for item in list {
            let left = Operand::Typed(operand.clone(), ty.clone());
            let (_, (item, item_ty)) = comparable(left, item, at)?;
            is_null |= is_nullable(&item_ty);
            bound.push(item);
        }
        Ok((Expr::In(Box::new(operand), bound), is_null))
    }

    fn case(
        &mut self,
        operand: Option<&Node>,
        arms: &[(Node, Node)],
        otherwise: Option<&Node>,
        at: Position,
    ) -> Result<Operand, QueryError> {
        let operand = operand.map(|operand| self.operand(operand)).transpose()?;
        let mut conditions = Vec::with_capacity(arms.len());
        let mut results = Vec::with_capacity(arms.len() + 1);
        for (condition, result) in arms {
            conditions.push(match &operand {
                None => self.condition(condition)?,
                Some(operand) => {
                    let other = self.operand(condition)?;
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

fn compare(
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
