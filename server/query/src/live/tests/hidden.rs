//! Indexes that live queries make for themselves.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use syncline_protocol::limits::LIVE_INDEXES_PER_TABLE_MAX;
use syncline_protocol::message::ResultDescription;
use syncline_protocol::{ErrorCode, IndexKind};

use crate::tests::{Fixture, Write, me, params, table, unpack, with_index};
use crate::{Budgets, Stats, Subscribed};

const JOIN: &str =
    "SELECT m.id, b.user FROM member b JOIN message m ON m.room = b.room WHERE b.user = :u";

/// Tables without an index.
fn chat() -> Fixture {
    let member = table("member", "id u32, room u32, user string", 1);
    let message = table("message", "id u32, room u32, score i32?, text string", 1);
    Fixture::new(vec![message, member])
}

fn message(id: u32, room: u32) -> Json {
    json!([id, room, id % 5, format!("text {id}")])
}

fn fill(fixture: &mut Fixture) {
    let members: Vec<Json> = (0..6).map(|id| json!([id, id / 2, "ann"])).collect();
    fixture.insert("member", &members);
    let messages: Vec<Json> = (0..20).map(|id| message(id, id % 4)).collect();
    fixture.insert("message", &messages);
}

fn stats(fixture: &mut Fixture) -> Stats {
    fixture.parts().1.stats()
}

fn drop_unused(fixture: &mut Fixture, tick: u64) -> usize {
    let (db, live) = fixture.parts();
    live.advance(tick);
    live.drop_unused_indexes(db);
    live.hidden_index_count()
}

/// The rows that a client has, by their keys.
struct Client {
    subscribed: Subscribed,
    rows: BTreeMap<String, Json>,
}

impl Client {
    fn new(fixture: &mut Fixture, sql: &str, given: Json) -> Self {
        let (subscribed, _) = fixture.watch(sql, given);
        let rows = Self::fresh(fixture, &subscribed);
        Self { subscribed, rows }
    }

    fn fresh(fixture: &Fixture, subscribed: &Subscribed) -> BTreeMap<String, Json> {
        let key = |row: &Json| -> Json {
            let columns = subscribed.description.key.iter();
            columns.map(|at| row[usize::from(*at)].clone()).collect()
        };
        let rows = fixture.rows_json(subscribed);
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| (key(row).to_string(), row.clone()))
            .collect()
    }

    /// Commits, and compares what the delta made with a fresh answer.
    fn check(&mut self, fixture: &mut Fixture, writes: &[Write]) {
        fixture.commit(writes);
        let description = &self.subscribed.description;
        let ops = fixture.ops_json(&self.subscribed);
        for op in ops.as_array().unwrap() {
            if op[0] == "insert" {
                let key: Json = description
                    .key
                    .iter()
                    .map(|at| op[1][usize::from(*at)].clone())
                    .collect();
                self.rows.insert(key.to_string(), op[1].clone());
            } else if op[0] == "delete" {
                self.rows.remove(&op[1].to_string()).unwrap();
            } else {
                let row = self.rows.get_mut(&op[1].to_string()).unwrap();
                for (at, column) in description.columns.iter().enumerate() {
                    if let Some(value) = op[2].get(&column.name) {
                        row[at] = value.clone();
                    }
                }
            }
        }
        assert_eq!(self.rows, Self::fresh(fixture, &self.subscribed));
    }
}

#[test]
fn a_join_without_an_index_lives() {
    let mut fixture = chat();
    fill(&mut fixture);
    let mut ann = Client::new(&mut fixture, JOIN, json!({"u": "ann"}));
    assert_eq!(stats(&mut fixture).hidden_indexes, 2, "one for each side");
    assert!(stats(&mut fixture).hidden_index_bytes > 0);
    assert!(fixture.live.byte_len() >= stats(&mut fixture).hidden_index_bytes);
    let writes = [
        vec![Write::Insert("message", message(99, 2))],
        vec![Write::Insert("member", json!([9, 3, "ann"]))],
        vec![
            Write::Update("message", message(99, 3)),
            Write::Update("member", json!([9, 1, "ann"])),
            Write::Delete("message", json!([3])),
        ],
        vec![
            Write::Update("member", json!([9, 1, "bob"])),
            Write::Insert("message", message(3, 1)),
        ],
    ];
    for step in writes {
        ann.check(&mut fixture, &step);
        assert!(!fixture.deltas.is_empty());
    }
    // Another template, the same indexes.
    let other = "SELECT b.id AS b, m.id AS m FROM member b JOIN message m ON m.room = b.room";
    let other = fixture.subscribe(other, json!({})).unwrap();
    assert_eq!(drop_unused(&mut fixture, 1), 2);
    fixture.live.unsubscribe(ann.subscribed.handle);
    assert_eq!(drop_unused(&mut fixture, 2), 2, "the other one uses them");
    fixture.live.unsubscribe(other.handle);
    assert_eq!(drop_unused(&mut fixture, 3), 0);
    assert_eq!(fixture.live.byte_len(), 0);
    let tables = fixture.db().tables();
    assert!(
        tables
            .flat_map(syncline_store::Table::indexes)
            .all(|index| !index.id.is_hidden())
    );
}

