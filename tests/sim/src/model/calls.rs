//! The calls of the workload.

use super::packed::Packed;
use super::rows::{Book, Reading, book_row, reading_row, word_row};
use crate::random::Random;

/// A reducer of `scripted` with its arguments.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    UpsertWord(String, Option<String>),
    InsertWord(String, Option<String>),
    DeleteWord(String),
    WriteLong(u32),
    InsertReading(Reading),
    DeleteReading(u64),
    DeleteSensor(u32),
    Churn(u32),
    WriteMany(u64, u32),
    InsertPair(String, u32, i64),
    UpdatePair(String, u32, i64),
    DeletePair(String, u32),
    InsertBook(u32, Book),
    SwapBooks(u32, u32),
    InsertThing(String),
    FailAfterWrite,
    PanicAfterWrite,
}

impl Call {
    pub(crate) fn at_random(random: &mut Random) -> Self {
        let word = |random: &mut Random| format!("w{}", random.below(12));
        let meaning = |random: &mut Random| match random.below(4) {
            0 => None,
            1 => Some("m".repeat(random.below(700) as usize)),
            _ => Some(format!("meaning {}", random.below(1000))),
        };
        let right = |random: &mut Random| format!("r{}", random.below(3));
        let sensor = 1 + random.below(3) as u32;
        match random.below(28) {
            0..=4 => Self::UpsertWord(word(random), meaning(random)),
            5 | 6 => Self::InsertWord(word(random), meaning(random)),
            7 | 8 => Self::DeleteWord(word(random)),
            9 => Self::WriteLong(random.below(9000) as u32),
            10..=12 => Self::InsertReading(Reading {
                sensor,
                value: random.below(7) as i64 - 3,
                at: random.below(1000) as i64,
                quality: random.once_in(2).then(|| random.below(5) as i16),
                level: random.below(9) as f64 / 4.0,
            }),
            13 => Self::DeleteReading(1 + random.below(40)),
            14 => Self::DeleteSensor(sensor),
            15 => Self::Churn(sensor),
            16 => Self::WriteMany(random.below(5), sensor),
            17 | 18 => {
                let (left, value) = (random.below(3) as u32, random.below(100) as i64);
                Self::InsertPair(right(random), left, value)
            }
            19 => {
                let (left, value) = (random.below(3) as u32, random.below(100) as i64);
                Self::UpdatePair(right(random), left, value)
            }
            20 => Self::DeletePair(right(random), random.below(3) as u32),
            21 | 22 => {
                let book = Book {
                    code: random.once_in(2).then(|| format!("c{}", random.below(9))),
                    shelf: random.below(3) as u16,
                    place: random.below(4) as u16,
                    serial: random.below(20) as i64,
                };
                Self::InsertBook(random.below(8) as u32, book)
            }
            23 => Self::SwapBooks(random.below(8) as u32, random.below(8) as u32),
            24 | 25 => Self::InsertThing(format!("thing {}", random.below(50))),
            26 => Self::FailAfterWrite,
            _ => Self::PanicAfterWrite,
        }
    }

    /// Name of the reducer and its packed arguments.
    pub(crate) fn packed(&self) -> (&'static str, Vec<u8>) {
        let new = Packed::new;
        match self {
            Self::UpsertWord(word, meaning) => ("upsert_word", word_row(word, meaning.as_deref())),
            Self::InsertWord(word, meaning) => ("insert_word", word_row(word, meaning.as_deref())),
            Self::DeleteWord(word) => ("delete_word", new().text(word).0),
            Self::WriteLong(bytes) => ("write_long", new().u32(*bytes).0),
            Self::InsertReading(reading) => ("insert_reading", reading_row(0, reading)),
            Self::DeleteReading(id) => ("delete_reading", new().u64(*id).0),
            Self::DeleteSensor(sensor) => ("delete_sensor", new().u32(*sensor).0),
            Self::Churn(sensor) => ("churn", new().u32(*sensor).0),
            Self::WriteMany(count, sensor) => ("write_many", new().u64(*count).u32(*sensor).0),
            Self::InsertPair(right, left, value) => {
                ("insert_pair", new().u32(*left).i64(*value).text(right).0)
            }
            Self::UpdatePair(right, left, value) => {
                ("update_pair", new().u32(*left).i64(*value).text(right).0)
            }
            Self::DeletePair(right, left) => ("delete_pair", new().text(right).u32(*left).0),
            Self::InsertBook(id, book) => ("insert_book", book_row(*id, book)),
            Self::SwapBooks(one, other) => ("swap_books", new().u32(*one).u32(*other).0),
            Self::InsertThing(name) => ("insert_thing", new().u64(0).text(name).0),
            Self::FailAfterWrite => ("fail_after_write", new().text("w0").text("because").0),
            Self::PanicAfterWrite => ("panic_after_write", new().text("w0").text("boom").0),
        }
    }
}
