//! A blocking connection: set-up, checks, and everything that is not under load.

use std::borrow::Cow;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use syncline_protocol::message::{
    Args, Call, ClientMessage, Delivery, Encoding, Hello, Ping, Query, Reply, ResultDescription,
    ServerMessage, Subscribe, Welcome,
};
use syncline_protocol::param::Param;
use syncline_protocol::{Schema, Value, packed};

use super::{Lane, frame};

/// Longer than any healthy server thinks about anything the bench asks.
const PATIENCE: Duration = Duration::from_mins(1);
/// Connections that are opened side by side by [`open_many`].
const OPEN_AHEAD: usize = 64;

/// Where to connect, and how.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) database: String,
    pub(crate) delivery: Delivery,
}

/// A connection that has said Hello.
pub(crate) struct Link {
    stream: TcpStream,
    input: Vec<u8>,
    mask: [u8; 4],
    next_id: u32,
    /// What the server answered to Hello.
    pub(crate) welcome: Welcome,
}

/// A live query of a link.
pub(crate) struct Subscription {
    /// Rows of the first answer.
    pub(crate) row_count: u64,
    /// What its rows are.
    pub(crate) description: ResultDescription,
}

impl Target {
    /// A TCP connection that has asked for the upgrade but not read the answer.
    fn knock(&self) -> Result<TcpStream> {
        let stream = TcpStream::connect(self.address)
            .with_context(|| format!("cannot connect to {}", self.address))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let key = base64::engine::general_purpose::STANDARD.encode(random::<16>()?);
        let request = format!(
            "GET /v1/databases/{}/connect HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\
             Sec-WebSocket-Protocol: {}\r\n\r\n",
            self.database,
            self.address,
            Encoding::MessagePack.subprotocol()
        );
        (&stream).write_all(request.as_bytes())?;
        Ok(stream)
    }

    /// An upgraded connection that has said nothing.
    pub(crate) fn upgrade(&self) -> Result<TcpStream> {
        let stream = self.knock()?;
        enter(&stream)?;
        Ok(stream)
    }
}

/// Reads the answer to the upgrade, byte by byte: what follows it is not ours to take.
fn enter(mut stream: &TcpStream) -> Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        ensure!(stream.read(&mut byte)? == 1, "closed during the upgrade");
        head.push(byte[0]);
        ensure!(head.len() < 8192, "the answer to the upgrade has no end");
    }
    let text = String::from_utf8_lossy(&head);
    ensure!(
        text.starts_with("HTTP/1.1 101"),
        "no upgrade: {}",
        text.lines().next().unwrap_or("")
    );
    Ok(())
}

impl Link {
    /// Connects and says Hello.
    pub(crate) fn open(target: &Target) -> Result<Self> {
        let stream = target.upgrade()?;
        Self::hello(stream, target, None)?.welcomed()
    }

    /// Upgraded, and silent.
    pub(crate) fn silent(target: &Target) -> Result<Self> {
        Self::new(target.upgrade()?)
    }

    fn new(stream: TcpStream) -> Result<Self> {
        let welcome = no_welcome();
        Ok(Self {
            stream,
            input: Vec::new(),
            mask: random()?,
            next_id: 1,
            welcome,
        })
    }

    fn hello(stream: TcpStream, target: &Target, schema_hash: Option<&str>) -> Result<Self> {
        let mut link = Self::new(stream)?;
        link.send(&ClientMessage::Hello(Hello {
            schema_hash: schema_hash.map(Cow::Borrowed),
            delivery: target.delivery,
            ..Hello::default()
        }))?;
        Ok(link)
    }

    fn welcomed(mut self) -> Result<Self> {
        match self.receive()? {
            ServerMessage::Welcome(welcome) => self.welcome = welcome,
            other => bail!("no Welcome but {other:?}"),
        }
        Ok(self)
    }

    /// The module's schema.
    pub(crate) fn schema(&self) -> Result<Schema> {
        let text = self
            .welcome
            .schema
            .as_deref()
            .context("Welcome has no schema")?;
        Ok(serde_json::from_str(text)?)
    }