#[test]
fn other_ways_to_lack_one() {
    let bounded = "SELECT a.id, b.id AS other FROM message a JOIN message b ON b.score > a.score AND b.id <> a.id";
    let left = "SELECT b.id, m.id AS m FROM member b LEFT JOIN message m ON m.room = b.room AND m.score = 3";
    let grouped = "SELECT b.user, COUNT(*) AS n FROM member b JOIN message m ON m.room = b.room GROUP BY b.user";
    let constant = "SELECT b.id, m.id AS m FROM member b CROSS JOIN message m WHERE m.room = :r AND b.room = :r";
    for (sql, given) in [
        (bounded, json!({})),
        (left, json!({})),
        (grouped, json!({})),
        (constant, json!({"r": 1})),
    ] {
        let mut fixture = chat();
        fill(&mut fixture);
        let mut own = Client::new(&mut fixture, sql, given);
        assert!(stats(&mut fixture).hidden_indexes > 0, "{sql}");
        for step in [
            vec![Write::Insert("message", message(98, 1))],
            vec![
                Write::Update("message", message(98, 0)),
                Write::Delete("message", json!([1])),
            ],
            vec![
                Write::Insert("member", json!([9, 0, "bob"])),
                Write::Delete("member", json!([2])),
            ],
        ] {
            own.check(&mut fixture, &step);
        }
    }
}

#[test]
fn it_is_kept_for_a_while() {
    let mut fixture = chat();
    fixture.live.set_budgets(Budgets {
        idle_ticks: 5,
        ..Budgets::default()
    });
    let ann = fixture.subscribe(JOIN, json!({"u": "ann"})).unwrap();
    assert_eq!(drop_unused(&mut fixture, 100), 2);
    fixture.live.unsubscribe(ann.handle);
    assert_eq!(drop_unused(&mut fixture, 104), 2, "the instance is idle");
    assert_eq!(drop_unused(&mut fixture, 105), 2, "it is gone");
    assert_eq!(drop_unused(&mut fixture, 109), 2);
    fixture.subscribe(JOIN, json!({"u": "bob"})).unwrap();
    assert_eq!(drop_unused(&mut fixture, 120), 2, "somebody came back");
}

#[test]
fn limits_refuse_and_say_why() {
    let mut fixture = chat();
    fill(&mut fixture);
    fixture.live.set_budgets(Budgets {
        index_rows: 10,
        ..Budgets::default()
    });
    let error = fixture.subscribe(JOIN, json!({"u": "ann"})).unwrap_err();
    assert_eq!(error.code, ErrorCode::LiveNoAccessPath);
    assert!(
        error
            .message
            .ends_with("none was made: the table has over 10 rows"),
        "{error}"
    );
    assert_eq!(
        error.hint.as_deref(),
        Some("declare an index on message(room) in the module")
    );
    fixture.live.set_budgets(Budgets {
        bytes: 100,
        ..Budgets::default()
    });
    let error = fixture.subscribe(JOIN, json!({"u": "ann"})).unwrap_err();
    assert!(error.message.contains("take all their memory"), "{error}");
    fixture.live.set_budgets(Budgets::default());
    assert_eq!(
        drop_unused(&mut fixture, 1),
        0,
        "what was made in vain goes"
    );
}

#[test]
fn a_table_has_few() {
    let columns: Vec<String> = (0..20).map(|n| format!("c{n} u32")).collect();
    let mut fixture = Fixture::new(vec![table("wide", &columns.join(", "), 1)]);
    fixture.live.set_budgets(Budgets {
        idle_ticks: 1000,
        ..Budgets::default()
    });
    let join =
        |n: usize| format!("SELECT a.c0, b.c0 AS b0 FROM wide a JOIN wide b ON a.c{n} = b.c{n}");
    let mut handles = Vec::new();
    for n in 1..=LIVE_INDEXES_PER_TABLE_MAX {
        handles.push(fixture.subscribe(&join(n), json!({})).unwrap().handle);
    }
    let error = fixture.subscribe(&join(19), json!({})).unwrap_err();
    assert!(error.message.contains("have made 8 already"), "{error}");
    // What is kept only for who comes back makes room.
    fixture.live.unsubscribe(handles[0]);
    fixture.subscribe(&join(19), json!({})).unwrap();
    assert_eq!(
        fixture.live.hidden_index_count(),
        LIVE_INDEXES_PER_TABLE_MAX
    );
}

