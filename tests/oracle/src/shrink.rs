//! Makes a failing case smaller: fewer steps, fewer changes, shorter queries, as long as it fails in the same way.

use std::time::{Duration, Instant};

use crate::case::{Case, Step};
use crate::failure::Failure;
use crate::play::play;
use crate::tally::Tally;

/// What is spent on it.
const TIME_MAX: Duration = Duration::from_secs(40);

struct Shrinker {
    until: Instant,
    case: Case,
    failure: Failure,
}

/// The smallest case that was found, and how it fails.
pub(crate) fn shrink(case: &Case, failure: &Failure) -> (Case, Failure) {
    let mut shrinker = Shrinker {
        until: Instant::now() + TIME_MAX,
        case: case.clone(),
        failure: failure.clone(),
    };
    let mut less = case.clone();
    less.steps.truncate(failure.step + 1);
    shrinker.is_so(less);
    if let Some(id) = failure.id {
        let mut less = shrinker.case.clone();
        less.steps
            .retain(|step| step.of().is_none_or(|own| own == id));
        shrinker.is_so(less);
    }
    while shrinker.steps() | shrinker.writes() | shrinker.queries() | shrinker.policies() {}
    (shrinker.case, shrinker.failure)
}

impl Step {
    /// The live query that it is about.
    fn of(&self) -> Option<u32> {
        match self {
            Self::Write(_) | Self::Publish { .. } => None,
            Self::Watch { id, .. }
            | Self::Move { id, .. }
            | Self::Again { id }
            | Self::Forget { id } => Some(*id),
        }
    }
}

impl Shrinker {
    /// Keeps a smaller case if it fails too.
    fn is_so(&mut self, case: Case) -> bool {
        if Instant::now() > self.until {
            return false;
        }
        match play(&case, &mut Tally::default()) {
            Err(failure) if failure.is_like(&self.failure) => {
                self.case = case;
                self.failure = failure;
                true
            }
            _ => false,
        }
    }

    /// Leaves out runs of steps, long ones first.
    fn steps(&mut self) -> bool {
        let mut is_less = false;
        let mut length = self.case.steps.len() / 2;
        while length > 0 {
            let mut from = 0;
            while from < self.case.steps.len() {
                let mut less = self.case.clone();
                let to = (from + length).min(less.steps.len());
                less.steps.drain(from..to);
                if self.is_so(less) {
                    is_less = true;
                } else {
                    from += length;
                }
            }
            length /= 2;
        }
        is_less
    }

    /// Leaves out changes of transactions, half of them first.
    fn writes(&mut self) -> bool {
        let mut is_less = false;
        for step in 0..self.case.steps.len() {
            let count = |case: &Case| match &case.steps[step] {
                Step::Write(writes) => writes.len(),
                _ => 0,
            };
            let mut length = count(&self.case).div_ceil(2);
            while length > 0 {
                let mut from = 0;
                while from < count(&self.case) {
                    let mut less = self.case.clone();
                    if let Step::Write(writes) = &mut less.steps[step] {
                        writes.drain(from..(from + length).min(writes.len()));
                    }
                    if self.is_so(less) {
                        is_less = true;
                    } else {
                        from += length;
                    }
                }
                length /= 2;
            }
        }
        is_less
    }

    /// Makes queries shorter.
    fn queries(&mut self) -> bool {
        let mut is_less = false;
        for step in 0..self.case.steps.len() {
            'again: while let Step::Watch { query, .. } = &self.case.steps[step] {
                for text in query.text.smaller() {
                    let mut less = self.case.clone();
                    if let Step::Watch { query, .. } = &mut less.steps[step] {
                        query.text = text;
                    }
                    if self.is_so(less) {
                        is_less = true;
                        continue 'again;
                    }
                }
                break;
            }
        }
        is_less
    }

    fn policies(&mut self) -> bool {
        let mut is_less = false;
        for table in 0..self.case.policies.len() {
            if self.case.policies[table].is_some() {
                let mut less = self.case.clone();
                less.policies[table] = None;
                is_less |= self.is_so(less);
            }
        }
        is_less
    }
}
