//! ORDER BY: rows become memcomparable keys, which sort as bytes.

use syncline_protocol::packed::Reader;
use syncline_protocol::{TableDef, key};

use crate::expr::{Expr, Input, Slot};
use crate::plan::{OrderKey, Plan};

/// The keys of a plan's order, made total: ties are broken by the primary key, or the group's, in the
/// direction of the last key. Empty if the plan has no order.
pub(crate) fn total_order(plan: &Plan, def: &TableDef) -> Vec<OrderKey> {
    let mut order = plan.order.clone();
    let Some(descending) = order.last().map(|key| key.descending) else {
        return order;
    };
    let column = |position: usize, ty: &syncline_protocol::Type| OrderKey {
        expr: Expr::Column(Slot::new(position, ty)),
        ty: ty.clone(),
        descending,
    };
    let ties: Vec<OrderKey> = if let Some(grouping) = &plan.grouping {
        let keys = grouping.keys.iter().enumerate();
        keys.map(|(position, (_, ty))| column(position, ty))
            .collect()
    } else {
        let positions = def.primary_key.iter().map(|column| usize::from(*column));
        positions
            .map(|position| column(position, &def.columns[position].ty))
            .collect()
    };
    for tie in ties {
        if order.iter().all(|key| key.expr != tie.expr) {
            order.push(tie);
        }
    }
    order
}

/// Appends the sort key of a row.
pub(crate) fn write_sort_key(order: &[OrderKey], input: &Input<'_>, out: &mut Vec<u8>) {
    const VALID: &str = "values are valid for their type";
    let mut packed = Vec::new();
    for item in order {
        let start = out.len();
        if let Expr::Column(slot) = &item.expr {
            let column = input.layout.column(input.row, usize::from(slot.index));
            key::encode(&item.ty, &mut Reader::new(column), out).expect(VALID);
        } else {
            packed.clear();
            item.expr.eval(input).write(&item.ty, &mut packed);
            key::encode(&item.ty, &mut Reader::new(&packed), out).expect(VALID);
        }
        if item.descending {
            // No key is a prefix of another one, so the complement sorts the other way round.
            out[start..].iter_mut().for_each(|byte| *byte = !*byte);
        }
    }
}
