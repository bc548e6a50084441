//! Where the module meets the host: the imports, as safe functions of slices, and the exports.
//!
//! All of the crate's unsafe code is here. The contract is `syncline_protocol::abi`.
#![expect(
    unsafe_code,
    reason = "calls across the wasm boundary; slices become pointers here and nowhere else"
)]

use core::cell::RefCell;

use syncline_protocol::{abi, schema_codec};

use super::{call, registry};

mod import {
    #[link(wasm_import_module = "syncline_1")]
    unsafe extern "C" {
        pub(super) fn find(
            table: u32,
            index: u32,
            key: *const u8,
            key_len: usize,
            out: *mut u8,
            out_cap: usize,
        ) -> i64;
        pub(super) fn insert(table: u32, row: *const u8, row_len: usize, out: *mut u8) -> i64;
        pub(super) fn update(table: u32, row: *const u8, row_len: usize) -> i64;
        pub(super) fn delete(table: u32, key: *const u8, key_len: usize) -> i64;
        pub(super) fn scan_open(
            table: u32,
            index: u32,
            flags: u32,
            bounds: *const u8,
            bounds_len: usize,
            out: *mut u8,
            out_cap: usize,
        ) -> i64;
        pub(super) fn scan_next(cursor: u32, out: *mut u8, out_cap: usize) -> i64;
        pub(super) safe fn scan_close(cursor: u32);
        pub(super) safe fn count(table: u32) -> i64;
        pub(super) fn query(
            request: *const u8,
            request_len: usize,
            out: *mut u8,
            out_cap: usize,
        ) -> i64;
        pub(super) fn log(level: u32, line: *const u8, len: usize);
        pub(super) fn panic(text: *const u8, len: usize) -> !;
    }
}

unsafe extern "C" {
    /// Runs the registrations that `#[table]` and `#[reducer]` left in `.init_array`. The linker writes this
    /// function; because we name it, it does not call it before every export instead.
    fn __wasm_call_ctors();
}

pub(crate) fn find(table: u32, index: u32, key: &[u8], out: &mut [u8]) -> i64 {
    // SAFETY: the host reads the key and writes within `out`; both are borrowed for the call.
    unsafe {
        import::find(
            table,
            index,
            key.as_ptr(),
            key.len(),
            out.as_mut_ptr(),
            out.len(),
        )
    }
}

pub(crate) fn insert(table: u32, row: &[u8], assigned: &mut [u8; 16]) -> i64 {
    // SAFETY: the host reads the row and writes at most the 16 bytes; both are borrowed for the call.
    unsafe { import::insert(table, row.as_ptr(), row.len(), assigned.as_mut_ptr()) }
}

pub(crate) fn update(table: u32, row: &[u8]) -> i64 {
    // SAFETY: the host reads the row, which is borrowed for the call.
    unsafe { import::update(table, row.as_ptr(), row.len()) }
}

pub(crate) fn delete(table: u32, key: &[u8]) -> i64 {
    // SAFETY: the host reads the key, which is borrowed for the call.
    unsafe { import::delete(table, key.as_ptr(), key.len()) }
}

pub(crate) fn scan_open(table: u32, index: u32, flags: u32, bounds: &[u8], out: &mut [u8]) -> i64 {
    let (bounds, bounds_len) = (bounds.as_ptr(), bounds.len());
    // SAFETY: the host reads the bounds and writes within `out`; both are borrowed for the call.
    unsafe {
        import::scan_open(
            table,
            index,
            flags,
            bounds,
            bounds_len,
            out.as_mut_ptr(),
            out.len(),
        )
    }
}

pub(crate) fn scan_next(cursor: u32, out: &mut [u8]) -> i64 {
    // SAFETY: the host writes within `out`, which is borrowed for the call.
    unsafe { import::scan_next(cursor, out.as_mut_ptr(), out.len()) }
}

pub(crate) fn scan_close(cursor: u32) {
    import::scan_close(cursor);
}

pub(crate) fn count(table: u32) -> i64 {
    import::count(table)
}

pub(crate) fn query(request: &[u8], out: &mut [u8]) -> i64 {
    // SAFETY: the host reads the request and writes within `out`; both are borrowed for the call.
    unsafe { import::query(request.as_ptr(), request.len(), out.as_mut_ptr(), out.len()) }
}

pub(crate) fn log(level: u32, line: &str) {
    // SAFETY: the host reads the line, which is borrowed for the call.
    unsafe { import::log(level, line.as_ptr(), line.len()) }
}

fn panic(text: &str) -> ! {
    // SAFETY: the host reads the text, which is borrowed for the call.
    unsafe { import::panic(text.as_ptr(), text.len()) }
}

/// Buffers that live as long as the instance. Taken out while a reducer runs.
struct Buffers {
    /// What `syncline_alloc` gave out: always as long as the longest block so far.
    block: Vec<u8>,
    /// The outcome of the last call, or the description.
    outcome: Vec<u8>,
}

thread_local! {
    static BUFFERS: RefCell<Buffers> =
        const { RefCell::new(Buffers { block: Vec::new(), outcome: Vec::new() }) };
}

/// The panic hook, and then the registrations; once in the life of an instance.
pub(super) fn start() {
    std::panic::set_hook(Box::new(|info| {
        let text = info.payload_as_str().unwrap_or("panic");
        match info.location() {
            Some(at) => panic(&format!(
                "{text}, at {}:{}:{}",
                at.file(),
                at.line(),
                at.column()
            )),
            None => panic(text),
        }
    }));
    // SAFETY: `registry` calls `start` once, so that everything registers once.
    unsafe { __wasm_call_ctors() };
}

fn region(bytes: &[u8]) -> u64 {
    (bytes.as_ptr() as u64) << 32 | bytes.len() as u64
}

/// [`abi::EXPORT_DESCRIBE`].
#[unsafe(no_mangle)]
extern "C" fn syncline_describe() -> u64 {
    let mut description = abi::VERSION.to_le_bytes().to_vec();
    description.extend_from_slice(&schema_codec::encode(&registry::schema()));
    BUFFERS.with_borrow_mut(|buffers| {
        buffers.outcome = description;
        region(&buffers.outcome)
    })
}

/// [`abi::EXPORT_ALLOC`].
#[unsafe(no_mangle)]
extern "C" fn syncline_alloc(len: usize) -> *mut u8 {
    BUFFERS.with_borrow_mut(|buffers| {
        if buffers.block.len() < len {
            buffers.block.resize(len, 0);
        }
        buffers.block.as_mut_ptr()
    })
}

/// [`abi::EXPORT_CALL`].
#[unsafe(no_mangle)]
extern "C" fn syncline_call(reducer: u32, block: *const u8, len: usize) -> u64 {
    let mut buffers = BUFFERS.replace(Buffers {
        block: Vec::new(),
        outcome: Vec::new(),
    });
    assert!(
        block == buffers.block.as_ptr(),
        "a call block lies where syncline_alloc said"
    );
    let block = buffers
        .block
        .get(..len)
        .expect("a call block is as long as syncline_alloc was told");
    buffers.outcome.clear();
    call::run(reducer, block, &mut buffers.outcome);
    let outcome = region(&buffers.outcome);
    BUFFERS.set(buffers);
    outcome
}
