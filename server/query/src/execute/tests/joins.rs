//! Several tables, sub-queries, unions: what they say, case by case. The oracle has the rest.

use serde_json::{Value as Json, json};
use syncline_protocol::ErrorCode;

use crate::tests::{Fixture, ordered, table};

fn chat() -> Fixture {
    let users = table("users", "id u32, name string, age u8?", 1);
    let messages = ordered(
        table("messages", "id u64, room u32, author u32, text string", 1),
        "room",
    );
    let rooms = table("rooms", "id u32, title string", 1);
    let members = table("members", "room u32, user u32, since i64", 2);
    let mut fixture = Fixture::new(vec![users, messages, rooms, members]);
    fixture.insert(
        "users",
        &[
            json!([1, "ann", 30]),
            json!([2, "bob", null]),
            json!([3, "cid", 20]),
        ],
    );
    fixture.insert("rooms", &[json!([7, "hall"]), json!([8, "attic"])]);
    fixture.insert(
        "members",
        &[json!([7, 1, "5"]), json!([7, 2, "6"]), json!([8, 1, "7"])],
    );
    fixture.insert(
        "messages",
        &[
            json!(["1", 7, 1, "a"]),
            json!(["2", 7, 2, "b"]),
            json!(["3", 7, 1, "c"]),
            json!(["4", 9, 3, "d"]),
        ],
    );
    fixture
}

/// A query and its rows.
fn cases() -> Vec<(&'static str, Json)> {
    let mut all = joins();
    all.extend(nested());
    all
}

#[rustfmt::skip]
fn joins() -> Vec<(&'static str, Json)> {
    vec![
        ("SELECT m.id, u.name FROM messages m JOIN users u ON m.author = u.id WHERE m.room = 7 ORDER BY m.id",
         json!([["1", "ann"], ["2", "bob"], ["3", "ann"]])),
        ("SELECT m.id, u.name FROM messages m, users u WHERE u.id = m.author AND u.age < 25", json!([["4", "cid"]])),
        ("SELECT a.name, b.name FROM users a JOIN users b ON a.age > b.age", json!([["ann", "cid"]])),
        ("SELECT name, text FROM users LEFT JOIN messages m ON m.author = users.id AND m.room = 7 ORDER BY name, text",
         json!([["ann", "a"], ["ann", "c"], ["bob", "b"], ["cid", null]])),
        ("SELECT r.title, m.id FROM messages m RIGHT JOIN rooms r ON r.id = m.room WHERE m.id IS NULL", json!([["attic", null]])),
        ("SELECT * FROM rooms r LEFT JOIN members ON members.room = r.id AND \"user\" = 2 ORDER BY r.id",
         json!([[7, "hall", 7, 2, "6"], [8, "attic", null, null, null]])),
        ("SELECT * FROM members JOIN messages USING (room) ORDER BY since, id LIMIT 1", json!([[7, 1, "5", "1", 1, "a"]])),
        ("SELECT count(*) FROM users CROSS JOIN rooms", json!([["6"]])),
        ("SELECT u.name, count(m.id) AS n FROM users u LEFT JOIN messages m ON m.author = u.id GROUP BY u.id, u.name ORDER BY n DESC, u.name",
         json!([["ann", "2"], ["bob", "1"], ["cid", "1"]])),
        ("SELECT count(DISTINCT author), count(author), sum(DISTINCT room) FROM messages", json!([["3", "4", "16"]])),
        ("SELECT bool_and(age > 10), bool_or(age > 25), bool_and(age > 25) FROM users", json!([[true, true, false]])),
        ("SELECT DISTINCT author FROM messages ORDER BY author DESC LIMIT 2", json!([[3], [2]])),
        ("SELECT room FROM messages UNION SELECT id FROM rooms ORDER BY room", json!([[7], [8], [9]])),
        ("SELECT room FROM messages UNION ALL SELECT id FROM rooms ORDER BY 1 DESC LIMIT 3 OFFSET 1", json!([[8], [7], [7]])),
        ("SELECT id, 'm' AS kind, NULL AS x FROM messages WHERE id < 2 UNION ALL SELECT id, 'u', age FROM users WHERE id = 1 ORDER BY kind",
         json!([["1", "m", null], ["1", "u", 30]])),
        ("SELECT id FROM messages ORDER BY room, id AFTER (7, 2)", json!([["3"], ["4"]])),
        ("SELECT id FROM users ORDER BY age DESC, id DESC AFTER (20, 3) LIMIT 5", json!([[2]])),
        ("SELECT id FROM users ORDER BY age, id AFTER (NULL, 2)", json!([[3], [1]])),
    ]
}

