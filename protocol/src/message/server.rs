//! What the server says.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::client::{body_from, put_tagged, split_tag};
use super::delta::ResultDescription;
use crate::error::WireError;
use crate::ids::{ConnectionId, Epoch, Identity, Lsn};

/// A message from server to client, as MessagePack carries it ([`super::text`] has the JSON form).
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each is documented at its type")]
pub enum ServerMessage {
    Welcome(Welcome),
    Snapshot(Snapshot),
    Commit(Commit),
    Reset(Reset),
    Reply(Reply),
    Rows(Rows),
    SchemaChanged(SchemaChanged),
    Error(ErrorMessage),
    Pong(Pong),
    Moved(Moved),
}

/// Answer to Hello. Tag 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Who the client is.
    pub identity: Identity,
    /// This connection.
    pub connection: ConnectionId,
    /// A token to come back with, if the server made the identity.
    pub token: Option<String>,
    /// Epoch of the database.
    pub epoch: Epoch,
    /// Last transaction when the connection was accepted.
    pub lsn: Lsn,
    /// Hex hash of the current schema.
    pub schema_hash: String,
    /// The schema as JSON text, unless Hello named its hash.
    pub schema: Option<String>,
    /// Version of the server.
    pub server: String,
}

/// First answer of a subscription, in chunks, at its place in the stream. The rows show when `last` has
/// come; then Commits with this handle follow. It comes again, with another handle, for other parameters or
/// where a publish has changed policies or views. A subscription to an instance that the client already has
/// gets the same handle and its rows anew. Tag 2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Id of the Subscribe.
    pub id: u32,
    /// The server's name of the instance in Commits.
    pub handle: u64,
    /// The rows are as of this transaction.
    pub lsn: Lsn,
    /// What the rows are; the same in each chunk, so only the first has it.
    pub description: Option<ResultDescription>,
    /// Packed rows, one after the other, in result order.
    pub rows: ByteBuf,
    /// How many they are.
    pub row_count: u32,
    /// No chunk follows.
    pub last: bool,
}

/// One transaction: the deltas of all affected instances of the client. Tag 3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// The transaction.
    pub lsn: Lsn,
    /// At most one for each handle.
    pub deltas: Vec<Delta>,
}

/// What a transaction changed in one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// Handle of the instance.
    pub handle: u64,
    /// Operations, see [`super::delta`].
    pub ops: ByteBuf,
}

/// New rows of an instance in place of a delta, or because a publish has changed policies or views, in chunks like a
/// Snapshot. Tag 4.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reset {
    /// Handle of the instance.
    pub handle: u64,
    /// The rows are as of this transaction.
    pub lsn: Lsn,
    /// Packed rows.
    pub rows: ByteBuf,
    /// How many they are.
    pub row_count: u32,
    /// No chunk follows.
    pub last: bool,
}

/// Answer to a request. Tag 5.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Id of the request.
    pub id: u32,
    /// The transaction of a successful call; for others the last one the answer depends on.
    pub lsn: Lsn,
    /// Packed return value, empty if there is none; absent with an error.
    pub value: Option<ByteBuf>,
    /// Why the request failed.
    pub error: Option<WireError>,
}

/// Answer to a Query, in chunks. Tag 6.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// Id of the Query.
    pub id: u32,
    /// The rows are as of this transaction.
    pub lsn: Lsn,
    /// What the rows are; only in the first chunk.
    pub description: Option<ResultDescription>,
    /// Packed rows.
    pub rows: ByteBuf,
    /// How many they are.
    pub row_count: u32,
    /// No chunk follows.
    pub last: bool,
}

/// A publish changed the schema; subscriptions go on. Tag 7.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaChanged {
    /// Hex hash of the new schema.
    pub schema_hash: String,
    /// The schema as JSON text.
    pub schema: String,
}

/// An error of the connection as a whole; the server closes it after this. Tag 8.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorMessage {
    /// What is wrong.
    pub error: WireError,
}

/// Answer to a Ping: everything up to `lsn` was sent. Tag 9.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pong {
    /// Id of the Ping.
    pub id: u32,
    /// Position of the stream.
    pub lsn: Lsn,
}

