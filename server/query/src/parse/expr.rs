//! Expressions.

use sqlparser::ast;
use sqlparser::ast::{BinaryOperator, UnaryOperator};
use syncline_protocol::limits::SQL_DEPTH_MAX;
use syncline_protocol::param::Param;
use syncline_protocol::{Decimal, ErrorCode};

use super::call::{convert_function, convert_spoken};
use super::name::convert_ident;
use super::query;
use super::types::convert_type;
use super::{start, too_deep, unsupported};
use crate::error::QueryError;
use crate::syntax::{ArithmeticOp, CompareOp, Node, NodeKind, Position};

fn boxed(expr: ast::Expr, depth: usize) -> Result<Box<Node>, QueryError> {
    convert_at(expr, depth).map(Box::new)
}

fn negated(negated: bool, kind: NodeKind, at: Position) -> NodeKind {
    if negated {
        NodeKind::Not(Box::new(Node { kind, at }))
    } else {
        kind
    }
}

/// Converts an expression that stands `depth` deep in others.
pub(super) fn convert_at(expr: ast::Expr, depth: usize) -> Result<Node, QueryError> {
    if depth > SQL_DEPTH_MAX {
        return Err(too_deep());
    }
    let at = start::of_expr(&expr);
    let deeper = depth + 1;
    let kind = match expr {
        ast::Expr::Nested(inner) => return convert_at(*inner, deeper),
        ast::Expr::Identifier(name) => NodeKind::Column {
            table: None,
            name: convert_ident(name),
        },
        ast::Expr::CompoundIdentifier(parts) => convert_compound(parts, at)?,
        ast::Expr::Value(value) => convert_value(value.value, at)?,
        ast::Expr::BinaryOp {
            left,
            op: op @ (BinaryOperator::And | BinaryOperator::Or),
            right,
        } => convert_chain(*left, &op, *right, deeper)?,
        ast::Expr::BinaryOp { left, op, right } => {
            convert_binary(boxed(*left, deeper)?, &op, boxed(*right, deeper)?, at)?
        }
        ast::Expr::UnaryOp { op, expr } => match op {
            UnaryOperator::Not => NodeKind::Not(boxed(*expr, deeper)?),
            UnaryOperator::Minus => NodeKind::Negate(boxed(*expr, deeper)?),
            UnaryOperator::Plus => return convert_at(*expr, deeper),
            other => return Err(unsupported(&format!("the operator {other}"), at)),
        },
        ast::Expr::IsNull(expr) | ast::Expr::IsUnknown(expr) => {
            NodeKind::IsNull(boxed(*expr, deeper)?)
        }
        ast::Expr::IsNotNull(expr) | ast::Expr::IsNotUnknown(expr) => {
            negated(true, NodeKind::IsNull(boxed(*expr, deeper)?), at)
        }
        ast::Expr::IsTrue(expr) => NodeKind::IsTruth(boxed(*expr, deeper)?, true),
        ast::Expr::IsFalse(expr) => NodeKind::IsTruth(boxed(*expr, deeper)?, false),
        ast::Expr::IsNotTrue(expr) => {
            negated(true, NodeKind::IsTruth(boxed(*expr, deeper)?, true), at)
        }
        ast::Expr::IsNotFalse(expr) => {
            negated(true, NodeKind::IsTruth(boxed(*expr, deeper)?, false), at)
        }
        ast::Expr::IsDistinctFrom(left, right) => NodeKind::Distinct {
            same: false,
            left: boxed(*left, deeper)?,
            right: boxed(*right, deeper)?,
        },
        ast::Expr::IsNotDistinctFrom(left, right) => NodeKind::Distinct {
            same: true,
            left: boxed(*left, deeper)?,
            right: boxed(*right, deeper)?,
        },
        ast::Expr::Between {
            expr,
            negated: not,
            low,
            high,
        } => {
            let operand = boxed(*expr, deeper)?;
            let (low, high) = (boxed(*low, deeper)?, boxed(*high, deeper)?);
            negated(not, NodeKind::Between { operand, low, high }, at)
        }
        other => return convert_rarer(other, at, deeper),
    };
    Ok(Node { kind, at })
}

fn convert_rarer(expr: ast::Expr, at: Position, deeper: usize) -> Result<Node, QueryError> {
    let kind = match expr {
        ast::Expr::In {
            expr,
            target: ast::InTarget::List(list),
            negated: not,
            global: false,
        } => {
            let operand = boxed(*expr, deeper)?;
            let list = list.into_iter().map(|item| convert_at(item, deeper));
            negated(
                not,
                NodeKind::In(operand, list.collect::<Result<_, _>>()?),
                at,
            )
        }
        inner @ (ast::Expr::In {
            target: ast::InTarget::Subquery(_),
            ..
        }
        | ast::Expr::Exists { .. }
        | ast::Expr::Subquery(_)) => convert_sub_query(inner, at, deeper)?,
        ast::Expr::Like {
            negated: not,
            any: false,
            expr,
            pattern,
            escape_char,
        } => {
            let escape = escape_char
                .map(|escape| convert_escape(&escape, at))
                .transpose()?;
            let (operand, pattern) = (boxed(*expr, deeper)?, boxed(*pattern, deeper)?);
            negated(
                not,
                NodeKind::Like {
                    operand,
                    pattern,
                    escape,
                },
                at,
            )
        }
        inner @ ast::Expr::Case { .. } => convert_case(inner, at, deeper)?,
        ast::Expr::Cast {
            expr,
            data_type,
            format: None,
            ..
        } => NodeKind::Cast(boxed(*expr, deeper)?, convert_type(&data_type, at)?),
        ast::Expr::Function(function) => convert_function(function, at, deeper)?,
        inner @ (ast::Expr::Ceil { .. }
        | ast::Expr::Floor { .. }
        | ast::Expr::Position { .. }
        | ast::Expr::Substring { .. }
        | ast::Expr::Trim { .. }) => convert_spoken(inner, at, deeper)?,
        other => return Err(refuse(&other, at)),
    };
    Ok(Node { kind, at })
}

