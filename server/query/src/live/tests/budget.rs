//! What live queries may take.

use serde_json::{Value as Json, json};
use syncline_protocol::limits::{LIVE_RESETS_MAX, SCANNED_INSTANCES_MAX};
use syncline_protocol::{ErrorCode, IndexKind};

use crate::tests::{Fixture, Write, me, ordered, params, table, with_index};
use crate::{Budgets, CostClass};

const GROUPS: &str = "SELECT room, COUNT(*) AS n FROM message GROUP BY room";
const JOIN: &str =
    "SELECT m.id, b.user FROM member b JOIN message m ON m.room = b.room WHERE b.user = :u";

fn chat() -> Fixture {
    let member = table("member", "room u32, user string", 2);
    let member = with_index(member, "user", IndexKind::Hash);
    let member = with_index(member, "room", IndexKind::Hash);
    let message = table("message", "id u64, room u32, text string", 1);
    Fixture::new(vec![ordered(message, "room"), member])
}

fn messages(ids: std::ops::Range<u64>, room: impl Fn(u64) -> u64) -> Vec<Json> {
    ids.map(|id| json!([id.to_string(), room(id), "hello"]))
        .collect()
}

#[test]
fn bytes_are_counted_and_given_back() {
    let mut fixture = chat();
    let small = fixture.subscribe(JOIN, json!({"u": "ann"})).unwrap();
    let one = fixture.live.byte_len();
    assert_eq!((small.cost, small.load.byte_len), (CostClass::Indexed, one));
    assert!((100..400).contains(&one), "{one}");
    let groups = fixture.subscribe(GROUPS, json!({})).unwrap();
    assert_eq!(groups.cost, CostClass::Stateful);
    let before = fixture.live.byte_len();
    fixture.insert("message", &messages(0..1000, |id| id));
    let grown = fixture.live.byte_len() - before;
    assert!(grown > 1000 * 50, "{grown} bytes for a thousand groups");
    let deletes: Vec<Write> = (0..1000)
        .map(|id: u64| Write::Delete("message", json!([id.to_string()])))
        .collect();
    fixture.commit(&deletes);
    fixture.live.unsubscribe(groups.handle);
    assert_eq!(fixture.live.byte_len(), one);
    fixture.live.unsubscribe(small.handle);
    assert_eq!(fixture.live.byte_len(), 0);
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut fixture = chat();
    fixture.insert("message", &messages(0..500, |id| id));
    let refused = |fixture: &mut Fixture, budgets: Budgets, what: &str| {
        fixture.live.set_budgets(budgets);
        let error = fixture.subscribe(GROUPS, json!({})).unwrap_err();
        assert_eq!(error.code, ErrorCode::LiveLimit);
        assert!(error.message.contains(what), "{error}");
        assert!(error.hint.is_some());
        assert_eq!(fixture.live.stats().templates, 0);
        assert_eq!(fixture.live.byte_len(), 0);
    };
    let all = Budgets::default();
    let instance_bytes = 10_000;
    refused(
        &mut fixture,
        Budgets {
            instance_bytes,
            ..all
        },
        "limit of 10000",
    );
    let template_bytes = 10_000;
    refused(
        &mut fixture,
        Budgets {
            template_bytes,
            ..all
        },
        "of this form",
    );
    let bytes = 10_000;
    refused(&mut fixture, Budgets { bytes, ..all }, "of the database");
    fixture.live.set_budgets(all);
    assert!(fixture.subscribe(GROUPS, json!({})).is_ok());
}

