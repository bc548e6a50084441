//! The queries of the workload, and the rows that are right.

use super::packed::Packed;
use super::rows::{book_row, reading_row, word_row};
use super::{ModuleName, RowSet, State};

/// Queries that clients subscribe to and ask once.
pub(crate) const QUERIES: [&str; 9] = [
    "SELECT * FROM word",
    "SELECT * FROM reading WHERE sensor = 1",
    "SELECT id, value FROM reading WHERE value > 0",
    "SELECT * FROM pair",
    "SELECT * FROM visit",
    "SELECT * FROM session",
    "SELECT * FROM book WHERE shelf = 1",
    "SELECT * FROM word ORDER BY word LIMIT 3",
    "SELECT * FROM thing",
];

/// The rows of a query; `None` if there is no such table.
pub(crate) fn answer(query: usize, state: &State) -> Option<RowSet> {
    let module = state.module?;
    let tables = &*state.tables;
    let readings = tables.readings.iter();
    Some(match query {
        0 => tables.rows("word"),
        1 => readings
            .filter(|(_, row)| row.sensor == 1)
            .map(|(id, row)| reading_row(*id, row))
            .collect(),
        2 => readings
            .filter(|(_, row)| row.value > 0)
            .map(|(id, row)| Packed::new().u64(*id).i64(row.value).0)
            .collect(),
        3 => tables.rows("pair"),
        4 => tables.rows("visit"),
        5 => tables.rows("session"),
        6 => {
            let books = tables.books.iter().filter(|(_, book)| book.shelf == 1);
            books.map(|(id, book)| book_row(*id, book)).collect()
        }
        7 => {
            let words = tables.words.iter().take(3);
            words
                .map(|(word, meaning)| word_row(word, meaning.as_deref()))
                .collect()
        }
        _ => {
            (module == ModuleName::Attic).then_some(())?;
            tables.rows("thing")
        }
    })
}
