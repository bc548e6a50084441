#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value as Json, json};
use syncline_protocol::{Claims, ErrorCode, PolicyDef, Schema, Type};

use crate::tests::{Fixture, Write, ordered, table, unpack};
use crate::{Caller, QueryError, check_declarations, query_once};

/// Of one identity, so that nothing but claims tells them apart.
fn caller(claims: &Json) -> Caller {
    Caller {
        claims: Claims::read(claims.as_object().unwrap()).unwrap(),
        ..crate::tests::me()
    }
}

fn once(fixture: &Fixture, sql: &str, claims: &Json) -> Result<Json, QueryError> {
    let mut packed = Vec::new();
    let described = query_once(fixture.db(), sql, &[], &caller(claims), &mut |row| {
        packed.push(row.to_vec());
    })?;
    let types: Vec<Type> = described.columns.into_iter().map(|c| c.ty).collect();
    Ok(packed.iter().map(|row| unpack(types.iter(), row)).collect())
}

/// Documents of organisations, and what staff alone sees.
fn fixture() -> Fixture {
    let doc = ordered(
        table("doc", "id u32, org string, level u8, owner identity", 1),
        "org",
    );
    let secret = table("secret", "id u32, doc u32", 1);
    let plain = table("plain", "id u32, auth_level i64?", 1);
    let policy = |table: u16, condition: &str| PolicyDef {
        table,
        condition: condition.into(),
    };
    let schema = Schema {
        tables: vec![doc, secret, plain],
        policies: vec![
            policy(
                0,
                "(org = auth.org AND level <= auth.level) OR auth.role = 'admin' OR owner = :me",
            ),
            policy(1, "auth.staff"),
        ],
        ..Schema::default()
    };
    let mut fixture = Fixture::new(vec![]);
    fixture.publish_schema(schema, false);
    check_declarations(fixture.db().schema()).unwrap();
    let other = syncline_protocol::Identity([9; 32]).to_string();
    let docs = [("a", 1), ("a", 5), ("b", 1)];
    let docs: Vec<Json> = (1..)
        .zip(docs)
        .map(|(id, (org, level))| json!([id, org, level, other]))
        .collect();
    fixture.insert("doc", &docs);
    fixture.insert("secret", &[json!([1, 1])]);
    fixture.insert("plain", &[json!([1, "3"])]);
    fixture
}

#[test]
fn a_claim_has_the_type_that_is_asked_for() {
    let fixture = fixture();
    let own = json!({"role": "admin", "level": 3, "staff": true, "odd": "7"});
    for (expr, value) in [
        ("auth.role = 'admin'", json!(true)),
        ("'admin' = auth.role", json!(true)),
        ("auth.role <> 'admin'", json!(false)),
        ("auth.role IN ('user', 'admin')", json!(true)),
        ("'admin' IN ('user', auth.role)", json!(true)),
        ("auth.role LIKE 'ad%'", json!(true)),
        ("upper(auth.role)", json!("ADMIN")),
        ("auth.level >= 3", json!(true)),
        ("auth.level BETWEEN 4 AND 5", json!(false)),
        ("auth.level + 1 = 4", json!(true)),
        ("auth_level = auth.level", json!(true)),
        ("auth_level > auth.level + 1", json!(false)),
        ("coalesce(auth.level, 0) = 3", json!(true)),
        ("auth.staff AND auth.level > 1", json!(true)),
        ("NOT auth.staff", json!(false)),
        (
            "CASE WHEN auth.staff THEN 'in' ELSE 'out' END = 'in'",
            json!(true),
        ),
        ("auth.role || '!' = 'admin!'", json!(true)),
        ("AUTH.role = 'admin'", json!(true)),
        // What is absent, or of another type, is NULL.
        ("auth.Role = 'admin'", json!(null)),
        ("auth.nothing = 'admin'", json!(null)),
        ("auth.nothing IS NULL", json!(true)),
        ("auth.level = 'admin'", json!(null)),
        ("auth.role >= 3", json!(null)),
        ("auth.role = auth.level", json!(null)),
        ("auth_level = auth.role", json!(null)),
        ("auth_level = auth.staff", json!(null)),
        ("auth.role + 1 = 4", json!(null)),
        ("auth.level AND auth.staff", json!(null)),
        ("auth.level IN ('user', 'admin')", json!(null)),
        ("auth.level LIKE 'ad%'", json!(null)),
        (
            "CASE WHEN auth.role THEN 'in' ELSE 'out' END = 'in'",
            json!(false),
        ),
        ("coalesce(auth.role, 0) = 0", json!(true)),
        ("abs(auth.role)", json!(null)),
        ("left('abc', auth.role)", json!(null)),
    ] {
        let sql = format!("SELECT {expr} AS x FROM plain");
        assert_eq!(
            once(&fixture, &sql, &own).unwrap(),
            json!([[value]]),
            "{expr}"
        );
        // Nobody is refused for having none.
        once(&fixture, &sql, &json!({})).unwrap();
    }
    let shadowed = once(&fixture, "SELECT auth.role AS x FROM plain auth", &own).unwrap_err();
    assert_eq!(shadowed.code, ErrorCode::SqlUnknownColumn);
    let column = once(
        &fixture,
        "SELECT auth.id FROM plain auth",
        &json!({"id": "x"}),
    );
    assert_eq!(column.unwrap(), json!([[1]]));
    assert!(once(&fixture, "SELECT other.role FROM plain", &own).is_err());
    // Who has no such claim would have no limit.
    for clause in ["LIMIT auth.level", "LIMIT 5 OFFSET auth.level + 1"] {
        let sql = format!("SELECT id FROM plain ORDER BY id {clause}");
        let error = once(&fixture, &sql, &own).unwrap_err();
        assert_eq!(error.code, ErrorCode::SqlType, "{clause}");
        assert!(error.message.contains("not a claim"), "{error}");
    }
}

