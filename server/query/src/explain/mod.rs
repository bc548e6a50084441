//! `EXPLAIN [LIVE] query`: what is done for a query, for people.
//!
//! The answer is rows of three texts: a section, an item of it, and what is to be said of that. Estimates and
//! counters are told to the admin alone: they are figures of rows that others may not see.

mod flow;
mod once;

use syncline_protocol::message::{ResultColumn, ResultDescription};
use syncline_protocol::{Type, Value, packed};
use syncline_store::{IndexId, Table};

pub(crate) use flow::{add_hidden, add_state, add_ways, signatures};
pub(crate) use once::add_access;

use crate::execute::RowSink;

/// What is asked to be explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The answer, once.
    Once,
    /// How the query lives.
    Live,
}

/// Rows of an explanation.
#[derive(Debug)]
pub(crate) struct Report {
    rows: Vec<[String; 3]>,
    /// Whether figures of rows may be told.
    pub(crate) has_figures: bool,
}

/// Rows of which the fan-out of an index is estimated, and rows of one key that are counted at most.
const SAMPLE_ROWS: usize = 32;
const SAMPLE_KEY_ROWS: usize = 1000;

impl Report {
    /// An empty one, with figures or without.
    pub(crate) fn new(has_figures: bool) -> Self {
        Self {
            rows: Vec::new(),
            has_figures,
        }
    }

    pub(crate) fn add(&mut self, section: &str, item: impl Into<String>, value: impl Into<String>) {
        let row = [section.to_owned(), item.into(), value.into()];
        self.rows.push(row);
    }

    /// Sends the rows; returns what they are.
    pub(crate) fn send(&self, sink: &mut RowSink<'_>) -> ResultDescription {
        let mut packed = Vec::new();
        for row in &self.rows {
            packed.clear();
            for text in row {
                packed::encode(&Type::String, &Value::String(text.clone()), &mut packed)
                    .expect("an explanation is a short text");
            }
            sink(&packed);
        }
        let column = |name: &str| ResultColumn {
            name: name.to_owned(),
            ty: Type::String,
            hidden: false,
        };
        ResultDescription {
            columns: ["section", "item", "value"].map(column).to_vec(),
            ..ResultDescription::default()
        }
    }

    /// An index of a table, its columns, and to how many rows it leads from one key.
    pub(crate) fn index(&self, table: &Table, index: IndexId) -> String {
        let names = column_names(table, table.index_columns(index).unwrap_or_default());
        let declared = index.position().and_then(|at| table.def().indexes.get(at));
        let name = match declared {
            Some(own) => format!("index {}", own.name),
            None if index.is_hidden() => "hidden index".to_owned(),
            None => "primary key".to_owned(),
        };
        let fan_out = match table.is_unique(index) {
            true => ", one row".to_owned(),
            false if self.has_figures => format!(", about {} rows", fan_out(table, index)),
            false => String::new(),
        };
        format!("{name}({names}){fan_out}")
    }
}

/// Names of columns, with commas.
pub(crate) fn column_names(table: &Table, columns: &[u16]) -> String {
    let names = columns
        .iter()
        .filter_map(|column| table.def().columns.get(usize::from(*column)));
    names
        .map(|column| column.name.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

/// Rows with the same key as a row, on average over a few rows: what a changed row leads to.
fn fan_out(table: &Table, index: IndexId) -> usize {
    let columns = table.index_columns(index).unwrap_or_default();
    let (mut key, mut found, mut count) = (Vec::new(), 0, 0);
    for row in table.rows().take(SAMPLE_ROWS) {
        key.clear();
        table.layout().project(row, columns, &mut key);
        found += table.matching(index, &key).take(SAMPLE_KEY_ROWS).count();
        count += 1;
    }
    if count == 0 { 0 } else { found.div_ceil(count) }
}

/// The query behind EXPLAIN, if the text is one. Places in it are those in the text.
pub(crate) fn take(sql: &str) -> Option<(Subject, String)> {
    let (explain, rest) = first_word(sql)?;
    if !explain.eq_ignore_ascii_case("EXPLAIN") {
        return None;
    }
    let (subject, rest) = match first_word(rest) {
        Some((live, rest)) if live.eq_ignore_ascii_case("LIVE") => (Subject::Live, rest),
        _ => (Subject::Once, rest),
    };
    let before = &sql[..sql.len() - rest.len()];
    let blank = |c: char| if c == '\n' { '\n' } else { ' ' };
    let mut query: String = before.chars().map(blank).collect();
    query.push_str(rest);
    Some((subject, query))
}

/// The first word of a text, and what is behind it.
fn first_word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let end = text
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}
