//! From the deltas of a transaction to one message per connection.
//!
//! Each affected instance is encoded once. Connections with one affected instance share a whole
//! message; those with several get a header of their own and copies of the shared segments.

use syncline_protocol::message::{CommitFrame, Delivery, Encoding};
use syncline_protocol::{ErrorCode, Lsn, WireError};
use syncline_query::{Deltas, LiveQueries};

use crate::command::ConnKey;
use crate::connections::Subscribers;
use crate::effect::Effects;

/// Bytes of messages that a step makes at most for subscribers: a transaction that changes much in very
/// many instances would be multiplied without end.
pub(crate) const QUEUE_BYTES_MAX: usize = 256 << 20;
/// Sizes that scratch memory keeps.
const KEPT_PAIRS_MAX: usize = 1 << 14;
const KEPT_SEGMENT_BYTES_MAX: usize = 1 << 20;

/// Scratch memory of the fan-out, reused.
#[derive(Debug, Default)]
pub(crate) struct FanOut {
    /// By connection index: what this transaction has for it.
    marks: Vec<Mark>,
    /// Counts the transactions, so that marks need no clearing.
    round: u64,
    /// (connection, delta) of connections with several affected instances.
    several: Vec<(ConnKey, u32, Encoding, Delivery)>,
    segment: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    round: u64,
    deltas: u32,
}

/// The two queues that messages go to: told at once, or when the transaction is durable.
pub(crate) struct Queues<'a> {
    pub(crate) confirmed: &'a mut Effects,
    pub(crate) unconfirmed: &'a mut Effects,
}

impl Queues<'_> {
    pub(crate) fn of(&mut self, delivery: Delivery) -> &mut Effects {
        match delivery {
            Delivery::Confirmed => self.confirmed,
            Delivery::Unconfirmed => self.unconfirmed,
        }
    }
}

impl FanOut {
    /// Sends the deltas of transaction `lsn` to everyone they concern; returns how many messages.
    pub(crate) fn run(
        &mut self,
        lsn: Lsn,
        deltas: &Deltas,
        live: &LiveQueries,
        subscribers: &Subscribers,
        queues: &mut Queues<'_>,
    ) -> usize {
        self.round += 1;
        self.several.clear();
        self.several.shrink_to(KEPT_PAIRS_MAX);
        self.count(deltas, subscribers);
        let mut sent = 0;
        for (position, (handle, ops)) in deltas.iter().enumerate() {
            let list = subscribers.of(handle);
            for encoding in Encoding::ALL {
                for delivery in [Delivery::Confirmed, Delivery::Unconfirmed] {
                    let is_meant = |subscriber: &&crate::connections::Subscriber| {
                        subscriber.encoding == encoding && subscriber.delivery == delivery
                    };
                    let marks = &self.marks;
                    let alone = list
                        .iter()
                        .filter(is_meant)
                        .map(|subscriber| subscriber.conn);
                    let alone = alone.filter(|conn| marks[conn.index as usize].deltas == 1);
                    let queue = queues.of(delivery);
                    if queue.byte_len() + ops.len() > QUEUE_BYTES_MAX {
                        alone.for_each(|conn| queue.close(conn, too_much()));
                        continue;
                    }
                    let mut count = 0;
                    let alone = alone.inspect(|_| count += 1);
                    queue.fan_out(alone, |out| {
                        begin(encoding, lsn, 1, out);
                        segment(encoding, live, handle, ops, out);
                        end(encoding, out);
                    });
                    sent += count;
                }
            }
            self.note_several(position, list);
        }
        sent + self.send_several(lsn, deltas, live, queues)
    }

    /// How many deltas each connection gets.
    fn count(&mut self, deltas: &Deltas, subscribers: &Subscribers) {
        for (handle, _) in deltas.iter() {
            for subscriber in subscribers.of(handle) {
                let index = subscriber.conn.index as usize;
                if self.marks.len() <= index {
                    self.marks.resize(index + 1, Mark::default());
                }
                let mark = &mut self.marks[index];
                if mark.round != self.round {
                    *mark = Mark {
                        round: self.round,
                        deltas: 0,
                    };
                }
                mark.deltas += 1;
            }
        }
    }

    fn note_several(&mut self, position: usize, list: &[crate::connections::Subscriber]) {
        for subscriber in list {
            if self.marks[subscriber.conn.index as usize].deltas > 1 {
                let (encoding, delivery) = (subscriber.encoding, subscriber.delivery);
                self.several
                    .push((subscriber.conn, position as u32, encoding, delivery));
            }
        }
    }

    fn send_several(
        &mut self,
        lsn: Lsn,
        deltas: &Deltas,
        live: &LiveQueries,
        queues: &mut Queues<'_>,
    ) -> usize {
        let mut sent = 0;
        self.several
            .sort_unstable_by_key(|(conn, position, ..)| (*conn, *position));
        for group in self.several.chunk_by(|left, right| left.0 == right.0) {
            let (conn, _, encoding, delivery) = group[0];
            let queue = queues.of(delivery);
            let ops = group
                .iter()
                .map(|(_, position, ..)| deltas.get(*position as usize).1.len());
            if queue.byte_len() + ops.sum::<usize>() > QUEUE_BYTES_MAX {
                queue.close(conn, too_much());
                continue;
            }
            self.segment.clear();
            self.segment.shrink_to(KEPT_SEGMENT_BYTES_MAX);
            let body = &mut self.segment;
            for (at, (_, position, ..)) in group.iter().enumerate() {
                if at > 0 && encoding == Encoding::Json {
                    body.push(b',');
                }
                let (handle, ops) = deltas.get(*position as usize);
                segment(encoding, live, handle, ops, body);
            }
            queue.send(conn, false, |out| {
                begin(encoding, lsn, group.len(), out);
                out.extend_from_slice(body);
                end(encoding, out);
            });
            sent += 1;
        }
        sent
    }
}

/// First answers come in chunks and one connection after the other, so coming back is the way.
fn too_much() -> WireError {
    WireError::new(
        ErrorCode::Overloaded,
        "a transaction changed more than can be sent at once",
    )
    .hint("connect and subscribe again")
}

fn begin(encoding: Encoding, lsn: Lsn, count: usize, out: &mut Vec<u8>) {
    match encoding {
        Encoding::MessagePack => CommitFrame::begin(lsn, count, out),
        Encoding::Json => syncline_protocol::message::text::commit_begin(lsn, out),
    }
}

fn segment(encoding: Encoding, live: &LiveQueries, handle: u64, ops: &[u8], out: &mut Vec<u8>) {
    match encoding {
        Encoding::MessagePack => CommitFrame::segment(handle, ops, out),
        Encoding::Json => {
            let description = live
                .description(handle)
                .expect("an instance with a delta exists");
            syncline_protocol::message::text::segment(handle, description, ops, out);
        }
    }
}

fn end(encoding: Encoding, out: &mut Vec<u8>) {
    if encoding == Encoding::Json {
        syncline_protocol::message::text::commit_end(out);
    }
}
