//! One WebSocket connection: reads everything that is there, decodes, hands over; writes what the
//! database has put into its outbox.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::task::{self, Poll, Waker, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use syncline_engine::{Command, ConnKey};
use syncline_protocol::limits::{
    ANSWERS_BYTES_MAX, FRAME_BYTES_MAX, OUTBOX_BYTES_MAX, REQUESTS_IN_FLIGHT_MAX,
    SLOW_CLIENT_MS_MAX,
};
use syncline_protocol::message::{ClientMessage, Encoding, ErrorMessage, ServerMessage};
use syncline_protocol::{Claims, ConnectionId, ErrorCode, Identity, WireError};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::context::Context;
use crate::outbox::Outbox;
use crate::requests;
use crate::shared::Permit;
use crate::websocket::{Assembler, Incoming, Opcode, put_close, put_frame};

/// Messages of one read whose memory a connection keeps for the next.
const KEPT_INCOMING_MAX: usize = 64;

/// Looks without progress after which a client is slow.
const STUCK_LOOKS_MAX: u32 = (SLOW_CLIENT_MS_MAX / 1000) as u32;

/// Bytes in the outbox above which a connection is not read: who does not listen is not heard.
const UNREAD_REPLIES_BYTES_MAX: usize = 256 << 10;

/// How long a connection may take to take leave.
const CLOSING: Duration = Duration::from_secs(2);

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing but a Hello is expected, until this moment.
    Greeting(Instant),
    /// The engine knows it.
    Open,
    /// A close frame is in the outbox; nothing but the peer's matters any more. Cut at this moment.
    Closing(Instant),
}

/// A connection, shared by its task and its database on one thread.
pub(crate) struct Connection {
    pub(crate) key: ConnKey,
    pub(crate) id: ConnectionId,
    pub(crate) encoding: Encoding,
    pub(crate) phase: Cell<Phase>,
    /// The engine has been told of it and not yet of its end.
    pub(crate) is_known: Cell<bool>,
    pub(crate) identity: Cell<Identity>,
    claims: RefCell<Claims>,
    /// Seconds since the Unix epoch at which its token ends.
    pub(crate) expires: Cell<Option<u64>>,
    /// Waits for the database to write what is in its outbox.
    pub(crate) is_dirty: Cell<bool>,
    pub(crate) heard: Cell<Instant>,
    /// Looks since the client last took anything of what waits for it.
    stuck_looks: Cell<u32>,
    /// The peer has sent its close frame: ours is the last thing to write.
    peer_closed: Cell<bool>,
    in_flight: Cell<usize>,
    /// Bytes in the outbox that the client asked for, or more; it may have more of them than of news.
    asked_bytes: Cell<usize>,
    outbox: RefCell<Outbox>,
    waker: RefCell<Option<Waker>>,
    socket: OwnedWriteHalf,
    _permit: Permit,
}

/// The half that only the connection's task has.
pub(crate) struct Reader {
    assembler: Assembler,
    /// The beginning of a frame whose end has not arrived.
    partial: Vec<u8>,
    incoming: Vec<Incoming>,
}

impl Reader {
    /// Starts with bytes that were read before.
    pub(crate) fn new(leftover: Vec<u8>) -> Self {
        let assembler = Assembler::new(FRAME_BYTES_MAX);
        Self {
            assembler,
            partial: leftover,
            incoming: Vec::new(),
        }
    }
}

impl Connection {
    pub(crate) fn new(
        key: ConnKey,
        id: ConnectionId,
        encoding: Encoding,
        socket: OwnedWriteHalf,
        permit: Permit,
        greeting: Duration,
    ) -> Self {
        let now = Instant::now();
        Self {
            key,
            id,
            encoding,
            phase: Cell::new(Phase::Greeting(now + greeting)),
            is_known: Cell::new(false),
            identity: Cell::default(),
            claims: RefCell::default(),
            expires: Cell::default(),
            is_dirty: Cell::new(false),
            heard: Cell::new(now),
            stuck_looks: Cell::new(0),
            peer_closed: Cell::new(false),
            in_flight: Cell::new(0),
            asked_bytes: Cell::new(0),
            outbox: RefCell::default(),
            waker: RefCell::default(),
            socket,
            _permit: permit,
        }
    }

