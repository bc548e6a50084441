//! Paths all of whose rows pass the filter: they can be counted, and the n-th found, without a look at the rows.

use std::ops::{Bound, ControlFlow};

use syncline_protocol::key;
use syncline_protocol::packed::Reader;
use syncline_store::Table;

use super::access::{Access, KeyBounds, RangePath, as_equality, packed_key};
use crate::plan::expr::{Expr, Params};
use crate::syntax::CompareOp;

/// Writes the key that the ordered index has for a row: its columns, then the primary key.
pub(crate) fn index_key(table: &Table, path: &RangePath, row: &[u8], out: &mut Vec<u8>) {
    const VALID: &str = "rows are validated where they enter";
    out.clear();
    let def = table.def();
    let columns = table.index_columns(path.index).unwrap_or_default();
    for &column in columns.iter().chain(&def.primary_key) {
        let column = usize::from(column);
        let mut reader = Reader::new(table.layout().column(row, column));
        key::encode(&table.layout().types()[column], &mut reader, out).expect(VALID);
    }
}

/// Whether an atom says that one of these columns has its constant, whatever that is: a NULL equals nothing.
fn is_equal_to(atom: &Expr, columns: &[u16], constants: &[Expr]) -> bool {
    let Some((column, constant)) = as_equality(atom) else {
        return false;
    };
    let accepts_null = matches!(atom, Expr::IsNull(_) | Expr::Same(..));
    let mut own = columns.iter().zip(constants);
    (!column.nullable || accepts_null)
        && own.any(|(own, known)| (*own, known) == (column.index, &constant))
}

impl Access {
    /// How many rows pass the filter, if that shows without a look at them.
    pub(super) fn count(
        &self,
        table: &Table,
        filter: Option<&Expr>,
        params: Params<'_>,
    ) -> Option<usize> {
        match self {
            Self::All => filter.is_none().then(|| table.len()),
            Self::Exact { index, keys } => {
                let [key] = keys.as_slice() else { return None };
                let columns = table.index_columns(*index)?;
                let conditions = filter.map_or(&[][..], Expr::conjuncts);
                let is_exact = conditions
                    .iter()
                    .all(|atom| is_equal_to(atom, columns, key));
                let is_quick = !table.is_ordered(*index) || table.is_counted(*index);
                if !is_exact || !is_quick {
                    return None;
                }
                let packed = packed_key(key, params);
                Some(packed.map_or(0, |key| table.matching_len(*index, &key)))
            }
            Self::Range(path) => {
                if !table.is_counted(path.index) || !path.is_exact(table, filter) {
                    return None;
                }
                let Some((lower, upper)) = path.bounds(table, params) else {
                    return Some(0);
                };
                let (lower, upper) = (
                    lower.as_ref().map(Vec::as_slice),
                    upper.as_ref().map(Vec::as_slice),
                );
                Some(table.range_count(path.index, lower, upper))
            }
        }
    }
}

impl RangePath {
    /// Whether all of its rows pass the filter, whatever the parameters are, so that they need not be looked at.
    pub(crate) fn is_exact(&self, table: &Table, filter: Option<&Expr>) -> bool {
        let columns = table.index_columns(self.index);
        let columns = columns.unwrap_or_default();
        let next = columns.get(self.equal.len());
        let is_bound = |bound: &Option<(Expr, bool)>, constant: &Expr, is_inside| matches!(bound, Some((own, inside)) if (own, *inside) == (constant, is_inside));
        let is_known = |atom: &Expr| {
            let Expr::Compare(op, left, constant) = atom else {
                return is_equal_to(atom, columns, &self.equal);
            };
            // A NULL lies below every upper bound.
            let is_next = matches!(left.as_ref(), Expr::Column(column)
                if !column.nullable && next == Some(&column.index));
            match op {
                CompareOp::Equal => is_equal_to(atom, columns, &self.equal),
                CompareOp::Less => is_next && is_bound(&self.upper, constant, false),
                CompareOp::LessOrEqual => is_next && is_bound(&self.upper, constant, true),
                CompareOp::Greater => is_next && is_bound(&self.lower, constant, false),
                CompareOp::GreaterOrEqual => is_next && is_bound(&self.lower, constant, true),
                CompareOp::NotEqual => false,
            }
        };
        filter.map_or(&[][..], Expr::conjuncts).iter().all(is_known)
    }

    /// Calls `visit` with each row between two bounds until it breaks.
    pub(super) fn walk<'t, B>(
        &self,
        table: &'t Table,
        (lower, upper): &KeyBounds,
        visit: impl FnMut(&'t [u8]) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let (lower, upper) = (
            lower.as_ref().map(Vec::as_slice),
            upper.as_ref().map(Vec::as_slice),
        );
        let mut rows = table.range(self.index, lower, upper, self.reverse);
        rows.try_for_each(visit)
    }

    /// The part of the bounds that begins with the row that has `n` others before it, in the path's direction;
    /// `None` if there are not so many.
    pub(super) fn skip(
        &self,
        table: &Table,
        (mut lower, mut upper): KeyBounds,
        n: usize,
    ) -> Option<KeyBounds> {
        let (low, high) = (
            lower.as_ref().map(Vec::as_slice),
            upper.as_ref().map(Vec::as_slice),
        );
        let row = table.nth(self.index, low, high, self.reverse, n)?;
        let mut key = Vec::new();
        index_key(table, self, row, &mut key);
        if self.reverse {
            upper = Bound::Included(key);
        } else {
            lower = Bound::Included(key);
        }
        Some((lower, upper))
    }
}
