//! The byte formats: what is written is read, and nothing else is.

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use syncline_protocol::packed::Reader;
use syncline_protocol::{ChangeSet, CodecError, ConnectionId, Epoch, Identity, Lsn, TableId};

use super::fixture::{Session, row, schema};
use crate::database::Database;
use crate::disk::{Disk, MemoryDisk};
use crate::log::RowSums;
use crate::log::changes::{LoggedChange, LoggedChanges};
use crate::log::group::{
    Chain, GROUP_HEADER_BYTES, GroupHeader, Place, group_len, is_blank, put_group,
};
use crate::log::record::{
    self, Encoder, LoggedRecord, LoggedTransaction, Made, OpenRecord, Parts, PublishRecord,
    TransactionRecord,
};
use crate::log::segment::{Beginning, LOG_VERSION, SegmentHeader, segment_number, segment_path};
use crate::log::varint;
use syncline_protocol::{Type, Value};

#[test]
fn varints_of_every_length() {
    let mut numbers = vec![0, 1, u128::MAX, u128::MAX - 1];
    numbers.extend((0..128).flat_map(|bit| [1 << bit, (1u128 << bit) - 1]));
    for number in numbers {
        let mut bytes = Vec::new();
        varint::put(number, &mut bytes);
        let mut reader = Reader::new(&bytes);
        assert_eq!(varint::take(&mut reader), Ok(number));
        assert!(reader.rest().is_empty());
        let cut = &bytes[..bytes.len() - 1];
        assert_eq!(
            varint::take(&mut Reader::new(cut)),
            Err(CodecError::Truncated)
        );
    }
    let too_long = [0xff; 20];
    assert_eq!(
        varint::take(&mut Reader::new(&too_long)),
        Err(CodecError::TooLong)
    );
    let mut bytes = vec![0xff; 18];
    bytes.push(0x04);
    assert_eq!(
        varint::take(&mut Reader::new(&bytes)),
        Err(CodecError::TooLong)
    );
    let mut wide = Vec::new();
    varint::put(1 << 64, &mut wide);
    assert_eq!(
        varint::take_u64(&mut Reader::new(&wide)),
        Err(CodecError::TooLong)
    );
    assert_eq!(
        varint::take_u32(&mut Reader::new(&wide)),
        Err(CodecError::TooLong)
    );
}

#[test]
fn segment_names() {
    let folder = Path::new("/log");
    for number in [1, 9_999_999_999, 10_000_000_000, u64::MAX] {
        let path = segment_path(folder, number);
        let name = path.file_name().unwrap().to_str().unwrap();
        assert_eq!(segment_number(name), Some(number), "{name}");
    }
    assert_eq!(segment_path(folder, 12), Path::new("/log/0000000012.log"));
    for name in [
        "12.log",
        "0000000012",
        "000000001x.log",
        "00000000012.log",
        ".log",
        "LOCK",
    ] {
        assert_eq!(segment_number(name), None, "{name}");
    }
}

#[test]
fn segment_headers() {
    let header = SegmentHeader {
        number: 3,
        first: Lsn(10),
        durable: Lsn(9),
        epoch: Epoch(2),
        salt: 5,
        whole: 128,
        chain: Chain([7; 32]),
        version: LOG_VERSION,
    };
    let bytes = header.encode();
    assert_eq!(Beginning::decode(&bytes), Beginning::Header(header));
    assert_eq!(Beginning::decode(&[0; 500]), Beginning::Blank);
    assert_eq!(Beginning::decode(&[]), Beginning::Blank);
    assert_eq!(Beginning::decode(&bytes[..100]), Beginning::Bad);
    for at in 0..bytes.len() {
        let mut flipped = bytes;
        flipped[at] ^= 1;
        assert_eq!(Beginning::decode(&flipped), Beginning::Bad, "byte {at}");
    }
}

