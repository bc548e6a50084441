//! Requests over HTTP that wait for the engine.

use std::collections::HashMap;

use syncline_engine::{Answer, Ticket};
use tokio::sync::oneshot;

/// Who waits for which answer.
#[derive(Default)]
pub(crate) struct Tickets {
    next: u64,
    waiting: HashMap<u64, oneshot::Sender<Answer>>,
}

impl Tickets {
    pub(crate) fn add(&mut self, answer: oneshot::Sender<Answer>) -> Ticket {
        self.next += 1;
        self.waiting.insert(self.next, answer);
        Ticket(self.next)
    }

    pub(crate) fn answer(&mut self, ticket: Ticket, answer: Answer) {
        if let Some(sender) = self.waiting.remove(&ticket.0) {
            // A caller that hung up needs no answer.
            let _ = sender.send(answer);
        }
    }
}
