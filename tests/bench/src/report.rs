//! Figures: a table for people, one JSON object a line for programs.

use hdrhistogram::Histogram;
use serde::Serialize;
use syncline_bench_report::{Line, rounded};

use crate::load::Window;

pub(crate) use syncline_bench_report::Report;

/// One measured figure. Fields are absent where they have no meaning.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Figure {
    pub(crate) work: &'static str,
    pub(crate) connections: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) in_flight: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) confirmed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) subscribers: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) subscriptions: Option<usize>,
    /// Subscriptions that each transaction touches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) affected: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ops_per_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p50_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p99_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p999_us: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server_cpu_us_per_op: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) floor_cpu_us_per_op: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes_per_connection: Option<u64>,
}

impl Figure {
    /// Fills in throughput and CPU.
    pub(crate) fn window(mut self, window: &Window) -> Self {
        self.ops_per_s = Some(thousandths(window.ops_per_s()));
        self.server_cpu_us_per_op = Some(thousandths(window.cpu_us_per_op()));
        self
    }

    /// Fills in latencies from a histogram of nanoseconds.
    pub(crate) fn latency(mut self, latency: &Histogram<u64>) -> Self {
        let at = |quantile| {
            Some(thousandths(
                latency.value_at_quantile(quantile) as f64 / 1000.0,
            ))
        };
        self.p50_us = at(0.5);
        self.p99_us = at(0.99);
        self.p999_us = at(0.999);
        self
    }

    /// Fills in what the sockets alone cost in the same run.
    pub(crate) fn floor(mut self, window: &Window) -> Self {
        self.floor_cpu_us_per_op = Some(thousandths(window.cpu_us_per_op()));
        self
    }
}

impl Line for Figure {
    fn head() -> String {
        let head = ["ops/s", "p50 us", "p99 us", "p999 us", "CPU us", "floor us"];
        let [first, rest @ ..] = head.map(|name| format!("{name:>9}"));
        format!("{:<50} {first:>11} {}", "work", rest.join(" "))
    }

    fn row(&self) -> String {
        row(self)
    }

    /// They are when they are filled in.
    fn rounded(&self) -> Self {
        self.clone()
    }
}

fn thousandths(value: f64) -> f64 {
    rounded(value, 3)
}

fn row(figure: &Figure) -> String {
    let mut name = vec![figure.work.to_owned()];
    name.push(match figure.in_flight {
        Some(in_flight) => format!("{}x{in_flight}", figure.connections),
        None => figure.connections.to_string(),
    });
    name.extend(
        figure
            .confirmed
            .map(|is| if is { "confirmed" } else { "unconfirmed" }.to_owned()),
    );
    name.extend(figure.subscribers.map(|count| format!("to {count}")));
    name.extend(
        figure
            .subscriptions
            .map(|count| format!("{count} subscriptions")),
    );
    name.extend(figure.affected.map(|count| format!("{count} affected")));
    let cell = |value: Option<f64>, digits: usize| {
        value.map_or_else(String::new, |value| format!("{value:.digits$}"))
    };
    let bytes = figure.bytes_per_connection;
    let bytes = bytes.map_or_else(String::new, |bytes| format!("  {bytes} B/connection"));
    format!(
        "{:<50} {:>11} {:>9} {:>9} {:>9} {:>9} {:>9}{bytes}",
        name.join(" "),
        cell(figure.ops_per_s, 0),
        cell(figure.p50_us, 0),
        cell(figure.p99_us, 0),
        cell(figure.p999_us, 0),
        cell(figure.server_cpu_us_per_op, 3),
        cell(figure.floor_cpu_us_per_op, 3),
    )
}

/// Says something that is no figure. Kept off stdout, where programs read.
pub(crate) fn note(text: &str) {
    eprintln!("{text}");
}
