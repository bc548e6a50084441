//! Where things start in the text.
//!
//! The parser knows it too, but walks all of a thing to tell: the stack ends before a chain of two thousand
//! operators does, which leans left as deep as it is long. Here what comes first is followed in a loop.

use sqlparser::ast::{self, Expr, SetExpr, TableFactor};
use sqlparser::tokenizer::{Location, Span};

use super::position;
use crate::syntax::Position;

fn nowhere() -> Location {
    Span::empty().start
}

pub(super) fn of_expr(expr: &Expr) -> Position {
    position(place_of_expr(expr))
}

pub(super) fn of_query(query: &ast::Query) -> Position {
    position(place_of_query(query))
}

pub(super) fn of_body(body: &SetExpr) -> Position {
    position(place_of_body(body))
}

pub(super) fn of_item(item: &ast::SelectItem) -> Position {
    use ast::SelectItemQualifiedWildcardKind as Of;
    position(match item {
        ast::SelectItem::UnnamedExpr(expr)
        | ast::SelectItem::ExprWithAlias { expr, .. }
        | ast::SelectItem::ExprWithAliases { expr, .. }
        | ast::SelectItem::QualifiedWildcard(Of::Expr(expr), _) => place_of_expr(expr),
        ast::SelectItem::QualifiedWildcard(Of::ObjectName(name), _) => place_of_name(name),
        ast::SelectItem::Wildcard(options) => options.wildcard_token.0.span.start,
    })
}

pub(super) fn of_relation(relation: &TableFactor) -> Position {
    let mut first = relation;
    position(loop {
        match first {
            TableFactor::NestedJoin {
                table_with_joins, ..
            } => first = &table_with_joins.relation,
            TableFactor::Table { name, .. } | TableFactor::Function { name, .. } => {
                break place_of_name(name);
            }
            TableFactor::Derived { subquery, .. } => break place_of_query(subquery),
            _ => break nowhere(),
        }
    })
}

fn place_of_name(name: &ast::ObjectName) -> Location {
    let first = name.0.first().and_then(ast::ObjectNamePart::as_ident);
    first.map_or_else(nowhere, |part| part.span.start)
}

fn place_of_query(query: &ast::Query) -> Location {
    match &query.with {
        Some(with) => with.with_token.0.span.start,
        None => place_of_body(&query.body),
    }
}

fn place_of_body(body: &SetExpr) -> Location {
    let mut first = body;
    loop {
        match first {
            SetExpr::Select(select) => return select.select_token.0.span.start,
            SetExpr::SetOperation { left, .. } => first = left,
            SetExpr::Query(query) => match &query.with {
                Some(with) => return with.with_token.0.span.start,
                None => first = &query.body,
            },
            SetExpr::Values(values) => {
                let item = values.rows.first().and_then(|row| row.content.first());
                return item.map_or_else(nowhere, place_of_expr);
            }
            _ => return nowhere(),
        }
    }
}

fn place_of_expr(expr: &Expr) -> Location {
    let mut first = expr;
    loop {
        first = match first {
            Expr::BinaryOp { left: inner, .. }
            | Expr::IsDistinctFrom(inner, _)
            | Expr::IsNotDistinctFrom(inner, _)
            | Expr::AnyOp { left: inner, .. }
            | Expr::AllOp { left: inner, .. }
            | Expr::IsFalse(inner)
            | Expr::IsNotFalse(inner)
            | Expr::IsTrue(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsNull(inner)
            | Expr::IsNotNull(inner)
            | Expr::IsUnknown(inner)
            | Expr::IsNotUnknown(inner)
            | Expr::Nested(inner)
            | Expr::CompoundFieldAccess { root: inner, .. }
            | Expr::JsonAccess { value: inner, .. }
            | Expr::AtTimeZone {
                timestamp: inner, ..
            }
            | Expr::UnaryOp { expr: inner, .. }
            | Expr::In { expr: inner, .. }
            | Expr::Between { expr: inner, .. }
            | Expr::Like { expr: inner, .. }
            | Expr::ILike { expr: inner, .. }
            | Expr::RLike { expr: inner, .. }
            | Expr::SimilarTo { expr: inner, .. }
            | Expr::Cast { expr: inner, .. }
            | Expr::Collate { expr: inner, .. }
            | Expr::Ceil { expr: inner, .. }
            | Expr::Floor { expr: inner, .. }
            | Expr::Position { expr: inner, .. }
            | Expr::Overlay { expr: inner, .. }
            | Expr::Extract { expr: inner, .. }
            | Expr::Substring { expr: inner, .. }
            | Expr::Trim { expr: inner, .. } => inner,
            Expr::Tuple(items) => match items.first() {
                Some(item) => item,
                None => return nowhere(),
            },
            Expr::Identifier(name) => return name.span.start,
            Expr::CompoundIdentifier(names) => {
                return names.first().map_or_else(nowhere, |name| name.span.start);
            }
            Expr::Value(value) => return value.span.start,
            Expr::TypedString(text) => return text.value.span.start,
            Expr::Interval(interval) => &interval.value,
            Expr::Function(function) => return place_of_name(&function.name),
            Expr::Case { case_token, .. } => return case_token.0.span.start,
            Expr::Exists { subquery, .. } => return place_of_query(subquery),
            Expr::Subquery(query) => return place_of_query(query),
            _ => return nowhere(),
        };
    }
}
