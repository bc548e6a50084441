//! `BETWEEN`: intervals, boxes, and boxes that move.

use anyhow::Result;
use syncline_protocol::param::Param;
use syncline_protocol::{ChangeSet, IndexKind, TableDef};
use syncline_query::{Deltas, How};
use syncline_store::Database;

use super::{AFFECTED_NS, IDLE_BYTES};
use crate::Scale;
use crate::figure::{Figure, Report};
use crate::measure::{Crowd, Times, Write, commit, compare_all, params, run};
use crate::world::{CALLER, database, fill, row, scatter, table, table_id};

/// Where things are: 0 to here, in both directions.
const SIDE: u64 = 1 << 20;
const ROWS: u64 = 100_000;

fn things() -> TableDef {
    table(
        "thing",
        &["id", "x", "y", "size"],
        1,
        &[(IndexKind::Ordered, &[1])],
    )
}

fn thing(id: u64) -> Vec<u8> {
    let (x, y) = (scatter(id, SIDE), scatter(id + ROWS, SIDE));
    row(&[id, x, y, id])
}

/// A change that shows, of a thing that stays where it is.
fn touch(number: u64) -> Vec<Write> {
    let id = scatter(number, ROWS);
    let (x, y) = (scatter(id, SIDE), scatter(id + ROWS, SIDE));
    vec![Write::Update(table_id(0), row(&[id, x, y, number + ROWS]))]
}

fn bars(report: &mut Report, figure: &Figure) {
    report.print(figure);
    let work = figure.work;
    report.at_most(
        &format!("{work}, ns an affected subscription"),
        figure.ns_per_affected,
        AFFECTED_NS,
    );
    report.at_most(
        &format!("{work}, B an idle subscription"),
        figure.bytes_per_subscription,
        IDLE_BYTES,
    );
}

pub(super) fn interval(scale: Scale, report: &mut Report) -> Result<()> {
    let count = scale.subscriptions;
    // Ten over each place.
    let length = SIDE * 10 / count;
    let from = |number: u64| scatter(number + 3, SIDE);
    let mut db = fill(database(vec![things()]), table_id(0), (0..ROWS).map(thing));
    let sql = "SELECT id, size FROM thing WHERE x >= :a AND x < :b";
    let mut crowd = Crowd::new(&mut db, sql, count, &|number| {
        vec![("a", from(number)), ("b", from(number) + length)]
    })?;
    let ranges: Vec<_> = (0..count).map(|n| (from(n), from(n) + length)).collect();
    let named = (
        "interval",
        compare_all(&ranges, |(a, b), x| *a <= x && x < *b),
    );
    let (figure, _) = run(named, db, &mut crowd, scale.commits, touch)?;
    bars(report, &figure);
    Ok(())
}

pub(super) fn boxes(scale: Scale, report: &mut Report) -> Result<()> {
    let count = scale.subscriptions;
    let length = (SIDE as f64 * (10.0 / count as f64).sqrt()) as u64;
    let from = |number: u64| (scatter(number + 3, SIDE), scatter(number + 3 + ROWS, SIDE));
    let mut db = fill(database(vec![things()]), table_id(0), (0..ROWS).map(thing));
    let sql = "SELECT id, size FROM thing WHERE x BETWEEN :x0 AND :x1 AND y BETWEEN :y0 AND :y1";
    let mut crowd = Crowd::new(&mut db, sql, count, &|number| {
        let (x, y) = from(number);
        vec![("x0", x), ("x1", x + length), ("y0", y), ("y1", y + length)]
    })?;
    let all: Vec<_> = (0..count).map(from).collect();
    let named = (
        "box",
        compare_all(&all, |(x, y), at| {
            *x <= at && at <= *x + length && *y <= at && at <= *y + length
        }),
    );
    let (figure, _) = run(named, db, &mut crowd, scale.commits, touch)?;
    bars(report, &figure);
    Ok(())
}

const PLAYERS: u64 = 10_000;
/// Players in a box, on average.
const IN_SIGHT: f64 = 11.0;

