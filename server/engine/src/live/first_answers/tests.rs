#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

fn answer() -> Draft {
    let mut draft = Draft::default();
    draft.push(b"rows");
    draft
}

/// However often an answer is kept and forgotten, before the time of the first one is over.
#[test]
fn what_is_gone_takes_no_memory() {
    let mut answers = FirstAnswers::default();
    let encoding = Encoding::MessagePack;
    answers.keep(1, encoding, answer(), 1000);
    for _ in 0..10_000 {
        answers.keep(2, encoding, answer(), 1000);
        answers.forget(2);
    }
    assert!(
        answers.order.len() <= STALE_MAX + 3,
        "{}",
        answers.order.len()
    );
    assert!(answers.get(1, encoding).is_some());
    answers.advance(1000);
    assert_eq!(
        (answers.kept.len(), answers.order.len(), answers.byte_len),
        (0, 0, 0)
    );
}
