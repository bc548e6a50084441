//! How a flow is kept current: the ways from a changed row to the results, and what is remembered.

use syncline_protocol::TableId;
use syncline_store::Database;

use super::{Report, column_names};
use crate::flow::{Flow, From, Hop, NodeBody, Reach, Site, Way};
use crate::router::Route;

/// Adds the sets of columns that instances listen with, and the ways of changed rows.
pub(crate) fn add_ways(report: &mut Report, db: &Database, flow: &Flow) {
    for (number, site) in flow.sites.iter().enumerate() {
        let Some(name) = table_name(db, site.table) else {
            continue;
        };
        let listens = match &flow.routes[number] {
            Some(routes) => signatures(db, site.table, routes),
            None => "every changed row is followed".to_owned(),
        };
        report.add("router", &name, listens);
        if let Some(way) = &site.direct {
            let mut how = "the results that listen to it -> ".to_owned();
            how.push_str(&describe(report, db, flow, (site, way)));
            report.add("way", &name, how);
        }
        if let Some(way) = &site.free {
            let item = match site.direct {
                Some(_) => format!("{name}, where many listen"),
                None => name,
            };
            report.add("way", item, describe(report, db, flow, (site, way)));
        }
    }
}

/// The sets of columns that routes compare, each once.
pub(crate) fn signatures(db: &Database, table: TableId, routes: &[Route]) -> String {
    let Some(table) = db.table(table) else {
        return String::new();
    };
    let mut sets: Vec<String> = Vec::new();
    for route in routes {
        let columns = route
            .parts()
            .map(|(column, how)| format!("{}{how}", column_names(table, &[column])));
        let columns: Vec<String> = columns.collect();
        let names = format!("{{{}}}", columns.join(", "));
        if !sets.contains(&names) {
            sets.push(names);
        }
    }
    if sets.is_empty() {
        return "no row can pass".to_owned();
    }
    sets.join(" or ")
}

fn table_name(db: &Database, table: TableId) -> Option<String> {
    Some(db.table(table)?.def().name.clone())
}

fn describe(report: &Report, db: &Database, flow: &Flow, (site, way): (&Site, &Way)) -> String {
    let mut parts = Vec::new();
    if !way.checks.is_empty() {
        parts.push("if the row passes".to_owned());
    }
    for hop in &way.hops {
        parts.push(match hop {
            Hop::Route { site, .. } => {
                let target = &flow.sites[usize::from(*site)];
                let routes = flow.routes[usize::from(*site)].as_deref();
                let columns = signatures(db, target.table, routes.unwrap_or_default());
                let table = table_name(db, target.table).unwrap_or_default();
                format!("the results that listen to {table}{columns}")
            }
            Hop::Everyone { .. } => "every result of the template".to_owned(),
            Hop::Bind { from, reach, .. } => rows(report, db, *from, reach),
        });
    }
    let end = if site.gate.is_some() {
        "if the sub-query now gives something else, every row is computed before and after"
    } else if site.is_candidate {
        "what that becomes is computed before and after"
    } else {
        "changed rows"
    };
    parts.push(end.to_owned());
    parts.join(" -> ")
}

fn rows(report: &Report, db: &Database, from: From, reach: &Reach) -> String {
    let id = match from {
        From::Table(id) => id,
        From::Node(node) => return format!("rows of query {node} that are remembered"),
    };
    let Some(table) = db.table(id) else {
        return String::new();
    };
    let name = &table.def().name;
    match reach {
        Reach::Exact { index, .. } => format!("{name} by {}", report.index(table, *index)),
        Reach::Range { index, .. } => {
            format!("{name} by a part of {}", report.index(table, *index))
        }
        Reach::All | Reach::Arranged { .. } => format!("all rows of {name}"),
    }
}

/// Adds the indexes that were made for it.
pub(crate) fn add_hidden(report: &mut Report, db: &Database, flow: &Flow) {
    for (id, index) in &flow.hidden {
        let Some(table) = db.table(*id) else { continue };
        let columns = column_names(table, table.index_columns(*index).unwrap_or_default());
        let kind = if table.is_ordered(*index) {
            "ordered"
        } else {
            "hash"
        };
        let text = format!(
            "made on demand; declare index({kind}, columns({columns})) in the module: it then costs no look at \
             all rows, and counts for no limit"
        );
        report.add("index", &table.def().name, text);
    }
}

/// Adds what each result remembers.
pub(crate) fn add_state(report: &mut Report, flow: &Flow) {
    if !flow.is_stateful {
        report.add("state", "nothing", "");
        return;
    }
    let last = flow.nodes.len() - 1;
    for (number, state) in flow.new_states().iter().enumerate() {
        let body = match &flow.nodes[number].body {
            NodeBody::Select(..) => "",
            NodeBody::Union(_) => ", a UNION",
        };
        let item = if number == last {
            format!("the result{body}")
        } else {
            format!("query {number}{body}")
        };
        let mut kept = Vec::new();
        if state.groups.is_some() {
            kept.push("figures of each group");
        }
        if state.counter.is_some() {
            kept.push("how often each row is there");
        }
        if state.window.is_some() {
            kept.push("all rows in order");
        }
        if state.arranged.is_some() {
            kept.push("its rows, by the columns they are joined with");
        }
        if !kept.is_empty() {
            report.add("state", item, kept.join("; "));
        }
    }
}
