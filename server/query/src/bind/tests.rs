#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value as Json, json};
use syncline_protocol::ErrorCode;
use syncline_protocol::ErrorCode::{
    LiveNoAccessPath, LiveUnsupported, QueryLimit, SqlParameter, SqlSyntax, SqlType,
    SqlUnknownColumn, SqlUnknownTable, SqlUnsupported,
};

use crate::QueryError;
use crate::tests::{Fixture, admin, me, ordered, params, table};

fn chat() -> Fixture {
    let users = table(
        "users",
        "id u64, name string, owner identity, status status, age u8?, at timestamp, tags list",
        1,
    );
    let messages = ordered(
        table("messages", "id u64, room u32, ts i64, text string", 1),
        "room, ts",
    );
    let mut secrets = table("secrets", "id u64, word string", 1);
    secrets.public = false;
    Fixture::new(vec![users, messages, secrets])
}

/// Checks code, message and hint of an error: each must contain its text.
fn check(error: &QueryError, code: ErrorCode, message: &str, hint: &str) {
    let found = error.hint.clone().unwrap_or_default();
    assert_eq!(error.code, code, "{error}, hint {found}");
    assert!(
        error.to_wire().message.contains(message),
        "{error} should say {message}"
    );
    assert!(
        found.contains(hint),
        "{error}, hint {found}, should hint {hint}"
    );
    assert!(!error.message.ends_with('.'), "{error}");
}

