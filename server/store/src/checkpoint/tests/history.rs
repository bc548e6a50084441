//! Reading a database as it was.

use syncline_protocol::Lsn;

use super::super::format::{CHUNK_HEADER_BYTES, ChunkHeader, HEADER_BYTES, Header};
use super::*;

/// Flips bits of bodies and makes the checksums of their chunks right again.
pub(super) fn change_with_good_checksums(bytes: &mut [u8], flips: &[(prop::sample::Index, u8)]) {
    let salt = Header::decode(bytes).unwrap().salt;
    let mut chunks = Vec::new();
    let mut at = HEADER_BYTES;
    while let Some((header, len)) = ChunkHeader::decode(bytes.get(at..).unwrap_or_default(), salt) {
        chunks.push((at, header, len));
        at += (CHUNK_HEADER_BYTES + len).next_multiple_of(8);
    }
    for (index, mask) in flips {
        let (at, header, len) = chunks[index.index(chunks.len())];
        let end = at + CHUNK_HEADER_BYTES + len;
        if len == 0 {
            continue;
        }
        bytes[at + CHUNK_HEADER_BYTES + index.index(len)] ^= mask;
        let mut chunk = bytes[at..end].to_vec();
        header.finish(salt, &mut chunk);
        bytes[at..at + chunk.len()].copy_from_slice(&chunk);
    }
}

#[test]
fn a_database_is_read_as_it_was_at_an_lsn_or_a_time() {
    let disk = MemoryDisk::new();
    let mut session = opened(&disk).unwrap();
    let mut states = vec![(Lsn::ZERO, 1_000, session.contents())];
    session.publish(1, false).unwrap();
    session.settle();
    states.push((Lsn(1), session.log.last_time(), session.contents()));
    let mut random = Random(31);
    for number in 0..80 {
        work(&mut session, &mut random, 1);
        states.push((
            session.log.last(),
            session.log.last_time(),
            session.contents(),
        ));
        if number % 25 == 24 {
            // Enough is kept to go back to the beginning.
            let mut writer = begin(&mut session.log, session.database.as_ref().unwrap());
            writer.retention = None;
            writer.run().unwrap();
        }
        if number == 40 {
            drop(session);
            session = opened(&disk).unwrap();
        }
    }
    drop(session);
    for (lsn, time, contents) in &states {
        for until in [Until::lsn(*lsn), Until::time(*time)] {
            let found = read(&disk, Path::new(FOLDER), until).unwrap();
            let held = Contents::of(&found.database.unwrap());
            assert_eq!(held, *contents, "{until:?}");
            assert_eq!(
                (found.last, found.last_time),
                (*lsn, Some(*time)),
                "{until:?}"
            );
            assert!(found.checkpoint.is_none_or(|(at, _)| at <= *lsn));
            assert_eq!(found.checkpoint.is_some(), *lsn >= Lsn(26), "{until:?}");
        }
    }
}
