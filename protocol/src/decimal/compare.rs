//! The order of decimals, and where integers and floats stand in it. Nothing is rounded.

use core::cmp::Ordering;

use ethnum::U256;

use super::{Decimal, MANTISSA_END, POWERS};

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.scale == other.scale {
            return self.mantissa.cmp(&other.mantissa);
        }
        let signs = self.mantissa.signum().cmp(&other.mantissa.signum());
        signs.then_with(|| {
            let scale = self.scale.max(other.scale);
            let order = self.magnitude_at(scale).cmp(&other.magnitude_at(scale));
            if self.is_negative() {
                order.reverse()
            } else {
                order
            }
        })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Decimal {
    /// How this stands to an integer.
    #[must_use]
    pub fn cmp_i128(self, other: i128) -> Ordering {
        if other.unsigned_abs() >= MANTISSA_END {
            return 0.cmp(&other);
        }
        self.cmp(&Self::whole(other))
    }

    /// How this stands to an integer.
    #[must_use]
    pub fn cmp_u128(self, other: u128) -> Ordering {
        i128::try_from(other).map_or(Ordering::Less, |other| self.cmp_i128(other))
    }

    /// How this stands to a float, to the last bit of it. NaN is greater than every number.
    #[must_use]
    pub fn cmp_f64(self, other: f64) -> Ordering {
        if other.is_nan() {
            return Ordering::Less;
        }
        let sign = (other > 0.0) as i128 - (other < 0.0) as i128;
        let signs = self.mantissa.signum().cmp(&sign);
        signs.then_with(|| {
            let order = self.cmp_magnitude(other.abs());
            if self.is_negative() {
                order.reverse()
            } else {
                order
            }
        })
    }

    /// Compares the absolute values: of this, and a float that is not below zero.
    fn cmp_magnitude(self, float: f64) -> Ordering {
        const FRACTION_BITS: u32 = 52;
        if self.is_zero() {
            return 0.0.partial_cmp(&float).unwrap_or(Ordering::Less);
        }
        // No decimal is as large or, but for zero, as small.
        if float >= 1e39 {
            return Ordering::Less;
        }
        if float < 1e-39 {
            return Ordering::Greater;
        }
        let bits = float.to_bits();
        // A normal number: `fraction * 2^exponent`.
        let fraction = bits & ((1 << FRACTION_BITS) - 1) | 1 << FRACTION_BITS;
        let exponent = (bits >> FRACTION_BITS) as i32 - 1075;
        let power = U256::new(POWERS[usize::from(self.scale)]);
        let mantissa = self.magnitude();
        // Both sides times 10^scale: this one is the mantissa, and the float has at most 53 + 127 bits.
        let scaled = U256::from(fraction) * power;
        if exponent >= 0 {
            // Below 10^39 there are at most 130 bits before the point, so this fits.
            let shift = exponent as u32;
            if scaled.leading_zeros() <= shift {
                return Ordering::Less;
            }
            return mantissa.cmp(&(scaled << shift));
        }
        let shift = exponent.unsigned_abs();
        let whole = if shift < 256 {
            scaled >> shift
        } else {
            U256::ZERO
        };
        let is_whole = shift < 256 && whole << shift == scaled;
        mantissa.cmp(&whole).then(if is_whole {
            Ordering::Equal
        } else {
            Ordering::Less
        })
    }
}
