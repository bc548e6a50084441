//! Sums of many decimals, in any order.

use ethnum::U256;

use super::wide::{Rest, rounded};
use super::{DIVISION_SCALE, Decimal, SCALE_MAX};

/// An exact sum: nothing is rounded before [`DecimalSum::value`], so the order in which values come and
/// go does not matter. Good for more values than fit in a memory.
///
/// A number of 320 bits, in two's complement, of units of 10^-38.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecimalSum {
    high: i64,
    low: U256,
}

impl DecimalSum {
    /// Adds a value.
    pub fn add(&mut self, value: Decimal) {
        let units = value.magnitude_at(SCALE_MAX);
        if value.is_negative() {
            self.subtract_units(units);
        } else {
            self.add_units(units);
        }
    }

    /// Takes a value back that was added.
    pub fn subtract(&mut self, value: Decimal) {
        self.add(-value);
    }

    fn add_units(&mut self, units: U256) {
        let (low, has_carry) = self.low.overflowing_add(units);
        self.low = low;
        self.high = self.high.wrapping_add(i64::from(has_carry));
    }

    fn subtract_units(&mut self, units: U256) {
        let (low, has_borrow) = self.low.overflowing_sub(units);
        self.low = low;
        self.high = self.high.wrapping_sub(i64::from(has_borrow));
    }

    /// The sum of both.
    pub fn merge(&mut self, other: &Self) {
        self.add_units(other.low);
        self.high = self.high.wrapping_add(other.high);
    }

    /// Sign and absolute value, high part first.
    fn magnitude(&self) -> (bool, u64, U256) {
        if self.high >= 0 {
            return (false, self.high as u64, self.low);
        }
        let (low, has_carry) = (!self.low).overflowing_add(U256::ONE);
        let high = (!self.high as u64).wrapping_add(u64::from(has_carry));
        (true, high, low)
    }

    /// The sum, rounded half to even if it has more than 38 digits; nothing if it is not below 10^38.
    #[must_use]
    pub fn value(&self) -> Option<Decimal> {
        let (is_negative, high, low) = self.magnitude();
        if high != 0 {
            return None;
        }
        rounded(is_negative, low, SCALE_MAX.into(), Rest::Nothing, SCALE_MAX)
    }

    /// The sum divided by a count, rounded half to even to [`DIVISION_SCALE`] digits behind the point, or to
    /// `scale` if that is more; nothing if there is no value, or none below 10^38.
    #[must_use]
    pub fn average(&self, count: u64, scale: u8) -> Option<Decimal> {
        if count == 0 {
            return None;
        }
        let (is_negative, high, low) = self.magnitude();
        if high >= count {
            return None;
        }
        // Long division in digits of 64 bits, the highest first.
        let divisor = u128::from(count);
        let mut remainder = u128::from(high);
        let mut quotient = U256::ZERO;
        let (upper, lower) = low.into_words();
        for word in [
            upper >> 64,
            upper & u128::from(u64::MAX),
            lower >> 64,
            lower & u128::from(u64::MAX),
        ] {
            let part = remainder << 64 | word;
            quotient = quotient << 64 | U256::new(part / divisor);
            remainder = part % divisor;
        }
        let behind = Rest::of(U256::new(remainder), U256::new(divisor));
        rounded(
            is_negative,
            quotient,
            SCALE_MAX.into(),
            behind,
            scale.max(DIVISION_SCALE),
        )
    }
}
