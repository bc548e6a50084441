#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value as Json, json};
use syncline_protocol::logical::LogicalQuery;
use syncline_protocol::{Decimal, Identity};

use super::{
    Query, Scope, count, exists, from, greatest, lit, max, me, min, named, param, row, table,
};

fn written<S: Scope, R>(query: &Query<S, R>) -> Json {
    let logical = query.logical();
    assert_eq!(
        LogicalQuery::decode(&logical.encode()).as_ref(),
        Ok(&logical)
    );
    logical.to_json()["query"].take()
}

fn col(source: usize, name: &str) -> Json {
    json!({"column": [format!("t{source}"), name]})
}

crate::row! {
    /// Unread messages of a room.
    struct Unread {
        /// The room.
        room: u32,
        n: i64,
    }
}

#[test]
fn every_clause_is_written() {
    let query = from(table("message"))
        .join(table("member"), |m, b| {
            m.col::<u32>("room").eq(b.col::<u32>("room"))
        })
        .filter(|(_, b)| b.col::<Identity>("user").eq(me()))
        .filter(|(m, b)| m.col::<i64>("at").gt(b.col::<i64>("read")) | m.col::<bool>("pinned"))
        .group_by(|(m, _)| m.col::<u32>("room"))
        .having(|_| count().gt(1))
        .select(|(m, _)| Unread::select(m.col("room"), count()))
        .order_by(|(m, _)| [count().desc(), m.col::<u32>("room").asc()])
        .limit(50)
        .offset(param::<i64>("skip"))
        .distinct();
    let expected = json!({
        "distinct": true,
        "select": [{"as": ["room", col(0, "room")]}, {"as": ["n", "count_rows"]}],
        "from": {"of": {"table": "message"}, "as": "t0"},
        "joins": [{"kind": "inner", "of": {"table": "member"}, "as": "t1",
            "on": {"eq": [col(0, "room"), col(1, "room")]}}],
        "where": {"and": [{"eq": [col(1, "user"), {"param": "me"}]},
            {"or": [{"gt": [col(0, "at"), col(1, "read")]}, col(0, "pinned")]}]},
        "group": [col(0, "room")],
        "having": {"gt": ["count_rows", {"value": 1}]},
        "order": [{"by": "count_rows", "descending": true}, {"by": col(0, "room")}],
        "limit": {"value": 50},
        "offset": {"param": "skip"},
    });
    assert_eq!(written(&query), expected);
    // Built again it is the same, whatever was built in between.
    let twin = from(table("message")).select(|m| m.col::<u32>("room"));
    let again = from(table("message")).select(|m| m.col::<u32>("room"));
    assert_eq!(twin.logical().encode(), again.logical().encode());
}

#[test]
fn queries_stand_in_queries() {
    let mine = || from(table("member")).filter(|b| b.col::<Identity>("user").eq(me()));
    let query = from(table("message")).filter(|m| {
        let room = m.col::<u32>("room");
        let inside = mine().filter(|b| b.col::<u32>("room").eq(room.clone()));
        exists(inside) & !room.is_in_query(mine().select(|b| b.col::<u32>("room")))
    });
    let user = |t: usize| json!({"eq": [col(t, "user"), {"param": "me"}]});
    assert_eq!(
        written(&query)["where"],
        json!({"and": [
            {"exists": {"from": {"of": {"table": "member"}, "as": "t1"},
                "where": {"and": [user(1), {"eq": [col(1, "room"), col(0, "room")]}]}}},
            {"not": {"in_query": [col(0, "room"), {
                "select": [{"expr": col(2, "room")}],
                "from": {"of": {"table": "member"}, "as": "t2"},
                "where": user(2)}]}},
        ]})
    );
    let rooms = from(table("message"))
        .group_by(|m| m.col::<u32>("room"))
        .select(|m| (m.col::<u32>("room"), m.col::<f64>("score").avg()));
    let high = from(rooms)
        .filter(|r| r.col::<Option<f64>>("c1").ge(0.5))
        .select(|r| r.col::<u32>("room"));
    let high = written(&high);
    assert_eq!(high["where"], json!({"ge": [col(0, "c1"), {"value": 0.5}]}));
    assert_eq!(
        high["from"]["of"]["query"]["select"],
        json!([{"expr": col(1, "room")}, {"as": ["c1", {"call": ["avg", [col(1, "score")]]}]}])
    );
}

#[test]
fn joins_that_may_miss_and_unions() {
    let query = from(table("message"))
        .left_join(table("member"), |m, b| {
            m.col::<u32>("room").eq(b.col::<u32>("room"))
        })
        .cross_join(table("word"))
        .select(|(m, b, w)| {
            let read = b.get(|b| b.col::<i64>("read"));
            (m.col::<u64>("id"), read.or_else(0), w.col::<String>("word"))
        });
    let query = written(&query);
    assert_eq!(query["joins"][0]["kind"], "left");
    assert_eq!(
        query["joins"][1],
        json!({"kind": "cross", "of": {"table": "word"}, "as": "t2"})
    );
    assert_eq!(
        query["select"][1],
        json!({"as": ["c1", {"call": ["coalesce", [col(1, "read"), {"value": 0}]]}]})
    );
    let inbox = written(&from(table("inbox").arg(param::<u32>("room")).arg(3)));
    let args = json!(["inbox", [{"param": "room"}, {"value": 3}]]);
    assert_eq!(inbox["from"]["of"], json!({"view": args}));
    let rooms = |name| from(table(name)).select(|t| t.col::<u32>("room"));
    let all = written(&rooms("a").union(rooms("b")).union_all(rooms("c")));
    assert_eq!(all["union"][0]["query"]["from"]["as"], "t1");
    assert_eq!(all["union"][1]["all"], true);
    assert_eq!(
        all["union"][1]["query"]["select"],
        json!([{"expr": col(2, "room")}])
    );
}