#[test]
fn refused_queries_say_what_and_where() {
    let fixture = chat();
    let once =
        |sql: &str, given: Json, code, message: &str, hint: &str| match fixture.once(sql, given) {
            Ok(rows) => panic!("{sql} gave {rows}"),
            Err(error) => check(&error, code, message, hint),
        };
    let plain =
        |sql: &str, code, message: &str, hint: &str| once(sql, json!({}), code, message, hint);

    // Syntax.
    plain("", SqlSyntax, "empty", "");
    plain(
        "SELCT * FROM users",
        SqlSyntax,
        "expected SELECT, found SELCT at line 1, column 1",
        "",
    );
    plain(
        "SELECT FROM users WHERE",
        SqlSyntax,
        "expected an expression, found",
        "",
    );
    plain(
        "SELECT * FROM users\n WHERE id = ",
        SqlSyntax,
        "expected an expression",
        "",
    );
    plain(
        "SELECT * FROM users; SELECT 1",
        SqlSyntax,
        "expected the end of the query at line 1, column 22"
            .split(" at")
            .next()
            .unwrap(),
        "",
    );
    plain(
        "SELECT 'abc FROM users",
        SqlSyntax,
        "unterminated string literal at line 1, column 8",
        "",
    );
    plain(
        &format!("SELECT {} FROM users", "x".repeat(20_000)),
        QueryLimit,
        "bytes, over",
        "",
    );

    // What is not there, by name.
    plain(
        "INSERT INTO users VALUES (1)",
        SqlUnsupported,
        "INSERT",
        "reducers",
    );
    plain("DROP TABLE users", SqlUnsupported, "DROP", "module");
    plain(
        "SELECT * FROM users JOIN messages ON true",
        SqlUnsupported,
        "JOIN is not supported at line 1",
        "one table",
    );
    plain(
        "SELECT * FROM users, messages",
        SqlUnsupported,
        "comma join",
        "one table",
    );
    plain(
        "SELECT * FROM (SELECT * FROM users) u",
        SqlUnsupported,
        "sub-query",
        "",
    );
    plain(
        "SELECT * FROM users WHERE id IN (SELECT id FROM users)",
        SqlUnsupported,
        "IN with",
        "sub-queries",
    );
    plain(
        "SELECT * FROM users WHERE EXISTS (SELECT 1 FROM users)",
        SqlUnsupported,
        "a sub-query",
        "",
    );
    plain(
        "SELECT DISTINCT name FROM users",
        SqlUnsupported,
        "DISTINCT",
        "GROUP BY",
    );
    plain(
        "SELECT * FROM users UNION SELECT * FROM users",
        SqlUnsupported,
        "UNION",
        "one by one",
    );
    plain(
        "WITH x AS (SELECT 1) SELECT * FROM x",
        SqlUnsupported,
        "WITH",
        "",
    );
    plain("SELECT 1", SqlUnsupported, "SELECT without FROM", "");
    plain("VALUES (1)", SqlUnsupported, "VALUES", "");
    plain(
        "SELECT rank() OVER (ORDER BY id) FROM users",
        SqlUnsupported,
        "window function",
        "",
    );
    plain(
        "SELECT * FROM users WHERE name ILIKE 'a%'",
        SqlUnsupported,
        "ILIKE",
        "lower(x)",
    );
    plain(
        "SELECT * FROM users WHERE name ~ 'a'",
        SqlUnsupported,
        "operator ~",
        "",
    );
    plain(
        "SELECT * FROM users FOR UPDATE",
        SqlUnsupported,
        "FOR UPDATE",
        "",
    );
    plain("SELECT * FROM users LIMIT 1, 2", SqlSyntax, "", "");
    plain(
        "SELECT * FROM public.users",
        SqlUnsupported,
        "several parts",
        "alone",
    );
    plain(
        "SELECT * FROM users WHERE id = $1",
        SqlUnsupported,
        "$1",
        ":owner",
    );
    plain(
        "SELECT * FROM users ORDER BY id NULLS LAST",
        SqlUnsupported,
        "NULLS LAST",
        "smallest",
    );
    plain(
        "SELECT count(DISTINCT id) FROM users",
        SqlUnsupported,
        "DISTINCT inside",
        "",
    );
    plain(
        "SELECT now() FROM users",
        SqlUnsupported,
        "no function now",
        "parameter",
    );
    plain(
        "SELECT lenght(name) FROM users",
        SqlUnsupported,
        "lenght at line 1, column 8",
        "`length`",
    );
    plain(
        "SELECT lower(name, 1) FROM users",
        SqlUnsupported,
        "2 arguments",
        "",
    );
    plain(
        "SELECT CAST(id AS date) FROM users",
        SqlUnsupported,
        "a cast to DATE",
        "bigint",
    );
    plain(
        "SELECT id FROM users WHERE at > timestamp '2020-01-01'",
        SqlUnsupported,
        "date literal",
        "microseconds",
    );

    // Names.
    plain(
        "SELECT * FROM user",
        SqlUnknownTable,
        "no table `user` at line 1, column 15",
        "did you mean `users`?",
    );
    plain(
        "SELECT * FROM secrets",
        SqlUnknownTable,
        "no table `secrets`",
        "",
    );
    plain(
        "SELECT * FROM __connections",
        SqlUnknownTable,
        "no table",
        "",
    );
    plain(
        "SELECT nmae FROM users",
        SqlUnknownColumn,
        "no column `nmae`",
        "`name`",
    );
    plain(
        "SELECT zzz FROM messages",
        SqlUnknownColumn,
        "no column `zzz`",
        "its columns are id, room, ts, text",
    );
    plain(
        "SELECT \"NAME\" FROM users",
        SqlUnknownColumn,
        "no column `NAME`",
        "`name`",
    );
    plain(
        "SELECT users.id FROM users u",
        SqlUnknownTable,
        "no table `users`",
        "it has `u`",
    );
    plain(
        "SELECT id FROM users ORDER BY 2",
        SqlUnknownColumn,
        "no column number 2",
        "",
    );
    plain(
        "SELECT id AS x, name AS x FROM users",
        SqlUnsupported,
        "two columns of the result are named `x`",
        "alias",
    );

    // Types.
    plain(
        "SELECT * FROM users WHERE id = 'abc'",
        SqlType,
        "'abc' is no value of type u64 at line 1, column 32",
        "",
    );
    plain(
        "SELECT * FROM users WHERE name = 5",
        SqlType,
        "5 is no value of type string",
        "",
    );
    plain(
        "SELECT * FROM users WHERE name = id",
        SqlType,
        "string and u64 do not compare",
        "",
    );
    plain(
        "SELECT * FROM users WHERE name",
        SqlType,
        "a condition is needed",
        "compare",
    );
    plain(
        "SELECT * FROM users WHERE id AND true",
        SqlType,
        "a condition is needed",
        "",
    );
    plain(
        "SELECT * FROM users WHERE status = 'opne'",
        SqlType,
        "'opne' is no value of type Status",
        "`open`",
    );
    plain(
        "SELECT * FROM users WHERE owner = '12'",
        SqlType,
        "no value of type Identity",
        ":me",
    );
    plain(
        "SELECT * FROM users WHERE tags < tags",
        SqlType,
        "no order",
        "=",
    );
    plain("SELECT * FROM users ORDER BY tags", SqlType, "no order", "");
    plain("SELECT name + 1 FROM users", SqlType, "string", "");
    plain("SELECT 'a' + 'b' FROM users", SqlType, "'a' + 'b'", "");
    plain(
        "SELECT name || id FROM users",
        SqlType,
        "|| takes text, not u64",
        "CAST",
    );
    plain(
        "SELECT at + at FROM users",
        SqlType,
        "Timestamp + Timestamp",
        "",
    );
    plain(
        "SELECT CASE WHEN true THEN id ELSE name END FROM users",
        SqlType,
        "do not mix",
        "",
    );
    plain("SELECT sum(name) FROM users", SqlType, "sum of string", "");
    plain(
        "SELECT * FROM users WHERE id = 999999999999999999999999999999999999999999",
        SqlType,
        "127 bits",
        "parameter",
    );
    once(
        "SELECT * FROM users WHERE id = :x",
        json!({"x": "q"}),
        SqlType,
        "parameter :x ('q') is no value",
        "",
    );
    once(
        "SELECT * FROM users WHERE id = :x",
        json!({"x": [1]}),
        SqlType,
        "a list",
        "",
    );
    plain(
        "SELECT * FROM users LIMIT 'x'",
        SqlType,
        "LIMIT takes a number",
        "",
    );
    plain(
        "SELECT * FROM users LIMIT -1",
        SqlType,
        "LIMIT takes a number of rows, not -1",
        "",
    );

    // Parameters.
    plain(
        "SELECT * FROM users WHERE id = :ownr",
        SqlParameter,
        ":ownr is not given at line 1, column 32",
        "",
    );
    once(
        "SELECT * FROM users WHERE id = :ownr",
        json!({"owner": 1}),
        SqlParameter,
        ":ownr",
        "`owner`",
    );
    once(
        "SELECT * FROM users",
        json!({"owner": 1}),
        SqlParameter,
        "no parameter :owner",
        "",
    );
    once(
        "SELECT * FROM users WHERE owner = :me",
        json!({"me": 1}),
        SqlParameter,
        ":me is the caller's",
        "",
    );

    // Groups.
    plain(
        "SELECT name, count(*) FROM users",
        SqlUnsupported,
        "`name` has many values",
        "GROUP BY",
    );
    plain(
        "SELECT * FROM users WHERE count(*) > 1",
        SqlUnsupported,
        "aggregate count cannot stand here",
        "HAVING",
    );
    plain(
        "SELECT max(count(*)) FROM users",
        SqlUnsupported,
        "count cannot stand here",
        "",
    );
    plain(
        "SELECT count(*) FROM users GROUP BY count(*)",
        SqlUnsupported,
        "count cannot stand here",
        "",
    );
}

