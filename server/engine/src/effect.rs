//! What a step wants done: messages to send and requests to answer, all bytes in one buffer.

use syncline_protocol::{Lsn, WireError};
use syncline_store::ReadView;

use crate::command::{ConnKey, Ticket};
use crate::module_log::LogEntry;

/// Bytes of messages that emptied effects keep the memory of.
const KEPT_BYTES_MAX: usize = 1 << 20;
/// Messages and receivers that they keep the memory of.
const KEPT_EFFECTS_MAX: usize = 1 << 14;

/// Effects of a step, in order. Reused from step to step.
#[derive(Debug, Default)]
pub struct Effects {
    bytes: Vec<u8>,
    targets: Vec<ConnKey>,
    list: Vec<Effect>,
    answers: Vec<(Ticket, Answer)>,
}

/// One effect; ranges point into the buffers of its [`Effects`].
#[derive(Clone, Debug)]
enum Effect {
    Send {
        conn: ConnKey,
        bytes: (usize, usize),
        answers: bool,
    },
    FanOut {
        targets: (usize, usize),
        bytes: (usize, usize),
    },
    Close {
        conn: ConnKey,
        error: Box<WireError>,
    },
}

/// One effect with its bytes.
#[derive(Debug)]
pub enum EffectRef<'a> {
    /// Send a message to a connection.
    Send {
        /// The receiver.
        conn: ConnKey,
        /// The message.
        message: &'a [u8],
        /// It answers a request, which is then no longer in flight.
        answers: bool,
    },
    /// Send one message to many connections.
    FanOut {
        /// The receivers.
        targets: &'a [ConnKey],
        /// The message.
        message: &'a [u8],
    },
    /// Tell a connection why and close it.
    Close {
        /// The connection.
        conn: ConnKey,
        /// Why.
        error: &'a WireError,
    },
}

/// Answer to a request without a connection.
#[derive(Debug)]
pub enum Answer {
    /// A call went well: its Lsn and its value as JSON.
    Called(Lsn, serde_json::Value),
    /// The rows of a query as JSON: `{"lsn", "columns", "key", "order", "rows"}`.
    Rows(Box<serde_json::Value>),
    /// A module was published: what it changed, for people.
    Published(Box<Published>),
    /// The schema as JSON text, and its hash.
    Schema(String, String),
    /// All rows as of the transaction with this Lsn. It keeps what it holds in memory until it is dropped.
    View(Lsn, Box<ReadView>),
    /// Rows were written.
    Imported(Imported),
    /// The row at this position of the batch cannot be written, so none was.
    RowRefused(usize, Box<WireError>),
    /// Lines of the module's log.
    Logs(Vec<LogEntry>),
    /// The request failed.
    Failed(Box<WireError>),
}

/// What a publish did.
#[derive(Debug)]
pub struct Published {
    /// Its place in the log.
    pub lsn: Lsn,
    /// Hex hash of the wasm.
    pub module_hash: String,
    /// Names of tables that are new.
    pub tables_added: Vec<String>,
    /// Names of indexes that are new, as `table.index`.
    pub indexes_added: Vec<String>,
    /// Names of reducers that are new.
    pub reducers_added: Vec<String>,
    /// Names of reducers that are gone.
    pub reducers_removed: Vec<String>,
    /// All rows were thrown away.
    pub data_cleared: bool,
}

/// What a batch did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Its place in the log, or that of the last transaction if it changed nothing.
    pub lsn: Lsn,
    /// Rows that are new.
    pub inserted: u64,
    /// Rows that took the place of others.
    pub updated: u64,
}

impl Effects {
    /// Nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty() && self.answers.is_empty()
    }

    /// Bytes of all messages.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets everything and keeps the memory, unless it has grown large.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES_MAX);
        self.targets.clear();
        self.targets.shrink_to(KEPT_EFFECTS_MAX);
        self.list.clear();
        self.list.shrink_to(KEPT_EFFECTS_MAX);
        self.answers.clear();
        self.answers.shrink_to(KEPT_EFFECTS_MAX);
    }

    /// The messages and closes in order.
    pub fn iter(&self) -> impl Iterator<Item = EffectRef<'_>> {
        let bytes = |(start, end): (usize, usize)| &self.bytes[start..end];
        self.list.iter().map(move |effect| match effect {
            Effect::Send {
                conn,
                bytes: range,
                answers,
            } => EffectRef::Send {
                conn: *conn,
                message: bytes(*range),
                answers: *answers,
            },
            Effect::FanOut {
                targets: (start, end),
                bytes: range,
            } => EffectRef::FanOut {
                targets: &self.targets[*start..*end],
                message: bytes(*range),
            },
            Effect::Close { conn, error } => EffectRef::Close { conn: *conn, error },
        })
    }

    /// Takes the answers out.
    pub fn take_answers(&mut self) -> impl Iterator<Item = (Ticket, Answer)> + '_ {
        self.answers.drain(..)
    }

    /// Adds a message that `write` appends to the buffer it is given.
    pub(crate) fn send(&mut self, conn: ConnKey, answers: bool, write: impl FnOnce(&mut Vec<u8>)) {
        let bytes = self.write(write);
        self.list.push(Effect::Send {
            conn,
            bytes,
            answers,
        });
    }

    /// Adds a message that goes to all `targets`; none if there are no targets.
    pub(crate) fn fan_out(
        &mut self,
        targets: impl Iterator<Item = ConnKey>,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let start = self.targets.len();
        self.targets.extend(targets);
        let end = self.targets.len();
        if start < end {
            let bytes = self.write(write);
            self.list.push(Effect::FanOut {
                targets: (start, end),
                bytes,
            });
        }
    }

    pub(crate) fn close(&mut self, conn: ConnKey, error: WireError) {
        self.list.push(Effect::Close {
            conn,
            error: Box::new(error),
        });
    }

    pub(crate) fn answer(&mut self, ticket: Ticket, answer: Answer) {
        self.answers.push((ticket, answer));
    }

    fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> (usize, usize) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        (start, self.bytes.len())
    }
}
