//! The bytes by which templates are told apart, and literals that become parameters. Both walk a query
//! in the same order.

use syncline_protocol::Type;

use super::expr::{Expr, Literal, Slot};
use super::{AggregateCall, Body, Grouping, Query, Relation, Select, Source, SubQuery};
use crate::syntax::CompareOp;

impl Query {
    /// Appends bytes that tell this query from every other one but for its literals; see
    /// [`Expr::write_shape`]. The limit of the query itself is left out: who wants it adds it.
    pub(crate) fn write_shape<'e>(
        &'e self,
        out: &mut Vec<u8>,
        literal: &mut dyn FnMut(&'e Literal),
    ) {
        match &self.body {
            Body::Select(select) => {
                out.push(1);
                select.write_shape(out, literal);
            }
            Body::Union { all, branches } => {
                out.extend_from_slice(&[2, u8::from(*all)]);
                write_count(branches.len(), out);
                for branch in branches {
                    branch.write_inner_shape(out, literal);
                }
            }
        }
        write_count(self.outputs.len(), out);
        for output in &self.outputs {
            out.push(u8::from(output.hidden));
            write_text(&output.name, out);
            write_type(&output.ty, out);
        }
        write_count(self.key.len(), out);
        for column in &self.key {
            out.extend_from_slice(&column.to_le_bytes());
        }
        write_count(self.order.len(), out);
        for key in &self.order {
            out.extend_from_slice(&key.column.to_le_bytes());
            out.push(u8::from(key.descending));
        }
        out.extend_from_slice(&self.offset.to_le_bytes());
    }

    /// The shape with the limit.
    fn write_inner_shape<'e>(&'e self, out: &mut Vec<u8>, literal: &mut dyn FnMut(&'e Literal)) {
        self.write_shape(out, literal);
        out.push(u8::from(self.limit.is_some()));
        out.extend_from_slice(&self.limit.unwrap_or_default().to_le_bytes());
    }

    /// Replaces literals by parameters, numbered from `next` on in the order of [`Self::write_shape`].
    pub(crate) fn lift(&mut self, next: &mut u16) {
        match &mut self.body {
            Body::Select(select) => select.for_each_expr_mut(&mut |expr| lift(expr, next)),
            Body::Union { branches, .. } => branches.iter_mut().for_each(|b| b.lift(next)),
        }
    }
}

impl Select {
    fn write_shape<'e>(&'e self, out: &mut Vec<u8>, literal: &mut dyn FnMut(&'e Literal)) {
        write_count(self.sources.len(), out);
        for source in &self.sources {
            match &source.relation {
                Relation::Table(table) => {
                    out.push(1);
                    out.extend_from_slice(&table.0.to_le_bytes());
                }
                Relation::Derived(query) => {
                    out.push(2);
                    query.write_inner_shape(out, literal);
                }
            }
            write_optional(source.left_on.as_ref(), out, literal);
        }
        write_optional(self.filter.as_ref(), out, literal);
        out.push(u8::from(self.grouping.is_some()));
        if let Some(grouping) = &self.grouping {
            write_count(grouping.keys.len(), out);
            for (key, _) in &grouping.keys {
                key.write_shape(out, literal);
            }
            write_count(grouping.calls.len(), out);
            for call in &grouping.calls {
                out.extend_from_slice(&[call.function as u8, u8::from(call.distinct)]);
                write_optional(call.arg.as_ref(), out, literal);
            }
            write_optional(grouping.having.as_ref(), out, literal);
        }
        write_count(self.exprs.len(), out);
        for expr in &self.exprs {
            expr.write_shape(out, literal);
        }
        out.push(u8::from(self.distinct));
    }

