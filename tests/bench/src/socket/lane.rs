//! A nonblocking connection of a load group: reads all that is there, writes all that it can.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use anyhow::{Result, bail};
use mio::{Interest, Registry, Token};

/// Bytes that a read asks for.
pub(crate) const READ_BYTES: usize = 64 << 10;

/// Buffers around a nonblocking socket. Registered edge-triggered: [`Self::read`] and [`Self::flush`]
/// go on until the socket has no more.
pub(crate) struct Lane {
    stream: mio::net::TcpStream,
    input: Vec<u8>,
    input_start: usize,
    /// Bytes to send; the owner appends and then flushes.
    pub(crate) output: Vec<u8>,
    output_start: usize,
    /// Mask of its frames.
    pub(crate) mask: [u8; 4],
}

impl Lane {
    /// Takes over a connected socket and what was read from it.
    pub(crate) fn new(stream: TcpStream, input: Vec<u8>, mask: [u8; 4]) -> Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream: mio::net::TcpStream::from_std(stream),
            input,
            input_start: 0,
            output: Vec::new(),
            output_start: 0,
            mask,
        })
    }

    /// Events of the socket come with this token.
    pub(crate) fn register(&mut self, registry: &Registry, token: usize) -> Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        Ok(registry.register(&mut self.stream, Token(token), interest)?)
    }

    /// Reads what is there, by way of a buffer that all lanes of a thread share.
    pub(crate) fn read(&mut self, scratch: &mut [u8; READ_BYTES]) -> Result<()> {
        if self.input_start == self.input.len() {
            self.input.clear();
            self.input_start = 0;
        } else if self.input_start > READ_BYTES {
            self.input.drain(..self.input_start);
            self.input_start = 0;
        }
        loop {
            match self.stream.read(scratch) {
                Ok(0) => bail!("the server closed a connection"),
                Ok(count) => {
                    self.input.extend_from_slice(&scratch[..count]);
                    // The socket is empty, and a new edge will tell of more.
                    if count < READ_BYTES {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// What was read and not consumed.
    pub(crate) fn input(&self) -> &[u8] {
        &self.input[self.input_start..]
    }

    /// Drops the front of the input.
    pub(crate) fn consume(&mut self, bytes: usize) {
        self.input_start += bytes;
    }

    /// Writes what the socket takes.
    pub(crate) fn flush(&mut self) -> Result<()> {
        while self.output_start < self.output.len() {
            match self.stream.write(&self.output[self.output_start..]) {
                Ok(count) => self.output_start += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.output.clear();
        self.output_start = 0;
        Ok(())
    }
}
