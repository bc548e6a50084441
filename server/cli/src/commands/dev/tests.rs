#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;

use super::{Happening, is_source, next, watch};

#[test]
fn knows_sources() {
    let root = Path::new("/p");
    for path in [
        "/p/src/lib.rs",
        "/p/Cargo.toml",
        "/p/build.rs",
        "/p/data/words.txt",
    ] {
        assert!(is_source(root, Path::new(path)), "{path}");
    }
    for path in [
        "/p/target/x.d",
        "/p/Cargo.lock",
        "/p/src/.lib.rs.swp",
        "/p/.git/HEAD",
        "/p/src/lib.rs~",
        "/p",
        "/q/x",
    ] {
        assert!(!is_source(root, Path::new(path)), "{path}");
    }
}

#[test]
fn changes_in_a_burst_are_one() {
    let (sender, happenings) = channel();
    for _ in 0..10 {
        sender.send(Happening::Changed).unwrap();
    }
    assert_eq!(next(&happenings), Happening::Changed);
    assert!(happenings.try_recv().is_err());
    sender.send(Happening::Changed).unwrap();
    sender.send(Happening::Stop).unwrap();
    assert_eq!(next(&happenings), Happening::Stop);
}

#[test]
fn sees_a_source_change_and_no_build_output() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    std::fs::create_dir_all(root.join("src/deep")).unwrap();
    std::fs::create_dir_all(root.join("target")).unwrap();
    let (sender, happenings) = channel();
    let _watcher = watch(root, sender).unwrap();
    std::fs::write(root.join("target/out.d"), "x").unwrap();
    std::fs::write(root.join("Cargo.lock"), "x").unwrap();
    assert!(happenings.recv_timeout(Duration::from_millis(300)).is_err());
    std::fs::write(root.join("src/deep/table.rs"), "x").unwrap();
    assert_eq!(
        happenings.recv_timeout(Duration::from_secs(10)).unwrap(),
        Happening::Changed
    );
}
