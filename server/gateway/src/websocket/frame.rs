//! One frame.

use std::ops::Range;

use super::FrameError;

/// What a frame is, RFC 6455 section 5.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    fn parse(bits: u8) -> Result<Self, FrameError> {
        Ok(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return Err(FrameError::Protocol("a frame has a reserved opcode")),
        })
    }

    fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }

    pub(crate) fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// A frame inside a buffer, unmasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) opcode: Opcode,
    pub(crate) is_final: bool,
    /// Where its payload lies.
    pub(crate) payload: Range<usize>,
}

/// Reads the client's frame that starts at `at`, unmasks it in place, and says where it lies. `None`:
/// bytes are missing. The length is checked against `bytes_max` before the payload is waited for.
pub(crate) fn parse(
    buffer: &mut [u8],
    at: usize,
    bytes_max: usize,
) -> Result<Option<Frame>, FrameError> {
    let bytes = &buffer[at..];
    let &[first, second, ref rest @ ..] = bytes else {
        return Ok(None);
    };
    if first & 0x70 != 0 {
        return Err(FrameError::Protocol("a frame has reserved bits set"));
    }
    let opcode = Opcode::parse(first & 0x0f)?;
    let is_final = first & 0x80 != 0;
    if second & 0x80 == 0 {
        return Err(FrameError::Protocol("a client's frame is not masked"));
    }
    let (len, rest) = match second & 0x7f {
        126 => {
            let Some((len, rest)) = rest.split_first_chunk() else {
                return Ok(None);
            };
            (u64::from(u16::from_be_bytes(*len)), rest)
        }
        127 => {
            let Some((len, rest)) = rest.split_first_chunk() else {
                return Ok(None);
            };
            (u64::from_be_bytes(*len), rest)
        }
        short => (u64::from(short), rest),
    };
    if opcode.is_control() && (len > 125 || !is_final) {
        return Err(FrameError::Protocol(
            "a control frame is fragmented or too long",
        ));
    }
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    if len > bytes_max {
        return Err(FrameError::TooLarge(bytes_max));
    }
    let Some((&mask, rest)) = rest.split_first_chunk::<4>() else {
        return Ok(None);
    };
    if rest.len() < len {
        return Ok(None);
    }
    let start = buffer.len() - rest.len();
    let payload = start..start + len;
    unmask(&mut buffer[payload.clone()], mask);
    Ok(Some(Frame {
        opcode,
        is_final,
        payload,
    }))
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (chunks, rest) = payload.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

/// Appends a whole unmasked frame, as a server sends it.
pub(crate) fn put_frame(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    out.push(0x80 | opcode.bits());
    match payload.len() {
        len @ 0..=125 => out.push(len as u8),
        len @ 126..=0xffff => {
            out.push(126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            out.push(127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
}

/// Appends a close frame. The reason is cut to what a control frame can hold.
pub(crate) fn put_close(code: u16, reason: &str, out: &mut Vec<u8>) {
    let mut end = reason.len().min(123);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(&reason.as_bytes()[..end]);
    put_frame(Opcode::Close, &payload, out);
}
