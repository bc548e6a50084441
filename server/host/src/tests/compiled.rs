//! Compiled modules on disk: taken when they are what this server wrote, and never otherwise.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use syncline_store::MemoryDisk;
use syncline_store::disk::{CallKind, Fault, replace_file};

use super::fixture::{World, account, host, wasm};
use crate::compiled::hmac;
use crate::{CompiledCounts, CompiledModules, Host, RunLimits};

const KEY: [u8; 32] = [7; 32];

/// A host of a server that has just been started.
fn fresh(disk: &MemoryDisk, key: [u8; 32]) -> Host {
    let kept = CompiledModules::new(Arc::new(disk.clone()), "/data/compiled".into(), key);
    host().with_compiled(kept)
}

/// A start: loads the module, runs some of it, and says where it came from.
fn start(disk: &MemoryDisk, key: [u8; 32], wasm: &[u8]) -> CompiledCounts {
    let host = fresh(disk, key);
    let mut world = World::on(host.clone(), wasm, RunLimits::default());
    world.insert(0, &account(1, 100)).unwrap();
    assert_eq!(world.rows(0), [account(1, 100)]);
    host.compiled_counts().unwrap()
}

fn files(disk: &MemoryDisk) -> Vec<PathBuf> {
    disk.files()
}

const READ: CompiledCounts = CompiledCounts {
    read: 1,
    compiled: 0,
    refused: 0,
    unwritten: 0,
};
const COMPILED: CompiledCounts = CompiledCounts {
    read: 0,
    compiled: 1,
    ..READ
};
const REFUSED: CompiledCounts = CompiledCounts {
    read: 0,
    refused: 1,
    ..READ
};

#[test]
fn a_module_is_compiled_once() {
    let (disk, wasm) = (MemoryDisk::new(), wasm(vec![], ""));
    assert_eq!(start(&disk, KEY, &wasm), COMPILED);
    assert_eq!(start(&disk, KEY, &wasm), READ);
    // What a power cut leaves of it is the whole file.
    disk.crash(1);
    assert_eq!(start(&disk, KEY, &wasm), READ);
}

#[test]
fn what_this_server_did_not_write_is_compiled_anew_and_replaced() {
    let (disk, wasm) = (MemoryDisk::new(), wasm(vec![], ""));
    start(&disk, KEY, &wasm);
    let [path] = &files(&disk)[..] else {
        panic!("one file")
    };
    let good = disk.bytes(path).unwrap();
    let put = |bytes: &[u8]| replace_file(&disk, path, bytes).unwrap();

    // A bit anywhere: the magic, the code, the headers of the engine, the machine code, the end.
    let step = good.len() / 37;
    for at in (0..41)
        .chain((41..good.len()).step_by(step))
        .chain([good.len() - 1])
    {
        let mut bytes = good.clone();
        bytes[at] ^= 1 << (at % 8);
        put(&bytes);
        let host = fresh(&disk, KEY);
        host.load(&wasm).unwrap();
        assert_eq!(host.compiled_counts(), Some(REFUSED), "byte {at}");
        assert_eq!(disk.bytes(path).unwrap(), good, "byte {at}");
    }
    for len in [0, 7, 8, 39, 40, 41, good.len() - 1] {
        put(&good[..len]);
        assert_eq!(start(&disk, KEY, &wasm), REFUSED, "cut to {len}");
    }
    put(&[&good[..], &[0]].concat());
    assert_eq!(start(&disk, KEY, &wasm), REFUSED);
    assert_eq!(start(&disk, KEY, &wasm), READ);
    // Of a server with another key, as in a folder that was copied without it.
    assert_eq!(start(&disk, [8; 32], &wasm), REFUSED);
    assert_eq!(start(&disk, KEY, &wasm), REFUSED);
}