#[test]
fn group_headers() {
    let mut bytes = Vec::new();
    let place = Place {
        first: Lsn(7),
        durable: Lsn(6),
        count: 1,
        chain: Chain([5; 32]),
    };
    let after = put_group(b"records", place, 99, &mut bytes);
    assert_ne!(after, place.chain);
    assert_eq!(after, place.chain.after(&bytes, 1));
    assert_eq!(
        place.chain.after(&bytes, 0),
        place.chain,
        "groups without an lsn are no part of it"
    );
    assert_eq!(bytes.len(), group_len(7));
    let header = GroupHeader::decode(&bytes, 99).unwrap();
    assert_eq!(
        (header.first, header.durable, header.count),
        (Lsn(7), Lsn(6), 1)
    );
    assert_eq!(header.chain, place.chain);
    assert_eq!(header.records(&bytes), Some(b"records".as_slice()));
    assert_eq!(header.len(), bytes.len());
    assert_eq!(
        GroupHeader::decode(&bytes, 98),
        None,
        "another log has another salt"
    );
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        let records =
            GroupHeader::decode(&flipped, 99).and_then(|h| h.records(&flipped).map(<[u8]>::len));
        assert_eq!(records, None, "byte {at}");
    }
    for len in 0..GROUP_HEADER_BYTES + 7 {
        let cut = &bytes[..len];
        assert!(
            GroupHeader::decode(cut, 99)
                .and_then(|h| h.records(cut))
                .is_none(),
            "{len} bytes"
        );
    }
}

#[test]
fn blank_bytes() {
    for len in 0..40 {
        let mut bytes = vec![0; len];
        assert!(is_blank(&bytes));
        for at in 0..len {
            bytes[at] = 1;
            assert!(!is_blank(&bytes), "byte {at} of {len}");
            bytes[at] = 0;
        }
    }
}

#[test]
fn opens_and_seals() {
    let open = OpenRecord {
        epoch: Epoch(3),
        parent: Epoch(2),
        start: Lsn(40),
        time: -5,
        hash_seed: u64::MAX,
    };
    let mut bytes = Vec::new();
    let (session, ..) = tables();
    record::put_open(&open, session.database(), &mut bytes);
    assert!(record::starts_with_open(&bytes));
    record::put_seal(Lsn(41), &mut bytes);
    let mut reader = Reader::new(&bytes);
    let Ok(LoggedRecord::Open(read, sums)) = record::take(&mut reader) else {
        panic!("an open was written")
    };
    assert_eq!(read, open);
    assert_eq!(sums.check(session.database()), Ok(()));
    assert_eq!(sums.iter().count(), session.database().tables().len());
    let other = Database::new(1);
    assert!(sums.check(&other).is_err() && RowSums::default().check(&other).is_err());
    assert!(!record::starts_with_open(reader.rest()));
    assert!(matches!(
        record::take(&mut reader),
        Ok(LoggedRecord::Seal(Lsn(41)))
    ));
    assert!(reader.rest().is_empty());
}

/// A session with both tables, and their ids.
fn tables() -> (Session, TableId, TableId) {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let mut session = Session::open(&disk, super::SMALL).unwrap();
    session.publish(1, false).unwrap();
    let id = |name| session.database().schema().table_id(name).unwrap();
    let (item, tile) = (id("item"), id("tile"));
    (session, item, tile)
}

const TRANSACTION: TransactionRecord<'static> = TransactionRecord {
    time: 123_456,
    caller: Identity([1; 32]),
    connection: ConnectionId([2; 16]),
    reducer: "café",
    args: &[3; 200],
    seed: [4; 32],
};

fn encoded(with_audit: bool, made: &Made<'_>, encoder: &mut Encoder) -> Vec<u8> {
    let mut bytes = Vec::new();
    // The row sums in every other record, so that both are tried with every kind of change.
    let parts = Parts {
        audit: with_audit,
        sums: !with_audit,
    };
    record::put_transaction(Lsn(9), &TRANSACTION, parts, made, encoder, &mut bytes);
    bytes
}

fn decoded(bytes: &[u8]) -> LoggedTransaction<'_> {
    let mut reader = Reader::new(bytes);
    let read = record::take(&mut reader);
    assert!(reader.rest().is_empty());
    match read {
        Ok(LoggedRecord::Transaction(transaction)) => transaction,
        other => panic!("a transaction was written, {other:?} is read"),
    }
}

