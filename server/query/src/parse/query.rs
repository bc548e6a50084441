//! The clauses of a query.

use sqlparser::ast;

use super::from::convert_from;
use super::name::{convert_ident, convert_name};
use super::{expr, position, start, too_deep, unsupported};
use crate::error::QueryError;
use crate::syntax::{Body, Item, Name, OrderItem, Position, Query, Select};
use syncline_protocol::limits::SQL_DEPTH_MAX;

/// Converts a query that stands `depth` deep in others.
pub(super) fn convert(query: ast::Query, depth: usize) -> Result<Query, QueryError> {
    if depth > SQL_DEPTH_MAX {
        return Err(too_deep());
    }
    let at = start::of_query(&query);
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
            (fetch.is_some(), "FETCH"),
            (!locks.is_empty(), "FOR UPDATE"),
            (for_clause.is_some(), "FOR"),
            (settings.is_some(), "SETTINGS"),
            (format_clause.is_some(), "FORMAT"),
            (!pipe_operators.is_empty(), "a pipe operator"),
        ],
    )?;
    let with = with.map(|with| convert_with(with, at, depth)).transpose()?;
    let mut query = Query {
        with: with.unwrap_or_default(),
        body: convert_body(*body, at, depth)?,
        order: order_by
            .map(|order| convert_order(order, at, depth))
            .transpose()?
            .unwrap_or_default(),
        after: Vec::new(),
        limit: None,
        offset: None,
        at,
    };
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
        let node = |node| expr::convert_at(node, depth);
        query.limit = limit.map(node).transpose()?;
        query.offset = offset.map(|offset| node(offset.value)).transpose()?;
    }
    Ok(query)
}

fn convert_with(
    with: ast::With,
    at: Position,
    depth: usize,
) -> Result<Vec<(Name, Query)>, QueryError> {
    if with.recursive {
        return Err(unsupported("WITH RECURSIVE", at)
            .hint("keep the closure in a table of its own, which reducers maintain"));
    }
    let convert_one = |cte: ast::Cte| {
        let name = convert_alias(cte.alias)?;
        Ok((name, convert(*cte.query, depth + 1)?))
    };
    with.cte_tables.into_iter().map(convert_one).collect()
}

/// An alias without a list of columns.
pub(super) fn convert_alias(alias: ast::TableAlias) -> Result<Name, QueryError> {
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
    Ok(convert_ident(alias.name))
}

/// A query around a body alone.
fn bare(body: Body, at: Position) -> Query {
    Query {
        with: Vec::new(),
        body,
        order: Vec::new(),
        after: Vec::new(),
        limit: None,
        offset: None,
        at,
    }
}

fn convert_body(body: ast::SetExpr, at: Position, depth: usize) -> Result<Body, QueryError> {
    if depth > SQL_DEPTH_MAX {
        return Err(too_deep());
    }
    match body {
        ast::SetExpr::Select(select) => {
            let select = convert_select(*select, at, depth)?;
            Ok(Body::Select(Box::new(select)))
        }
        ast::SetExpr::Query(query) => {
            let query = convert(*query, depth + 1)?;
            let is_bare = query.with.is_empty()
                && query.order.is_empty()
                && query.limit.is_none()
                && query.offset.is_none();
            Ok(if is_bare {
                query.body
            } else {
                let branches = vec![query];
                Body::Union {
                    all: true,
                    branches,
                }
            })
        }
        ast::SetExpr::SetOperation {
            left,
            op,
            set_quantifier,
            right,
        } => {
            if op != ast::SetOperator::Union {
                return Err(unsupported(&op.to_string(), at)
                    .hint("write it with [NOT] EXISTS or [NOT] IN (SELECT ..)"));
            }
            let all = match set_quantifier {
                ast::SetQuantifier::All => true,
                ast::SetQuantifier::None | ast::SetQuantifier::Distinct => false,
                other => return Err(unsupported(&format!("UNION {other}"), at)),
            };
            let mut branches = Vec::new();
            for side in [*left, *right] {
                let at = start::of_body(&side);
                match convert_body(side, at, depth + 1)? {
                    // (a UNION b) UNION c is one union; so is (q), a query with clauses of its own.
                    Body::Union {
                        all: inner,
                        branches: more,
                    } if inner == all || more.len() == 1 => branches.extend(more),
                    body => branches.push(bare(body, at)),
                }
            }
            Ok(Body::Union { all, branches })
        }
        ast::SetExpr::Values(_) => Err(unsupported("VALUES", at)),
        _ => Err(unsupported("a statement in place of a SELECT", at)),
    }
}

pub(super) fn refuse_any(at: Position, features: &[(bool, &str)]) -> Result<(), QueryError> {
    match features.iter().find(|(is_there, _)| *is_there) {
        Some((_, feature)) => Err(unsupported(feature, at)),
        None => Ok(()),
    }
}

fn convert_select(select: ast::Select, at: Position, depth: usize) -> Result<Select, QueryError> {
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
    if let Some(ast::Distinct::On(_)) = distinct {
        return Err(unsupported("DISTINCT ON", at)
            .hint("join with the first of each: SELECT a, min(b) FROM t GROUP BY a"));
    }
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
    let ast::GroupByExpr::Expressions(group, modifiers) = group_by else {
        return Err(unsupported("GROUP BY ALL", at));
    };
    refuse_any(at, &[(!modifiers.is_empty(), "a GROUP BY modifier")])?;
    let node = |node| expr::convert_at(node, depth);
    Ok(Select {
        distinct: matches!(distinct, Some(ast::Distinct::Distinct)),
        items: projection
            .into_iter()
            .map(|item| convert_item(item, depth))
            .collect::<Result<_, _>>()?,
        from: convert_from(from, at, depth)?,
        filter: selection.map(node).transpose()?,
        group: group.into_iter().map(node).collect::<Result<_, _>>()?,
        having: having.map(node).transpose()?,
    })
}

fn convert_item(item: ast::SelectItem, depth: usize) -> Result<Item, QueryError> {
    let at = start::of_item(&item);
    match item {
        ast::SelectItem::UnnamedExpr(node) => Ok(Item::One(expr::convert_at(node, depth)?, None)),
        ast::SelectItem::ExprWithAlias { expr: node, alias } => {
            let node = expr::convert_at(node, depth)?;
            Ok(Item::One(node, Some(convert_ident(alias))))
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

fn convert_order(
    order: ast::OrderBy,
    at: Position,
    depth: usize,
) -> Result<Vec<OrderItem>, QueryError> {
    refuse_any(at, &[(order.interpolate.is_some(), "INTERPOLATE")])?;
    let ast::OrderByKind::Expressions(items) = order.kind else {
        return Err(unsupported("ORDER BY ALL", at));
    };
    items
        .into_iter()
        .map(|item| convert_order_item(item, depth))
        .collect()
}

pub(super) fn convert_order_item(
    item: ast::OrderByExpr,
    depth: usize,
) -> Result<OrderItem, QueryError> {
    let at = start::of_expr(&item.expr);
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
            node: expr::convert_at(item.expr, depth)?,
            descending,
        }),
    }
}