    /// Runs until the connection is over.
    pub(crate) async fn run(
        &self,
        mut socket: OwnedReadHalf,
        context: &Context,
        leftover: Vec<u8>,
    ) {
        let mut reader = Reader::new(leftover);
        if !reader.partial.is_empty() {
            self.take_partial(context, &mut reader);
        }
        let drive = |cx: &mut task::Context<'_>| self.drive(cx, &mut socket, context, &mut reader);
        if let Err(error) = std::future::poll_fn(drive).await {
            tracing::debug!(connection = %self.id, %error, "connection lost");
        }
    }

    /// Makes all progress that is possible now.
    fn drive(
        &self,
        cx: &mut task::Context<'_>,
        socket: &mut OwnedReadHalf,
        context: &Context,
        reader: &mut Reader,
    ) -> Poll<io::Result<()>> {
        self.remember(cx.waker());
        loop {
            self.write(cx, context)?;
            if self.is_over() {
                return Poll::Ready(Ok(()));
            }
            if self.is_paused() || !context.has_room(self.key, cx.waker()) {
                return Poll::Pending;
            }
            let mut scratch = context.scratch.borrow_mut();
            let mut buffer = ReadBuf::new(&mut scratch);
            ready!(Pin::new(&mut *socket).poll_read(cx, &mut buffer))?;
            let count = buffer.filled().len();
            if count == 0 {
                return Poll::Ready(Ok(()));
            }
            self.heard.set(Instant::now());
            context.received(count);
            if reader.partial.is_empty() {
                let bytes = &mut scratch[..count];
                let taken = self.feed(context, reader, bytes);
                reader.partial.extend_from_slice(&bytes[taken..]);
            } else {
                reader.partial.extend_from_slice(&scratch[..count]);
                drop(scratch);
                self.take_partial(context, reader);
            }
        }
    }

    /// Both have said goodbye, or there was time enough to.
    fn is_over(&self) -> bool {
        let Phase::Closing(deadline) = self.phase.get() else {
            return false;
        };
        (self.peer_closed.get() && self.outbox.borrow().is_empty()) || Instant::now() >= deadline
    }

    /// Writes what is in the outbox; if the socket is full, this task is woken when it is not.
    fn write(&self, cx: &mut task::Context<'_>, context: &Context) -> io::Result<()> {
        let mut outbox = self.outbox.borrow_mut();
        while !outbox.is_empty() {
            let count = outbox.flush(self.socket.as_ref())?;
            self.taken(count, &outbox);
            context.sent(count);
            if outbox.is_empty() || self.socket.as_ref().poll_write_ready(cx)?.is_pending() {
                break;
            }
        }
        Ok(())
    }

    /// Feeds the bytes of a frame that arrived in parts.
    fn take_partial(&self, context: &Context, reader: &mut Reader) {
        let mut bytes = std::mem::take(&mut reader.partial);
        let taken = self.feed(context, reader, &mut bytes);
        if taken < bytes.len() {
            bytes.drain(..taken);
            reader.partial = bytes;
        }
    }

