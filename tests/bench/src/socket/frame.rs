//! WebSocket frames: masked ones out, unmasked ones in.

use std::ops::Range;

use anyhow::{Result, bail, ensure};

/// A text message.
pub(crate) const TEXT: u8 = 1;
/// A binary message.
pub(crate) const BINARY: u8 = 2;
/// The peer closes.
pub(crate) const CLOSE: u8 = 8;
/// The peer wants a pong.
pub(crate) const PING: u8 = 9;
/// Answer to a ping.
pub(crate) const PONG: u8 = 10;

/// More than the server may send in one frame.
const FRAME_BYTES_MAX: usize = 64 << 20;

/// A frame at the front of the input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// What it is.
    pub(crate) opcode: u8,
    /// Where its payload lies in the input.
    pub(crate) payload: Range<usize>,
}

/// The first frame of `input`, or nothing if it is not all there.
pub(crate) fn parse(input: &[u8]) -> Result<Option<Frame>> {
    let [first, second, ..] = *input else {
        return Ok(None);
    };
    ensure!(first & 0x80 != 0, "the server fragments a message");
    ensure!(first & 0x70 == 0, "the server sets a reserved bit");
    ensure!(second & 0x80 == 0, "the server masks a frame");
    let (start, len) = match (second, input) {
        (126, [_, _, a, b, ..]) => (4, usize::from(u16::from_be_bytes([*a, *b]))),
        (127, [_, _, len @ ..]) if len.len() >= 8 => {
            let len = len.first_chunk().expect("there are eight bytes");
            (10, usize::try_from(u64::from_be_bytes(*len))?)
        }
        (126 | 127, _) => return Ok(None),
        (len, _) => (2, usize::from(len)),
    };
    if len > FRAME_BYTES_MAX {
        bail!("the server announces a frame of {len} bytes");
    }
    let end = start + len;
    Ok((input.len() >= end).then_some(Frame {
        opcode: first & 0x0f,
        payload: start..end,
    }))
}

/// Appends one masked frame.
pub(crate) fn put(opcode: u8, payload: &[u8], mask: [u8; 4], out: &mut Vec<u8>) {
    out.push(0x80 | opcode);
    match payload.len() {
        len @ ..126 => out.push(0x80 | len as u8),
        len @ 126..0x1_0000 => {
            out.push(0x80 | 0x7e);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            out.push(0x80 | 0x7f);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    let start = out.len();
    out.extend_from_slice(payload);
    let word = u32::from_ne_bytes(mask);
    let mut words = out[start..].chunks_exact_mut(4);
    for bytes in &mut words {
        let bytes = bytes
            .first_chunk_mut::<4>()
            .expect("chunks have four bytes");
        *bytes = (u32::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for (byte, key) in words.into_remainder().iter_mut().zip(mask) {
        *byte ^= key;
    }
}
