//! ORDER BY: rows become memcomparable keys, which sort as bytes.

use syncline_protocol::packed::Reader;
use syncline_protocol::{Type, key};

use crate::plan::expr::{Expr, Input};
use crate::plan::{OrderKey, Query, Select};

/// A key of an order as it is computed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SortKey<'p> {
    pub(crate) expr: &'p Expr,
    pub(crate) ty: &'p Type,
    pub(crate) descending: bool,
}

/// The keys of an order over a select, which is the body of the query.
pub(crate) fn sort_keys<'p>(
    query: &'p Query,
    select: &'p Select,
    order: &[OrderKey],
) -> Vec<SortKey<'p>> {
    let key = |key: &OrderKey| SortKey {
        expr: &select.exprs[usize::from(key.column)],
        ty: &query.outputs[usize::from(key.column)].ty,
        descending: key.descending,
    };
    order.iter().map(key).collect()
}

/// Appends the sort key of a row.
pub(crate) fn write_sort_key(order: &[SortKey<'_>], input: &Input<'_>, out: &mut Vec<u8>) {
    let mut packed = Vec::new();
    for item in order {
        packed.clear();
        item.expr.eval(input).write(item.ty, &mut packed);
        write_part(item.ty, &packed, item.descending, out);
    }
}

/// Appends the sort key of one packed value.
pub(crate) fn write_part(ty: &Type, packed: &[u8], descending: bool, out: &mut Vec<u8>) {
    let start = out.len();
    key::encode(ty, &mut Reader::new(packed), out).expect("values are valid for their type");
    if descending {
        // No key is a prefix of another one, so the complement sorts the other way round.
        out[start..].iter_mut().for_each(|byte| *byte = !*byte);
    }
}