#[test]
fn expressions_are_what_the_server_reads() {
    let query = from(table("t")).select(|t| {
        let x = || t.col::<u32>("x");
        let s = || t.col::<String>("s");
        row::<Json>()
            .with("sum", (x() + 1) * 2.5 - x() / 3 % 4)
            .with("neg", -x().abs())
            .with("in", x().is_in([1, 2]) | x().is_in_param("list"))
            .with("between", x().between(param::<u32>("a"), 9))
            .with("same", s().same("a"))
            .with("null", s().is_null() & s().is_not_null())
            .with("text", s().lower().concat(s().upper()).like("a%"))
            .with("starts", s().starts_with("b"))
            .with("length", s().length())
            .with("counts", x().count() + s().count_distinct())
            .with("range", max(x()) - min(x()))
            .with("total", x().sum())
            .with("lit", lit(true))
            .with("ne", x().ne(1) & x().lt(2) & x().le(3))
            .with("named", named::<u32>("n"))
    });
    let x = col(0, "x");
    let (s, v) = (col(0, "s"), |value: Json| json!({ "value": value }));
    let expected = [
        (
            "sum",
            json!({"subtract": [
            {"multiply": [{"add": [x, v(json!(1))]}, v(json!(2.5))]},
            {"remainder": [{"divide": [x, v(json!(3))]}, v(json!(4))]}]}),
        ),
        ("neg", json!({"negate": {"call": ["abs", [x]]}})),
        (
            "in",
            json!({"or": [{"in": [x, [v(json!(1)), v(json!(2))]]}, {"in": [x, [{"param": "list"}]]}]}),
        ),
        (
            "between",
            json!({"between": [x, {"param": "a"}, v(json!(9))]}),
        ),
        ("same", json!({"same": [s, v(json!("a"))]})),
        (
            "null",
            json!({"and": [{"is_null": s}, {"not": {"is_null": s}}]}),
        ),
        (
            "text",
            json!({"like": [{"concat": [{"call": ["lower", [s]]}, {"call": ["upper", [s]]}]}, v(json!("a%"))]}),
        ),
        (
            "starts",
            json!({"call": ["starts_with", [s, v(json!("b"))]]}),
        ),
        ("length", json!({"call": ["length", [s]]})),
        (
            "counts",
            json!({"add": [{"call": ["count", [x]]}, {"call_distinct": ["count", [s]]}]}),
        ),
        (
            "range",
            json!({"subtract": [{"call": ["max", [x]]}, {"call": ["min", [x]]}]}),
        ),
        ("total", json!({"call": ["sum", [x]]})),
        ("lit", v(json!(true))),
        (
            "ne",
            json!({"and": [{"ne": [x, v(json!(1))]}, {"lt": [x, v(json!(2))]}, {"le": [x, v(json!(3))]}]}),
        ),
        ("named", json!({"column": [null, "n"]})),
    ];
    let expected: Vec<Json> = expected.iter().map(|item| json!({ "as": item })).collect();
    assert_eq!(written(&query)["select"], Json::Array(expected));
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

#[test]
fn decimals_and_json_are_what_the_server_reads() {
    let query = from(table("t")).select(|t| {
        let x = || t.col::<u32>("x");
        let s = || t.col::<String>("s");
        row::<Json>()
            .with("money", t.col::<Decimal>("d") * decimal("1.10") + x())
            .with("mean", t.col::<Decimal>("d").avg().round_to(2))
            .with("part", t.col::<Json>("j").get("a").get(-1).get_text("b"))
            .with("n", t.col::<Option<Json>>("j").get("n").cast::<i64>())
            .with("kind", t.col::<Json>("j").json_type())
            .with("cut", s().trim().substr(2, x()).replace("a", s()))
            .with("most", greatest([x(), x()]))
    });
    let x = col(0, "x");
    let (s, v) = (col(0, "s"), |value: Json| json!({ "value": value }));
    let expected = [
        (
            "money",
            json!({"add": [{"multiply": [col(0, "d"), {"cast": [v(json!("1.1")), "decimal"]}]}, x]}),
        ),
        (
            "mean",
            json!({"call": ["round", [{"call": ["avg", [col(0, "d")]]}, v(json!(2))]]}),
        ),
        (
            "part",
            json!({"get_text": [{"get": [{"get": [col(0, "j"), v(json!("a"))]}, v(json!(-1))]}, v(json!("b"))]}),
        ),
        (
            "n",
            json!({"cast": [{"get": [col(0, "j"), v(json!("n"))]}, "i64"]}),
        ),
        ("kind", json!({"call": ["json_type", [col(0, "j")]]})),
        (
            "cut",
            json!({"call": ["replace", [{"call": ["substr", [{"call": ["trim", [s]]}, v(json!(2)), x]]}, v(json!("a")), s]]}),
        ),
        ("most", json!({"call": ["greatest", [x, x]]})),
    ];
    let expected: Vec<Json> = expected.iter().map(|item| json!({ "as": item })).collect();
    assert_eq!(written(&query)["select"], Json::Array(expected));
}
