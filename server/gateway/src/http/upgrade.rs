//! From HTTP to a WebSocket: checks the handshake, then hands the bare socket to the database's home.

use std::sync::Arc;

use axum::extract::{Path, Request, State as Shares};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::IntoResponse;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use syncline_protocol::message::Encoding;
use syncline_protocol::{ErrorCode, WireError};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::api::is_trusted;
use super::respond::{Answered, bad_request};
use crate::shared::{Outside, Permit, Shared, Socket};
use crate::state::State;

/// Version of the WebSocket protocol.
const VERSION: &str = "13";

pub(crate) async fn connect(
    Shares(state): Shares<Arc<State>>,
    Path(name): Path<String>,
    mut request: Request,
) -> Answered {
    let shared = state.find(&name, is_trusted(&state, request.headers()))?;
    let version = request.headers().get(header::SEC_WEBSOCKET_VERSION);
    if version.is_some_and(|version| version != VERSION) {
        // RFC 6455 section 4.4: name the version that is spoken.
        let headers = [(header::SEC_WEBSOCKET_VERSION, VERSION)];
        let refused = bad_request("this server speaks version 13 of WebSocket");
        return Ok((headers, refused).into_response());
    }
    let (key, encoding) = check(request.method(), request.headers())?;
    let max = state.config.connections_max;
    let permit = Permit::take(&state.open_connections, max).ok_or_else(|| {
        let message = format!("the server has its {max} connections");
        WireError::new(ErrorCode::TooManyConnections, message).hint("try again later")
    })?;
    let upgrade = request
        .extensions_mut()
        .remove::<OnUpgrade>()
        .ok_or_else(|| bad_request("this connection cannot be upgraded; speak HTTP/1.1"))?;
    tokio::spawn(async move {
        match upgrade.await {
            Ok(upgraded) => hand_over(&shared, upgraded, encoding, permit),
            Err(error) => tracing::debug!(%error, "a client left during the handshake"),
        }
    });
    let headers = [
        (header::CONNECTION, "upgrade".to_owned()),
        (header::UPGRADE, "websocket".to_owned()),
        (header::SEC_WEBSOCKET_ACCEPT, key),
        (
            header::SEC_WEBSOCKET_PROTOCOL,
            encoding.subprotocol().to_owned(),
        ),
    ];
    Ok((StatusCode::SWITCHING_PROTOCOLS, headers).into_response())
}

/// The accept key and the encoding, if this is a handshake as RFC 6455 section 4.2.1 wants it.
fn check(
    method: &Method,
    headers: &HeaderMap,
) -> Result<(String, Encoding), super::respond::Failure> {
    let has = |name, token: &str| {
        let values = headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok());
        values
            .flat_map(|value| value.split(','))
            .any(|part| part.trim().eq_ignore_ascii_case(token))
    };
    if method != Method::GET
        || !has(header::CONNECTION, "upgrade")
        || !has(header::UPGRADE, "websocket")
    {
        return Err(bad_request("this address speaks WebSocket only"));
    }
    if !has(header::SEC_WEBSOCKET_VERSION, VERSION) {
        return Err(bad_request("this server speaks version 13 of WebSocket"));
    }
    let key = headers
        .get(header::SEC_WEBSOCKET_KEY)
        .filter(|key| key.len() == 24);
    let key = key.ok_or_else(|| bad_request("Sec-WebSocket-Key is missing or malformed"))?;
    let encoding = Encoding::ALL
        .into_iter()
        .find(|encoding| has(header::SEC_WEBSOCKET_PROTOCOL, encoding.subprotocol()));
    let encoding = encoding.ok_or_else(|| {
        super::respond::Failure(
            WireError::new(
                ErrorCode::BadRequest,
                "no subprotocol that this server speaks",
            )
            .hint("ask for syncline.v1.msgpack or syncline.v1.json"),
        )
    })?;
    Ok((derive_accept_key(key.as_bytes()), encoding))
}

fn hand_over(shared: &Arc<Shared>, upgraded: Upgraded, encoding: Encoding, permit: Permit) {
    let Ok(parts) = upgraded.downcast::<TokioIo<TcpStream>>() else {
        tracing::error!("an upgraded connection is no TCP socket");
        return;
    };
    let stream = match parts.io.into_inner().into_std() {
        Ok(stream) => stream,
        Err(error) => {
            tracing::warn!(%error, "a socket could not be handed over");
            return;
        }
    };
    let leftover = parts.read_buf.to_vec();
    let socket = Socket {
        stream,
        leftover,
        encoding,
        permit,
    };
    if let Err(error) = shared.send(Outside::Socket(socket)) {
        tracing::warn!(database = shared.name, %error, "a connection was dropped");
    }
}
