//! Sums that do not depend on the order of their values, and from which values can be taken away again.

use syncline_protocol::value::canonical_f64;

/// A sum of integers of 128 bits, exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct IntSum {
    /// The lower bits, the lowest first: in two words, so that a sum is as aligned as they are.
    low: [u64; 2],
    /// The bits above, with the sign.
    high: i64,
}

impl IntSum {
    /// Adds a value, or takes it away.
    pub(crate) fn change(&mut self, value: i128, is_added: bool) {
        let (low, over) = if is_added {
            let (low, carry) = self.low().overflowing_add(value as u128);
            (low, i64::from(carry) - i64::from(value < 0))
        } else {
            let (low, borrow) = self.low().overflowing_sub(value as u128);
            (low, i64::from(value < 0) - i64::from(borrow))
        };
        self.low = [low as u64, (low >> 64) as u64];
        self.high += over;
    }

    fn low(self) -> u128 {
        u128::from(self.low[0]) | u128::from(self.low[1]) << 64
    }

    /// The sum, if 128 bits hold it.
    pub(crate) fn total(&self) -> Option<i128> {
        let total = self.low() as i128;
        (self.high == if total < 0 { -1 } else { 0 }).then_some(total)
    }

    /// The sum, rounded.
    pub(crate) fn as_float(&self) -> f64 {
        match self.total() {
            Some(total) => total as f64,
            // 2^128
            None => {
                self.high as f64 * 340_282_366_920_938_463_463_374_607_431_768_211_456.0
                    + self.low() as f64
            }
        }
    }
}

/// Bits of a digit of [`FloatSum`].
const DIGIT_BITS: u32 = 32;
/// A double is a whole number of 2^-1074, and less than 2^2098 of them.
const DIGITS_MAX: usize = 2098 / DIGIT_BITS as usize + 2;

/// A sum of doubles, exact: a fixed-point number as wide as doubles reach (a long accumulator, as
/// Kulisch describes). Only the digits between the smallest and the largest value so far are kept.
/// NaN and infinities are counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FloatSum {
    /// Position of the first digit of `digits`; that of digit 0 counts in 2^-1074.
    first: u8,
    /// Least first. Each but the last is in 0..2^32; the last one has the sign.
    digits: Vec<i64>,
    nan_count: u64,
    infinity_count: u64,
    negative_infinity_count: u64,
}

impl FloatSum {
    /// Adds a value, or takes away one that was added.
    pub(crate) fn change(&mut self, value: f64, is_added: bool) {
        if !value.is_finite() {
            let count = if value.is_nan() {
                &mut self.nan_count
            } else if value > 0.0 {
                &mut self.infinity_count
            } else {
                &mut self.negative_infinity_count
            };
            *count = if is_added {
                *count + 1
            } else {
                count.saturating_sub(1)
            };
            return;
        }
        let bits = value.to_bits();
        let exponent = (bits >> 52) as u32 & 0x7ff;
        let fraction = bits & ((1 << 52) - 1);
        // In units of 2^-1074: mantissa << shift.
        let (mantissa, shift) = match exponent {
            0 => (fraction, 0),
            _ => (fraction | 1 << 52, exponent - 1),
        };
        if mantissa == 0 {
            return;
        }
        let is_negative = value.is_sign_negative() == is_added;
        let (digit, bit) = ((shift / DIGIT_BITS) as usize, shift % DIGIT_BITS);
        // 53 bits at most 31 places up lie in three digits.
        let wide = u128::from(mantissa) << bit;
        self.reach(digit, digit + 4);
        let start = digit - usize::from(self.first);
        let mut carry = 0;
        for index in start..self.digits.len() {
            let place = index - start;
            let part = if place < 3 {
                (wide >> (place as u32 * DIGIT_BITS)) as u32
            } else {
                0
            };
            let part = if is_negative {
                -i64::from(part)
            } else {
                i64::from(part)
            };
            let is_last = index + 1 == self.digits.len();
            if place >= 3 && carry == 0 {
                break;
            }
            let sum = self.digits[index] + part + carry;
            if is_last {
                self.digits[index] = sum;
            } else {
                self.digits[index] = sum & 0xffff_ffff;
                carry = sum >> DIGIT_BITS;
            }
        }
        self.settle();
    }