fn convert_case(expr: ast::Expr, at: Position, depth: usize) -> Result<NodeKind, QueryError> {
    let ast::Expr::Case {
        operand,
        conditions,
        else_result,
        ..
    } = expr
    else {
        return Err(refuse(&expr, at));
    };
    let arm = |arm: ast::CaseWhen| {
        let condition = convert_at(arm.condition, depth)?;
        Ok((condition, convert_at(arm.result, depth)?))
    };
    Ok(NodeKind::Case {
        operand: operand.map(|operand| boxed(*operand, depth)).transpose()?,
        arms: conditions
            .into_iter()
            .map(arm)
            .collect::<Result<_, QueryError>>()?,
        otherwise: else_result.map(|other| boxed(*other, depth)).transpose()?,
    })
}

/// A query in an expression.
fn convert_sub_query(expr: ast::Expr, at: Position, deeper: usize) -> Result<NodeKind, QueryError> {
    Ok(match expr {
        ast::Expr::In {
            expr,
            target: ast::InTarget::Subquery(query),
            negated: not,
            global: false,
        } => {
            let operand = boxed(*expr, deeper)?;
            let query = Box::new(query::convert(*query, deeper)?);
            negated(not, NodeKind::InQuery(operand, query), at)
        }
        ast::Expr::Exists {
            subquery,
            negated: not,
        } => {
            let query = Box::new(query::convert(*subquery, deeper)?);
            negated(not, NodeKind::Exists(query), at)
        }
        ast::Expr::Subquery(query) => NodeKind::Scalar(Box::new(query::convert(*query, deeper)?)),
        other => return Err(refuse(&other, at)),
    })
}

/// What is not there, by its name.
pub(super) fn refuse(expr: &ast::Expr, at: Position) -> QueryError {
    let (feature, hint) = match expr {
        ast::Expr::In { .. } => ("IN with neither a list nor a query", ""),
        ast::Expr::ILike { .. } => ("ILIKE", "write lower(x) LIKE 'pattern%'"),
        ast::Expr::SimilarTo { .. } | ast::Expr::RLike { .. } => {
            ("a regular expression", "LIKE is there")
        }
        ast::Expr::AnyOp { .. } | ast::Expr::AllOp { .. } => ("ANY or ALL", "write x IN (:list)"),
        ast::Expr::Collate { .. } => ("COLLATE", "text compares byte by byte"),
        ast::Expr::Interval(_) => (
            "INTERVAL",
            "durations are microseconds: give one as a parameter",
        ),
        ast::Expr::TypedString(_) | ast::Expr::AtTimeZone { .. } => (
            "a date literal",
            "times are microseconds since 1970: give one as a parameter",
        ),
        ast::Expr::Tuple(_) => ("a row value", ""),
        ast::Expr::Extract { .. } => ("EXTRACT", ""),
        ast::Expr::Overlay { .. } => ("OVERLAY", ""),
        ast::Expr::Substring { .. } => ("this SUBSTRING", "it takes a text, a place and a count"),
        _ => ("this expression", ""),
    };
    let error = unsupported(feature, at);
    if hint.is_empty() {
        error
    } else {
        error.hint(hint)
    }
}

fn convert_compound(mut parts: Vec<ast::Ident>, at: Position) -> Result<NodeKind, QueryError> {
    match (parts.pop(), parts.pop(), parts.is_empty()) {
        (Some(name), Some(table), true) => Ok(NodeKind::Column {
            table: Some(convert_ident(table)),
            name: convert_ident(name),
        }),
        _ => Err(unsupported("a column name of more than two parts", at)),
    }
}

fn convert_value(value: ast::Value, at: Position) -> Result<NodeKind, QueryError> {
    Ok(NodeKind::Literal(match value {
        ast::Value::Null => Param::Null,
        ast::Value::Boolean(value) => Param::Bool(value),
        ast::Value::SingleQuotedString(text) | ast::Value::EscapedStringLiteral(text) => {
            Param::Text(text)
        }
        ast::Value::DollarQuotedString(text) => Param::Text(text.value),
        ast::Value::HexStringLiteral(digits) => Param::Bytes(hex_bytes(&digits, at)?),
        ast::Value::Number(digits, _) => return convert_number(&digits, at),
        ast::Value::Placeholder(text) => match text.strip_prefix(':') {
            Some(name) if !name.is_empty() => return Ok(NodeKind::Parameter(name.to_owned())),
            _ => {
                return Err(unsupported(&format!("the parameter {text}"), at)
                    .hint("parameters have names: write :owner"));
            }
        },
        _ => return Err(unsupported("this kind of literal", at)),
    }))
}

