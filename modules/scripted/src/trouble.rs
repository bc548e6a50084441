//! Reducers that misbehave. Each must end with a typed error, leave nothing behind, and not disturb the next call.

use core::fmt;
use core::hint::black_box;

use syncline::prelude::*;

use crate::tables::{Reading, ReadingAccess, Word, WordAccess};

/// An error of one's own.
#[derive(Debug)]
pub(crate) struct Refusal {
    reason: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused: {}", self.reason)
    }
}

fn write_word(ctx: &Context, word: &str) {
    let word = Word {
        word: word.to_owned(),
        meaning: None,
    };
    ctx.db()
        .word()
        .upsert(word)
        .expect("only the primary key is unique");
}

/// Writes, and then fails.
#[reducer]
pub(crate) fn fail_after_write(ctx: &Context, word: String, reason: String) -> Result<(), Refusal> {
    write_word(ctx, &word);
    Err(Refusal { reason })
}

/// Writes, and then panics.
#[reducer]
pub(crate) fn panic_after_write(ctx: &Context, word: String, text: String) {
    write_word(ctx, &word);
    panic!("{text}");
}

/// Panics.
#[reducer]
pub(crate) fn panic_now(_ctx: &Context, text: String) {
    panic!("{text}");
}

/// Goes on after a write was refused: a conflict is a value, not the end.
#[reducer]
pub(crate) fn survive_conflict(ctx: &Context, word: String) -> Result<String, String> {
    write_word(ctx, &word);
    match ctx.db().word().insert(Word {
        word,
        meaning: None,
    }) {
        Ok(_) => Err("a second row with the same key was accepted".to_owned()),
        Err(error) => Ok(error.to_string()),
    }
}

/// Indexes past the end: a panic that nobody wrote.
#[reducer]
pub(crate) fn out_of_bounds(_ctx: &Context, position: u32) -> u8 {
    black_box([1, 2, 3])[position as usize]
}

/// Never ends.
#[reducer]
pub(crate) fn loop_forever(ctx: &Context) {
    write_word(ctx, "looping");
    loop {
        black_box(());
    }
}

/// Never ends, and calls the host all the time.
#[reducer]
pub(crate) fn scan_forever(ctx: &Context) {
    loop {
        black_box(ctx.db().word().iter().count());
    }
}

/// Takes all memory there is.
#[reducer]
pub(crate) fn allocate_forever(_ctx: &Context) {
    let mut all = Vec::new();
    loop {
        all.push(black_box(vec![1_u8; 1 << 20]));
    }
}

/// Uses up the stack.
#[reducer]
pub(crate) fn recurse_forever(_ctx: &Context) -> u64 {
    recurse(0)
}

fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    if frame[0] == u64::MAX {
        0
    } else {
        recurse(depth + 1) + black_box(frame)[15]
    }
}

/// Logs that many lines.
#[reducer]
pub(crate) fn log_many(_ctx: &Context, count: u32) {
    for number in 0..count {
        log::info!("line {number}");
    }
}

/// Logs one line of that many bytes.
#[reducer]
pub(crate) fn log_long(_ctx: &Context, bytes: u32) {
    log::warn!("{}", "x".repeat(bytes as usize));
}

/// Adds that many readings.
#[reducer]
pub(crate) fn write_many(ctx: &Context, count: u64, sensor: u32) -> Result<u64, WriteError> {
    let at = ctx.timestamp();
    for number in 0..count {
        let value = number as i64;
        let level = number as f64;
        ctx.db().reading().insert(Reading {
            id: 0,
            sensor,
            value,
            at,
            quality: None,
            level,
        })?;
    }
    Ok(count)
}

/// Writes a row with that many bytes of text.
#[reducer]
pub(crate) fn write_long(ctx: &Context, bytes: u32) -> Result<(), WriteError> {
    let meaning = Some("x".repeat(bytes as usize));
    ctx.db().word().upsert(Word {
        word: "long".to_owned(),
        meaning,
    })?;
    Ok(())
}

/// Looks for a key of that many bytes.
#[reducer]
pub(crate) fn find_long(ctx: &Context, bytes: u32) -> bool {
    ctx.db().word().contains("x".repeat(bytes as usize))
}

/// Returns that many bytes.
#[reducer]
pub(crate) fn return_bytes(_ctx: &Context, bytes: u32) -> Vec<u8> {
    vec![7; bytes as usize]
}

/// Fails with a text of that many bytes.
#[reducer]
pub(crate) fn fail_long(_ctx: &Context, bytes: u32) -> Result<(), String> {
    Err("x".repeat(bytes as usize))
}

/// Opens that many scans at once, each over more rows than its first chunk holds.
#[reducer]
pub(crate) fn open_scans(ctx: &Context, count: u32) -> u64 {
    let mut scans: Vec<_> = (0..count).map(|_| ctx.db().reading().iter()).collect();
    scans
        .iter_mut()
        .filter_map(Iterator::next)
        .map(|reading| reading.id)
        .sum()
}
