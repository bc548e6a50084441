//! Keeps a client connected: serves one connection until it ends, then dials again.

use std::sync::Arc;
use std::time::Duration;

use syncline_protocol::message::{Delivery, Welcome};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

mod address;
mod answers;
mod backoff;
mod moves;
mod session;
mod socket;

pub(crate) use address::Address;
pub(crate) use backoff::Backoff;
pub(crate) use socket::{Connection, Tls};

use crate::shared::{Command, Shared};
use crate::{ConnectionState, Error};
use session::{Frames, Session};
use socket::Introduction;

/// Frames that wait for the socket.
const FRAMES_MAX: usize = 64;
/// How long a goodbye may take.
const CLOSE_MAX: Duration = Duration::from_secs(1);
/// A connection that lived this long was sound: the next loss starts with short waits again.
const SOUND: Duration = Duration::from_secs(10);

/// How to connect, and again.
#[derive(Clone, Debug)]
pub(crate) struct Dialler {
    pub(crate) address: Address,
    /// `None`: plain TCP.
    pub(crate) tls: Option<Tls>,
    pub(crate) delivery: Delivery,
    pub(crate) timeout: Duration,
    /// Silence after which a sign of life is asked for; after twice that the connection is lost.
    pub(crate) keep_alive: Duration,
    /// `None`: the first loss closes the client.
    pub(crate) backoff: Option<Backoff>,
}

impl Dialler {
    /// Connects and takes in what Welcome says.
    pub(crate) async fn connect(&self, shared: &Shared) -> Result<Connection, Error> {
        let facts = shared.facts.lock().clone();
        let introduction = Introduction {
            token: facts.token,
            schema_hash: facts.schema_hash,
            delivery: self.delivery,
        };
        let (connection, welcome) =
            socket::connect(&self.address, self.tls.as_ref(), introduction, self.timeout).await?;
        let Welcome {
            identity,
            connection: id,
            token,
            epoch,
            schema_hash,
            schema,
            server,
            ..
        } = welcome;
        session::set_schema(shared, schema_hash, schema.as_deref())?;
        let mut facts = shared.facts.lock();
        facts.identity = identity;
        facts.connection = id;
        facts.epoch = epoch;
        facts.server = server;
        if token.is_some() {
            facts.token = token;
        }
        drop(facts);
        tracing::debug!(address = %self.address.authority, connection = %id, "connected");
        shared.state.send_replace(ConnectionState::Online);
        Ok(connection)
    }
}

/// Runs a client that is connected, until its last handle is dropped or it is closed.
pub(crate) async fn run(
    dialler: Dialler,
    shared: Arc<Shared>,
    mut commands: mpsc::Receiver<Command>,
    mut connection: Connection,
) {
    let mut attempt = 0;
    let error = loop {
        let since = Instant::now();
        let end = serve(&dialler, &shared, &mut commands, connection).await;
        if since.elapsed() >= SOUND {
            attempt = 0;
        }
        match redial(&dialler, &shared, &mut commands, end, &mut attempt).await {
            Ok(next) => connection = next,
            Err(error) => break error,
        }
    };
    shared.close(error);
    commands.close();
    while let Some(command) = commands.recv().await {
        command.refuse(Error::Closed);
    }
}

/// Dials until a connection is there. Fails with the reason, if there is one, to stop for good.
async fn redial(
    dialler: &Dialler,
    shared: &Shared,
    commands: &mut mpsc::Receiver<Command>,
    mut end: Error,
    attempt: &mut u32,
) -> Result<Connection, Option<Error>> {
    loop {
        let Some(backoff) = dialler.backoff.filter(|_| !end.is_final()) else {
            return Err(Some(end).filter(|end| *end != Error::Closed));
        };
        if end == Error::Closed {
            return Err(None);
        }
        let wait = backoff.delay(*attempt);
        *attempt += 1;
        tracing::debug!(%end, ?wait, "offline");
        shared.state.send_replace(ConnectionState::Offline);
        if offline(commands, tokio::time::sleep(wait)).await.is_none() {
            return Err(None);
        }
        shared.state.send_replace(ConnectionState::Connecting);
        match offline(commands, dialler.connect(shared)).await {
            None => return Err(None),
            Some(Ok(connection)) => return Ok(connection),
            Some(Err(error)) => end = error,
        }
    }
}

/// Refuses commands while `wait` takes its time; `None` if the client is closed meanwhile.
async fn offline<T>(
    commands: &mut mpsc::Receiver<Command>,
    wait: impl Future<Output = T>,
) -> Option<T> {
    tokio::pin!(wait);
    loop {
        tokio::select! {
            done = &mut wait => return Some(done),
            command = commands.recv() => match command {
                None | Some(Command::Close) => return None,
                Some(command) => command.refuse(Error::Offline),
            },
        }
    }
}

/// Serves one connection and says why it ended; [`Error::Closed`] if that was our own wish.
async fn serve(
    dialler: &Dialler,
    shared: &Arc<Shared>,
    commands: &mut mpsc::Receiver<Command>,
    connection: Connection,
) -> Error {
    let Connection { sink, mut stream } = connection;
    let (sender, frames) = mpsc::channel(FRAMES_MAX);
    let write = socket::write(sink, frames);
    tokio::pin!(write);
    let mut outgoing = Frames::new();
    let mut session = Session::new(shared.clone(), &mut outgoing);
    let end = {
        let read = exchange(
            dialler,
            &mut session,
            shared,
            commands,
            &mut stream,
            sender,
            outgoing,
        );
        tokio::pin!(read);
        tokio::select! {
            end = &mut read => end,
            end = &mut write => end,
        }
    };
    session.lost();
    if end == Error::Closed {
        // The sender is gone: what is left is written, then the goodbye.
        drop(tokio::time::timeout(CLOSE_MAX, write).await);
    }
    end
}

/// Moves commands out and messages in. New commands wait while frames wait for the socket, but messages
/// are read all the time: two sides that wait for the other to read would wait for ever.
async fn exchange(
    dialler: &Dialler,
    session: &mut Session,
    shared: &Shared,
    commands: &mut mpsc::Receiver<Command>,
    stream: &mut socket::Stream,
    sender: mpsc::Sender<Vec<u8>>,
    mut outgoing: Frames,
) -> Error {
    let mut ticks = tokio::time::interval(dialler.keep_alive);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    loop {
        tokio::select! {
            message = socket::next(stream) => {
                heard = Instant::now();
                if let Err(error) = message.and_then(|message| session.message(message)) {
                    return error;
                }
            }
            permit = sender.reserve(), if !outgoing.is_empty() => {
                let (Ok(permit), Some(frame)) = (permit, outgoing.pop_front()) else {
                    return Error::Connect("the writer is gone".into());
                };
                permit.send(frame);
            }
            command = commands.recv(), if outgoing.is_empty() => match command {
                None | Some(Command::Close) => return Error::Closed,
                Some(command) => session.command(command, &mut outgoing),
            },
            () = shared.wake.notified() => session.unsubscribe_dropped(&mut outgoing),
            _ = ticks.tick() => {
                let silence = heard.elapsed();
                if silence > dialler.keep_alive * 2 {
                    return Error::Connect(format!("the server was silent for {silence:?}"));
                }
                if silence >= dialler.keep_alive / 2 {
                    session.keep_alive(&mut outgoing);
                }
            }
        }
    }
}
