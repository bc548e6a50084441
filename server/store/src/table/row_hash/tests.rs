#![allow(clippy::unwrap_used)]

use syncline_protocol::ChangeSet;

use super::row_hash;
use crate::schema::tests::fixtures::{FIRST, account, account_row, database};

#[test]
fn it_never_changes() {
    assert_eq!(row_hash(b""), 0xbcc9_2c2b_5d93_d58d);
    assert_eq!(row_hash(b"\0"), 0x9f35_d8ee_bcf5_633c);
    assert_eq!(row_hash(b"0123456789abcdef"), 0xed8a_4a55_de23_1e4c);
    assert_eq!(row_hash(b"0123456789abcdefg"), 0x2032_f8aa_1af8_f367);
}

#[test]
fn the_sum_is_of_the_rows_alone() {
    let sum = |ids: &[u64]| {
        let mut tx = database(vec![account()]).begin();
        for &id in ids {
            tx.insert(FIRST, &mut account_row(id, "ann", 5)).unwrap();
        }
        tx.delete(FIRST, &99_u64.to_le_bytes()).unwrap();
        let database = tx.commit(&mut ChangeSet::new());
        let table = database.table(FIRST).unwrap();
        assert_eq!(table.row_sum(), table.row_hash_sum());
        table.row_sum()
    };
    assert_eq!(sum(&[]), 0);
    assert_eq!(sum(&[1]), row_hash(&account_row(1, "ann", 5)));
    assert_eq!(sum(&[1, 2, 3, 99]), sum(&[99, 3, 1, 2]));
    assert_ne!(sum(&[1, 2]), sum(&[1, 3]));
}
