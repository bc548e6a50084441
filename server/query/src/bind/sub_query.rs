//! Queries inside expressions.

use syncline_protocol::{ErrorCode, Type};

use super::binder::Binder;
use super::operand::{Operand, is_ordered, nullable};
use super::order::{Wanted, ahead, same};
use super::scopes::Frame;
use super::select::conjunction;
use super::types::{comparable, type_error};
use super::{check_key_count, keys};
use crate::error::QueryError;
use crate::plan::expr::{Expr, NumberClass, Slot};
use crate::plan::{Aggregate, AggregateCall, Body, Column, Grouping, Query, Select, SubQuery};
use crate::syntax::{self, ArithmeticOp, Node, OrderItem, Position};

impl<'a> Binder<'a> {
    /// Binds a query that sees the select it stands in.
    fn inner(&mut self, query: &'a syntax::Query) -> Result<SubQuery, QueryError> {
        self.frames.push(Frame::SubQuery(Vec::new()));
        let bound = self.query(query)?;
        let Some(Frame::SubQuery(outer)) = self.frames.pop() else {
            unreachable!("frames are popped by who pushed them");
        };
        let is_window = bound.limit.is_some() || bound.offset > 0;
        if is_window && !outer.is_empty() {
            let message =
                "LIMIT in a sub-query that depends on the query around it is not supported";
            return Err(QueryError::new(ErrorCode::SqlUnsupported, message)
                .at(query.at)
                .hint("use min or max, or join with a query that groups"));
        }
        Ok(SubQuery {
            query: bound,
            outer,
        })
    }

    pub(super) fn exists(&mut self, query: &'a syntax::Query) -> Result<Expr, QueryError> {
        let mut bound = self.inner(query)?;
        let inner = &mut bound.query;
        if inner.limit.is_none() && inner.offset == 0 {
            inner.order.clear();
            // What the columns are does not matter.
            if let Body::Select(select) = &mut inner.body {
                select.distinct = false;
                if let Some(grouping) = &select.grouping {
                    inner.key = (1..=grouping.keys.len() as u16).collect();
                    let columns = grouping.keys.iter().enumerate();
                    let columns = columns
                        .map(|(index, (_, ty))| (Expr::Column(Slot::new(index, ty)), ty.clone()));
                    (select.exprs, inner.outputs) = only_keys(columns.collect());
                } else {
                    let key = keys::row_key(self.db, select);
                    inner.key = (1..=key.len() as u16).collect();
                    (select.exprs, inner.outputs) = only_keys(key);
                }
                if !self.keyed {
                    inner.key.clear();
                    select.exprs.truncate(1);
                    inner.outputs.truncate(1);
                }
            }
        }
        Ok(Expr::Exists(Box::new(bound)))
    }

    pub(super) fn in_query(
        &mut self,
        operand: &'a Node,
        query: &'a syntax::Query,
    ) -> Result<Expr, QueryError> {
        let left = self.operand(operand)?;
        let bound = self.inner(query)?;
        let ty = one_column(&bound.query, "IN", query.at)?;
        let right = Operand::Typed(Expr::Column(Slot::new(0, &ty)), ty);
        let ((left, _), _) = comparable(left, right, operand.at)?;
        Ok(Expr::InQuery(Box::new(left), Box::new(bound)))
    }

    pub(super) fn scalar(&mut self, query: &'a syntax::Query) -> Result<Operand, QueryError> {
        let mut bound = self.inner(query)?;
        let inner = &mut bound.query;
        let ty = one_column(inner, "a sub-query as a value", query.at)?;
        let is_window = inner.limit.is_some_and(|limit| limit != 1) || inner.offset > 0;
        let mut is_one = false;
        if let Body::Select(select) = &mut inner.body {
            match &select.grouping {
                Some(grouping) => {
                    is_one = grouping.keys.is_empty() && grouping.having.is_none();
                }
                None if keys::is_single(self.db, select) && is_ordered(&ty) => {
                    // At most one row: its value is the greatest, and NULL is that of no row.
                    let arg = select.exprs[0].clone();
                    select.grouping = Some(only_call(Aggregate::Max, Some(arg), &ty));
                    select.distinct = false;
                    let ty = nullable(&ty);
                    select.exprs = vec![Expr::Column(Slot::new(0, &ty))];
                    inner.outputs.truncate(1);
                    inner.outputs[0].ty = ty;
                    is_one = true;
                }
                None => {}
            }
        }
        if !is_one || is_window {
            let message = "a sub-query as a value may have several rows";
            return Err(QueryError::new(ErrorCode::SqlUnsupported, message)
                .at(query.at)
                .hint("use an aggregate, or compare a whole key with = in its WHERE"));
        }
        if let Body::Select(select) = &mut inner.body {
            select.distinct = false;
            select.exprs.truncate(1);
        }
        inner.outputs.truncate(1);
        (inner.limit, inner.key) = (None, Vec::new());
        inner.order.clear();
        let ty = inner.outputs[0].ty.clone();
        // Who cannot be asked has no value.
        let ty = if ty.fixed_len().is_some() {
            ty
        } else {
            nullable(&ty)
        };
        Ok(Operand::Typed(Expr::Scalar(Box::new(bound)), ty))
    }

