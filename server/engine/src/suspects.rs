//! Reducers that took long, and so may again.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::inbox::Patience;

/// A call that took so many ticks makes its reducer a suspect.
pub(crate) const SLOW_TICKS: u64 = 10;
/// How much longer than the call the suspicion lasts.
const SUSPICION_FACTOR: u64 = 10;
/// The part of a slow call's time that the others must have been quiet before one of them runs.
const QUIET_DIVISOR: u64 = 10;

/// Suspects by their position in the schema. Empty as long as no reducer is slow, and then it costs nothing.
#[derive(Debug)]
pub(crate) struct Suspects {
    by_reducer: HashMap<usize, Suspect, FixedState>,
}

#[derive(Clone, Copy, Debug)]
struct Suspect {
    /// What the last slow call took.
    cost_ticks: u64,
    /// The tick from which on it is forgotten.
    end: u64,
}

impl Default for Suspects {
    fn default() -> Self {
        Self {
            by_reducer: HashMap::with_hasher(FixedState::default()),
        }
    }
}

impl Suspects {
    pub(crate) fn is_empty(&self) -> bool {
        self.by_reducer.is_empty()
    }

    /// A call of the reducer has taken so long until now.
    pub(crate) fn note(&mut self, reducer: usize, cost_ticks: u64, now: u64) {
        let end = now.saturating_add(cost_ticks * SUSPICION_FACTOR);
        self.by_reducer.insert(reducer, Suspect { cost_ticks, end });
    }

    /// Forgets those that have not been slow for long enough.
    pub(crate) fn expire(&mut self, now: u64) {
        if !self.is_empty() {
            self.by_reducer.retain(|_, suspect| suspect.end > now);
        }
    }

    /// The positions mean other reducers from now on.
    pub(crate) fn clear(&mut self) {
        self.by_reducer.clear();
    }

    /// How long a call of the reducer shall wait for others; none if it is no suspect.
    pub(crate) fn patience(&self, reducer: usize, now: u64) -> Option<Patience> {
        let suspect = self.by_reducer.get(&reducer)?;
        Some(Patience {
            due: now.saturating_add(suspect.cost_ticks),
            quiet: suspect.cost_ticks / QUIET_DIVISOR,
        })
    }
}
