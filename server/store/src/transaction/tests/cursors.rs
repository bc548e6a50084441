//! Edges of scans that the model does not reach.

use syncline_protocol::abi::{BOUND_EXCLUDED, BOUND_INCLUDED, BOUND_NONE, SCAN_REVERSE};
use syncline_protocol::{CodecError, IndexKind, TableId, Type, packed};

use super::scans::unpack;
use crate::schema::tests::fixtures::{FIRST, account, account_row, database, index, table};
use crate::table::IndexId;
use crate::transaction::{ScanChunk, ScanError, ScanPosition, Transaction};

const BY_OWNER: IndexId = IndexId::secondary(0);
const BY_BALANCE: IndexId = IndexId::secondary(1);

fn accounts(count: u64) -> Transaction {
    let mut tx = database(vec![account()]).begin();
    for id in 0..count {
        tx.insert(FIRST, &mut account_row(id, "ann", id as i64))
            .unwrap();
    }
    tx
}

fn bounds(sides: Sides<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for (kind, key) in sides {
        out.push(kind);
        if kind != BOUND_NONE {
            packed::put_sized(key, &mut out);
        }
    }
    out
}

fn open(tx: &Transaction, index: IndexId, flags: u32, bounds: &[u8]) -> ScanPosition {
    ScanPosition::open(tx.table(FIRST).unwrap(), index, flags, bounds).unwrap()
}

/// Kind and packed prefix of the lower bound and of the upper one.
type Sides<'a> = [(u8, &'a [u8]); 2];

fn owner_ann() -> Vec<u8> {
    let ann = b"\x03\0\0\0ann";
    bounds([(BOUND_INCLUDED, ann), (BOUND_INCLUDED, ann)])
}

#[test]
fn bad_scans_are_refused() {
    let tx = accounts(1);
    let balance = 5_i64.to_le_bytes();
    let between = bounds([(BOUND_INCLUDED, &balance), (BOUND_EXCLUDED, &balance)]);
    let prefix = bounds([(BOUND_INCLUDED, &[]), (BOUND_INCLUDED, &[])]);
    let cases: &[(u16, u32, &[u8], ScanError)] = &[
        (3, 0, &[], ScanError::NoIndex),
        (0, 2, &[], ScanError::BadFlags),
        (0, SCAN_REVERSE, &[], ScanError::NotOrdered),
        (0, 0, &between, ScanError::NotOrdered),
        (0, 0, &prefix, ScanError::NotOrdered),
        (1, 0, &prefix, ScanError::NotOrdered),
        (2, 0, &[3, 0], ScanError::BadBounds(CodecError::BadTag)),
        (2, 0, &[0], ScanError::BadBounds(CodecError::Truncated)),
        (
            2,
            0,
            &[0, 0, 0],
            ScanError::BadBounds(CodecError::TrailingBytes),
        ),
        (
            2,
            0,
            &[1, 9, 0, 0, 0, 1],
            ScanError::BadBounds(CodecError::Truncated),
        ),
        (
            2,
            0,
            &[1, 1, 0, 0, 0, 1, 0],
            ScanError::BadBounds(CodecError::Truncated),
        ),
        (
            1,
            0,
            &[1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 1],
            ScanError::BadBounds(CodecError::Truncated),
        ),
    ];
    for &(index, flags, bounds, error) in cases {
        let refused = ScanPosition::open(tx.table(FIRST).unwrap(), IndexId(index), flags, bounds);
        assert_eq!(
            refused.unwrap_err(),
            error,
            "index {index}, bounds {bounds:?}"
        );
    }
}

#[test]
fn a_row_that_does_not_fit_is_not_lost() {
    let mut tx = accounts(3);
    for (index, bounds) in [
        (IndexId::PRIMARY, vec![]),
        (BY_OWNER, owner_ann()),
        (BY_BALANCE, vec![]),
    ] {
        let mut scan = open(&tx, index, 0, &bounds);
        let mut out = Vec::new();
        let row_bytes = 4 + account_row(0, "ann", 0).len();
        assert_eq!(
            tx.scan_chunk(FIRST, &mut scan, 0, &mut out),
            ScanChunk::RowTooLarge
        );
        assert_eq!(
            tx.scan_chunk(FIRST, &mut scan, row_bytes - 1, &mut out),
            ScanChunk::RowTooLarge
        );
        assert!(out.is_empty());
        assert_eq!(
            tx.scan_chunk(FIRST, &mut scan, row_bytes, &mut out),
            ScanChunk::More
        );
        assert_eq!(
            tx.scan_chunk(FIRST, &mut scan, 1, &mut out),
            ScanChunk::RowTooLarge
        );
        assert_eq!(
            tx.scan_chunk(FIRST, &mut scan, 2 * row_bytes, &mut out),
            ScanChunk::Done
        );
        assert_eq!(unpack(&out).len(), 3);
        assert_eq!(
            tx.scan_chunk(FIRST, &mut scan, 1000, &mut out),
            ScanChunk::Done
        );
        assert_eq!(unpack(&out).len(), 3);
    }
    // A scan belongs to its table.
    let mut scan = open(&tx, IndexId::PRIMARY, 0, &[]);
    for other in [TableId::CONNECTIONS, TableId(99)] {
        assert_eq!(
            tx.scan_chunk(other, &mut scan, 1000, &mut Vec::new()),
            ScanChunk::Done
        );
    }
    let mut empty = open(&accounts(0), IndexId::PRIMARY, 0, &[]);
    assert_eq!(
        tx.scan_chunk(FIRST, &mut empty, 0, &mut Vec::new()),
        ScanChunk::RowTooLarge
    );
    assert_eq!(tx.delete(FIRST, &0_u64.to_le_bytes()), Ok(true));
}

