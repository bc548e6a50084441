//! What is said of an open while it goes on.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use syncline_engine::MemoryDisk;

use super::*;

#[test]
fn what_is_read_is_said_while_it_goes_on_and_not_after() {
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
    let opened = watched(&disk, folder, every, say, |watched| {
        wait_for((0, 1000));
        let file = watched.open(&path).unwrap();
        file.read_at(0, &mut [0; 300]).unwrap();
        wait_for((300, 1000));
        file
    });
    let count = said.lock().len();
    opened.read_at(300, &mut [0; 300]).unwrap();
    std::thread::sleep(20 * every);
    assert_eq!(said.lock().len(), count);
}
