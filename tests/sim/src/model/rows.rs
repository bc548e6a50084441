//! Rows of the tables that the workload writes, and how they are packed.

use super::packed::Packed;

/// A row of `reading`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reading {
    pub(crate) sensor: u32,
    pub(crate) value: i64,
    pub(crate) at: i64,
    pub(crate) quality: Option<i16>,
    pub(crate) level: f64,
}

/// A row of `book`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Book {
    pub(crate) code: Option<String>,
    pub(crate) shelf: u16,
    pub(crate) place: u16,
    pub(crate) serial: i64,
}

pub(crate) fn word_row(word: &str, meaning: Option<&str>) -> Vec<u8> {
    Packed::new().text(word).option(meaning, Packed::text).0
}

pub(crate) fn reading_row(id: u64, row: &Reading) -> Vec<u8> {
    Packed::new()
        .u64(id)
        .u32(row.sensor)
        .i64(row.value)
        .i64(row.at)
        .option(row.quality, |packed, value| {
            packed.raw(&value.to_le_bytes())
        })
        .f64(row.level)
        .0
}

pub(crate) fn book_row(id: u32, book: &Book) -> Vec<u8> {
    Packed::new()
        .u32(id)
        .option(book.code.as_deref(), Packed::text)
        .u16(book.shelf)
        .u16(book.place)
        .i64(book.serial)
        .0
}
