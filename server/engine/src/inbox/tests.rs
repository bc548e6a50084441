use super::*;
use crate::command::{CallArgs, Ticket};
use syncline_protocol::Identity;

const WAIT: Patience = Patience { due: 5, quiet: 1 };

fn conn(index: u32) -> ConnKey {
    ConnKey {
        index,
        generation: 1,
    }
}

fn ping(index: u32, id: u32) -> Command {
    Command::Ping {
        conn: conn(index),
        id,
    }
}

fn request(ticket: u64, admin: bool) -> Command {
    Command::Call {
        origin: Origin::Ticket {
            ticket: Ticket(ticket),
            identity: Identity::default(),
            admin,
        },
        reducer: "any".into(),
        args: CallArgs::Packed("".into()),
    }
}

/// Connection and id of a ping, or the ticket of a call.
fn name(command: Option<Command>) -> (u32, u32) {
    match command {
        Some(Command::Ping { conn, id }) => (conn.index, id),
        Some(Command::Call {
            origin: Origin::Ticket { ticket, .. },
            ..
        }) => (u32::MAX, ticket.0 as u32),
        other => panic!("{other:?}"),
    }
}

#[test]
fn few_large_messages_fill_it_and_room_comes_back_as_they_are_taken() {
    let mut inbox = Inbox::default();
    let large = INBOX_BYTES_MAX / 16;
    for index in 0..16 {
        assert!(inbox.has_room());
        inbox.push(ping(index, 0), large);
    }
    assert!(!inbox.has_room());
    inbox.pop();
    assert!(inbox.has_room());
    assert_eq!((inbox.len(), inbox.bytes), (15, 15 * large));
    while inbox.pop().is_some() {}
    assert!(inbox.is_empty() && inbox.bytes == 0);
}

#[test]
fn many_small_messages_fill_it() {
    let mut inbox = Inbox::default();
    for number in 0..INBOX_COMMANDS_MAX as u32 {
        assert!(inbox.has_room());
        inbox.push(ping(number % 100, number), 0);
    }
    assert!(!inbox.has_room() && inbox.has_room_for_requests());
    while inbox.pop().is_some() {}
    assert_eq!(inbox.nodes.capacity(), 0, "an empty one needs no memory");
}

#[test]
fn one_connection_cannot_fill_it() {
    let mut inbox = Inbox::default();
    for id in 0..CONNECTION_COMMANDS_MAX as u32 {
        assert!(inbox.has_room_for(conn(1)));
        inbox.push(ping(1, id), 0);
    }
    assert!(!inbox.has_room_for(conn(1)) && inbox.has_room_for(conn(2)));
    inbox.push(ping(3, 0), CONNECTION_COMMAND_BYTES_MAX);
    assert!(!inbox.has_room_for(conn(3)) && inbox.has_room_for(conn(2)));
}

#[test]
fn connections_take_turns_and_each_keeps_its_order() {
    let mut inbox = Inbox::default();
    inbox.extend((0..40).map(|id| ping(0, id)));
    inbox.extend([ping(1, 0), ping(2, 0)]);
    let order: Vec<_> = (0..42).map(|_| name(inbox.pop())).collect();
    let turn = TURN_COMMANDS_MAX as usize;
    assert_eq!(order[turn..turn + 2], [(1, 0), (2, 0)]);
    let first = order.iter().filter(|(index, _)| *index == 0);
    assert!(first.map(|(_, id)| *id).eq(0..40));
    assert!(inbox.pop().is_none());
}

#[test]
fn a_turn_that_took_long_is_over() {
    let mut inbox = Inbox::default();
    inbox.extend([ping(0, 0), ping(0, 1), ping(1, 0)]);
    assert_eq!(name(inbox.pop()), (0, 0));
    inbox.end_turn();
    assert_eq!(name(inbox.pop()), (1, 0));
    assert_eq!(name(inbox.pop()), (0, 1));
}