#[test]
fn transactions_with_every_kind_of_change() {
    let (session, item, tile) = tables();
    let item_row = |id, name: &str| {
        let types = [Type::U64, Type::U32, Type::String];
        row(
            &types,
            &[
                Value::U64(id),
                Value::U32(7),
                Value::String(name.to_owned()),
            ],
        )
    };
    let tile_types = [Type::U8, Type::U16, Type::String];
    let tile_row = row(
        &tile_types,
        &[Value::U8(1), Value::U16(2), Value::String("y".into())],
    );
    let (one, long, two) = (
        item_row(1, "one"),
        item_row(1, &"x".repeat(300)),
        item_row(2, "two"),
    );
    let mut changes = ChangeSet::new();
    changes.push(item, None, Some(&one));
    changes.push(item, Some(&one), Some(&long));
    changes.push(item, Some(&two), None);
    changes.push(tile, Some(&tile_row), None);
    let made = Made {
        database: session.database(),
        changes: &changes,
    };
    let two_key = row(&[Type::U64], &[Value::U64(2)]);
    let tile_key = row(
        &tile_types[1..],
        &[Value::U16(2), Value::String("y".into())],
    );
    let expected = [
        LoggedChange::Mark(item, session.database().auto_increment(item)),
        LoggedChange::Insert(item, &one),
        LoggedChange::Update(item, &long),
        LoggedChange::Delete(item, &two_key),
        LoggedChange::Delete(tile, &tile_key),
    ];
    for with_audit in [true, false] {
        let mut encoder = Encoder::default();
        let bytes = encoded(with_audit, &made, &mut encoder);
        assert_eq!(record::len_of_first(&bytes), Some(bytes.len()));
        let read = decoded(&bytes);
        assert_eq!((read.lsn, read.time), (Lsn(9), TRANSACTION.time));
        assert_eq!(read.audit.is_some(), with_audit);
        assert_eq!(read.sums.is_some(), !with_audit);
        assert!(read.changes.map(Result::unwrap).eq(expected));
        // Every cut of it is refused, wherever it is.
        for len in 0..bytes.len() {
            assert!(is_refused(&bytes[..len]), "{len} of {} bytes", bytes.len());
        }
        // The mark is as it was: it is not written again.
        let again = encoded(with_audit, &made, &mut encoder);
        let changes = decoded(&again).changes;
        assert!(changes.map(Result::unwrap).eq(expected.into_iter().skip(1)));
    }
}

#[test]
fn the_audit_part_says_who_did_what() {
    let (session, ..) = tables();
    let made = Made {
        database: session.database(),
        changes: &ChangeSet::new(),
    };
    let bytes = encoded(true, &made, &mut Encoder::default());
    let audit = decoded(&bytes).audit.unwrap();
    assert_eq!(audit.caller, TRANSACTION.caller);
    assert_eq!(audit.connection, TRANSACTION.connection);
    assert_eq!(audit.seed, TRANSACTION.seed);
    assert_eq!(
        (audit.reducer, audit.args),
        (TRANSACTION.reducer, TRANSACTION.args)
    );
}

fn is_refused(bytes: &[u8]) -> bool {
    match record::take(&mut Reader::new(bytes)) {
        Err(_) => true,
        Ok(LoggedRecord::Transaction(mut read)) => read.changes.any(|change| change.is_err()),
        Ok(LoggedRecord::Publish(mut read)) => read.changes.any(|change| change.is_err()),
        Ok(LoggedRecord::Open(..) | LoggedRecord::Seal(_)) => false,
    }
}

#[test]
fn publishes() {
    let (session, ..) = tables();
    let old = session.database().schema();
    let evolved = old.evolve(schema(2), [8; 32], false).unwrap();
    let publish = PublishRecord {
        time: 7,
        caller: Identity([1; 32]),
        schema: &evolved,
        clear_data: true,
    };
    let mut bytes = Vec::new();
    let made = Made {
        database: session.database(),
        changes: &ChangeSet::new(),
    };
    record::put_publish(Lsn(4), &publish, &made, &mut Encoder::default(), &mut bytes);
    let Ok(LoggedRecord::Publish(mut read)) = record::take(&mut Reader::new(&bytes)) else {
        panic!("a publish was written")
    };
    assert_eq!((read.lsn, read.time, read.clear_data), (Lsn(4), 7, true));
    assert_eq!(read.caller, publish.caller);
    assert_eq!(read.schema, *evolved);
    assert!(matches!(
        read.changes.next(),
        Some(Ok(LoggedChange::Mark(_, 0)))
    ));
    assert!(read.changes.next().is_none());
    for len in 0..bytes.len() {
        assert!(is_refused(&bytes[..len]), "{len} of {} bytes", bytes.len());
    }
}

#[test]
fn a_record_of_a_later_kind_is_named_as_such() {
    let bytes = [1, 0, 0, 0, 5];
    assert_eq!(
        record::take(&mut Reader::new(&bytes)).unwrap_err(),
        CodecError::Unknown
    );
}

proptest! {
    #[test]
    fn random_bytes_are_records_or_errors(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for kind in 0..6u8 {
            let mut record = (bytes.len() as u32 + 1).to_le_bytes().to_vec();
            record.push(kind);
            record.extend_from_slice(&bytes);
            is_refused(&record);
        }
        let changes: Vec<_> = LoggedChanges::new(&bytes).collect();
        prop_assert!(changes.iter().rev().skip(1).all(Result::is_ok), "an error is the last");
    }
}
