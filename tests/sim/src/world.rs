//! What outlives a life: the disk, what was submitted and told, and the chance of it all.

use std::fmt::Display;

use crate::disk::SimDisk;
use crate::history::History;
use crate::mutant::Mutant;
use crate::random::Random;
use crate::report::Tally;
use crate::tickets::Tickets;

/// Everything of a run but its present life.
pub(crate) struct World {
    pub(crate) random: Random,
    pub(crate) disk: SimDisk,
    pub(crate) mutant: Option<Mutant>,
    pub(crate) history: History,
    pub(crate) tickets: Tickets,
    pub(crate) tally: Tally,
    /// Microseconds since the Unix epoch.
    pub(crate) now: i64,
    /// The newest epoch that a client was told of.
    pub(crate) epoch: u64,
    /// The same when the present life began.
    pub(crate) past_epoch: u64,
    /// The catalog has said that it has the database.
    pub(crate) is_created: bool,
    pub(crate) connections: u64,
    pub(crate) fingerprint: u64,
    trace: Option<Vec<String>>,
}

impl World {
    pub(crate) fn new(seed: u64, mutant: Option<Mutant>, is_traced: bool) -> Self {
        Self {
            random: Random::new(seed),
            disk: SimDisk::new(mutant),
            mutant,
            history: History::new(),
            tickets: Tickets::default(),
            tally: Tally::default(),
            now: 1_000_000,
            epoch: 0,
            past_epoch: 0,
            is_created: false,
            connections: 0,
            fingerprint: 0xcbf2_9ce4_8422_2325,
            trace: is_traced.then(Vec::new),
        }
    }

    /// Counts something that was said or done into the fingerprint.
    pub(crate) fn note(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.fingerprint ^= u64::from(*byte);
            self.fingerprint = self.fingerprint.wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// A line for people, if somebody reads.
    pub(crate) fn trace<T: Display>(&mut self, line: impl FnOnce() -> T) {
        if let Some(lines) = &mut self.trace {
            lines.push(format!("[lsn {}] {}", self.history.last(), line()));
        }
    }

    pub(crate) fn take_trace(&mut self) -> Vec<String> {
        self.trace.take().unwrap_or_default()
    }
}
