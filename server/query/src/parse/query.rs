//! The clauses of a SELECT.

use sqlparser::ast;
use sqlparser::ast::Spanned;

use super::name::{convert_ident, convert_name};
use super::{expr, position, unsupported};
use crate::error::QueryError;
use crate::syntax::{Item, Name, OrderItem, Position, Select};

const NO_JOINS: &str = "joins are not there yet: query one table, and the other in its own query";
const NO_SUBQUERIES: &str = "sub-queries are not there yet: query one table";

pub(super) fn convert(query: ast::Query) -> Result<Select, QueryError> {
    let at = position(query.span().start);
    let ast::Query {
        with,
        body,
        order_by,
        limit_clause,
        fetch,
        locks,
        for_clause,
        settings,
        format_clause,
        pipe_operators,
    } = query;
    refuse_any(
        at,
        &[
            (with.is_some(), "WITH"),
            (fetch.is_some(), "FETCH"),
            (!locks.is_empty(), "FOR UPDATE"),
            (for_clause.is_some(), "FOR"),
            (settings.is_some(), "SETTINGS"),
            (format_clause.is_some(), "FORMAT"),
            (!pipe_operators.is_empty(), "a pipe operator"),
        ],
    )?;
    let body = match *body {
        ast::SetExpr::Select(select) => select,
        ast::SetExpr::Query(_) => return Err(unsupported("a query in parentheses", at)),
        ast::SetExpr::SetOperation { op, .. } => {
            return Err(unsupported(&op.to_string(), at)
                .hint("set operations are not there yet: run the queries one by one"));
        }
        ast::SetExpr::Values(_) => return Err(unsupported("VALUES", at)),
        _ => return Err(unsupported("a statement in place of a SELECT", at)),
    };
    let mut select = convert_select(*body, at)?;
    select.order = order_by
        .map(|order| convert_order(order, at))
        .transpose()?
        .unwrap_or_default();
    if let Some(clause) = limit_clause {
        let ast::LimitClause::LimitOffset {
            limit,
            offset,
            limit_by,
        } = clause
        else {
            return Err(unsupported("LIMIT with a comma", at).hint("write LIMIT n OFFSET m"));
        };
        refuse_any(at, &[(!limit_by.is_empty(), "LIMIT BY")])?;
        select.limit = limit.map(expr::convert).transpose()?;
        select.offset = offset
            .map(|offset| expr::convert(offset.value))
            .transpose()?;
    }
    Ok(select)
}

fn refuse_any(at: Position, features: &[(bool, &str)]) -> Result<(), QueryError> {
    match features.iter().find(|(is_there, _)| *is_there) {
        Some((_, feature)) => Err(unsupported(feature, at)),
        None => Ok(()),
    }
}

fn convert_select(select: ast::Select, at: Position) -> Result<Select, QueryError> {
    let ast::Select {
        select_token: _,
        optimizer_hints,
        distinct,
        select_modifiers,
        top,
        top_before_distinct: _,
        projection,
        exclude,
        into,
        from,
        lateral_views,
        prewhere,
        selection,
        connect_by,
        group_by,
        cluster_by,
        distribute_by,
        sort_by,
        having,
        named_window,
        qualify,
        window_before_qualify: _,
        value_table_mode,
        flavor,
    } = select;
    refuse_distinct(distinct.is_some(), at)?;
    refuse_any(
        at,
        &[
            (!optimizer_hints.is_empty(), "an optimizer hint"),
            (select_modifiers.is_some(), "a SELECT modifier"),
            (top.is_some(), "TOP"),
            (exclude.is_some(), "EXCLUDE"),
            (into.is_some(), "SELECT INTO"),
            (!lateral_views.is_empty(), "LATERAL VIEW"),
            (prewhere.is_some(), "PREWHERE"),
            (!connect_by.is_empty(), "CONNECT BY"),
            (!cluster_by.is_empty(), "CLUSTER BY"),
            (!distribute_by.is_empty(), "DISTRIBUTE BY"),
            (!sort_by.is_empty(), "SORT BY"),
            (!named_window.is_empty(), "WINDOW"),
            (qualify.is_some(), "QUALIFY"),
            (value_table_mode.is_some(), "SELECT AS STRUCT"),
            (flavor != ast::SelectFlavor::Standard, "FROM before SELECT"),
        ],
    )?;
    let (table, alias) = convert_from(from, at)?;
    let ast::GroupByExpr::Expressions(group, modifiers) = group_by else {
        return Err(unsupported("GROUP BY ALL", at));
    };
    refuse_any(at, &[(!modifiers.is_empty(), "a GROUP BY modifier")])?;
    Ok(Select {
        items: projection
            .into_iter()
            .map(convert_item)
            .collect::<Result<_, _>>()?,
        table,
        alias,
        filter: selection.map(expr::convert).transpose()?,
        group: group
            .into_iter()
            .map(expr::convert)
            .collect::<Result<_, _>>()?,
        having: having.map(expr::convert).transpose()?,
        order: Vec::new(),
        limit: None,
        offset: None,
    })
}

