//! The last lines that a module logged, kept in memory.

use std::collections::VecDeque;

use syncline_protocol::limits::{LOG_LINE_BYTES_MAX, LOG_LINES_KEPT};

/// A line of a module's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Counts the lines since the database was opened, from 1.
    pub sequence: u64,
    /// Time of the call, microseconds since the Unix epoch.
    pub time: i64,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: &'static str,
    /// The reducer that logged.
    pub reducer: String,
    /// What it said.
    pub text: String,
}

/// A ring of [`LOG_LINES_KEPT`] lines.
#[derive(Debug, Default)]
pub(crate) struct ModuleLog {
    lines: VecDeque<LogEntry>,
    last: u64,
}

impl ModuleLog {
    /// Adds a line, dropping the oldest one over the limit. A text over [`LOG_LINE_BYTES_MAX`] (the
    /// message of a panic may be one) is cut.
    pub(crate) fn push(&mut self, time: i64, level: &'static str, reducer: &str, mut text: String) {
        if text.len() > LOG_LINE_BYTES_MAX {
            text.truncate(text.floor_char_boundary(LOG_LINE_BYTES_MAX));
            text.shrink_to_fit();
        }
        self.last += 1;
        if self.lines.len() == LOG_LINES_KEPT {
            self.lines.pop_front();
        }
        let reducer = reducer.to_owned();
        self.lines.push_back(LogEntry {
            sequence: self.last,
            time,
            level,
            reducer,
            text,
        });
    }

    /// The newest `limit` lines after this sequence number, oldest first.
    #[must_use]
    pub(crate) fn after(&self, sequence: u64, limit: usize) -> Vec<LogEntry> {
        let known = self.lines.partition_point(|line| line.sequence <= sequence);
        let start = known.max(self.lines.len().saturating_sub(limit));
        self.lines.range(start..).cloned().collect()
    }
}
