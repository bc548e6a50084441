//! What came of a run, or of many.

use std::collections::BTreeMap;

use syncline_store::disk::CallKind;

/// What does not hold, in words.
pub(crate) type Checked<T = ()> = Result<T, String>;

/// Ends the check with these words unless the condition holds.
macro_rules! hold {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err(format!($($words)+));
        }
    };
}
pub(crate) use hold;

/// How a life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// The power went off.
    PowerCut,
    /// The process was killed; what it had written is still to be read.
    Kill,
}

/// Where a life ended: how, in an open or in the work after it, at which call, on what. Without a call it ended between
/// two of them.
pub type CrashPoint = (End, &'static str, Option<(CallKind, &'static str)>);

/// What happened, counted.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// By place.
    pub crashes: BTreeMap<CrashPoint, u64>,
    /// Everything else, by name.
    pub counts: BTreeMap<&'static str, u64>,
}

impl Tally {
    pub(crate) fn count(&mut self, name: &'static str, more: u64) {
        *self.counts.entry(name).or_default() += more;
    }

    /// How often it happened.
    #[must_use]
    pub fn of(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or_default()
    }

    /// All crashes.
    #[must_use]
    pub fn crash_count(&self) -> u64 {
        self.crashes.values().sum()
    }

    /// Crashes at calls of this kind.
    #[must_use]
    pub fn crashes_at(&self, kind: CallKind) -> u64 {
        let crashes = self.crashes.iter();
        let at = crashes.filter(|((.., call), _)| call.is_some_and(|(found, _)| found == kind));
        at.map(|(_, count)| count).sum()
    }

    /// Adds another.
    pub fn add(&mut self, other: &Self) {
        for (point, count) in &other.crashes {
            *self.crashes.entry(*point).or_default() += count;
        }
        for (name, count) in &other.counts {
            *self.counts.entry(name).or_default() += count;
        }
    }
}

/// What came of one seed.
#[derive(Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What did not hold, if something did not.
    pub failure: Option<String>,
    /// Of all that was said and done: equal runs have equal ones.
    pub fingerprint: u64,
    /// What happened.
    pub tally: Tally,
    /// Line by line, if it was asked for.
    pub trace: Vec<String>,
}
