//! Rot, torn tails, missing and strange files.

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use syncline_protocol::{Epoch, Lsn};

use super::{OpenError, reopened, segment, shared, with_history};
use crate::disk::{Disk, MemoryDisk, replace_file};
use crate::log::group::{Chain, GROUP_HEADER_BYTES, GroupHeader, Place, put_group};
use crate::log::segment::{LOG_VERSION, SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::log::tests::fixture::{Contents, FOLDER, Random, SMALL, Session};

fn place(first: u64, durable: u64, count: u32) -> Place {
    Place {
        first: Lsn(first),
        durable: Lsn(durable),
        count,
        chain: Chain::default(),
    }
}

/// Where the groups of a segment are.
pub(super) fn groups(bytes: &[u8]) -> Vec<(usize, GroupHeader)> {
    let salt = u64::from_le_bytes(bytes[48..56].try_into().unwrap());
    let mut at = SEGMENT_HEADER_BYTES;
    let mut groups = Vec::new();
    while let Some(group) = GroupHeader::decode(&bytes[at.min(bytes.len())..], salt) {
        groups.push((at, group));
        at += group.len();
    }
    groups
}

/// A copy of a disk, as its files are now.
pub(crate) fn copy_of(disk: &MemoryDisk) -> MemoryDisk {
    let copy = MemoryDisk::new();
    for path in disk.files() {
        crate::disk::create_dir_all(&copy, path.parent().unwrap()).unwrap();
        replace_file(&copy, &path, &disk.bytes(&path).unwrap()).unwrap();
    }
    copy
}

/// A log of some segments whose last group is not proven, with the state before that group and after it.
fn unproven_log() -> (MemoryDisk, Contents, Contents) {
    let (disk, mut session) = with_history(12);
    let before = session.contents();
    let mut random = Random(77);
    while session.transact_at_random(&mut random).is_none() {}
    session.settle();
    let after = session.contents();
    (disk, before, after)
}

#[test]
fn a_flipped_bit_is_refused_where_it_was_durable_and_cut_off_where_it_was_not() {
    let (disk, before, after) = unproven_log();
    let last = (1..100)
        .take_while(|&number| disk.exists(&segment(number)).unwrap())
        .last()
        .unwrap();
    let (mut refused, mut cut, mut harmless) = (0, 0, 0);
    for number in 1..=last {
        let bytes = disk.bytes(&segment(number)).unwrap();
        for at in 0..bytes.len() {
            let rotten = copy_of(&disk);
            rotten.flip(&segment(number), at, 1 << (at % 8)).unwrap();
            match reopened(&rotten) {
                Err(OpenError::Damaged { file, offset, .. }) => {
                    assert_eq!(file, segment(number), "byte {at}");
                    assert!(offset as usize <= at, "byte {at} of {number}: {offset}");
                    refused += 1;
                }
                Err(error) => panic!("byte {at} of {number}: {error}"),
                Ok(session) if session.contents() == after => harmless += 1,
                Ok(session) => {
                    assert_eq!(session.contents(), before, "byte {at} of {number}");
                    assert!(session.report.torn_bytes > 0);
                    cut += 1;
                }
            }
        }
    }
    println!("{refused} refused, {cut} cut, {harmless} harmless");
    // Exactly the last group with Lsns is not proven; harmless are flips in what was never written.
    let path = (1..=last).rev().map(segment).find(|path| {
        groups(&disk.bytes(path).unwrap())
            .iter()
            .any(|(_, group)| group.count > 0)
    });
    let bytes = disk.bytes(&path.unwrap()).unwrap();
    let (_, group) = groups(&bytes).pop().unwrap();
    assert!(
        cut >= group.len() && cut <= group.len() + SEGMENT_HEADER_BYTES,
        "{cut}"
    );
    assert!(refused > 2000, "{refused}");
}

#[test]
fn every_bit_of_a_sealed_log_is_proven() {
    let (disk, mut session) = with_history(2);
    session.writer.seal().unwrap();
    let contents = session.contents();
    drop(session);
    for number in 1..=2 {
        let bytes = disk.bytes(&segment(number)).unwrap();
        let written = groups(&bytes)
            .last()
            .map_or(0, |(at, group)| at + group.len());
        let sealed = groups(&bytes)
            .iter()
            .filter(|(_, group)| group.count == 0)
            .count();
        for at in 0..written {
            let rotten = copy_of(&disk);
            rotten.flip(&segment(number), at, 0x80).unwrap();
            match reopened(&rotten) {
                Err(OpenError::Damaged { .. }) => {}
                Err(error) => panic!("byte {at}: {error}"),
                Ok(session) => {
                    assert_eq!(
                        session.contents(),
                        contents,
                        "byte {at}: only the seal is cut"
                    );
                    assert!(sealed > 0 && at >= groups(&bytes).last().unwrap().0);
                }
            }
        }
    }
}

#[test]
fn a_refusal_names_file_offset_and_the_way_out_and_changes_nothing() {
    let (disk, session) = with_history(20);
    drop(session);
    let bytes = disk.bytes(&segment(2)).unwrap();
    let (at, _) = groups(&bytes)[1];
    disk.flip(&segment(2), at + 90, 4).unwrap();
    let damaged = disk.bytes(&segment(2)).unwrap();
    let files = disk.files();
    let error = reopened(&disk).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("0000000002.log: damaged at byte"), "{text}");
    assert!(text.contains(&format!("byte {at}:")), "{text}");
    assert!(
        text.contains("salvage what is good into a new database"),
        "{text}"
    );
    assert_eq!(disk.files(), files);
    assert_eq!(disk.bytes(&segment(2)).unwrap(), damaged);

    // The way out that it names.
    for path in files
        .iter()
        .filter(|path| **path >= segment(2) && path.starts_with(FOLDER))
    {
        if path.extension().is_some_and(|extension| extension == "log") {
            disk.remove(path).unwrap();
        }
    }
    let session = reopened(&disk).unwrap();
    let (_, last) = *groups(&bytes).first().unwrap();
    assert_eq!(
        session.log.last().next(),
        last.first,
        "up to where the second segment began"
    );
}

