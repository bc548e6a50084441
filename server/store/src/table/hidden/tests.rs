#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::sync::Arc;

use syncline_protocol::limits::KEY_BYTES_MAX;
use syncline_protocol::{ChangeSet, IndexKind, Type, Value};

use crate::database::{Database, Recovery};
use crate::schema::tests::fixtures::{FIRST, account, account_row, database, index, row, table};
use crate::table::{IndexId, Table};

const OWNER: u16 = 1;
const BALANCE: u16 = 2;

fn accounts(count: u64) -> Database {
    let mut tx = database(vec![account()]).begin();
    for id in 0..count {
        let mut row = account_row(id, &format!("owner {id}"), (id % 7) as i64);
        tx.insert(FIRST, &mut row).unwrap();
    }
    tx.commit(&mut ChangeSet::new())
}

fn by_balance(table: &Table, index: IndexId, balance: i64) -> usize {
    table.matching(index, &balance.to_le_bytes()).count()
}

fn hidden(database: &Database) -> Vec<IndexId> {
    let all = database.table(FIRST).unwrap().indexes();
    all.map(|index| index.id)
        .filter(|id| id.is_hidden())
        .collect()
}

#[test]
fn a_number_is_of_one_index_at_a_time() {
    let mut db = accounts(3);
    let mut add = |columns: &[u16]| {
        db.add_hidden_index(FIRST, columns, IndexKind::Hash)
            .unwrap()
    };
    let (one, two) = (add(&[BALANCE]), add(&[OWNER, BALANCE]));
    assert_ne!(one, two);
    assert!(one.is_hidden() && !IndexId::PRIMARY.is_hidden());
    db.drop_hidden_index(FIRST, one);
    assert_eq!(hidden(&db), [two]);
    let table = db.table(FIRST).unwrap();
    assert_eq!(table.index_columns(one), None);
    assert_eq!(table.hidden_index_bytes(one), 0);
    assert!(table.hidden_index_bytes(two) > 0);
    assert_eq!(by_balance(table, one, 1), 0, "there is no such index");
    db.drop_hidden_indexes();
    assert_eq!(hidden(&db), []);
}

#[test]
fn what_cannot_be_is_none() {
    let mut db = accounts(1);
    assert_eq!(db.add_hidden_index(FIRST, &[], IndexKind::Hash), None);
    assert_eq!(db.add_hidden_index(FIRST, &[99], IndexKind::Hash), None);
    assert_eq!(
        db.add_hidden_index(FIRST, &[OWNER], IndexKind::Ordered),
        None
    );
    let no_table = syncline_protocol::TableId(FIRST.0 + 9);
    assert_eq!(db.add_hidden_index(no_table, &[0], IndexKind::Hash), None);
}

#[test]
fn a_schema_evolves_around_them() {
    let mut db = accounts(70);
    let own = db
        .add_hidden_index(FIRST, &[BALANCE], IndexKind::Ordered)
        .unwrap();
    let mut wider = account();
    wider.indexes.insert(
        0,
        index("first_of_all", &[BALANCE, OWNER], IndexKind::Hash, false),
    );
    let evolved = db.schema().evolve(
        crate::schema::tests::fixtures::schema(vec![wider])
            .module
            .clone(),
        [0; 32],
        false,
    );
    db.install(evolved.unwrap()).unwrap();
    assert_eq!(hidden(&db), [own]);
    assert_eq!(by_balance(db.table(FIRST).unwrap(), own, 3), 10);
    let mut tx = db.begin();
    tx.update(FIRST, &mut account_row(3, "owner 3", 4)).unwrap();
    let mut db = tx.commit(&mut ChangeSet::new());
    assert_eq!(by_balance(db.table(FIRST).unwrap(), own, 3), 9);
    assert_eq!(by_balance(db.table(FIRST).unwrap(), own, 4), 11);

    db.clear_user_tables();
    assert_eq!(by_balance(db.table(FIRST).unwrap(), own, 4), 0);
    let mut tx = db.begin();
    tx.insert(FIRST, &mut account_row(3, "owner 3", 4)).unwrap();
    let db = tx.rollback();
    assert_eq!(by_balance(db.table(FIRST).unwrap(), own, 4), 0);
    let schema = Arc::clone(db.schema());
    let db = Recovery::new(db).finish().unwrap();
    assert_eq!(hidden(&db), [], "what is read from disk has none");
    assert!(Arc::ptr_eq(db.schema(), &schema), "and no schema names one");
}

#[test]
fn no_row_is_refused_for_its_key() {
    let def = table("blob", &[("id", Type::U64), ("blob", Type::Bytes)], &[0]);
    let long = |id: u64| {
        let blob = vec![7; KEY_BYTES_MAX + 100];
        row(&def, &[Value::U64(id), Value::Bytes(blob)])
    };
    let mut tx = database(vec![def.clone()]).begin();
    tx.insert(FIRST, &mut long(1)).unwrap();
    let mut db = tx.commit(&mut ChangeSet::new());
    let own = db.add_hidden_index(FIRST, &[1], IndexKind::Hash).unwrap();
    let mut tx = db.begin();
    tx.insert(FIRST, &mut long(2)).unwrap();
    let table = tx.table(FIRST).unwrap();
    let key = &long(1)[8..];
    assert_eq!(table.matching(own, key).count(), 2);
}
