#![allow(clippy::unwrap_used)]

use syncline_protocol::{ChangeSet, TableId};

use crate::schema::tests::fixtures::{FIRST, account, account_row, database};

#[test]
fn later_writes_are_not_seen() {
    let mut changes = ChangeSet::new();
    let mut tx = database(vec![account()]).begin();
    for id in 0..2000 {
        tx.insert(FIRST, &mut account_row(id, "ann", 5)).unwrap();
    }
    let database = tx.commit(&mut changes);
    let view = database.read_view();
    let then: Vec<_> = database
        .table(FIRST)
        .unwrap()
        .rows()
        .map(<[u8]>::to_vec)
        .collect();

    let mut tx = database.begin();
    for id in (0..2000).step_by(3) {
        tx.delete(FIRST, &u64::to_le_bytes(id)).unwrap();
    }
    for id in (1..2000).step_by(3) {
        tx.update(
            FIRST,
            &mut account_row(id, "somebody with a longer name", 6),
        )
        .unwrap();
    }
    for id in 2000..4000 {
        tx.insert(FIRST, &mut account_row(id, "bob", 7)).unwrap();
    }
    let later = tx.commit(&mut changes).read_view();
    assert_eq!(view.len(FIRST), 2000);
    assert!(view.rows(FIRST).eq(then.iter().map(Vec::as_slice)));
    assert_eq!(later.len(FIRST), 4000 - 667);
    assert_eq!(later.rows(FIRST).count(), later.len(FIRST));

    let other = std::thread::scope(|scope| scope.spawn(|| view.rows(FIRST).count()).join());
    assert_eq!(other.unwrap(), 2000);
}

#[test]
fn it_knows_its_tables() {
    let view = database(vec![account()]).read_view();
    assert!(view.table_ids().eq([TableId::CONNECTIONS, FIRST]));
    assert_eq!(view.def(FIRST).unwrap().name, "account");
    assert_eq!(view.layout(FIRST).unwrap().types().len(), 3);
    assert_eq!(view.schema().table_id("account"), Some(FIRST));
    assert!(view.is_empty(FIRST));
    assert_eq!(view.auto_increment(FIRST), 0);
    let nobody = TableId(99);
    assert!(view.def(nobody).is_none() && view.layout(nobody).is_none() && view.is_empty(nobody));
    assert_eq!(view.rows(nobody).count(), 0);
}
