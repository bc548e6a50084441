//! What a publish that changes policies or views tells subscriptions.

use std::collections::BTreeMap;

use syncline_protocol::{PolicyDef, Schema, TableDef, ViewDef};

use super::live::{chat, join, subscribe, write};
use super::*;
use crate::Budgets;

const MESSAGES: &str = "SELECT id FROM message WHERE room = :r";

/// As a publish does, without a module.
fn publish(bench: &mut Bench, policies: &[(u16, &str)], view: &str) {
    let policies = policies.iter().map(|(table, condition)| PolicyDef {
        table: *table,
        condition: (*condition).into(),
    });
    let engine = &mut bench.engine;
    let database = engine.database.as_mut().unwrap();
    let schema = Schema {
        policies: policies.collect(),
        views: vec![ViewDef {
            name: "newest".into(),
            params: vec![],
            sql: view.into(),
        }],
        ..database.schema().module.clone()
    };
    let schema = database.schema().evolve(schema, [0; 32], false).unwrap();
    database.install(schema.clone()).unwrap();
    assert_eq!(engine.live.rebind(database), []);
    engine.set_schema(&schema);
    engine.ask_all_again(engine.log.last());
    bench.sent.clear();
    bench.step([]);
}

const NEWEST: &str = "SELECT id FROM message ORDER BY id DESC LIMIT 10";

/// Each message: to whom, what, for which subscription or instance, and how many rows or operations.
fn told(bench: &mut Bench) -> Vec<(u32, &'static str, u64, u32)> {
    let sent = std::mem::take(&mut bench.sent);
    let mut told = Vec::new();
    for (conn, message) in sent {
        match message {
            ServerMessage::Snapshot(own) => {
                told.push((conn.index, "snapshot", own.id.into(), own.row_count));
            }
            ServerMessage::Reset(own) => {
                told.push((conn.index, "reset", own.handle, own.row_count));
            }
            ServerMessage::Commit(own) => {
                let handles = own.deltas.iter().map(|delta| delta.handle);
                told.extend(handles.map(|handle| (conn.index, "commit", handle, 1)));
            }
            ServerMessage::Reply(own) => {
                assert!(own.error.is_some());
                told.push((conn.index, "error", own.id.into(), 0));
            }
            other => panic!("{other:?}"),
        }
    }
    told.sort_unstable();
    told
}

/// Two of one identity, one of another, and the admin.
fn audience() -> Bench {
    let mut bench = chat(Budgets::default());
    write(&mut bench, "message", (0..10).map(|id| (id, id % 2)));
    bench.step([
        join(0, 1, false, Encoding::MessagePack),
        join(1, 1, false, Encoding::MessagePack),
        join(2, 2, false, Encoding::MessagePack),
        join(3, 3, true, Encoding::MessagePack),
    ]);
    bench.sent.clear();
    bench
}

fn handles(bench: &Bench) -> BTreeMap<(u32, u32), u64> {
    let own = bench.engine.connections.iter().flat_map(|connection| {
        let index = connection.key.index;
        let own = connection.subscriptions.iter();
        own.map(move |known| ((index, known.id), known.handle))
    });
    own.collect()
}

/// What is charged and who is told must be as if everybody had asked just now.
fn check_books(bench: &mut Bench) {
    let live = bench.engine.live.stats();
    let known = handles(bench);
    assert_eq!(live.subscriptions, known.len());
    assert_eq!(bench.engine.counters().subscriptions, known.len() as u64);
    for ((conn, _), handle) in &known {
        assert!(bench.engine.live.description(*handle).is_some());
        let own = bench.engine.subscribers.of(*handle).iter();
        assert_eq!(own.filter(|own| own.conn.index == *conn).count(), 1);
    }
    for index in 0..4 {
        bench.step([Command::Disconnect(conn(index))]);
    }
    assert_eq!(bench.engine.live.stats().instances, 0);
    assert_eq!(bench.engine.live.byte_len(), 0);
    assert_eq!(bench.engine.quotas.texts.byte_len(), 0);
}

#[test]
fn a_policy_that_is_the_same_for_all_is_a_reset() {
    let mut bench = audience();
    let room = [("r", 1)];
    bench.step([0, 1, 2].map(|n| subscribe(n, 1, MESSAGES, &room)));
    bench.step([subscribe(0, 2, "SELECT id FROM member", &[])]);
    let before = handles(&bench);
    let handle = before[&(0, 1)];
    publish(&mut bench, &[(0, "id > 4")], NEWEST);
    let expected = [0, 1, 2].map(|n| (n, "reset", handle, 3));
    assert_eq!(told(&mut bench), expected);
    assert_eq!(handles(&bench), before);
    // The policy holds for what comes now, and what is not concerned went on.
    write(&mut bench, "message", [(11, 1)].into_iter());
    assert_eq!(
        told(&mut bench),
        [0, 1, 2].map(|n| (n, "commit", handle, 1))
    );
    write(&mut bench, "member", [(1, 1)].into_iter());
    assert_eq!(told(&mut bench), [(0, "commit", before[&(0, 2)], 1)]);
    // The same once more changes nothing.
    publish(&mut bench, &[(0, "id > 4")], NEWEST);
    assert_eq!(told(&mut bench), []);
    check_books(&mut bench);
}

