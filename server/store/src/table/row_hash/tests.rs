#![allow(clippy::unwrap_used)]

use syncline_protocol::ChangeSet;

use super::row_hash;
use crate::schema::tests::fixtures::{FIRST, account, account_row, database};

/// The first value is SplitMix64's first output for the seed 0.
#[test]
fn it_never_changes() {
    assert_eq!(row_hash(b""), 0xe220_a839_7b1d_cdaf);
    assert_eq!(row_hash(b"\0"), 0x5e41_ab08_7439_611e);
    assert_eq!(row_hash(b"12345678"), 0x83db_ec76_b33f_9ca3);
    assert_eq!(row_hash(b"123456789"), 0x7cf4_6f00_f45f_a22a);
}

#[test]
fn the_sum_is_of_the_rows_alone() {
    let sum = |ids: &[u64]| {
        let mut tx = database(vec![account()]).begin();
        for &id in ids {
            tx.insert(FIRST, &mut account_row(id, "ann", 5)).unwrap();
        }
        tx.delete(FIRST, &99_u64.to_le_bytes()).unwrap();
        tx.commit(&mut ChangeSet::new())
            .table(FIRST)
            .unwrap()
            .row_hash_sum()
    };
    assert_eq!(sum(&[]), 0);
    assert_eq!(sum(&[1]), row_hash(&account_row(1, "ann", 5)));
    assert_eq!(sum(&[1, 2, 3, 99]), sum(&[99, 3, 1, 2]));
    assert_ne!(sum(&[1, 2]), sum(&[1, 3]));
}
