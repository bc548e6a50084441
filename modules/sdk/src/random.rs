//! Randomness that can be replayed: ChaCha with 8 rounds, keyed with the seed of the call.
//!
//! The server derives the seed from a secret, so that players cannot foresee a roll. A generator whose
//! state can be computed from what it gave out would betray the rest of the deck to who holds a hand.

use core::cell::RefCell;
use core::ops::{Bound, RangeBounds};

use crate::uuid::Uuid;

#[cfg(test)]
mod tests;

const BLOCK_BYTES: usize = 64;

/// The random numbers of a call. The same call with the same seed gives the same numbers.
#[derive(Debug)]
pub struct Random {
    state: RefCell<State>,
}

#[derive(Debug)]
struct State {
    key: [u32; 8],
    counter: u64,
    block: [u8; BLOCK_BYTES],
    used: usize,
}

impl Random {
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        let mut key = [0; 8];
        for (word, bytes) in key.iter_mut().zip(seed.chunks_exact(4)) {
            *word = u32::from_le_bytes(bytes.try_into().expect("chunks are of four bytes"));
        }
        let state = State {
            key,
            counter: 0,
            block: [0; BLOCK_BYTES],
            used: BLOCK_BYTES,
        };
        Self {
            state: RefCell::new(state),
        }
    }

    /// Fills a buffer.
    pub fn fill(&self, out: &mut [u8]) {
        let mut state = self.state.borrow_mut();
        for byte in out {
            if state.used == BLOCK_BYTES {
                state.next_block();
            }
            *byte = state.block[state.used];
            state.used += 1;
        }
    }

    /// Any u32.
    pub fn next_u32(&self) -> u32 {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    /// Any u64.
    pub fn next_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// From 0 up to 1, without 1.
    pub fn next_f64(&self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number of the range, all equally likely: `random.range(1..=6)`.
    ///
    /// # Panics
    /// If the range is empty.
    pub fn range<T: UniformInt>(&self, range: impl RangeBounds<T>) -> T {
        let lower = match range.start_bound() {
            Bound::Included(low) => low.to_offset(),
            Bound::Excluded(low) => low.to_offset().checked_add(1).expect("the range is empty"),
            Bound::Unbounded => T::MIN.to_offset(),
        };
        let upper = match range.end_bound() {
            Bound::Included(high) => high.to_offset(),
            Bound::Excluded(high) => high.to_offset().checked_sub(1).expect("the range is empty"),
            Bound::Unbounded => T::MAX.to_offset(),
        };
        assert!(lower <= upper, "the range is empty");
        T::from_offset(lower + self.up_to(upper - lower))
    }

    /// True with this probability.
    pub fn chance(&self, probability: f64) -> bool {
        self.next_f64() < probability
    }

    /// Puts the items in a random order.
    pub fn shuffle<T>(&self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.range(0..=last));
        }
    }

    /// One of the items; `None` if there is none.
    pub fn choose<'a, T>(&self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() {
            None
        } else {
            items.get(self.range(0..items.len()))
        }
    }

    /// A UUID of version 4.
    pub fn uuid(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Uuid(bytes)
    }

    /// A number from 0 to `max`, inclusive. Multiplies instead of dividing, and rejects the few draws
    /// that would favour some results (Lemire, "Fast random integer generation in an interval").
    fn up_to(&self, max: u64) -> u64 {
        let Some(count) = max.checked_add(1) else {
            return self.next_u64();
        };
        let unfair = count.wrapping_neg() % count;
        loop {
            let product = u128::from(self.next_u64()) * u128::from(count);
            if product as u64 >= unfair {
                return (product >> 64) as u64;
            }
        }
    }
}

impl State {
    /// The ChaCha block function (D. J. Bernstein, "ChaCha, a variant of Salsa20"), 8 rounds, nonce 0.
    fn next_block(&mut self) {
        let mut input = [
            0x6170_7865,
            0x3320_646e,
            0x7962_2d32,
            0x6b20_6574,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
        ];
        input[4..12].copy_from_slice(&self.key);
        input[12] = self.counter as u32;
        input[13] = (self.counter >> 32) as u32;
        let mut words = input;
        for _ in 0..4 {
            quarter(&mut words, [0, 4, 8, 12]);
            quarter(&mut words, [1, 5, 9, 13]);
            quarter(&mut words, [2, 6, 10, 14]);
            quarter(&mut words, [3, 7, 11, 15]);
            quarter(&mut words, [0, 5, 10, 15]);
            quarter(&mut words, [1, 6, 11, 12]);
            quarter(&mut words, [2, 7, 8, 13]);
            quarter(&mut words, [3, 4, 9, 14]);
        }
        for ((bytes, word), start) in self.block.chunks_exact_mut(4).zip(words).zip(input) {
            bytes.copy_from_slice(&word.wrapping_add(start).to_le_bytes());
        }
        self.counter += 1;
        self.used = 0;
    }
}

fn quarter(words: &mut [u32; 16], [a, b, c, d]: [usize; 4]) {
    for (near, far) in [(16, 12), (8, 7)] {
        words[a] = words[a].wrapping_add(words[b]);
        words[d] = (words[d] ^ words[a]).rotate_left(near);
        words[c] = words[c].wrapping_add(words[d]);
        words[b] = (words[b] ^ words[c]).rotate_left(far);
    }
}

/// An integer that [`Random::range`] can draw.
pub trait UniformInt: Copy {
    /// The smallest.
    const MIN: Self;
    /// The largest.
    const MAX: Self;
    /// Its distance from the smallest.
    fn to_offset(self) -> u64;
    /// The integer at this distance from the smallest.
    fn from_offset(offset: u64) -> Self;
}

macro_rules! uniform {
    ($($int:ident as $unsigned:ident),*) => {$(
        impl UniformInt for $int {
            const MIN: Self = $int::MIN;
            const MAX: Self = $int::MAX;

            fn to_offset(self) -> u64 {
                (self as $unsigned).wrapping_sub($int::MIN as $unsigned) as u64
            }

            fn from_offset(offset: u64) -> Self {
                (offset as $unsigned).wrapping_add($int::MIN as $unsigned) as $int
            }
        }
    )*};
}

uniform!(
    u8 as u8,
    u16 as u16,
    u32 as u32,
    u64 as u64,
    usize as usize,
    i8 as u8,
    i16 as u16,
    i32 as u32,
    i64 as u64,
    isize as usize
);