    /// Calls `visit` with each expression, those of derived sources among them, in the order of the shape.
    fn for_each_expr_mut(&mut self, visit: &mut dyn FnMut(&mut Expr)) {
        for Source {
            relation, left_on, ..
        } in &mut self.sources
        {
            if let Relation::Derived(query) = relation {
                query.for_each_expr_mut(visit);
            }
            left_on.iter_mut().for_each(&mut *visit);
        }
        self.filter.iter_mut().for_each(&mut *visit);
        if let Some(Grouping {
            keys,
            calls,
            having,
        }) = &mut self.grouping
        {
            for (key, _) in keys {
                visit(key);
            }
            for AggregateCall { arg, .. } in calls {
                arg.iter_mut().for_each(&mut *visit);
            }
            having.iter_mut().for_each(&mut *visit);
        }
        self.exprs.iter_mut().for_each(visit);
    }
}

impl Query {
    /// Calls `visit` with each expression at any level but inside sub-queries, in the order of the shape.
    pub(crate) fn for_each_expr_mut(&mut self, visit: &mut dyn FnMut(&mut Expr)) {
        match &mut self.body {
            Body::Select(select) => select.for_each_expr_mut(visit),
            Body::Union { branches, .. } => {
                for branch in branches {
                    branch.for_each_expr_mut(visit);
                }
            }
        }
    }
}

impl Query {
    /// Calls `visit` with every sub-query at any level.
    pub(crate) fn for_each_sub_query<'q>(&'q self, visit: &mut dyn FnMut(&'q SubQuery)) {
        let select = match &self.body {
            Body::Select(select) => select,
            Body::Union { branches, .. } => {
                for branch in branches {
                    branch.for_each_sub_query(visit);
                }
                return;
            }
        };
        let mut find = |expr: &'q Expr| sub_queries(expr, visit);
        for source in &select.sources {
            source.left_on.iter().for_each(&mut find);
        }
        select.filter.iter().for_each(&mut find);
        select.exprs.iter().for_each(&mut find);
        if let Some(grouping) = &select.grouping {
            for (key, _) in &grouping.keys {
                find(key);
            }
            let args = grouping.calls.iter().filter_map(|call| call.arg.as_ref());
            args.chain(&grouping.having).for_each(&mut find);
        }
        for source in &select.sources {
            if let Relation::Derived(query) = &source.relation {
                query.for_each_sub_query(visit);
            }
        }
    }
}

/// Calls `visit` with the sub-queries of an expression and those in them.
fn sub_queries<'q>(expr: &'q Expr, visit: &mut dyn FnMut(&'q SubQuery)) {
    if let Some(sub_query) = expr.sub_query() {
        visit(sub_query);
        sub_query.query.for_each_sub_query(visit);
    }
    expr.for_each_part(&mut |part| sub_queries(part, visit));
}

impl SubQuery {
    /// The shape of what is inside: `outer` belongs to the expression around it.
    pub(crate) fn write_shape<'e>(
        &'e self,
        out: &mut Vec<u8>,
        literal: &mut dyn FnMut(&'e Literal),
    ) {
        for (_, ty) in &self.outer {
            write_type(ty, out);
        }
        self.query.write_inner_shape(out, literal);
    }
}

/// Replaces the literals of an expression.
fn lift(expr: &mut Expr, next: &mut u16) {
    if let Expr::Literal(literal) = expr {
        *expr = Expr::Param(Slot::new(usize::from(*next), &literal.ty));
        *next += 1;
        return;
    }
    expr.for_each_part_mut(&mut |part| lift(part, next));
    if let Some(sub_query) = expr.sub_query_mut() {
        sub_query.query.lift(next);
    }
    if let Expr::Compare(CompareOp::Equal, ..) = expr
        && let Some((column, Expr::Param(param))) = expr.as_column_is()
    {
        *expr = Expr::ColumnIs(column, param);
    }
}

fn write_optional<'e>(
    expr: Option<&'e Expr>,
    out: &mut Vec<u8>,
    literal: &mut dyn FnMut(&'e Literal),
) {
    out.push(u8::from(expr.is_some()));
    if let Some(expr) = expr {
        expr.write_shape(out, literal);
    }
}

fn write_count(count: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&(count as u32).to_le_bytes());
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    write_count(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

fn write_type(ty: &Type, out: &mut Vec<u8>) {
    write_text(&format!("{ty:?}"), out);
}
