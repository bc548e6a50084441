//! UNION: branches whose outputs get the same types, and keys that tell their rows apart.

use syncline_protocol::{ErrorCode, Type};

use super::binder::Binder;
use super::operand::nullable;
use super::outputs::numbered;
use super::types::{cast_to, is_total, join};
use super::{check_key_count, names};
use crate::error::QueryError;
use crate::plan::expr::{Expr, Slot};
use crate::plan::{Body, Column, OrderKey, Query, Relation, Select, Source};
use crate::scalar::is_nullable;
use crate::syntax::{self, NodeKind, Position};

impl<'a> Binder<'a> {
    pub(super) fn union(
        &mut self,
        all: bool,
        branches: &'a [syntax::Query],
        query: &'a syntax::Query,
    ) -> Result<Query, QueryError> {
        if !query.after.is_empty() {
            let message = "AFTER behind a UNION is not supported";
            return Err(QueryError::new(ErrorCode::SqlUnsupported, message)
                .at(query.at)
                .hint("put the UNION into FROM: SELECT * FROM (..) u ORDER BY x AFTER (:x)"));
        }
        let mut bound = Vec::with_capacity(branches.len());
        for branch in branches {
            bound.push(self.query(branch)?);
        }
        let count = bound[0].visible_count();
        for (branch, syntax) in bound.iter().zip(branches) {
            if branch.visible_count() != count {
                let other = branch.visible_count();
                let message = format!("UNION of {count} columns with {other}");
                return Err(QueryError::new(ErrorCode::SqlType, message).at(syntax.at));
            }
        }
        let mut columns = Vec::with_capacity(count);
        for index in 0..count {
            let ty = column_type(&bound, index, query.at)?;
            columns.push(Column {
                name: bound[0].outputs[index].name.clone(),
                ty,
                hidden: false,
            });
        }
        let keys = (all && self.keyed).then(|| key_columns(&bound));
        let mut key: Vec<u16> = (0..count as u16).collect();
        if let Some((types, _)) = &keys {
            key = (count as u16..(count + types.len()) as u16).collect();
            for ty in types {
                let is_taken = |name: &str| columns.iter().any(|c: &Column| c.name == name);
                let name = numbered("branch", is_taken);
                let (ty, hidden) = (ty.clone(), true);
                columns.push(Column { name, ty, hidden });
            }
        }
        let branches = bound.into_iter().enumerate();
        let branches = branches
            .map(|(index, branch)| {
                let keys = keys.as_ref().map(|(types, at)| (types, index, &at[index]));
                reshape(branch, &columns, count, keys)
            })
            .collect();
        Ok(Query {
            order: union_order(query, &columns[..count])?,
            body: Body::Union { all, branches },
            outputs: columns,
            key,
            limit: None,
            offset: 0,
        })
    }
}

/// The type that holds a column of all branches.
fn column_type(branches: &[Query], index: usize, at: Position) -> Result<Type, QueryError> {
    let mut found: Option<Type> = None;
    let mut is_null = false;
    for branch in branches {
        let ty = &branch.outputs[index].ty;
        is_null |= is_nullable(ty);
        if !is_null_literal(branch, index) {
            found = Some(join(found, ty.non_null(), at)?);
        }
    }
    let found = found.unwrap_or(Type::String);
    // What does not fit the type of both is NULL.
    let mut types = branches
        .iter()
        .map(|branch| branch.outputs[index].ty.non_null());
    let is_null = is_null || types.any(|ty| !is_total(ty, &found));
    Ok(if is_null { nullable(&found) } else { found })
}

/// Whether the column is a NULL that has no type of its own.
fn is_null_literal(branch: &Query, index: usize) -> bool {
    let expr = branch.select().map(|select| &select.exprs[index]);
    matches!(expr, Some(Expr::Literal(literal))
        if is_nullable(&literal.ty) && *literal.packed == [1])
}

/// Hidden columns for the number of the branch and for the keys of each branch: types, and for each
/// branch which of them its keys are.
fn key_columns(branches: &[Query]) -> (Vec<Type>, Vec<Vec<usize>>) {
    let mut types = vec![Type::U8];
    let mut places = Vec::with_capacity(branches.len());
    for branch in branches {
        let mut own = Vec::with_capacity(branch.key.len());
        for column in &branch.key {
            let ty = nullable(&branch.outputs[usize::from(*column)].ty);
            let free = (1..types.len()).find(|at| types[*at] == ty && !own.contains(at));
            own.push(free.unwrap_or_else(|| {
                types.push(ty);
                types.len() - 1
            }));
        }
        places.push(own);
    }
    (types, places)
}

