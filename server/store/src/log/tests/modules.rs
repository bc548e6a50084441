//! Modules that are stored before they are published.

use std::io::ErrorKind;
use std::path::PathBuf;

use super::fixture::{SMALL, Session};
use super::{insert, published, session as session_on};
use crate::disk::{Fault, MemoryDisk};
use crate::log::{LogError, Wake};

fn module(version: u8) -> ([u8; 32], Vec<u8>) {
    let wasm = vec![version; 700];
    (<sha2::Sha256 as sha2::Digest>::digest(&wasm).into(), wasm)
}

/// How many modules have files.
fn file_count(disk: &MemoryDisk) -> usize {
    let mut files = disk.files();
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "wasm")
    });
    files.len()
}

fn used_bytes(disk: &MemoryDisk) -> u64 {
    let files = disk.files();
    let lens = files.iter().map(|path| disk.bytes(path).unwrap().len());
    lens.sum::<usize>() as u64
}

#[test]
fn who_publishes_a_stored_module_does_not_call_the_disk() {
    let disk = MemoryDisk::new();
    let mut session = published(&disk, SMALL);
    let (hash, wasm) = module(2);
    let modules = session.log.modules();
    let stored = modules.put(&hash, &wasm).unwrap();
    let before = disk.calls();
    session.publish(2, false).unwrap();
    drop(stored);
    assert_eq!(disk.calls(), before);
    session.settle();
    drop(session);
    disk.crash(1);
    let session = session_on(&disk, SMALL);
    assert_eq!(session.contents().module(), Some(hash));
}

#[test]
fn two_publishes_of_one_module_need_it_twice() {
    let disk = MemoryDisk::new();
    let mut session = published(&disk, SMALL);
    let (hash, wasm) = module(2);
    let modules = session.log.modules();
    let stored = modules.put(&hash, &wasm).unwrap();
    drop(modules.put(&hash, &wasm).unwrap());
    let before = disk.calls();
    session.publish(2, false).unwrap();
    drop(stored);
    assert_eq!(disk.calls(), before);
    // Nobody waits for it any more: who wants it again makes sure of it.
    session.publish(2, false).unwrap();
    assert!(disk.calls() > before);
}

#[test]
fn a_module_that_was_refused_goes_with_the_next_and_an_old_one_stays() {
    let disk = MemoryDisk::new();
    // In the log of an open before this one.
    drop(published(&disk, SMALL));
    let session = session_on(&disk, SMALL);
    let modules = session.log.modules();
    for version in [1, 2, 3, 3, 4] {
        let (hash, wasm) = module(version);
        drop(modules.put(&hash, &wasm).unwrap());
        let refused = usize::from(version > 1);
        assert_eq!(file_count(&disk), 1 + refused, "version {version}");
    }
    // Two want it, and one of them is refused.
    let (hash, wasm) = module(5);
    let stored = modules.put(&hash, &wasm).unwrap();
    drop(modules.put(&hash, &wasm).unwrap());
    let (other, wasm) = module(6);
    let _other = modules.put(&other, &wasm).unwrap();
    assert_eq!(file_count(&disk), 3);
    drop(stored);
    let _again = modules.put(&other, &wasm).unwrap();
    assert_eq!(file_count(&disk), 2);
}

#[test]
fn a_full_disk_takes_no_module_that_the_log_would_refuse() {
    let disk = MemoryDisk::new();
    let mut session = published(&disk, SMALL);
    disk.set_capacity(Some(used_bytes(&disk) + 6000));
    let mut item = 0;
    while session.log.reserve(100).is_ok() {
        insert(&mut session, &format!("item {item}"));
        session.settle();
        item += 1;
    }
    session.writer.run_once().unwrap();
    let (used, (hash, wasm)) = (used_bytes(&disk), module(2));
    let modules = session.log.modules();
    assert_eq!(modules.put(&hash, &wasm).unwrap_err(), LogError::DiskFull);
    assert_eq!(used_bytes(&disk), used);
    assert_eq!(session.writer.wait(), Wake::Work, "it looks for room again");
    disk.set_capacity(None);
    session.writer.run_once().unwrap();
    session.publish(2, false).unwrap();
}

#[test]
fn a_module_that_was_refused_gives_its_room_back() {
    let disk = MemoryDisk::new();
    // What the log of an open before this one names is not known.
    drop(published(&disk, SMALL));
    let session = session_on(&disk, SMALL);
    let modules = session.log.modules();
    disk.set_capacity(Some(used_bytes(&disk) + 1000));
    // Before the next one is written, and at once if asked.
    for version in 2..5 {
        let (hash, wasm) = module(version);
        drop(modules.put(&hash, &wasm).unwrap());
        assert_eq!(file_count(&disk), 2);
    }
    // The disk fails just then: the next try removes it.
    disk.fault_at(disk.calls(), Fault::Error(ErrorKind::Other));
    modules.remove_refused();
    assert_eq!(file_count(&disk), 2);
    modules.remove_refused();
    assert_eq!(file_count(&disk), 1);
    assert!(!session.log.is_poisoned());
}

#[test]
fn a_publish_that_was_not_prepared_keeps_the_module_that_another_has_stored() {
    let disk = MemoryDisk::new();
    let mut session = published(&disk, SMALL);
    let (hash, wasm) = module(2);
    let modules = session.log.modules();
    let stored = modules.put(&hash, &wasm).unwrap();
    let own = session.log.put_module(&hash, &wasm).unwrap();
    drop(stored);
    modules.remove_refused();
    assert_eq!(file_count(&disk), 2);
    session.publish(2, false).unwrap();
    drop(own);
    modules.remove_refused();
    assert_eq!(file_count(&disk), 2, "it was published");
}

#[test]
fn a_module_that_the_disk_does_not_take_is_refused_or_poisons() {
    let stored = |kind: ErrorKind| {
        let disk = MemoryDisk::new();
        let session: Session = published(&disk, SMALL);
        let (hash, wasm) = module(2);
        // The look whether it is there, the new file, what is written to it.
        disk.fault_at(disk.calls() + 3, Fault::Error(kind));
        let error = session.log.modules().put(&hash, &wasm).unwrap_err();
        let mut left = disk.files().into_iter();
        let is_new = |path: PathBuf| path.extension().is_some_and(|extension| extension == "new");
        assert!(!left.any(is_new), "a piece of it takes room");
        (error, session.log.is_poisoned())
    };
    assert_eq!(stored(ErrorKind::StorageFull), (LogError::DiskFull, false));
    let (error, is_poisoned) = stored(ErrorKind::Other);
    assert!(is_poisoned);
    assert!(error.to_string().contains("could not be stored"), "{error}");
}

#[test]
fn a_database_that_is_closed_stores_nothing_and_is_free() {
    let disk = MemoryDisk::new();
    let session = published(&disk, SMALL);
    let modules = session.log.modules();
    drop(session);
    let (hash, wasm) = module(2);
    let before = disk.calls();
    let error = modules.put(&hash, &wasm).unwrap_err();
    assert!(error.to_string().contains("closed"), "{error}");
    assert_eq!(disk.calls(), before);
    session_on(&disk, SMALL);
}
