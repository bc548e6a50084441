//! The accept loop. Everything that a peer can hold on to is bounded: how many connections speak HTTP at
//! once (after the upgrade a WebSocket counts elsewhere), and how long a request's head may take.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Connections that speak HTTP at once; more wait to be accepted.
const HTTP_CONNECTIONS_MAX: usize = 4096;
/// Time for the head of a request, and between two requests of a connection.
const HEAD: Duration = Duration::from_secs(15);
/// Rest after an accept that failed, most likely because there are no files left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Time that requests have to finish once the server stops.
const FINISHING: Duration = Duration::from_secs(5);

/// Accepts until `stopped`; requests that run then are finished.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    stopped: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(HTTP_CONNECTIONS_MAX));
    let (stop, stopping) = watch::channel(());
    tokio::pin!(stopped);
    loop {
        let accepted = tokio::select! {
            () = &mut stopped => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, place)) = accepted else {
            continue;
        };
        // Answers are small and wanted at once. A socket that is gone already needs nothing.
        let _ = stream.set_nodelay(true);
        tokio::spawn(connection(stream, router.clone(), stopping.clone(), place));
    }
    drop(listener);
    drop(stopping);
    // Each connection holds a receiver until it is over.
    let _ = stop.send(());
    let _ = tokio::time::timeout(FINISHING, stop.closed()).await;
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await;
    let place = place.expect("the semaphore is never closed");
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, place)),
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn connection(
    stream: TcpStream,
    router: Router,
    mut stopping: watch::Receiver<()>,
    _place: OwnedSemaphorePermit,
) {
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    tokio::pin!(serving);
    let result = tokio::select! {
        result = &mut serving => result,
        _ = stopping.changed() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "an HTTP connection was lost");
    }
}