    /// An id that this connection has not used.
    pub(crate) fn fresh_id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id - 1
    }

    /// Sends one message.
    pub(crate) fn send(&mut self, message: &ClientMessage<'_>) -> Result<()> {
        let (mut body, mut out) = (Vec::new(), Vec::new());
        message.encode(Encoding::MessagePack, &mut body);
        frame::put(frame::BINARY, &body, self.mask, &mut out);
        self.send_bytes(&out)
    }

    /// Sends bytes as they are.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).context("cannot send")
    }

    /// Waits for the next message.
    pub(crate) fn receive(&mut self) -> Result<ServerMessage> {
        loop {
            if let Some(message) = self.take()? {
                return Ok(message);
            }
            let mut chunk = [0; 16 << 10];
            let count = self.stream.read(&mut chunk).context("no message")?;
            ensure!(count > 0, "the server closed the connection");
            self.input.extend_from_slice(&chunk[..count]);
        }
    }

    fn take(&mut self) -> Result<Option<ServerMessage>> {
        while let Some(frame) = frame::parse(&self.input)? {
            let end = frame.payload.end;
            let payload = self.input[frame.payload].to_vec();
            self.input.drain(..end);
            match frame.opcode {
                frame::BINARY => {
                    return ServerMessage::decode(&payload)
                        .map(Some)
                        .map_err(anyhow::Error::msg);
                }
                frame::PING => {
                    let mut out = Vec::new();
                    frame::put(frame::PONG, &payload, self.mask, &mut out);
                    self.send_bytes(&out)?;
                }
                frame::CLOSE => {
                    let reason = payload.get(2..).unwrap_or_default();
                    bail!("the server closed: {}", String::from_utf8_lossy(reason));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// Calls a reducer and waits for its Reply.
    pub(crate) fn call(&mut self, schema: &Schema, reducer: &str, args: &[Value]) -> Result<Reply> {
        let (_, definition) = schema
            .reducer(reducer)
            .with_context(|| format!("the module has no {reducer}"))?;
        let mut bytes = Vec::new();
        ensure!(
            definition.params.len() == args.len(),
            "{reducer} has other parameters"
        );
        for (param, value) in definition.params.iter().zip(args) {
            packed::encode(&param.ty, value, &mut bytes)?;
        }
        let id = self.fresh_id();
        self.send(&ClientMessage::Call(Call {
            id,
            reducer: reducer.into(),
            args: Args::Packed(bytes.into()),
            idempotency_key: None,
        }))?;
        loop {
            match self.receive()? {
                ServerMessage::Reply(reply) if reply.id == id => return Ok(reply),
                ServerMessage::Error(message) => bail!("{}", message.error),
                _ => {}
            }
        }
    }

    /// Calls a reducer that must succeed.
    pub(crate) fn must_call(
        &mut self,
        schema: &Schema,
        name: &str,
        args: &[Value],
    ) -> Result<Reply> {
        let reply = self.call(schema, name, args)?;
        match reply.error {
            None => Ok(reply),
            Some(error) => bail!("{name} failed: {error}"),
        }
    }

    /// Starts a live query and reads its first answer.
    pub(crate) fn subscribe(
        &mut self,
        sql: &str,
        params: Vec<(String, Param)>,
    ) -> Result<Subscription> {
        let id = self.fresh_id();
        self.send(&ClientMessage::Subscribe(Subscribe {
            id,
            sql: sql.into(),
            params,
        }))?;
        self.subscribed(id)
    }

    /// Reads the first answer of a Subscribe that was sent.
    pub(crate) fn subscribed(&mut self, id: u32) -> Result<Subscription> {
        let mut row_count = 0;
        let mut description = None;
        loop {
            match self.receive()? {
                ServerMessage::Snapshot(chunk) if chunk.id == id => {
                    row_count += u64::from(chunk.row_count);
                    description = description.or(chunk.description);
                    if chunk.last {
                        let description = description.context("a Snapshot without description")?;
                        return Ok(Subscription {
                            row_count,
                            description,
                        });
                    }
                }
                ServerMessage::Reply(reply) if reply.id == id => {
                    bail!("Subscribe failed: {:?}", reply.error)
                }
                ServerMessage::Error(message) => bail!("{}", message.error),
                _ => {}
            }
        }
    }

    /// Evaluates a query once: its rows, decoded.
    pub(crate) fn query(
        &mut self,
        sql: &str,
        params: Vec<(String, Param)>,
    ) -> Result<Vec<Vec<Value>>> {
        let id = self.fresh_id();
        self.send(&ClientMessage::Query(Query {
            id,
            sql: sql.into(),
            params,
        }))?;
        let mut description = None;
        let mut rows = Vec::new();
        loop {
            match self.receive()? {
                ServerMessage::Rows(chunk) if chunk.id == id => {
                    description = description.or(chunk.description);
                    let columns = &description.as_ref().context("no description")?.columns;
                    let mut reader = packed::Reader::new(&chunk.rows);
                    for _ in 0..chunk.row_count {
                        let mut row = Vec::with_capacity(columns.len());
                        for column in columns {
                            row.push(packed::decode(&column.ty, reader.value(&column.ty)?)?);
                        }
                        rows.push(row);
                    }
                    if chunk.last {
                        return Ok(rows);
                    }
                }
                ServerMessage::Reply(reply) if reply.id == id => {
                    bail!("`{sql}` failed: {:?}", reply.error)
                }
                ServerMessage::Error(message) => bail!("{}", message.error),
                _ => {}
            }
        }
    }

    /// Sends a Ping and waits for its Pong; anything but Commits in between is an error.
    pub(crate) fn ping(&mut self) -> Result<()> {
        let id = self.fresh_id();
        self.send(&ClientMessage::Ping(Ping { id }))?;
        loop {
            match self.receive()? {
                ServerMessage::Pong(pong) if pong.id == id => return Ok(()),
                ServerMessage::Commit(_) => {}
                other => bail!("no Pong but {other:?}"),
            }
        }
    }

    /// Reads until the server ends the connection: the code it gives, or `closed`.
    pub(crate) fn reaction(&mut self, patience: Duration) -> Result<String> {
        self.set_patience(patience)?;
        loop {
            match self.receive() {
                Ok(ServerMessage::Error(message)) => return Ok(message.error.code),
                Ok(_) => {}
                Err(error) if is_silence(&error) => bail!("no reaction in {patience:?}"),
                Err(_) => return Ok("closed".into()),
            }
        }
    }

    /// How long [`Self::receive`] waits.
    pub(crate) fn set_patience(&mut self, patience: Duration) -> Result<()> {
        Ok(self.stream.set_read_timeout(Some(patience))?)
    }

    /// The connection as a part of a load group.
    pub(crate) fn into_lane(self) -> Result<Lane> {
        Lane::new(self.stream, self.input, self.mask)
    }
}

/// Opens `count` connections, many at a time, so that round trips overlap.
pub(crate) fn open_many(target: &Target, count: usize) -> Result<Vec<Link>> {
    let mut links = Vec::with_capacity(count);
    let mut hash: Option<String> = None;
    while links.len() < count {
        // The first one alone: the others name the hash of the schema that it got.
        let ahead = if links.is_empty() {
            1
        } else {
            OPEN_AHEAD.min(count - links.len())
        };
        let streams = (0..ahead)
            .map(|_| target.knock())
            .collect::<Result<Vec<_>>>()?;
        let mut chunk = Vec::with_capacity(ahead);
        for stream in streams {
            enter(&stream)?;
            chunk.push(Link::hello(stream, target, hash.as_deref())?);
        }
        for link in chunk {
            let link = link
                .welcomed()
                .with_context(|| format!("connection {}", links.len()))?;
            hash.get_or_insert_with(|| link.welcome.schema_hash.clone());
            links.push(link);
        }
    }
    Ok(links)
}

fn is_silence(error: &anyhow::Error) -> bool {
    let kind = error
        .downcast_ref::<std::io::Error>()
        .map(std::io::Error::kind);
    matches!(kind, Some(ErrorKind::WouldBlock | ErrorKind::TimedOut))
}

fn no_welcome() -> Welcome {
    Welcome {
        identity: syncline_protocol::Identity::default(),
        connection: syncline_protocol::ConnectionId::default(),
        token: None,
        epoch: syncline_protocol::Epoch::default(),
        lsn: syncline_protocol::Lsn::ZERO,
        schema_hash: String::new(),
        schema: None,
        server: String::new(),
    }
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(bytes)
}
