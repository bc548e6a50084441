//! Whether the log takes anything, and what is said when it takes no more.

use syncline_protocol::{ErrorCode, WireError};

use crate::effect::{Answer, EffectRef, Effects};
use crate::engine::Engine;
use crate::refusal::poisoned;

impl Engine {
    /// The log has failed: reads and writes are refused until the database is opened again.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.log.is_poisoned()
    }

    /// The disk was full when the log last looked: writes are refused, and each that is makes it look again.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.log.is_full()
    }

    /// Makes the log look for room again without a write.
    pub fn ask_for_room(&self) {
        self.log.ask_for_room();
    }

    /// Whether what was in flight took effect is not known: a restart will tell. Connections are closed,
    /// so that their clients learn just that.
    pub(crate) fn release_poison(&mut self, out: &mut dyn FnMut(&mut Effects)) {
        let unknown = || {
            if self.poison_told {
                return poisoned();
            }
            WireError::new(
                ErrorCode::OutcomeUnknown,
                "the disk failed before the call was durable",
            )
            .hint("restart the server; it recovers everything that was confirmed")
        };
        let mut news = Effects::default();
        let last = std::mem::take(&mut self.confirmed);
        self.held.push_back((self.log.last(), last));
        self.held_bytes = 0;
        for (_, mut effects) in self.held.drain(..) {
            for effect in effects.iter() {
                if let EffectRef::Close { conn, error } = effect {
                    news.close(conn, error.clone());
                }
            }
            for (ticket, answer) in effects.take_answers() {
                // What was refused has surely not happened.
                let error = match answer {
                    Answer::Failed(error) if error.known_code() == Some(ErrorCode::Poisoned) => {
                        error
                    }
                    _ => Box::new(unknown()),
                };
                news.answer(ticket, Answer::Failed(error));
            }
        }
        self.unconfirmed.clear();
        if !self.poison_told || self.connections.len() > 0 {
            self.poison_told = true;
            let keys: Vec<_> = self
                .connections
                .iter()
                .map(|connection| connection.key)
                .collect();
            for key in keys {
                news.close(key, poisoned());
                self.forget(key);
            }
        }
        if !news.is_empty() {
            out(&mut news);
        }
    }
}