/// Every row that is read grows and so moves to another page; none is met twice or missed.
#[test]
fn rows_that_move_are_seen_once() {
    for (index, bounds) in [(IndexId::PRIMARY, vec![]), (BY_OWNER, owner_ann())] {
        let mut tx = accounts(1000);
        let mut scan = open(&tx, index, 0, &bounds);
        let mut seen = Vec::new();
        loop {
            let mut out = Vec::new();
            let end = tx.scan_chunk(FIRST, &mut scan, 500, &mut out);
            for row in unpack(&out) {
                let id = u64::from_le_bytes(row[..8].try_into().unwrap());
                seen.push(id);
                // This one grows; one that is yet to come grows too, and one is new.
                let name = "somebody with a much longer name ".repeat(10);
                tx.update(FIRST, &mut account_row(id, &name, 0)).unwrap();
                if id % 2 == 0 && index == IndexId::PRIMARY {
                    tx.update(FIRST, &mut account_row(999 - id, &name, 0))
                        .unwrap();
                }
                tx.insert(FIRST, &mut account_row(10_000 + id, "ann", 0))
                    .unwrap();
            }
            if end == ScanChunk::Done {
                break;
            }
        }
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..1000));
    }
}

#[test]
fn a_deleted_row_is_not_seen_and_its_successor_in_the_slot_neither() {
    for (index, bounds) in [(IndexId::PRIMARY, vec![]), (BY_OWNER, owner_ann())] {
        let mut tx = accounts(100);
        let mut scan = open(&tx, index, 0, &bounds);
        let mut out = Vec::new();
        assert_eq!(
            tx.scan_chunk(FIRST, &mut scan, 300, &mut out),
            ScanChunk::More
        );
        let first = unpack(&out).len() as u64;
        for id in 50..100_u64 {
            tx.delete(FIRST, &id.to_le_bytes()).unwrap();
            tx.insert(FIRST, &mut account_row(id + 100, "ann", 0))
                .unwrap();
        }
        let mut out = Vec::new();
        assert_eq!(
            tx.scan_chunk(FIRST, &mut scan, 100_000, &mut out),
            ScanChunk::Done
        );
        let ids: Vec<_> = unpack(&out).iter().map(|row| u64::from(row[0])).collect();
        assert!(ids.into_iter().eq(first..50));
    }
}

#[test]
fn bounds_are_prefixes() {
    let columns = [("id", Type::U8), ("a", Type::U8), ("b", Type::U8)];
    let mut def = table("t", &columns, &[0]);
    def.indexes
        .push(index("ab", &[1, 2], IndexKind::Ordered, false));
    let mut tx = database(vec![def]).begin();
    let mut id = 0;
    for a in [0, 1, 255] {
        for b in [0, 7, 255] {
            tx.insert(FIRST, &mut [id, a, b]).unwrap();
            id += 1;
        }
    }
    let no = (BOUND_NONE, &[][..]);
    let cases: &[(Sides<'_>, std::ops::Range<u8>)] = &[
        ([no, no], 0..9),
        ([(BOUND_INCLUDED, &[]), (BOUND_INCLUDED, &[])], 0..9),
        ([(BOUND_EXCLUDED, &[]), no], 0..0),
        ([no, (BOUND_EXCLUDED, &[])], 0..0),
        ([(BOUND_INCLUDED, &[1]), (BOUND_INCLUDED, &[1])], 3..6),
        ([(BOUND_EXCLUDED, &[1]), no], 6..9),
        ([(BOUND_EXCLUDED, &[255]), no], 0..0),
        ([no, (BOUND_INCLUDED, &[255])], 0..9),
        ([no, (BOUND_EXCLUDED, &[255])], 0..6),
        (
            [(BOUND_INCLUDED, &[1, 7]), (BOUND_EXCLUDED, &[255, 7])],
            4..7,
        ),
        (
            [(BOUND_EXCLUDED, &[1, 7]), (BOUND_INCLUDED, &[255, 255])],
            5..9,
        ),
        ([(BOUND_INCLUDED, &[255]), (BOUND_INCLUDED, &[0])], 0..0),
        ([(BOUND_EXCLUDED, &[1]), (BOUND_EXCLUDED, &[1])], 0..0),
    ];
    for (sides, expected) in cases {
        for flags in [0, SCAN_REVERSE] {
            let mut scan = open(&tx, IndexId::secondary(0), flags, &bounds(*sides));
            let mut ids = Vec::new();
            loop {
                let mut out = Vec::new();
                let end = tx.scan_chunk(FIRST, &mut scan, 15, &mut out);
                ids.extend(unpack(&out).iter().map(|row| row[0]));
                if end == ScanChunk::Done {
                    break;
                }
            }
            if flags == SCAN_REVERSE {
                ids.reverse();
            }
            assert!(
                ids.iter().copied().eq(expected.clone()),
                "{sides:?} {ids:?}"
            );
        }
    }
}
