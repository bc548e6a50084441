#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::{Catalog, CatalogError, CatalogReport, DatabaseEntry, is_name};
use crate::disk::{Disk, Fault, MemoryDisk, RealDisk};
use crate::log::Options;

fn open(data: &Path) -> Catalog {
    Catalog::open(Arc::new(RealDisk), data).unwrap()
}

fn entries(catalog: &Catalog) -> Vec<DatabaseEntry> {
    catalog.databases().cloned().collect()
}

/// A data folder with two databases and a revoked token, and what the catalog says of them.
fn data() -> (tempfile::TempDir, Vec<DatabaseEntry>) {
    let data = tempfile::tempdir().unwrap();
    let mut catalog = open(data.path());
    assert!(catalog.report().is_index_new);
    catalog.create("board", 1_000).unwrap();
    catalog.create("bank-2", 2_000).unwrap();
    catalog.set("board", "audit", Some("off")).unwrap();
    catalog.set("board", "color", Some("red")).unwrap();
    catalog.set("board", "color", None).unwrap();
    catalog.revoke("token", 5_000).unwrap();
    let entries = entries(&catalog);
    (data, entries)
}

fn check(data: &Path, expected: &[DatabaseEntry], report: CatalogReport) {
    let catalog = open(data);
    assert_eq!(entries(&catalog), expected);
    assert!(catalog.is_revoked("token") && !catalog.is_revoked("other"));
    assert_eq!(catalog.report(), report);
}

#[test]
fn what_was_stored_is_there_at_the_next_open() {
    let (data, entries) = data();
    assert_eq!(
        entries.iter().map(|entry| &entry.name).collect::<Vec<_>>(),
        ["bank-2", "board"]
    );
    assert_eq!(entries[1].created, 1_000);
    assert_eq!(
        entries[1].settings.iter().next(),
        Some((&"audit".into(), &"off".into()))
    );
    assert_eq!(entries[1].settings.len(), 1);
    check(data.path(), &entries, CatalogReport::default());
    let catalog = open(data.path());
    assert_eq!(catalog.folder("board"), data.path().join("databases/board"));
    assert_eq!(catalog.database("board"), Some(&entries[1]));
    assert_eq!(catalog.database("nothing"), None);
}

#[test]
fn names() {
    for name in ["a", "board", "0", "a-b_c", &"x".repeat(128)] {
        assert!(is_name(name), "{name}");
    }
    for name in [
        "",
        "Board",
        "a.b",
        "..",
        "a/b",
        "-a",
        "_a",
        "é",
        "a b",
        &"x".repeat(129),
    ] {
        assert!(!is_name(name), "{name}");
        let mut catalog = Catalog::in_memory().unwrap();
        assert!(matches!(
            catalog.create(name, 0),
            Err(CatalogError::BadName(_))
        ));
    }
}

#[test]
fn a_name_is_taken_once() {
    let mut catalog = Catalog::in_memory().unwrap();
    catalog.create("board", 1).unwrap();
    assert!(matches!(
        catalog.create("board", 2),
        Err(CatalogError::Exists(_))
    ));
    assert!(matches!(
        catalog.set("other", "a", None),
        Err(CatalogError::NotFound(_))
    ));
    assert_eq!(catalog.databases().len(), 1);
}

#[test]
fn a_deleted_index_is_made_anew() {
    let (data, entries) = data();
    fs::remove_dir_all(data.path().join("catalog")).unwrap();
    let report = CatalogReport {
        is_index_new: true,
        repaired_count: 2,
        ..CatalogReport::default()
    };
    check(data.path(), &entries, report);
    check(data.path(), &entries, CatalogReport::default());
}

#[test]
fn a_damaged_index_is_made_anew_or_put_right() {
    let mut rebuilt = 0;
    for damage in 0..24u64 {
        let (data, entries) = data();
        for file in fs::read_dir(data.path().join("catalog")).unwrap() {
            let path = file.unwrap().path();
            if path.is_file() {
                let mut bytes = fs::read(&path).unwrap();
                match damage % 3 {
                    0 => bytes.truncate(bytes.len() / 2),
                    1 => bytes
                        .iter_mut()
                        .step_by(7 + damage as usize)
                        .for_each(|b| *b = !*b),
                    _ => bytes
                        .iter_mut()
                        .skip(damage as usize)
                        .step_by(61)
                        .for_each(|b| *b ^= 4),
                }
                fs::write(&path, bytes).unwrap();
            }
        }
        let catalog = open(data.path());
        assert_eq!(self::entries(&catalog), entries, "damage {damage}");
        assert!(catalog.is_revoked("token"), "damage {damage}");
        let report = catalog.report();
        rebuilt += u32::from(report.is_index_rebuilt);
        drop(catalog);
        check(data.path(), &entries, CatalogReport::default());
    }
    assert!(rebuilt > 5, "{rebuilt}");
}

