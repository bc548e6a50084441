//! Iterating over rows: a scan, fetched a chunk at a time.

use core::cell::RefCell;
use core::iter::FusedIterator;
use core::marker::PhantomData;

use syncline_protocol::packed::Reader;
use syncline_protocol::{abi, limits};

use super::{Row, RowType, scratch};
use crate::guest::host;

/// The first chunk is small: many scans end after a row or two.
const FIRST_CHUNK_BYTES: usize = 4 << 10;
/// A buffer for any row.
const LARGEST_CHUNK_BYTES: usize = limits::ROW_BYTES_MAX + 4;

thread_local! {
    /// Chunk buffers of scans that are over.
    static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// The rows of a scan, read a chunk at a time as the loop proceeds.
///
/// A row that the reducer changes, adds or deletes while the loop runs may be met as it was or as it is.
/// Collect the rows first if that matters.
#[derive(Debug)]
pub struct Rows<'db, R> {
    /// Its first `end` bytes are rows; `at` is where the next one starts.
    chunk: Vec<u8>,
    at: usize,
    end: usize,
    /// Where the host continues; 0 if it has no more.
    cursor: u32,
    row: RowType<'db, R>,
}

impl<R: Row> Rows<'_, R> {
    /// Starts a scan. `put_bounds` writes the bounds as the ABI has them, or nothing for all rows.
    pub(super) fn open(index: u32, flags: u32, put_bounds: impl FnOnce(&mut Vec<u8>)) -> Self {
        let table = R::entry().number();
        let mut chunk = BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_default();
        let status = scratch::with(|scratch| {
            let bounds = scratch.key(put_bounds);
            fill(&mut chunk, FIRST_CHUNK_BYTES, |out| {
                host::scan_open(table, index, flags, bounds, out)
            })
        });
        let (cursor, end) = split(status);
        Self {
            chunk,
            at: 0,
            end,
            cursor,
            row: PhantomData,
        }
    }

    /// The packed bytes of the next row, in the chunk.
    fn next_range(&mut self) -> Option<core::ops::Range<usize>> {
        while self.at == self.end {
            if self.cursor == 0 {
                return None;
            }
            let cursor = self.cursor;
            let status = fill(&mut self.chunk, limits::SCAN_CHUNK_BYTES, |out| {
                host::scan_next(cursor, out)
            });
            (self.cursor, self.end) = split(status);
            self.at = 0;
        }
        let mut reader = Reader::new(&self.chunk[self.at..self.end]);
        let len = reader.sized().expect("a chunk holds whole rows").len();
        let start = self.at + 4;
        self.at = start + len;
        Some(start..self.at)
    }
}

/// Asks for a chunk of at most `cap` bytes, or of one row if the next one is longer than that.
fn fill(chunk: &mut Vec<u8>, cap: usize, mut ask: impl FnMut(&mut [u8]) -> i64) -> i64 {
    if chunk.len() < cap {
        chunk.resize(cap, 0);
    }
    let status = ask(&mut chunk[..cap]);
    if status != abi::STATUS_ROW_TOO_LARGE {
        return status;
    }
    chunk.resize(LARGEST_CHUNK_BYTES, 0);
    ask(chunk)
}

/// Cursor and length of a chunk.
fn split(status: i64) -> (u32, usize) {
    let status = u64::try_from(status).expect("the host fills a chunk");
    ((status >> 32) as u32, status as u32 as usize)
}

impl<R: Row> Iterator for Rows<'_, R> {
    type Item = R;

    #[inline]
    fn next(&mut self) -> Option<R> {
        let range = self.next_range()?;
        Some(decode(&self.chunk[range]))
    }

    /// Steps over the rows without decoding them.
    fn count(mut self) -> usize {
        let mut count = 0;
        while self.next_range().is_some() {
            count += 1;
        }
        count
    }

    fn nth(&mut self, n: usize) -> Option<R> {
        for _ in 0..n {
            self.next_range()?;
        }
        self.next()
    }
}

impl<R: Row> FusedIterator for Rows<'_, R> {}

impl<R> Drop for Rows<'_, R> {
    fn drop(&mut self) {
        if self.cursor != 0 {
            host::scan_close(self.cursor);
        }
        if self.chunk.len() <= limits::SCAN_CHUNK_BYTES {
            BUFFERS.with_borrow_mut(|buffers| buffers.push(core::mem::take(&mut self.chunk)));
        }
    }
}

/// A row as the host hands it over.
///
/// # Panics
/// If it is not one: rows are validated where they enter the store.
#[inline]
pub(super) fn decode<R: Row>(packed: &[u8]) -> R {
    let mut reader = Reader::new(packed);
    match R::take(&mut reader) {
        Ok(row) if reader.rest().is_empty() => row,
        _ => malformed(R::entry().name),
    }
}

#[cold]
fn malformed(table: &str) -> ! {
    panic!("a row of `{table}` does not decode")
}