#[test]
fn what_grows_over_a_budget_ends_the_largest_first() {
    let mut fixture = chat();
    let by_room = fixture.subscribe(GROUPS, json!({})).unwrap();
    let sql = "SELECT text, COUNT(*) AS n FROM message GROUP BY text";
    let by_text = fixture.subscribe(sql, json!({})).unwrap();
    fixture.live.set_budgets(Budgets {
        bytes: 20_000,
        ..Budgets::default()
    });
    fixture.insert("message", &messages(0..10, |id| id));
    assert!(!fixture.live.is_unsettled());
    fixture.insert("message", &messages(10..1000, |id| id));
    assert_eq!(fixture.deltas.len(), 2, "both get the transaction's delta");
    assert!(fixture.live.is_unsettled());
    let (db, live) = fixture.parts();
    let settled = live.settle(db);
    assert!(settled.resets.is_empty());
    let [(handle, error)] = settled.ended.as_slice() else {
        panic!("{settled:?}")
    };
    assert_eq!(
        (*handle, error.code),
        (by_room.handle, ErrorCode::LiveLimit)
    );
    assert!(live.byte_len() < 20_000 && !live.is_unsettled());
    fixture.insert("message", &messages(1000..1001, |id| id));
    assert_eq!(
        fixture.ops_json(&by_text),
        json!([["update", ["hello"], {"n": "1001"}]])
    );
}

/// What nothing but parameters take is given back too when instances end, so that not all of them do.
#[test]
fn as_few_as_it_takes_end() {
    let mut fixture = chat();
    let groups = fixture.subscribe(GROUPS, json!({})).unwrap();
    let sql = "SELECT id FROM message WHERE text = :t";
    for number in 0..40 {
        let text = format!("{number}{}", "x".repeat(1000));
        fixture.subscribe(sql, json!({"t": text})).unwrap();
    }
    let all = fixture.live.byte_len();
    fixture.live.set_budgets(Budgets {
        bytes: all - 5000,
        ..Budgets::default()
    });
    fixture.insert("message", &messages(0..1, |id| id));
    let (db, live) = fixture.parts();
    let settled = live.settle(db);
    assert!((4..=6).contains(&settled.ended.len()), "{settled:?}");
    assert!(settled.ended.iter().all(|(own, _)| *own != groups.handle));
    assert!(live.byte_len() <= all - 5000);
}

#[test]
fn values_that_leave_nothing_out_are_looked_at_always() {
    let mut fixture = chat();
    let sql = "SELECT id FROM message WHERE text LIKE :t";
    let some = fixture.subscribe(sql, json!({"t": "a%"})).unwrap();
    assert_eq!(
        (some.cost, some.load.is_scanned),
        (CostClass::Indexed, false)
    );
    let all = fixture.subscribe(sql, json!({"t": "%a"})).unwrap();
    assert_eq!((all.cost, all.load.is_scanned), (CostClass::Scanned, true));
    assert_eq!(fixture.live.stats().scanned_instances, 1);
    let (db, live) = fixture.parts();
    let given = params(json!({"t": "%b"}));
    let moved = live.set_params(db, some.handle, &some.statement, &given, &me());
    assert!(moved.unwrap().load.is_scanned);
}

#[test]
fn a_runaway_step_becomes_a_reset() {
    let mut fixture = chat();
    let sql = "SELECT b.user, COUNT(*) AS n FROM member b JOIN message m ON m.room = b.room WHERE b.user = :u GROUP BY b.user";
    let (ann, _) = fixture.watch(sql, json!({"u": "ann"}));
    let (bob, _) = fixture.watch(sql, json!({"u": "bob"}));
    fixture.insert("message", &messages(0..200, |_| 1));
    fixture.live.set_budgets(Budgets {
        step_rows: 100,
        ..Budgets::default()
    });
    fixture.insert("member", &[json!([1, "ann"])]);
    assert!(fixture.deltas.is_empty());
    let (db, live) = fixture.parts();
    let settled = live.settle(db);
    assert_eq!(
        settled.resets,
        [ann.handle],
        "the only one that is concerned"
    );
    assert!(settled.ended.is_empty());
    assert_eq!(fixture.rows_json(&ann), json!([["ann", "200"]]));
    // From there on by deltas again.
    fixture.insert("message", &messages(200..201, |_| 1));
    assert_eq!(
        fixture.ops_json(&ann),
        json!([["update", ["ann"], {"n": "201"}]])
    );
    assert_eq!(fixture.ops_json(&bob), json!([]));
    assert!(!fixture.live.is_unsettled());
}

