//! The codec against tungstenite, and against bytes that nobody should send.
#![allow(clippy::unwrap_used)]

use std::io::{Cursor, Read, Write};

use proptest::prelude::*;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket};
use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};

use super::frame::{Opcode, put_close, put_frame};
use super::{Assembler, FrameError, Incoming};

const MAX: usize = 1 << 20;

/// A stream that collects what is written and gives out what it was made with.
#[derive(Default)]
struct Pipe {
    input: Cursor<Vec<u8>>,
    output: Vec<u8>,
}

impl Read for Pipe {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        match self.input.read(buf)? {
            0 => Err(std::io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.output.extend_from_slice(buf);
        Ok(buf.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn client_bytes(messages: &[Message]) -> Vec<u8> {
    let mut socket = WebSocket::from_raw_socket(Pipe::default(), Role::Client, None);
    for message in messages {
        socket.write(message.clone()).unwrap();
    }
    socket.flush().unwrap();
    std::mem::take(&mut socket.get_mut().output)
}

/// Feeds `bytes` cut at the given places and returns all messages as (is text, payload).
fn feed(bytes: &[u8], cuts: &[usize]) -> Result<Vec<(bool, Vec<u8>)>, FrameError> {
    let mut assembler = Assembler::new(MAX);
    let mut pending = Vec::new();
    let mut messages = Vec::new();
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.push(bytes.len());
    cuts.sort_unstable();
    let mut start = 0;
    for cut in cuts {
        pending.extend_from_slice(&bytes[start..cut]);
        start = cut;
        let mut incoming = Vec::new();
        let taken = assembler.feed(&mut pending, &mut incoming)?;
        for item in incoming {
            match item {
                Incoming::Message { text, payload } => {
                    messages.push((text, pending[payload].to_vec()));
                }
                Incoming::Assembled { text, payload } => messages.push((text, payload)),
                Incoming::Ping(_) | Incoming::Close(_) => {}
            }
        }
        pending.drain(..taken);
    }
    Ok(messages)
}

proptest! {
    #[test]
    fn reads_what_tungstenite_writes(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..70_000), 1..4),
        texts in prop::collection::vec(".{0,40}", 0..4),
        cuts in prop::collection::vec(any::<usize>(), 0..8),
    ) {
        let mut sent: Vec<_> = payloads.iter().map(|p| Message::binary(p.clone())).collect();
        sent.extend(texts.iter().map(|text| Message::text(text.clone())));
        let mut expected: Vec<_> = payloads.into_iter().map(|payload| (false, payload)).collect();
        expected.extend(texts.into_iter().map(|text| (true, text.into_bytes())));
        prop_assert_eq!(feed(&client_bytes(&sent), &cuts).unwrap(), expected);
    }

    #[test]
    fn tungstenite_reads_what_we_write(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..70_000), 1..4),
        reason in ".{0,200}",
    ) {
        let mut bytes = Vec::new();
        for payload in &payloads {
            put_frame(Opcode::Binary, payload, &mut bytes);
        }
        put_close(1008, &reason, &mut bytes);
        let pipe = Pipe { input: Cursor::new(bytes), output: Vec::new() };
        let mut socket = WebSocket::from_raw_socket(pipe, Role::Client, None);
        for payload in payloads {
            prop_assert_eq!(socket.read().unwrap(), Message::binary(payload));
        }
        let Message::Close(Some(CloseFrame { code, reason: read })) = socket.read().unwrap() else {
            return Err(TestCaseError::fail("expected a close frame"));
        };
        prop_assert_eq!(u16::from(code), 1008);
        prop_assert!(reason.starts_with(read.as_str()) && (read.len() > 119 || read.len() == reason.len()));
    }

    #[test]
    fn random_bytes_end_in_an_error_or_in_waiting(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        cuts in prop::collection::vec(any::<usize>(), 0..4),
    ) {
        let _ = feed(&bytes, &cuts);
    }
}

#[test]
fn refuses_what_the_rfc_forbids() {
    let check = |bytes: &[u8], code: u16| {
        let error = feed(bytes, &[]).unwrap_err();
        assert_eq!(error.close_code(), code, "{bytes:?}: {error}");
    };
    check(&[0x82, 0x01, 0], 1002); // not masked
    check(&[0xc2, 0x80, 0, 0, 0, 0], 1002); // reserved bit
    check(&[0x83, 0x80, 0, 0, 0, 0], 1002); // reserved opcode
    check(&[0x80, 0x80, 0, 0, 0, 0], 1002); // continuation without a start
    check(&[0x09, 0x80, 0, 0, 0, 0], 1002); // fragmented ping
    check(&[0x89, 0xfe, 0, 126, 0, 0, 0, 0], 1002); // long ping
    check(&[0x02, 0x80, 0, 0, 0, 0, 0x82, 0x80, 0, 0, 0, 0], 1002); // start inside a message
    check(&[0x81, 0x81, 0, 0, 0, 0, 0xff], 1007); // text that is not UTF-8
    check(&[0x88, 0x81, 0, 0, 0, 0, 3], 1002); // half a close code
    check(&[0x88, 0x82, 0, 0, 0, 0, 3, 0xed], 1002); // close code 1005
    check(&[0x88, 0x83, 0, 0, 0, 0, 3, 0xe8, 0xff], 1007); // close reason that is not UTF-8
    check(&[0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0], 1009); // announces a terabyte
}

#[test]
fn puts_fragments_together_around_a_ping() {
    let bytes = [
        &[0x01, 0x82, 0, 0, 0, 0, b'a', b'b'][..],
        &[0x89, 0x80, 0, 0, 0, 0],
        &[0x80, 0x81, 0, 0, 0, 0, b'c'],
    ]
    .concat();
    for cut in 0..bytes.len() {
        assert_eq!(feed(&bytes, &[cut]).unwrap(), vec![(true, b"abc".to_vec())]);
    }
}

#[test]
fn fragments_add_up_to_the_limit_at_most() {
    let mut assembler = Assembler::new(4);
    let mut first = vec![0x02, 0x83, 0, 0, 0, 0, 1, 2, 3];
    assembler.feed(&mut first, &mut Vec::new()).unwrap();
    let mut second = vec![0x80, 0x82, 0, 0, 0, 0, 4, 5];
    let error = assembler.feed(&mut second, &mut Vec::new()).unwrap_err();
    assert_eq!(error, FrameError::TooLarge(4));
}
