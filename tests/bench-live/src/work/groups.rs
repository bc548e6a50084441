//! GROUP BY over a large table.

use anyhow::Result;
use syncline_protocol::IndexKind;

use crate::Scale;
use crate::figure::Report;
use crate::measure::{Crowd, Write, run};
use crate::world::{database, fill, row, scatter, table, table_id};

const ROWS: u64 = 1_000_000;
const GROUPS: u64 = 10_000;

pub(super) fn measure(scale: Scale, report: &mut Report) -> Result<()> {
    let sale = table(
        "sale",
        &["id", "shop", "price"],
        1,
        &[(IndexKind::Hash, &[1])],
    );
    let rows = (0..ROWS).map(|n| row(&[n, n % GROUPS, n]));
    let mut db = fill(database(vec![sale]), table_id(0), rows);
    let sql = "SELECT shop, COUNT(*) AS n, SUM(price) AS total FROM sale GROUP BY shop";
    let mut crowd = Crowd::new(&mut db, sql, 1, &|_| Vec::new())?;
    let named = ("groups", 0.0);
    let writes = |n: u64| {
        let id = scatter(n, ROWS);
        vec![Write::Update(
            table_id(0),
            row(&[id, id % GROUPS, n + ROWS]),
        )]
    };
    let (mut figure, _) = run(named, db, &mut crowd, scale.commits, writes)?;
    // Memory of the groups, not of a subscription.
    figure.bytes_per_subscription = 0.0;
    report.print(&figure);
    report.at_most("groups, ns an update", figure.ns_per_commit, 600.0);
    Ok(())
}