#[test]
fn a_file_does_not_pass_for_that_of_another_module() {
    let disk = MemoryDisk::new();
    let (one, two) = (wasm(vec![], ""), wasm(vec![], "(func $unused)"));
    start(&disk, KEY, &one);
    let path = files(&disk).remove(0);
    let of_one = disk.bytes(&path).unwrap();
    start(&disk, KEY, &two);
    let other = files(&disk)
        .into_iter()
        .find(|other| *other != path)
        .unwrap();
    replace_file(&disk, &other, &of_one).unwrap();
    assert_eq!(start(&disk, KEY, &two), REFUSED);
    assert_eq!(start(&disk, KEY, &two), READ);
    assert_eq!(start(&disk, KEY, &one), READ);
}

#[test]
fn a_disk_that_does_not_take_it_is_no_reason_not_to_load() {
    let wasm = wasm(vec![], "");
    let unwritten = CompiledCounts {
        unwritten: 1,
        ..COMPILED
    };
    let full = MemoryDisk::new();
    full.set_capacity(Some(100));
    assert_eq!(start(&full, KEY, &wasm), unwritten);
    full.set_capacity(None);
    assert_eq!(start(&full, KEY, &wasm), COMPILED);
    for kind in [CallKind::Write, CallKind::Sync, CallKind::Rename] {
        let failing = MemoryDisk::new();
        failing.fault_at_kind(kind, 0, Fault::Error(std::io::ErrorKind::Other));
        assert_eq!(start(&failing, KEY, &wasm), unwritten, "{kind:?}");
        failing.clear_faults();
        assert_eq!(start(&failing, KEY, &wasm).read, 0, "{kind:?}");
        assert_eq!(start(&failing, KEY, &wasm), READ, "{kind:?}");
    }
}

#[test]
fn what_nobody_needs_any_more_is_removed() {
    let disk = MemoryDisk::new();
    let (one, two) = (wasm(vec![], ""), wasm(vec![], "(func $unused)"));
    start(&disk, KEY, &one);
    start(&disk, KEY, &two);
    let foreign = Path::new("/data/compiled/of another engine");
    replace_file(&disk, foreign, b"text").unwrap();
    assert_eq!(files(&disk).len(), 3);
    let host = fresh(&disk, KEY);
    let held = host.load(&one).unwrap();
    assert_eq!(host.remove_unused_compiled().unwrap(), 2);
    drop(held);
    assert_eq!(files(&disk).len(), 1);
    assert_eq!(start(&disk, KEY, &one), READ);
    assert_eq!(start(&disk, KEY, &two), COMPILED);
    assert_eq!(
        fresh(&MemoryDisk::new(), KEY)
            .remove_unused_compiled()
            .unwrap(),
        0
    );
}

#[test]
fn all_of_them_together_are_bounded() {
    let disk = MemoryDisk::new();
    let kept = || CompiledModules::new(Arc::new(disk.clone()), "/data/compiled".into(), KEY);
    let nth = |n: usize| wasm(vec![], &format!("(global $g i32 (i32.const {n}))"));
    let host = host().with_compiled(kept());
    let first = host.load(&nth(0)).unwrap();
    let one = disk.bytes(&files(&disk)[0]).unwrap().len() as u64;
    let mut bounded = kept();
    bounded.bytes_max = 4 * one + one / 2;
    let host = host.with_compiled(bounded);
    for n in 1..20 {
        host.load(&nth(n)).unwrap();
        assert!(files(&disk).len() <= 4, "{n}: {:?}", files(&disk));
    }
    // That of the one that runs stays.
    drop(first);
    assert_eq!(start(&disk, KEY, &nth(0)), READ);
}

#[test]
fn the_code_is_that_of_rfc_4231() {
    let hex = |bytes: [u8; 32]| bytes.map(|byte| format!("{byte:02x}")).concat();
    assert_eq!(
        hex(hmac(&[0x0b; 20], &[b"Hi ", b"There"])),
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
    );
    assert_eq!(
        hex(hmac(b"Jefe", &[b"what do ya want ", b"for nothing?"])),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
}
