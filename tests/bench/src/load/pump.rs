//! One thread, one poll, many connections, a fixed number of requests in flight on each.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use hdrhistogram::Histogram;
use mio::{Events, Poll};

use super::{Gate, histogram};
use crate::socket::{Lane, READ_BYTES};

/// A server that says nothing for so long has lost a request.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// How long a refused request waits before it is sent again.
const PARK: Duration = Duration::from_millis(5);

/// What travels on the connections of a pump.
pub(crate) trait Traffic: Send {
    /// Appends request `id` of a lane. Ids count up from 0 on each lane.
    fn put(&mut self, lane: usize, id: u32, mask: [u8; 4], out: &mut Vec<u8>);

    /// Takes one message off the front of `input`: how long it is and, if it answers a request,
    /// which. Nothing if it is not all there.
    fn take(&mut self, lane: usize, input: &[u8]) -> Result<Option<(usize, Option<Taken>)>>;
}

/// An answer to a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    /// Which request.
    pub(crate) id: u32,
    /// Not done, because the disk is behind; try again.
    pub(crate) is_refused: bool,
}

/// What a pump did.
pub(crate) struct Pumped {
    /// Nanoseconds from the write of a request to the read of its answer, while it counted.
    pub(crate) latency: Histogram<u64>,
    /// Requests that were answered on each lane, from the first to the last.
    pub(crate) answered: Vec<u32>,
    /// Requests that were refused and sent again.
    pub(crate) refused: u64,
}

/// Times of the requests of a lane that wait for an answer.
struct Flight {
    sent: Vec<Option<(u32, Instant)>>,
    next_id: u32,
    refused: u32,
}

/// Keeps `in_flight` requests on each lane until the gate stops, then waits for the last answers.
pub(crate) fn pump<T: Traffic>(
    lanes: Vec<Lane>,
    in_flight: usize,
    traffic: T,
    gate: &Gate,
) -> Result<Pumped> {
    let outcome = Pump::new(lanes, in_flight, traffic, gate).and_then(Pump::run);
    if outcome.is_err() {
        gate.fail();
    }
    outcome
}

struct Pump<'a, T> {
    lanes: Vec<Lane>,
    flights: Vec<Flight>,
    traffic: T,
    gate: &'a Gate,
    poll: Poll,
    latency: Histogram<u64>,
    waiting: usize,
    /// Lanes of refused requests that are to be sent again.
    parked: Vec<usize>,
    refused: u64,
}

impl<'a, T: Traffic> Pump<'a, T> {
    fn new(mut lanes: Vec<Lane>, in_flight: usize, traffic: T, gate: &'a Gate) -> Result<Self> {
        let poll = Poll::new()?;
        for (token, lane) in lanes.iter_mut().enumerate() {
            lane.register(poll.registry(), token)?;
        }
        // Answers may overtake each other a little; a power of two makes the slot a mask.
        let slots = (in_flight * 4).next_power_of_two();
        let flight = || Flight {
            sent: vec![None; slots],
            next_id: 0,
            refused: 0,
        };
        let flights = lanes.iter().map(|_| flight()).collect();
        let latency = histogram();
        let mut pump = Self {
            lanes,
            flights,
            traffic,
            gate,
            poll,
            latency,
            waiting: 0,
            parked: Vec::new(),
            refused: 0,
        };
        for lane in 0..pump.lanes.len() {
            pump.request(lane, in_flight, Instant::now())?;
        }
        Ok(pump)
    }

    fn run(mut self) -> Result<Pumped> {
        let mut events = Events::with_capacity(1024);
        let mut scratch: Box<[u8; READ_BYTES]> = vec![0; READ_BYTES]
            .try_into()
            .expect("the length is that of the array");
        let mut unparked = Instant::now();
        while self.waiting > 0 || !self.parked.is_empty() {
            let patience = if self.parked.is_empty() {
                SILENCE_MAX
            } else {
                PARK
            };
            self.poll.poll(&mut events, Some(patience))?;
            if events.is_empty() && self.parked.is_empty() {
                bail!("{} requests are without an answer", self.waiting);
            }
            for event in &events {
                let lane = event.token().0;
                if event.is_writable() {
                    self.lanes[lane].flush()?;
                }
                if event.is_readable() {
                    self.readable(lane, &mut scratch)?;
                }
            }
            if !self.parked.is_empty() && unparked.elapsed() > PARK {
                unparked = Instant::now();
                for lane in std::mem::take(&mut self.parked) {
                    self.request(lane, 1, unparked)?;
                }
            }
        }
        let flights = self.flights.iter();
        let answered = flights
            .map(|flight| flight.next_id - flight.refused)
            .collect();
        Ok(Pumped {
            latency: self.latency,
            answered,
            refused: self.refused,
        })
    }

    fn readable(&mut self, lane: usize, scratch: &mut [u8; READ_BYTES]) -> Result<()> {
        self.lanes[lane].read(scratch)?;
        let now = Instant::now();
        let is_measured = self.gate.is_measured();
        let flight = &mut self.flights[lane];
        let (mut done, mut refused) = (0, 0);
        while let Some((len, taken)) = self.traffic.take(lane, self.lanes[lane].input())? {
            self.lanes[lane].consume(len);
            let Some(Taken { id, is_refused }) = taken else {
                continue;
            };
            let slot = id as usize & (flight.sent.len() - 1);
            let Some((sent_id, sent)) = flight.sent[slot].take() else {
                bail!("request {id} was answered twice or never sent");
            };
            ensure!(
                sent_id == id,
                "request {id} was answered, {sent_id} was meant"
            );
            if is_refused {
                refused += 1;
                continue;
            }
            if is_measured {
                self.latency
                    .record(now.duration_since(sent).as_nanos() as u64)?;
            }
            done += 1;
        }
        flight.refused += refused as u32;
        self.waiting -= done + refused;
        self.refused += refused as u64;
        self.gate.add(done as u64);
        if self.gate.is_stopped() {
            self.parked.clear();
            return Ok(());
        }
        self.parked.extend(std::iter::repeat_n(lane, refused));
        self.request(lane, done, now)
    }

    /// Sends `count` requests in one write.
    fn request(&mut self, lane: usize, count: usize, now: Instant) -> Result<()> {
        let flight = &mut self.flights[lane];
        let mask = self.lanes[lane].mask;
        for _ in 0..count {
            let id = flight.next_id;
            let slot = id as usize & (flight.sent.len() - 1);
            ensure!(
                flight.sent[slot].is_none(),
                "request {id} is sent before an old one is answered"
            );
            flight.sent[slot] = Some((id, now));
            flight.next_id += 1;
            self.traffic
                .put(lane, id, mask, &mut self.lanes[lane].output);
        }
        self.waiting += count;
        self.lanes[lane].flush()
    }
}