#[test]
fn what_is_not_live_says_so() {
    let mut fixture = chat();
    let mut live =
        |sql: &str, code, message: &str, hint: &str| match fixture.subscribe(sql, json!({})) {
            Ok(found) => panic!("{sql} is live: {found:?}"),
            Err(error) => check(&error, code, message, hint),
        };
    live(
        "SELECT count(*) FROM users",
        LiveUnsupported,
        "aggregates",
        "once",
    );
    live(
        "SELECT name FROM users GROUP BY name",
        LiveUnsupported,
        "GROUP BY",
        "once",
    );
    live(
        "SELECT * FROM users ORDER BY id OFFSET 5",
        LiveUnsupported,
        "OFFSET",
        "page by key",
    );
    live(
        "SELECT * FROM users LIMIT 5",
        LiveUnsupported,
        "LIMIT without ORDER BY",
        "ORDER BY",
    );
    live(
        "SELECT * FROM messages WHERE room = 1 ORDER BY ts LIMIT 1001",
        QueryLimit,
        "at most 1000 rows",
        "",
    );
    live(
        "SELECT * FROM messages ORDER BY ts LIMIT 5",
        LiveNoAccessPath,
        "no index of `messages`",
        "messages(ts)",
    );
    live(
        "SELECT * FROM messages WHERE text = 'x' ORDER BY room, ts, id LIMIT 5",
        LiveNoAccessPath,
        "",
        "messages(text, room, ts, id)",
    );
    live(
        "SELECT * FROM messages WHERE room = 1 ORDER BY text DESC LIMIT 5",
        LiveNoAccessPath,
        "",
        "messages(room, text)",
    );
    live(
        "SELECT * FROM messages WHERE room = 1 ORDER BY ts DESC, text LIMIT 5",
        LiveNoAccessPath,
        "",
        "all ASC or all DESC",
    );
    live(
        "SELECT * FROM messages WHERE room = 1 ORDER BY ts + 0 LIMIT 5",
        LiveNoAccessPath,
        "",
        "columns",
    );
    live(
        "SELECT * FROM secrets",
        SqlUnknownTable,
        "no table `secrets`",
        "",
    );
}

#[test]
fn the_admin_sees_private_tables() {
    let mut fixture = chat();
    let db = syncline_store::Database::new(0);
    let mut nothing = |_: &[u8]| {};
    let sql = "SELECT * FROM __connections";
    assert!(crate::query_once(&db, sql, &[], &admin(), &mut nothing).is_ok());
    assert!(crate::query_once(&db, sql, &[], &me(), &mut nothing).is_err());
    let secret = "SELECT * FROM secrets WHERE id = :id";
    assert!(fixture.subscribe(secret, json!({"id": 1})).is_err());
    let given = params(json!({"id": 1}));
    let (db, live) = fixture.parts();
    assert!(live.subscribe(db, secret, &given, &admin()).is_ok());
    assert!(
        live.subscribe(db, secret, &given, &me()).is_err(),
        "not through a known instance either"
    );
}
