//! Reads the messages of the hot path in place: a Reply, a Pong, the deltas of a Commit.

use anyhow::{Context, Result, bail, ensure};
use syncline_protocol::ErrorCode;
use syncline_protocol::message::ServerMessage;

/// What a message is to a load that counts answers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The request with this id succeeded.
    Done(u32),
    /// The request was refused because the disk is behind: it may be tried again.
    Refused(u32),
    /// One transaction's deltas.
    Commit,
    /// Anything else.
    Other,
}

/// Classifies a MessagePack message. An Error and a Reply that failed for any reason but back-pressure
/// are errors.
pub(crate) fn answer(message: &[u8]) -> Result<Answer> {
    let [0x92, tag, body @ ..] = message else {
        bail!("no message: {message:02x?}")
    };
    match tag {
        3 => Ok(Answer::Commit),
        5 => {
            let mut rest = array(body)?.1;
            let id = u32::try_from(uint(&mut rest)?)?;
            uint(&mut rest)?;
            skip_nil_or_bin(&mut rest)?;
            if rest == [0xc0] {
                return Ok(Answer::Done(id));
            }
            let error = failure(message);
            if error.starts_with(ErrorCode::Overloaded.as_str()) {
                return Ok(Answer::Refused(id));
            }
            bail!("a request failed: {error}")
        }
        8 => bail!("the server ended the connection: {}", failure(message)),
        9 => Ok(Answer::Done(u32::try_from(uint(&mut array(body)?.1)?)?)),
        _ => Ok(Answer::Other),
    }
}

/// Calls `each` with handle and operations of every delta of a Commit.
pub(crate) fn deltas(commit: &[u8], mut each: impl FnMut(u64, &[u8]) -> Result<()>) -> Result<()> {
    let [0x92, 3, body @ ..] = commit else {
        bail!("no Commit")
    };
    let mut rest = array(body)?.1;
    uint(&mut rest)?;
    let (count, mut rest) = array(rest)?;
    for _ in 0..count {
        rest = array(rest)?.1;
        let handle = uint(&mut rest)?;
        let ops = bin(&mut rest)?;
        each(handle, ops)?;
    }
    Ok(())
}

fn failure(message: &[u8]) -> String {
    match ServerMessage::decode(message) {
        Ok(ServerMessage::Reply(reply)) => reply
            .error
            .map_or_else(|| "without an error".into(), |error| error.to_string()),
        Ok(ServerMessage::Error(message)) => message.error.to_string(),
        Ok(_) => "unexpected message".into(),
        Err(error) => error,
    }
}

fn array(bytes: &[u8]) -> Result<(usize, &[u8])> {
    match bytes {
        [first @ 0x90..=0x9f, rest @ ..] => Ok((usize::from(first & 0x0f), rest)),
        [0xdc, a, b, rest @ ..] => Ok((usize::from(u16::from_be_bytes([*a, *b])), rest)),
        [0xdd, a, b, c, d, rest @ ..] => Ok((u32::from_be_bytes([*a, *b, *c, *d]) as usize, rest)),
        _ => bail!("no array"),
    }
}

fn uint(bytes: &mut &[u8]) -> Result<u64> {
    let (&first, rest) = bytes.split_first().context("no integer")?;
    let len = match first {
        0..=0x7f => {
            *bytes = rest;
            return Ok(u64::from(first));
        }
        0xcc => 1,
        0xcd => 2,
        0xce => 4,
        0xcf => 8,
        _ => bail!("no integer"),
    };
    let (number, rest) = rest.split_at_checked(len).context("no integer")?;
    *bytes = rest;
    Ok(number
        .iter()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

fn bin<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8]> {
    let (len, rest) = match *bytes {
        [0xc4, a, rest @ ..] => (usize::from(*a), rest),
        [0xc5, a, b, rest @ ..] => (usize::from(u16::from_be_bytes([*a, *b])), rest),
        [0xc6, a, b, c, d, rest @ ..] => (u32::from_be_bytes([*a, *b, *c, *d]) as usize, rest),
        _ => bail!("no bytes"),
    };
    let (data, rest) = rest.split_at_checked(len).context("the bytes end early")?;
    *bytes = rest;
    Ok(data)
}

fn skip_nil_or_bin(bytes: &mut &[u8]) -> Result<()> {
    if let [0xc0, rest @ ..] = *bytes {
        *bytes = rest;
        return Ok(());
    }
    ensure!(!bytes.is_empty(), "the message ends early");
    bin(bytes).map(drop)
}
