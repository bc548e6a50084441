//! A stream that is taken apart: never more than its own files, and the same whatever pieces it comes in.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use syncline_store::{BackupSink, MemoryDisk};

fn unpacked(stream: &[u8], piece: usize) -> Option<Vec<(std::path::PathBuf, Option<Vec<u8>>)>> {
    let disk = MemoryDisk::new();
    let mut sink = BackupSink::new(&disk, Path::new("/unpacked")).ok()?;
    for piece in stream.chunks(piece) {
        sink.push(piece).ok()?;
    }
    sink.finish().ok()?;
    let files = disk.files().into_iter();
    Some(
        files
            .map(|path| (path.clone(), disk.bytes(&path)))
            .collect(),
    )
}

fuzz_target!(|input: &[u8]| {
    let Some((&piece, stream)) = input.split_first() else {
        return;
    };
    let mut whole = b"SYNCBAK\n\x01\0\0\0".to_vec();
    whole.extend_from_slice(stream);
    let pieces = usize::from(piece) + 1;
    assert_eq!(unpacked(&whole, pieces), unpacked(&whole, whole.len()));
});
