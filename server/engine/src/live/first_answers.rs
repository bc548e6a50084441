//! First answers that are kept until their rows change: when many ask for one page, the first of them pays.

use std::collections::VecDeque;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use syncline_protocol::Lsn;
use syncline_protocol::limits::{FIRST_ANSWER_BYTES_MAX, FIRST_ANSWERS_BYTES_MAX};
use syncline_protocol::message::{Encoding, Snapshot, text};
use syncline_query::Deltas;

/// Bytes of an answer beside its own.
const ENTRY_BYTES: usize = 128;

/// Places in the order whose answers are gone, beside as many as there are answers.
const STALE_MAX: usize = 64;

/// Encoded Snapshots of one instance without their beginnings, a chunk each.
pub(crate) type Chunks = Arc<[Box<[u8]>]>;

/// First answers by instance and encoding. What is there is as new as the last transaction.
#[derive(Debug)]
pub(crate) struct FirstAnswers {
    kept: HashMap<(u64, Encoding), Kept, FixedState>,
    /// In the order in which they came; some may be gone.
    order: VecDeque<(u64, Encoding, u64)>,
    byte_len: usize,
    count: u64,
    tick: u64,
}

#[derive(Debug)]
struct Kept {
    chunks: Chunks,
    byte_len: usize,
    /// Tells it from others at the same place, and when its time is over.
    number: u64,
    until: u64,
}

/// Collects the chunks of an answer that is being sent.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    chunks: Vec<Box<[u8]>>,
    byte_len: usize,
}

impl Default for FirstAnswers {
    fn default() -> Self {
        Self {
            kept: HashMap::with_hasher(FixedState::default()),
            order: VecDeque::new(),
            byte_len: 0,
            count: 0,
            tick: 0,
        }
    }
}

impl Draft {
    /// Takes the part of a chunk that is the same for all; one that is too large keeps nothing.
    pub(crate) fn push(&mut self, shared: &[u8]) {
        self.byte_len += shared.len();
        if self.byte_len <= FIRST_ANSWER_BYTES_MAX {
            self.chunks.push(shared.into());
        } else {
            self.chunks = Vec::new();
        }
    }
}

impl FirstAnswers {
    pub(crate) fn get(&self, handle: u64, encoding: Encoding) -> Option<Chunks> {
        let kept = self.kept.get(&(handle, encoding))?;
        (kept.until > self.tick).then(|| Arc::clone(&kept.chunks))
    }

    /// Keeps an answer for so many ticks.
    pub(crate) fn keep(&mut self, handle: u64, encoding: Encoding, draft: Draft, ticks: u64) {
        if draft.byte_len > FIRST_ANSWER_BYTES_MAX || ticks == 0 {
            return;
        }
        self.count += 1;
        let kept = Kept {
            byte_len: draft.byte_len + ENTRY_BYTES,
            chunks: draft.chunks.into(),
            number: self.count,
            until: self.tick.saturating_add(ticks),
        };
        self.byte_len += kept.byte_len;
        self.order.push_back((handle, encoding, kept.number));
        if let Some(before) = self.kept.insert((handle, encoding), kept) {
            self.byte_len -= before.byte_len;
        }
        while self.byte_len > FIRST_ANSWERS_BYTES_MAX {
            self.drop_oldest();
        }
        // What changes all the time leaves one behind each time that it is asked for.
        if self.order.len() > 2 * self.kept.len() + STALE_MAX {
            let kept = &self.kept;
            self.order.retain(|(handle, encoding, number)| {
                let own = kept.get(&(*handle, *encoding));
                own.is_some_and(|own| own.number == *number)
            });
        }
    }

    /// Tells how far the clock is.
    pub(crate) fn advance(&mut self, tick: u64) {
        self.tick = tick;
        while let Some((handle, encoding, number)) = self.order.front() {
            let kept = self.kept.get(&(*handle, *encoding));
            let is_good = kept.is_some_and(|kept| kept.number == *number && kept.until > tick);
            if is_good {
                break;
            }
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let Some((handle, encoding, number)) = self.order.pop_front() else {
            return;
        };
        let place = (handle, encoding);
        if self
            .kept
            .get(&place)
            .is_some_and(|kept| kept.number == number)
        {
            self.forget_one(place);
        }
    }

    fn forget_one(&mut self, place: (u64, Encoding)) {
        if let Some(kept) = self.kept.remove(&place) {
            self.byte_len -= kept.byte_len;
        }
    }

    /// Nothing is known any more of what has changed.
    pub(crate) fn clear(&mut self) {
        self.kept.clear();
        self.order.clear();
        self.byte_len = 0;
    }

    /// The rows of an instance have changed.
    pub(crate) fn forget(&mut self, handle: u64) {
        for encoding in Encoding::ALL {
            self.forget_one((handle, encoding));
        }
    }

    /// The rows of these instances have changed.
    pub(crate) fn forget_changed(&mut self, deltas: &Deltas) {
        if !self.kept.is_empty() {
            deltas.iter().for_each(|(handle, _)| self.forget(handle));
        }
    }
}

/// Appends the beginning of a Snapshot.
pub(crate) fn begin(encoding: Encoding, (id, handle, lsn): (u32, u64, Lsn), out: &mut Vec<u8>) {
    match encoding {
        Encoding::MessagePack => Snapshot::begin(id, handle, lsn, out),
        Encoding::Json => text::snapshot_begin(id, handle, lsn, out),
    }
}

#[cfg(test)]
mod tests;
