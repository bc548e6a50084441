//! Small questions that would be large expressions.

use serde_json::{Value as Json, json};
use syncline_protocol::ErrorCode;
use syncline_protocol::logical::LogicalQuery;

use super::chat;
use crate::tests::me;
use crate::{QueryError, QueryRef};

/// Asks once with a structure.
fn ask_structure(query: Json) -> Result<(), QueryError> {
    let whole = [("version", 1.into()), ("query", query)].map(|(name, v)| (name.to_owned(), v));
    let query = LogicalQuery::from_json(Json::Object(whole.into_iter().collect())).unwrap();
    let fixture = chat();
    let asked = QueryRef::Logical(&query.encode());
    crate::query_once(fixture.db(), asked, &[], &me(), &mut |_: &[u8]| ()).map(drop)
}

/// Runs on a stack as small as that of a thread may be; unoptimised frames are several times as large.
fn on_a_small_stack<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    let bytes = if cfg!(debug_assertions) {
        2 << 20
    } else {
        1 << 20
    };
    let thread = std::thread::Builder::new().stack_size(bytes);
    thread.spawn(run).unwrap().join().unwrap()
}

#[test]
fn a_long_concat_is_not_deep() {
    let rows = on_a_small_stack(|| {
        let mut fixture = chat();
        fixture.insert("messages", &[json!([1, 1, 1, "x"])]);
        let args = vec!["1"; 2000].join(", ");
        let sql = format!("SELECT concat({args}) AS c FROM messages WHERE room = 1");
        let live = fixture.subscribe(&sql, json!({})).unwrap();
        fixture.live.unsubscribe(live.handle);
        fixture.once(&sql, json!({})).unwrap()
    });
    assert_eq!(rows, json!([["1".repeat(2000)]]));
    on_a_small_stack(|| {
        ask_structure(json!({
            "from": {"of": {"table": "messages"}},
            "select": [{"as": ["c", {"call": ["concat", vec![json!({"value": 1}); 5000]]}]}],
        }))
    })
    .unwrap();
}

/// What leans left is as deep as it is long: nothing may walk over it in as many frames.
#[test]
fn a_long_chain_of_operators_is_refused() {
    let chains = [
        vec!["1"; 2000].join("||"),
        vec!["1"; 2000].join("+"),
        vec!["1"; 2000].join("="),
        vec!["id"; 1800].join("->"),
        format!("1{}", " IS NULL".repeat(1900)),
        format!("1{}", " BETWEEN 1 AND 1".repeat(900)),
        format!("1{}", "::i64".repeat(1900)),
        format!("1{}", " IN (1)".repeat(900)),
        format!("1{}", " COLLATE x".repeat(1900)),
        format!("1{}", "!".repeat(3900)),
        format!("floor({} TO DAY)", vec!["1"; 1900].join("+")),
        // An AND may be that long, but not of what this one begins with.
        format!("id ~ 2 AND {}", vec!["TRUE"; 1900].join(" AND ")),
    ];
    for chain in chains {
        let small = "SELECT id FROM messages";
        for sql in [
            format!("SELECT {chain} FROM messages"),
            format!("SELECT max({chain}) AS c FROM messages"),
            format!("{small} WHERE {chain} IS NULL"),
            format!("{small} WHERE id IN (SELECT id FROM messages AS n WHERE {chain})"),
            format!("{small} AS m JOIN messages AS n ON {chain}"),
            format!("{small} ORDER BY {chain}"),
            format!("{small} ORDER BY id AFTER ({chain})"),
            format!("{small} UNION SELECT {chain} FROM messages"),
        ] {
            let answer = on_a_small_stack(move || chat().once(&sql, json!({})));
            let code = answer.expect_err(&chain[..20]).code;
            let codes = [
                ErrorCode::QueryLimit,
                ErrorCode::SqlUnsupported,
                ErrorCode::SqlSyntax,
            ];
            assert!(codes.contains(&code), "{}: {code:?}", &chain[..20]);
        }
    }
}

