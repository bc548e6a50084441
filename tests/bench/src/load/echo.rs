//! The floor of requests: length-prefixed messages that come back as they are.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::Result;

use super::{Taken, Traffic};
use crate::socket::Lane;

/// Requests of a fixed size to an echo.
#[derive(Clone)]
pub(crate) struct Echo {
    padding: Vec<u8>,
}

impl Echo {
    /// Messages of `bytes` bytes, the length prefix included.
    pub(crate) fn new(bytes: usize) -> Self {
        Self {
            padding: vec![0x55; bytes.saturating_sub(8)],
        }
    }

    /// Connections to an echo.
    pub(crate) fn lanes(address: SocketAddr, count: usize) -> Result<Vec<Lane>> {
        (0..count).map(|_| lane(connect(address)?)).collect()
    }

    /// A first connection and then others that have been echoed to once: the server knows them all.
    pub(crate) fn known_lanes(address: SocketAddr, others: usize) -> Result<(Lane, Vec<Lane>)> {
        let first = lane(connect(address)?)?;
        let mut lanes = Vec::with_capacity(others);
        for _ in 0..others {
            let mut stream = connect(address)?;
            let mut message = Vec::new();
            Self::new(0).put(0, 0, [0; 4], &mut message);
            stream.write_all(&message)?;
            stream.read_exact(&mut message)?;
            lanes.push(lane(stream)?);
        }
        Ok((first, lanes))
    }
}

impl Traffic for Echo {
    fn put(&mut self, _lane: usize, id: u32, _mask: [u8; 4], out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.padding.len() as u32 + 4).to_le_bytes());
        out.extend_from_slice(&id.to_le_bytes());
        out.extend_from_slice(&self.padding);
    }

    fn take(&mut self, _lane: usize, input: &[u8]) -> Result<Option<(usize, Option<Taken>)>> {
        let Some((len, rest)) = input.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let len = u32::from_le_bytes(*len) as usize;
        let Some(body) = rest.get(..len) else {
            return Ok(None);
        };
        let id = body.first_chunk().map(|id| u32::from_le_bytes(*id));
        let taken = id.map(|id| Taken {
            id,
            is_refused: false,
        });
        Ok(Some((4 + len, taken)))
    }
}

fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn lane(stream: TcpStream) -> Result<Lane> {
    Lane::new(stream, Vec::new(), [0; 4])
}
