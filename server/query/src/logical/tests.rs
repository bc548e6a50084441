#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value as Json, json};
use syncline_protocol::ErrorCode;
use syncline_protocol::logical::{Expr, LogicalQuery, Query, Relation, Source};

use super::convert;
use crate::QueryRef;
use crate::parse::parse;
use crate::syntax::Query as Syntax;
use crate::tests::{Fixture, me, ordered, table};

/// The syntax without places, and names without quotes (a structure has exact names).
fn bare(select: &Syntax) -> String {
    let text = format!("{select:?}").replace("quoted: false", "quoted: true");
    let mut out = String::new();
    for (index, part) in text.split("Position {").enumerate() {
        let rest = if index == 0 {
            part
        } else {
            part.split_once('}').unwrap().1
        };
        out.push_str(rest);
    }
    out
}

/// A condition of `SELECT * FROM tasks t WHERE ..` in both forms.
fn conditions() -> Vec<(&'static str, Json)> {
    let col = |name: &str| json!({"column": ["t", name]});
    let (rank, title) = (col("rank"), col("title"));
    vec![
        ("t.rank = 3", json!({"eq": [rank, {"value": 3}]})),
        ("t.rank <> :p", json!({"ne": [rank, {"param": "p"}]})),
        ("t.rank < 1.5", json!({"lt": [rank, {"value": 1.5}]})),
        (
            "t.rank <= 1 + 2",
            json!({"le": [rank, {"add": [{"value": 1}, {"value": 2}]}]}),
        ),
        (
            "t.rank - 1 > 2 * 3",
            json!({"gt": [{"subtract": [rank, {"value": 1}]},
            {"multiply": [{"value": 2}, {"value": 3}]}]}),
        ),
        (
            "t.rank / 2 >= t.rank % 2",
            json!({"ge": [{"divide": [rank, {"value": 2}]},
            {"remainder": [rank, {"value": 2}]}]}),
        ),
        ("NOT t.done", json!({"not": col("done")})),
        ("-t.rank IS NULL", json!({"is_null": {"negate": rank}})),
        (
            "t.done IS TRUE OR t.done IS FALSE",
            json!({"or": [{"is_true": col("done")}, {"is_false": col("done")}]}),
        ),
        (
            "a AND b AND c",
            json!({"and": [{"and": [{"column": [null, "a"]},
            {"column": [null, "b"]}]}, {"column": [null, "c"]}]}),
        ),
        (
            "t.title IS NOT DISTINCT FROM :p",
            json!({"same": [title, {"param": "p"}]}),
        ),
        (
            "t.rank BETWEEN 1 AND :p",
            json!({"between": [rank, {"value": 1}, {"param": "p"}]}),
        ),
        (
            "t.rank IN (1, :p)",
            json!({"in": [rank, [{"value": 1}, {"param": "p"}]]}),
        ),
        (
            "t.title LIKE 'a%'",
            json!({"like": [title, {"value": "a%"}]}),
        ),
        (
            "t.title LIKE 'a!%' ESCAPE '!'",
            json!({"like_escape": [title, {"value": "a!%"}, "!"]}),
        ),
        (
            "lower(t.title || 'x') = 'y'",
            json!({"eq": [
            {"call": ["LOWER", [{"concat": [title, {"value": "x"}]}]]}, {"value": "y"}]}),
        ),
        (
            "CAST(t.rank AS text) = 'x'",
            json!({"eq": [{"cast": [rank, "string"]}, {"value": "x"}]}),
        ),
        (
            "CASE t.rank WHEN 1 THEN true ELSE false END",
            json!({"case": {"operand": rank,
            "arms": [[{"value": 1}, {"value": true}]], "otherwise": {"value": false}}}),
        ),
        (
            "CASE WHEN t.done THEN NULL END",
            json!({"case": {"arms": [[col("done"), {"value": null}]]}}),
        ),
    ]
}

fn query(query: Json) -> LogicalQuery {
    let whole = [("version", 1.into()), ("query", query)].map(|(name, v)| (name.to_owned(), v));
    LogicalQuery::from_json(Json::Object(whole.into_iter().collect())).unwrap()
}

