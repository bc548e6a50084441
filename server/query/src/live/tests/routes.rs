//! What the router finds, and what it does not look at.

#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value as Json, json};
use syncline_protocol::ErrorCode;
use syncline_protocol::limits::SCANNED_INSTANCES_MAX;

use super::{task, tasks};
use crate::router::SIGNATURES_MAX;
use crate::tests::{Fixture, Write, table};

/// The claim of the router: instances that a commit does not concern are not looked at.
#[test]
fn a_hundred_thousand_others_are_not_touched() {
    let mut fixture = tasks();
    let count = if cfg!(debug_assertions) {
        20_000
    } else {
        100_000
    };
    for number in 0..count {
        let given = json!({"o": format!("user {number}")});
        fixture
            .subscribe("SELECT * FROM tasks WHERE owner = :o", given)
            .unwrap();
    }
    for number in 0..1000 {
        let given = json!({"r": number});
        fixture
            .subscribe("SELECT id FROM tasks WHERE room = :r AND rank > 3", given)
            .unwrap();
    }
    let stats = fixture.live.stats();
    assert_eq!((stats.templates, stats.signatures), (2, 2));
    assert_eq!(stats.router_entries, stats.instances);
    let count = |fixture: &mut Fixture, writes: &[Write]| {
        let before = fixture.live.stats().counters;
        fixture.commit(writes);
        let after = fixture.live.stats().counters;
        (
            after.probes - before.probes,
            after.candidates - before.candidates,
            after.affected - before.affected,
        )
    };
    let stranger = || task(1, "nobody", 5000, 9);
    assert_eq!(
        count(&mut fixture, &[Write::Insert("tasks", stranger())]),
        (2, 0, 0)
    );
    let mut changed = stranger();
    changed[4] = json!(10);
    assert_eq!(
        count(&mut fixture, &[Write::Update("tasks", changed.clone())]),
        (2, 0, 0)
    );
    changed[1] = json!("no one");
    assert_eq!(
        count(&mut fixture, &[Write::Update("tasks", changed)]),
        (3, 0, 0),
        "old key and new"
    );
    assert_eq!(
        count(&mut fixture, &[Write::Delete("tasks", json!(["1"]))]),
        (2, 0, 0)
    );
    let known = task(2, "user 77", 5, 9);
    assert_eq!(
        count(&mut fixture, &[Write::Insert("tasks", known.clone())]),
        (2, 2, 2)
    );
    let mut silent = known;
    silent[3] = json!(true);
    assert_eq!(
        count(&mut fixture, &[Write::Update("tasks", silent)]),
        (2, 2, 1),
        "`done` shows in one"
    );
}

#[test]
fn every_form_of_condition_is_routed() {
    let mut fixture = tasks();
    let mut check = |filter: &str, signatures: usize, entries: usize, scanned: usize| {
        let sql = format!("SELECT * FROM tasks WHERE {filter}");
        let handle = fixture.subscribe(&sql, json!({})).unwrap().handle;
        let stats = fixture.live.stats();
        let found = (
            stats.signatures,
            stats.router_entries,
            stats.scanned_instances,
        );
        assert_eq!(found, (signatures, entries, scanned), "{filter}");
        fixture.live.unsubscribe(handle);
        let stats = fixture.live.stats();
        assert_eq!(
            (
                stats.router_entries,
                stats.scanned_instances,
                stats.templates
            ),
            (0, 0, 0)
        );
    };
    check("owner = 'a'", 1, 1, 0);
    check("owner = 'a' AND room = 1 AND rank > 2", 1, 1, 0);
    check("owner = 'a' OR room = 1", 2, 2, 0);
    check("owner = 'a' OR owner = 'b' OR owner = 'a'", 1, 2, 0);
    check("(owner = 'a' OR room = 1) AND rank = 2", 2, 2, 0);
    check("(owner = 'a' AND done) OR (room = 1 AND NOT done)", 2, 2, 0);
    check("room IN (1, 2, 3)", 1, 3, 0);
    check("room IN (1, 2, 3) AND owner IN ('a', 'b')", 1, 6, 0);
    check("owner IS NULL", 1, 1, 0);
    check("owner IS NOT DISTINCT FROM NULL", 1, 1, 0);
    check("done", 1, 1, 0);
    check("NOT done", 1, 1, 0);
    check("done = true AND room = 1", 1, 1, 0);
    // Nothing can match: nothing is listened to.
    check("owner = NULL", 0, 0, 0);
    check("room = 4294967296", 0, 0, 0);
    check("room = -1 OR room = 0.5", 0, 0, 0);
    check("room = 1 AND owner IN (NULL)", 0, 0, 0);
    // Bounds and beginnings, with an equality or without.
    check("rank > 3", 1, 1, 0);
    check("NOT rank > 3", 1, 1, 0);
    check("rank BETWEEN 3 AND 5", 1, 1, 0);
    check("rank BETWEEN 3 AND 5 AND room BETWEEN 1 AND 2", 1, 1, 0);
    check("owner LIKE 'ab%'", 1, 1, 0);
    check("starts_with(owner, 'ab') AND rank < 5", 1, 1, 0);
    check("owner = 'a' OR rank > 3", 2, 2, 0);
    check(
        "room = 1 AND (rank BETWEEN 3 AND 5 OR rank BETWEEN 8 AND 9)",
        1,
        2,
        0,
    );
    check("rank BETWEEN 5 AND 3", 0, 0, 0);
    check("rank > NULL OR owner LIKE NULL", 0, 0, 0);
    // What has none of them is looked at on every change.
    check("owner LIKE '%b'", 0, 0, 1);
    check("owner = 'a' OR rank + 1 > 3", 0, 0, 1);
    check("NOT owner = 'a'", 0, 0, 1);
    check("owner || 'x' = 'ax'", 0, 0, 1);
}

