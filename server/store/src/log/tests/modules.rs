//! Modules that are stored before they are published.

use std::io::ErrorKind;
use std::path::PathBuf;

use super::fixture::{SMALL, Session};
use super::{published, session as session_on};
use crate::disk::{Fault, MemoryDisk};
use crate::log::LogError;

fn module(version: u8) -> ([u8; 32], Vec<u8>) {
    let wasm = vec![version; 700];
    (<sha2::Sha256 as sha2::Digest>::digest(&wasm).into(), wasm)
}

#[test]
fn who_publishes_a_stored_module_does_not_call_the_disk() {
    let disk = MemoryDisk::new();
    let mut session = published(&disk, SMALL);
    let (hash, wasm) = module(2);
    let modules = session.log.modules();
    modules.put(&hash, &wasm).unwrap();
    let before = disk.calls();
    session.publish(2, false).unwrap();
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
    for _ in 0..2 {
        modules.put(&hash, &wasm).unwrap();
    }
    session.log.forget_module(&hash);
    let before = disk.calls();
    session.publish(2, false).unwrap();
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
    let files = || {
        let mut files = disk.files();
        files.retain(|path| {
            path.extension()
                .is_some_and(|extension| extension == "wasm")
        });
        files.len()
    };
    for version in [1, 2, 3, 3, 4] {
        let (hash, wasm) = module(version);
        modules.put(&hash, &wasm).unwrap();
        modules.forget(&hash);
        let refused = usize::from(version > 1);
        assert_eq!(files(), 1 + refused, "version {version}");
    }
    // Two want it, and one of them is refused.
    let (hash, wasm) = module(5);
    for _ in 0..2 {
        modules.put(&hash, &wasm).unwrap();
    }
    modules.forget(&hash);
    let (other, wasm) = module(6);
    modules.put(&other, &wasm).unwrap();
    assert_eq!(files(), 3);
    modules.forget(&hash);
    modules.put(&other, &wasm).unwrap();
    assert_eq!(files(), 2);
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
