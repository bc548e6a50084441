//! A client for tests: a socket and what it knows.

use std::time::Duration;

use serde_json::Value as Json;
use syncline_client::protocol::param::Param;
use syncline_protocol::message::{Delivery, Encoding};
use syncline_protocol::{Lsn, WireError};

use crate::peer::{Answer, Peer};
use crate::server::TestServer;
use crate::socket::{Event, Socket};

pub(crate) struct Client {
    pub(crate) socket: Socket,
    pub(crate) peer: Peer,
}

impl Client {
    /// Somebody new, in MessagePack, told of what is durable.
    pub(crate) fn connect(server: &TestServer, database: &str) -> Self {
        Self::try_connect(server, database, Encoding::MessagePack, None).unwrap()
    }

    /// Says Hello with this token; `Err` is why the server closed.
    pub(crate) fn try_connect(
        server: &TestServer,
        database: &str,
        encoding: Encoding,
        token: Option<&str>,
    ) -> Result<Self, WireError> {
        Self::greet(Socket::open(server, database, encoding), encoding, token)
    }

    /// Says Hello on a socket.
    pub(crate) fn greet(
        socket: Socket,
        encoding: Encoding,
        token: Option<&str>,
    ) -> Result<Self, WireError> {
        Self::greet_for(socket, encoding, token, Delivery::Confirmed)
    }

    /// The same, and says when it wants to be told.
    pub(crate) fn greet_for(
        socket: Socket,
        encoding: Encoding,
        token: Option<&str>,
        delivery: Delivery,
    ) -> Result<Self, WireError> {
        let mut client = Self {
            socket,
            peer: Peer::new(encoding),
        };
        let hello = client.peer.hello(token, delivery);
        client.socket.send(encoding, &hello);
        while client.peer.welcome.is_none() {
            match client.socket.receive() {
                Event::Message(bytes) => client.peer.receive(&bytes),
                _ => {
                    return Err(client
                        .peer
                        .last_error
                        .expect("an Error comes before a close"));
                }
            }
        }
        Ok(client)
    }

    pub(crate) fn identity(&self) -> String {
        self.peer.welcome.as_ref().unwrap().identity.to_hex()
    }

    pub(crate) fn token(&self) -> String {
        self.peer.welcome.as_ref().unwrap().token.clone().unwrap()
    }

    pub(crate) fn send(&mut self, message: &[u8]) {
        self.socket.send(self.peer.encoding, message);
    }

    /// Waits for the answer to a request.
    pub(crate) fn wait(&mut self, id: u32) -> Answer {
        loop {
            if let Some(answer) = self.peer.answers.remove(&id) {
                return answer;
            }
            match self.socket.receive() {
                Event::Message(bytes) => self.peer.receive(&bytes),
                end => panic!("{end:?} instead of an answer: {:?}", self.peer.last_error),
            }
        }
    }

    pub(crate) fn call(&mut self, reducer: &str, args: Json) -> Result<(Lsn, Json), WireError> {
        let (id, message) = self.peer.call(reducer, args).unwrap();
        self.send(&message);
        match self.wait(id) {
            Answer::Value(lsn, value) => Ok((lsn, value)),
            Answer::Failed(error) => Err(error),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn query(&mut self, sql: &str) -> Result<Vec<Json>, WireError> {
        let (id, message) = self.peer.query(sql, &[]);
        self.send(&message);
        match self.wait(id) {
            Answer::Rows { rows, .. } => Ok(rows),
            Answer::Failed(error) => Err(error),
            other => panic!("{other:?}"),
        }
    }

    /// The id of the subscription.
    pub(crate) fn subscribe(&mut self, sql: &str, params: &[(String, Param)]) -> u32 {
        let (id, message) = self.peer.subscribe(sql, params);
        self.send(&message);
        let answer = self.wait(id);
        assert!(matches!(answer, Answer::Subscribed), "{answer:?}");
        id
    }

    pub(crate) fn ping(&mut self) {
        let (id, message) = self.peer.ping();
        self.send(&message);
        assert!(matches!(self.wait(id), Answer::Pong));
    }

    /// Reads up to the close: the code of the Error message and of the close frame (0 if there is none).
    pub(crate) fn end(mut self) -> (String, u16) {
        loop {
            match self.socket.receive() {
                Event::Message(bytes) => self.peer.receive(&bytes),
                end => {
                    let code = self
                        .peer
                        .last_error
                        .map(|error| error.code)
                        .unwrap_or_default();
                    return (
                        code,
                        if let Event::Closed(close) = end {
                            close
                        } else {
                            0
                        },
                    );
                }
            }
        }
    }
}

/// Repeats until it is true, for what other threads do.
pub(crate) fn eventually(what: &str, mut is_true: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + crate::socket::PATIENCE;
    while !is_true() {
        assert!(std::time::Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
