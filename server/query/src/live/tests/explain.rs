//! What EXPLAIN says.

use serde_json::{Value as Json, json};
use syncline_protocol::{ErrorCode, IndexKind};

use crate::tests::{Fixture, admin, me, ordered, params, table, unpack, with_index};
use crate::{Caller, QueryError};

fn chat() -> Fixture {
    let member = table("member", "room u32, user string", 2);
    let member = with_index(member, "user", IndexKind::Hash);
    let member = with_index(member, "room", IndexKind::Hash);
    let message = table("message", "id u64, room u32, text string", 1);
    let mut fixture = Fixture::new(vec![ordered(message, "room"), member]);
    let members: Vec<Json> = (0..20).map(|n| json!([n % 2, format!("u{n}")])).collect();
    fixture.insert("member", &members);
    fixture
}

fn explain(
    fixture: &mut Fixture,
    sql: &str,
    given: Json,
    caller: &Caller,
) -> Result<Vec<String>, QueryError> {
    let (db, live) = fixture.parts();
    let mut rows = Vec::new();
    let mut sink = |row: &[u8]| rows.push(row.to_vec());
    let description = live
        .explain(db, sql, &params(given), caller, &mut sink)
        .expect("it is an EXPLAIN")?;
    let line = |row: &Vec<u8>| {
        let row = unpack(description.types(), row);
        let texts: Vec<&str> = row
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Json::as_str)
            .collect();
        texts.join(" | ")
    };
    Ok(rows.iter().map(line).collect())
}

/// Whether one line has all of these parts.
#[track_caller]
fn says(lines: &[String], parts: &[&str]) {
    let has = lines
        .iter()
        .any(|line| parts.iter().all(|part| line.contains(part)));
    assert!(has, "no line has {parts:?}: {lines:#?}");
}

#[test]
fn a_plain_query_is_class_a() {
    let mut fixture = chat();
    let sql = "explain live SELECT text FROM message WHERE room = :room AND id > 5 ORDER BY id";
    let lines = explain(&mut fixture, sql, json!({"room": 3}), &me()).unwrap();
    says(&lines, &["template | class | A: "]);
    says(&lines, &["parameter | $", "u32 = 3"]);
    says(&lines, &["router | message | {room}"]);
    says(&lines, &["result | key | id (hidden)"]);
    says(&lines, &["access | message | ", "index by_0(room)"]);
    assert!(
        lines.iter().all(|line| !line.starts_with("counters")),
        "{lines:?}"
    );
    assert_eq!(
        fixture.live.stats().templates,
        0,
        "nothing lives that was explained"
    );
}

#[test]
fn a_join_shows_its_ways_and_figures_to_the_admin_alone() {
    let mut fixture = chat();
    let query = "SELECT m.text FROM member b JOIN message m ON m.room = b.room WHERE b.user = :u";
    fixture.subscribe(query, json!({"u": "u1"})).unwrap();
    fixture.subscribe(query, json!({"u": "u3"})).unwrap();
    fixture.subscribe(query, json!({"u": "u3"})).unwrap();
    fixture.insert("message", &[json!(["1", 1, "hello"])]);
    let sql = format!("EXPLAIN LIVE {query}");
    let lines = explain(&mut fixture, &sql, json!({"u": "u9"}), &admin()).unwrap();
    says(
        &lines,
        &[
            "way | message",
            "member by index by_1(room), about 10 rows",
            "{user}",
        ],
    );
    says(&lines, &["way | member", "message by index by_0(room)"]);
    says(&lines, &["counters | instances | 2"]);
    says(&lines, &["counters | subscriptions | 3"]);
    says(&lines, &["counters | affected | 2"]);
    let lines = explain(&mut fixture, &sql, json!({"u": "u9"}), &me()).unwrap();
    says(&lines, &["way | message", "member by index by_1(room) ->"]);
    assert!(
        lines.iter().all(|line| !line.starts_with("counters")),
        "{lines:?}"
    );
}

#[test]
fn state_and_scans_are_named() {
    let mut fixture = chat();
    let sql =
        "EXPLAIN LIVE SELECT room, COUNT(*) AS n FROM member WHERE user = 'ann' GROUP BY room";
    let lines = explain(&mut fixture, sql, json!({}), &me()).unwrap();
    says(&lines, &["template | class | B: "]);
    says(&lines, &["state | the result | figures of each group"]);
    let sql = "EXPLAIN LIVE SELECT * FROM message WHERE id > :id";
    let lines = explain(&mut fixture, sql, json!({"id": 1}), &me()).unwrap();
    says(&lines, &["template | class | A: "]);
    says(&lines, &["router | message | {id bounded}"]);
    let sql = "EXPLAIN LIVE SELECT * FROM message WHERE id + 0 > :id";
    let lines = explain(&mut fixture, sql, json!({"id": 1}), &me()).unwrap();
    says(&lines, &["template | class | C: "]);
    says(&lines, &["budget | class C | at most 256"]);
}

#[test]
fn a_refusal_is_explained() {
    let mut fixture = chat();
    let sql = "EXPLAIN LIVE SELECT m.id FROM message m JOIN member b ON b.user < m.text";
    let lines = explain(&mut fixture, sql, json!({}), &me()).unwrap();
    says(&lines, &["refused | LIVE_NO_ACCESS_PATH | "]);
    says(&lines, &["refused | hint | declare an ordered index on "]);
    let error = explain(
        &mut fixture,
        "EXPLAIN LIVE\nSELECT x FROM message",
        json!({}),
        &me(),
    );
    let error = error.unwrap_err();
    assert_eq!(error.code, ErrorCode::SqlUnknownColumn);
    assert_eq!(error.position.map(|at| (at.line, at.column)), Some((2, 8)));
}

#[test]
fn once_has_the_loops() {
    let mut fixture = chat();
    let sql =
        "EXPLAIN SELECT m.text FROM member b JOIN message m ON m.room = b.room WHERE b.user = 'u1'";
    let lines = explain(&mut fixture, sql, json!({}), &admin()).unwrap();
    says(
        &lines[..1],
        &["access | member | the key in index by_0(user)"],
    );
    says(
        &lines[1..2],
        &["access | message | the key in index by_0(room)"],
    );
    let sql = "EXPLAIN SELECT * FROM member ORDER BY user LIMIT 3";
    let lines = explain(&mut fixture, sql, json!({}), &admin()).unwrap();
    says(&lines, &["access | member | all rows, 20"]);
    says(&lines, &["result | limit | 3"]);
    let (db, live) = fixture.parts();
    assert!(
        live.explain(db, "SELECT 1", &[], &me(), &mut |_| {})
            .is_none()
    );
}