    /// `RANK() OVER ..`: one more than the rows that come ahead.
    pub(super) fn rank(
        &mut self,
        unique: bool,
        partition: &'a [Node],
        order: &'a [OrderItem],
        at: Position,
    ) -> Result<Operand, QueryError> {
        let refuse = |message: &str| {
            Err(QueryError::new(ErrorCode::SqlUnsupported, message)
                .at(at)
                .hint("rank in a sub-query in FROM, and do the rest around it"))
        };
        check_key_count(partition.len() + order.len(), "OVER")?;
        let size = self.scope().rows_size;
        self.count_parts(size, at)?;
        let Some((sources, filter)) = self.scope().rows.clone() else {
            return refuse("a rank stands in the select list or in ORDER BY");
        };
        let mut is_outer = |part: &Expr| matches!(part, Expr::Outer(_));
        let ons = sources.iter().filter_map(|source| source.left_on.as_ref());
        if ons.chain(&filter).any(|expr| expr.any(&mut is_outer)) {
            return refuse("a rank in a query that depends on the one around it");
        }
        let mut select = Select {
            sources,
            filter: None,
            grouping: None,
            exprs: Vec::new(),
            distinct: false,
        };
        let mut wanted = Vec::with_capacity(order.len());
        for item in order {
            wanted.push(self.wanted(item)?);
        }
        if unique {
            select.filter.clone_from(&filter);
            let descending = wanted.last().is_some_and(|key| key.descending);
            let ties = keys::row_key(self.db, &select).into_iter();
            wanted.extend(ties.map(|(expr, ty)| Wanted {
                expr,
                ty,
                descending,
                size: 1,
            }));
        }
        let mut parts = Vec::with_capacity(partition.len());
        for node in partition {
            let ((expr, ty), size) = self.sized(|this| this.value(node))?;
            let descending = false;
            parts.push(Wanted {
                expr,
                ty,
                descending,
                size,
            });
        }
        let mut all = wanted.iter().chain(&parts);
        if all.any(|key| key.expr.any(&mut is_aggregate)) {
            return refuse("a rank of groups");
        }
        self.count_keys(&wanted, at)?;
        self.count_keys(&parts, at)?;
        let all = wanted.iter().chain(&parts);
        let outer: Vec<(Expr, Type)> = all.map(|k| (k.expr.clone(), k.ty.clone())).collect();
        conditions_of_rank(&mut select, filter, &wanted, &parts);
        let count = count_of(select, outer);
        let one = Expr::literal(Type::I64, 1i64.to_le_bytes().to_vec());
        let (count, one) = (Box::new(count), Box::new(one));
        Ok(Operand::Typed(
            Expr::Arithmetic(ArithmeticOp::Add, NumberClass::Int64, count, one),
            nullable(&Type::I64),
        ))
    }
}

/// The rows of the partition that come ahead of the outer tuple: the order's keys, then the partition's.
fn conditions_of_rank(
    select: &mut Select,
    filter: Option<Expr>,
    wanted: &[Wanted],
    parts: &[Wanted],
) {
    let slot = |index: usize| {
        let key = wanted
            .get(index)
            .unwrap_or_else(|| &parts[index - wanted.len()]);
        Expr::Outer(Slot::new(index, &key.ty))
    };
    let mut ways = Vec::with_capacity(wanted.len());
    for (index, key) in wanted.iter().enumerate() {
        let before = wanted[..index].iter().enumerate();
        let mut way: Vec<Expr> = before.map(|(i, key)| same(key, &slot(i))).collect();
        way.push(ahead(key, &slot(index)));
        ways.push(Expr::And(way));
    }
    let mut conditions: Vec<Expr> = filter.into_iter().collect();
    conditions.push(Expr::Or(ways));
    for (index, part) in parts.iter().enumerate() {
        conditions.push(same(part, &slot(wanted.len() + index)));
    }
    select.filter = conjunction(conditions);
}

/// How many rows the select has.
fn count_of(mut select: Select, outer: Vec<(Expr, Type)>) -> Expr {
    select.grouping = Some(only_call(Aggregate::Count, None, &Type::I64));
    select.exprs = vec![Expr::Column(Slot::new(0, &Type::I64))];
    let query = Query {
        body: Body::Select(Box::new(select)),
        outputs: vec![Column {
            name: "count".into(),
            ty: Type::I64,
            hidden: false,
        }],
        key: Vec::new(),
        order: Vec::new(),
        limit: None,
        offset: 0,
    };
    Expr::Scalar(Box::new(SubQuery { query, outer }))
}

fn is_aggregate(part: &Expr) -> bool {
    matches!(part, Expr::Aggregate(_))
}

/// A constant and the keys.
fn only_keys(keys: Vec<(Expr, Type)>) -> (Vec<Expr>, Vec<Column>) {
    let mut exprs = vec![Expr::literal(Type::Bool, vec![1])];
    let mut outputs = vec![Column {
        name: "exists".into(),
        ty: Type::Bool,
        hidden: false,
    }];
    for (index, (expr, ty)) in keys.into_iter().enumerate() {
        exprs.push(expr);
        outputs.push(Column {
            name: format!("key_{}", index + 1),
            ty,
            hidden: true,
        });
    }
    (exprs, outputs)
}

/// One group with one call.
fn only_call(function: Aggregate, arg: Option<Expr>, ty: &Type) -> Grouping {
    let result = match function {
        Aggregate::Count => Type::I64,
        _ => nullable(ty),
    };
    Grouping {
        keys: Vec::new(),
        calls: vec![AggregateCall {
            function,
            arg,
            distinct: false,
            arg_ty: ty.clone(),
            ty: result,
        }],
        having: None,
    }
}

/// The type of the only column.
fn one_column(query: &Query, what: &str, at: Position) -> Result<Type, QueryError> {
    match query.visible_count() {
        1 => Ok(query.outputs[0].ty.clone()),
        count => Err(type_error(
            format!("{what} has one column, not {count}"),
            at,
        )),
    }
}
