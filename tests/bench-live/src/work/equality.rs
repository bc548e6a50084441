//! `WHERE owner = :o`.

use anyhow::Result;
use syncline_protocol::{ChangeSet, IndexKind};
use syncline_query::Deltas;
use syncline_store::Database;

use super::{AFFECTED_NS, IDLE_BYTES};
use crate::Scale;
use crate::figure::{Figure, Report};
use crate::measure::{Crowd, Times, Write, commit, compare_all, run};
use crate::world::{database, fill, row, scatter, table, table_id};

const SQL: &str = "SELECT * FROM task WHERE owner = :o";
const ROWS: u64 = 100_000;

/// Tasks `0..ROWS` of owners that `owner` names.
fn world(owner: impl Fn(u64) -> u64) -> Database {
    let task = table(
        "task",
        &["id", "owner", "size"],
        1,
        &[(IndexKind::Hash, &[1])],
    );
    let rows = (0..ROWS).map(|id| row(&[id, owner(id), id]));
    fill(database(vec![task]), table_id(0), rows)
}

pub(super) fn affected(scale: Scale, report: &mut Report) -> Result<()> {
    let owners = scale.subscriptions;
    let mut db = world(|id| id % owners);
    let mut crowd = Crowd::new(&mut db, SQL, owners, &|number| vec![("o", number)])?;
    let named = (
        "equality",
        compare_all(&(0..owners).collect::<Vec<u64>>(), |owner, probe| {
            *owner == probe
        }),
    );
    let writes = |n: u64| {
        let id = scatter(n, ROWS);
        vec![Write::Update(
            table_id(0),
            row(&[id, id % owners, n + ROWS]),
        )]
    };
    let (figure, _) = run(named, db, &mut crowd, scale.commits, writes)?;
    report.print(&figure);
    report.at_most(
        "equality, ns an affected subscription",
        figure.ns_per_affected,
        AFFECTED_NS,
    );
    report.at_most(
        "equality, B an idle subscription",
        figure.bytes_per_subscription,
        IDLE_BYTES,
    );
    Ok(())
}

/// The same commits with all subscriptions and with none, in turns.
pub(super) fn unaffected(scale: Scale, report: &mut Report) -> Result<()> {
    const PAIRS: u64 = 5;
    let owners = scale.subscriptions;
    // No row has an owner that somebody listens to.
    let mut db = world(|id| owners + id);
    let mut crowds = [
        Crowd::new(&mut db, SQL, 0, &|number| vec![("o", number)])?,
        Crowd::new(&mut db, SQL, owners, &|number| vec![("o", number)])?,
    ];
    let (mut changes, mut out) = (ChangeSet::new(), Deltas::new());
    let mut differences = Vec::new();
    let (mut steps, mut transactions) = (Times::default(), Times::default());
    let mut number = 0;
    for _ in 0..PAIRS {
        let mut medians = [0.0; 2];
        for (crowd, median) in crowds.iter_mut().zip(&mut medians) {
            let mut times = Times::default();
            for _ in 0..scale.commits / PAIRS {
                number += 1;
                let id = scatter(number, ROWS);
                let write = Write::Update(table_id(0), row(&[id, owners + id, number + ROWS]));
                db = transactions.time(|| commit(db, vec![write], &mut changes));
                times.time(|| crowd.live.step(&db, &changes, &mut out));
            }
            *median = times.median();
        }
        steps.push(medians[1] as u64);
        differences.push(medians[1] - medians[0]);
    }
    differences.sort_by(f64::total_cmp);
    let transaction = transactions.median();
    let figure = Figure {
        work: "unaffected",
        subscriptions: owners,
        ns_per_commit: steps.median(),
        bytes_per_subscription: crowds[1].bytes_each,
        naive_ns_per_commit: crowds[1].ask_again_ns(&db)?,
        transaction_ns_per_commit: transaction,
        ..Figure::default()
    };
    report.print(&figure);
    report.at_most(
        "unaffected, ns a commit more than without subscriptions",
        differences[differences.len() / 2],
        200.0 + 0.05 * transaction,
    );
    Ok(())
}
