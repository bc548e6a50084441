//! Edges of insert, update, delete, commit and rollback.

use syncline_protocol::limits::{
    CALL_ROWS_MAX, CALL_WRITE_BYTES_MAX, KEY_BYTES_MAX, ROW_BYTES_MAX,
};
use syncline_protocol::{ChangeSet, CodecError, IndexKind, TableDef, TableId, Type, Value};

use crate::schema::tests::fixtures::{FIRST, account, account_row, database, index, row, table};
use crate::table::{IndexId, WriteError};
use crate::transaction::Transaction;

fn key(id: u64) -> [u8; 8] {
    id.to_le_bytes()
}

/// A table of blobs with an ordered index over them, and one without.
fn blobs(indexed: bool) -> TableDef {
    let mut def = table("blob", &[("id", Type::U64), ("blob", Type::Bytes)], &[0]);
    if indexed {
        def.indexes
            .push(index("by_blob", &[1], IndexKind::Ordered, false));
    }
    def
}

fn blob(id: u64, bytes: Vec<u8>) -> Vec<u8> {
    row(&blobs(false), &[Value::U64(id), Value::Bytes(bytes)])
}

type OldAndNew = (Option<Vec<u8>>, Option<Vec<u8>>);

fn net(tx: Transaction) -> (crate::Database, Vec<OldAndNew>) {
    let mut changes = ChangeSet::new();
    changes.push(FIRST, None, Some(b"of another transaction"));
    let database = tx.commit(&mut changes);
    let owned = |row: Option<&[u8]>| row.map(<[u8]>::to_vec);
    let rows = changes
        .iter()
        .map(|change| (owned(change.old), owned(change.new)))
        .collect();
    (database, rows)
}

#[test]
fn changes_are_net() {
    let (ann, rich, bob) = (
        account_row(1, "ann", 5),
        account_row(1, "ann", 6),
        account_row(2, "bob", 7),
    );
    let mut tx = database(vec![account()]).begin();
    tx.insert(FIRST, &mut ann.clone()).unwrap();
    let (database, _) = net(tx);

    // There and back again.
    let mut tx = database.begin();
    tx.update(FIRST, &mut rich.clone()).unwrap();
    tx.update(FIRST, &mut ann.clone()).unwrap();
    tx.insert(FIRST, &mut bob.clone()).unwrap();
    assert_eq!(tx.delete(FIRST, &key(2)), Ok(true));
    assert_eq!(tx.delete(FIRST, &key(2)), Ok(false));
    assert_eq!(tx.written_rows(), 2);
    assert_eq!(tx.written_bytes(), 2 * ann.len() + 2 * bob.len());
    let (database, changes) = net(tx);
    assert_eq!(changes, []);

    // A delete and an insert of one key are an update, at the place of the first of them.
    let mut tx = database.begin();
    assert_eq!(tx.delete(FIRST, &key(1)), Ok(true));
    tx.insert(FIRST, &mut bob.clone()).unwrap();
    tx.insert(FIRST, &mut rich.clone()).unwrap();
    let (database, changes) = net(tx);
    assert_eq!(
        changes,
        [(Some(ann), Some(rich.clone())), (None, Some(bob.clone()))]
    );

    let mut tx = database.begin();
    assert_eq!(tx.delete(FIRST, &key(2)), Ok(true));
    assert_eq!(tx.written_rows(), 1);
    let database = tx.rollback();
    assert_eq!(
        database
            .table(FIRST)
            .unwrap()
            .find(IndexId::PRIMARY, &key(2)),
        Some(&bob[..])
    );
    let (_, changes) = net(database.begin());
    assert_eq!(
        changes,
        [],
        "a rolled back transaction leaves nothing to the next one"
    );
}