#[test]
fn a_structure_is_the_syntax_of_its_text() {
    let mut pairs: Vec<(String, Json)> = conditions()
        .into_iter()
        .map(|(sql, condition)| {
            let from = json!({"of": {"table": "tasks"}, "as": "t"});
            let sql = format!("SELECT * FROM tasks t WHERE {sql}");
            (sql, json!({"from": from, "where": condition}))
        })
        .collect();
    pairs.push((
        "SELECT t.room AS r, t.*, *, count(*), lower(x) FROM t GROUP BY t.room HAVING count(*) > 1 \
         ORDER BY r DESC, t.x LIMIT 5 OFFSET :o"
            .into(),
        json!({
            "select": [{"as": ["r", {"column": ["t", "room"]}]}, {"all_of": "t"}, "all",
                       {"expr": "count_rows"},
                       {"expr": {"call": ["lower", [{"column": [null, "x"]}]]}}],
            "from": {"of": {"table": "t"}},
            "group": [{"column": ["t", "room"]}],
            "having": {"gt": ["count_rows", {"value": 1}]},
            "order": [{"by": {"column": [null, "r"]}, "descending": true},
                      {"by": {"column": ["t", "x"]}}],
            "limit": {"value": 5},
            "offset": {"param": "o"},
        }),
    ));
    for (sql, structure) in pairs {
        let parsed = parse(&sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        let converted = convert(&query(structure)).unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(bare(&converted), bare(&parsed), "{sql}");
    }
}

fn tasks() -> Fixture {
    let columns = "id u32, room u32, rank i32?, title string, done bool";
    Fixture::new(vec![ordered(table("tasks", columns, 1), "room, rank")])
}

#[test]
fn text_and_structure_share_an_instance() {
    let mut fixture = tasks();
    let sql =
        "SELECT id, title FROM tasks WHERE room = :room AND NOT done ORDER BY rank DESC LIMIT 5";
    let text = fixture.subscribe(sql, json!({"room": 3})).unwrap();
    let col = |name: &str| json!({"column": ["x", name]});
    let structure = query(json!({
        "select": [{"expr": col("id")}, {"expr": col("title")}],
        "from": {"of": {"table": "tasks"}, "as": "x"},
        "where": {"and": [{"eq": [{"value": 3}, col("room")]}, {"not": col("done")}]},
        "order": [{"by": col("rank"), "descending": true}],
        "limit": {"value": 5},
    }));
    let bytes = structure.encode();
    let asked = QueryRef::Logical(&bytes);
    let subscribed = fixture.ask(asked, json!({})).unwrap();
    assert_eq!(subscribed.handle, text.handle);
    assert_eq!(fixture.live.stats().templates, 1);
}

#[test]
fn errors_name_the_path() {
    let mut fixture = tasks();
    let from = json!({"of": {"table": "tasks"}, "as": "t"});
    let eq = |name: &str| json!({"eq": [{"column": ["t", name]}, {"value": "x"}]});
    for (structure, code, expected) in [
        (
            json!({"from": {"of": {"table": "task"}}}),
            ErrorCode::SqlUnknownTable,
            " at from.of.table",
        ),
        (
            json!({"from": from, "where": {"and": [eq("title"), eq("titel")]}}),
            ErrorCode::SqlUnknownColumn,
            " at where.and[1].eq[0]",
        ),
        (
            json!({"from": from, "select": [{"as": ["n", eq("rank")]}]}),
            ErrorCode::SqlType,
            " at select[0].as[1].eq[1]",
        ),
        (
            json!({"from": from, "where": {"in": [{"column": ["t", "rank"]}, [{"param": "p"}]]}}),
            ErrorCode::SqlParameter,
            " at where.in[1][0]",
        ),
        (
            json!({"from": from, "select": [{"expr": {"cast": [{"value": 1}, {"list": "u8"}]}}]}),
            ErrorCode::SqlUnsupported,
            " at select[0].expr",
        ),
    ] {
        let bytes = query(structure).encode();
        let asked = QueryRef::Logical(&bytes);
        let error = fixture.ask(asked, json!({})).unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert!(error.message.ends_with(expected), "{error}");
        assert_eq!(error.position, None);
        let once = crate::query_once(fixture.db(), asked, &[], &me(), &mut |_: &[u8]| ());
        assert_eq!(once.unwrap_err(), error);
    }
    let error = fixture.ask(QueryRef::Logical(&[0xc1]), json!({}));
    assert_eq!(error.unwrap_err().code, ErrorCode::SqlSyntax);
}

#[test]
fn depth_and_names_are_bounded() {
    let mut expr = Expr::CountRows;
    for _ in 0..40 {
        expr = Expr::Not(Box::new(expr));
    }
    let table = |name: &str| Source {
        of: Relation::Table(name.into()),
        alias: None,
    };
    let mut deep = Query::new(table("tasks"));
    deep.filter = Some(expr);
    let error = convert(&LogicalQuery::new(deep)).unwrap_err();
    assert_eq!(error.code, ErrorCode::QueryLimit);
    let long = Query::new(table(&"x".repeat(129)));
    let error = convert(&LogicalQuery::new(long)).unwrap_err();
    assert_eq!(error.code, ErrorCode::SqlSyntax);
}
