use syncline_protocol::message::{Commit, CommitFrame, Pong, Reply, ServerMessage};
use syncline_protocol::{ErrorCode, Lsn, WireError};

use super::{frame, reply};

#[test]
fn frames_of_every_length_come_back_unmasked() {
    for len in [0, 1, 3, 4, 125, 126, 127, 4096, 65_535, 65_536, 100_000] {
        let payload: Vec<u8> = (0..len).map(|n| n as u8).collect();
        let mask = [7, 0, 255, 19];
        let mut out = Vec::new();
        frame::put(frame::BINARY, &payload, mask, &mut out);
        // As the server sees it: take the mask off and what is left is an unmasked frame.
        let head = out.len() - len - 4;
        let mut plain = out[..head].to_vec();
        plain[1] &= 0x7f;
        plain.extend(
            out[head + 4..]
                .iter()
                .zip(mask.iter().cycle())
                .map(|(byte, key)| byte ^ key),
        );
        let parsed = frame::parse(&plain).unwrap().unwrap();
        assert_eq!(parsed.opcode, frame::BINARY);
        assert_eq!(&plain[parsed.payload.clone()], &payload[..]);
        for end in [0, 1, plain.len() - 1] {
            assert_eq!(
                frame::parse(&plain[..end]).unwrap(),
                None,
                "{end} of {}",
                plain.len()
            );
        }
    }
}

#[test]
fn frames_that_a_server_must_not_send_are_errors() {
    for bad in [[0x02, 0x00], [0x82, 0x80], [0xc2, 0x00]] {
        assert!(frame::parse(&bad).is_err(), "{bad:02x?}");
    }
    assert!(frame::parse(&[0x82, 127, 255, 0, 0, 0, 0, 0, 0, 0]).is_err());
}

fn encoded(message: &ServerMessage) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(&mut out);
    out
}

#[test]
fn answers_are_read_as_the_protocol_writes_them() {
    for (id, lsn) in [(1, 1), (127, 128), (300, 70_000), (u32::MAX, u64::MAX)] {
        let reply = |value, error| {
            encoded(&ServerMessage::Reply(Reply {
                id,
                lsn: Lsn(lsn),
                value,
                error,
            }))
        };
        for value in [
            None,
            Some(Vec::new()),
            Some(vec![9; 300]),
            Some(vec![9; 70_000]),
        ] {
            let message = reply(value.map(Into::into), None);
            assert_eq!(reply::answer(&message).unwrap(), reply::Answer::Done(id));
        }
        let error = WireError::new(ErrorCode::ReducerError, "no such account");
        let failed = reply::answer(&reply(None, Some(error)))
            .unwrap_err()
            .to_string();
        assert!(
            failed.contains("REDUCER_ERROR: no such account"),
            "{failed}"
        );
        let pong = encoded(&ServerMessage::Pong(Pong { id, lsn: Lsn(lsn) }));
        assert_eq!(reply::answer(&pong).unwrap(), reply::Answer::Done(id));
    }
}

#[test]
fn deltas_are_read_as_the_protocol_writes_them() {
    let mut message = Vec::new();
    CommitFrame::begin(Lsn(900), 20, &mut message);
    for handle in 0..20 {
        CommitFrame::segment(
            handle * 1000,
            &vec![handle as u8; handle as usize * 20],
            &mut message,
        );
    }
    assert_eq!(reply::answer(&message).unwrap(), reply::Answer::Commit);
    let mut seen = Vec::new();
    reply::deltas(&message, |handle, ops| {
        seen.push((handle, ops.to_vec()));
        Ok(())
    })
    .unwrap();
    let Ok(ServerMessage::Commit(Commit { deltas, .. })) = ServerMessage::decode(&message) else {
        panic!("the frame is a Commit");
    };
    let expected: Vec<_> = deltas
        .into_iter()
        .map(|delta| (delta.handle, delta.ops.into_vec()))
        .collect();
    assert_eq!(seen, expected);
}

#[test]
fn truncated_messages_are_errors() {
    let reply = Reply {
        id: 7,
        lsn: Lsn(7),
        value: Some(vec![1, 2].into()),
        error: None,
    };
    let message = encoded(&ServerMessage::Reply(reply));
    for end in 0..message.len() {
        assert!(reply::answer(&message[..end]).is_err(), "{end} bytes");
    }
}
