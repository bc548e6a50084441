//! What a query reads, its sub-queries and the queries in its FROM included.

use syncline_protocol::TableId;

use crate::plan::expr::Expr;
use crate::plan::{Body, Query, Relation};

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

/// Whether what it gives depends on who asks: on a parameter, as all constants are.
pub(super) fn reads_params(query: &Query) -> bool {
    let mut found = false;
    visit(query, &mut |_| (), &mut |part| {
        found |= matches!(part, Expr::Param(_) | Expr::ColumnIs(..));
    });
    found
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
