//! RFC 6455 framing, server side, without a socket: bytes in, messages out, and the reverse.
//!
//! Our own because the hot path must parse many frames of one read in place, unmask them there and
//! write answers of many requests as one buffer; the tests hold it against tungstenite.

mod assemble;
mod frame;
#[cfg(test)]
mod tests;

pub(crate) use assemble::{Assembler, Incoming};
pub(crate) use frame::{Opcode, put_close, put_frame};

/// Why a peer's bytes end its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    /// Against the RFC.
    #[error("{0}")]
    Protocol(&'static str),
    /// A frame or message over the limit.
    #[error("a message is over the limit of {0} bytes")]
    TooLarge(usize),
    /// A text message that is not UTF-8.
    #[error("a text message is not UTF-8")]
    NotUtf8,
}

impl FrameError {
    /// Status code of the close frame, RFC 6455 section 7.4.1.
    pub(crate) fn close_code(self) -> u16 {
        match self {
            Self::Protocol(_) => 1002,
            Self::TooLarge(_) => 1009,
            Self::NotUtf8 => 1007,
        }
    }
}
