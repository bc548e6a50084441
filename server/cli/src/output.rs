//! What commands print.

use std::fmt::Display;
use std::io::Write;

use serde_json::Value;
use syncline_protocol::Type;

use crate::failure::Failure;

/// Prints a line to stdout at once, whoever reads it.
pub(crate) fn line(text: &dyn Display) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()?;
    Ok(())
}

/// A table in columns that are as wide as they must be.
#[derive(Debug, Default)]
pub(crate) struct Grid {
    /// Which columns are numbers, to the right.
    numeric: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Grid {
    /// A table with these heads and the types below them.
    pub(crate) fn new<'a>(columns: impl Iterator<Item = (&'a str, &'a Type)>) -> Self {
        let (heads, numeric) = columns
            .map(|(name, ty)| (name.to_owned(), is_number(ty)))
            .unzip::<_, _, Vec<_>, Vec<_>>();
        Self {
            numeric,
            rows: vec![heads],
        }
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// Lines without space at their ends.
    pub(crate) fn lines(&self) -> Vec<String> {
        let columns = self.numeric.len();
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..columns).map(width).collect();
        let mut lines: Vec<String> = Vec::new();
        for (number, row) in self.rows.iter().enumerate() {
            let cells = row.iter().zip(&widths).zip(&self.numeric);
            let cells = cells.map(|((cell, &width), numeric)| match numeric {
                true => format!("{cell:>width$}"),
                false => format!("{cell:<width$}"),
            });
            lines.push(cells.collect::<Vec<_>>().join("  ").trim_end().to_owned());
            if number == 0 {
                let rules: Vec<_> = widths.iter().map(|&width| "-".repeat(width)).collect();
                lines.push(rules.join("  "));
            }
        }
        lines
    }
}

fn is_number(ty: &Type) -> bool {
    match ty {
        Type::Option(inner) => is_number(inner),
        Type::F32 | Type::F64 | Type::Duration | Type::Decimal => true,
        ty => ty.is_integer(),
    }
}

/// A value for a person's eyes: times as dates, texts without quotes, nothing that moves the cursor.
pub(crate) fn cell(ty: &Type, value: &Value) -> String {
    match (ty, value) {
        (Type::Json, value) => printable(&value.to_string()),
        (_, Value::Null) => "NULL".to_owned(),
        (Type::Option(inner), value) => cell(inner, value),
        (Type::Timestamp, Value::String(micros)) => {
            micros.parse().map_or_else(|_| micros.clone(), timestamp)
        }
        (_, Value::String(text)) => printable(text),
        (_, other) => printable(&other.to_string()),
    }
}

/// The text with control characters written as escapes: data must not drive a terminal.
pub(crate) fn printable(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            clean.extend(c.escape_default());
        } else {
            clean.push(c);
        }
    }
    clean
}

/// Microseconds since the Unix epoch as `2026-11-25 08:30:00.123456Z`. The calendar's arithmetic is Howard
/// Hinnant's `civil_from_days`.
pub(crate) fn timestamp(micros: i64) -> String {
    let (seconds, micros) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

#[cfg(test)]
mod tests;
