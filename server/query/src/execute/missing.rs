//! The index that a query would need.

use syncline_protocol::TableDef;

use super::access::{Atoms, wanted_columns};
use super::sort::SortKey;
use crate::plan::expr::Expr;

/// The columns of the ordered index that would give this order: what an error proposes.
pub(crate) fn missing_index(
    def: &TableDef,
    filter: Option<&Expr>,
    order: &[SortKey<'_>],
) -> Option<Vec<String>> {
    let atoms = Atoms::of(filter);
    let (mut wanted, _) = wanted_columns(def, &atoms, order)?;
    // The primary key breaks ties by itself.
    let keyed: Vec<u16> = def
        .primary_key
        .iter()
        .copied()
        .filter(|c| atoms.equal_to(*c).is_none())
        .collect();
    let is_ordered_by = |column: u16| {
        order
            .iter()
            .any(|key| matches!(key.expr, Expr::Column(slot) if slot.index == column))
    };
    while let Some(last) = wanted.last().copied()
        && keyed.contains(&last)
        && !is_ordered_by(last)
    {
        wanted.pop();
    }
    let mut columns: Vec<u16> = atoms.equal.iter().map(|(column, _)| *column).collect();
    columns.sort_unstable();
    columns.extend(wanted);
    Some(
        columns
            .iter()
            .map(|column| def.columns[usize::from(*column)].name.clone())
            .collect(),
    )
}
