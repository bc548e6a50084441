//! The host functions outside wasm: those of the test database that is running a reducer in this thread.

use syncline_protocol::abi::query::ANSWER_REFUSED;
use syncline_protocol::packed::put_sized;

use crate::stand_in::with_running as running;

pub(crate) fn find(table: u32, index: u32, key: &[u8], out: &mut [u8]) -> i64 {
    running(|tables| tables.find(table, index, key, out))
}

pub(crate) fn insert(table: u32, row: &[u8], assigned: &mut [u8; 16]) -> i64 {
    running(|tables| tables.insert(table, row, assigned))
}

pub(crate) fn update(table: u32, row: &[u8]) -> i64 {
    running(|tables| tables.update(table, row))
}

pub(crate) fn delete(table: u32, key: &[u8]) -> i64 {
    running(|tables| tables.delete(table, key))
}

pub(crate) fn scan_open(table: u32, index: u32, flags: u32, bounds: &[u8], out: &mut [u8]) -> i64 {
    running(|tables| tables.scan_open(table, index, flags, bounds, out))
}

pub(crate) fn scan_next(cursor: u32, out: &mut [u8]) -> i64 {
    running(|tables| tables.scan_next(cursor, out))
}

pub(crate) fn scan_close(cursor: u32) {
    running(|tables| tables.scan_close(cursor));
}

pub(crate) fn count(table: u32) -> i64 {
    running(|tables| tables.count(table))
}

/// There is no SQL outside a server: every query is refused.
pub(crate) fn query(_request: &[u8], out: &mut [u8]) -> i64 {
    let mut refusal = vec![ANSWER_REFUSED];
    put_sized(b"NOT_SUPPORTED", &mut refusal);
    let message =
        "queries are answered inside a server alone: publish the module to try this reducer";
    put_sized(message.as_bytes(), &mut refusal);
    let mut item = Vec::new();
    put_sized(&refusal, &mut item);
    out[..item.len()].copy_from_slice(&item);
    item.len() as i64
}

pub(crate) fn log(level: u32, line: &str) {
    running(|tables| tables.log(level, line));
}
