//! What a log must agree with beyond its own checksums: its history, its rows, its version.

use std::path::Path;

use syncline_protocol::Lsn;

use super::damage::{checksum_again, copy_of, groups};
use super::{OpenError, reopened, segment, shared, with_history};
use crate::disk::{Disk, MemoryDisk, replace_file};
use crate::log::group::{Chain, GROUP_HEADER_BYTES};
use crate::log::segment::{Beginning, SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::log::tests::fixture::{FOLDER, Random};
use crate::salvage::salvage;

/// Two copies of one folder that went on apart: same salt, same Lsns, another history.
#[test]
fn segments_of_two_histories_do_not_mix() {
    let (disk, session) = with_history(6);
    drop(session);
    let other = copy_of(&disk);
    let mut ends = Vec::new();
    for (disk, seed) in [(&disk, 1), (&other, 2)] {
        let mut session = reopened(disk).unwrap();
        let mut random = Random(seed);
        for _ in 0..30 {
            session.transact_at_random(&mut random);
            session.settle();
        }
        ends.push(session.contents());
        drop(session);
        assert_eq!(reopened(disk).unwrap().contents(), *ends.last().unwrap());
    }
    let last = (1..100)
        .take_while(|&number| {
            disk.exists(&segment(number)).unwrap() && other.exists(&segment(number)).unwrap()
        })
        .last()
        .unwrap();
    let mut refused = 0;
    for number in 2..=last {
        let mixed = copy_of(&disk);
        let bytes = other.bytes(&segment(number)).unwrap();
        replace_file(&mixed, &segment(number), &bytes).unwrap();
        match reopened(&mixed) {
            Err(OpenError::Damaged { .. }) => refused += 1,
            Err(error) => panic!("segment {number}: {error}"),
            // What nobody had written to yet.
            Ok(session) => assert_eq!(session.contents(), ends[0], "segment {number}"),
        }
    }
    assert!(refused > 2, "{refused}");
}

/// A log that version 1 wrote opens, goes on in version 2, and is whole afterwards.
#[test]
fn a_log_of_version_1_is_read_and_goes_on() {
    let disk = MemoryDisk::new();
    for line in include_str!("fixtures/version_1.txt").lines() {
        let (name, hex) = line.split_once(' ').unwrap();
        let digits = hex.as_bytes().chunks_exact(2);
        let mut bytes: Vec<u8> = digits
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        if name.starts_with("log/") {
            // Zeros at the end were left out.
            bytes.resize(bytes.len() + 64, 0);
        }
        let path = Path::new(FOLDER).join(name);
        crate::disk::create_dir_all(&disk, path.parent().unwrap()).unwrap();
        replace_file(&disk, &path, &bytes).unwrap();
    }
    let mut session = reopened(&disk).unwrap();
    assert_eq!(session.log.last(), Lsn(16));
    assert_eq!(session.wasm, Some(vec![2; 700]));
    assert!(
        session.report.rewritten_bytes > 0,
        "the tail is written again, with a chain"
    );
    let mut random = Random(1);
    for _ in 0..10 {
        session.transact_at_random(&mut random);
        session.settle();
    }
    let contents = session.contents();
    drop(session);
    for _ in 0..2 {
        assert_eq!(reopened(&disk).unwrap().contents(), contents);
    }
}

/// A record whose checksums are right and whose rows are others than those that were there.
#[test]
fn row_sums_find_rows_that_are_not_those_that_were() {
    let (disk, mut session) = with_history(0);
    session.settle();
    while session.transact_at_random(&mut Random(3)).is_none() {}
    session.settle();
    session.writer.seal().unwrap();
    drop(session);
    drop(reopened(&disk).unwrap());
    let mut bytes = disk.bytes(&segment(1)).unwrap();
    let found = groups(&bytes);
    let last = found.iter().rfind(|(_, group)| group.count > 0);
    let (at, group) = *last.unwrap();
    // The last bytes of a transaction: of its last row, the end of the run, the end of the changes.
    let end = at + GROUP_HEADER_BYTES + group.records_len as usize;
    let number = (at..end)
        .rev()
        .find(|&at| bytes[at].is_ascii_alphanumeric());
    bytes[number.unwrap()] ^= 1;
    checksum_again(&mut bytes, group.chain, at);
    replace_file(&disk, &segment(1), &bytes).unwrap();
    // The chain finds it first; a chain that was made right as well leaves it to the sums.
    let error = reopened(&disk).unwrap_err().to_string();
    assert!(error.contains("another history"), "{error}");
    let mut chain = Chain::default();
    for number in 1..=2 {
        let mut bytes = disk.bytes(&segment(number)).unwrap();
        let Beginning::Header(header) = Beginning::decode(&bytes) else {
            panic!("segment {number} is in use")
        };
        let header = SegmentHeader { chain, ..header };
        bytes[..SEGMENT_HEADER_BYTES].copy_from_slice(&header.encode());
        for (at, _) in groups(&bytes) {
            chain = checksum_again(&mut bytes, chain, at);
        }
        replace_file(&disk, &segment(number), &bytes).unwrap();
    }
    let error = reopened(&disk).unwrap_err().to_string();
    assert!(error.contains("row sums"), "{error}");
    // The sums stand in the beginning of the second epoch, which has no Lsn that could be left out.
    let copy = Path::new("/data/databases/copy");
    let saved = salvage(&shared(&disk), Path::new(FOLDER), copy, 9, 8).unwrap();
    assert_eq!(saved.last, Lsn(group.first.0 - 1), "{saved:?}");
    assert!(!saved.problems.is_empty());
}