#[test]
fn a_policy_asks_for_claims() {
    let fixture = fixture();
    let sees = |claims: Json, sql: &str, rows: Json| {
        assert_eq!(
            once(&fixture, sql, &claims).unwrap(),
            rows,
            "{claims} {sql}"
        );
    };
    let docs = "SELECT id FROM doc ORDER BY id";
    sees(json!({}), docs, json!([]));
    sees(json!({"org": "a"}), docs, json!([]));
    sees(json!({"org": "a", "level": 1}), docs, json!([[1]]));
    sees(json!({"org": "a", "level": "1"}), docs, json!([[1]]));
    sees(json!({"org": "a", "level": "high"}), docs, json!([]));
    sees(json!({"org": "a", "level": 300}), docs, json!([[1], [2]]));
    sees(json!({"org": 1, "level": 1}), docs, json!([]));
    sees(json!({"role": "admin"}), docs, json!([[1], [2], [3]]));
    sees(json!({"role": "Admin"}), docs, json!([]));
    sees(json!({"role": true}), docs, json!([]));
    let secrets = "SELECT COUNT(*) FROM secret";
    sees(json!({"staff": true}), secrets, json!([["1"]]));
    for staff in [json!(false), json!("true"), json!(1), json!(null)] {
        sees(json!({"staff": staff}), secrets, json!([["0"]]));
    }
    sees(json!({}), secrets, json!([["0"]]));
    let joined = "SELECT d.id, s.id FROM doc d LEFT JOIN secret s ON s.doc = d.id WHERE d.id = 1";
    sees(json!({"role": "admin"}), joined, json!([[1, null]]));
    sees(
        json!({"role": "admin", "staff": true}),
        joined,
        json!([[1, 1]]),
    );
}

#[test]
fn equal_claims_share_a_result_and_others_do_not() {
    let mut fixture = fixture();
    let (org_a, org_b) = (
        json!({"org": "a", "level": 9}),
        json!({"org": "b", "level": 9}),
    );
    let more = json!({"org": "a", "level": 9, "theme": "dark"});
    let (admin, nobody) = (json!({"role": "admin"}), json!({}));
    let (db, live) = fixture.parts();
    let mut handle = |sql: &str, claims: &Json| {
        let subscribed = live.subscribe(db, sql, &[], &caller(claims));
        subscribed.unwrap_or_else(|error| panic!("{sql} {claims}: {error}"))
    };
    let sql = "SELECT id, level FROM doc";
    let all = [&org_a, &org_b, &admin, &nobody].map(|claims| handle(sql, claims));
    for (at, one) in all.iter().enumerate() {
        for other in &all[at + 1..] {
            assert_ne!(one.handle, other.handle);
        }
    }
    assert_eq!(
        handle(sql, &more).handle,
        all[0].handle,
        "the theme is not asked for"
    );
    assert_eq!(handle(sql, &json!({"theme": 1})).handle, all[3].handle);
    // Who may see nothing costs nothing: no change looks at it.
    let secret = "SELECT id FROM secret";
    let joined = "SELECT d.id, s.id AS s FROM doc d JOIN secret s ON s.doc = d.id";
    let denied = [secret, joined].map(|sql| handle(sql, &nobody));
    let staff = json!({"staff": true, "role": "admin"});
    let allowed = [secret, joined].map(|sql| handle(sql, &staff));
    assert!(
        denied
            .iter()
            .all(|one| one.cost == crate::CostClass::Indexed)
    );
    let owner = syncline_protocol::Identity([9; 32]).to_string();
    fixture.commit(&[
        Write::Insert("doc", json!([7, "a", 2, owner])),
        Write::Insert("secret", json!([2, 7])),
    ]);
    let told = |one: &crate::Subscribed| !fixture.ops_json(one).as_array().unwrap().is_empty();
    assert_eq!(
        all.iter().map(told).collect::<Vec<_>>(),
        [true, false, true, false]
    );
    assert_eq!(denied.iter().map(told).collect::<Vec<_>>(), [false, false]);
    assert_eq!(allowed.iter().map(told).collect::<Vec<_>>(), [true, true]);
    // To another organisation, and over the level.
    fixture.commit(&[
        Write::Update("doc", json!([7, "b", 2, owner])),
        Write::Update("doc", json!([1, "a", 10, owner])),
    ]);
    assert_eq!(
        fixture.ops_json(&all[0]),
        json!([["delete", [1]], ["delete", [7]]])
    );
    assert_eq!(fixture.ops_json(&all[1]), json!([["insert", [7, 2]]]));
}
