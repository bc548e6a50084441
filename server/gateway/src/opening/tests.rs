//! What is said of an open while it goes on.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use syncline_engine::MemoryDisk;

use super::*;

#[test]
fn what_is_read_is_said_while_it_goes_on() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let folder = Path::new("/board");
    for folder in [folder.to_owned(), folder.join("log")] {
        disk.create_dir(&folder).unwrap();
    }
    let path = folder.join("log/1.log");
    disk.create(&path).unwrap().write_at(0, &[7; 1000]).unwrap();
    let said = Mutex::new(Vec::new());
    let say = |read, all, _| said.lock().push((read, all));
    let wait_for = |wanted: (u64, u64)| {
        let end = Instant::now() + Duration::from_secs(30);
        while !said.lock().contains(&wanted) {
            assert!(Instant::now() < end, "{:?}", said.lock());
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    let every = Duration::from_millis(2);
    watched(&disk, folder, every, say, |watched| {
        wait_for((0, 1000));
        let file = watched.open(&path).unwrap();
        file.read_at(0, &mut [0; 300]).unwrap();
        wait_for((300, 1000));
        file.read_at(300, &mut [0; 700]).unwrap();
        wait_for((1000, 1000));
    });
}

#[test]
fn a_short_open_says_nothing_and_waits_for_nobody() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let start = Instant::now();
    let say = |read: u64, all: u64, _: Duration| panic!("{read} of {all}");
    let hour = Duration::from_hours(1);
    assert_eq!(watched(&disk, Path::new("/board"), hour, say, |_| 7), 7);
    assert!(start.elapsed() < Duration::from_secs(20));
}