/// What is between bounds, in a box or begins alike is found without a look at the others, and an update of
/// nothing that is read costs no candidate.
#[test]
fn others_within_other_bounds_are_not_touched() {
    let mut fixture = tasks();
    let count = 5_000;
    let mut subscribe = |sql: &str, given: Json| {
        fixture.subscribe(sql, given).unwrap();
    };
    for number in 0..count {
        let (low, high) = (number * 10, number * 10 + 12);
        let given = json!({"a": low, "b": high});
        subscribe(
            "SELECT id, room FROM tasks WHERE rank BETWEEN :a AND :b",
            given,
        );
        let given = json!({"a": low, "b": high, "c": number % 50, "d": number % 50 + 1});
        let sql = "SELECT * FROM tasks WHERE rank >= :a AND rank < :b AND room BETWEEN :c AND :d";
        subscribe(sql, given);
        let given = json!({"p": format!("user/{number:05}%")});
        subscribe("SELECT id, room FROM tasks WHERE owner LIKE :p", given);
    }
    let stats = fixture.live.stats();
    let found = (
        stats.interval_entries,
        stats.box_entries,
        stats.prefix_entries,
    );
    assert_eq!(found, (count, count, count));
    assert_eq!((stats.signatures, stats.scanned_instances), (3, 0));
    let count = |fixture: &mut Fixture, writes: &[Write]| {
        let before = fixture.live.stats().counters;
        fixture.commit(writes);
        let after = fixture.live.stats().counters;
        (
            after.probes - before.probes,
            after.candidates - before.candidates,
            after.affected - before.affected,
        )
    };
    let stranger = || task(1, "nobody", 70, -5);
    let mut insert = |row: Json| count(&mut fixture, &[Write::Insert("tasks", row)]);
    assert_eq!(insert(stranger()), (3, 0, 0));
    assert_eq!(
        insert(task(2, "user/00077", 7, 0)),
        (3, 2, 2),
        "the first interval"
    );
    assert_eq!(
        insert(task(3, "user/00078/x", 3, 35)),
        (3, 3, 3),
        "a box as well"
    );
    assert_eq!(
        insert(task(4, "user/00079", 90, 41)),
        (3, 3, 3),
        "two intervals"
    );
    let mut update = |row: Json| count(&mut fixture, &[Write::Update("tasks", row)]);
    let mut moved = task(3, "user/00078/x", 3, 36);
    assert_eq!(
        update(moved.clone()),
        (5, 3, 1),
        "`rank` shows in the box alone"
    );
    moved[3] = json!(true);
    assert_eq!(
        update(moved.clone()),
        (3, 3, 1),
        "`done` shows in the box alone"
    );
    moved[4] = json!(-7);
    assert_eq!(update(moved), (5, 3, 2), "out of both");
}

#[test]
fn scans_and_signatures_are_limited() {
    let mut fixture = tasks();
    let mut handles = Vec::new();
    for number in 0..SCANNED_INSTANCES_MAX {
        let given = json!({"n": number});
        let sql = "SELECT * FROM tasks WHERE rank + 0 > :n";
        handles.push(fixture.subscribe(sql, given).unwrap().handle);
    }
    let error = fixture
        .subscribe("SELECT * FROM tasks WHERE 0 + rank < 9", json!({}))
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::LiveLimit);
    assert!(error.hint.unwrap().contains("owner = :owner"));
    assert_eq!(
        fixture.live.stats().templates,
        1,
        "the refused one left nothing"
    );
    assert!(
        !fixture
            .subscribe("SELECT * FROM tasks WHERE rank + 0 > 7", json!({}))
            .unwrap()
            .is_new
    );
    fixture.live.unsubscribe(handles[0]);
    assert!(
        fixture
            .subscribe("SELECT * FROM tasks WHERE 0 + rank < 9", json!({}))
            .is_ok()
    );

    let columns: Vec<String> = (0..70).map(|number| format!("c{number} u8")).collect();
    let mut fixture = Fixture::new(vec![table("wide", &columns.join(", "), 1)]);
    let mut subscribe = |column: usize| {
        fixture.subscribe(
            &format!("SELECT * FROM wide WHERE c{column} = 1"),
            json!({}),
        )
    };
    let first = subscribe(0).unwrap().handle;
    for column in 1..SIGNATURES_MAX {
        subscribe(column).unwrap();
    }
    assert_eq!(
        subscribe(SIGNATURES_MAX).unwrap_err().code,
        ErrorCode::LiveLimit
    );
    fixture.live.unsubscribe(first);
    let last = format!("SELECT * FROM wide WHERE c{SIGNATURES_MAX} = 1");
    assert!(
        fixture.subscribe(&last, json!({})).is_ok(),
        "a signature without entries makes room"
    );
}
