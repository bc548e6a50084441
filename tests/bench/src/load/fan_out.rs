//! One writer, many subscribers: every transaction must reach each of them, in order, once.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use mio::{Events, Poll};
use syncline_protocol::message::{DeltaOp, DeltaReader, ResultDescription};
use syncline_protocol::packed::Reader;

use super::echo::Echo;
use super::{Gate, Traffic, histogram};
use crate::socket::{Lane, READ_BYTES, frame, reply};

const SILENCE_MAX: Duration = Duration::from_secs(30);

/// What a subscriber receives.
pub(crate) trait Feed: Send {
    /// Takes one message off the front of `input` and appends the numbers of the transactions in it.
    /// Nothing if it is not all there.
    fn take(&mut self, input: &[u8], numbers: &mut Vec<u32>) -> Result<Option<usize>>;
}

/// Commits of a live query in which every transaction inserts one row.
pub(crate) struct Commits {
    description: ResultDescription,
    /// Column, a u64, that holds the number of the transaction.
    column: usize,
    /// The last frame and what was in it: most subscribers get the same bytes.
    last: Vec<u8>,
    last_numbers: Vec<u32>,
}

impl Commits {
    /// Reads numbers from this column.
    pub(crate) fn new(description: ResultDescription, column: &str) -> Result<Self> {
        let position = description
            .columns
            .iter()
            .position(|other| other.name == column);
        let column = position.with_context(|| format!("the result has no column {column}"))?;
        Ok(Self {
            description,
            column,
            last: Vec::new(),
            last_numbers: Vec::new(),
        })
    }

    /// Bytes of the last frame.
    pub(crate) fn frame_bytes(&self) -> usize {
        self.last.len()
    }

    fn decode(&mut self, payload: &[u8]) -> Result<()> {
        let (description, column) = (&self.description, self.column);
        let numbers = &mut self.last_numbers;
        numbers.clear();
        reply::deltas(payload, |_, ops| {
            let mut ops = DeltaReader::new(description, ops);
            while let Some(op) = ops.next_op()? {
                let DeltaOp::Insert { row } = op else {
                    continue;
                };
                let mut reader = Reader::new(row);
                for before in &description.columns[..column] {
                    reader.value(&before.ty)?;
                }
                numbers.push(u32::try_from(u64::from_le_bytes(reader.array()?))?);
            }
            Ok(())
        })
    }
}

impl Feed for Commits {
    fn take(&mut self, input: &[u8], numbers: &mut Vec<u32>) -> Result<Option<usize>> {
        let Some(frame) = frame::parse(input)? else {
            return Ok(None);
        };
        let end = frame.payload.end;
        ensure!(
            frame.opcode != frame::CLOSE,
            "the server closed a subscriber"
        );
        let payload = &input[frame.payload];
        if frame.opcode != frame::BINARY || reply::answer(payload)? != reply::Answer::Commit {
            return Ok(Some(end));
        }
        if self.last != input[..end] {
            self.decode(payload)?;
            self.last.clear();
            self.last.extend_from_slice(&input[..end]);
        }
        numbers.extend_from_slice(&self.last_numbers);
        Ok(Some(end))
    }
}

impl Feed for Echo {
    fn take(&mut self, input: &[u8], numbers: &mut Vec<u32>) -> Result<Option<usize>> {
        let taken = Traffic::take(self, 0, input)?;
        Ok(taken.map(|(len, number)| {
            numbers.extend(number.map(|taken| taken.id));
            len
        }))
    }
}

/// What a fan-out did.
pub(crate) struct Delivered<F> {
    /// The feed, with what it saw.
    pub(crate) feed: F,
    /// Nanoseconds from the write of a call to the read of its row, for each subscriber.
    pub(crate) latency: Histogram<u64>,
    /// Transactions, from the first to the last.
    pub(crate) transactions: u32,
}

/// Runs until the gate stops and every subscriber has everything. With `in_flight` 1 a transaction
/// starts when the one before has reached all.
pub(crate) fn fan_out<W: Traffic, F: Feed>(
    writer: (Lane, W),
    subscribers: Vec<Lane>,
    in_flight: usize,
    feed: F,
    gate: &Gate,
) -> Result<Delivered<F>> {
    let outcome = FanOut::new(writer, subscribers, in_flight, feed, gate).and_then(FanOut::run);
    if outcome.is_err() {
        gate.fail();
    }
    outcome
}