#[test]
fn a_torn_tail_is_cut_off_and_measured() {
    let (disk, before, after) = unproven_log();
    let number =
        (1..100).take_while(|&n| !groups(&disk.bytes(&segment(n)).unwrap_or_default()).is_empty());
    let path = segment(number.last().unwrap());
    let bytes = disk.bytes(&path).unwrap();
    let (at, group) = groups(&bytes).pop().unwrap();
    // The group is cut short: what was not written is zeros.
    for written in [
        0,
        1,
        GROUP_HEADER_BYTES - 1,
        GROUP_HEADER_BYTES,
        group.len() - 16,
    ] {
        let torn = copy_of(&disk);
        let mut left = bytes.clone();
        left[at + written..].fill(0);
        replace_file(&torn, &path, &left).unwrap();
        let session = reopened(&torn).unwrap();
        assert_eq!(session.contents(), before, "{written} bytes");
        let torn_bytes = session.report.torn_bytes as usize;
        assert!(
            torn_bytes <= written && torn_bytes + 8 >= written.min(1),
            "{written}: {torn_bytes}"
        );
        drop(session);
        assert_eq!(reopened(&torn).unwrap().report.torn_bytes, 0, "it is gone");
    }
    let session = reopened(&disk).unwrap();
    assert_eq!((session.contents(), session.report.torn_bytes), (after, 0));
    assert_eq!(session.report.rewritten_bytes as usize, group.len());
}

#[test]
fn a_missing_segment_is_named() {
    for missing in [1, 2] {
        let (disk, session) = with_history(20);
        drop(session);
        disk.remove(&segment(missing)).unwrap();
        let error = reopened(&disk).unwrap_err();
        let found = matches!(&error, OpenError::Missing { file } if *file == segment(missing));
        assert!(found, "{error}");
    }
    // All of them: a folder with modules is not a new database.
    let (disk, session) = with_history(3);
    drop(session);
    for path in disk.files() {
        if path.extension().is_some_and(|extension| extension == "log") {
            disk.remove(&path).unwrap();
        }
    }
    assert!(matches!(
        reopened(&disk).unwrap_err(),
        OpenError::Missing { .. }
    ));
}

#[test]
fn another_version_is_named() {
    for (version, which) in [(3, "newer"), (0, "older")] {
        let (disk, session) = with_history(3);
        drop(session);
        let mut bytes = disk.bytes(&segment(1)).unwrap();
        bytes[8] = version;
        let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..128]);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        replace_file(&disk, &segment(1), &bytes).unwrap();
        let error = reopened(&disk).unwrap_err();
        assert!(matches!(error, OpenError::Version { found, .. } if found == u32::from(version)));
        let text = error.to_string();
        assert!(
            text.contains(&format!("commit log of version {version}")),
            "{text}"
        );
        assert!(text.contains(which), "{text}");
    }
}

/// Makes the checksums of the group at `at` right again; returns the chain after it.
pub(super) fn checksum_again(bytes: &mut [u8], chain: Chain, at: usize) -> Chain {
    let salt = u64::from_le_bytes(bytes[48..56].try_into().unwrap());
    let group = GroupHeader::decode(&bytes[at..], salt).unwrap();
    let start = at + GROUP_HEADER_BYTES;
    let place = Place {
        first: group.first,
        durable: group.durable,
        count: group.count,
        chain,
    };
    let records = &bytes[start..start + group.records_len as usize];
    let header = GroupHeader::of(records, place).encode(salt);
    bytes[at..start].copy_from_slice(&header);
    chain.after(&header, group.count)
}

#[test]
fn segments_of_two_databases_do_not_mix() {
    let (disk, session) = with_history(20);
    drop(session);
    let other = MemoryDisk::new();
    let opened = super::open(shared(&other), Path::new(FOLDER), 0, 4711, SMALL).unwrap();
    drop(opened);
    let bytes = other.bytes(&segment(1)).unwrap();
    replace_file(&disk, &segment(1), &bytes).unwrap();
    assert!(matches!(
        reopened(&disk).unwrap_err(),
        OpenError::Damaged { .. }
    ));
}