    /// Turns bytes into commands; returns how many bytes were used. Unmasking happens in place, so the
    /// rest must be kept exactly as it is then: it holds no whole frame, and only whole ones are unmasked.
    fn feed(&self, context: &Context, reader: &mut Reader, bytes: &mut [u8]) -> usize {
        let mut incoming = std::mem::take(&mut reader.incoming);
        let result = reader.assembler.feed(bytes, &mut incoming);
        let taken = *result.as_ref().unwrap_or(&bytes.len());
        // One copy for all messages of a read: each command then holds a slice of it.
        let shared = Bytes::copy_from_slice(&bytes[..taken]);
        for item in incoming.drain(..) {
            match item {
                Incoming::Close(code) => {
                    self.peer_closed.set(true);
                    self.close(None, code, "bye", context);
                }
                _ if matches!(self.phase.get(), Phase::Closing(_)) => {}
                Incoming::Message { text, payload } => {
                    self.message(context, text, &shared.slice(payload));
                }
                Incoming::Assembled { text, payload } => {
                    self.message(context, text, &payload.into());
                }
                Incoming::Ping(payload) => self.push(Opcode::Pong, &shared[payload], context),
            }
        }
        if incoming.capacity() <= KEPT_INCOMING_MAX {
            reader.incoming = incoming;
        }
        if let Err(error) = result
            && !matches!(self.phase.get(), Phase::Closing(_))
        {
            let code = match error.close_code() {
                1009 => ErrorCode::FrameTooLarge,
                _ => ErrorCode::BadFrame,
            };
            let wire = WireError::new(code, error.to_string());
            self.close(Some(&wire), error.close_code(), code.as_str(), context);
        }
        taken
    }

    fn message(&self, context: &Context, text: bool, payload: &Bytes) {
        if text != (self.encoding == Encoding::Json) {
            let wire = WireError::new(ErrorCode::BadMessage, "text and binary frames are mixed up")
                .hint("the msgpack subprotocol sends binary frames, the json one text frames");
            return self.close_with(&wire, context);
        }
        match self.receive(context, payload) {
            Ok(command) => context.push(command, payload.len()),
            Err(error) => self.close_with(&error, context),
        }
    }

    /// The command of a message. An error ends the connection.
    fn receive(&self, context: &Context, payload: &Bytes) -> Result<Command, WireError> {
        let message = ClientMessage::decode(self.encoding, payload)
            .map_err(|reason| WireError::new(ErrorCode::BadMessage, reason))?;
        if let Phase::Greeting(_) = self.phase.get() {
            let who = requests::greet(context, &message)?;
            self.identity.set(who.identity);
            self.claims.replace(who.claims.clone());
            self.expires.set(who.expires);
            self.phase.set(Phase::Open);
            self.is_known.set(true);
            return requests::connect(self.key, self.id, self.encoding, who, message);
        }
        // Every request is answered, and is in flight until then.
        self.in_flight.set(self.in_flight.get() + 1);
        if let ClientMessage::Auth(auth) = &message {
            let who = (self.identity.get(), &*self.claims.borrow());
            let renewed = requests::renew(context, who, &auth.token);
            let outcome = renewed.map(|expires| self.expires.set(expires));
            return Ok(requests::reply(self.key, auth.id, outcome));
        }
        requests::request(self.key, payload, message)
    }

    /// Appends a frame that the client asked for, unless it is leaving or has become too slow.
    pub(crate) fn push(&self, opcode: Opcode, payload: &[u8], context: &Context) {
        if matches!(self.phase.get(), Phase::Closing(_)) {
            return;
        }
        let mut outbox = self.outbox.borrow_mut();
        // What was asked for and is still there is at most all that is there.
        let asked_bytes = self.asked_bytes.get().min(outbox.len()) + payload.len();
        if asked_bytes > ANSWERS_BYTES_MAX {
            drop(outbox);
            return self.give_up(context);
        }
        self.asked_bytes.set(asked_bytes);
        put_frame(opcode, payload, outbox.buffer());
        drop(outbox);
        self.mark_dirty(context);
    }

    /// Appends a frame that others get as well.
    pub(crate) fn push_frame(&self, frame: &[u8], context: &Context) {
        if matches!(self.phase.get(), Phase::Closing(_)) {
            return;
        }
        let mut outbox = self.outbox.borrow_mut();
        if outbox.len() + frame.len() > OUTBOX_BYTES_MAX + self.asked_bytes.get() {
            drop(outbox);
            return self.give_up(context);
        }
        outbox.buffer().extend_from_slice(frame);
        drop(outbox);
        self.mark_dirty(context);
    }

    /// The client does not read. What waits for it is dropped: it must start anew anyway, and the memory
    /// is for the others.
    fn give_up(&self, context: &Context) {
        self.outbox.borrow_mut().cut_to_frame();
        context.note_slow();
        let error = WireError::new(
            ErrorCode::SlowClient,
            "the client does not read fast enough",
        )
        .hint("read messages as they come, or subscribe to less");
        self.close_with(&error, context);
    }

