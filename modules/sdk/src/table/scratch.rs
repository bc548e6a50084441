//! Buffers for point operations, so that they allocate nothing.

use core::cell::Cell;

use syncline_protocol::abi;

use crate::guest::host;

/// What most rows fit in.
const ROW_BYTES: usize = 4 << 10;

/// One buffer for what goes to the host, one for what comes back.
#[derive(Default)]
pub(super) struct Scratch {
    key: Vec<u8>,
    /// All of its length is for the host to write to.
    row: Vec<u8>,
}

thread_local! {
    static SCRATCH: Cell<Scratch> = const { Cell::new(Scratch { key: Vec::new(), row: Vec::new() }) };
}

/// Lends the buffers. Inside another `with` (a hand-written `Packed` might read a table) there are others.
#[inline]
pub(super) fn with<T>(use_it: impl FnOnce(&mut Scratch) -> T) -> T {
    let mut scratch = SCRATCH.take();
    let result = use_it(&mut scratch);
    SCRATCH.set(scratch);
    result
}

impl Scratch {
    /// Writes a key, or a row, or bounds, for the host.
    #[inline]
    pub(super) fn key(&mut self, put: impl FnOnce(&mut Vec<u8>)) -> &[u8] {
        self.key.clear();
        put(&mut self.key);
        &self.key
    }

    /// The packed row with the key that was written last.
    #[inline]
    pub(super) fn find(&mut self, table: u32, index: u32) -> Option<&[u8]> {
        if self.row.is_empty() {
            self.row.resize(ROW_BYTES, 0);
        }
        let mut status = host::find(table, index, &self.key, &mut self.row);
        if status == abi::STATUS_NOT_FOUND {
            return None;
        }
        let len = usize::try_from(status).expect("the host finds a row or does not");
        if len > self.row.len() {
            self.row.resize(len, 0);
            status = host::find(table, index, &self.key, &mut self.row);
            assert!(status == len as i64, "a row is as long as the host said");
        }
        Some(&self.row[..len])
    }
}
