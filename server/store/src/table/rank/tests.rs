#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::ops::Bound;

use proptest::collection::vec;
use proptest::prelude::*;
use syncline_protocol::{ChangeSet, IndexKind, TableDef};

use crate::database::Database;
use crate::schema::tests::fixtures::{FIRST, account, account_row, database, index, schema};
use crate::table::IndexId;

const PLAIN: IndexId = IndexId::secondary(1);
const COUNTED: IndexId = IndexId::secondary(2);

/// Accounts with an ordered and a counted index of (owner, balance).
fn counted_account() -> TableDef {
    let mut def = account();
    def.indexes[1] = index("plain", &[1, 2], IndexKind::Ordered, false);
    def.indexes
        .push(index("counted", &[1, 2], IndexKind::Counted, false));
    def
}

/// The memcomparable key of an owner, or of an owner and a balance.
fn key(owner: u8, balance: Option<i64>) -> Vec<u8> {
    let mut key = vec![b'a' + owner, 0, 0];
    if let Some(balance) = balance {
        key.extend((balance ^ i64::MIN).to_be_bytes());
    }
    key
}

fn write(database: Database, changes: &[(u64, u8, i64, bool)]) -> Database {
    let mut tx = database.begin();
    for &(id, owner, balance, is_delete) in changes {
        let owner = char::from(b'a' + owner).to_string();
        if is_delete {
            tx.delete(FIRST, &id.to_le_bytes()).unwrap();
        } else {
            tx.delete(FIRST, &id.to_le_bytes()).unwrap();
            tx.insert(FIRST, &mut account_row(id, &owner, balance))
                .unwrap();
        }
    }
    tx.commit(&mut ChangeSet::new())
}

fn bound(kind: u8, key: &[u8]) -> Bound<&[u8]> {
    match kind {
        0 => Bound::Unbounded,
        1 => Bound::Included(key),
        _ => Bound::Excluded(key),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// An index that counts answers what one that does not finds by looking at every row.
    #[test]
    fn counts_are_those_of_the_rows(
        transactions in vec(vec((0..400_u64, 0..4_u8, -3..3_i64, any::<bool>()), 1..300), 1..6),
        ranges in vec((0..3_u8, 0..4_u8, -3..4_i64, 0..3_u8, 0..4_u8, -3..4_i64, 0..50_usize), 1..10),
    ) {
        let mut database = database(vec![counted_account()]);
        for transaction in &transactions {
            database = write(database, transaction);
        }
        let table = database.table(FIRST).unwrap();
        prop_assert!(table.is_counted(COUNTED) && !table.is_counted(PLAIN));
        prop_assert!(!table.is_counted(IndexId::PRIMARY));
        for (low_kind, low_owner, low, high_kind, high_owner, high, n) in ranges {
            let (low, high) = (key(low_owner, Some(low)), key(high_owner, Some(high)));
            let (low, high) = (bound(low_kind, &low), bound(high_kind, &high));
            let count = table.range_count(COUNTED, low, high);
            prop_assert_eq!(count, table.range(COUNTED, low, high, false).count());
            prop_assert_eq!(count, table.range_count(PLAIN, low, high));
            for (n, reverse) in [(n, false), (n, true), (0, false), (0, true), (usize::MAX, true)] {
                let found = table.nth(COUNTED, low, high, reverse, n);
                prop_assert_eq!(found, table.nth(PLAIN, low, high, reverse, n));
                let expected = table.range(PLAIN, low, high, reverse).nth(n);
                prop_assert_eq!(found, expected);
            }
        }
        for owner in 0..4 {
            let packed = [&1_u32.to_le_bytes()[..], &[b'a' + owner], &1_i64.to_le_bytes()].concat();
            prop_assert_eq!(table.matching_len(COUNTED, &packed), table.matching_len(PLAIN, &packed));
            let before = table.rank(COUNTED, &key(owner, None));
            prop_assert_eq!(before, table.rank(PLAIN, &key(owner, None)));
        }
        let rows = table.range(COUNTED, Bound::Unbounded, Bound::Unbounded, false);
        for (rank, row) in rows.enumerate() {
            prop_assert_eq!(table.rank_of_row(COUNTED, row), Some(rank));
        }
    }
}

#[test]
fn an_ordered_index_may_begin_to_count() {
    let mut plain = counted_account();
    plain.indexes.pop();
    plain.indexes[1].kind = IndexKind::Ordered;
    let mut counted = plain.clone();
    counted.indexes[1].kind = IndexKind::Counted;
    let mut database = database(vec![plain.clone()]);
    database = write(
        database,
        &[(1, 0, 5, false), (2, 1, 5, false), (3, 0, 6, false)],
    );
    for (def, is_counted) in [(&counted, true), (&plain, false)] {
        let module = schema(vec![def.clone()]).module.clone();
        let evolved = database.schema().evolve(module, [8; 32], false).unwrap();
        database.install(evolved).unwrap();
        let table = database.table(FIRST).unwrap();
        assert_eq!(table.is_counted(PLAIN), is_counted);
        assert_eq!(table.rank(PLAIN, &key(1, None)), 2);
    }
    let mut unique = counted;
    unique.indexes[1].unique = true;
    let module = schema(vec![unique]).module.clone();
    assert!(database.schema().evolve(module, [9; 32], false).is_err());
    let row = database.table(FIRST).unwrap().rows().next().unwrap();
    assert_eq!(row, account_row(1, "a", 5));
}