#[test]
fn tables_come_in_the_order_of_their_ids() {
    let other = table("other", &[("id", Type::U64)], &[0]);
    let mut tx = database(vec![account(), other]).begin();
    let second = TableId(FIRST.0 + 1);
    // More than are searched one by one, and in turns.
    for id in (0..50).rev() {
        tx.insert(second, &mut key(id).to_vec()).unwrap();
        tx.insert(FIRST, &mut account_row(id, "ann", 1)).unwrap();
    }
    for id in 0..50 {
        tx.update(FIRST, &mut account_row(id, "bob", 2)).unwrap();
    }
    let mut changes = ChangeSet::new();
    let _database = tx.commit(&mut changes);
    let found: Vec<_> = changes
        .iter()
        .map(|c| (c.table, c.new.unwrap()[0]))
        .collect();
    let group = |table| (0..50_u8).rev().map(move |id| (table, id));
    assert_eq!(found, group(FIRST).chain(group(second)).collect::<Vec<_>>());
}

#[test]
fn what_is_no_row_is_refused() {
    let mut tx = database(vec![account()]).begin();
    let good = account_row(1, "ann", 5);
    let cases = [
        (vec![], WriteError::Codec(CodecError::Truncated)),
        (
            good[..good.len() - 1].to_vec(),
            WriteError::Codec(CodecError::Truncated),
        ),
        (
            [&good[..], &[0]].concat(),
            WriteError::Codec(CodecError::TrailingBytes),
        ),
        (
            [&key(1)[..], &[1, 0, 0, 0, 0xff], &key(5)].concat(),
            CodecError::NotUtf8.into(),
        ),
        (vec![0; ROW_BYTES_MAX + 1], WriteError::RowTooLarge),
    ];
    for (row, error) in cases {
        assert_eq!(tx.insert(FIRST, &mut row.clone()), Err(error));
        assert_eq!(tx.update(FIRST, &mut row.clone()), Err(error));
    }
    let nowhere = TableId(99);
    assert_eq!(
        tx.insert(nowhere, &mut good.clone()),
        Err(WriteError::NoTable)
    );
    assert_eq!(
        tx.update(nowhere, &mut good.clone()),
        Err(WriteError::NoTable)
    );
    assert_eq!(tx.delete(nowhere, &key(1)), Err(WriteError::NoTable));
    assert!(tx.table(nowhere).is_none());
    assert_eq!(
        tx.update(FIRST, &mut good.clone()),
        Err(WriteError::NotFound)
    );
    for malformed in [&[][..], &[1], &[0; 9], &[0; 70]] {
        assert_eq!(tx.delete(FIRST, malformed), Ok(false));
    }
    assert_eq!((tx.written_rows(), tx.written_bytes()), (0, 0));
}

#[test]
fn a_key_has_a_limit() {
    let mut tx = database(vec![blobs(true)]).begin();
    let longest = KEY_BYTES_MAX - 4;
    tx.insert(FIRST, &mut blob(1, vec![7; longest])).unwrap();
    let refused = tx.insert(FIRST, &mut blob(2, vec![7; longest + 1]));
    assert_eq!(refused, Err(WriteError::KeyTooLarge));
    // Zero bytes take two in the memcomparable form.
    let refused = tx.update(FIRST, &mut blob(1, vec![0; longest]));
    assert_eq!(refused, Err(WriteError::KeyTooLarge));
    let by_bytes = table("t", &[("id", Type::Bytes)], &[0]);
    let mut tx = database(vec![by_bytes.clone()]).begin();
    let row = |len| row(&by_bytes, &[Value::Bytes(vec![1; len])]);
    assert_eq!(tx.insert(FIRST, &mut row(longest)), Ok(None));
    assert_eq!(
        tx.insert(FIRST, &mut row(longest + 1)),
        Err(WriteError::KeyTooLarge)
    );
}

