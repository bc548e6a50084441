#![allow(clippy::unwrap_used)]

pub(crate) mod fixtures;

use syncline_protocol::{IndexKind, Schema, TableDef, TableId, Type};

use super::DatabaseSchema;
use fixtures::{account, index, schema, table};

fn module(tables: Vec<TableDef>) -> Schema {
    Schema {
        tables,
        reducers: Vec::new(),
        ..Schema::default()
    }
}

#[test]
fn ids_are_kept_and_never_used_again() {
    let first = schema(vec![account(), table("a", &[("id", Type::U64)], &[0])]);
    assert_eq!(first.table_ids, [TableId(16), TableId(17)]);
    let added = table("b", &[("id", Type::U64)], &[0]);
    let tables = vec![
        added.clone(),
        table("a", &[("id", Type::U64)], &[0]),
        account(),
    ];
    let second = first.evolve(module(tables), [1; 32], false).unwrap();
    assert_eq!(second.table_ids, [TableId(18), TableId(17), TableId(16)]);
    assert_eq!(second.next_table_id, 19);
    assert_eq!(second.module_hash, Some([1; 32]));
    assert_eq!(second.table_id("a"), Some(TableId(17)));
    assert_eq!(second.table_id("__connections"), Some(TableId::CONNECTIONS));
    assert_eq!(second.table_id("nobody"), None);

    // With cleared data anything goes: the same definition keeps its id, another one gets a new id.
    let tables = vec![table("a", &[("id", Type::String)], &[0]), added];
    let third = second.evolve(module(tables), [2; 32], true).unwrap();
    assert_eq!(third.table_ids, [TableId(19), TableId(18)]);
    assert_eq!(third.next_table_id, 20);
}

#[test]
fn what_differs_is_told() {
    type Change = fn(&mut TableDef);
    let cases: &[(Change, &[&str])] = &[
        (|_| {}, &[]),
        (|t| t.public = false, &[]),
        (|t| t.indexes.swap(0, 1), &[]),
        (
            |t| {
                t.indexes
                    .push(index("more", &[1, 2], IndexKind::Ordered, false));
            },
            &[],
        ),
        (|t| t.name = "konto".into(), &["table `account` is gone"]),
        (
            |t| t.columns[1].ty = Type::option(Type::Bytes),
            &["table `account` changes the type of column `owner` from string to option<bytes>"],
        ),
        (
            |t| {
                t.columns.swap(1, 2);
                t.indexes.clear();
            },
            &[
                "table `account` moves the column `owner` from place 1 to 2",
                "table `account` moves the column `balance` from place 2 to 1",
            ],
        ),
        (
            |t| t.columns[2].name = "amount".into(),
            &[
                "table `account` loses the column `balance`",
                "table `account` gains the column `amount`",
            ],
        ),
        (
            |t| t.primary_key = vec![1, 0],
            &["table `account` changes its primary key from (id) to (owner, id)"],
        ),
        (
            |t| t.auto_increment = Some(0),
            &["table `account` changes auto_increment from no column to `id`"],
        ),
        (
            |t| t.indexes.truncate(1),
            &["table `account` loses the index `by_balance`"],
        ),
        (
            |t| t.indexes[1] = index("by_balance", &[2, 1], IndexKind::Hash, true),
            &[
                "table `account` changes the index `by_balance` from ordered (balance) to unique hash (balance, owner)",
            ],
        ),
    ];
    for (change, expected) in cases {
        let mut changed = account();
        change(&mut changed);
        let found = schema(vec![account()]).evolve(module(vec![changed.clone()]), [0; 32], false);
        let found = found.err().unwrap_or_default();
        let texts: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(texts, *expected);
        assert!(found.iter().all(|difference| difference.table == "account"));
        assert!(
            schema(vec![account()])
                .evolve(module(vec![changed]), [0; 32], true)
                .is_ok()
        );
    }
}

#[test]
fn an_unsound_module_is_no_schema() {
    let reserved = table("__connections", &[("id", Type::U64)], &[0]);
    let keyless = table("a", &[("id", Type::U64)], &[]);
    let astray = table("a", &[("id", Type::U64)], &[1]);
    for (unsound, text) in [
        (reserved, "names that start with `__` are reserved"),
        (keyless, "it has no columns"),
        (astray, "it names column 1"),
    ] {
        for clear_data in [false, true] {
            let tables = module(vec![unsound.clone()]);
            let found = DatabaseSchema::empty()
                .evolve(tables, [0; 32], clear_data)
                .unwrap_err();
            assert!(found[0].text.contains(text), "{}", found[0].text);
        }
    }
    let mut forged = (*schema(vec![account()])).clone();
    assert!(forged.check().is_ok());
    forged.table_ids = vec![TableId::CONNECTIONS];
    assert!(forged.check().is_err());
    forged.table_ids = vec![];
    assert!(forged.check().is_err());
}

#[test]
fn it_is_data() {
    let schema = schema(vec![account()]);
    let json = serde_json::to_string(&schema).unwrap();
    assert_eq!(
        serde_json::from_str::<DatabaseSchema>(&json).unwrap(),
        *schema
    );
}
