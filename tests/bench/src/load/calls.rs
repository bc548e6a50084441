//! Requests to the real server: one template, patched for each request, masked, sent in batches.

use anyhow::{Context, Result, ensure};
use syncline_protocol::message::{Args, Call, ClientMessage, Encoding, Ping};

use super::{Taken, Traffic};
use crate::socket::{frame, reply};

/// Ids below were used while the connection was set up.
const FIRST_ID: u32 = 1 << 20;
/// Where the id stands in a message: after `[tag, [` and the mark of a u32.
const ID_AT: usize = 4;

/// Requests made from one message.
pub(crate) struct Calls {
    template: Vec<u8>,
    args_at: usize,
    fill: Fill,
}

/// Lane, id and where the arguments go.
type Fill = Box<dyn FnMut(usize, u32, &mut [u8]) + Send>;

impl Calls {
    /// Calls of a reducer whose packed arguments always have `args_len` bytes.
    pub(crate) fn reducer(
        name: &str,
        args_len: usize,
        fill: impl FnMut(usize, u32, &mut [u8]) + Send + 'static,
    ) -> Result<Self> {
        let args = vec![0; args_len];
        let message = ClientMessage::Call(Call {
            id: u32::MAX,
            reducer: name.into(),
            args: Args::Packed(args.into()),
            idempotency_key: None,
        });
        Self::message(&message, args_len, Box::new(fill))
    }

    /// Pings.
    pub(crate) fn pings() -> Result<Self> {
        Self::message(
            &ClientMessage::Ping(Ping { id: u32::MAX }),
            0,
            Box::new(|_, _, _| {}),
        )
    }

    fn message(message: &ClientMessage<'_>, args_len: usize, fill: Fill) -> Result<Self> {
        let mut template = Vec::new();
        message.encode(Encoding::MessagePack, &mut template);
        let id = template.get(ID_AT - 1..ID_AT + 4);
        ensure!(
            id == Some(&[0xce, 255, 255, 255, 255]),
            "the id is not where it was"
        );
        let args_at = template
            .len()
            .checked_sub(args_len)
            .context("arguments are last")?;
        Ok(Self {
            template,
            args_at,
            fill,
        })
    }

    /// Bytes of a request on the wire.
    pub(crate) fn request_bytes(&self) -> usize {
        let head = if self.template.len() < 126 { 2 } else { 4 };
        head + 4 + self.template.len()
    }
}

impl Traffic for Calls {
    fn put(&mut self, lane: usize, id: u32, mask: [u8; 4], out: &mut Vec<u8>) {
        self.template[ID_AT..ID_AT + 4].copy_from_slice(&(FIRST_ID + id).to_be_bytes());
        (self.fill)(lane, id, &mut self.template[self.args_at..]);
        frame::put(frame::BINARY, &self.template, mask, out);
    }

    fn take(&mut self, _lane: usize, input: &[u8]) -> Result<Option<(usize, Option<Taken>)>> {
        let Some(frame) = frame::parse(input)? else {
            return Ok(None);
        };
        let end = frame.payload.end;
        ensure!(
            frame.opcode != frame::CLOSE,
            "the server closed a connection"
        );
        if frame.opcode != frame::BINARY {
            return Ok(Some((end, None)));
        }
        let (id, is_refused) = match reply::answer(&input[frame.payload])? {
            reply::Answer::Done(id) => (id, false),
            reply::Answer::Refused(id) => (id, true),
            reply::Answer::Commit | reply::Answer::Other => return Ok(Some((end, None))),
        };
        let id = id.checked_sub(FIRST_ID).context("an answer to nothing")?;
        Ok(Some((end, Some(Taken { id, is_refused }))))
    }
}
