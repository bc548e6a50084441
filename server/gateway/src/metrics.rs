//! The page that Prometheus scrapes. Databases count for themselves without any metrics library on the
//! hot path; a scrape asks each for its numbers and writes them down.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use metrics::{counter, gauge};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::sync::oneshot;

use crate::shared::{Outside, ScrubCounts, Shared, Stats};
use crate::state::State;

/// How long a scrape waits for a database that is busy.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) async fn page(state: &State) -> Response {
    let mut all = Vec::new();
    for shared in state.all_databases() {
        let (answer, receiver) = oneshot::channel();
        if shared.send(Outside::Stats(answer)).is_err() {
            continue;
        }
        if let Ok(Ok(stats)) = tokio::time::timeout(PATIENCE, receiver).await {
            all.push((shared, stats));
        }
    }
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        for (shared, stats) in &all {
            write(&shared.name, stats);
            write_scrubs(&shared.name, &shared.scrubs);
            write_disk(shared);
        }
        write_server(state);
    });
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        handle.render(),
    )
        .into_response()
}

/// What is of the server and not of a database.
fn write_server(state: &State) {
    let health = state.health();
    gauge!("syncline_databases_closed").set(health.closed as f64);
    gauge!("syncline_databases_failed").set(health.failed as f64);
    let Some(counts) = state.host.compiled_counts() else {
        return;
    };
    for (outcome, count) in [
        ("read", counts.read),
        ("compiled", counts.compiled),
        ("refused", counts.refused),
        ("unwritten", counts.unwritten),
    ] {
        counter!("syncline_modules_loaded_total", "outcome" => outcome).absolute(count);
    }
}

fn write_disk(shared: &Shared) {
    for (metric, is_so) in [
        ("syncline_poisoned", &shared.is_poisoned),
        ("syncline_disk_full", &shared.is_full),
    ] {
        let value = f64::from(u8::from(is_so.load(Ordering::Relaxed)));
        gauge!(metric, "database" => shared.name.clone()).set(value);
    }
}

fn write_scrubs(name: &str, scrubs: &ScrubCounts) {
    for (metric, value) in [
        ("syncline_scrubs_total", &scrubs.finished),
        ("syncline_scrubbed_bytes_total", &scrubs.bytes),
        ("syncline_scrub_problems_total", &scrubs.problems),
    ] {
        let value = value.load(Ordering::Relaxed);
        counter!(metric, "database" => name.to_owned()).absolute(value);
    }
}

fn write(name: &str, stats: &Stats) {
    let engine = &stats.engine;
    for (metric, value) in [
        ("syncline_transactions_total", engine.transactions),
        ("syncline_calls_failed_total", engine.calls_failed),
        ("syncline_rows_changed_total", engine.rows_changed),
        ("syncline_deltas_total", engine.deltas),
        ("syncline_commits_sent_total", engine.commits_sent),
        ("syncline_snapshots_total", engine.snapshots),
        ("syncline_evaluations_total", engine.evaluations),
        ("syncline_resets_total", engine.resets),
        ("syncline_queries_total", engine.queries),
        (
            "syncline_failed_expressions_total",
            engine.failed_expressions,
        ),
        ("syncline_received_bytes_total", stats.bytes_received),
        ("syncline_sent_bytes_total", stats.bytes_sent),
        ("syncline_slow_clients_total", stats.slow_clients),
    ] {
        counter!(metric, "database" => name.to_owned()).absolute(value);
    }
    for (metric, value) in [
        ("syncline_lsn", engine.lsn),
        ("syncline_durable_lsn", engine.durable),
        ("syncline_connections", engine.connections),
        ("syncline_sockets", stats.sockets),
        ("syncline_subscriptions", engine.subscriptions),
        ("syncline_live_bytes", engine.live_bytes),
        ("syncline_live_indexes", engine.live_indexes),
        ("syncline_inbox_commands", stats.inbox),
    ] {
        gauge!(metric, "database" => name.to_owned()).set(value as f64);
    }
}
