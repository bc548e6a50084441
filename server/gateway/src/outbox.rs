//! Bytes on their way to one client.

use std::io;

use tokio::net::TcpStream;

/// Whole frames in order, written as one buffer. Holds no memory while there is nothing to send.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
}

/// A buffer of at most this size is kept from frame to frame.
const KEPT_BYTES_MAX: usize = 512;

impl Outbox {
    /// Bytes that wait.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where frames are appended.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Writes as much as the socket takes; returns how many bytes that was.
    pub(crate) fn flush(&mut self, stream: &TcpStream) -> io::Result<usize> {
        let mut total = 0;
        while !self.is_empty() {
            match stream.try_write(&self.bytes[self.sent..]) {
                Ok(count) => {
                    self.sent += count;
                    total += count;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.tidy();
        Ok(total)
    }

    /// Forgets what waits, but for the rest of a frame of which the client has a part already: without
    /// it nothing that follows could be understood.
    pub(crate) fn cut_to_frame(&mut self) {
        let mut end = 0;
        while end < self.sent {
            end += frame_len(&self.bytes[end..]);
        }
        self.bytes.truncate(end);
        self.tidy();
    }

    /// Forgets everything that was not sent.
    pub(crate) fn clear(&mut self) {
        self.bytes = Vec::new();
        self.sent = 0;
    }

    fn tidy(&mut self) {
        if self.is_empty() {
            self.sent = 0;
            if self.bytes.capacity() > KEPT_BYTES_MAX {
                self.bytes = Vec::new();
            } else {
                self.bytes.clear();
            }
        } else if self.sent > self.bytes.len() / 2 {
            self.drop_sent_frames();
        }
    }

    /// Frees what was sent, in whole frames, so that the buffer always starts with one.
    fn drop_sent_frames(&mut self) {
        let mut end = 0;
        loop {
            let next = end + frame_len(&self.bytes[end..]);
            if next > self.sent {
                break;
            }
            end = next;
        }
        self.bytes.drain(..end);
        self.sent -= end;
    }
}

/// Length of the unmasked frame at the start of these bytes, header included.
fn frame_len(bytes: &[u8]) -> usize {
    match bytes[1] {
        126 => 4 + usize::from(u16::from_be_bytes([bytes[2], bytes[3]])),
        127 => {
            let len = bytes[2..10]
                .try_into()
                .expect("a long frame has eight bytes of length");
            10 + u64::from_be_bytes(len) as usize
        }
        short => 2 + usize::from(short),
    }
}
