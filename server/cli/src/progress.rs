//! How far a long command is, for a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar on stderr, if that is a terminal and a person looks.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// So many rows are to come.
    pub(crate) fn rows(rows: u64, as_json: bool) -> Self {
        Self::new(
            Some(rows),
            "{bar:32} {human_pos} of {human_len} rows, {per_sec}, {eta} left",
            as_json,
        )
    }

    /// So many bytes are to go, if that is known.
    pub(crate) fn bytes(bytes: Option<u64>, as_json: bool) -> Self {
        let template = match bytes {
            Some(_) => {
                "{bar:32} {bytes} of {total_bytes}, {binary_bytes_per_sec}, {msg}, {eta} left"
            }
            None => "{spinner} {bytes}, {binary_bytes_per_sec}, {msg}",
        };
        Self::new(bytes, template, as_json)
    }

    /// What this names is read; how much that is comes with [`Self::read`].
    pub(crate) fn reading(name: &str, as_json: bool) -> Self {
        let template =
            "{msg} {bar:32} {bytes} of about {total_bytes}, {binary_bytes_per_sec}, {eta} left";
        let progress = Self::new(Some(0), template, as_json);
        progress.bar.set_message(name.to_owned());
        progress
    }

    /// So far in all, of so much that is known by now.
    pub(crate) fn read(&self, bytes: u64, of: u64) {
        self.bar.set_length(of);
        self.bar.set_position(bytes);
    }

    fn new(len: Option<u64>, template: &str, as_json: bool) -> Self {
        let target = if as_json {
            ProgressDrawTarget::hidden()
        } else {
            // Nothing is drawn where nobody can see it move.
            ProgressDrawTarget::stderr()
        };
        let style = ProgressStyle::with_template(template).expect("the template is one of ours");
        let bar = ProgressBar::with_draw_target(len, target).with_style(style);
        Self { bar }
    }

    /// So far in all.
    pub(crate) fn at(&self, position: u64) {
        self.bar.set_position(position);
    }

    /// So much more, and so many rows in all.
    pub(crate) fn add(&self, more: u64, rows: u64) {
        self.bar.set_message(rows_text(rows));
        self.bar.inc(more);
    }

    /// Takes the bar away, so that what is said next stands alone.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// `1 row`, `2 rows`.
pub(crate) fn rows_text(rows: u64) -> String {
    format!("{rows} {}", if rows == 1 { "row" } else { "rows" })
}
