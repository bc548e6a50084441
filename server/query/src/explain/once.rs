//! How the rows of a query are found once.

use syncline_protocol::RowLayout;
use syncline_store::{Database, Table};

use super::Report;
use crate::error::QueryError;
use crate::execute::access::Access;
use crate::execute::outline;
use crate::plan::expr::Params;
use crate::plan::{Body, Query, Relation, Select};

/// Adds how the rows of a query, whose literals stand where they were, are found. Queries in its FROM are
/// evaluated for it.
pub(crate) fn add_access(
    report: &mut Report,
    db: &Database,
    query: &Query,
) -> Result<(), QueryError> {
    let layout = RowLayout::new(Vec::new());
    let params = Params {
        layout: &layout,
        packed: &[],
    };
    add_query(report, db, query, params, "")
}

fn add_query(
    report: &mut Report,
    db: &Database,
    query: &Query,
    params: Params<'_>,
    around: &str,
) -> Result<(), QueryError> {
    match &query.body {
        Body::Union { branches, .. } => {
            for (number, branch) in branches.iter().enumerate() {
                let name = format!("{around}branch {} / ", number + 1);
                add_query(report, db, branch, params, &name)?;
            }
        }
        Body::Select(select) => {
            for (number, source) in select.sources.iter().enumerate() {
                if let Relation::Derived(inner) = &source.relation {
                    let name = format!("{around}query {} in FROM / ", number + 1);
                    add_query(report, db, inner, params, &name)?;
                }
            }
            add_loops(report, db, (query, select), params, around)?;
        }
    }
    Ok(())
}

/// The loops of a select, one inside another.
fn add_loops(
    report: &mut Report,
    db: &Database,
    (query, select): (&Query, &Select),
    params: Params<'_>,
    around: &str,
) -> Result<(), QueryError> {
    for found in outline(db, query, select, params)? {
        let source = &select.sources[found.source];
        let (name, mut how) = match &source.relation {
            Relation::Derived(_) => (
                format!("query {} in FROM", found.source + 1),
                "its rows, evaluated first".to_owned(),
            ),
            Relation::Table(id) => match db.table(*id) {
                Some(table) => (table.def().name.clone(), path(report, table, &found.access)),
                None => continue,
            },
        };
        if found.is_hashed {
            how = format!("{how}, hashed by what is equal");
        }
        if source.left_on.is_some() {
            how.push_str(", LEFT JOIN");
        }
        report.add("access", format!("{around}{name}"), how);
    }
    Ok(())
}

fn path(report: &Report, table: &Table, access: &Access) -> String {
    match access {
        Access::All if report.has_figures => format!("all rows, {}", table.len()),
        Access::All => "all rows".to_owned(),
        Access::Exact { index, keys } => {
            let index = report.index(table, *index);
            match keys.len() {
                1 => format!("the key in {index}"),
                count => format!("{count} keys in {index}"),
            }
        }
        Access::Range(path) => {
            let index = report.index(table, path.index);
            let order = if path.reverse { ", backwards" } else { "" };
            format!("a part of {index}{order}")
        }
    }
}
