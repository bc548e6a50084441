//! Files of modules that go and stay.

use super::*;

/// Files of modules that a database has.
fn modules(disk: &MemoryDisk) -> usize {
    let names = disk.list(&Path::new(FOLDER).join("modules")).unwrap();
    names.len()
}

#[test]
fn modules_of_a_past_that_is_given_up_go_with_the_next_publish() {
    let disk = MemoryDisk::new();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut random = Random(5);
    let mut session = Session::open(&shared, FORGETFUL).unwrap();
    for version in [1, 2] {
        session.publish(version, false).unwrap();
        work(&mut session, &mut random, 10);
    }
    assert_eq!(modules(&disk), 2);
    take(&mut session);
    // The first one is of no use any more, and goes. The next is the same, and is stored again.
    let first = vec![1; 700];
    let hash = <sha2::Sha256 as sha2::Digest>::digest(&first).into();
    let stored = session.log.put_module(&hash, &first).unwrap();
    assert_eq!(modules(&disk), 2);
    // It stays as long as its publish may come, whatever else is published.
    session.publish(3, true).unwrap();
    work(&mut session, &mut random, 10);
    assert_eq!(modules(&disk), 3);
    take(&mut session);
    session.publish(4, true).unwrap();
    assert_eq!(modules(&disk), 3);
    drop(stored);
    work(&mut session, &mut random, 10);
    take(&mut session);
    session.publish(4, true).unwrap();
    assert_eq!(modules(&disk), 1);
    work(&mut session, &mut random, 10);
    let contents = session.contents();
    drop(session);

    // Of the past before an open nothing is known: what is there stays until the past begins later.
    let mut session = Session::open(&shared, KEEPING_ALL).unwrap();
    assert_eq!(session.contents(), contents);
    session.publish(5, true).unwrap();
    work(&mut session, &mut random, 10);
    take(&mut session);
    session.publish(6, true).unwrap();
    session.settle();
    assert_eq!(modules(&disk), 3);
    let contents = session.contents();
    drop(session);
    // Compacted, the present one is left.
    crate::open::compact(Arc::clone(&shared), Path::new(FOLDER), 1, 2, SMALL).unwrap();
    assert_eq!(modules(&disk), 1);
    let session = Session::open(&shared, FORGETFUL).unwrap();
    assert_eq!(session.contents(), contents);
    assert!(session.wasm.is_some());
}

/// Publishes that failed, before and after others that did not, of modules that come again.
#[test]
fn the_module_that_is_in_force_stays_whatever_failed_before() {
    let stored = |version: u8| {
        let wasm = vec![version; 700];
        let hash: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(&wasm).into();
        (hash, wasm)
    };
    for seed in 0..200 {
        let mut random = Random(seed);
        let disk = MemoryDisk::new();
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let mut session = Session::open(&shared, FORGETFUL).unwrap();
        let mut waiting = Vec::new();
        session.publish(0, false).unwrap();
        session.settle();
        for _ in 0..12 {
            let version = random.next(4) as u8;
            match random.next(4) {
                0 => {
                    let (hash, wasm) = stored(version);
                    let stored = session.log.modules().put(&hash, &wasm).unwrap();
                    if random.next(2) != 0 {
                        waiting.push(stored);
                    }
                }
                1 => {
                    session.publish(version, true).unwrap();
                    session.settle();
                }
                2 => work(&mut session, &mut random, 2),
                _ => drop(take(&mut session)),
            }
        }
        session.settle();
        let contents = session.contents();
        drop(session);
        let session = opened(&disk).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(session.contents(), contents, "seed {seed}");
        assert!(session.wasm.is_some(), "seed {seed}");
    }
}