#[test]
fn a_transaction_has_limits() {
    let megabyte = ROW_BYTES_MAX - 12;
    let mut tx = database(vec![blobs(false)]).begin();
    for id in 0..(CALL_WRITE_BYTES_MAX / ROW_BYTES_MAX) as u64 {
        tx.insert(FIRST, &mut blob(id, vec![1; megabyte])).unwrap();
    }
    assert_eq!(tx.written_bytes(), CALL_WRITE_BYTES_MAX);
    assert_eq!(
        tx.insert(FIRST, &mut blob(99, vec![])),
        Err(WriteError::TooManyBytes)
    );
    assert_eq!(
        tx.update(FIRST, &mut blob(1, vec![])),
        Err(WriteError::TooManyBytes)
    );
    assert_eq!(tx.delete(FIRST, &key(1)), Err(WriteError::TooManyBytes));
    let database = tx.commit(&mut ChangeSet::new());

    // What is read of the old rows counts too: the change set holds it.
    let mut tx = database.begin();
    assert_eq!(tx.update(FIRST, &mut blob(1, vec![])), Ok(()));
    assert_eq!(tx.written_bytes(), ROW_BYTES_MAX);
    for id in 2..64 {
        assert_eq!(tx.delete(FIRST, &key(id)), Ok(true));
    }
    assert_eq!(tx.delete(FIRST, &key(0)), Ok(true));
    assert_eq!(tx.delete(FIRST, &key(1)), Err(WriteError::TooManyBytes));
    let database = tx.rollback();
    assert_eq!(database.table(FIRST).unwrap().len(), 64);
}

#[test]
fn a_transaction_changes_a_million_rows_and_no_more() {
    let def = table("t", &[("id", Type::U32)], &[0]);
    let mut tx = database(vec![def]).begin();
    for id in 0..CALL_ROWS_MAX as u32 {
        tx.insert(FIRST, &mut id.to_le_bytes()).unwrap();
    }
    let one_more = &mut u32::MAX.to_le_bytes();
    assert_eq!(tx.insert(FIRST, one_more), Err(WriteError::TooManyRows));
    assert_eq!(
        tx.update(FIRST, &mut 5_u32.to_le_bytes()),
        Ok(()),
        "it is one of the million"
    );
    assert_eq!(tx.delete(FIRST, &5_u32.to_le_bytes()), Ok(true));
    let database = tx.rollback();
    assert!(database.table(FIRST).unwrap().is_empty());
    assert_eq!(database.begin().insert(FIRST, one_more), Ok(None));
}

#[test]
fn values_are_assigned_in_turn() {
    let mut def = table("t", &[("name", Type::String), ("id", Type::I8)], &[1]);
    def.auto_increment = Some(1);
    def.indexes.push(index("name", &[0], IndexKind::Hash, true));
    let row = |name: &str, id| row(&def, &[Value::String(name.to_owned()), Value::I8(id)]);
    let mut tx = database(vec![def.clone()]).begin();
    let mut first = row("a", 0);
    assert_eq!(tx.insert(FIRST, &mut first), Ok(Some(1)));
    assert_eq!(first, row("a", 1), "the caller sees the value");
    assert_eq!(
        tx.insert(FIRST, &mut row("b", -5)),
        Ok(None),
        "a negative value is no mark"
    );
    assert_eq!(tx.insert(FIRST, &mut row("c", 0)), Ok(Some(2)));
    assert_eq!(
        tx.insert(FIRST, &mut row("d", 9)),
        Ok(None),
        "an explicit value raises the mark"
    );
    let clash = WriteError::Unique {
        index: IndexId::secondary(0),
    };
    assert_eq!(tx.insert(FIRST, &mut row("d", 0)), Err(clash));
    assert_eq!(
        tx.insert(FIRST, &mut row("e", 0)),
        Ok(Some(10)),
        "a failed insert takes none"
    );
    assert_eq!(tx.high_water().collect::<Vec<_>>(), [(FIRST, 10)]);
    let database = tx.commit(&mut ChangeSet::new());
    assert_eq!(database.begin().high_water().count(), 0);
}

