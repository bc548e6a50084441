#![allow(clippy::unwrap_used)]

use syncline_protocol::{ChangeSet, IndexKind, Schema, TableDef, TableId, Type};

use super::{Database, Recovery, StoreError};
use crate::schema::SchemaError;
use crate::schema::tests::fixtures::{FIRST, account, account_row, database, index, schema, table};
use crate::table::IndexId;

fn with_accounts(rows: &[(u64, &str, i64)]) -> Database {
    let mut tx = database(vec![account()]).begin();
    for &(id, owner, balance) in rows {
        tx.insert(FIRST, &mut account_row(id, owner, balance))
            .unwrap();
    }
    tx.commit(&mut ChangeSet::new())
}

/// Publishes other tables over those that are there.
fn publish(database: &mut Database, tables: Vec<TableDef>) -> Result<(), SchemaError> {
    let module = Schema {
        tables,
        reducers: Vec::new(),
        ..Schema::default()
    };
    let schema = database.schema().evolve(module, [8; 32], false).unwrap();
    database.install(schema)
}

fn change(old: Option<&[u8]>, new: Option<&[u8]>) -> ChangeSet {
    let mut changes = ChangeSet::new();
    changes.push(FIRST, old, new);
    changes
}

#[test]
fn a_new_database_knows_connections() {
    let database = Database::new(1);
    let connections = database.table(TableId::CONNECTIONS).unwrap();
    assert_eq!(connections.def().name, "__connections");
    assert!(!connections.def().public && connections.is_empty());
    assert_eq!(database.tables().len(), 1);
    assert!(database.table(FIRST).is_none());
    assert_eq!(database.auto_increment(FIRST), 0);
    assert_eq!(database.schema().module_hash, None);
}

#[test]
fn a_gained_index_has_the_rows() {
    for kind in [IndexKind::Hash, IndexKind::Ordered] {
        for unique in [false, true] {
            let mut database = with_accounts(&[(1, "ann", 5), (2, "bob", 6), (3, "cid", 5)]);
            let mut def = account();
            // The new one first, the old ones the other way round.
            def.indexes.reverse();
            def.indexes.insert(0, index("new", &[1, 2], kind, unique));
            let added = table("added", &[("id", Type::U8)], &[0]);
            publish(&mut database, vec![added, def]).unwrap();
            assert_eq!(database.schema().table_id("added"), Some(TableId(17)));
            let accounts = database.table(FIRST).unwrap();
            let key = [&3_u32.to_le_bytes()[..], b"bob", &6_i64.to_le_bytes()].concat();
            let found: Vec<_> = accounts.matching(IndexId::secondary(0), &key).collect();
            assert_eq!(found, [account_row(2, "bob", 6)]);
            assert!(accounts.is_ordered(IndexId::secondary(1)));
            assert_eq!(
                accounts.matching_len(IndexId::secondary(1), &5_i64.to_le_bytes()),
                2
            );
            let ann = [&3_u32.to_le_bytes()[..], b"ann"].concat();
            assert_eq!(accounts.matching_len(IndexId::secondary(2), &ann), 1);
        }
    }
}

#[test]
fn an_index_that_rows_violate_changes_nothing() {
    for kind in [IndexKind::Hash, IndexKind::Ordered] {
        let mut database = with_accounts(&[(1, "ann", 5), (2, "bob", 6), (3, "cid", 5)]);
        let before = std::sync::Arc::clone(database.schema());
        let mut def = account();
        def.indexes.push(index("fine", &[1], IndexKind::Hash, true));
        def.indexes.push(index("one_each", &[2], kind, true));
        let added = table("added", &[("id", Type::U8)], &[0]);
        let error = publish(&mut database, vec![def, added]).unwrap_err();
        let (table, index) = ("account".to_owned(), "one_each".to_owned());
        assert_eq!(error, SchemaError::Unique { table, index });
        assert_eq!(*database.schema(), before);
        assert_eq!(database.tables().len(), 2);
        assert_eq!(database.table(FIRST).unwrap().def(), &account());
    }
}