fn refuse_distinct(is_there: bool, at: Position) -> Result<(), QueryError> {
    if !is_there {
        return Ok(());
    }
    Err(unsupported("DISTINCT", at)
        .hint("group instead: SELECT a, b FROM t GROUP BY a, b has each pair once"))
}

/// The one table of FROM, and its alias.
fn convert_from(
    mut from: Vec<ast::TableWithJoins>,
    at: Position,
) -> Result<(Name, Option<Name>), QueryError> {
    if from.len() > 1 {
        return Err(unsupported("a comma join", position(from[1].span().start)).hint(NO_JOINS));
    }
    match from.pop() {
        Some(source) => convert_source(source),
        None => Err(unsupported("SELECT without FROM", at)),
    }
}

fn convert_source(source: ast::TableWithJoins) -> Result<(Name, Option<Name>), QueryError> {
    let at = position(source.span().start);
    if let Some(join) = source.joins.first() {
        return Err(unsupported("JOIN", position(join.span().start)).hint(NO_JOINS));
    }
    let ast::TableFactor::Table {
        name,
        alias,
        args,
        with_hints,
        version,
        with_ordinality,
        partitions,
        json_path,
        sample,
        index_directives,
        inheritance,
    } = source.relation
    else {
        return Err(unsupported("a sub-query or function in FROM", at).hint(NO_SUBQUERIES));
    };
    refuse_any(
        at,
        &[
            (args.is_some(), "a table function"),
            (!with_hints.is_empty(), "WITH after a table"),
            (version.is_some(), "a table version"),
            (with_ordinality, "WITH ORDINALITY"),
            (!partitions.is_empty(), "PARTITION"),
            (json_path.is_some(), "a JSON path"),
            (sample.is_some(), "TABLESAMPLE"),
            (!index_directives.is_empty(), "an index directive"),
            (inheritance.is_some(), "ONLY or * after a table"),
        ],
    )?;
    let alias = match alias {
        None => None,
        Some(alias) => {
            refuse_any(
                position(alias.name.span.start),
                &[
                    (
                        !alias.columns.is_empty(),
                        "a column list after a table alias",
                    ),
                    (alias.at.is_some(), "AT after a table alias"),
                ],
            )?;
            Some(convert_ident(alias.name))
        }
    };
    Ok((convert_name(name, at)?, alias))
}

fn convert_item(item: ast::SelectItem) -> Result<Item, QueryError> {
    let at = position(item.span().start);
    match item {
        ast::SelectItem::UnnamedExpr(node) => Ok(Item::One(expr::convert(node)?, None)),
        ast::SelectItem::ExprWithAlias { expr: node, alias } => {
            Ok(Item::One(expr::convert(node)?, Some(convert_ident(alias))))
        }
        ast::SelectItem::Wildcard(options) => {
            check_wildcard(&options, at)?;
            Ok(Item::All)
        }
        ast::SelectItem::QualifiedWildcard(
            ast::SelectItemQualifiedWildcardKind::ObjectName(name),
            options,
        ) => {
            check_wildcard(&options, at)?;
            Ok(Item::AllOf(convert_name(name, at)?))
        }
        _ => Err(unsupported("this item of the select list", at)),
    }
}

fn check_wildcard(
    options: &ast::WildcardAdditionalOptions,
    at: Position,
) -> Result<(), QueryError> {
    let ast::WildcardAdditionalOptions {
        wildcard_token: _,
        opt_ilike,
        opt_exclude,
        opt_except,
        opt_replace,
        opt_rename,
        opt_alias,
    } = options;
    let plain = opt_ilike.is_none()
        && opt_exclude.is_none()
        && opt_except.is_none()
        && opt_replace.is_none()
        && opt_rename.is_none()
        && opt_alias.is_none();
    if plain {
        Ok(())
    } else {
        Err(unsupported("an option after *", at))
    }
}

fn convert_order(order: ast::OrderBy, at: Position) -> Result<Vec<OrderItem>, QueryError> {
    refuse_any(at, &[(order.interpolate.is_some(), "INTERPOLATE")])?;
    let ast::OrderByKind::Expressions(items) = order.kind else {
        return Err(unsupported("ORDER BY ALL", at));
    };
    items.into_iter().map(convert_order_item).collect()
}

fn convert_order_item(item: ast::OrderByExpr) -> Result<OrderItem, QueryError> {
    let at = position(item.expr.span().start);
    refuse_any(at, &[(item.with_fill.is_some(), "WITH FILL")])?;
    let descending = match item.options.sort {
        None | Some(ast::OrderBySort::Asc) => false,
        Some(ast::OrderBySort::Desc) => true,
        Some(_) => return Err(unsupported("ORDER BY USING", at)),
    };
    match item.options.nulls_first {
        Some(first) if first == descending => {
            let (clause, order) = if first {
                ("FIRST", "DESC")
            } else {
                ("LAST", "ASC")
            };
            Err(unsupported(&format!("{order} NULLS {clause}"), at)
                .hint("NULL is the smallest value: first in ASC, last in DESC"))
        }
        _ => Ok(OrderItem {
            node: expr::convert(item.expr)?,
            descending,
        }),
    }
}
