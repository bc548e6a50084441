//! ORDER BY, and AFTER, which becomes a condition over the order's keys.

use syncline_protocol::{ErrorCode, Type};

use super::binder::Binder;
use super::check_key_count;
use super::names;
use super::operand::{Family, is_ordered};
use super::outputs::{Draft, ordinal};
use crate::error::QueryError;
use crate::plan::expr::Expr;
use crate::scalar::is_nullable;
use crate::syntax::{CompareOp, NodeKind, OrderItem, Position, Query};

/// A key of ORDER BY before it is an output.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) expr: Expr,
    pub(super) ty: Type,
    pub(super) descending: bool,
    /// Parts that the expression has at most.
    pub(super) size: usize,
}

impl Wanted {
    fn new((expr, ty): (Expr, Type), size: usize, item: &OrderItem) -> Result<Self, QueryError> {
        if !is_ordered(&ty) {
            let message = format!("values of type {} have no order", ty.non_null());
            return Err(QueryError::new(ErrorCode::SqlType, message).at(item.node.at));
        }
        let descending = item.descending;
        Ok(Self {
            expr,
            ty,
            descending,
            size,
        })
    }
}

impl<'a> Binder<'a> {
    /// The keys as they are written, one for each item. Aliases go before columns.
    pub(super) fn order_keys(
        &mut self,
        query: &'a Query,
        drafts: &[Draft],
    ) -> Result<Vec<Wanted>, QueryError> {
        check_key_count(query.order.len(), "ORDER BY")?;
        let mut keys = Vec::with_capacity(query.order.len());
        for item in &query.order {
            let alias = match &item.node.kind {
                NodeKind::Column { table: None, name } => drafts
                    .iter()
                    .find(|draft| draft.is_alias && names::is_same(name, &draft.column.name)),
                _ => ordinal(&item.node, drafts)?,
            };
            keys.push(match alias {
                Some(draft) => {
                    self.count_parts(draft.size, item.node.at)?;
                    let bound = (draft.expr.clone(), draft.column.ty.clone());
                    Wanted::new(bound, draft.size, item)?
                }
                None => self.wanted(item)?,
            });
        }
        Ok(keys)
    }

    /// A key of an order over the sources.
    pub(super) fn wanted(&mut self, item: &'a OrderItem) -> Result<Wanted, QueryError> {
        let (bound, size) = self.sized(|this| this.value(&item.node))?;
        Wanted::new(bound, size, item)
    }

    /// Counts the copies of keys that their comparison takes: each way to come behind others has the keys before
    /// it too.
    pub(super) fn count_keys(&mut self, keys: &[Wanted], at: Position) -> Result<(), QueryError> {
        let size: usize = keys.iter().map(|key| key.size).sum();
        self.count_parts(size.saturating_mul(keys.len() + 3), at)
    }

    /// `AFTER (v, ..)`: the condition that a row comes behind the values.
    pub(super) fn after(
        &mut self,
        query: &'a Query,
        keys: &[Wanted],
    ) -> Result<Option<Expr>, QueryError> {
        if query.after.is_empty() {
            return Ok(None);
        }
        let mut values = Vec::with_capacity(keys.len());
        for (node, key) in query.after.iter().zip(keys) {
            let (value, ty) = self.operand(node)?.meet(&key.ty)?;
            if !matches!(value, Expr::Literal(_)) || Family::of(&ty) != Family::of(&key.ty) {
                let message = "AFTER takes values of the order's keys: literals or parameters";
                return Err(QueryError::new(ErrorCode::SqlType, message).at(node.at));
            }
            values.push(value);
        }
        self.count_keys(keys, query.at)?;
        let mut ways = Vec::with_capacity(keys.len());
        for (position, (key, value)) in keys.iter().zip(&values).enumerate() {
            let before = keys[..position].iter().zip(&values);
            let mut all: Vec<Expr> = before.map(|(key, value)| same(key, value)).collect();
            all.push(behind(key, value));
            ways.push(Expr::And(all));
        }
        let mut condition = vec![Expr::Or(ways)];
        // Says nothing new, but a part of an index is found by it.
        if let ([first, _, ..], Some(value)) = (keys, values.first())
            && !is_null(value)
            && !(first.descending && is_nullable(&first.ty))
        {
            let op = if first.descending {
                CompareOp::LessOrEqual
            } else {
                CompareOp::GreaterOrEqual
            };
            condition.push(compare(op, &first.expr, value));
        }
        Ok(Some(Expr::And(condition)))
    }
}

fn compare(op: CompareOp, left: &Expr, right: &Expr) -> Expr {
    Expr::Compare(op, Box::new(left.clone()), Box::new(right.clone()))
}

fn is_null(value: &Expr) -> bool {
    matches!(value, Expr::Literal(literal)
        if is_nullable(&literal.ty) && literal.packed.first() == Some(&1))
}

/// Equal in the order: NULL equals NULL.
pub(super) fn same(key: &Wanted, value: &Expr) -> Expr {
    if is_nullable(&key.ty) {
        Expr::Same(Box::new(key.expr.clone()), Box::new(value.clone()))
    } else {
        compare(CompareOp::Equal, &key.expr, value)
    }
}

/// The key comes behind a literal. NULL is the smallest value.
fn behind(key: &Wanted, value: &Expr) -> Expr {
    let null = Expr::IsNull(Box::new(key.expr.clone()));
    match (key.descending, is_null(value)) {
        (false, true) => Expr::Not(Box::new(null)),
        (false, false) => compare(CompareOp::Greater, &key.expr, value),
        (true, true) => Expr::literal(Type::Bool, vec![0]),
        (true, false) if is_nullable(&key.ty) => {
            Expr::Or(vec![compare(CompareOp::Less, &key.expr, value), null])
        }
        (true, false) => compare(CompareOp::Less, &key.expr, value),
    }
}

/// The key comes ahead of another value of its type, of which nothing is known.
pub(super) fn ahead(key: &Wanted, value: &Expr) -> Expr {
    let null = |expr: &Expr| Expr::IsNull(Box::new(expr.clone()));
    let not = |expr: Expr| Expr::Not(Box::new(expr));
    let (op, first, last) = if key.descending {
        (CompareOp::Greater, value, &key.expr)
    } else {
        (CompareOp::Less, &key.expr, value)
    };
    let by_value = compare(op, &key.expr, value);
    if !is_nullable(&key.ty) {
        return by_value;
    }
    Expr::Or(vec![
        by_value,
        Expr::And(vec![null(first), not(null(last))]),
    ])
}
