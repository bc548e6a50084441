//! A backup that is opened and read: what it shows are whole files, and nothing panics.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use syncline_store::disk::{Disk, read_file};
use syncline_store::{MemoryDisk, past::BackupDisk};

fuzz_target!(|input: &[u8]| {
    let disk = MemoryDisk::new();
    let path = Path::new("/backup");
    let Ok(mut file) = disk.create(path) else {
        return;
    };
    file.write_at(0, input).expect("memory takes it");
    let Ok(backup) = BackupDisk::open(file) else {
        return;
    };
    for folder in ["/", "/log", "/modules", "/checkpoints"].map(Path::new) {
        for name in backup.list(folder).unwrap_or_default() {
            let _ = read_file(&backup, &folder.join(name));
        }
    }
});
