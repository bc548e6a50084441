//! The disk's side of the log.

use std::sync::Arc;
use std::time::Duration;

use syncline_protocol::Lsn;

use super::commit_log::{AppendError, CommitLog, Entries};
use super::error::LogError;
use super::handover::{Handover, Inner};

/// How long nothing must come before [`LogWriter::wait`] says that the log is idle.
const IDLE: Duration = Duration::from_millis(500);
/// How often a full disk is asked again while records wait for it.
const FULL_RETRY: Duration = Duration::from_millis(100);

/// Writes what the appender hands over: one write and one sync for all that has come meanwhile, then the
/// durable Lsn moves. A state machine: whoever owns it waits ([`Self::wait`]) and works
/// ([`Self::run_once`]), on any thread; [`Self::run`] is that loop.
///
/// Groups are strictly one after the other: the next is written only after the one before is synced.
#[derive(Debug)]
pub struct LogWriter {
    log: Box<dyn CommitLog>,
    handover: Arc<Handover>,
    /// Handed over and not written yet.
    entries: Entries,
    sealed: Lsn,
}

/// What the writer waits for, and got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// There is something to do: [`LogWriter::run_once`].
    Work,
    /// Nothing has come for a while, and the last group is not sealed: [`LogWriter::seal`].
    Idle,
    /// The appender is gone and everything is written, or cannot be.
    Closed,
}

/// How far the writer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Everything up to it is durable.
    pub durable: Lsn,
    /// Bytes of records that have become so just now.
    pub bytes: usize,
    /// The disk is full, and records wait for room.
    pub is_stalled: bool,
}

impl LogWriter {
    /// Writes to a log in which everything that was handed over so far is durable.
    pub(crate) fn new(log: Box<dyn CommitLog>, handover: Arc<Handover>) -> Self {
        let writer = Self {
            sealed: handover.durable(),
            log,
            handover,
            entries: Entries::default(),
        };
        writer.publish_room();
        writer
    }

    /// The loop of a thread that does nothing else: works until the appender is gone and everything is
    /// durable, or the log has failed. Tells every step that moved the durable Lsn, or failed.
    pub fn run(mut self, mut advanced: impl FnMut(Result<Progress, &LogError>)) {
        loop {
            let done = match self.wait() {
                Wake::Work => self.run_once(),
                Wake::Idle => self.seal().map(|()| self.progress(0)),
                Wake::Closed => {
                    if let Err(error) = self.seal() {
                        advanced(Err(&error));
                    }
                    return;
                }
            };
            match done {
                Ok(progress) if progress.bytes == 0 => {}
                Ok(progress) => advanced(Ok(progress)),
                Err(error) => return advanced(Err(&error)),
            }
        }
    }

    /// Blocks until there is something to do. Nothing that is handed over waits for a timer.
    #[must_use]
    pub fn wait(&self) -> Wake {
        let mut inner = self.handover.lock();
        loop {
            if self.handover.is_poisoned() {
                return Wake::Closed;
            }
            if has_work(&inner) {
                return Wake::Work;
            }
            if inner.is_closed {
                return Wake::Closed;
            }
            if self.is_stalled() {
                let _ = self.handover.work().wait_for(&mut inner, FULL_RETRY);
                return Wake::Work;
            }
            if self.sealed == self.handover.durable() {
                self.handover.work().wait(&mut inner);
            } else if self.handover.work().wait_for(&mut inner, IDLE).timed_out()
                && !has_work(&inner)
                && !inner.is_closed
            {
                return Wake::Idle;
            }
        }
    }

    /// Writes and syncs everything that was handed over, then does some of the work on the next
    /// segment. After an error the log is poisoned: opening it again tells what is durable.
    ///
    /// A full disk is no error: the records wait, in memory, until there is room.
    pub fn run_once(&mut self) -> Result<Progress, LogError> {
        self.handover.check_poison()?;
        if self.entries.is_empty() {
            let mut inner = self.handover.lock();
            inner.asks_for_room = false;
            self.entries.take(&mut inner.batch);
        }
        let mut bytes = 0;
        while !self.entries.is_empty() {
            let before = self.entries.records().len();
            match self.log.append(self.handover.durable(), &mut self.entries) {
                Ok(durable) => {
                    let written = before - self.entries.records().len();
                    self.publish_room();
                    self.handover.advance(durable, written);
                    bytes += written;
                }
                Err(AppendError::Full) => {
                    self.publish_room();
                    break;
                }
                Err(error) => return Err(self.poison("a write to the log", &error)),
            }
        }
        match self.log.prepare() {
            Ok(()) | Err(AppendError::Full) => self.publish_room(),
            Err(error) => return Err(self.poison("making the next segment", &error)),
        }
        Ok(self.progress(bytes))
    }

    fn progress(&self, bytes: usize) -> Progress {
        Progress {
            durable: self.handover.durable(),
            bytes,
            is_stalled: self.is_stalled(),
        }
    }

    fn is_stalled(&self) -> bool {
        !self.entries.is_empty()
    }

    fn poison(&self, what: &str, error: &AppendError) -> LogError {
        self.handover.poison(&format!("{what} failed: {error}"))
    }

    fn publish_room(&self) {
        let room = self.log.room();
        self.handover.set_room(room.bytes, room.is_full);
    }

    /// Names the last group durable, so that damage to it is told from a torn tail.
    pub fn seal(&mut self) -> Result<(), LogError> {
        self.handover.check_poison()?;
        let durable = self.handover.durable();
        if self.sealed == durable || self.is_stalled() {
            self.sealed = durable;
            return Ok(());
        }
        // Whether it succeeds or not, it is tried once.
        self.sealed = durable;
        match self.log.seal() {
            Ok(()) | Err(AppendError::Full) => self.publish_room(),
            Err(error) => return Err(self.poison("sealing the log", &error)),
        }
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn acknowledge_before_sync(&mut self) {
        self.log.acknowledge_before_sync();
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        let inner = self.handover.lock();
        let is_finished = inner.is_closed && inner.batch.is_empty() && self.entries.is_empty();
        drop(inner);
        if !is_finished {
            self.handover.poison("the log writer is gone");
        }
    }
}

fn has_work(inner: &Inner) -> bool {
    !inner.batch.is_empty() || inner.asks_for_room
}
