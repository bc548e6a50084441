//! What a measurement prints, and the bars it is held to.

use serde::Serialize;

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

/// Where figures and bars go.
pub(crate) struct Report {
    json: bool,
    has_head: bool,
    bars: Vec<(bool, String)>,
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            has_head: false,
            bars: Vec::new(),
        }
    }

    /// Prints one figure.
    pub(crate) fn print(&mut self, figure: &Figure) {
        if self.json {
            let line = serde_json::to_string(&rounded(figure)).expect("a figure is plain data");
            println!("{line}");
            return;
        }
        if !std::mem::replace(&mut self.has_head, true) {
            println!(
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
            );
        }
        let f = figure;
        println!(
            "{:<22} {:>13} {:>9.1} {:>10.0} {:>11.0} {:>9.0} {:>13.0} {:>12.0} {:>12.0}",
            f.work,
            f.subscriptions,
            f.affected,
            f.ns_per_commit,
            f.ns_per_affected,
            f.bytes_per_subscription,
            f.naive_ns_per_commit,
            f.compare_all_ns_per_commit,
            f.transaction_ns_per_commit
        );
    }

    /// A figure that may be so much at most.
    pub(crate) fn at_most(&mut self, what: &str, value: f64, bar: f64) {
        let line = format!("{what}: {value:.0} (at most {bar:.0})");
        self.bars.push((value <= bar, line));
    }

    /// A work that cannot be measured.
    pub(crate) fn failed(&mut self, work: &str, error: &anyhow::Error) {
        self.bars.push((false, format!("{work}: {error:#}")));
    }

    /// Prints the bars; whether all are met.
    pub(crate) fn finish(self) -> bool {
        for (is_met, line) in &self.bars {
            eprintln!("{} {line}", if *is_met { "PASS  " } else { "MISSED" });
        }
        self.bars.iter().all(|(is_met, _)| *is_met)
    }
}

fn rounded(figure: &Figure) -> Figure {
    let round = |value: f64| (value * 10.0).round() / 10.0;
    Figure {
        work: figure.work,
        subscriptions: figure.subscriptions,
        affected: round(figure.affected),
        ns_per_commit: round(figure.ns_per_commit),
        ns_per_affected: round(figure.ns_per_affected),
        bytes_per_subscription: round(figure.bytes_per_subscription),
        naive_ns_per_commit: round(figure.naive_ns_per_commit),
        compare_all_ns_per_commit: round(figure.compare_all_ns_per_commit),
        transaction_ns_per_commit: round(figure.transaction_ns_per_commit),
        bytes_per_commit: round(figure.bytes_per_commit),
    }
}