#[test]
fn values_run_out_and_come_back() {
    let mut def = table("t", &[("id", Type::I8)], &[0]);
    def.auto_increment = Some(0);
    let mut tx = database(vec![def]).begin();
    assert_eq!(tx.insert(FIRST, &mut [126]), Ok(None));
    let database = tx.commit(&mut ChangeSet::new());
    let mut tx = database.begin();
    assert_eq!(tx.insert(FIRST, &mut [0]), Ok(Some(127)));
    assert_eq!(tx.insert(FIRST, &mut [0]), Err(WriteError::Exhausted));
    let database = tx.rollback();
    assert_eq!(database.auto_increment(FIRST), 126);
    let mut tx = database.begin();
    assert_eq!(tx.insert(FIRST, &mut [0]), Ok(Some(127)));
    // A row that came and went leaves its mark, though no change.
    assert_eq!(tx.delete(FIRST, &[127]), Ok(true));
    assert_eq!(tx.high_water().collect::<Vec<_>>(), [(FIRST, 127)]);
    let (database, changes) = net(tx);
    assert_eq!((database.auto_increment(FIRST), changes), (127, vec![]));
}

#[test]
fn an_update_raises_the_mark_too() {
    let mut def = table("t", &[("id", Type::U8), ("number", Type::U16)], &[0]);
    def.indexes
        .push(index("number", &[1], IndexKind::Hash, true));
    def.auto_increment = Some(1);
    let mut tx = database(vec![def]).begin();
    assert_eq!(tx.insert(FIRST, &mut [1, 0, 0]), Ok(Some(1)));
    assert_eq!(tx.update(FIRST, &mut [1, 0, 2]), Ok(()));
    assert_eq!(tx.insert(FIRST, &mut [2, 0, 0]), Ok(Some(513)));
}

#[test]
fn a_null_is_no_key() {
    for kind in [IndexKind::Hash, IndexKind::Ordered] {
        let columns = [
            ("id", Type::U8),
            ("a", Type::option(Type::U8)),
            ("b", Type::U8),
        ];
        let mut def = table("t", &columns, &[0]);
        def.indexes.push(index("ab", &[1, 2], kind, true));
        let mut tx = database(vec![def]).begin();
        for id in 0..3 {
            assert_eq!(tx.insert(FIRST, &mut [id, 1, 7]), Ok(None));
        }
        assert_eq!(tx.insert(FIRST, &mut [3, 0, 1, 7]), Ok(None));
        let clash = WriteError::Unique {
            index: IndexId::secondary(0),
        };
        assert_eq!(tx.insert(FIRST, &mut [4, 0, 1, 7]), Err(clash));
        assert_eq!(tx.update(FIRST, &mut [0, 0, 1, 7]), Err(clash));
        assert_eq!(tx.update(FIRST, &mut [0, 0, 1, 8]), Ok(()));
        let table = tx.table(FIRST).unwrap();
        let index = IndexId::secondary(0);
        assert_eq!(table.find(index, &[1, 7]), None, "a NULL identifies no row");
        assert_eq!(
            table.matching_len(index, &[1, 7]),
            2,
            "but it can be asked for"
        );
        assert_eq!(table.find(index, &[0, 1, 8]), Some(&[0, 0, 1, 8][..]));
    }
}

#[test]
fn an_index_that_is_not_there_has_no_rows() {
    let mut tx = database(vec![account()]).begin();
    tx.insert(FIRST, &mut account_row(1, "ann", 5)).unwrap();
    let table = tx.table(FIRST).unwrap();
    for index in [IndexId(3), IndexId(u16::MAX)] {
        assert!(!table.is_ordered(index));
        assert_eq!(table.find(index, &key(1)), None);
        assert_eq!(table.matching_len(index, &key(1)), 0);
        let all = std::ops::Bound::Unbounded;
        assert_eq!(table.range(index, all, all, false).count(), 0);
    }
    let by_owner = IndexId::secondary(0);
    assert_eq!(
        table.find(by_owner, b"\x03\0\0\0ann"),
        None,
        "it is not unique"
    );
    assert_eq!(table.matching(by_owner, b"\x03\0\0\0ann").count(), 1);
    assert_eq!(table.matching(IndexId::secondary(1), b"short").count(), 0);
}
