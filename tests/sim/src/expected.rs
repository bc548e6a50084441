//! What is due to somebody who has asked.

/// What a request must come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// A Reply of this Lsn.
    Value {
        lsn: u64,
    },
    /// A Reply with an error.
    Error,
    /// One of the two.
    Unsure,
    /// A Snapshot.
    Rows(usize),
    /// Rows, once.
    Answer(usize),
    Pong,
}
