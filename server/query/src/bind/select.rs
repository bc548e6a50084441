//! One SELECT.

use syncline_protocol::{ErrorCode, Type};

use super::binder::Binder;
use super::order::Wanted;
use super::outputs::{Draft, ordinal, output_of};
use super::scopes::{Frame, Scope};
use super::{check_key_count, group, keys};
use crate::error::QueryError;
use crate::plan::expr::{Expr, Slot};
use crate::plan::{self, Body, Grouping, OrderKey, Query};
use crate::syntax;
use crate::syntax::Select;

impl<'a> Binder<'a> {
    /// Binds the select that is the body of a query, with the query's order.
    pub(super) fn select(
        &mut self,
        select: &'a Select,
        query: &'a syntax::Query,
    ) -> Result<Query, QueryError> {
        self.frames.push(Frame::Select(Scope::default()));
        let ((sources, conditions), size) = self.sized(|this| {
            let (sources, mut conditions) = this.sources(&select.from)?;
            if let Some(node) = &select.filter {
                let condition = this.condition(node)?;
                conditions.extend(this.decided(condition));
            }
            Ok((sources, conditions))
        })?;
        let filter = conjunction(conditions);
        let scope = self.scope();
        scope.rows = Some((sources.clone(), filter.clone()));
        scope.rows_size = size;
        scope.aggregates_allowed = true;
        let mut drafts = self.outputs(select)?;
        let mut order = self.order_keys(query, &drafts)?;
        let mut after = self.after(query, &order)?;
        let having = select.having.as_ref();
        let mut having = having.map(|node| self.condition(node)).transpose()?;
        self.scope().aggregates_allowed = false;
        let group = self.group_keys(select, &drafts)?;
        let calls = std::mem::take(&mut self.scope().calls);
        let is_grouped = !group.is_empty() || !calls.is_empty() || having.is_some();
        if is_grouped {
            let over = group::Groups {
                keys: &group,
                calls: &calls,
                scope: self.scope(),
            };
            for draft in &mut drafts {
                over.rewrite(&mut draft.expr, draft.at)?;
            }
            for (key, item) in order.iter_mut().zip(&query.order) {
                over.rewrite(&mut key.expr, item.node.at)?;
            }
            if let (Some(having), Some(node)) = (&mut having, &select.having) {
                over.rewrite(having, node.at)?;
            }
            if let Some(after) = &mut after {
                over.rewrite(after, query.at)?;
            }
        }
        let mut bound = plan::Select {
            sources,
            filter,
            grouping: None,
            exprs: Vec::new(),
            distinct: select.distinct,
        };
        if is_grouped {
            let having = conjunction(having.into_iter().chain(after).collect());
            bound.grouping = Some(Grouping {
                keys: group,
                calls,
                having,
            });
        } else if let Some(after) = after {
            bound.filter = conjunction(bound.filter.into_iter().chain([after]).collect());
        }
        let finished = self.finish_select(bound, drafts, order, query)?;
        self.frames.pop();
        Ok(finished)
    }

    /// Finds the key, and adds what key and order need to the outputs.
    fn finish_select(
        &mut self,
        mut select: plan::Select,
        mut drafts: Vec<Draft>,
        order: Vec<Wanted>,
        query: &'a syntax::Query,
    ) -> Result<Query, QueryError> {
        let unique: Vec<(Expr, Type)> = match &select.grouping {
            Some(grouping) => {
                let keys = grouping.keys.iter().enumerate();
                keys.map(|(index, (_, ty))| (Expr::Column(Slot::new(index, ty)), ty.clone()))
                    .collect()
            }
            None => keys::row_key(self.db, &select),
        };
        if select.distinct {
            let is_output = |expr: &Expr| drafts.iter().any(|draft| draft.expr == *expr);
            for (key, item) in order.iter().zip(&query.order) {
                if !is_output(&key.expr) {
                    let message = "with DISTINCT, ORDER BY takes columns of the result";
                    return Err(
                        QueryError::new(ErrorCode::SqlUnsupported, message).at(item.node.at)
                    );
                }
            }
            // Rows that differ in their key are distinct already.
            select.distinct = !unique.iter().all(|(expr, _)| is_output(expr));
        }
        let (is_grouped, keyed) = (select.grouping.is_some(), self.keyed);
        let scope = self.scope();
        let name_of = |expr: &Expr| match expr {
            Expr::Column(slot) if !is_grouped => scope.name_of(*slot).to_owned(),
            _ => "order".to_owned(),
        };
        let key = if select.distinct {
            (0..drafts.len() as u16).collect()
        } else if keyed {
            let unique = unique.into_iter();
            unique
                .map(|key| output_of(&mut drafts, key, name_of))
                .collect()
        } else {
            Vec::new()
        };
        let mut order_keys: Vec<OrderKey> = Vec::with_capacity(order.len());
        for wanted in order {
            let column = output_of(&mut drafts, (wanted.expr, wanted.ty), name_of);
            // A key that is there already decides nothing.
            if order_keys.iter().all(|key| key.column != column) {
                let descending = wanted.descending;
                order_keys.push(OrderKey { column, descending });
            }
        }
        let (outputs, exprs) = drafts
            .into_iter()
            .map(|draft| (draft.column, draft.expr))
            .unzip();
        select.exprs = exprs;
        Ok(Query {
            body: Body::Select(Box::new(select)),
            outputs,
            key,
            order: order_keys,
            limit: None,
            offset: 0,
        })
    }

    fn group_keys(
        &mut self,
        select: &'a Select,
        drafts: &[Draft],
    ) -> Result<Vec<(Expr, Type)>, QueryError> {
        check_key_count(select.group.len(), "GROUP BY")?;
        let mut keys: Vec<(Expr, Type)> = Vec::with_capacity(select.group.len());
        for node in &select.group {
            let key = match ordinal(node, drafts)? {
                Some(draft) if draft.expr.has_aggregate() => {
                    let message = "a group cannot be made by an aggregate";
                    return Err(QueryError::new(ErrorCode::SqlUnsupported, message).at(node.at));
                }
                Some(draft) => {
                    self.count_parts(draft.size, node.at)?;
                    (draft.expr.clone(), draft.column.ty.clone())
                }
                None => self.value(node)?,
            };
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        Ok(keys)
    }
}

/// All of them, in canonical form.
pub(super) fn conjunction(mut conditions: Vec<Expr>) -> Option<Expr> {
    let mut all = match conditions.len() {
        0 => return None,
        1 => conditions.remove(0),
        _ => Expr::And(conditions),
    };
    all.normalize();
    Some(all)
}
