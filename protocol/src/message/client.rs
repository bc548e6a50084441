//! What a client says. Ids are the client's: it counts them up over all requests of a connection.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Encoding;
use super::query_form::QueryForm;
use crate::error::CodecError;
use crate::ids::{Epoch, Lsn};
use crate::param::Param;

/// A message from client to server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is documented at its type")]
pub enum ClientMessage<'a> {
    #[serde(borrow)]
    Hello(Hello<'a>),
    #[serde(borrow)]
    Call(Call<'a>),
    #[serde(borrow)]
    Subscribe(Subscribe<'a>),
    Unsubscribe(Unsubscribe),
    #[serde(borrow)]
    Query(Query<'a>),
    Ping(Ping),
    #[serde(borrow)]
    Auth(Auth<'a>),
    SetParams(SetParams),
}

/// First message of a connection. Tag 1. Answered by Welcome.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Hello<'a> {
    /// Token of an earlier Welcome or of an issuer; without one the server makes a new identity.
    #[serde(default, borrow)]
    pub token: Option<Cow<'a, str>>,
    /// Hex hash of the schema the client has; if it is current, Welcome leaves the schema out.
    #[serde(default, borrow)]
    pub schema_hash: Option<Cow<'a, str>>,
    /// When answers and commits are sent.
    #[serde(default)]
    pub delivery: Delivery,
    /// Reserved for resuming at a position; refused with NOT_SUPPORTED if set.
    #[serde(default)]
    pub resume: Option<(Epoch, Lsn)>,
}

/// When a connection is told of a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// When it is durable.
    #[default]
    Confirmed,
    /// When it is committed: a crash can take it back.
    Unconfirmed,
}

/// Calls a reducer. Tag 2. Answered by Reply, after the Commit with its effects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call<'a> {
    /// Named by the Reply.
    pub id: u32,
    /// Name of the reducer.
    #[serde(borrow)]
    pub reducer: Cow<'a, str>,
    /// Its arguments.
    #[serde(borrow)]
    pub args: Args<'a>,
    /// Reserved; refused with NOT_SUPPORTED if set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<u64>,
}

/// Arguments of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Args<'a> {
    /// Packed, in the order of the parameters. Only in MessagePack.
    Packed(Cow<'a, [u8]>),
    /// A JSON array by position, or an object by name. Only in JSON.
    Json(serde_json::Value),
}

/// Starts a live query. Tag 3. Answered by Snapshot chunks, or by a Reply with an error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subscribe<'a> {
    /// Names the subscription until it is unsubscribed.
    pub id: u32,
    /// SELECT statement, or a logical query.
    #[serde(borrow)]
    pub sql: QueryForm<'a>,
    /// Values of its `:name` parameters.
    #[serde(default, with = "crate::param::named")]
    pub params: Vec<(String, Param)>,
}

/// Ends a live query. Tag 4. Answered by a Reply without a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsubscribe {
    /// Id of this request.
    pub id: u32,
    /// Id of the Subscribe that it ends.
    pub subscription: u32,
}

/// Evaluates a query once. Tag 5. Answered by Rows chunks, or by a Reply with an error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Query<'a> {
    /// Named by the Rows.
    pub id: u32,
    /// SELECT statement, or a logical query.
    #[serde(borrow)]
    pub sql: QueryForm<'a>,
    /// Values of its `:name` parameters.
    #[serde(default, with = "crate::param::named")]
    pub params: Vec<(String, Param)>,
}

/// Asks for a Pong. Tag 6.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// Named by the Pong.
    pub id: u32,
}

/// Renews the token of a connection, for the same identity. Tag 7. Answered by a Reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Auth<'a> {
    /// Id of this request.
    pub id: u32,
    /// The new token.
    #[serde(borrow)]
    pub token: Cow<'a, str>,
}

/// Gives a live query other parameters: all of them, as in its Subscribe. Tag 8. Answered by Moved or by
/// Snapshot chunks, then a Reply without a value; after a Reply with an error it is as it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetParams {
    /// Id of this request.
    pub id: u32,
    /// Id of the Subscribe.
    pub subscription: u32,
    /// New values.
    #[serde(default, with = "crate::param::named")]
    pub params: Vec<(String, Param)>,
}

