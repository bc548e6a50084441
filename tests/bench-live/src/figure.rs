//! What a measurement prints.

use serde::Serialize;
use syncline_bench_report::{Line, rounded};

pub(crate) use syncline_bench_report::Report;

/// One measured figure. Nanoseconds are medians of wall time on a thread that does nothing else.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Figure {
    pub(crate) work: &'static str,
    pub(crate) subscriptions: u64,
    /// Subscriptions that a commit affects, on average.
    pub(crate) affected: f64,
    /// Of the step: from the changed rows to the encoded operations of all affected subscriptions.
    pub(crate) ns_per_commit: f64,
    pub(crate) ns_per_affected: f64,
    /// Resident memory that a subscription added; 0 where it is not measured.
    pub(crate) bytes_per_subscription: f64,
    /// All subscriptions asked again: a sample, times their number.
    pub(crate) naive_ns_per_commit: f64,
    /// A tight loop that compares the changed row with the parameters of each subscription; 0 where there is none.
    pub(crate) compare_all_ns_per_commit: f64,
    /// Of the transaction itself, indexes and all, without live queries.
    pub(crate) transaction_ns_per_commit: f64,
    /// Bytes of encoded operations a commit, on average.
    pub(crate) bytes_per_commit: f64,
}

impl Line for Figure {
    fn head() -> String {
        format!(
            "{:<22} {:>13} {:>9} {:>10} {:>11} {:>9} {:>13} {:>12} {:>12}",
            "work",
            "subscriptions",
            "affected",
            "ns/commit",
            "ns/affected",
            "B/subscr.",
            "asked again",
            "compare all",
            "transaction"
        )
    }

    fn row(&self) -> String {
        format!(
            "{:<22} {:>13} {:>9.1} {:>10.0} {:>11.0} {:>9.0} {:>13.0} {:>12.0} {:>12.0}",
            self.work,
            self.subscriptions,
            self.affected,
            self.ns_per_commit,
            self.ns_per_affected,
            self.bytes_per_subscription,
            self.naive_ns_per_commit,
            self.compare_all_ns_per_commit,
            self.transaction_ns_per_commit
        )
    }

    fn rounded(&self) -> Self {
        let round = |value| rounded(value, 1);
        Self {
            affected: round(self.affected),
            ns_per_commit: round(self.ns_per_commit),
            ns_per_affected: round(self.ns_per_affected),
            bytes_per_subscription: round(self.bytes_per_subscription),
            naive_ns_per_commit: round(self.naive_ns_per_commit),
            compare_all_ns_per_commit: round(self.compare_all_ns_per_commit),
            transaction_ns_per_commit: round(self.transaction_ns_per_commit),
            bytes_per_commit: round(self.bytes_per_commit),
            ..self.clone()
        }
    }
}