    /// Makes room for the digits from `start` to before `end`.
    fn reach(&mut self, start: usize, end: usize) {
        if self.digits.is_empty() {
            self.first = start as u8;
        }
        let first = usize::from(self.first);
        if start < first {
            let more = first - start;
            self.digits.splice(0..0, std::iter::repeat_n(0, more));
            self.first = start as u8;
        }
        let len = end.min(DIGITS_MAX + 3) - usize::from(self.first);
        while self.digits.len() < len {
            // The sign moves up.
            let sign = match self.digits.last_mut() {
                Some(last) => {
                    let sign = *last >> DIGIT_BITS;
                    *last &= 0xffff_ffff;
                    sign
                }
                None => 0,
            };
            self.digits.push(sign);
        }
    }

    /// Brings the digits into the one form that their value has.
    fn settle(&mut self) {
        if let Some(last) = self.digits.last_mut()
            && !(-(1 << DIGIT_BITS)..1 << DIGIT_BITS).contains(last)
        {
            let sign = *last >> DIGIT_BITS;
            *last &= 0xffff_ffff;
            self.digits.push(sign);
        }
        let zeros = self.digits.iter().take_while(|digit| **digit == 0).count();
        if zeros == self.digits.len() {
            self.digits.clear();
            self.first = 0;
            return;
        }
        if zeros > 0 {
            self.digits.drain(..zeros);
            self.first += zeros as u8;
        }
        // A last digit of all zeros or all ones is the sign of the one before.
        while let [.., before, last] = self.digits.as_mut_slice()
            && (*last == 0 || *last == -1)
        {
            *before += *last << DIGIT_BITS;
            self.digits.pop();
        }
    }

    /// The exact sum, rounded once: to the nearest double, to an even one between two.
    pub(crate) fn total(&self) -> f64 {
        if self.nan_count > 0 || self.infinity_count > 0 && self.negative_infinity_count > 0 {
            return canonical_f64(f64::NAN);
        }
        if self.infinity_count > 0 {
            return f64::INFINITY;
        }
        if self.negative_infinity_count > 0 {
            return f64::NEG_INFINITY;
        }
        let Some(last) = self.digits.last() else {
            return 0.0;
        };
        let is_negative = *last < 0;
        let magnitude = self.magnitude(is_negative);
        let value = round(&magnitude, usize::from(self.first));
        if is_negative { -value } else { value }
    }

    /// The digits of the absolute value, without a sign.
    fn magnitude(&self, is_negative: bool) -> Vec<u32> {
        let mut digits = Vec::with_capacity(self.digits.len() + 2);
        let mut carry: i64 = 0;
        let count = self.digits.len();
        let padded = self.digits.iter().copied().chain([0, 0]);
        for (index, digit) in padded.enumerate() {
            let digit = if is_negative { -digit } else { digit };
            let sum = digit + carry;
            digits.push(sum as u32);
            carry = sum >> DIGIT_BITS;
            debug_assert!(index <= count || carry == 0, "the value fits");
        }
        digits
    }
}

/// The double nearest to the digits, the first of which counts in 2^(32 * first - 1074).
fn round(digits: &[u32], first: usize) -> f64 {
    let bit_at = |index: usize| digits[index / 32] >> (index % 32) & 1 == 1;
    let Some(top_digit) = digits.iter().rposition(|digit| *digit != 0) else {
        return 0.0;
    };
    let top = top_digit * 32 + 31 - digits[top_digit].leading_zeros() as usize;
    let low = 32 * first;
    // The lowest bit that a double keeps, and what is there from it on.
    let keep = top.saturating_sub(52);
    let mut mantissa: u64 = 0;
    for index in (keep..=top).rev() {
        mantissa = mantissa << 1 | u64::from(bit_at(index));
    }
    if keep > 0 && bit_at(keep - 1) {
        let is_tie = (0..keep - 1).all(|index| !bit_at(index));
        if !is_tie || mantissa & 1 == 1 {
            mantissa += 1;
        }
    }
    // mantissa * 2^(shift - 1074)
    let mut shift = keep + low;
    if mantissa == 1 << 53 {
        mantissa >>= 1;
        shift += 1;
    }
    // Bring the mantissa to 53 bits where the exponent allows it.
    while mantissa < 1 << 52 && shift > 0 {
        mantissa <<= 1;
        shift -= 1;
    }
    if shift + 1 >= 0x7ff {
        return f64::INFINITY;
    }
    if mantissa < 1 << 52 {
        return f64::from_bits(mantissa);
    }
    f64::from_bits((shift as u64 + 1) << 52 | mantissa & ((1 << 52) - 1))
}

#[cfg(test)]
mod tests;
