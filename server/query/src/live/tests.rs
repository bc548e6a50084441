#![allow(clippy::unwrap_used, reason = "tests")]

mod budget;
mod deep;
mod explain;
mod hidden;
mod ranks;
mod routed;
mod routes;
mod sub_queries;
mod windows;

use serde_json::{Value as Json, json};
use syncline_protocol::message::ResultDescription;

use crate::tests::{Fixture, Write, me, ordered, table};

fn tasks() -> Fixture {
    let columns = "id u64, owner string?, room u32, done bool, rank i32, text string";
    Fixture::new(vec![ordered(
        ordered(table("tasks", columns, 1), "room, rank"),
        "rank",
    )])
}

fn task(id: u64, owner: impl Into<Json>, room: u32, rank: i32) -> Json {
    let owner = owner.into();
    json!([
        id.to_string(),
        owner,
        room,
        false,
        rank,
        format!("text {id}")
    ])
}

fn shape(description: &ResultDescription) -> Json {
    let columns = description.columns.iter();
    let columns: Vec<String> = columns
        .map(|column| {
            format!(
                "{}{}",
                column.name,
                if column.hidden { " hidden" } else { "" }
            )
        })
        .collect();
    let order: Vec<Json> = description
        .order
        .iter()
        .map(|key| json!([key.column, key.descending]))
        .collect();
    json!([columns, description.key, order])
}

#[test]
fn descriptions_have_key_and_order() {
    let mut fixture = tasks();
    let mut check = |sql: &str, wanted: Json| {
        let subscribed = fixture.subscribe(sql, json!({})).unwrap();
        assert_eq!(shape(&subscribed.description), wanted, "{sql}");
    };
    check(
        "SELECT text, id FROM tasks",
        json!([["text", "id"], [1], []]),
    );
    check(
        "SELECT text FROM tasks",
        json!([["text", "id hidden"], [1], []]),
    );
    check(
        "SELECT id + 1 AS id FROM tasks",
        json!([["id", "id_2 hidden"], [1], []]),
    );
    check(
        "SELECT id FROM tasks ORDER BY rank",
        json!([["id", "rank hidden"], [0], [[1, false]]]),
    );
    // Descending ties are broken by the descending key, which the description then says.
    check(
        "SELECT text FROM tasks ORDER BY rank DESC",
        json!([
            ["text", "id hidden", "rank hidden"],
            [1],
            [[2, true], [1, true]]
        ]),
    );
    check(
        "SELECT id, rank * 2 AS twice FROM tasks ORDER BY twice DESC, text",
        json!([["id", "twice", "text hidden"], [0], [[1, true], [2, false]]]),
    );
}

#[test]
fn changes_become_inserts_updates_and_deletes() {
    let mut fixture = tasks();
    let (mine, _) = fixture.watch(
        "SELECT id, rank FROM tasks WHERE owner = :o",
        json!({"o": "ann"}),
    );
    let (all, _) = fixture.watch(
        "SELECT id, upper(text) AS t FROM tasks WHERE rank > 0",
        json!({}),
    );
    fixture.insert("tasks", &[task(2, "ann", 1, 5), task(1, "bob", 1, 0)]);
    assert_eq!(fixture.ops_json(&mine), json!([["insert", ["2", 5]]]));
    assert_eq!(fixture.ops_json(&all), json!([["insert", ["2", "TEXT 2"]]]));

    // Into one result and out of another; a column that is not projected tells nobody.
    let mut moved = task(2, "bob", 1, 5);
    fixture.commit(&[Write::Update("tasks", moved.clone())]);
    assert_eq!(fixture.ops_json(&mine), json!([["delete", ["2"]]]));
    assert_eq!(fixture.ops_json(&all), json!([]));
    moved[1] = json!("ann");
    fixture.commit(&[
        Write::Update("tasks", moved.clone()),
        Write::Insert("tasks", task(300, "ann", 1, 1)),
        Write::Insert("tasks", task(4, "ann", 1, 2)),
    ]);
    assert_eq!(
        fixture.ops_json(&mine),
        json!([
            ["insert", ["2", 5]],
            ["insert", ["4", 2]],
            ["insert", ["300", 1]]
        ]),
        "by key, as values"
    );
    moved[3] = json!(true);
    fixture.commit(&[Write::Update("tasks", moved.clone())]);
    assert!(fixture.deltas.is_empty(), "`done` is in no result");
    moved[4] = json!(7);
    moved[5] = json!("new");
    fixture.commit(&[
        Write::Update("tasks", moved),
        Write::Delete("tasks", json!(["4"])),
    ]);
    assert_eq!(
        fixture.ops_json(&mine),
        json!([["update", ["2"], {"rank": 7}], ["delete", ["4"]]])
    );
    assert_eq!(
        fixture.ops_json(&all),
        json!([["update", ["2"], {"t": "NEW"}], ["delete", ["4"]]])
    );
    let handles: Vec<u64> = fixture.deltas.iter().map(|(handle, _)| handle).collect();
    assert_eq!(handles, [mine.handle, all.handle]);
}