#[test]
fn a_publish_may_declare_it() {
    let mut fixture = chat();
    fill(&mut fixture);
    let mut ann = Client::new(&mut fixture, JOIN, json!({"u": "ann"}));
    let tables = |is_indexed: bool| {
        let member = table("member", "id u32, room u32, user string", 1);
        let message = table("message", "id u32, room u32, score i32?, text string", 1);
        let other = table("other", "id u32", 1);
        if is_indexed {
            let message = with_index(message, "room", IndexKind::Hash);
            return vec![
                other,
                message,
                with_index(member, "room", IndexKind::Ordered),
            ];
        }
        vec![message, other, member]
    };
    for (is_indexed, left) in [(false, 2), (true, 0)] {
        fixture.publish(tables(is_indexed), false);
        let (db, live) = fixture.parts();
        assert_eq!(live.rebind(db), []);
        assert_eq!(drop_unused(&mut fixture, 1), left);
        let id = 90 + u32::from(is_indexed);
        let writes = [
            Write::Insert("message", message(id, 2)),
            Write::Insert("member", json!([id, 3, "ann"])),
        ];
        ann.check(&mut fixture, &writes);
        assert!(!fixture.deltas.is_empty());
    }
}

#[test]
fn explain_says_so() {
    let mut fixture = chat();
    let explain = |fixture: &mut Fixture| -> Vec<String> {
        let (db, live) = fixture.parts();
        let mut rows = Vec::new();
        let mut sink = |row: &[u8]| rows.push(row.to_vec());
        let sql = format!("EXPLAIN LIVE {JOIN}");
        let given = params(json!({"u": "ann"}));
        let told = live.explain(db, sql.as_str(), &given, &me(), &mut sink);
        let told: ResultDescription = told.unwrap().unwrap();
        let rows = rows.iter().map(|row| unpack(told.types(), row).to_string());
        rows.collect()
    };
    for _ in 0..2 {
        let lines = explain(&mut fixture);
        let says =
            |words: &str| assert!(lines.iter().any(|line| line.contains(words)), "{lines:?}");
        says("message by hidden index(room)");
        says("declare index(hash, columns(room)) in the module");
        fixture.subscribe(JOIN, json!({"u": "bob"})).unwrap();
    }
    assert_eq!(drop_unused(&mut fixture, 1), 2);
}

/// More indexes than a table may have for one query: those that it has just made do not make room for each other, for
/// ever.
#[test]
fn a_query_that_needs_too_many_is_refused() {
    let columns: Vec<String> = (1..=10).map(|at| format!("c{at} u32")).collect();
    let columns = format!("id u32, {}", columns.join(", "));
    let mut fixture = Fixture::new(vec![table("t", &columns, 1)]);
    let one = "SELECT a.id FROM t a JOIN t b ON a.c1 = b.c2 WHERE b.c3 = 1";
    let (held, _) = fixture.watch(one, json!({}));
    let held_count = fixture.live.hidden_index_count();
    assert!(held_count > 0);
    let many = "SELECT a.id FROM t a JOIN t b ON a.c1 = b.c2 JOIN t c ON b.c3 = c.c4 \
                JOIN t d ON c.c5 = d.c6 JOIN t e ON d.c7 = e.c8 JOIN t f ON e.c9 = f.c10";
    for _ in 0..2 {
        let error = fixture.subscribe(many, json!({})).unwrap_err();
        assert_eq!(error.code, ErrorCode::LiveNoAccessPath, "{error}");
        assert!(error.message.contains("none was made"), "{error}");
    }
    assert!(fixture.live.hidden_index_count() <= LIVE_INDEXES_PER_TABLE_MAX);
    // What the refused query left is in nobody's way, and what lives has its own.
    let other = "SELECT a.id FROM t a JOIN t b ON a.c9 = b.c10 JOIN t c ON b.c7 = c.c8";
    fixture.subscribe(other, json!({})).unwrap();
    let row = json!([1, 5, 5, 1, 0, 0, 0, 0, 0, 0, 0]);
    fixture.commit(&[Write::Insert("t", row)]);
    assert_eq!(
        fixture.ops_json(&held),
        json!([["insert", fixture.rows_json(&held)[0]]])
    );
}
