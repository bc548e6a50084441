//! Which pages may talk to the server.
//!
//! Browsers send a page's origin with every WebSocket and with every request to another site. A page is
//! allowed if it is on the list, if the server itself served it under an IP address, or if both it and the
//! server are on this machine only. A server under a name needs that name on the list: any name can be made
//! to resolve to the server (DNS rebinding), and its page would then be of the same origin. A server on a loopback address also insists on a Host that is this machine (or on
//! the list).

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State as Shares};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use syncline_protocol::{ErrorCode, WireError};
use tower_http::cors::{AllowOrigin, Any, CorsLayer};

use super::respond::Failure;
use crate::state::State;

/// Refuses pages that are not allowed, and Hosts that are not us.
pub(crate) async fn check(
    Shares(state): Shares<Arc<State>>,
    request: Request,
    next: Next,
) -> Response {
    match refuse(&state, request.headers()) {
        Some(error) => Failure(error).into_response(),
        None => next.run(request).await,
    }
}

/// Headers that let allowed pages of other sites read the answers.
pub(crate) fn cors(state: &Arc<State>) -> CorsLayer {
    let state = state.clone();
    let allow = AllowOrigin::predicate(move |origin: &HeaderValue, parts| {
        let host = parts
            .headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        origin
            .to_str()
            .is_ok_and(|origin| is_allowed(&state, origin, host))
    });
    CorsLayer::new()
        .allow_origin(allow)
        .allow_methods(Any)
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .expose_headers([HeaderName::from_static("syncline-token")])
}

fn refuse(state: &State, headers: &HeaderMap) -> Option<WireError> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let host = text(header::HOST);
    if state.is_loopback
        && let Some(host) = host
        && !is_loopback(host)
        && !state
            .config
            .allowed_origins
            .iter()
            .any(|listed| listed == "*" || authority(listed) == host)
    {
        let message = format!("the server is for this machine only, not for {host}");
        return Some(
            WireError::new(ErrorCode::OriginRefused, message).hint(format!(
                "start it with --allow-origin https://{host} if a proxy is in front"
            )),
        );
    }
    let origin = headers.get(header::ORIGIN)?;
    let origin = origin.to_str().unwrap_or("an unreadable origin");
    if is_allowed(state, origin, host) {
        return None;
    }
    Some(
        WireError::new(
            ErrorCode::OriginRefused,
            format!("pages of {origin} may not connect"),
        )
        .hint(format!("start the server with --allow-origin {origin}")),
    )
}

/// Whether the server is for this machine only and was asked for as such: a proxy before it is asked for by
/// the name that the public knows.
pub(super) fn is_local(state: &State, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST);
    state.is_loopback && host.is_some_and(|host| host.to_str().is_ok_and(is_loopback))
}

fn is_allowed(state: &State, origin: &str, host: Option<&str>) -> bool {
    let listed = &state.config.allowed_origins;
    listed
        .iter()
        .any(|allowed| allowed == "*" || allowed == origin)
        || (state.is_loopback && is_loopback(authority(origin)))
        || host.is_some_and(|host| authority(origin) == host && is_address(host))
}

/// A Host that no foreign name can stand for: an IP address, or this machine.
fn is_address(authority: &str) -> bool {
    is_loopback(authority) || host_of(authority).parse::<IpAddr>().is_ok()
}

/// `host:port` of an origin.
fn authority(origin: &str) -> &str {
    origin
        .split_once("://")
        .map_or(origin, |(_, authority)| authority)
}

/// The host without its port.
fn host_of(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(host, _)| host),
        None => authority
            .split_once(':')
            .map_or(authority, |(host, _)| host),
    }
}

fn is_loopback(authority: &str) -> bool {
    let host = host_of(authority);
    host.eq_ignore_ascii_case("localhost")
        || host.to_ascii_lowercase().ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests;
