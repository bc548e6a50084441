//! Who sees which rows, whatever the query.
#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value as Json, json};
use syncline_protocol::{ErrorCode, Field, Identity, PolicyDef, Schema, Type, ViewDef};

use crate::tests::{Fixture, Write, ordered, table, unpack};
use crate::{Caller, QueryError, check_declarations, query_once};

const ADA: [u8; 32] = [1; 32];
const BOB: [u8; 32] = [2; 32];
const EVE: [u8; 32] = [3; 32];

fn hex(who: [u8; 32]) -> Json {
    json!(Identity(who).to_string())
}

fn schema() -> Schema {
    let message = ordered(
        table(
            "message",
            "id u64, room u32, author identity, text string",
            1,
        ),
        "room",
    );
    let member = table("member", "room u32, user identity, since i64", 2);
    let note = table("note", "id u64, owner identity, text string", 1);
    let room = table("room", "id u32, name string", 1);
    let policy = |table: u16, condition: &str| PolicyDef {
        table,
        condition: condition.into(),
    };
    let view = |name: &str, params: &[(&str, Type)], sql: &str| ViewDef {
        name: name.into(),
        params: params
            .iter()
            .map(|(name, ty)| Field {
                name: (*name).into(),
                ty: ty.clone(),
            })
            .collect(),
        sql: sql.into(),
    };
    Schema {
        tables: vec![message, member, note, room],
        policies: vec![
            policy(
                0,
                "author = :me OR EXISTS (SELECT 1 FROM member m WHERE m.room = message.room AND m.user = :me)",
            ),
            policy(1, "user = :me"),
            policy(2, "owner = :me"),
        ],
        views: vec![
            view(
                "latest",
                &[("room", Type::U32)],
                "SELECT id, text FROM message WHERE room = :room ORDER BY id DESC LIMIT 2",
            ),
            view("mine", &[], "SELECT id FROM note"),
            view(
                "sizes",
                &[("least", Type::option(Type::I64))],
                "SELECT room, COUNT(*) AS n FROM message GROUP BY room HAVING COUNT(*) >= COALESCE(:least, 0)",
            ),
        ],
        ..Schema::default()
    }
}

/// Ada is in room 1, Bob in rooms 1 and 2, Eve in none; Eve wrote one message.
fn fixture() -> Fixture {
    let mut fixture = Fixture::new(vec![]);
    fixture.publish_schema(schema(), false);
    check_declarations(fixture.db().schema()).unwrap();
    let (ada, bob, eve) = (hex(ADA), hex(BOB), hex(EVE));
    fixture.insert("room", &[json!([1, "one"]), json!([2, "two"])]);
    fixture.insert(
        "member",
        &[
            json!([1, ada, "5"]),
            json!([1, bob, "6"]),
            json!([2, bob, "7"]),
        ],
    );
    fixture.insert(
        "message",
        &[
            json!(["1", 1, ada, "a"]),
            json!(["2", 1, bob, "b"]),
            json!(["3", 2, bob, "c"]),
            json!(["4", 2, eve, "d"]),
            json!(["5", 1, bob, "e"]),
        ],
    );
    fixture.insert("note", &[json!(["1", ada, "x"]), json!(["2", bob, "y"])]);
    fixture
}

fn client(who: [u8; 32]) -> Caller {
    Caller {
        identity: Identity(who),
        admin: false,
        claims: syncline_protocol::Claims::NONE,
    }
}

fn rows(fixture: &Fixture, sql: &str, given: &Json, caller: &Caller) -> Result<Json, QueryError> {
    let mut packed = Vec::new();
    let params = crate::tests::params(given.clone());
    let described = query_once(fixture.db(), sql, &params, caller, &mut |row| {
        packed.push(row.to_vec());
    })?;
    let columns: Vec<Type> = described.columns.into_iter().map(|c| c.ty).collect();
    let row = |row: &Vec<u8>| unpack(columns.iter(), row);
    Ok(Json::Array(packed.iter().map(row).collect()))
}

#[track_caller]
fn sees(fixture: &Fixture, who: [u8; 32], sql: &str, expected: &Json) {
    let found = rows(fixture, sql, &json!({}), &client(who)).unwrap();
    assert_eq!(found, *expected, "{sql}");
}

#[test]
fn a_policy_holds_in_every_place_of_a_query() {
    let fixture = fixture();
    let all = "SELECT id FROM message ORDER BY id";
    sees(&fixture, ADA, all, &json!([["1"], ["2"], ["5"]]));
    sees(
        &fixture,
        BOB,
        all,
        &json!([["1"], ["2"], ["3"], ["4"], ["5"]]),
    );
    sees(&fixture, EVE, all, &json!([["4"]]));
    sees(
        &fixture,
        EVE,
        "SELECT COUNT(*) FROM message x",
        &json!([["1"]]),
    );
    // Under another name, twice, and where a name of the query would fit into the condition.
    let pairs =
        "SELECT a.id, room.id FROM message a JOIN message room ON room.id = a.id ORDER BY a.id";
    sees(&fixture, EVE, pairs, &json!([["4", "4"]]));
    // What is not seen joins nothing.
    let left =
        "SELECT r.id, m.id FROM room r LEFT JOIN message m ON m.room = r.id ORDER BY r.id, m.id";
    sees(&fixture, EVE, left, &json!([[1, null], [2, "4"]]));
    // In sub-queries, derived tables, unions, aggregates and WITH.
    let inside = "SELECT id FROM room r WHERE EXISTS (SELECT 1 FROM message m WHERE m.room = r.id) ORDER BY id";
    sees(&fixture, ADA, inside, &json!([[1]]));
    let not_in = "SELECT id FROM room WHERE id NOT IN (SELECT room FROM message) ORDER BY id";
    sees(&fixture, EVE, not_in, &json!([[1]]));
    let scalar = "SELECT r.id, (SELECT COUNT(*) FROM message m WHERE m.room = r.id) FROM room r ORDER BY r.id";
    sees(&fixture, ADA, scalar, &json!([[1, "3"], [2, "0"]]));
    let derived = "WITH w AS (SELECT room FROM message) SELECT DISTINCT room FROM (SELECT * FROM w) d ORDER BY 1";
    sees(&fixture, ADA, derived, &json!([[1]]));
    let union = "SELECT id FROM message UNION SELECT id FROM note ORDER BY 1";
    sees(&fixture, EVE, union, &json!([["4"]]));
    let admin = Caller {
        admin: true,
        ..client(EVE)
    };
    let found = rows(&fixture, "SELECT COUNT(*) FROM message", &json!({}), &admin).unwrap();
    assert_eq!(found, json!([["5"]]));
}