#[test]
fn an_index_that_a_row_is_too_long_for_changes_nothing() {
    let mut def = account();
    def.indexes.clear();
    for kind in [IndexKind::Hash, IndexKind::Ordered] {
        let mut tx = database(vec![def.clone()]).begin();
        tx.insert(FIRST, &mut account_row(1, &"x".repeat(5000), 0))
            .unwrap();
        let mut long = tx.commit(&mut ChangeSet::new());
        let mut def = def.clone();
        def.indexes.push(index("long", &[1], kind, false));
        let (table, index) = ("account".to_owned(), "long".to_owned());
        let refused = publish(&mut long, vec![def]);
        assert_eq!(refused, Err(SchemaError::KeyTooLarge { table, index }));
        assert!(long.table(FIRST).unwrap().def().indexes.is_empty());
    }
}

#[test]
fn a_schema_must_follow_from_the_installed_one() {
    let mut database = with_accounts(&[(1, "ann", 5)]);
    let mut changed = account();
    changed.columns[2].ty = Type::U64;
    for (tables, text) in [
        (vec![], "table `account` is gone"),
        (
            vec![changed.clone()],
            "table `account` changes the type of column `balance` from i64 to u64",
        ),
    ] {
        match database.install(schema(tables)).unwrap_err() {
            SchemaError::Unrelated(difference) => assert_eq!(difference.text, text),
            other => panic!("{other}"),
        }
    }
    assert_eq!(database.table(FIRST).unwrap().len(), 1);

    // With the data cleared, tables that the schema has not are gone, others are empty.
    let module = Schema {
        tables: vec![changed],
        reducers: Vec::new(),
        ..Schema::default()
    };
    let evolved = database.schema().evolve(module, [9; 32], true).unwrap();
    assert_eq!(evolved.table_ids, [TableId(17)]);
    assert!(
        database.install(evolved.clone()).is_err(),
        "the table has a row"
    );
    database.clear_user_tables();
    assert!(database.table(FIRST).unwrap().is_empty());
    database.install(evolved).unwrap();
    assert!(database.table(FIRST).is_none());
    assert!(database.table(TableId(17)).unwrap().is_empty());
    assert!(database.table(TableId::CONNECTIONS).is_some());
}

#[test]
fn cleared_tables_work_again() {
    let mut def = account();
    def.auto_increment = Some(0);
    let mut database = database(vec![def]);
    for _ in 0..2 {
        let mut tx = database.begin();
        assert_eq!(tx.insert(FIRST, &mut account_row(0, "ann", 5)), Ok(Some(1)));
        assert_eq!(tx.insert(FIRST, &mut account_row(0, "bob", 5)), Ok(Some(2)));
        database = tx.commit(&mut ChangeSet::new());
        assert_eq!(database.auto_increment(FIRST), 2);
        let by_balance = IndexId::secondary(1);
        let balance = 5_i64.to_le_bytes();
        assert_eq!(
            database
                .table(FIRST)
                .unwrap()
                .matching_len(by_balance, &balance),
            2
        );
        database.clear_user_tables();
        assert_eq!(
            database
                .table(FIRST)
                .unwrap()
                .matching_len(by_balance, &balance),
            0
        );
        assert_eq!(database.auto_increment(FIRST), 0);
    }
}

#[test]
fn changes_that_do_not_fit_are_found() {
    let ann = account_row(1, "ann", 5);
    let rich_ann = account_row(1, "ann", 50);
    let bob = account_row(2, "bob", 5);
    let mut nowhere = ChangeSet::new();
    nowhere.push(TableId(99), None, Some(&ann));
    let cases = [
        (nowhere, StoreError::NoTable(TableId(99))),
        (change(None, Some(&rich_ann)), StoreError::Diverged(FIRST)),
        (change(Some(&bob), None), StoreError::Diverged(FIRST)),
        (change(Some(&rich_ann), None), StoreError::Diverged(FIRST)),
        (
            change(Some(&rich_ann), Some(&ann)),
            StoreError::Diverged(FIRST),
        ),
        (change(Some(&ann), Some(&bob)), StoreError::Diverged(FIRST)),
        (change(None, Some(&ann[..10])), StoreError::Malformed(FIRST)),
        (change(Some(&[1, 2]), None), StoreError::Malformed(FIRST)),
    ];
    for (changes, error) in cases {
        let mut database = with_accounts(&[(1, "ann", 5)]);
        assert_eq!(database.apply(&changes), Err(error));
    }
    let mut recovery = Recovery::new(with_accounts(&[(1, "ann", 5)]));
    assert_eq!(
        recovery.remove(FIRST, &2_u64.to_le_bytes()),
        Err(StoreError::Diverged(FIRST))
    );
    assert_eq!(
        recovery.remove(TableId(99), &[]),
        Err(StoreError::NoTable(TableId(99)))
    );
    assert_eq!(recovery.put(FIRST, &[1]), Err(StoreError::Malformed(FIRST)));
    assert_eq!(
        recovery.put(TableId(99), &[1]),
        Err(StoreError::NoTable(TableId(99)))
    );
}

