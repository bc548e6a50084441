//! HTTP: the API for programs, the upgrade to WebSockets, metrics, and the pages that are built in.

mod api;
mod assets;
mod backup;
mod export;
mod import;
mod origin;
mod past;
mod respond;
mod serve;
mod upgrade;

use std::sync::Arc;

use axum::Router;
use axum::routing::{any, get, post};
use tokio::sync::oneshot;

use crate::state::State;

/// Serves until told to stop; requests that run are finished.
pub(crate) async fn serve(
    listener: std::net::TcpListener,
    state: Arc<State>,
    stopped: oneshot::Receiver<()>,
) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let stop = async {
        // A dropped sender means the same.
        let _ = stopped.await;
    };
    serve::serve(listener, router(state), stop).await;
    Ok(())
}

fn router(state: Arc<State>) -> Router {
    let database = Router::new()
        .route("/publish", post(api::publish))
        .route("/call/{reducer}", post(api::call))
        .route("/query", post(api::query))
        .route("/schema", get(api::schema))
        .route("/logs", get(api::logs))
        .route("/export", get(export::export))
        .route("/import", post(import::import))
        .route("/backup", get(backup::backup))
        .route("/restore", post(backup::restore))
        .route("/fork", post(past::fork))
        .route("/history", get(past::history))
        .route("/tokens", post(api::tokens))
        .route("/connect", any(upgrade::connect));
    Router::new()
        .route("/v1/health", get(api::health))
        .route("/v1/databases", get(api::databases))
        .nest("/v1/databases/{name}", database)
        .route("/metrics", get(api::metrics))
        .fallback(assets::page)
        .layer(axum::middleware::from_fn_with_state(
            state.clone(),
            origin::check,
        ))
        .layer(origin::cors(&state))
        .with_state(state)
}