#[test]
fn equal_queries_share_an_instance() {
    let mut fixture = tasks();
    let mut handle = |sql: &str, given: Json| fixture.subscribe(sql, given).unwrap().handle;
    let first = handle(
        "SELECT * FROM tasks WHERE owner = :o AND room = 3",
        json!({"o": "ann"}),
    );
    assert_eq!(
        handle(
            "select * from tasks t where 3 = t.room and t.owner = 'ann'",
            json!({})
        ),
        first
    );
    assert_eq!(
        handle(
            "SELECT * FROM tasks WHERE room = :r AND owner = :o AND room = 3",
            json!({"o": "ann", "r": 3})
        ),
        first
    );
    assert_eq!(
        handle(
            "SELECT * FROM tasks WHERE room IN (:l) AND owner IN ('ann')",
            json!({"l": [3, 3]})
        ),
        first
    );
    let second = handle(
        "SELECT * FROM tasks WHERE owner = :o AND room = 3",
        json!({"o": "bob"}),
    );
    assert_ne!(second, first);
    let list = handle("SELECT * FROM tasks WHERE room IN (3, 1, 2)", json!({}));
    assert_eq!(
        handle(
            "SELECT * FROM tasks WHERE room IN (:l)",
            json!({"l": [1, 2, 3, 3]})
        ),
        list
    );
    let window = handle("SELECT * FROM tasks ORDER BY rank LIMIT 3", json!({}));
    assert_eq!(
        handle(
            "SELECT * FROM tasks ORDER BY rank LIMIT :n",
            json!({"n": 3})
        ),
        window
    );
    assert_ne!(
        handle("SELECT * FROM tasks ORDER BY rank LIMIT 4", json!({})),
        window
    );
    let stats = fixture.live.stats();
    assert_eq!(
        (stats.templates, stats.instances, stats.subscriptions),
        (3, 5, 10)
    );

    // The instance goes with its last subscription, and its handle is not used again.
    for _ in 0..4 {
        assert!(fixture.live.description(first).is_some());
        fixture.live.unsubscribe(first);
    }
    assert!(fixture.live.description(first).is_none());
    fixture.live.unsubscribe(first);
    let again = fixture.subscribe(
        "SELECT * FROM tasks WHERE owner = 'ann' AND room = 3",
        json!({}),
    );
    let again = again.unwrap();
    assert!(again.is_new && again.handle > window);
    assert_eq!(fixture.live.stats().instances, 5);
}

#[test]
fn the_caller_is_a_part_of_the_key_only_where_used() {
    let mut fixture = Fixture::new(vec![table(
        "notes",
        "id u32, owner identity?, text string",
        1,
    )]);
    let other = crate::Caller {
        identity: syncline_protocol::Identity([8; 32]),
        ..me()
    };
    let (db, live) = fixture.parts();
    let mut handle =
        |sql: &str, caller: &crate::Caller| live.subscribe(db, sql, &[], caller).unwrap().handle;
    let mine = "SELECT * FROM notes WHERE owner = :me";
    assert_ne!(handle(mine, &me()), handle(mine, &other));
    let all = "SELECT * FROM notes WHERE text = 'x'";
    assert_eq!(handle(all, &me()), handle(all, &other));
    let stats = live.stats();
    assert_eq!(
        (stats.templates, stats.scanned_instances),
        (2, 0),
        "`:me` is routed"
    );
    fixture.insert(
        "notes",
        &[json!([1, "07".repeat(32), "a"]), json!([2, null, "x"])],
    );
    assert_eq!(fixture.deltas.len(), 2);
}