#[test]
fn unique_values_may_change_hands_within_a_commit() {
    for kind in [IndexKind::Hash, IndexKind::Ordered] {
        let mut def = account();
        def.indexes = vec![index("name", &[1], kind, true)];
        let mut tx = database(vec![def.clone()]).begin();
        for (id, name) in [(1, "ann"), (2, "bob"), (3, "cid")] {
            tx.insert(FIRST, &mut account_row(id, name, 0)).unwrap();
        }
        let mut first = ChangeSet::new();
        let database = tx.commit(&mut first);
        // All three pass their names on, by way of a fourth.
        let swap = |database: Database, changes: &mut ChangeSet, keep: bool| {
            let mut tx = database.begin();
            for (id, name) in [(1, "tmp"), (2, "ann"), (3, "bob"), (1, "cid")] {
                tx.update(FIRST, &mut account_row(id, name, 0)).unwrap();
            }
            if keep {
                tx.commit(changes)
            } else {
                tx.rollback()
            }
        };
        let mut second = ChangeSet::new();
        let database = swap(database, &mut second, false);
        let name = [&3_u32.to_le_bytes()[..], b"ann"].concat();
        let owner = |database: &Database| {
            let found = database
                .table(FIRST)
                .unwrap()
                .find(IndexId::secondary(0), &name);
            u64::from_le_bytes(found.unwrap()[..8].try_into().unwrap())
        };
        assert_eq!(owner(&database), 1);
        let database = swap(database, &mut second, true);
        assert_eq!((owner(&database), second.len()), (2, 3));
        let mut copy = super::tests::database(vec![def]);
        copy.apply(&first).unwrap();
        copy.apply(&second).unwrap();
        assert_eq!(owner(&copy), 2);
        let twin = change(None, Some(&account_row(9, "ann", 0)));
        assert_eq!(copy.apply(&twin), Err(StoreError::Diverged(FIRST)));
    }
}

#[test]
fn recovery_builds_what_it_left_out() {
    let mut recovery = Recovery::new(Database::new(3));
    recovery.install(schema(vec![account()])).unwrap();
    for id in 0..1000 {
        recovery.put(FIRST, &account_row(id, "ann", 5)).unwrap();
    }
    recovery.put(FIRST, &account_row(7, "bob", 6)).unwrap();
    recovery.remove(FIRST, &8_u64.to_le_bytes()).unwrap();
    recovery
        .apply(&change(Some(&account_row(9, "ann", 5)), None))
        .unwrap();
    let mut def = account();
    def.indexes
        .push(index("later", &[1, 2], IndexKind::Ordered, false));
    let module = Schema {
        tables: vec![def],
        reducers: Vec::new(),
        ..Schema::default()
    };
    let evolved = recovery
        .database()
        .schema()
        .evolve(module, [1; 32], false)
        .unwrap();
    recovery.install(evolved).unwrap();
    let database = recovery.finish().unwrap();
    let table = database.table(FIRST).unwrap();
    assert_eq!(table.len(), 998);
    let ann = [&3_u32.to_le_bytes()[..], b"ann"].concat();
    assert_eq!(table.matching_len(IndexId::secondary(0), &ann), 997);
    assert_eq!(
        table.matching_len(IndexId::secondary(1), &6_i64.to_le_bytes()),
        1
    );
    let key = [&ann[..], &5_i64.to_le_bytes()].concat();
    assert_eq!(table.matching_len(IndexId::secondary(2), &key), 997);
    let in_order: Vec<_> = table.rows().map(|row| row[0]).collect();
    assert_eq!(
        &in_order[..9],
        &[0, 1, 2, 3, 4, 5, 6, 7, 10],
        "page order is the order of puts"
    );

    let mut def = account();
    def.indexes = vec![index("name", &[1], IndexKind::Hash, true)];
    let mut twins = Recovery::new(super::tests::database(vec![def]));
    twins.put(FIRST, &account_row(1, "ann", 5)).unwrap();
    twins.put(FIRST, &account_row(2, "ann", 5)).unwrap();
    assert_eq!(twins.finish().unwrap_err(), StoreError::Diverged(FIRST));
}