#[test]
fn rows_that_look_like_groups_do_not_make_a_torn_tail_damage() {
    // Without the salt this row would pass for a group that names a far durable Lsn.
    let mut forged = Vec::new();
    put_group(&[0; 16], place(1000, 999, 1), 0, &mut forged);
    let (disk, mut session) = with_history(5);
    let before = session.contents();
    let note = session
        .publish(2, false)
        .map(|_| session.database().schema().table_id("note"));
    let note = note.unwrap().unwrap();
    session.settle();
    let published = session.contents();
    assert_ne!(before, published);
    session.transact(|transaction| {
        // The header is not UTF-8, so the row is put together by hand as the text of a longer one.
        let text: String = forged.iter().map(|byte| char::from(byte & 0x7f)).collect();
        let mut row = (text.len() as u32).to_le_bytes().to_vec();
        row.extend_from_slice(text.as_bytes());
        transaction.insert(note, &mut row).unwrap();
    });
    session.settle();
    drop(session);
    let number =
        (1..100).take_while(|&n| !groups(&disk.bytes(&segment(n)).unwrap_or_default()).is_empty());
    let path = segment(number.last().unwrap());
    let mut bytes = disk.bytes(&path).unwrap();
    let (at, group) = groups(&bytes).pop().unwrap();
    // All bytes of a forged group, at every alignment, in the place of the torn records.
    bytes[at..at + 8].fill(0);
    let end = at + group.len();
    let from = at + GROUP_HEADER_BYTES;
    let len = forged.len().min(end - from);
    bytes[from..from + len].copy_from_slice(&forged[..len]);
    replace_file(&disk, &path, &bytes).unwrap();
    assert_eq!(reopened(&disk).unwrap().contents(), published);
}

#[test]
fn strange_files_in_the_folder_are_left_alone() {
    let (disk, session) = with_history(3);
    let contents = session.contents();
    drop(session);
    let strange = Path::new(FOLDER).join("log/README");
    replace_file(&disk, &strange, b"mine").unwrap();
    let unfinished = Path::new(FOLDER).join("log/0000000009.log.new");
    disk.create(&unfinished).unwrap();
    assert_eq!(reopened(&disk).unwrap().contents(), contents);
    assert_eq!(disk.bytes(&strange).unwrap(), b"mine");
    assert!(
        !disk.exists(&unfinished).unwrap(),
        "what was never finished is removed"
    );
}

/// A disk whose only segment has a good header and then these bytes.
fn disk_with(bytes: &[u8]) -> MemoryDisk {
    let header = SegmentHeader {
        number: 1,
        first: Lsn(1),
        durable: Lsn(0),
        epoch: Epoch(1),
        salt: 3,
        whole: 0,
        chain: Chain::default(),
        version: LOG_VERSION,
    };
    let disk = MemoryDisk::new();
    let mut file = header.encode().to_vec();
    file.extend_from_slice(bytes);
    crate::disk::create_dir_all(&disk, segment(1).parent().unwrap()).unwrap();
    replace_file(&disk, &segment(1), &file).unwrap();
    disk
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_segments_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let disk = disk_with(&bytes);
        let _ = reopened(&disk);
        replace_file(&disk, &segment(1), &bytes).unwrap();
        let _ = reopened(&disk);
    }

    #[test]
    fn random_records_in_whole_groups_never_panic(
        records in prop::collection::vec((0u8..7, prop::collection::vec(any::<u8>(), 0..80)), 0..6),
        first in 0u64..3,
        count in 0u32..4,
    ) {
        let mut bytes = Vec::new();
        for (kind, body) in records {
            bytes.extend_from_slice(&(body.len() as u32 + 1).to_le_bytes());
            bytes.push(kind);
            bytes.extend_from_slice(&body);
        }
        let mut group = Vec::new();
        put_group(&bytes, place(first, 0, count), 3, &mut group);
        let _ = reopened(&disk_with(&group));
    }

    /// A log whose records were changed and whose checksums were made right again.
    #[test]
    fn changed_records_with_good_checksums_never_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..4),
    ) {
        let (disk, session) = with_history(6);
        drop(session);
        let mut bytes = disk.bytes(&segment(1)).unwrap();
        for (index, mask) in flips {
            let groups = groups(&bytes);
            let (at, group) = groups[index.index(groups.len())];
            let start = at + GROUP_HEADER_BYTES;
            let len = group.records_len as usize;
            bytes[start + index.index(len)] ^= mask;
            checksum_again(&mut bytes, group.chain, at);
        }
        replace_file(&disk, &segment(1), &bytes).unwrap();
        let _ = reopened(&disk);
    }
}

#[test]
fn a_session_can_be_opened_twice_in_a_row_on_one_disk() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    drop(Session::open(&disk, SMALL).unwrap());
    Session::open(&disk, SMALL).unwrap();
}
