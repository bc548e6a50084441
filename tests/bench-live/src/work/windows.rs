//! Leaderboards: the first rows of a large table, and places in it.

use anyhow::Result;
use syncline_protocol::IndexKind;
use syncline_store::Database;

use super::AFFECTED_NS;
use crate::Scale;
use crate::figure::Report;
use crate::measure::{Crowd, Write, run};
use crate::world::{database, fill, row, scatter, table, table_id};

const ROWS: u64 = 1_000_000;
const SCORES: u64 = 1 << 32;
/// A page that moves by a row at both ends.
const DEEP_NS: f64 = 3000.0;

fn world(rows: u64, kind: IndexKind) -> Database {
    let player = table("player", &["id", "score"], 1, &[(kind, &[1])]);
    let rows = (0..rows).map(|id| row(&[id, scatter(id, SCORES)]));
    fill(database(vec![player]), table_id(0), rows)
}

/// A player gets another score, any.
fn score(rows: u64) -> impl Fn(u64) -> Vec<Write> {
    move |n| {
        let id = scatter(n + 5, rows);
        let score = scatter(n + rows, SCORES);
        vec![Write::Update(table_id(0), row(&[id, score]))]
    }
}

pub(super) fn top(scale: Scale, report: &mut Report) -> Result<()> {
    let mut db = world(ROWS, IndexKind::Ordered);
    let sql = "SELECT id, score FROM player ORDER BY score DESC LIMIT 100";
    let mut crowd = Crowd::new(&mut db, sql, 1, &|_| Vec::new())?;
    let named = ("top", 0.0);
    let (mut figure, _) = run(named, db, &mut crowd, scale.commits, score(ROWS))?;
    figure.bytes_per_subscription = 0.0;
    report.print(&figure);
    report.at_most(
        "top 100 of 1 000 000, ns an update with its index",
        figure.ns_per_commit + figure.transaction_ns_per_commit,
        3000.0,
    );
    Ok(())
}

/// A page in the middle of the table. Every update goes to the other side of it, so that it moves by a row.
pub(super) fn deep(scale: Scale, report: &mut Report) -> Result<()> {
    let mut db = world(ROWS, IndexKind::Counted);
    let sql = "SELECT id, score FROM player ORDER BY score DESC LIMIT 20 OFFSET 500000";
    let mut crowd = Crowd::new(&mut db, sql, 1, &|_| Vec::new())?;
    let named = ("deep", 0.0);
    let writes = |n: u64| {
        let score = if n.is_multiple_of(2) {
            SCORES - 1 - n
        } else {
            n
        };
        vec![Write::Update(
            table_id(0),
            row(&[scatter(n / 2, ROWS), score]),
        )]
    };
    let (mut figure, _) = run(named, db, &mut crowd, scale.commits, writes)?;
    figure.bytes_per_subscription = 0.0;
    report.print(&figure);
    report.at_most(
        "20 rows behind 500 000 of 1 000 000, ns an update that moves them",
        figure.ns_per_commit,
        DEEP_NS,
    );
    Ok(())
}

/// Everybody asks how many have a higher score. A change concerns all between the old and the new one, so scores move
/// little.
pub(super) fn rank(scale: Scale, report: &mut Report) -> Result<()> {
    let watchers = scale.subscriptions;
    let mut db = world(ROWS, IndexKind::Counted);
    let sql = "SELECT COUNT(*) AS above FROM player \
               WHERE score > (SELECT me.score FROM player AS me WHERE me.id = :p)";
    let mut crowd = Crowd::new(&mut db, sql, watchers, &|number| {
        vec![("p", scatter(number, ROWS / 2) * 2)]
    })?;
    let named = ("rank", 0.0);
    // About forty watchers between the old score and the new one.
    let step = SCORES / watchers * 40;
    let writes = |n: u64| {
        // There, and with the next commit back.
        let id = scatter(n / 2, ROWS / 2) * 2 + 1;
        let score = scatter(id, SCORES) + (n + 1) % 2 * step;
        vec![Write::Update(table_id(0), row(&[id, score]))]
    };
    let (figure, _) = run(named, db, &mut crowd, scale.commits, writes)?;
    report.print(&figure);
    report.at_most(
        "rank, ns an affected subscription",
        figure.ns_per_affected,
        AFFECTED_NS,
    );
    Ok(())
}
