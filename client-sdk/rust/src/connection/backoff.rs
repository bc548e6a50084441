//! How long to wait before the next attempt to connect.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// Doubles with each attempt, up to a limit; a random part keeps clients that lost the same server from
/// coming back at the same moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) max: Duration,
}

impl Backoff {
    /// The wait before attempt `attempt` (the first is 0): between half of the doubled time and all of
    /// it, as `random` says.
    fn delay_of(self, attempt: u32, random: u64) -> Duration {
        let doubled = self
            .first
            .saturating_mul(1 << attempt.min(20))
            .min(self.max);
        doubled / 2 + (doubled / 2).mul_f64(random as f64 / u64::MAX as f64)
    }

    pub(crate) fn delay(self, attempt: u32) -> Duration {
        // Each RandomState has other keys: randomness that needs no dependency.
        self.delay_of(attempt, RandomState::new().build_hasher().finish())
    }
}

#[cfg(test)]
mod tests;
