//! What a query reads, its sub-queries and the queries in its FROM included.

use syncline_protocol::TableId;

use crate::plan::expr::{ColumnSet, Expr};
use crate::plan::{Body, Query, Relation, Select};

/// All tables of a query, each as often as it stands there, in order.
pub(super) fn table_places(query: &Query) -> Vec<TableId> {
    let mut tables = Vec::new();
    visit(query, &mut |id| tables.push(id), &mut |_| ());
    tables.sort_unstable();
    tables
}

/// All tables of a query.
pub(crate) fn tables_of(query: &Query) -> Vec<TableId> {
    let mut tables = table_places(query);
    tables.dedup();
    tables
}

/// The parameters that it reads, ascending: what it gives depends on no others. All constants are parameters.
pub(super) fn params_of(query: &Query) -> Box<[u16]> {
    let mut found = Vec::new();
    visit(query, &mut |_| (), &mut |part| match part {
        Expr::Param(slot) | Expr::ColumnIs(_, slot) => found.push(slot.index),
        _ => {}
    });
    found.sort_unstable();
    found.dedup();
    found.into()
}

fn visit(query: &Query, table: &mut dyn FnMut(TableId), part: &mut dyn FnMut(&Expr)) {
    let select = match &query.body {
        Body::Union { branches, .. } => {
            for branch in branches {
                visit(branch, table, part);
            }
            return;
        }
        Body::Select(select) => select,
    };
    let mut exprs: Vec<&Expr> = select.exprs.iter().chain(&select.filter).collect();
    for source in &select.sources {
        exprs.extend(&source.left_on);
        match &source.relation {
            Relation::Table(id) => table(*id),
            Relation::Derived(inner) => visit(inner, table, part),
        }
    }
    if let Some(grouping) = &select.grouping {
        exprs.extend(grouping.keys.iter().map(|(key, _)| key));
        exprs.extend(grouping.calls.iter().filter_map(|call| call.arg.as_ref()));
        exprs.extend(&grouping.having);
    }
    for expr in exprs {
        expr.any(&mut |own| {
            part(own);
            if let Some(sub_query) = own.sub_query() {
                visit(&sub_query.query, table, part);
            }
            false
        });
    }
}

/// Columns of a source that its select reads.
pub(super) fn reads_of(select: &Select, source: u8) -> ColumnSet {
    let mut reads = ColumnSet::default();
    let mut exprs: Vec<&Expr> = Vec::new();
    exprs.extend(&select.filter);
    exprs.extend(
        select
            .sources
            .iter()
            .filter_map(|source| source.left_on.as_ref()),
    );
    if let Some(grouping) = &select.grouping {
        exprs.extend(grouping.keys.iter().map(|(key, _)| key));
        exprs.extend(grouping.calls.iter().filter_map(|call| call.arg.as_ref()));
    } else {
        exprs.extend(&select.exprs);
    }
    for expr in exprs {
        expr.any(&mut |part| {
            if let Expr::Column(slot) | Expr::ColumnIs(slot, _) = part
                && slot.source == source
            {
                reads.insert(slot.index);
            }
            false
        });
    }
    reads
}