/// A message for three hundred members of its room: more than a step may look at.
fn overrun(fixture: &mut Fixture) {
    let members: Vec<Json> = (0..300).map(|n| json!([1, format!("u{n}")])).collect();
    fixture.insert("member", &members);
    fixture.live.set_budgets(Budgets {
        step_rows: 100,
        ..Budgets::default()
    });
    fixture.insert("message", &messages(0..1, |_| 1));
}

#[test]
fn a_runaway_of_very_many_ends_them() {
    let mut fixture = chat();
    for number in 0..=LIVE_RESETS_MAX {
        fixture
            .subscribe(JOIN, json!({"u": format!("u{number}")}))
            .unwrap();
    }
    overrun(&mut fixture);
    let (db, live) = fixture.parts();
    let settled = live.settle(db);
    assert_eq!(settled.ended.len(), LIVE_RESETS_MAX + 1);
    assert_eq!(settled.ended[0].1.code, ErrorCode::LiveLimit);
    assert_eq!((live.stats().templates, live.byte_len()), (0, 0));
}

#[test]
fn an_instance_waits_for_who_comes_back() {
    let mut fixture = chat();
    fixture.live.set_budgets(Budgets {
        idle_ticks: 10,
        idle_instances: 2,
        ..Budgets::default()
    });
    fixture.live.advance(100);
    let first = fixture.subscribe(GROUPS, json!({})).unwrap();
    fixture.live.unsubscribe(first.handle);
    assert_eq!(fixture.live.stats().idle_instances, 1);
    fixture.insert("message", &messages(0..3, |_| 1));
    fixture.live.advance(109);
    let (again, _) = fixture.watch(GROUPS, json!({}));
    assert_eq!((again.handle, again.is_new), (first.handle, false));
    fixture.live.advance(200);
    fixture.insert("message", &messages(3..4, |_| 1));
    assert_eq!(
        fixture.ops_json(&again),
        json!([["update", [1], {"n": "4"}]]),
        "it was kept current meanwhile, and its first leave is forgotten"
    );
    fixture.live.unsubscribe(again.handle);
    fixture.live.advance(209);
    assert_eq!(fixture.live.stats().instances, 1);
    fixture.live.advance(210);
    assert_eq!(fixture.live.stats().instances, 0);

    // The third one takes the place of the oldest.
    let handles: Vec<u64> = ["a", "b", "c"]
        .map(|user| fixture.subscribe(JOIN, json!({"u": user})).unwrap().handle)
        .to_vec();
    for handle in handles {
        fixture.live.unsubscribe(handle);
    }
    let stats = fixture.live.stats();
    assert_eq!((stats.instances, stats.idle_instances), (2, 2));
    assert!(fixture.subscribe(JOIN, json!({"u": "a"})).unwrap().is_new);
    assert!(!fixture.subscribe(JOIN, json!({"u": "c"})).unwrap().is_new);
}

#[test]
fn who_waits_makes_room() {
    let mut fixture = chat();
    let budgets = Budgets {
        idle_ticks: 10,
        ..Budgets::default()
    };
    fixture.live.set_budgets(budgets);
    let users = ["a", "b", "c"];
    for user in users {
        let handle = fixture.subscribe(JOIN, json!({"u": user})).unwrap().handle;
        fixture.live.unsubscribe(handle);
    }
    let is_idle = |fixture: &mut Fixture| fixture.live.stats().idle_instances;
    fixture.insert("message", &messages(0..500, |id| id));
    // What is too large itself has no use for the room of others.
    let instance_bytes = 1000;
    fixture.live.set_budgets(Budgets {
        instance_bytes,
        ..budgets
    });
    fixture.subscribe(GROUPS, json!({})).unwrap_err();
    let bytes = fixture.live.byte_len() + 100;
    fixture.live.set_budgets(Budgets { bytes, ..budgets });
    fixture.subscribe(GROUPS, json!({})).unwrap_err();
    assert_eq!(is_idle(&mut fixture), 3);
    // The oldest go, as many as it takes.
    fixture.subscribe(JOIN, json!({"u": "d"})).unwrap();
    assert_eq!(is_idle(&mut fixture), 2);
    assert!(!fixture.subscribe(JOIN, json!({"u": "b"})).unwrap().is_new);
}

