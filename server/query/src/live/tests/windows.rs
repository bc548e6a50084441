//! Windows, and what a publish does to all of them.

use serde_json::{Value as Json, json};
use syncline_protocol::ErrorCode;

use super::{task, tasks};
use crate::Budgets;
use crate::tests::{Write, ordered, params, table};

#[test]
fn windows_keep_their_first_rows() {
    let mut fixture = tasks();
    let sql = "SELECT id, rank FROM tasks WHERE room = :r ORDER BY rank DESC LIMIT 3";
    let (top, _) = fixture.watch(sql, json!({"r": 1}));
    let none = || Json::Null;
    for (id, rank) in [(1, 10), (2, 20), (3, 30)] {
        fixture.insert("tasks", &[task(id, none(), 1, rank)]);
    }
    fixture.insert("tasks", &[task(4, none(), 1, 40)]);
    assert_eq!(
        fixture.ops_json(&top),
        json!([["delete", ["1"]], ["insert", ["4", 40]]])
    );
    fixture.insert("tasks", &[task(5, none(), 1, 5), task(6, none(), 2, 99)]);
    assert!(
        fixture.deltas.is_empty(),
        "below the bound, or another room"
    );
    let candidates = fixture.live.stats().counters.candidates;
    fixture.commit(&[Write::Update("tasks", task(5, none(), 1, 6))]);
    assert!(fixture.deltas.is_empty());
    assert_eq!(fixture.live.stats().counters.candidates, candidates + 1);
    // A hole is filled from behind the bound; a row that moves out and back in is an update.
    fixture.commit(&[Write::Delete("tasks", json!(["3"]))]);
    assert_eq!(
        fixture.ops_json(&top),
        json!([["insert", ["1", 10]], ["delete", ["3"]]])
    );
    fixture.commit(&[Write::Update("tasks", task(4, none(), 1, 7))]);
    assert_eq!(
        fixture.ops_json(&top),
        json!([["update", ["4"], {"rank": 7}]])
    );
    fixture.commit(&[Write::Update("tasks", task(4, none(), 1, 1))]);
    assert_eq!(
        fixture.ops_json(&top),
        json!([["delete", ["4"]], ["insert", ["5", 6]]])
    );
    // Ties go by the key, in the direction of the order.
    fixture.insert("tasks", &[task(7, none(), 1, 6), task(8, none(), 1, 10)]);
    assert_eq!(
        fixture.rows_json(&top),
        json!([["2", 20], ["8", 10], ["1", 10]])
    );
    assert_eq!(
        fixture.ops_json(&top),
        json!([["delete", ["5"]], ["insert", ["8", 10]]])
    );

    let (nothing, _) = fixture.watch("SELECT id FROM tasks ORDER BY rank LIMIT 0", json!({}));
    fixture.insert("tasks", &[task(9, none(), 1, 50)]);
    assert_eq!(fixture.ops_json(&nothing), json!([]));
    assert_eq!(fixture.rows_json(&nothing), json!([]));
}

