//! The WebSocket: dialling, the handshake up to Welcome, frames in and out.

use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use syncline_protocol::WireError;
use syncline_protocol::limits::QUERY_BYTES_MAX;
use syncline_protocol::message::{
    ClientMessage, Delivery, Encoding, Hello, ServerMessage, Welcome,
};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::address::Address;
use crate::{Error, TlsError, TlsProblem};

/// Small buffers, which grow with what is read: a program may hold many connections.
const BUFFER_BYTES: usize = 8 << 10;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
pub(crate) type Sink = SplitSink<Socket, Message>;
pub(crate) type Stream = SplitStream<Socket>;

#[cfg(feature = "tls")]
pub(crate) use crate::tls::Connector as Tls;
/// A build without TLS has no value of this.
#[cfg(not(feature = "tls"))]
pub(crate) type Tls = std::convert::Infallible;

/// A connection that has been welcomed.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) sink: Sink,
    pub(crate) stream: Stream,
}

/// What a connection is asked for with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Introduction {
    pub(crate) token: Option<String>,
    pub(crate) schema_hash: Option<String>,
    pub(crate) delivery: Delivery,
}

/// Dials, upgrades, says Hello and waits for Welcome, all within `timeout`.
pub(crate) async fn connect(
    address: &Address,
    tls: Option<&Tls>,
    introduction: Introduction,
    timeout: Duration,
) -> Result<(Connection, Welcome), Error> {
    // Boxed: a handshake's state is large, and lives for a moment in a future that lives long.
    let dial = Box::pin(dial(address, tls, introduction));
    let dialled = tokio::time::timeout(timeout, dial).await;
    dialled.unwrap_or_else(|_| Err(Error::Connect(format!("no answer within {timeout:?}"))))
}

async fn dial(
    address: &Address,
    tls: Option<&Tls>,
    introduction: Introduction,
) -> Result<(Connection, Welcome), Error> {
    let tcp = TcpStream::connect(&address.authority).await;
    let tcp = tcp.map_err(|error| Error::Connect(format!("{}: {error}", address.authority)))?;
    // Frames are small and batched already.
    tcp.set_nodelay(true)
        .map_err(|error| Error::Connect(error.to_string()))?;
    let (scheme, stream) = match tls {
        None => ("ws", MaybeTlsStream::Plain(tcp)),
        #[cfg(feature = "tls")]
        Some(tls) => {
            let stream = tls.connect(address.host(), tcp).await?;
            ("wss", MaybeTlsStream::Rustls(stream))
        }
        #[cfg(not(feature = "tls"))]
        Some(never) => match *never {},
    };
    let url = format!("{scheme}://{}{}", address.authority, address.path);
    let mut request = url.into_client_request().map_err(|error| refused(&error))?;
    let subprotocol = Encoding::MessagePack.subprotocol();
    request.headers_mut().insert(
        "sec-websocket-protocol",
        HeaderValue::from_static(subprotocol),
    );
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_message_size(Some(QUERY_BYTES_MAX))
        .max_frame_size(Some(QUERY_BYTES_MAX));
    let upgraded = tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await;
    let (socket, _response) = upgraded.map_err(|error| not_upgraded(address, &error))?;
    let (mut sink, mut stream) = socket.split();

    let mut hello = Vec::new();
    let Introduction {
        token,
        schema_hash,
        delivery,
    } = introduction;
    let message = Hello {
        token: token.map(Into::into),
        schema_hash: schema_hash.map(Into::into),
        delivery,
        resume: None,
    };
    ClientMessage::Hello(message).encode(Encoding::MessagePack, &mut hello);
    sink.send(Message::binary(hello))
        .await
        .map_err(|error| lost(&error))?;
    match next(&mut stream).await? {
        ServerMessage::Welcome(welcome) => Ok((Connection { sink, stream }, welcome)),
        ServerMessage::Error(error) => Err(Error::Refused(error.error)),
        _ => Err(Error::Protocol("expected Welcome".into())),
    }
}

/// Why an upgrade failed. Plain HTTP to a server of TLS is the mistake that is told apart: such a server
/// answers with a TLS alert, which is no HTTP, or says in HTTP that it wants TLS.
fn not_upgraded(address: &Address, error: &tungstenite::Error) -> Error {
    let is_tls_server = !address.is_tls
        && match error {
            tungstenite::Error::Protocol(ProtocolError::HttparseError(_)) => true,
            tungstenite::Error::Http(response) => {
                let body = response.body().as_deref().unwrap_or_default();
                response.status() == StatusCode::BAD_REQUEST
                    && body.windows(5).any(|word| word == b"HTTPS")
            }
            _ => false,
        };
    if is_tls_server {
        let message = format!("{} does not speak plain HTTP", address.authority);
        return Error::Tls(TlsError::new(TlsProblem::TlsServer, message));
    }
    refused(error)
}

/// Why a request for an upgrade cannot be or was not answered: the server's own words if it has some.
fn refused(error: &tungstenite::Error) -> Error {
    #[derive(serde::Deserialize)]
    struct Body {
        error: WireError,
    }
    let tungstenite::Error::Http(response) = error else {
        return Error::Connect(error.to_string());
    };
    let body = response.body().as_deref().unwrap_or_default();
    match serde_json::from_slice::<Body>(body) {
        Ok(body) => Error::Refused(body.error),
        Err(_) => Error::Connect(format!("the server answered {}", response.status())),
    }
}

fn lost(error: &tungstenite::Error) -> Error {
    Error::Connect(error.to_string())
}

/// The next message. Control frames are answered on the way.
pub(crate) async fn next(stream: &mut Stream) -> Result<ServerMessage, Error> {
    loop {
        match stream.next().await {
            Some(Ok(Message::Binary(bytes))) => {
                return ServerMessage::decode(&bytes).map_err(Error::Protocol);
            }
            Some(Ok(Message::Text(_))) => {
                return Err(Error::Protocol("a text frame under MessagePack".into()));
            }
            Some(Ok(Message::Close(frame))) => {
                let reason = frame.map(|frame| format!("{} {}", frame.code, frame.reason));
                let reason = reason.unwrap_or_else(|| "without a reason".into());
                return Err(Error::Connect(format!("closed by the server: {reason}")));
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(lost(&error)),
            None => return Err(Error::Connect("the connection ended".into())),
        }
    }
}

/// Sends frames until there are no more, with one flush for what is there; then says goodbye.
pub(crate) async fn write(mut sink: Sink, mut frames: mpsc::Receiver<Vec<u8>>) -> Error {
    let result = async {
        while let Some(frame) = frames.recv().await {
            sink.feed(Message::binary(frame)).await?;
            while let Ok(frame) = frames.try_recv() {
                sink.feed(Message::binary(frame)).await?;
            }
            sink.flush().await?;
        }
        sink.close().await
    };
    match result.await {
        Ok(()) => Error::Closed,
        Err(error) => lost(&error),
    }
}
