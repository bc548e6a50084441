#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

use super::{
    CallKind, DiscardDisk, Disk, Fault, MemoryDisk, RealDisk, create_dir_all, is_full, read_file,
    replace_file,
};

/// What both disks promise, in a folder that is empty.
fn check_disk(disk: &dyn Disk, folder: &Path) {
    let path = folder.join("a");
    let missing = disk.open(&path).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    let mut file = disk.create(&path).unwrap();
    file.write_at(4, b"body").unwrap();
    assert_eq!(file.byte_len().unwrap(), 8);
    let mut bytes = [1; 8];
    file.read_at(0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"\0\0\0\0body");
    let past_the_end = file.read_at(1, &mut bytes).unwrap_err();
    assert_eq!(past_the_end.kind(), ErrorKind::UnexpectedEof);
    file.set_len(6).unwrap();
    file.sync_data().unwrap();
    assert_eq!(read_file(disk, &path).unwrap(), b"\0\0\0\0bo");
    assert_eq!(
        disk.create(&path).unwrap_err().kind(),
        ErrorKind::AlreadyExists
    );

    replace_file(disk, &folder.join("b"), b"first").unwrap();
    replace_file(disk, &folder.join("b"), b"second").unwrap();
    assert_eq!(read_file(disk, &folder.join("b")).unwrap(), b"second");
    create_dir_all(disk, &folder.join("c/d")).unwrap();
    create_dir_all(disk, &folder.join("c/d")).unwrap();
    disk.create_dir(&folder.join("c/d")).unwrap();
    assert_eq!(disk.list(folder).unwrap(), ["a", "b", "c"]);
    disk.rename(&path, &folder.join("b")).unwrap();
    assert!(!disk.exists(&path).unwrap());
    disk.remove(&folder.join("b")).unwrap();
    assert_eq!(
        disk.remove(&folder.join("b")).unwrap_err().kind(),
        ErrorKind::NotFound
    );
    assert_eq!(disk.list(folder).unwrap(), ["c"]);

    let lock = disk.lock(folder).unwrap();
    assert_eq!(disk.lock(folder).unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(lock);
    disk.lock(folder).unwrap();
}

#[test]
fn the_real_disk_keeps_its_promises() {
    let folder = tempfile::tempdir().unwrap();
    check_disk(&RealDisk, folder.path());
    assert!(RealDisk.free_bytes(folder.path()).is_some());
}

#[test]
fn the_memory_disk_keeps_its_promises() {
    let disk = MemoryDisk::new();
    check_disk(&disk, Path::new("/"));
    assert_eq!(disk.free_bytes(Path::new("/")), None);
}

#[test]
fn the_discarding_disk_never_has_anything() {
    let path = Path::new("/a");
    replace_file(&DiscardDisk, path, b"bytes").unwrap();
    assert!(!DiscardDisk.exists(path).unwrap());
    assert_eq!(
        DiscardDisk.open(path).unwrap_err().kind(),
        ErrorKind::NotFound
    );
    assert_eq!(DiscardDisk.create(path).unwrap().byte_len().unwrap(), 0);
}

/// A file with a synced version of three sectors and two versions of the middle one after it.
fn three_sectors() -> (MemoryDisk, &'static Path) {
    let (disk, path) = (MemoryDisk::new(), Path::new("/a"));
    let mut file = disk.create(path).unwrap();
    file.write_at(0, &[1; 1536]).unwrap();
    file.sync_data().unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    file.write_at(600, &[2; 100]).unwrap();
    file.write_at(500, &[3; 300]).unwrap();
    file.write_at(1536, &[4; 100]).unwrap();
    (disk, path)
}

#[test]
fn a_crash_keeps_what_is_synced_and_tears_the_rest_by_sectors() {
    let mut outcomes = BTreeSet::new();
    for seed in 0..300 {
        let (disk, path) = three_sectors();
        disk.crash(seed);
        let bytes = disk.bytes(path).unwrap();
        let (disk, _) = three_sectors();
        disk.crash(seed);
        assert_eq!(
            disk.bytes(path).unwrap(),
            bytes,
            "seed {seed} says what happens"
        );

        assert!(bytes.len() == 1536 || bytes.len() == 1636);
        assert!(
            bytes[..500]
                .iter()
                .chain(&bytes[800..1536])
                .all(|&byte| byte == 1)
        );
        assert!(matches!(bytes[500], 1 | 3));
        assert!(matches!(bytes[600], 1..=3));
        assert!(
            bytes[512..600].iter().all(|&byte| byte == bytes[512]),
            "a sector is whole"
        );
        assert_eq!(
            bytes[512] == 3,
            bytes[600] == 3,
            "the later write covers the earlier one"
        );
        assert!(bytes[1536..].iter().all(|&byte| byte == bytes[1536]));
        let last = bytes.get(1536).copied();
        assert!(matches!(last, None | Some(0 | 4)));
        outcomes.insert((bytes[500], bytes[600], last));
    }
    assert_eq!(
        outcomes.len(),
        2 * 3 * 3,
        "everything that can happen does: {outcomes:?}"
    );
}

#[test]
fn a_crash_loses_names_that_are_not_synced() {
    let root = Path::new("/");
    let (mut kept, mut lost, mut renamed) = (0, 0, 0);
    for seed in 0..100 {
        let disk = MemoryDisk::new();
        create_dir_all(&disk, Path::new("/folder")).unwrap();
        disk.create_dir(Path::new("/lost")).unwrap();
        disk.create(Path::new("/lost/file")).unwrap();
        disk.sync_dir(Path::new("/lost")).unwrap();
        replace_file(&disk, Path::new("/folder/a"), b"old").unwrap();
        disk.create(Path::new("/folder/b"))
            .unwrap()
            .write_at(0, b"new")
            .unwrap();
        disk.rename(Path::new("/folder/b"), Path::new("/folder/a"))
            .unwrap();
        disk.crash(seed);
        let names = disk.list(root).unwrap();
        if names.iter().any(|name| name == "lost") {
            kept += 1;
            assert!(disk.exists(Path::new("/lost/file")).unwrap());
        } else {
            lost += 1;
            assert!(
                !disk.exists(Path::new("/lost/file")).unwrap(),
                "its folder is gone"
            );
        }
        let a = disk.bytes(Path::new("/folder/a")).unwrap();
        assert!(
            ["old", "new", "", "\0\0\0"]
                .map(str::as_bytes)
                .contains(&a.as_slice())
        );
        renamed += u32::from(a != b"old");
    }
    assert!(
        kept > 20 && lost > 20 && renamed > 20,
        "{kept} {lost} {renamed}"
    );
}

#[test]
fn a_failed_sync_makes_nothing_durable_even_if_the_next_one_is_fine() {
    let (disk, path) = (MemoryDisk::new(), Path::new("/a"));
    let mut file = disk.create(path).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    file.write_at(0, b"lost").unwrap();
    disk.fault_at(disk.calls(), Fault::Error(ErrorKind::Other));
    file.sync_data().unwrap_err();
    assert_eq!(
        disk.bytes(path).unwrap(),
        b"lost",
        "a reader sees it all the same"
    );
    file.sync_data().unwrap();
    disk.crash(1);
    assert_eq!(disk.bytes(path).unwrap(), b"");
}

#[test]
fn without_power_nothing_works_and_old_handles_stay_dead() {
    let (disk, path) = (MemoryDisk::new(), Path::new("/a"));
    let mut file = disk.create(path).unwrap();
    let old_lock = disk.lock(Path::new("/")).unwrap();
    disk.fault_at(disk.calls() + 1, Fault::PowerOff);
    file.write_at(0, b"bytes").unwrap();
    file.sync_data().unwrap_err();
    disk.list(Path::new("/")).unwrap_err();
    disk.create(Path::new("/b")).unwrap_err();
    disk.crash(1);
    file.write_at(0, b"bytes").unwrap_err();
    let lock = disk.lock(Path::new("/")).unwrap();
    drop(old_lock);
    assert!(
        disk.lock(Path::new("/")).is_err(),
        "the old lock does not end the new one"
    );
    drop(lock);
}

#[test]
fn a_full_disk_says_so_and_has_room_after_a_removal() {
    let disk = MemoryDisk::new();
    disk.set_capacity(Some(10));
    replace_file(&disk, Path::new("/a"), &[1; 8]).unwrap();
    assert_eq!(disk.free_bytes(Path::new("/")), Some(2));
    let mut file = disk.create(Path::new("/b")).unwrap();
    let error = file.write_at(0, &[1; 3]).unwrap_err();
    assert!(is_full(&error), "{error}");
    disk.remove(Path::new("/a")).unwrap();
    file.write_at(0, &[1; 3]).unwrap();
}

#[test]
fn a_late_error_leaves_what_the_call_did() {
    let (disk, path) = (MemoryDisk::new(), Path::new("/a"));
    let late = Fault::Late(ErrorKind::Other);
    disk.fault_at_kind(CallKind::Create, 1, late);
    disk.fault_at_kind(CallKind::Write, 0, late);
    disk.fault_at_kind(CallKind::Sync, 0, late);
    let mut file = disk.create(path).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    disk.create(Path::new("/b")).unwrap_err();
    assert!(disk.exists(Path::new("/b")).unwrap());
    file.write_at(0, b"half of it").unwrap_err();
    assert_eq!(disk.bytes(path).unwrap(), b"half ");
    file.sync_data().unwrap_err();
    assert_eq!(disk.calls_of(CallKind::Sync), 1);
    disk.crash(1);
    assert_eq!(disk.bytes(path).unwrap(), b"", "a sync never succeeds late");
}

#[test]
fn after_a_restart_what_was_written_is_read_and_may_still_be_lost() {
    let (disk, path) = (MemoryDisk::new(), Path::new("/a"));
    let mut file = disk.create(path).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    file.write_at(0, b"bytes").unwrap();
    let _lock = disk.lock(Path::new("/")).unwrap();
    disk.restart();
    file.sync_data().unwrap_err();
    disk.lock(Path::new("/")).unwrap();
    assert_eq!(read_file(&disk, path).unwrap(), b"bytes");
    let lost = (0..50).filter(|&seed| {
        let disk = MemoryDisk::new();
        let mut file = disk.create(path).unwrap();
        disk.sync_dir(Path::new("/")).unwrap();
        file.write_at(0, b"bytes").unwrap();
        disk.restart();
        disk.crash(seed);
        disk.bytes(path).unwrap() != b"bytes"
    });
    assert!(lost.count() > 5);
}

#[test]
fn the_call_that_the_power_went_off_at_is_known() {
    let disk = MemoryDisk::new();
    disk.create_dir(Path::new("/folder")).unwrap();
    let mut file = disk.create(Path::new("/folder/a")).unwrap();
    assert_eq!(disk.power_cut(), None);
    disk.fault_at_kind(CallKind::Sync, 0, Fault::PowerOff);
    file.write_at(0, &[1; 2000]).unwrap();
    file.sync_data().unwrap_err();
    let cut = (CallKind::Sync, "/folder/a".into());
    assert_eq!(disk.power_cut(), Some(cut));
    disk.crash(0);
    assert_eq!(disk.power_cut(), None);
}

#[test]
fn a_file_grows_by_sectors() {
    let mut lens = BTreeSet::new();
    for seed in 0..200 {
        let disk = MemoryDisk::new();
        let mut file = disk.create(Path::new("/a")).unwrap();
        disk.sync_dir(Path::new("/")).unwrap();
        file.write_at(0, &[1; 1100]).unwrap();
        disk.crash(seed);
        lens.insert(disk.bytes(Path::new("/a")).unwrap().len());
    }
    assert_eq!(lens.into_iter().collect::<Vec<_>>(), [0, 512, 1024, 1100]);
}