struct FanOut<'a, W, F> {
    writer: Lane,
    traffic: W,
    subscribers: Vec<Lane>,
    /// Number that each subscriber must get next.
    expected: Vec<u32>,
    in_flight: usize,
    feed: F,
    gate: &'a Gate,
    poll: Poll,
    /// When each transaction was sent.
    sent: Vec<Instant>,
    deliveries: usize,
    latency: Histogram<u64>,
    numbers: Vec<u32>,
}

impl<'a, W: Traffic, F: Feed> FanOut<'a, W, F> {
    fn new(
        writer: (Lane, W),
        mut subscribers: Vec<Lane>,
        in_flight: usize,
        feed: F,
        gate: &'a Gate,
    ) -> Result<Self> {
        let poll = Poll::new()?;
        let (mut lane, traffic) = writer;
        lane.register(poll.registry(), subscribers.len())?;
        for (token, lane) in subscribers.iter_mut().enumerate() {
            lane.register(poll.registry(), token)?;
        }
        Ok(Self {
            writer: lane,
            traffic,
            expected: vec![0; subscribers.len()],
            subscribers,
            in_flight,
            feed,
            gate,
            poll,
            sent: Vec::new(),
            deliveries: 0,
            latency: histogram(),
            numbers: Vec::new(),
        })
    }

    fn run(mut self) -> Result<Delivered<F>> {
        let mut events = Events::with_capacity(4096);
        let mut scratch: Box<[u8; READ_BYTES]> = vec![0; READ_BYTES]
            .try_into()
            .expect("the length is that of the array");
        let count = self.subscribers.len();
        loop {
            let is_stopped = self.gate.is_stopped();
            if !is_stopped {
                self.request()?;
            } else if self.deliveries == self.sent.len() * count {
                break;
            }
            self.poll.poll(&mut events, Some(SILENCE_MAX))?;
            ensure!(
                !events.is_empty(),
                "{} of {} deliveries did not come",
                self.sent.len() * count - self.deliveries,
                self.sent.len() * count
            );
            for event in &events {
                match event.token().0 {
                    token if token == count => {
                        self.writer_event(event.is_readable(), &mut scratch)?;
                    }
                    token if event.is_readable() => self.subscriber_event(token, &mut scratch)?,
                    _ => {}
                }
            }
        }
        let transactions = self.sent.len() as u32;
        ensure!(
            self.expected.iter().all(|next| *next == transactions),
            "a subscriber lacks a row"
        );
        Ok(Delivered {
            feed: self.feed,
            latency: self.latency,
            transactions,
        })
    }

    fn request(&mut self) -> Result<()> {
        let now = Instant::now();
        let done = self.deliveries / self.subscribers.len();
        while self.sent.len() < done + self.in_flight {
            let number = self.sent.len() as u32;
            self.traffic
                .put(0, number, self.writer.mask, &mut self.writer.output);
            self.sent.push(now);
        }
        self.writer.flush()
    }

    fn writer_event(&mut self, readable: bool, scratch: &mut [u8; READ_BYTES]) -> Result<()> {
        if readable {
            self.writer.read(scratch)?;
            while let Some((len, taken)) = self.traffic.take(0, self.writer.input())? {
                let is_refused = taken.is_some_and(|taken| taken.is_refused);
                ensure!(!is_refused, "the disk is behind");
                self.writer.consume(len);
            }
        }
        self.writer.flush()
    }

    fn subscriber_event(&mut self, token: usize, scratch: &mut [u8; READ_BYTES]) -> Result<()> {
        let lane = &mut self.subscribers[token];
        lane.read(scratch)?;
        let now = Instant::now();
        self.numbers.clear();
        while let Some(len) = self.feed.take(lane.input(), &mut self.numbers)? {
            lane.consume(len);
        }
        for &number in &self.numbers {
            let expected = &mut self.expected[token];
            ensure!(
                number == *expected,
                "subscriber {token} got transaction {number} instead of {expected}"
            );
            *expected += 1;
            if self.gate.is_measured() {
                let sent = self
                    .sent
                    .get(number as usize)
                    .context("a transaction never sent")?;
                self.latency
                    .record(now.duration_since(*sent).as_nanos() as u64)?;
            }
        }
        self.deliveries += self.numbers.len();
        self.gate.add(self.numbers.len() as u64);
        Ok(())
    }
}
