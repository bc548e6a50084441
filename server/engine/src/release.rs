//! What the log has to do with the engine: effects wait until everything they depend on is durable.

use syncline_store::{CheckpointWriter, LogError, OpenError, Scrub, checkpoint};

use crate::effect::Effects;
use crate::engine::Engine;

/// Bytes of messages that wait for the disk, above which no commands are taken.
const HELD_BYTES_MAX: usize = 64 << 20;

impl Engine {
    /// Lets out what is durable; after the log has failed, lets nothing out any more but the news.
    pub(crate) fn release(&mut self, out: &mut dyn FnMut(&mut Effects)) {
        if self.log.is_poisoned() {
            return self.release_poison(out);
        }
        if !self.unconfirmed.is_empty() {
            out(&mut self.unconfirmed);
            self.unconfirmed.clear();
        }
        if !self.confirmed.is_empty() {
            let next = self.spare.pop().unwrap_or_default();
            let effects = std::mem::replace(&mut self.confirmed, next);
            self.held_bytes += effects.byte_len();
            self.held.push_back((self.log.last(), effects));
        }
        let durable = self.log.durable();
        while self.held.front().is_some_and(|(lsn, _)| *lsn <= durable) {
            let (_, mut effects) = self.held.pop_front().expect("it was just looked at");
            self.held_bytes -= effects.byte_len();
            out(&mut effects);
            effects.clear();
            if self.spare.len() < 8 {
                self.spare.push(effects);
            }
        }
    }

    /// More waits for the disk than may, of the log or of answers: commands wait until the log rings.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.held_bytes > HELD_BYTES_MAX || matches!(self.log.reserve(0), Err(LogError::Busy))
    }

    /// A checkpoint of the database as it is now, if it is time for one: somebody else's thread writes it. Between
    /// two steps.
    #[must_use]
    pub fn due_checkpoint(&mut self) -> Option<CheckpointWriter> {
        let database = self.database.as_ref()?;
        let is_due = self.log.is_checkpoint_due() && !self.log.is_poisoned();
        is_due.then(|| checkpoint::begin(&mut self.log, database))
    }

    /// A scrub of what is on the disk now: somebody else's thread runs it. Between two steps.
    pub fn begin_scrub(&self) -> Result<Scrub, OpenError> {
        Scrub::begin(&self.log)
    }

    /// Makes a checkpoint due: files that an open would need are damaged, and memory still has it all.
    pub fn want_checkpoint(&mut self) {
        self.log.want_checkpoint();
    }

    /// Nothing waits for the disk.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.held.is_empty()
    }
}