/// The difference that other parameters make to the rows of a subscription. From here on it is of another
/// instance, which has the same columns. Tag 10.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// Id of the Subscribe.
    pub id: u32,
    /// The instance that the subscription now is of.
    pub handle: u64,
    /// The rows are as of this transaction, before and after.
    pub lsn: Lsn,
    /// Operations that make the rows of before those of now.
    pub ops: ByteBuf,
}

impl ServerMessage {
    /// Reads one MessagePack message.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let (tag, body) = split_tag(bytes).map_err(|error| error.to_string())?;
        match tag {
            1 => body_from(body).map(Self::Welcome),
            2 => body_from(body).map(Self::Snapshot),
            3 => body_from(body).map(Self::Commit),
            4 => body_from(body).map(Self::Reset),
            5 => body_from(body).map(Self::Reply),
            6 => body_from(body).map(Self::Rows),
            7 => body_from(body).map(Self::SchemaChanged),
            8 => body_from(body).map(Self::Error),
            9 => body_from(body).map(Self::Pong),
            10 => body_from(body).map(Self::Moved),
            _ => Err(format!("unknown message tag {tag}")),
        }
    }

    /// Appends the MessagePack form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Welcome(body) => put_tagged(1, body, out),
            Self::Snapshot(body) => put_tagged(2, body, out),
            Self::Commit(body) => put_tagged(3, body, out),
            Self::Reset(body) => put_tagged(4, body, out),
            Self::Reply(body) => put_tagged(5, body, out),
            Self::Rows(body) => put_tagged(6, body, out),
            Self::SchemaChanged(body) => put_tagged(7, body, out),
            Self::Error(body) => put_tagged(8, body, out),
            Self::Pong(body) => put_tagged(9, body, out),
            Self::Moved(body) => put_tagged(10, body, out),
        }
    }
}

/// Assembles a MessagePack Commit from segments that all receivers of an instance share.
#[derive(Debug)]
pub struct CommitFrame;

impl CommitFrame {
    /// Appends what comes before the first segment.
    pub fn begin(lsn: Lsn, delta_count: usize, out: &mut Vec<u8>) {
        const WRITES: &str = "writing to memory cannot fail";
        out.extend_from_slice(&[0x92, 3, 0x92]);
        rmp::encode::write_uint(out, lsn.0).expect(WRITES);
        let count = u32::try_from(delta_count).expect("subscriptions are limited");
        rmp::encode::write_array_len(out, count).expect(WRITES);
    }

    /// Appends one segment: a handle and its operations.
    pub fn segment(handle: u64, ops: &[u8], out: &mut Vec<u8>) {
        const WRITES: &str = "writing to memory cannot fail";
        out.push(0x92);
        rmp::encode::write_uint(out, handle).expect(WRITES);
        rmp::encode::write_bin(out, ops).expect(WRITES);
    }
}

impl Snapshot {
    /// Appends the beginning of the MessagePack form: what is the receiver's own. What follows is the same for
    /// all who get the same chunk.
    pub fn begin(id: u32, handle: u64, lsn: Lsn, out: &mut Vec<u8>) {
        const WRITES: &str = "writing to memory cannot fail";
        out.extend_from_slice(&[0x92, 2, 0x97]);
        rmp::encode::write_uint(out, u64::from(id)).expect(WRITES);
        rmp::encode::write_uint(out, handle).expect(WRITES);
        rmp::encode::write_uint(out, lsn.0).expect(WRITES);
    }
}

impl Reply {
    /// Appends the MessagePack form of a successful Reply, without building one: the hot path.
    pub fn put_ok(id: u32, lsn: Lsn, value: &[u8], out: &mut Vec<u8>) {
        const WRITES: &str = "writing to memory cannot fail";
        out.extend_from_slice(&[0x92, 5, 0x94]);
        rmp::encode::write_uint(out, u64::from(id)).expect(WRITES);
        rmp::encode::write_uint(out, lsn.0).expect(WRITES);
        rmp::encode::write_bin(out, value).expect(WRITES);
        out.push(0xc0);
    }
}
