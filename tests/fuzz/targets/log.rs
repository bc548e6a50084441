//! A segment whose bytes were changed, with checksums that are right: it opens, or is refused. What is refused can be
//! checked and salvaged, and what comes out opens.
#![no_main]

use std::path::Path;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use syncline_fuzz::files;
use syncline_store::{Disk, check, open, salvage};

fuzz_target!(|input: &[u8]| {
    let mut files = files::database();
    files.retain(|(path, _)| path.extension().is_none_or(|e| e != "checkpoint"));
    let is_segment = |path: &Path| path.extension().is_some_and(|e| e == "log");
    let segment = files.iter_mut().find(|(path, _)| is_segment(path));
    let (_, bytes) = segment.expect("a database has a log");
    match input.split_first() {
        // As it is, checksums too.
        Some((0, raw)) => *bytes = raw.to_vec(),
        Some((_, edits)) => {
            files::edit(bytes, edits);
            files::checksum_again(bytes);
        }
        None => return,
    }
    let disk: Arc<dyn Disk> = Arc::new(files::disk_of(&files));
    let folder = Path::new(files::FOLDER);
    let report = check(&*disk, folder).expect("a disk in memory does not fail");
    let saved = salvage(&disk, folder, Path::new("/data/copy"), 9, 8);
    if let Ok(saved) = &saved {
        let copy = open(
            Arc::clone(&disk),
            Path::new("/data/copy"),
            9,
            7,
            files::OPTIONS,
        );
        let copy = copy.expect("what was saved opens");
        assert_eq!(copy.last, saved.last);
    }
    if let Ok(opened) = open(disk, folder, 9, 6, files::OPTIONS) {
        assert_eq!(report.problems, [], "what opens is good");
        assert_eq!(report.last, opened.last);
        assert!(saved.is_ok_and(|saved| saved.last == opened.last));
    }
});
