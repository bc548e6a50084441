//! What a measurement prints, and the bars it is held to.

use serde::{Deserialize, Serialize};

/// One measured figure; what it does not measure is 0.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) work: String,
    pub(crate) engine: String,
    /// Records that are made durable together.
    pub(crate) batch: u64,
    pub(crate) records_per_s: f64,
    /// User and system time of all threads.
    pub(crate) cpu_us_per_record: f64,
    /// Of what is waited for: a batch, a commit.
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) rows: u64,
    pub(crate) seconds: f64,
    /// Of a process that does nothing else; 0 where engines share one.
    pub(crate) rss_mb: f64,
    /// Bytes given to the device for a byte of rows, unless the work says otherwise.
    pub(crate) write_amplification: f64,
}

/// Durations of one kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times(Vec<std::time::Duration>);

impl Times {
    pub(crate) fn push(&mut self, time: std::time::Duration) {
        self.0.push(time);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Microseconds that so many percent of them took at most.
    pub(crate) fn us(&self, percent: usize) -> f64 {
        self.us_from(0, percent)
    }

    /// The same of those from this one on.
    pub(crate) fn us_from(&self, first: usize, percent: usize) -> f64 {
        let mut sorted = self.0[first.min(self.0.len())..].to_vec();
        sorted.sort_unstable();
        let at = sorted.len().saturating_sub(1) * percent / 100;
        sorted.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e6)
    }
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
                "{:<58} {:<24} {:>5} {:>11} {:>9} {:>9} {:>9} {:>9} {:>8} {:>7} {:>7}",
                "work",
                "engine",
                "batch",
                "records/s",
                "CPU us",
                "p50 us",
                "p99 us",
                "rows",
                "seconds",
                "RSS MB",
                "write x"
            );
        }
        let f = figure;
        println!(
            "{:<58} {:<24} {:>5} {:>11.0} {:>9.3} {:>9.1} {:>9.1} {:>9} {:>8.3} {:>7.0} {:>7.2}",
            f.work,
            f.engine,
            f.batch,
            f.records_per_s,
            f.cpu_us_per_record,
            f.p50_us,
            f.p99_us,
            f.rows,
            f.seconds,
            f.rss_mb,
            f.write_amplification
        );
    }

    /// A figure that may be so much at most.
    pub(crate) fn at_most(&mut self, what: &str, value: f64, bar: f64) {
        let is_met = value <= bar;
        self.bars
            .push((is_met, format!("{what}: {value:.3} (at most {bar})")));
    }

    /// A figure that must be so much at least.
    pub(crate) fn at_least(&mut self, what: &str, value: f64, bar: f64) {
        let is_met = value >= bar;
        self.bars
            .push((is_met, format!("{what}: {value:.3} (at least {bar})")));
    }

    /// Prints the bars; whether all are met.
    pub(crate) fn verdict(&self) -> bool {
        for (is_met, words) in &self.bars {
            let line = format!("{} {words}", if *is_met { "PASS  " } else { "MISSED" });
            if self.json {
                eprintln!("{line}");
            } else {
                println!("{line}");
            }
        }
        self.bars.iter().all(|(is_met, _)| *is_met)
    }
}

/// With digits that mean something.
fn rounded(figure: &Figure) -> Figure {
    let thousandths = |value: f64| (value * 1000.0).round() / 1000.0;
    Figure {
        records_per_s: figure.records_per_s.round(),
        cpu_us_per_record: thousandths(figure.cpu_us_per_record),
        p50_us: thousandths(figure.p50_us),
        p99_us: thousandths(figure.p99_us),
        seconds: thousandths(figure.seconds),
        rss_mb: thousandths(figure.rss_mb),
        write_amplification: thousandths(figure.write_amplification),
        ..figure.clone()
    }
}
