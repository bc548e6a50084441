//! Calls: of functions and aggregates, with commas or with words between their arguments, and of windows.

use sqlparser::ast;

use super::expr::{convert_at, refuse};
use super::name::convert_name;
use super::{query, unsupported};
use crate::error::QueryError;
use crate::syntax::{NodeKind, Position};

pub(super) fn convert_function(
    function: ast::Function,
    at: Position,
    depth: usize,
) -> Result<NodeKind, QueryError> {
    let written = convert_name(function.name, at)?;
    let name = written.text.to_lowercase();
    if let Some(window) = function.over {
        return convert_window(&name, window, at, depth);
    }
    if function.filter.is_some() {
        return Err(unsupported("FILTER after an aggregate", at)
            .hint("put a CASE inside: SUM(CASE WHEN c THEN x END)"));
    }
    let plain = !function.uses_odbc_syntax
        && matches!(function.parameters, ast::FunctionArguments::None)
        && function.within_group.is_empty()
        && function.null_treatment.is_none();
    let ast::FunctionArguments::List(list) = function.args else {
        // PostgreSQL has a function of this name; everyone else has columns.
        if name == "user" {
            let (table, name) = (None, written);
            return Ok(NodeKind::Column { table, name });
        }
        return Err(unsupported(&format!("{name} without an argument list"), at)
            .hint("what depends on time or session is given as a parameter"));
    };
    let is_distinct = list.duplicate_treatment == Some(ast::DuplicateTreatment::Distinct);
    if !plain || !list.clauses.is_empty() {
        return Err(unsupported(&format!("this form of {name}"), at));
    }
    let mut args = Vec::with_capacity(list.args.len());
    for arg in list.args {
        match arg {
            ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(arg)) => {
                args.push(convert_at(arg, depth)?);
            }
            ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Wildcard)
                if name == "count" && args.is_empty() && !is_distinct =>
            {
                return Ok(NodeKind::CountRows);
            }
            _ => return Err(unsupported(&format!("this form of {name}"), at)),
        }
    }
    Ok(if is_distinct {
        NodeKind::CallDistinct(name, args)
    } else {
        NodeKind::Call(name, args)
    })
}

/// Of window functions there are those that say how many rows come before one.
fn convert_window(
    name: &str,
    window: ast::WindowType,
    at: Position,
    depth: usize,
) -> Result<NodeKind, QueryError> {
    let refused = |what: &str| {
        unsupported(what, at)
            .hint("there are RANK() and ROW_NUMBER() OVER ([PARTITION BY ..] ORDER BY ..)")
    };
    let unique = match name {
        "rank" => false,
        "row_number" => true,
        other => return Err(refused(&format!("the window function {other}"))),
    };
    let ast::WindowType::WindowSpec(spec) = window else {
        return Err(refused("a named window"));
    };
    if spec.window_name.is_some() || spec.window_frame.is_some() {
        return Err(refused("a window frame"));
    }
    if spec.order_by.is_empty() {
        return Err(refused("a window without ORDER BY"));
    }
    let partition = spec.partition_by.into_iter();
    let order = spec.order_by.into_iter();
    Ok(NodeKind::Rank {
        unique,
        partition: partition
            .map(|node| convert_at(node, depth))
            .collect::<Result<_, _>>()?,
        order: order
            .map(|item| query::convert_order_item(item, depth))
            .collect::<Result<_, _>>()?,
    })
}

/// Functions that the standard spells with words between their arguments.
pub(super) fn convert_spoken(
    expr: ast::Expr,
    at: Position,
    depth: usize,
) -> Result<NodeKind, QueryError> {
    let (name, args) = match expr {
        ast::Expr::Ceil { field, .. } | ast::Expr::Floor { field, .. }
            if field != ast::CeilFloorKind::DateTimeField(ast::DateTimeField::NoDateTime) =>
        {
            return Err(unsupported("rounding to a part of a date", at));
        }
        ast::Expr::Ceil { expr, .. } => ("ceil", vec![*expr]),
        ast::Expr::Floor { expr, .. } => ("floor", vec![*expr]),
        ast::Expr::Position { expr, r#in } => ("strpos", vec![*r#in, *expr]),
        ast::Expr::Substring {
            expr,
            substring_from,
            substring_for,
            ..
        } if substring_from.is_some() || substring_for.is_some() => {
            let from = match substring_from {
                Some(from) => *from,
                None => ast::Expr::value(ast::Value::Number("1".into(), false)),
            };
            let mut args = vec![*expr, from];
            args.extend(substring_for.map(|count| *count));
            ("substr", args)
        }
        ast::Expr::Trim {
            trim_where,
            trim_what,
            expr,
            trim_characters,
        } => {
            let name = match trim_where {
                None | Some(ast::TrimWhereField::Both) => "trim",
                Some(ast::TrimWhereField::Leading) => "ltrim",
                Some(ast::TrimWhereField::Trailing) => "rtrim",
            };
            let mut args = vec![*expr];
            args.extend(trim_what.map(|what| *what));
            args.extend(trim_characters.into_iter().flatten());
            (name, args)
        }
        other => return Err(refuse(&other, at)),
    };
    let args = args.into_iter().map(|arg| convert_at(arg, depth));
    Ok(NodeKind::Call(
        name.to_owned(),
        args.collect::<Result<_, _>>()?,
    ))
}
