//! Chat: people in rooms, rooms in teams, messages in rooms.

use anyhow::Result;
use syncline_protocol::IndexKind;
use syncline_store::Database;

use super::{AFFECTED_NS, IDLE_BYTES};
use crate::Scale;
use crate::figure::Report;
use crate::measure::{Crowd, Write, compare_all, run};
use crate::world::{database, fill, row, scatter, table, table_id};

/// Rooms that a person is in.
const ROOMS_EACH: u64 = 3;

/// Tables: member(id, room, person, seen), message(id, room, at), team_room(id, team, room), team_member(id, team, person).
fn world(people: u64, rooms: u64) -> Database {
    let hash = |columns: &'static [u16]| (IndexKind::Hash, columns);
    let tables = vec![
        table(
            "member",
            &["id", "room", "person", "seen"],
            1,
            &[hash(&[1]), hash(&[2])],
        ),
        table(
            "message",
            &["id", "room", "at"],
            1,
            &[(IndexKind::Ordered, &[1, 2])],
        ),
        table(
            "team_room",
            &["id", "team", "room"],
            1,
            &[hash(&[1]), hash(&[2])],
        ),
        table(
            "team_member",
            &["id", "team", "person"],
            1,
            &[hash(&[1]), hash(&[2])],
        ),
    ];
    let members =
        (0..people * ROOMS_EACH).map(|n| row(&[n, scatter(n, rooms), n / ROOMS_EACH, 1000]));
    let db = fill(database(tables), table_id(0), members);
    let teams = rooms / 10 + 1;
    let team_rooms = (0..rooms).map(|room| row(&[room, room % teams, room]));
    let db = fill(db, table_id(2), team_rooms);
    let team_members = (0..people).map(|n| row(&[n, scatter(n + 1, teams), n]));
    fill(db, table_id(3), team_members)
}

/// One message a commit, `at` as given.
fn message(rooms: u64, at: u64) -> impl Fn(u64) -> Vec<Write> {
    move |n| {
        let message = row(&[n, scatter(n + 7, rooms), at + n]);
        vec![Write::Insert(table_id(1), message)]
    }
}

fn measure(
    work: &'static str,
    sql: &str,
    scale: Scale,
    rooms: u64,
    report: &mut Report,
) -> Result<()> {
    let people = scale.subscriptions;
    let mut db = world(people, rooms);
    let mut crowd = Crowd::new(&mut db, sql, people, &|number| vec![("p", number)])?;
    // The best loop over parameters alone does not know who is in which room: it compares one number.
    let all: Vec<u64> = (0..people).collect();
    let named = (work, compare_all(&all, |person, probe| *person == probe));
    let (figure, _) = run(named, db, &mut crowd, scale.commits, message(rooms, 2000))?;
    report.print(&figure);
    report.at_most(
        &format!("{work}, ns an affected subscription"),
        figure.ns_per_affected,
        AFFECTED_NS,
    );
    Ok(())
}

pub(super) fn two(scale: Scale, report: &mut Report) -> Result<()> {
    let sql =
        "SELECT m.* FROM member AS b JOIN message AS m ON m.room = b.room WHERE b.person = :p";
    let rooms = scale.subscriptions / 10 + 1;
    measure("join", sql, scale, rooms, report)?;
    idle(scale, sql, rooms, report)
}

/// Memory of subscriptions to a join, which keeps nothing of its tables.
fn idle(scale: Scale, sql: &str, rooms: u64, report: &mut Report) -> Result<()> {
    let mut db = world(scale.subscriptions, rooms);
    let crowd = Crowd::new(&mut db, sql, scale.subscriptions, &|number| {
        vec![("p", number)]
    })?;
    report.at_most("join, B an idle subscription", crowd.bytes_each, IDLE_BYTES);
    Ok(())
}

pub(super) fn three(scale: Scale, report: &mut Report) -> Result<()> {
    let sql = "SELECT m.* FROM team_member AS t JOIN team_room AS r ON r.team = t.team \
               JOIN message AS m ON m.room = r.room WHERE t.person = :p";
    measure("three", sql, scale, scale.subscriptions / 10 + 1, report)
}

pub(super) fn unread(scale: Scale, report: &mut Report) -> Result<()> {
    let sql = "SELECT b.room, COUNT(*) AS unread FROM member AS b JOIN message AS m \
               ON m.room = b.room WHERE b.person = :p AND m.at > b.seen GROUP BY b.room";
    measure("unread", sql, scale, scale.subscriptions / 10 + 1, report)
}