#[test]
fn views_are_tables_with_parameters_and_see_what_their_caller_sees() {
    let fixture = fixture();
    let latest = |sql: &str, given: Json, who| rows(&fixture, sql, &given, &client(who));
    let expected = json!([["5", "e"], ["2", "b"]]);
    let named = latest("SELECT * FROM latest", json!({"room": 1}), ADA);
    assert_eq!(named.unwrap(), expected, "its order is the result's");
    let called = latest("SELECT * FROM latest(1) ORDER BY id DESC", json!({}), BOB);
    assert_eq!(called.unwrap(), expected);
    assert_eq!(
        latest("SELECT * FROM latest(:r)", json!({"r": 1}), EVE).unwrap(),
        json!([])
    );
    let joined = "SELECT r.name, s.n FROM room r JOIN sizes(2) s ON s.room = r.id ORDER BY r.id";
    assert_eq!(
        latest(joined, json!({}), BOB).unwrap(),
        json!([["one", "3"], ["two", "2"]])
    );
    assert_eq!(
        latest("SELECT * FROM mine", json!({}), BOB).unwrap(),
        json!([["2"]])
    );
    for (sql, given, code, text) in [
        (
            "SELECT * FROM latest",
            json!({}),
            ErrorCode::SqlParameter,
            ":room",
        ),
        (
            "SELECT * FROM latest(1, 2)",
            json!({}),
            ErrorCode::SqlParameter,
            "takes 1 arguments",
        ),
        (
            "SELECT * FROM latest('x')",
            json!({}),
            ErrorCode::SqlType,
            "takes a value of type u32",
        ),
        (
            "SELECT * FROM latst(1)",
            json!({}),
            ErrorCode::SqlUnknownTable,
            "no view",
        ),
        (
            "SELECT * FROM mine WHERE id = :x",
            json!({}),
            ErrorCode::SqlParameter,
            ":x",
        ),
    ] {
        let error = latest(sql, given, ADA).unwrap_err();
        assert_eq!(error.code, code, "{sql}: {error}");
        assert!(error.message.contains(text), "{sql}: {error}");
    }
}

#[test]
fn live_queries_move_rows_in_and_out_as_they_may_be_seen() {
    let mut fixture = fixture();
    let (db, live) = fixture.parts();
    let sql = "SELECT id, text FROM note";
    let mut handle = |who| live.subscribe(db, sql, &[], &client(who)).unwrap().handle;
    let (ada, bob, again) = (handle(ADA), handle(BOB), handle(ADA));
    assert_eq!(ada, again);
    assert_ne!(ada, bob, "two callers share nothing");
    fixture.commit(&[Write::Update("note", json!(["1", hex(BOB), "x"]))]);
    let affected: Vec<u64> = fixture.deltas.iter().map(|(handle, _)| handle).collect();
    assert_eq!(affected, [ada, bob]);
    fixture.commit(&[Write::Update("note", json!(["1", hex(BOB), "z"]))]);
    let affected: Vec<u64> = fixture.deltas.iter().map(|(handle, _)| handle).collect();
    assert_eq!(affected, [bob]);
}

#[test]
fn declarations_are_checked() {
    let fixture = Fixture::new(vec![]);
    let check = |change: &dyn Fn(&mut Schema)| {
        let mut schema = schema();
        change(&mut schema);
        let schema = fixture.db().schema().evolve(schema, [0; 32], true).unwrap();
        check_declarations(&schema).unwrap_err().to_string()
    };
    for (condition, text) in [
        (
            "ownr = :me",
            "policy of table `note`: table `note` has no column `ownr`",
        ),
        (
            "owner = :me) OR (1 = 1",
            "expected the end of the condition",
        ),
        ("owner = :you", "the parameter :you is not declared"),
        ("text", "a condition is needed"),
        ("COUNT(*) > 1", "policy of table `note`"),
        (
            "EXISTS (SELECT 1 FROM nothing)",
            "there is no table `nothing`",
        ),
    ] {
        let error = check(&|schema| schema.policies[2].condition = condition.into());
        assert!(error.contains(text), "{condition}: {error}");
    }
    for (sql, text) in [
        (
            "SELECT x FROM note",
            "view `mine`: table `note` has no column `x`",
        ),
        ("SELECT id FROM mine", "views stand in each other"),
        (
            "SELECT id FROM note WHERE id = :id",
            "the parameter :id is not declared",
        ),
        ("DELETE FROM note", "DELETE"),
    ] {
        let error = check(&|schema| schema.views[1].sql = sql.into());
        assert!(error.contains(text), "{sql}: {error}");
    }
}
