#![allow(clippy::unwrap_used, reason = "tests")]

mod limits;

use serde_json::json;
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

/// SQL, code, a part of the message, a part of the hint.
type Case = (&'static str, ErrorCode, &'static str, &'static str);

#[rustfmt::skip]
const REFUSED: &[Case] = &[
    ("", SqlSyntax, "empty", ""),
    ("SELCT * FROM users", SqlSyntax, "expected SELECT, found SELCT at line 1, column 1", ""),
    ("SELECT FROM users WHERE", SqlSyntax, "expected an expression, found", ""),
    ("SELECT * FROM users\n WHERE id = ", SqlSyntax, "expected an expression", ""),
    ("SELECT * FROM users; SELECT 1", SqlSyntax, "expected the end of the query, found SELECT at line 1, column 22", ""),
    ("SELECT 'abc FROM users", SqlSyntax, "unterminated string literal at line 1, column 8", ""),
    ("INSERT INTO users VALUES (1)", SqlUnsupported, "INSERT", "reducers"),
    ("DROP TABLE users", SqlUnsupported, "DROP", "module"),
    ("SELECT 1", SqlUnsupported, "SELECT without FROM", ""),
    ("SELECT * FROM users FULL JOIN messages ON true", SqlUnsupported, "FULL JOIN is not supported at line 1", "NOT EXISTS"),
    ("SELECT * FROM users NATURAL JOIN messages", SqlUnsupported, "NATURAL JOIN", "USING"),
    ("SELECT * FROM users JOIN messages", SqlUnsupported, "JOIN without ON", "a.x = b.y"),
    ("SELECT * FROM users u JOIN messages m ON true RIGHT JOIN users x ON true", SqlUnsupported, "RIGHT JOIN after another join", "LEFT JOIN"),
    ("SELECT * FROM (users JOIN messages ON true)", SqlUnsupported, "a join in parentheses", "sub-query"),
    ("SELECT * FROM users, LATERAL (SELECT 1 FROM messages) x", SqlUnsupported, "LATERAL", "select list"),
    ("SELECT id FROM users, messages", SqlUnknownColumn, "`id` is a column of several tables at line 1, column 8", "users.id or messages.id"),
    ("SELECT * FROM users, users", SqlUnsupported, "two tables of the query are named `users`", "alias"),
    ("SELECT x.id FROM users u JOIN messages m ON u.id = m.id", SqlUnknownTable, "no table `x`", "`u`, `m`"),
    ("SELECT zzz FROM users u JOIN messages m ON u.id = m.id", SqlUnknownColumn, "no table has a column `zzz`", ""),
    ("SELECT * FROM users u JOIN messages USING (name)", SqlUnknownColumn, "table `messages` has no column `name`", ""),
    ("SELECT * FROM users u JOIN (SELECT u.id FROM messages) m ON true", SqlUnknownTable, "no table `u`", "`messages`"),
    ("SELECT * FROM users WHERE id IN (SELECT id, name FROM users)", SqlType, "IN has one column, not 2", ""),
    ("SELECT * FROM users WHERE name IN (SELECT id FROM users)", SqlType, "string and u64 do not compare", ""),
    ("SELECT * FROM users WHERE id = (SELECT id FROM messages)", SqlUnsupported, "may have several rows at line 1", "aggregate"),
    ("SELECT * FROM users u WHERE id IN (SELECT room FROM messages WHERE id = u.id ORDER BY id LIMIT 1)", SqlUnsupported, "LIMIT in a sub-query", "min or max"),
    ("SELECT DISTINCT ON (name) name FROM users", SqlUnsupported, "DISTINCT ON", "GROUP BY"),
    ("SELECT DISTINCT name FROM users ORDER BY age", SqlUnsupported, "with DISTINCT, ORDER BY", ""),
    ("SELECT id FROM users EXCEPT SELECT id FROM messages", SqlUnsupported, "EXCEPT", "NOT"),
    ("SELECT id FROM users UNION SELECT id, room FROM messages", SqlType, "UNION of 1 columns with 2", ""),
    ("SELECT id FROM users UNION SELECT text FROM messages", SqlType, "u64 and string do not mix", ""),
    ("SELECT id FROM users UNION SELECT id FROM messages ORDER BY id + 1", SqlUnknownColumn, "columns of the result", ""),
    ("WITH RECURSIVE x AS (SELECT id FROM users) SELECT * FROM x", SqlUnsupported, "WITH RECURSIVE", "reducers"),
    ("WITH x AS (SELECT nmae FROM users) SELECT id FROM users", SqlUnknownColumn, "no column `nmae`", "`name`"),
    ("SELECT id FROM users ORDER BY id, name AFTER (1)", SqlSyntax, "AFTER has 1 values and ORDER BY has 2 keys", "AFTER (:ts, :id)"),
    ("SELECT id FROM users ORDER BY id AFTER (name)", SqlType, "AFTER takes values", ""),
    ("SELECT id FROM users ORDER BY id AFTER (1", SqlSyntax, "not closed", ""),
    ("SELECT rank() OVER () FROM users", SqlUnsupported, "without ORDER BY", "RANK()"),
    ("SELECT id FROM users WHERE rank() OVER (ORDER BY id) < 3", SqlUnsupported, "a rank stands in", "FROM"),
    ("SELECT count(DISTINCT id, name) FROM users", SqlUnsupported, "DISTINCT inside count", "one argument"),
    ("VALUES (1)", SqlUnsupported, "VALUES", ""),
    ("SELECT lag(id) OVER (ORDER BY id) FROM users", SqlUnsupported, "window function lag", "RANK()"),
    ("SELECT * FROM users WHERE name ILIKE 'a%'", SqlUnsupported, "ILIKE", "lower(x)"),
    ("SELECT * FROM users WHERE name ~ 'a'", SqlUnsupported, "operator ~", ""),
    ("SELECT * FROM users FOR UPDATE", SqlUnsupported, "FOR UPDATE", ""),
    ("SELECT * FROM users LIMIT 1, 2", SqlSyntax, "", ""),
    ("SELECT * FROM public.users", SqlUnsupported, "several parts", "alone"),
    ("SELECT * FROM users WHERE id = $1", SqlUnsupported, "$1", ":owner"),
    ("SELECT * FROM users ORDER BY id NULLS LAST", SqlUnsupported, "NULLS LAST", "smallest"),
    ("SELECT now() FROM users", SqlUnsupported, "no function now", "parameter"),
    ("SELECT lenght(name) FROM users", SqlUnsupported, "lenght at line 1, column 8", "`length`"),
    ("SELECT lower(name, 1) FROM users", SqlUnsupported, "2 arguments", ""),
    ("SELECT CAST(id AS date) FROM users", SqlUnsupported, "a cast to DATE", "bigint"),
    ("SELECT id FROM users WHERE at > timestamp '2020-01-01'", SqlUnsupported, "date literal", "microseconds"),
    ("SELECT * FROM user", SqlUnknownTable, "no table `user` at line 1, column 15", "did you mean `users`?"),
    ("SELECT * FROM secrets", SqlUnknownTable, "no table `secrets`", ""),
    ("SELECT * FROM __connections", SqlUnknownTable, "no table", ""),
    ("SELECT nmae FROM users", SqlUnknownColumn, "no column `nmae`", "`name`"),
    ("SELECT zzz FROM messages", SqlUnknownColumn, "no column `zzz`", "its columns are id, room, ts, text"),
    ("SELECT \"NAME\" FROM users", SqlUnknownColumn, "no column `NAME`", "`name`"),
    ("SELECT users.id FROM users u", SqlUnknownTable, "no table `users`", "it has `u`"),
    ("SELECT id FROM users ORDER BY 2", SqlUnknownColumn, "no column number 2", ""),
    ("SELECT id AS x, name AS x FROM users", SqlUnsupported, "two columns of the result are named `x`", "alias"),
    ("SELECT * FROM users WHERE id = 'abc'", SqlType, "'abc' is no value of type u64 at line 1, column 32", ""),
    ("SELECT * FROM users WHERE name = 5", SqlType, "5 is no value of type string", ""),
    ("SELECT * FROM users WHERE name = id", SqlType, "string and u64 do not compare", ""),
    ("SELECT * FROM users WHERE name", SqlType, "a condition is needed", "compare"),
    ("SELECT * FROM users WHERE id AND true", SqlType, "a condition is needed", ""),
    ("SELECT * FROM users WHERE status = 'opne'", SqlType, "'opne' is no value of type Status", "`open`"),
    ("SELECT * FROM users WHERE owner = '12'", SqlType, "no value of type Identity", ":me"),
    ("SELECT * FROM users WHERE tags < tags", SqlType, "no order", "="),
    ("SELECT * FROM users ORDER BY tags", SqlType, "no order", ""),
    ("SELECT name + 1 FROM users", SqlType, "string", ""),
    ("SELECT 'a' + 'b' FROM users", SqlType, "'a' + 'b'", ""),
    ("SELECT name || id FROM users", SqlType, "|| takes text, not u64", "CAST"),
    ("SELECT at + at FROM users", SqlType, "Timestamp + Timestamp", ""),
    ("SELECT CASE WHEN true THEN id ELSE name END FROM users", SqlType, "do not mix", ""),
    ("SELECT sum(name) FROM users", SqlType, "sum of string", ""),
    ("SELECT * FROM users WHERE id = 999999999999999999999999999999999999999999", SqlType, "127 bits", "parameter"),
    ("SELECT * FROM users LIMIT 'x'", SqlType, "LIMIT takes a number", ""),
    ("SELECT * FROM users LIMIT -1", SqlType, "LIMIT takes a number of rows, not -1", ""),
    ("SELECT * FROM users WHERE id = :ownr", SqlParameter, ":ownr is not given at line 1, column 32", ""),
    ("SELECT name, count(*) FROM users", SqlUnsupported, "`name` has many values", "GROUP BY"),
    ("SELECT * FROM users WHERE count(*) > 1", SqlUnsupported, "aggregate count cannot stand here", "HAVING"),
    ("SELECT max(count(*)) FROM users", SqlUnsupported, "count cannot stand here", ""),
    ("SELECT count(*) FROM users GROUP BY count(*)", SqlUnsupported, "count cannot stand here", ""),
];

/// SQL and its parameters as JSON; the rest as above.
#[rustfmt::skip]
const REFUSED_PARAMETERS: &[(&str, &str, ErrorCode, &str, &str)] = &[
    ("SELECT * FROM users WHERE id = :x", r#"{"x": "q"}"#, SqlType, "parameter :x ('q') is no value", ""),
    ("SELECT * FROM users WHERE id = :x", r#"{"x": [1]}"#, SqlType, "a list", ""),
    ("SELECT * FROM users WHERE id = :ownr", r#"{"owner": 1}"#, SqlParameter, ":ownr", "`owner`"),
    ("SELECT * FROM users", r#"{"owner": 1}"#, SqlParameter, "no parameter :owner", ""),
    ("SELECT * FROM users WHERE owner = :me", r#"{"me": 1}"#, SqlParameter, ":me is the caller's", ""),
];

#[rustfmt::skip]
const NOT_LIVE: &[Case] = &[
    ("SELECT u.id, m.id AS mid FROM users u JOIN messages m ON u.name < m.text", LiveNoAccessPath, "in this query, and none was made: its keys can be long", "declare an ordered index on "),
    ("SELECT u.id, m.id AS mid FROM users u CROSS JOIN messages m", LiveNoAccessPath, "no index leads to the rows of `", "compare a column"),
    ("SELECT * FROM users LIMIT 5", LiveUnsupported, "LIMIT without ORDER BY", "ORDER BY"),
    ("SELECT * FROM messages WHERE room = 1 ORDER BY ts LIMIT 1001", QueryLimit, "at most 1000 rows", ""),
    ("SELECT * FROM users OFFSET 5", LiveUnsupported, "OFFSET without ORDER BY", "ORDER BY"),
    ("SELECT * FROM secrets", SqlUnknownTable, "no table `secrets`", ""),
];

#[test]
fn refused_queries_say_what_and_where() {
    let fixture = chat();
    for (sql, code, message, hint) in REFUSED {
        let error = fixture.once(sql, json!({})).expect_err(sql);
        check(&error, *code, message, hint);
    }
    for (sql, given, code, message, hint) in REFUSED_PARAMETERS {
        let given = serde_json::from_str(given).unwrap();
        check(
            &fixture.once(sql, given).expect_err(sql),
            *code,
            message,
            hint,
        );
    }
    let long = format!("SELECT {} FROM users", "x".repeat(20_000));
    check(
        &fixture.once(&long, json!({})).unwrap_err(),
        QueryLimit,
        "bytes, over",
        "",
    );
}

#[test]
fn what_is_not_live_says_so() {
    let mut fixture = chat();
    for (sql, code, message, hint) in NOT_LIVE {
        check(
            &fixture.subscribe(sql, json!({})).expect_err(sql),
            *code,
            message,
            hint,
        );
    }
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

/// What random expressions are made of, types or not.
#[rustfmt::skip]
const LEAVES: &[&str] = &[
    "id", "name", "owner", "status", "age", "at", "tags", "u.id", ":p", ":q", ":me", "1", "0", "-1", "2.5", "300",
    "'open'", "''", "'a%'", "x'00'", "NULL", "true", "170141183460469231731687303715884105727", "count(*)",
];
#[rustfmt::skip]
const FORMS: &[&str] = &[
    "(# + #)", "(# - #)", "(# * #)", "(# / #)", "(# % #)", "-#", "(# || #)", "# = #", "# <> #", "# < #", "# >= #",
    "(# AND #)", "(# OR #)", "NOT (#)", "# IS NULL", "# IS NOT TRUE", "# IS DISTINCT FROM #", "# IN (#, #)",
    "# NOT IN (:q)", "(# BETWEEN # AND #)", "# LIKE #", "# LIKE # ESCAPE '!'", "CASE WHEN # THEN # ELSE # END",
    "CASE # WHEN # THEN # END", "coalesce(#, #)", "nullif(#, #)", "lower(#)", "length(#)", "abs(#)",
    "starts_with(#, #)", "CAST(# AS text)", "CAST(# AS u8)", "#::double precision", "CAST(# AS boolean)",
    "CAST(# AS u128)", "sum(#)", "min(#)", "avg(#)", "count(#)",
];

fn random_expression(below: &mut impl FnMut(usize) -> usize, depth: usize) -> String {
    if depth == 0 || below(4) == 0 {
        return LEAVES[below(LEAVES.len())].to_owned();
    }
    let mut text = String::new();
    for piece in FORMS[below(FORMS.len())].split_inclusive('#') {
        match piece.strip_suffix('#') {
            Some(before) => {
                text.push_str(before);
                text.push_str(&random_expression(below, depth - 1));
            }
            None => text.push_str(piece),
        }
    }
    text
}

/// Whatever types meet: an answer or an error, and the same for live and once.
#[test]
fn no_expression_panics() {
    let mut fixture = chat();
    let owner = "00".repeat(32);
    fixture.insert(
        "users",
        &[
            json!(["1", "ab", owner, "open", null, "5", []]),
            json!([
                "18446744073709551615",
                "",
                owner,
                "void",
                255,
                "-9223372036854775808",
                [1]
            ]),
        ],
    );
    let mut state: u64 = 1;
    let mut below = |end: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % end
    };
    let (mut answers, mut live_answers) = (0, 0);
    for _ in 0..30_000 {
        // One of the three is random, the others are sound.
        let mut parts = ["id".to_owned(), "id >= 0".to_owned(), "age".to_owned()];
        let place = below(3);
        parts[place] = random_expression(&mut below, 2);
        let [item, filter, order] = parts;
        let sql = format!("SELECT {item} AS v FROM users u WHERE {filter} ORDER BY {order}, id");
        let mut given = json!({"p": 1, "q": [1, "a", null, 2.5]});
        given
            .as_object_mut()
            .unwrap()
            .retain(|name, _| sql.contains(&format!(":{name}")));
        let once = fixture.once(&sql, given.clone());
        answers += usize::from(once.is_ok());
        let Ok(live) = fixture.subscribe(&sql, given) else {
            continue;
        };
        live_answers += 1;
        let rows = fixture.rows_json(&live);
        let visible = |row: &serde_json::Value| json!([row[0]]);
        let rows: serde_json::Value = rows.as_array().unwrap().iter().map(visible).collect();
        assert_eq!(rows, once.unwrap(), "{sql}");
        fixture.live.unsubscribe(live.handle);
    }
    assert!(
        answers > 3000 && live_answers > 2000,
        "enough of them mean something: {answers} {live_answers}"
    );
}
