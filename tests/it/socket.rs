//! A bare WebSocket: sends any bytes, receives what comes.

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use syncline_protocol::message::Encoding;
use tokio_tungstenite::tungstenite::client::{IntoClientRequest, client};
use tokio_tungstenite::tungstenite::protocol::WebSocket;
use tokio_tungstenite::tungstenite::{Error, HandshakeError, Message};

use crate::server::TestServer;

/// How long a test waits for what must come. Machines that run tests are busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Socket {
    inner: WebSocket<TcpStream>,
}

/// What a socket brings.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event {
    Message(Vec<u8>),
    /// A close frame, with its code.
    Closed(u16),
    /// The end without a close frame.
    Lost,
}

impl Socket {
    /// Connects to a database, which must work.
    pub(crate) fn open(server: &TestServer, database: &str, encoding: Encoding) -> Self {
        Self::open_at(server.server().address(), database, encoding)
    }

    pub(crate) fn open_at(address: SocketAddr, database: &str, encoding: Encoding) -> Self {
        let protocol = [("sec-websocket-protocol", encoding.subprotocol())];
        Self::try_open(address, database, &protocol)
            .unwrap_or_else(|refused| panic!("refused: {refused:?}"))
    }

    /// Connects with these headers; `Err` is status and body of the refusal.
    pub(crate) fn try_open(
        address: SocketAddr,
        database: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, (u16, String)> {
        let url = format!("ws://{address}/v1/databases/{database}/connect");
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut rest_of_it = stream.try_clone().unwrap();
        match client(request, stream) {
            Ok((inner, _)) => Ok(Self { inner }),
            Err(HandshakeError::Failure(Error::Http(response))) => {
                // The library has read the head, and whatever came with it.
                let mut body = response.body().clone().unwrap_or_default();
                let len = response.headers()["content-length"].to_str().unwrap();
                let came = body.len();
                body.resize(len.parse().unwrap(), 0);
                rest_of_it.read_exact(&mut body[came..]).unwrap();
                Err((response.status().as_u16(), String::from_utf8(body).unwrap()))
            }
            Err(other) => panic!("no handshake: {other}"),
        }
    }

    pub(crate) fn send(&mut self, encoding: Encoding, message: &[u8]) {
        match encoding {
            Encoding::MessagePack => self.send_binary(message),
            Encoding::Json => self.send_text(core::str::from_utf8(message).unwrap()),
        }
    }

    pub(crate) fn send_text(&mut self, text: &str) {
        self.put(Message::text(text));
    }

    pub(crate) fn send_binary(&mut self, bytes: &[u8]) {
        self.put(Message::binary(bytes.to_vec()));
    }

    /// A server that has closed already takes nothing: what it said is to be read then.
    fn put(&mut self, message: Message) {
        match self.inner.send(message) {
            Ok(()) | Err(Error::AlreadyClosed | Error::ConnectionClosed | Error::Io(_)) => {}
            Err(error) => panic!("cannot send: {error}"),
        }
    }

    /// The next event, which must come.
    pub(crate) fn receive(&mut self) -> Event {
        self.receive_within(PATIENCE).expect("nothing came")
    }

    /// The next event, if it comes within this time.
    pub(crate) fn receive_within(&mut self, time: Duration) -> Option<Event> {
        let deadline = Instant::now() + time;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.inner.get_ref().set_read_timeout(Some(left)).unwrap();
            match self.inner.read() {
                Ok(Message::Binary(bytes)) => return Some(Event::Message(bytes.to_vec())),
                Ok(Message::Text(text)) => return Some(Event::Message(text.as_bytes().to_vec())),
                Ok(Message::Close(frame)) => {
                    // The echo of the frame; the server may be gone already.
                    let _ = self.inner.flush();
                    return Some(Event::Closed(frame.map_or(1005, |frame| frame.code.into())));
                }
                Ok(_) => {}
                Err(Error::Io(error))
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => return Some(Event::Lost),
            }
        }
    }

    /// Says goodbye and waits until the server has heard it.
    pub(crate) fn close(mut self) {
        if self.inner.close(None).is_ok() {
            while let Event::Message(_) = self.receive() {}
        }
    }

    /// The socket itself, for what a WebSocket library does not do.
    pub(crate) fn raw(&mut self) -> &mut TcpStream {
        self.inner.get_mut()
    }
}