#[test]
fn an_index_that_is_no_folder_is_made_anew() {
    let (data, entries) = data();
    fs::remove_dir_all(data.path().join("catalog")).unwrap();
    fs::write(data.path().join("catalog"), b"what is this").unwrap();
    let report = CatalogReport {
        is_index_rebuilt: true,
        repaired_count: 2,
        ..CatalogReport::default()
    };
    check(data.path(), &entries, report);
}

#[test]
fn a_lost_file_comes_back_from_the_index() {
    for damaged in [None, Some("{\"name\": \"boa")] {
        let (data, entries) = data();
        let database = data.path().join("databases/board");
        fs::create_dir(database.join("log")).unwrap();
        match damaged {
            None => fs::remove_file(database.join("database.json")).unwrap(),
            Some(text) => fs::write(database.join("database.json"), text).unwrap(),
        }
        let revoked = data.path().join("revoked.json");
        match damaged {
            None => fs::remove_file(&revoked).unwrap(),
            Some(text) => fs::write(&revoked, text).unwrap(),
        }
        let report = CatalogReport {
            repaired_count: 1,
            ..CatalogReport::default()
        };
        check(data.path(), &entries, report);
        // The file is back as well.
        fs::remove_dir_all(data.path().join("catalog")).unwrap();
        let catalog = open(data.path());
        assert_eq!(self::entries(&catalog), entries);
        assert!(catalog.is_revoked("token"));
    }
}

#[test]
fn with_both_gone_the_folder_is_enough() {
    let (data, _) = data();
    let database = data.path().join("databases/board");
    fs::create_dir(database.join("log")).unwrap();
    fs::remove_file(database.join("database.json")).unwrap();
    fs::remove_dir_all(data.path().join("catalog")).unwrap();
    let catalog = open(data.path());
    let board = catalog.database("board").unwrap();
    assert_eq!((board.name.as_str(), board.created), ("board", 0));
}

#[test]
fn databases_come_and_go_with_their_folders() {
    let (data, entries) = data();
    let folder = |name: &str| data.path().join("databases").join(name);
    fs::rename(folder("bank-2"), folder("bank-3")).unwrap();
    fs::create_dir(folder("nothing-in-it")).unwrap();
    fs::write(folder("a-file"), b"").unwrap();
    let catalog = open(data.path());
    let expected = [
        DatabaseEntry {
            name: "bank-3".into(),
            ..entries[0].clone()
        },
        entries[1].clone(),
    ];
    assert_eq!(self::entries(&catalog), expected);
    assert_eq!(catalog.report().repaired_count, 2, "one came, one went");
}

#[test]
fn two_servers_do_not_share_a_data_folder() {
    let (data, _) = data();
    let first = open(data.path());
    let error = Catalog::open(Arc::new(RealDisk), data.path()).unwrap_err();
    assert!(matches!(error, CatalogError::Locked { .. }), "{error}");
    drop(first);
    open(data.path());
}

#[test]
fn revoked_tokens_are_dropped_when_their_time_is_over() {
    let (data, _) = data();
    let mut catalog = open(data.path());
    catalog.revoke("later", 9_000).unwrap();
    catalog.forget_revoked(5_000).unwrap();
    assert!(catalog.is_revoked("token"), "its last moment is not over");
    catalog.forget_revoked(5_001).unwrap();
    drop(catalog);
    let catalog = open(data.path());
    assert!(!catalog.is_revoked("token") && catalog.is_revoked("later"));
}

#[test]
fn what_the_catalog_has_said_survives_a_crash_at_every_call() {
    for at in 0.. {
        let disk = MemoryDisk::new();
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        disk.fault_at(at, Fault::PowerOff);
        let mut done = 0;
        let mut work = || -> Result<(), CatalogError> {
            let mut catalog = Catalog::open_without_index(Arc::clone(&shared), Path::new("/data"))?;
            catalog.create("board", 1)?;
            done = 1;
            catalog.set("board", "audit", Some("off"))?;
            done = 2;
            catalog.revoke("token", 9)?;
            done = 3;
            Ok(())
        };
        let is_done = work().is_ok();
        disk.crash(at);
        let catalog = Catalog::open_without_index(shared, Path::new("/data")).unwrap();
        let board = catalog.database("board");
        assert!(
            done < 1 || board.is_some_and(|board| board.created == 1),
            "call {at}"
        );
        assert!(
            done < 2 || board.is_some_and(|board| board.settings.len() == 1),
            "call {at}"
        );
        assert!(done < 3 || catalog.is_revoked("token"), "call {at}");
        assert!(
            board.is_none_or(|board| board.created == 1),
            "call {at}: whole or not at all"
        );
        if is_done {
            assert!(at > 10, "all of it has {at} calls");
            break;
        }
    }
}

#[test]
fn catalog_and_database_live_in_one_folder() {
    let (data, _) = data();
    let catalog = open(data.path());
    let folder = catalog.folder("board");
    let opened = crate::open::open(Arc::new(RealDisk), &folder, 1, 2, Options::default()).unwrap();
    assert!(opened.report.is_new);
    drop((opened, catalog));
    assert_eq!(open(data.path()).databases().len(), 2);
}