#[rustfmt::skip]
fn nested() -> Vec<(&'static str, Json)> {
    vec![
        ("SELECT name FROM users u WHERE EXISTS (SELECT 1 FROM messages m WHERE m.author = u.id AND m.room = 9)", json!([["cid"]])),
        ("SELECT name FROM users u WHERE NOT EXISTS (SELECT * FROM messages m WHERE m.author = u.id AND m.room = 7)", json!([["cid"]])),
        ("SELECT name FROM users WHERE id IN (SELECT author FROM messages WHERE room = 7) ORDER BY id", json!([["ann"], ["bob"]])),
        ("SELECT name FROM users WHERE age NOT IN (SELECT age FROM users WHERE id > 1)", json!([])),
        ("SELECT name FROM users WHERE age NOT IN (SELECT age FROM users WHERE id > 9) OR id = 2 ORDER BY id", json!([["ann"], ["bob"], ["cid"]])),
        ("SELECT name, (SELECT count(*) FROM messages m WHERE m.author = u.id) FROM users u ORDER BY id",
         json!([["ann", "2"], ["bob", "1"], ["cid", "1"]])),
        ("SELECT id, (SELECT name FROM users WHERE users.id = m.author) FROM messages m WHERE room = 9", json!([["4", "cid"]])),
        ("SELECT name FROM users WHERE age = (SELECT max(age) FROM users)", json!([["ann"]])),
        ("SELECT x.n, x.room FROM (SELECT room, count(*) AS n FROM messages GROUP BY room) x WHERE x.n > 1", json!([["3", 7]])),
        ("WITH busy AS (SELECT room, count(*) AS n FROM messages GROUP BY room), most AS (SELECT max(n) AS n FROM busy) \
          SELECT b.room FROM busy b JOIN most ON b.n = most.n", json!([[7]])),
        ("SELECT t.id FROM (SELECT id FROM messages ORDER BY id DESC LIMIT 2) t ORDER BY t.id", json!([["3"], ["4"]])),
        ("SELECT name, rank() OVER (ORDER BY age DESC) AS r FROM users ORDER BY r, name", json!([["ann", "1"], ["cid", "2"], ["bob", "3"]])),
        ("SELECT id, row_number() OVER (PARTITION BY room ORDER BY text DESC) FROM messages ORDER BY id",
         json!([["1", "3"], ["2", "2"], ["3", "1"], ["4", "1"]])),
        ("SELECT r FROM (SELECT id, rank() OVER (ORDER BY name) AS r FROM users) x WHERE id = 2", json!([["2"]])),
        // A sub-query in a sub-query that reads the outermost query.
        ("SELECT name FROM users u WHERE EXISTS (SELECT 1 FROM rooms r WHERE EXISTS \
          (SELECT 1 FROM members m WHERE m.room = r.id AND m.\"user\" = u.id) AND r.title = 'attic')", json!([["ann"]])),
        ("SELECT room, max(id) FROM messages GROUP BY room HAVING max(id) = (SELECT max(id) FROM messages)", json!([[9, "4"]])),
        ("SELECT u.id FROM users u LEFT JOIN messages m ON m.author = u.id AND EXISTS (SELECT 1 FROM rooms WHERE id = m.room) WHERE m.id IS NULL", json!([[3]])),
    ]
}

#[test]
fn several_tables_answer_together() {
    let fixture = chat();
    for (sql, wanted) in cases() {
        let found = fixture.once(sql, json!({}));
        let found = found.unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(found, wanted, "{sql}");
    }
}

/// The deepest queries that are read at all, on a stack of the usual size; a level more is an error.
#[test]
fn deep_nesting_fits_the_stack() {
    let fixture = chat();
    let mut answered = 0;
    for depth in [4, 8, 15, 16, 31, 40] {
        let open = "SELECT id FROM users WHERE EXISTS (";
        let close = ")".repeat(depth);
        let exists = format!("{}SELECT id FROM users{close}", open.repeat(depth));
        let open = "SELECT id FROM (";
        let close = ") x".repeat(depth);
        let derived = format!("{}SELECT id FROM users{close}", open.repeat(depth));
        let open = "SELECT (((((((((((((((id))))))))))))))) FROM users WHERE id IN (";
        let close = ")".repeat(depth);
        let within = format!("{}SELECT id FROM users{close}", open.repeat(depth));
        let union = vec!["SELECT id FROM users"; depth + 1].join(" UNION ");
        for sql in [exists, derived, within, union] {
            match fixture.once(&sql, json!({})) {
                Ok(rows) => {
                    assert_eq!(rows.as_array().map(Vec::len), Some(3), "{sql}");
                    answered += 1;
                }
                Err(error) => assert_eq!(error.code, ErrorCode::QueryLimit, "{sql}"),
            }
        }
    }
    assert!(
        answered >= 9,
        "those of a sane depth are answered: {answered}"
    );
}
