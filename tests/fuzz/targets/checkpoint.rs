//! A checkpoint whose bytes were changed, with checksums that are right: the log beside it says the same, or it is
//! found out.
#![no_main]

use std::path::Path;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use syncline_fuzz::files;
use syncline_store::{Disk, check, open};

fuzz_target!(|input: &[u8]| {
    let mut files = files::database();
    let is_checkpoint = |path: &Path| path.extension().is_some_and(|e| e == "checkpoint");
    let checkpoint = files.iter_mut().find(|(path, _)| is_checkpoint(path));
    let (_, bytes) = checkpoint.expect("one was taken");
    match input.split_first() {
        Some((0, raw)) => *bytes = raw.to_vec(),
        Some((_, edits)) => {
            files::edit(bytes, edits);
            files::checksum_again(bytes);
        }
        None => return,
    }
    let disk: Arc<dyn Disk> = Arc::new(files::disk_of(&files));
    let folder = Path::new(files::FOLDER);
    check(&*disk, folder).expect("a disk in memory does not fail");
    // It is passed over, or the log after it must fit it.
    let _ = open(disk, folder, 9, 6, files::OPTIONS);
});