#[test]
fn what_follows_a_deferred_command_stays_behind_it() {
    let mut inbox = Inbox::default();
    inbox.extend([ping(0, 0), ping(0, 1), ping(1, 0)]);
    inbox.defer(WAIT);
    inbox.push(ping(0, 2), 7);
    assert_eq!((inbox.deferred_len, inbox.deferred_bytes), (3, 7));
    assert_eq!(name(inbox.pop()), (1, 0));
    assert!(!inbox.has_ready() && inbox.pop().is_none());
    assert_eq!(inbox.deferred_wait(), Some(WAIT));
    let later = Patience { due: 9, quiet: 1 };
    assert_eq!(name(inbox.pop_deferred(later)), (0, 0));
    assert_eq!(inbox.deferred_wait(), Some(later));
    inbox.recall_deferred();
    assert_eq!((inbox.deferred_len, inbox.deferred_bytes), (0, 0));
    assert_eq!(name(inbox.pop()), (0, 1));
    assert_eq!(name(inbox.pop()), (0, 2));
    assert!(inbox.is_empty());
}

#[test]
fn a_deferred_request_holds_up_no_other_request() {
    let mut inbox = Inbox::default();
    inbox.extend([request(1, false), request(2, false), request(3, true)]);
    inbox.defer(WAIT);
    assert_eq!(name(inbox.pop()), (u32::MAX, 2));
    inbox.defer(WAIT);
    assert!(!inbox.has_ready());
    inbox.extend([request(4, true), request(5, false)]);
    assert_eq!(name(inbox.pop()), (u32::MAX, 4));
    assert_eq!(name(inbox.pop()), (u32::MAX, 5));
    assert_eq!(name(inbox.pop_deferred(WAIT)), (u32::MAX, 1));
    assert_eq!(name(inbox.pop_deferred(WAIT)), (u32::MAX, 3));
    assert!(inbox.is_empty() && inbox.deferred_wait().is_none());
}

#[test]
fn the_newest_of_too_many_deferred_is_the_first_to_go() {
    let mut inbox = Inbox::default();
    for index in 0..3 {
        inbox.push(ping(index, 0), DEFERRED_BYTES_MAX / 2);
    }
    for _ in 0..3 {
        inbox.defer(WAIT);
    }
    assert!(inbox.is_deferred_full());
    inbox.bring_newest_deferred_forward();
    assert_eq!(name(inbox.pop_deferred(WAIT)), (2, 0));
    assert!(!inbox.is_deferred_full());
    assert_eq!(name(inbox.pop_deferred(WAIT)), (0, 0));
}

/// Against lists that are nothing but lists.
#[test]
fn whatever_happens_nothing_is_lost_and_every_connection_keeps_its_order() {
    let mut state = 1_u64;
    let mut random = move |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % below
    };
    let mut inbox = Inbox::default();
    let mut expected = vec![VecDeque::new(); 5];
    let (mut id, mut deferred) = (0, 0);
    for _ in 0..20_000 {
        let taken = match random(6) {
            0 | 1 => {
                let index = random(5) as u32;
                inbox.push(ping(index, id), random(100) as usize);
                expected[index as usize].push_back(id);
                id += 1;
                None
            }
            2 => inbox.pop(),
            3 => inbox.pop_deferred(WAIT),
            4 => {
                deferred += usize::from(inbox.has_ready());
                inbox.defer(WAIT);
                None
            }
            _ => {
                inbox.recall_deferred();
                None
            }
        };
        if taken.is_some() {
            let (index, id) = name(taken);
            assert_eq!(expected[index as usize].pop_front(), Some(id));
        }
        assert_eq!(
            inbox.len(),
            expected.iter().map(VecDeque::len).sum::<usize>()
        );
        let flows = inbox
            .flows
            .iter()
            .filter(|flow| flow.place == Place::Deferred);
        let (len, bytes) = flows.fold((0, 0), |(len, bytes), flow| {
            (len + flow.len as usize, bytes + flow.bytes)
        });
        assert_eq!((inbox.deferred_len, inbox.deferred_bytes), (len, bytes));
    }
    assert!(deferred > 100 && id > 1000);
}