impl<'a> ClientMessage<'a> {
    /// Reads one message. Borrows from `bytes` where it can.
    pub fn decode(encoding: Encoding, bytes: &'a [u8]) -> Result<Self, String> {
        match encoding {
            Encoding::Json => serde_json::from_slice(bytes).map_err(|error| error.to_string()),
            Encoding::MessagePack => {
                let (tag, body) = split_tag(bytes).map_err(|error| error.to_string())?;
                match tag {
                    1 => body_from(body).map(Self::Hello),
                    2 => match Call::read(body) {
                        Some(call) => Ok(Self::Call(call)),
                        None => body_from(body).map(Self::Call),
                    },
                    3 => body_from(body).map(Self::Subscribe),
                    4 => body_from(body).map(Self::Unsubscribe),
                    5 => body_from(body).map(Self::Query),
                    6 => body_from(body).map(Self::Ping),
                    7 => body_from(body).map(Self::Auth),
                    8 => body_from(body).map(Self::SetParams),
                    _ => Err(format!("unknown message tag {tag}")),
                }
            }
        }
    }

    /// Appends the message.
    ///
    /// # Panics
    /// If packed arguments meet JSON or the reverse: a client writes those of its encoding.
    pub fn encode(&self, encoding: Encoding, out: &mut Vec<u8>) {
        const WRITES: &str = "writing to memory cannot fail";
        if encoding == Encoding::Json {
            return serde_json::to_writer(out, self).expect(WRITES);
        }
        match self {
            Self::Hello(body) => put_tagged(1, body, out),
            Self::Call(body) => put_tagged(2, body, out),
            Self::Subscribe(body) => put_tagged(3, body, out),
            Self::Unsubscribe(body) => put_tagged(4, body, out),
            Self::Query(body) => put_tagged(5, body, out),
            Self::Ping(body) => put_tagged(6, body, out),
            Self::Auth(body) => put_tagged(7, body, out),
            Self::SetParams(body) => put_tagged(8, body, out),
        }
    }
}

impl<'a> Call<'a> {
    /// Reads the usual form of a call in less than half the time: the hot path. `None` for anything else,
    /// be it unusual or wrong, which [`body_from`] tells apart.
    fn read(body: &'a [u8]) -> Option<Self> {
        let (array, mut rest) = body.split_first()?;
        let id = rmp::decode::read_int(&mut rest).ok()?;
        let (reducer, mut rest) = rmp::decode::read_str_from_slice(rest).ok()?;
        let len = rmp::decode::read_bin_len(&mut rest).ok()?;
        let (args, rest) = rest.split_at_checked(usize::try_from(len).ok()?)?;
        // Three fields, or four of which the reserved one is nil.
        match (array, rest) {
            (0x93, []) | (0x94, [0xc0]) => Some(Self {
                id,
                reducer: Cow::Borrowed(reducer),
                args: Args::Packed(Cow::Borrowed(args)),
                idempotency_key: None,
            }),
            _ => None,
        }
    }
}

/// Splits `[tag, body]`.
pub(super) fn split_tag(bytes: &[u8]) -> Result<(u8, &[u8]), CodecError> {
    match bytes {
        [0x92, tag @ 0..=0x7f, body @ ..] => Ok((*tag, body)),
        _ => Err(CodecError::Unknown),
    }
}

/// Nesting that a message may have: a type takes four levels for each level of its own, and a
/// description has a few around its types; what clients send is flatter.
const DEPTH_MAX: usize = 4 * crate::packed::DEPTH_MAX + 16;

pub(super) fn body_from<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes);
    deserializer.set_max_depth(DEPTH_MAX);
    let body = T::deserialize(&mut deserializer).map_err(|error| error.to_string())?;
    // The reader does not tell its position; at the end there is no marker of a next value.
    match serde::de::IgnoredAny::deserialize(&mut deserializer) {
        Err(rmp_serde::decode::Error::InvalidMarkerRead(_)) => Ok(body),
        _ => Err(CodecError::TrailingBytes.to_string()),
    }
}

pub(super) fn put_tagged(tag: u8, body: &impl Serialize, out: &mut Vec<u8>) {
    out.extend_from_slice(&[0x92, tag]);
    rmp_serde::encode::write(out, body).expect("writing to memory cannot fail");
}

impl Serialize for Args<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Packed(bytes) if !s.is_human_readable() => s.serialize_bytes(bytes),
            Self::Json(value) if s.is_human_readable() => value.serialize(s),
            _ => Err(serde::ser::Error::custom(
                "arguments are of the other encoding",
            )),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Args<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if d.is_human_readable() {
            serde_json::Value::deserialize(d).map(Self::Json)
        } else {
            <&'de serde_bytes::Bytes>::deserialize(d)
                .map(|bytes| Self::Packed(Cow::Borrowed(bytes)))
        }
    }
}
