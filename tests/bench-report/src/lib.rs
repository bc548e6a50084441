//! What benchmarks print: figures, as a table for people or one JSON object a line for programs, and the bars that they
//! are held to.
//!
//! A benchmark has a type for its figures, a [`Line`], and one [`Report`] that prints them as they come and the bars at
//! the end. Bars are kept off stdout where programs read it.

use std::fmt::Display;
use std::io::Write;

use serde::Serialize;

/// A figure that can be printed.
pub trait Line: Serialize {
    /// Over the table.
    fn head() -> String;
    /// A row of the table.
    fn row(&self) -> String;
    /// With digits that mean something, for programs.
    #[must_use]
    fn rounded(&self) -> Self;
}

/// Where figures and bars go.
#[derive(Debug)]
pub struct Report {
    json: bool,
    has_head: bool,
    bars: Vec<(bool, String)>,
}

impl Report {
    /// A table, or JSON lines.
    #[must_use]
    pub fn new(json: bool) -> Self {
        Self {
            json,
            has_head: false,
            bars: Vec::new(),
        }
    }

    /// Prints one figure.
    ///
    /// # Panics
    /// If it is no plain data.
    pub fn print<L: Line>(&mut self, figure: &L) {
        let line = if self.json {
            serde_json::to_string(&figure.rounded()).expect("a figure is plain data")
        } else if std::mem::replace(&mut self.has_head, true) {
            figure.row()
        } else {
            format!("{}\n{}", L::head(), figure.row())
        };
        put(&line);
    }

    /// A figure that may be so much at most.
    pub fn at_most(&mut self, what: &str, value: f64, bar: f64) {
        let line = format!("{what}: {} (at most {bar})", number(value));
        self.bars.push((value <= bar, line));
    }

    /// A figure that must be so much at least.
    pub fn at_least(&mut self, what: &str, value: f64, bar: f64) {
        let line = format!("{what}: {} (at least {bar})", number(value));
        self.bars.push((value >= bar, line));
    }

    /// A work that cannot be measured.
    pub fn failed(&mut self, work: &str, error: impl Display) {
        self.bars.push((false, format!("{work}: {error:#}")));
    }

    /// Prints the bars; whether all are met.
    #[must_use]
    pub fn verdict(&self) -> bool {
        for (is_met, words) in &self.bars {
            let line = format!("{} {words}", if *is_met { "PASS  " } else { "MISSED" });
            if self.json {
                eprintln!("{line}");
            } else {
                put(&line);
            }
        }
        self.bars.iter().all(|(is_met, _)| *is_met)
    }
}

/// To stdout. A reader that has gone needs no figures.
fn put(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn number(value: f64) -> String {
    let digits = if value < 100.0 { 3 } else { 0 };
    format!("{value:.digits$}")
}

/// With so many digits behind the point.
#[must_use]
pub fn rounded(value: f64, digits: i32) -> f64 {
    let factor = 10_f64.powi(digits);
    (value * factor).round() / factor
}

#[cfg(test)]
mod tests;
