//! Whose turn it is.
//!
//! Connections take turns. A reducer that took long is a suspect for a while, and calls of suspects wait
//! until all others have had nothing to do for a moment, but no longer than the last such call took: so
//! who calls slow reducers gets half of the time at most if somebody else wants the other half. Deferred
//! calls run in steps of their own, which begin when everything before them is out: nobody's answer waits
//! for a slow call that came after the question.

use syncline_protocol::{ErrorCode, ReducerKind, WireError};

use crate::command::Command;
use crate::engine::Engine;
use crate::inbox::{Inbox, Wait};

impl Engine {
    /// What the next step waits for, if it is now this tick.
    #[must_use]
    pub fn waits_for(&self, inbox: &Inbox, tick: u64) -> Wait {
        if inbox.is_empty() {
            return Wait::Command;
        }
        if self.is_behind() {
            return Wait::Disk;
        }
        match self.deferred_from(inbox) {
            Some(from) if from <= tick && !self.is_settled() => Wait::Disk,
            Some(from) if from > tick && !inbox.has_ready() => Wait::Tick(from),
            _ => Wait::Nothing,
        }
    }

    /// The tick from which on deferred commands have their turn, if there are any.
    pub(crate) fn deferred_from(&self, inbox: &Inbox) -> Option<u64> {
        let wait = inbox.deferred_wait()?;
        if inbox.has_ready() {
            return Some(wait.due);
        }
        Some(wait.due.min(self.busy_tick.saturating_add(wait.quiet)))
    }

    /// Takes the next command that is not deferred, and defers those that shall be.
    pub(crate) fn next_ready(&self, inbox: &mut Inbox, tick: u64) -> Option<Command> {
        while !self.suspects.is_empty() {
            let reducer = self.reducer_of(inbox.front()?);
            match reducer.and_then(|reducer| self.suspects.patience(reducer, tick)) {
                Some(wait) => inbox.defer(wait),
                None => break,
            }
        }
        inbox.pop()
    }

    /// Takes the next deferred command, and recalls those that need not wait any longer.
    pub(crate) fn next_deferred(&self, inbox: &mut Inbox, tick: u64) -> Option<Command> {
        loop {
            let reducer = self.reducer_of(inbox.deferred_front()?);
            match reducer.and_then(|reducer| self.suspects.patience(reducer, tick)) {
                Some(wait) => return inbox.pop_deferred(wait),
                None => inbox.recall_deferred(),
            }
        }
    }

    /// Refuses what was deferred last if more is deferred than may be: the rest of the inbox is for others.
    pub(crate) fn refuse_excess(&mut self, inbox: &mut Inbox, tick: u64) {
        while inbox.is_deferred_full() {
            inbox.bring_newest_deferred_forward();
            let Some(front) = inbox.deferred_front() else {
                return;
            };
            let reducer = self.reducer_of(front);
            match reducer.and_then(|reducer| self.suspects.patience(reducer, tick)) {
                Some(wait) => {
                    if let Some(command) = inbox.pop_deferred(wait) {
                        self.refuse(command);
                    }
                }
                None => inbox.recall_deferred(),
            }
        }
    }

    fn refuse(&mut self, command: Command) {
        let error = || {
            WireError::new(
                ErrorCode::Overloaded,
                "too many calls of slow reducers wait already",
            )
            .hint("try again a little later, and make the reducer faster")
        };
        match command {
            Command::Call { origin, .. } => self.reply(origin, None, Err(error())),
            Command::Connect(connect) => self.confirmed.close(connect.conn, error()),
            // The end of a connection cannot be refused.
            other => self.run(other),
        }
    }

    /// The reducer that the command runs.
    fn reducer_of(&self, command: &Command) -> Option<usize> {
        let lifecycle = |kind| self.database().schema().module.lifecycle(kind);
        match command {
            Command::Call { reducer, .. } => {
                let name = core::str::from_utf8(reducer).ok()?;
                self.reducers.get(name).copied()
            }
            Command::Connect(_) => lifecycle(ReducerKind::Connected),
            Command::Disconnect(_) => lifecycle(ReducerKind::Disconnected),
            _ => None,
        }
    }
}