/// Where a player is at a tick.
fn place(id: u64, tick: u64) -> (u64, u64) {
    let drift = |at: u64| (scatter(at, SIDE) + tick * 64) % SIDE;
    (drift(id), drift(id + ROWS))
}

fn player(id: u64, tick: u64) -> Vec<u8> {
    let (x, y) = place(id, tick);
    row(&[id, x, y, 0])
}

/// What a player sees.
fn around(id: u64, tick: u64) -> Vec<(&'static str, u64)> {
    let half = (SIDE as f64 * (IN_SIGHT / PLAYERS as f64).sqrt() / 2.0) as u64;
    let (x, y) = place(id, tick);
    vec![
        ("x0", x.saturating_sub(half)),
        ("x1", x + half),
        ("y0", y.saturating_sub(half)),
        ("y1", y + half),
    ]
}

/// Moves every subscription to where its player is; bytes of the differences.
fn move_all(db: &mut Database, crowd: &mut Crowd, moves: &[Vec<(String, Param)>]) -> Result<usize> {
    let mut bytes = 0;
    for (member, params) in crowd.members.iter_mut().zip(moves) {
        let (handle, statement) = (member.handle, &member.statement);
        let moved = crowd
            .live
            .set_params(db, handle, statement, params, &CALLER)
            .map_err(|error| anyhow::anyhow!("{error:?}"))?;
        member.handle = moved.handle;
        if let How::Delta(ops) = &moved.how {
            bytes += ops.len();
        }
    }
    Ok(bytes)
}

/// Every player moves a little, and what it sees with it: one transaction, then as many moved subscriptions.
pub(super) fn tick(scale: Scale, report: &mut Report) -> Result<()> {
    // Where an edge of a box moves over, an index on its column finds who comes in.
    let index: &[(IndexKind, &[u16])] = &[(IndexKind::Ordered, &[1]), (IndexKind::Ordered, &[2])];
    let players = table("player", &["id", "x", "y", "size"], 1, index);
    let rows = (0..PLAYERS).map(|id| player(id, 0));
    let mut db = fill(database(vec![players]), table_id(0), rows);
    let sql = "SELECT id, x, y FROM player WHERE x BETWEEN :x0 AND :x1 AND y BETWEEN :y0 AND :y1";
    let mut crowd = Crowd::new(&mut db, sql, PLAYERS, &|id| around(id, 0))?;
    let (mut changes, mut out) = (ChangeSet::new(), Deltas::new());
    let (mut times, mut transactions) = (Times::default(), Times::default());
    let ticks = (scale.commits / 1000).clamp(3, 20);
    let (mut affected, mut bytes) = (0, 0);
    for tick in 1..=ticks {
        let writes = (0..PLAYERS).map(|id| Write::Update(table_id(0), player(id, tick)));
        let writes = writes.collect();
        db = transactions.time(|| commit(db, writes, &mut changes));
        let moves: Vec<_> = (0..PLAYERS).map(|id| params(&around(id, tick))).collect();
        times.time(|| -> Result<()> {
            crowd.live.step(&db, &changes, &mut out);
            affected += out.len();
            bytes += out.byte_len() + move_all(&mut db, &mut crowd, &moves)?;
            Ok(())
        })?;
    }
    let ns = times.median();
    let figure = Figure {
        work: "tick",
        subscriptions: PLAYERS,
        affected: affected as f64 / ticks as f64,
        ns_per_commit: ns,
        ns_per_affected: ns / PLAYERS as f64,
        bytes_per_subscription: crowd.bytes_each,
        naive_ns_per_commit: crowd.ask_again_ns(&db)?,
        transaction_ns_per_commit: transactions.median(),
        bytes_per_commit: bytes as f64 / ticks as f64,
        ..Figure::default()
    };
    report.print(&figure);
    report.at_most("tick of 10 000 players, us", ns / 1000.0, 20_000.0);
    Ok(())
}