/// Who only comes and goes is charged with nothing, so nothing that costs others waits for them.
#[test]
fn what_every_change_looks_at_does_not_wait() {
    let mut fixture = chat();
    fixture.live.set_budgets(Budgets {
        idle_ticks: 10,
        ..Budgets::default()
    });
    let scan = "SELECT * FROM message WHERE id + 0 > :n";
    for number in 0..=SCANNED_INSTANCES_MAX {
        let one = fixture.subscribe(scan, json!({"n": number})).unwrap();
        fixture.live.unsubscribe(one.handle);
        assert_eq!(fixture.live.stats().instances, 0);
    }
    let kept = fixture.subscribe(JOIN, json!({"u": "ann"})).unwrap();
    fixture.live.cancel(kept.handle);
    assert_eq!(fixture.live.stats().instances, 0, "at once");
}

/// What step after step gave up on is bounded over all templates.
#[test]
fn runaways_of_many_forms_are_few_together() {
    let mut fixture = chat();
    let other = JOIN.replace("m.id", "m.id, m.text");
    let count = LIVE_RESETS_MAX / 2 + 1;
    for number in 0..count {
        for sql in [JOIN, &other] {
            let given = json!({"u": format!("u{number}")});
            fixture.subscribe(sql, given).unwrap();
        }
    }
    overrun(&mut fixture);
    let (db, live) = fixture.parts();
    let settled = live.settle(db);
    assert_eq!((settled.resets.len(), settled.ended.len()), (count, count));
}

#[test]
fn one_that_grows_is_seen_while_another_shrinks() {
    let mut fixture = chat();
    let sql = "SELECT id, COUNT(*) AS n FROM message WHERE room = :r GROUP BY id";
    fixture.insert("message", &messages(0..200, |_| 1));
    let small = fixture.subscribe(sql, json!({"r": 1})).unwrap();
    let large = fixture.subscribe(sql, json!({"r": 2})).unwrap();
    fixture.live.set_budgets(Budgets {
        instance_bytes: small.load.byte_len / 2,
        ..Budgets::default()
    });
    let change = |id: u64| {
        let row = json!([id.to_string(), 2, "hello"]);
        let gone = Write::Delete("message", json!([id.to_string()]));
        if id < 150 {
            Write::Update("message", row)
        } else {
            gone
        }
    };
    let changes: Vec<Write> = (0..200).map(change).collect();
    fixture.commit(&changes);
    let (db, live) = fixture.parts();
    let settled = live.settle(db);
    let ended: Vec<u64> = settled.ended.iter().map(|(handle, _)| *handle).collect();
    assert_eq!(ended, [large.handle]);
}

/// Rows of a query in FROM are looked at as those of a table are.
#[test]
fn rows_of_queries_in_from_are_counted() {
    let mut fixture = chat();
    fixture.insert("message", &messages(0..300, |id| id));
    let members = (0..300).map(|room| json!([room, "ann"]));
    fixture.insert("member", &members.collect::<Vec<_>>());
    let sql = "SELECT a.room, b.room AS other FROM (SELECT room, COUNT(*) AS n FROM message GROUP BY room) AS a \
               JOIN (SELECT room, COUNT(*) AS n FROM member GROUP BY room) AS b ON a.n < b.n";
    let subscribed = fixture.subscribe(sql, json!({})).unwrap();
    fixture.live.set_budgets(Budgets {
        step_rows: 20_000,
        ..Budgets::default()
    });
    // A group that changes meets all of the others, as it was and as it is.
    fixture.insert("message", &messages(300..310, |id| id));
    assert!(!fixture.live.is_unsettled());
    fixture.insert("message", &messages(400..700, |id| id));
    let (db, live) = fixture.parts();
    assert!(live.is_unsettled());
    assert_eq!(live.settle(db).resets, [subscribed.handle]);
    assert_eq!(fixture.rows_json(&subscribed), json!([]));
    fixture.insert("member", &[json!([5, "bob"])]);
    let (db, live) = fixture.parts();
    live.settle(db);
    assert_eq!(fixture.rows(&subscribed).len(), 610);
}
