//! What a measurement prints.

use serde::{Deserialize, Serialize};
use syncline_bench_report::{Line, rounded};

pub(crate) use syncline_bench_report::Report;

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

impl Line for Figure {
    fn head() -> String {
        format!(
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
        )
    }

    fn row(&self) -> String {
        format!(
            "{:<58} {:<24} {:>5} {:>11.0} {:>9.3} {:>9.1} {:>9.1} {:>9} {:>8.3} {:>7.0} {:>7.2}",
            self.work,
            self.engine,
            self.batch,
            self.records_per_s,
            self.cpu_us_per_record,
            self.p50_us,
            self.p99_us,
            self.rows,
            self.seconds,
            self.rss_mb,
            self.write_amplification
        )
    }

    fn rounded(&self) -> Self {
        let round = |value| rounded(value, 3);
        Self {
            records_per_s: self.records_per_s.round(),
            cpu_us_per_record: round(self.cpu_us_per_record),
            p50_us: round(self.p50_us),
            p99_us: round(self.p99_us),
            seconds: round(self.seconds),
            rss_mb: round(self.rss_mb),
            write_amplification: round(self.write_amplification),
            ..self.clone()
        }
    }
}
