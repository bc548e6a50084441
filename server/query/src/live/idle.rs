//! Instances that nobody listens to, and that are kept current for a while for who comes back.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use foldhash::quality::FixedState;
use hashbrown::HashMap;
use syncline_protocol::limits;

use super::LiveQueries;
use super::budget::memory_bytes;
use crate::error::QueryError;

/// Places in the order that may be out of date, beside as many as there are good ones.
const STALE_MAX: usize = 64;

/// Instances that nobody listens to.
#[derive(Debug)]
pub(super) struct Idle {
    known: HashMap<u32, Wait, FixedState>,
    /// Instances with the numbers of their waits, in their order; some may be over.
    order: VecDeque<(u32, u64)>,
    count: u64,
    tick: u64,
}

/// That an instance waits for somebody.
#[derive(Clone, Copy, Debug)]
struct Wait {
    /// The tick at which it goes.
    until: u64,
    /// Tells it from other waits of the instance.
    number: u64,
}

impl Idle {
    pub(super) fn new(hasher: FixedState) -> Self {
        Self {
            known: HashMap::with_hasher(hasher),
            order: VecDeque::new(),
            count: 0,
            tick: 0,
        }
    }

    pub(super) fn tick(&self) -> u64 {
        self.tick
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Somebody listens again, or it is gone.
    pub(super) fn forget(&mut self, instance: u32) {
        self.known.remove(&instance);
    }

    fn add(&mut self, instance: u32, ticks: u64) {
        self.count += 1;
        let wait = Wait {
            until: self.tick.saturating_add(ticks),
            number: self.count,
        };
        self.known.insert(instance, wait);
        self.order.push_back((instance, wait.number));
        // Who comes and goes all the time leaves one behind each time.
        if self.order.len() > 2 * self.known.len() + STALE_MAX {
            let known = &self.known;
            self.order
                .retain(|(instance, number)| is_now(known, *instance, *number));
        }
    }

    /// Those that wait, oldest first.
    fn iter(&self) -> impl Iterator<Item = u32> {
        let own = self.order.iter();
        let own = own.filter(|(instance, number)| is_now(&self.known, *instance, *number));
        own.map(|(instance, _)| *instance)
    }

    /// The oldest one, if its time is over or `early`.
    fn next(&mut self, early: bool) -> Option<u32> {
        while let Some(&(instance, number)) = self.order.front() {
            if !is_now(&self.known, instance, number) {
                self.order.pop_front();
                continue;
            }
            if !early && self.known[&instance].until > self.tick {
                return None;
            }
            self.order.pop_front();
            self.known.remove(&instance);
            return Some(instance);
        }
        None
    }
}

/// Whether an instance still waits for that.
fn is_now(known: &HashMap<u32, Wait, FixedState>, instance: u32, number: u64) -> bool {
    known
        .get(&instance)
        .is_some_and(|wait| wait.number == number)
}

impl LiveQueries {
    /// Tells how far the clock is; it must not go back. Instances that nobody came back to go.
    pub fn advance(&mut self, tick: u64) {
        self.idle.tick = tick;
        while let Some(instance) = self.idle.next(false) {
            self.remove_instance(instance);
        }
    }

    /// Takes away the instances that nobody listens to until so many more bytes of a template are within the
    /// budgets, the oldest first; none if all of them are not enough.
    pub(super) fn make_room(&mut self, template: u32, bytes: usize) -> Result<(), QueryError> {
        if self.check_room(template, bytes).is_ok() {
            return Ok(());
        }
        let (mut own, mut all) = (0, 0);
        for number in self.idle.iter() {
            let instance = self.instances.get(number);
            let bytes = self.bytes_of(instance);
            all += bytes;
            own += if instance.template == template {
                bytes
            } else {
                0
            };
        }
        self.check_room_without(template, bytes, (own, all))?;
        while self.check_room(template, bytes).is_err()
            && let Some(oldest) = self.idle.next(true)
        {
            self.remove_instance(oldest);
        }
        self.check_room(template, bytes)
    }

    /// Takes away all instances that nobody listens to; whether there were any.
    pub(super) fn evict_idle(&mut self) -> bool {
        let mut has_evicted = false;
        while let Some(instance) = self.idle.next(true) {
            self.remove_instance(instance);
            has_evicted = true;
        }
        has_evicted
    }

    /// Keeps an instance for a while after its last subscription, or takes it away.
    pub(super) fn retire(&mut self, number: u32) {
        let instance = self.instances.get(number);
        let is_small = memory_bytes(&instance.memory) <= limits::LIVE_IDLE_BYTES_MAX;
        // One that every change looks at would cost everybody, and be charged to nobody.
        let is_cheap = is_small && !self.load(number).is_scanned;
        if self.budgets.idle_ticks == 0 || self.budgets.idle_instances == 0 || !is_cheap {
            return self.remove_instance(number);
        }
        if self.idle.len() >= self.budgets.idle_instances
            && let Some(oldest) = self.idle.next(true)
        {
            self.remove_instance(oldest);
        }
        self.idle.add(number, self.budgets.idle_ticks);
    }
}