/// What is nested so deep that its copies would be 2 to the power of the levels, or more.
fn nested(levels: usize, around: &str) -> String {
    let nest = |inner: String, _| around.replace('#', &inner);
    (0..levels).fold("id".to_owned(), nest)
}

/// Refused before memory is taken for it: at once.
fn check_parts(answer: Result<(), QueryError>, what: &str) {
    let error = answer.expect_err(what);
    assert_eq!(error.code, ErrorCode::QueryLimit, "{what}: {error}");
    assert!(error.message.contains("parts"), "{what}: {error}");
    assert!(error.hint.is_some(), "{what}");
}

#[test]
fn copies_of_operands_are_bounded() {
    let whens = "WHEN 1 THEN 2 ".repeat(30);
    for (levels, around) in [
        (24, "nullif(#, 1)"),
        (24, "CASE # WHEN 1 THEN 2 WHEN 3 THEN 4 END"),
        (8, &format!("CASE # {whens} END")),
        (15, "CAST(# NOT BETWEEN :low AND :low AS i64)"),
    ] {
        let nested = nested(levels, around);
        for sql in [
            format!("SELECT {nested} AS v FROM messages WHERE room = 1"),
            format!("SELECT id FROM messages WHERE room = 1 AND {nested} = 3"),
            format!("SELECT id FROM messages WHERE room = 1 ORDER BY {nested}, id"),
        ] {
            let given = if sql.contains(":low") {
                json!({"low": 1})
            } else {
                json!({})
            };
            let mut fixture = chat();
            check_parts(fixture.once(&sql, given.clone()).map(drop), &sql);
            check_parts(fixture.subscribe(&sql, given).map(drop), &sql);
        }
    }
    // A few levels are nothing, nor is a long list.
    for (levels, around) in [(8, "nullif(#, 1)"), (3, "(# BETWEEN 1 AND 2)::i64")] {
        let sql = format!("SELECT {} AS v FROM messages", nested(levels, around));
        chat().once(&sql, json!({})).unwrap();
    }
    let list: Vec<usize> = (0..1000).collect();
    let sql = format!(
        "SELECT {} IN (:list) AS v FROM messages",
        nested(8, "nullif(#, 1)")
    );
    chat().once(&sql, json!({"list": list})).unwrap();
}

#[test]
fn copies_in_a_structure_are_bounded() {
    let one = json!({"value": 1});
    let forms: [fn(Json, &Json) -> Json; 3] = [
        |inner, one| json!({"call": ["nullif", [inner, one]]}),
        |inner, one| json!({"case": {"operand": inner, "arms": [[one, one], [one, one]]}}),
        |inner, one| json!({"cast": [{"between": [inner, one, one]}, "i64"]}),
    ];
    for (number, form) in forms.into_iter().enumerate() {
        let id = json!({"column": [null, "id"]});
        let nested = (0..24 - 10 * (number / 2)).fold(id, |inner, _| form(inner, &one));
        let answer = ask_structure(json!({
            "from": {"of": {"table": "messages"}},
            "select": [{"as": ["v", nested]}],
        }));
        check_parts(answer, &format!("form {number}"));
    }
}

#[test]
fn copies_of_long_values_and_of_ranked_queries_are_bounded() {
    let long = "x".repeat(3 << 20);
    let sql = format!(
        "SELECT id FROM messages WHERE {}",
        vec!["text = :p"; 200].join(" OR ")
    );
    check_parts(chat().once(&sql, json!({"p": long})).map(drop), "a value");
    let ranks = "rank() OVER (ORDER BY id), ".repeat(16);
    let query = |inner, _| format!("SELECT {ranks} q.id FROM ({inner}) AS q");
    let sql = (0..8).fold("SELECT id FROM messages".to_owned(), query);
    check_parts(chat().once(&sql, json!({})).map(drop), "ranks");
}