#[test]
fn a_policy_that_looks_at_the_caller_parts_those_who_shared() {
    let mut bench = audience();
    let room = [("r", 1)];
    bench.step([0, 1, 2, 3].map(|n| subscribe(n, 1, MESSAGES, &room)));
    let handle = handles(&bench)[&(0, 1)];
    let mine = format!(":me = '{}' OR id > 8", "01".repeat(32));
    publish(&mut bench, &[(0, &mine)], NEWEST);
    // The admin sees all, as before.
    let expected = [
        (0, "snapshot", 1, 5),
        (1, "snapshot", 1, 5),
        (2, "snapshot", 1, 1),
    ];
    assert_eq!(told(&mut bench), expected);
    let now = handles(&bench);
    assert_eq!(now[&(3, 1)], handle);
    assert_eq!(now[&(0, 1)], now[&(1, 1)]);
    assert_ne!(now[&(0, 1)], now[&(2, 1)]);
    write(&mut bench, "message", [(13, 1)].into_iter());
    assert_eq!(told(&mut bench).len(), 4);
    // Without it all are together again.
    publish(&mut bench, &[], NEWEST);
    let expected = [0, 1, 2].map(|n| (n, "snapshot", 1, 6));
    assert_eq!(told(&mut bench), expected);
    let now = handles(&bench);
    assert!([0, 1, 2, 3].iter().all(|n| now[&(*n, 1)] == handle));
    check_books(&mut bench);
}

#[test]
fn a_view_that_is_another_one_ends_what_does_not_fit() {
    let mut bench = audience();
    bench.step([
        subscribe(0, 1, "SELECT * FROM newest", &[]),
        subscribe(
            0,
            2,
            "SELECT COUNT(*) AS n FROM newest WHERE id > :n",
            &[("n", 3)],
        ),
        subscribe(1, 1, "SELECT * FROM newest", &[]),
        subscribe(1, 2, MESSAGES, &[("r", 0)]),
    ]);
    let before = handles(&bench);
    publish(&mut bench, &[], &NEWEST.replace("10", "4"));
    let (view, count) = (before[&(0, 1)], before[&(0, 2)]);
    let expected = [
        (0, "reset", view, 4),
        (0, "reset", count, 1),
        (1, "reset", view, 4),
    ];
    assert_eq!(told(&mut bench), expected);
    publish(&mut bench, &[], "SELECT id, room FROM message WHERE id > 5");
    let errors = bench.errors();
    assert_eq!(
        errors,
        [0, 1].map(|n| ((n, 1), "SQL_TYPE".to_owned())).into()
    );
    assert_eq!(handles(&bench).len(), 2);
    publish(&mut bench, &[], "SELECT room FROM message WHERE id > 5");
    assert_eq!(
        bench.errors(),
        BTreeMap::from([((0, 2), "SQL_UNKNOWN_COLUMN".to_owned())])
    );
    check_books(&mut bench);
}

/// What would take too long for one step is left to those who come again: nobody keeps what may be seen no longer.
#[test]
fn more_than_can_be_looked_at_closes_connections() {
    for (publish_rows, sql) in [
        (0, MESSAGES),
        (2, "SELECT COUNT(*) AS n FROM message WHERE room = :r"),
    ] {
        let mut bench = audience();
        let room = [("r", 1)];
        bench.step([0, 1].map(|n| subscribe(n, 1, sql, &room)));
        bench.step([subscribe(2, 1, "SELECT id FROM member", &[])]);
        let budgets = Budgets {
            publish_rows,
            ..bench.engine.budgets
        };
        bench.engine.budgets = budgets;
        bench.closed.clear();
        publish(&mut bench, &[(0, "id > 4")], NEWEST);
        assert_eq!(told(&mut bench), [], "{sql}");
        let closed: BTreeMap<u32, &str> = bench
            .closed
            .iter()
            .map(|(conn, code)| (conn.index, code.as_str()))
            .collect();
        let expected = [(0, "SCHEMA_CONFLICT"), (1, "SCHEMA_CONFLICT")];
        assert_eq!(closed, expected.into(), "{sql}");
        check_books(&mut bench);
    }
}

/// A policy names its table by its position, and tables may change places.
#[test]
fn who_sees_what_goes_by_the_names_of_tables() {
    let table = |name: &str, public| TableDef {
        name: name.into(),
        public,
        columns: vec![],
        primary_key: vec![],
        indexes: vec![],
        auto_increment: None,
    };
    let schema = |tables: Vec<TableDef>, policies: &[u16]| Schema {
        tables,
        policies: policies
            .iter()
            .map(|table| PolicyDef {
                table: *table,
                condition: "owner = :me".into(),
            })
            .collect(),
        ..Schema::default()
    };
    let (a, b) = (table("a", true), table("b", true));
    let old = schema(vec![a.clone(), b.clone()], &[0]);
    let is_alike = |tables: Vec<TableDef>, policies: &[u16]| {
        crate::publish::is_seen_alike(&old, &schema(tables, policies))
    };
    assert!(is_alike(vec![b.clone(), a.clone()], &[1]));
    assert!(is_alike(vec![table("c", true), a.clone(), b.clone()], &[1]));
    assert!(!is_alike(vec![b.clone(), a.clone()], &[0]));
    assert!(!is_alike(vec![a.clone(), b.clone()], &[]));
    assert!(!is_alike(vec![a.clone(), b.clone()], &[0, 1]));
    assert!(!is_alike(vec![a, table("b", false)], &[0]));
}