/// A filter that few rows pass makes a window walk over many others.
#[test]
fn a_window_does_not_look_for_its_rows_for_ever() {
    let mut fixture = tasks();
    let all = Budgets::default();
    let sql = "SELECT id FROM tasks WHERE done OR text LIKE '%x' ORDER BY rank LIMIT 2 OFFSET 1";
    let rows: Vec<Json> = (0..500).map(|id| task(id, "ann", 1, id as i32)).collect();
    fixture.insert("tasks", &rows);
    let done = |id: u64| {
        let mut row = task(id, "ann", 1, id as i32);
        row[3] = json!(true);
        Write::Update("tasks", row)
    };
    fixture.commit(&[0, 1, 2, 300].map(done));
    fixture.live.set_budgets(Budgets {
        first_rows: 100,
        ..all
    });
    assert!(
        fixture
            .subscribe(&sql.replace("2 OFF", "1 OFF"), json!({}))
            .is_ok()
    );
    let sql_of_more = sql.replace("2 OFF", "9 OFF");
    let error = fixture.subscribe(&sql_of_more, json!({})).unwrap_err();
    assert_eq!(error.code, ErrorCode::LiveLimit);
    assert!(error.message.contains("over 100 rows"), "{error}");

    let (window, _) = fixture.watch(sql, json!({}));
    fixture.live.set_budgets(Budgets {
        step_rows: 100,
        ..all
    });
    fixture.commit(&[Write::Delete("tasks", json!(["1"]))]);
    assert_eq!(fixture.ops_json(&window), json!([]));
    let (db, live) = fixture.parts();
    let settled = live.settle(db);
    assert_eq!(settled.ended, []);
    assert!(settled.resets.contains(&window.handle));
    assert_eq!(fixture.rows_json(&window), json!([["2", 2], ["300", 300]]));
    fixture.live.set_budgets(all);
    fixture.commit(&[done(10), Write::Delete("tasks", json!(["0"]))]);
    assert_eq!(
        fixture.ops_json(&window),
        json!([["delete", ["2"]], ["insert", ["10", 10]]])
    );
    // Where that does not lead to its rows either, it ends.
    fixture.live.set_budgets(Budgets {
        step_rows: 10,
        first_rows: 20,
        ..all
    });
    fixture.commit(&[Write::Delete("tasks", json!(["2"]))]);
    let (db, live) = fixture.parts();
    let ended = live.settle(db).ended;
    assert!(ended.iter().any(|(own, _)| *own == window.handle));
    assert!(
        ended
            .iter()
            .all(|(_, error)| error.code == ErrorCode::LiveLimit)
    );
    // It has left nothing that the next one like it would be taken for.
    fixture.live.set_budgets(all);
    let (again, _) = fixture.watch(sql, json!({}));
    assert!(again.is_new);
    assert_eq!(fixture.rows_json(&again), json!([["300", 300]]));
}

#[test]
fn a_publish_keeps_what_still_fits() {
    let mut fixture = tasks();
    let columns = "id u64, owner string?, room u32, done bool, rank i32, text string";
    let tasks = |indexes: &[&str]| {
        indexes
            .iter()
            .fold(table("tasks", columns, 1), |def, index| ordered(def, index))
    };
    let (all, _) = fixture.watch("SELECT id FROM tasks WHERE room = 1", json!({}));
    let (top, _) = fixture.watch("SELECT id FROM tasks ORDER BY rank LIMIT 1", json!({}));
    fixture.insert("tasks", &[task(1, Json::Null, 1, 1)]);

    // More indexes, in another order: names stay, numbers do not.
    let mut more = tasks(&["text", "room, rank", "rank"]);
    more.indexes[1].name = "by_0".into();
    more.indexes[2].name = "by_1".into();
    more.indexes[0].name = "new".into();
    let other = || table("other", "id u32", 1);
    fixture.publish(vec![other(), more.clone()], false);
    let (db, live) = fixture.parts();
    assert_eq!(live.rebind(db), []);
    fixture.insert("tasks", &[task(2, Json::Null, 1, 0)]);
    assert_eq!(fixture.ops_json(&all), json!([["insert", ["2"]]]));
    assert_eq!(
        fixture.ops_json(&top),
        json!([["delete", ["1"]], ["insert", ["2", 0]]]),
        "the hidden rank comes too"
    );

    // Data is cleared, the table as it was: instances go on with other rows.
    fixture.publish(vec![more.clone()], true);
    let (db, live) = fixture.parts();
    assert_eq!(live.rebind(db), []);
    assert_eq!(fixture.rows_json(&all), json!([]));
    fixture.insert("tasks", &[task(7, Json::Null, 1, 9)]);
    assert_eq!(fixture.ops_json(&top).as_array().unwrap().len(), 1);

    // A table that became private is gone for those who are not admins.
    let mut private = more;
    private.public = false;
    fixture.publish(vec![private], false);
    let (db, live) = fixture.parts();
    let lost = live.rebind(db);
    let handles: Vec<u64> = lost.iter().map(|(handle, _)| *handle).collect();
    assert_eq!(handles, [all.handle, top.handle]);
    assert!(
        lost.iter()
            .all(|(_, error)| error.code == ErrorCode::SqlUnknownTable)
    );
    assert_eq!(fixture.live.stats().instances, 0);

    // Other columns: what was subscribed by the admin goes too.
    let (db, live) = fixture.parts();
    let sql = "SELECT * FROM tasks WHERE room = :r";
    live.subscribe(db, sql, &params(json!({"r": 1})), &crate::tests::admin())
        .unwrap();
    fixture.publish(vec![table("tasks", "id u64, room u32", 1)], true);
    let (db, live) = fixture.parts();
    assert_eq!(live.rebind(db).len(), 1);
    assert_eq!(live.stats().router_entries, 0);
}
