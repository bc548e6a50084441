//! What was submitted, Lsn by Lsn, and how far somebody was told that it is durable.

use crate::model::State;
use crate::report::Checked;

/// The state after every Lsn; the first is the state before any.
#[derive(Debug)]
pub(crate) struct History {
    states: Vec<After>,
    told: u64,
}

#[derive(Clone, Debug)]
struct After {
    state: State,
    /// Connections that an open must find here and end.
    stale: usize,
}

impl History {
    pub(crate) fn new() -> Self {
        let (state, stale) = (State::default(), 0);
        Self {
            states: vec![After { state, stale }],
            told: 0,
        }
    }

    /// The last Lsn.
    pub(crate) fn last(&self) -> u64 {
        self.states.len() as u64 - 1
    }

    pub(crate) fn now(&self) -> &State {
        &self
            .states
            .last()
            .expect("the state before any is there")
            .state
    }

    pub(crate) fn at(&self, lsn: u64) -> Option<&State> {
        self.states.get(lsn as usize).map(|after| &after.state)
    }

    /// Whether the state of this Lsn is known row for row: in which order an open ends connections is not.
    pub(crate) fn is_known(&self, lsn: u64) -> bool {
        let after = self.states.get(lsn as usize);
        after.is_some_and(|after| after.stale == after.state.connections.len())
    }

    /// A transaction or publish was committed.
    pub(crate) fn push(&mut self, state: State) {
        let stale = state.connections.len();
        self.states.push(After { state, stale });
    }

    /// Somebody who is told of nothing before it is durable was told of this Lsn.
    pub(crate) fn told(&mut self, lsn: u64) {
        self.told = self.told.max(lsn);
    }

    pub(crate) fn known_durable(&self) -> u64 {
        self.told
    }

    /// A database has opened, has ended so many connections of the life before, each in a transaction, and
    /// `last` is the Lsn of the last of them. Returns how many Lsns are lost.
    pub(crate) fn recovered(&mut self, last: u64, ended: usize) -> Checked<u64> {
        let Some(kept) = last.checked_sub(ended as u64) else {
            return Err(format!(
                "{ended} connections were ended, and lsn {last} is the last"
            ));
        };
        if kept < self.told {
            let told = self.told;
            return Err(format!(
                "lsn {told} was told to be durable, {kept} is the last after the crash"
            ));
        }
        let Some(after) = self.states.get(kept as usize).cloned() else {
            let last = self.last();
            return Err(format!(
                "lsn {kept} was found, {last} was the last that was submitted"
            ));
        };
        if after.stale != ended {
            let there = after.stale;
            return Err(format!(
                "{ended} connections were ended, {there} were there at lsn {kept}"
            ));
        }
        let lost = self.last() - kept;
        self.states.truncate(kept as usize + 1);
        // The order in which they end is the database's affair; that all of them do is not.
        let state = after.state.disconnect_all();
        self.states.extend((0..ended).rev().map(|stale| After {
            state: state.clone(),
            stale,
        }));
        Ok(lost)
    }
}