    /// Tells the engine that the connection is gone, once. Not bounded by the inbox: it frees memory.
    pub(crate) fn forget(&self, context: &Context) {
        if self.is_known.replace(false) {
            context.push(Command::Disconnect(self.key), 0);
        }
    }

    fn mark_dirty(&self, context: &Context) {
        if !self.is_dirty.replace(true) {
            context.dirty.borrow_mut().push(self.key);
        }
    }

    /// The opcode of messages in this connection's encoding.
    pub(crate) fn opcode(&self) -> Opcode {
        match self.encoding {
            Encoding::MessagePack => Opcode::Binary,
            Encoding::Json => Opcode::Text,
        }
    }

    /// One request less is waited for.
    pub(crate) fn answered(&self) {
        let was_paused = self.is_paused();
        self.in_flight.set(self.in_flight.get().saturating_sub(1));
        if was_paused {
            self.wake();
        }
    }

    /// Tells the client what is wrong and takes leave.
    pub(crate) fn close_with(&self, error: &WireError, context: &Context) {
        self.close(
            Some(error),
            requests::close_code(error),
            &error.code,
            context,
        );
    }

    pub(crate) fn close(
        &self,
        error: Option<&WireError>,
        code: u16,
        reason: &str,
        context: &Context,
    ) {
        if matches!(self.phase.get(), Phase::Closing(_)) {
            return;
        }
        self.phase.set(Phase::Closing(Instant::now() + CLOSING));
        {
            let mut outbox = self.outbox.borrow_mut();
            if let Some(error) = error {
                let message = ServerMessage::Error(ErrorMessage {
                    error: error.clone(),
                });
                let mut bytes = Vec::new();
                syncline_engine::put_message(self.encoding, &message, &mut bytes);
                put_frame(self.opcode(), &bytes, outbox.buffer());
            }
            put_close(code, reason, outbox.buffer());
        }
        self.forget(context);
        self.mark_dirty(context);
        self.wake();
    }

    /// Writes what the socket takes; the rest is for the connection's own task.
    pub(crate) fn flush(&self, context: &Context) {
        let mut outbox = self.outbox.borrow_mut();
        if let Ok(count) = outbox.flush(self.socket.as_ref()) {
            self.taken(count, &outbox);
            context.sent(count);
        } else {
            // The reading side finds out as well, and ends the connection.
            outbox.clear();
            self.wake();
        }
        if !outbox.is_empty() || matches!(self.phase.get(), Phase::Closing(_)) {
            drop(outbox);
            self.wake();
        }
    }

    /// The client took something of what waits for it.
    fn taken(&self, count: usize, outbox: &Outbox) {
        if count > 0 {
            self.stuck_looks.set(0);
        }
        if outbox.is_empty() {
            self.asked_bytes.set(0);
        }
    }

    /// Counts how long the client has not read; after `SLOW_CLIENT_MS_MAX` it is slow.
    pub(crate) fn look(&self, context: &Context) {
        if self.outbox.borrow().is_empty() {
            return self.stuck_looks.set(0);
        }
        self.stuck_looks.set(self.stuck_looks.get() + 1);
        if self.stuck_looks.get() > STUCK_LOOKS_MAX {
            self.give_up(context);
        }
    }

    /// Lets the connection's task run.
    pub(crate) fn wake(&self) {
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    fn remember(&self, waker: &Waker) {
        let mut slot = self.waker.borrow_mut();
        match &mut *slot {
            Some(known) => known.clone_from(waker),
            None => *slot = Some(waker.clone()),
        }
    }

    fn is_paused(&self) -> bool {
        if matches!(self.phase.get(), Phase::Closing(_)) {
            return false;
        }
        self.in_flight.get() >= REQUESTS_IN_FLIGHT_MAX
            || self.outbox.borrow().len() > UNREAD_REPLIES_BYTES_MAX
    }
}
