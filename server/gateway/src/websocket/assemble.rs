//! From the bytes of reads to messages.

use std::ops::Range;

use super::FrameError;
use super::frame::{Opcode, parse};

/// What a client sent; ranges lie in the buffer that was given to [`Assembler::feed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// A message of one frame.
    Message {
        text: bool,
        payload: Range<usize>,
    },
    /// A message of several frames, put together.
    Assembled {
        text: bool,
        payload: Vec<u8>,
    },
    Ping(Range<usize>),
    /// The peer's code, or 1000 if it gave none. Nothing comes after it.
    Close(u16),
}

/// Keeps the message that is arriving in fragments.
#[derive(Debug)]
pub(crate) struct Assembler {
    message_bytes_max: usize,
    fragments: Option<(bool, Vec<u8>)>,
}

impl Assembler {
    pub(crate) fn new(message_bytes_max: usize) -> Self {
        Self {
            message_bytes_max,
            fragments: None,
        }
    }

    /// Takes whole frames off the front of `buffer`, unmasking them in place, and adds what they mean to
    /// `out`; returns how many bytes were taken. The rest is a frame that has not arrived yet.
    pub(crate) fn feed(
        &mut self,
        buffer: &mut [u8],
        out: &mut Vec<Incoming>,
    ) -> Result<usize, FrameError> {
        let mut at = 0;
        while let Some(frame) = parse(buffer, at, self.message_bytes_max)? {
            at = frame.payload.end;
            match (frame.opcode, frame.is_final) {
                (Opcode::Ping, _) => out.push(Incoming::Ping(frame.payload)),
                (Opcode::Pong, _) => {}
                (Opcode::Close, _) => {
                    out.push(Incoming::Close(close_code(&buffer[frame.payload])?));
                    return Ok(buffer.len());
                }
                (Opcode::Continuation, is_final) => {
                    self.continue_message(&buffer[frame.payload], is_final, out)?;
                }
                _ if self.fragments.is_some() => {
                    return Err(FrameError::Protocol("a message starts inside another"));
                }
                (opcode, true) => {
                    let text = opcode == Opcode::Text;
                    check_text(text, &buffer[frame.payload.clone()])?;
                    out.push(Incoming::Message {
                        text,
                        payload: frame.payload,
                    });
                }
                (opcode, false) => {
                    let payload = buffer[frame.payload].to_vec();
                    self.fragments = Some((opcode == Opcode::Text, payload));
                }
            }
        }
        Ok(at)
    }

    fn continue_message(
        &mut self,
        payload: &[u8],
        is_final: bool,
        out: &mut Vec<Incoming>,
    ) -> Result<(), FrameError> {
        let Some((text, message)) = &mut self.fragments else {
            return Err(FrameError::Protocol("a continuation without a start"));
        };
        if message.len() + payload.len() > self.message_bytes_max {
            return Err(FrameError::TooLarge(self.message_bytes_max));
        }
        message.extend_from_slice(payload);
        if is_final {
            let text = *text;
            check_text(text, message)?;
            let (_, payload) = self.fragments.take().expect("it was just matched");
            out.push(Incoming::Assembled { text, payload });
        }
        Ok(())
    }
}

/// The code of a close frame, RFC 6455 sections 5.5.1 and 7.4.
fn close_code(payload: &[u8]) -> Result<u16, FrameError> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return match payload {
            [] => Ok(1000),
            _ => Err(FrameError::Protocol("a close frame has half a code")),
        };
    };
    check_text(true, reason)?;
    match u16::from_be_bytes(*code) {
        code @ (1000..=1003 | 1007..=1014 | 3000..=4999) => Ok(code),
        _ => Err(FrameError::Protocol(
            "a close frame has a code that is never sent",
        )),
    }
}

fn check_text(text: bool, payload: &[u8]) -> Result<(), FrameError> {
    if text && core::str::from_utf8(payload).is_err() {
        return Err(FrameError::NotUtf8);
    }
    Ok(())
}
