use super::*;

#[test]
fn few_large_messages_fill_it_and_room_comes_back_as_they_are_taken() {
    let mut inbox = Inbox::default();
    let large = INBOX_BYTES_MAX / 4;
    for _ in 0..4 {
        assert!(inbox.has_room());
        inbox.push(Command::DurableAdvanced, large);
    }
    assert!(!inbox.has_room());
    inbox.drain_with(|commands| drop(commands.pop_front()));
    assert!(inbox.has_room());
    assert_eq!((inbox.len(), inbox.bytes), (3, 3 * large));
    inbox.drain_with(VecDeque::clear);
    assert!(inbox.is_empty() && inbox.bytes == 0);
}

#[test]
fn many_small_messages_fill_it() {
    let mut inbox = Inbox::default();
    for _ in 0..INBOX_COMMANDS_MAX {
        assert!(inbox.has_room());
        inbox.push(Command::DurableAdvanced, 0);
    }
    assert!(!inbox.has_room());
}