fn convert_number(digits: &str, at: Position) -> Result<NodeKind, QueryError> {
    if digits.bytes().all(|digit| digit.is_ascii_digit()) {
        let found = digits.parse().map(Param::Int).map(NodeKind::Literal);
        return found.map_err(|_| {
            let message = format!("the number {digits} has over 127 bits");
            QueryError::new(ErrorCode::SqlType, message)
                .at(at)
                .hint("give it as a parameter, in text: it is read as the column's type")
        });
    }
    match digits.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(match digits.parse::<Decimal>() {
            Ok(exact) if Decimal::from_f64(value) != Some(exact) => NodeKind::Digits(exact),
            _ => NodeKind::Literal(Param::Float(value)),
        }),
        _ => {
            let message = format!("{digits} is no number");
            Err(QueryError::new(ErrorCode::SqlSyntax, message).at(at))
        }
    }
}

fn hex_bytes(digits: &str, at: Position) -> Result<Vec<u8>, QueryError> {
    let bad = || {
        let message = "x'..' takes an even number of hex digits";
        QueryError::new(ErrorCode::SqlSyntax, message).at(at)
    };
    if digits.len() % 2 == 1 {
        return Err(bad());
    }
    let nibble = |digit: u8| (digit as char).to_digit(16).ok_or_else(bad);
    let pairs = digits.as_bytes().chunks_exact(2);
    pairs
        .map(|pair| Ok((nibble(pair[0])? * 16 + nibble(pair[1])?) as u8))
        .collect()
}

/// `a AND b AND c` leans left, as deep as it is long: walked in a loop, and flat afterwards.
fn convert_chain(
    left: ast::Expr,
    op: &BinaryOperator,
    right: ast::Expr,
    depth: usize,
) -> Result<NodeKind, QueryError> {
    let mut items = vec![right];
    let mut rest = left;
    loop {
        match rest {
            ast::Expr::BinaryOp {
                left,
                op: inner,
                right,
            } if inner == *op => {
                items.push(*right);
                rest = *left;
            }
            first => {
                items.push(first);
                break;
            }
        }
    }
    let items = items.into_iter().rev().map(|item| convert_at(item, depth));
    let items = items.collect::<Result<Vec<_>, _>>()?;
    Ok(if *op == BinaryOperator::And {
        NodeKind::And(items)
    } else {
        NodeKind::Or(items)
    })
}

fn convert_binary(
    left: Box<Node>,
    op: &BinaryOperator,
    right: Box<Node>,
    at: Position,
) -> Result<NodeKind, QueryError> {
    let arithmetic = |op, left, right| Ok(NodeKind::Arithmetic(op, left, right));
    let compare = |op, left, right| Ok(NodeKind::Compare(op, left, right));
    match op {
        BinaryOperator::Plus => arithmetic(ArithmeticOp::Add, left, right),
        BinaryOperator::Minus => arithmetic(ArithmeticOp::Subtract, left, right),
        BinaryOperator::Multiply => arithmetic(ArithmeticOp::Multiply, left, right),
        BinaryOperator::Divide => arithmetic(ArithmeticOp::Divide, left, right),
        BinaryOperator::Modulo => arithmetic(ArithmeticOp::Remainder, left, right),
        BinaryOperator::StringConcat => Ok(NodeKind::Concat(left, right)),
        BinaryOperator::Eq => compare(CompareOp::Equal, left, right),
        BinaryOperator::NotEq => compare(CompareOp::NotEqual, left, right),
        BinaryOperator::Lt => compare(CompareOp::Less, left, right),
        BinaryOperator::LtEq => compare(CompareOp::LessOrEqual, left, right),
        BinaryOperator::Gt => compare(CompareOp::Greater, left, right),
        BinaryOperator::GtEq => compare(CompareOp::GreaterOrEqual, left, right),
        BinaryOperator::Arrow => Ok(json_part(left, right, false)),
        BinaryOperator::LongArrow => Ok(json_part(left, right, true)),
        other => Err(unsupported(&format!("the operator {other}"), at)),
    }
}

fn json_part(json: Box<Node>, key: Box<Node>, as_text: bool) -> NodeKind {
    NodeKind::JsonPart { json, key, as_text }
}

fn convert_escape(escape: &ast::Expr, at: Position) -> Result<char, QueryError> {
    if let ast::Expr::Value(escape) = escape
        && let ast::Value::SingleQuotedString(text) = &escape.value
    {
        let mut chars = text.chars();
        if let (Some(escape), None) = (chars.next(), chars.next()) {
            return Ok(escape);
        }
    }
    Err(QueryError::new(ErrorCode::SqlSyntax, "ESCAPE takes one character in quotes").at(at))
}