/// Types of hidden key columns, the number of the branch, and which of them its keys are.
type Keys<'k> = (&'k Vec<Type>, usize, &'k Vec<usize>);

/// The branch with these outputs.
fn reshape(branch: Query, columns: &[Column], count: usize, keys: Option<Keys<'_>>) -> Query {
    let is_plain = match &branch.body {
        Body::Select(select) => {
            !select.distinct
                && branch.order.is_empty()
                && branch.limit.is_none()
                && branch.offset == 0
        }
        Body::Union { .. } => false,
    };
    let key = branch.key.clone();
    let (mut select, outputs) = match branch.body {
        Body::Select(select) if is_plain => (*select, branch.outputs),
        _ => over(branch),
    };
    let given = std::mem::take(&mut select.exprs);
    let visible = given.iter().zip(&outputs).zip(&columns[..count]);
    select.exprs = visible
        .map(|((expr, from), to)| converted(expr, &from.ty, &to.ty))
        .collect();
    if let Some((types, number, places)) = keys {
        select
            .exprs
            .push(Expr::literal(Type::U8, vec![number as u8]));
        for (at, ty) in types.iter().enumerate().skip(1) {
            let own = places.iter().position(|place| *place == at);
            select.exprs.push(match own {
                Some(own) => given[usize::from(key[own])].clone(),
                None => Expr::literal(ty.clone(), vec![1]),
            });
        }
    }
    let key = match keys {
        None => (0..count as u16).collect(),
        Some(_) => (count as u16..columns.len() as u16).collect(),
    };
    Query {
        body: Body::Select(Box::new(select)),
        outputs: columns.to_vec(),
        key: if keys.is_some() { key } else { Vec::new() },
        order: Vec::new(),
        limit: None,
        offset: 0,
    }
}

/// A select of all columns of a query.
fn over(query: Query) -> (Select, Vec<Column>) {
    let outputs = query.outputs.clone();
    let columns = outputs.iter().enumerate();
    let select = Select {
        filter: None,
        grouping: None,
        exprs: columns
            .map(|(index, column)| Expr::Column(Slot::new(index, &column.ty)))
            .collect(),
        distinct: false,
        sources: vec![Source {
            layout: query.layout(),
            relation: Relation::Derived(Box::new(query)),
            left_on: None,
        }],
    };
    (select, outputs)
}

fn converted(expr: &Expr, from: &Type, to: &Type) -> Expr {
    if let Expr::Literal(literal) = expr
        && is_nullable(&literal.ty)
        && *literal.packed == [1]
    {
        return Expr::literal(to.clone(), vec![1]);
    }
    match cast_to(to.non_null()) {
        Some(cast) if from.non_null() != to.non_null() => Expr::Cast(Box::new(expr.clone()), cast),
        _ => expr.clone(),
    }
}

/// Only columns of the result can order a union.
fn union_order(query: &syntax::Query, columns: &[Column]) -> Result<Vec<OrderKey>, QueryError> {
    check_key_count(query.order.len(), "ORDER BY")?;
    let mut keys: Vec<OrderKey> = Vec::new();
    for item in &query.order {
        let found = match &item.node.kind {
            NodeKind::Column { table: None, name } => columns
                .iter()
                .position(|column| names::is_same(name, &column.name)),
            NodeKind::Literal(syncline_protocol::param::Param::Int(number)) => {
                let number = usize::try_from(*number).ok();
                let position = number.and_then(|number| number.checked_sub(1));
                position.filter(|position| *position < columns.len())
            }
            _ => None,
        };
        let Some(column) = found else {
            let message = "ORDER BY behind a UNION takes columns of the result";
            return Err(QueryError::new(ErrorCode::SqlUnknownColumn, message).at(item.node.at));
        };
        if !super::operand::is_ordered(&columns[column].ty) {
            let message = format!(
                "values of type {} have no order",
                columns[column].ty.non_null()
            );
            return Err(QueryError::new(ErrorCode::SqlType, message).at(item.node.at));
        }
        let (column, descending) = (column as u16, item.descending);
        if keys.iter().all(|key| key.column != column) {
            keys.push(OrderKey { column, descending });
        }
    }
    Ok(keys)
}
