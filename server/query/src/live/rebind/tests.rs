#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::json;
use syncline_protocol::{ErrorCode, PolicyDef, Schema};

use super::*;
use crate::tests::{Fixture, me, params, table};

const SQL: &str = "SELECT id FROM note WHERE room = :r";

fn publish(fixture: &mut Fixture, condition: &str) {
    let policy = PolicyDef {
        table: 0,
        condition: condition.into(),
    };
    let schema = Schema {
        tables: vec![
            table("note", "id u32, room u32, owner identity", 1),
            table("other", "id u32", 1),
        ],
        policies: vec![policy],
        ..Schema::default()
    };
    fixture.publish_schema(schema, false);
    let (db, live) = fixture.parts();
    assert_eq!(live.rebind(db), []);
}

fn ask_again(fixture: &mut Fixture, handle: u64, sql: &str) -> Result<Rebound, QueryError> {
    let (db, live) = fixture.parts();
    let given = params(json!({"r": 1}));
    let given = if sql == SQL { given.as_slice() } else { &[] };
    live.ask_again(db, handle, sql, (given, &me()), &mut 100, &mut |_| Ok(()))
}

#[test]
fn a_subscription_goes_where_its_query_leads_now() {
    let mut fixture = Fixture::new(vec![
        table("note", "id u32, room u32, owner identity", 1),
        table("other", "id u32", 1),
    ]);
    let owner = "07".repeat(32);
    let rows = [json!([1, 1, owner]), json!([2, 1, "08".repeat(32)])];
    fixture.insert("note", &rows);
    let one = fixture.subscribe(SQL, json!({"r": 1})).unwrap();
    fixture.subscribe(SQL, json!({"r": 1})).unwrap();
    let other = fixture.subscribe("SELECT * FROM other", json!({})).unwrap();
    publish(&mut fixture, "owner = :me");
    let free = ask_again(&mut fixture, other.handle, "SELECT * FROM other");
    assert_eq!(free.unwrap(), Rebound::Same);
    let first = ask_again(&mut fixture, one.handle, SQL).unwrap();
    let Rebound::Other {
        load,
        is_new: true,
        is_alike: true,
    } = first
    else {
        panic!("{first:?}")
    };
    let second = ask_again(&mut fixture, one.handle, SQL).unwrap();
    assert!(matches!(second, Rebound::Other { is_new: false, .. }));
    assert!(fixture.live.description(one.handle).is_none());
    // Under the name of before it is what it was.
    fixture.live.take_name(load.handle, one.handle);
    assert!(fixture.live.description(load.handle).is_none());
    assert_eq!(fixture.rows_json(&one), json!([[1]]));
    fixture.insert(
        "note",
        &[json!([3, 1, owner]), json!([4, 1, "08".repeat(32)])],
    );
    assert_eq!(fixture.ops_json(&one), json!([["insert", [3]]]));
    let again = ask_again(&mut fixture, one.handle, SQL);
    assert_eq!(again.unwrap(), Rebound::Same);
    // What is refused stays where it is.
    publish(&mut fixture, "id > 1");
    let before = fixture.live.stats();
    let (db, live) = fixture.parts();
    let given = params(json!({"r": 1}));
    let refuse = |_: &Load| Err(QueryError::new(ErrorCode::LiveLimit, "no"));
    let refused = live.ask_again(db, one.handle, SQL, (&given, &me()), &mut 100, &mut {
        refuse
    });
    assert_eq!(refused.unwrap_err().message, "no");
    assert_eq!(live.stats(), before);
    let error = live
        .ask_again(
            db,
            one.handle,
            "SELECT * FROM gone",
            (&[], &me()),
            &mut 100,
            &mut |_| Ok(()),
        )
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::SqlUnknownTable);
    assert_eq!(live.stats(), before);
    for handle in [one.handle, one.handle, other.handle] {
        fixture.live.unsubscribe(handle);
    }
    assert_eq!(
        (fixture.live.stats().templates, fixture.live.byte_len()),
        (0, 0)
    );
}

/// Other policies may make other columns the key, which a result then has hidden.
#[test]
fn hidden_columns_may_be_others() {
    let column = |name: &str, hidden| ResultColumn {
        name: name.into(),
        ty: syncline_protocol::Type::U32,
        hidden,
    };
    let description = |columns: Vec<ResultColumn>| ResultDescription {
        columns,
        ..ResultDescription::default()
    };
    let one = description(vec![column("n", false), column("id", true)]);
    let alike = description(vec![column("n", false)]);
    let other = description(vec![column("n", false), column("id", false)]);
    assert!(has_same_columns(&one, &alike));
    assert!(!has_same_columns(&one, &other));
}
