//! Sums, products, quotients and roundings.

use core::ops::Neg;

use ethnum::U256;

use super::wide::{Rest, digits, power, rounded};
use super::{DIVISION_SCALE, Decimal, MANTISSA_END, POWERS, SCALE_MAX};

impl Decimal {
    /// The absolute value of the mantissa.
    pub(super) fn magnitude(self) -> U256 {
        U256::new(self.mantissa.unsigned_abs())
    }

    /// The mantissa of this value at a greater scale.
    fn mantissa_at(self, scale: u8) -> Option<i128> {
        let factor = POWERS[usize::from(scale - self.scale)] as i128;
        self.mantissa.checked_mul(factor)
    }

    /// The absolute value of that mantissa, which 256 bits always hold.
    pub(super) fn magnitude_at(self, scale: u8) -> U256 {
        self.magnitude() * U256::new(POWERS[usize::from(scale - self.scale)])
    }

    /// The sum.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        if let (Some(one), Some(two)) = (self.mantissa_at(scale), other.mantissa_at(scale))
            && let Some(sum) = one.checked_add(two)
            && sum.unsigned_abs() < MANTISSA_END
        {
            return Self::new(sum, scale);
        }
        let (one, two) = (self.magnitude_at(scale), other.magnitude_at(scale));
        let (is_negative, sum) = if self.is_negative() == other.is_negative() {
            (self.is_negative(), one + two)
        } else if one >= two {
            (self.is_negative(), one - two)
        } else {
            (other.is_negative(), two - one)
        };
        rounded(is_negative, sum, scale.into(), Rest::Nothing, SCALE_MAX)
    }

    /// The difference.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.checked_add(-other)
    }

    /// The product.
    #[must_use]
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        let scale = self.scale + other.scale;
        if let Some(product) = self.mantissa.checked_mul(other.mantissa)
            && product.unsigned_abs() < MANTISSA_END
            && scale <= SCALE_MAX
        {
            return Self::new(product, scale);
        }
        let is_negative = self.is_negative() != other.is_negative();
        let product = self.magnitude() * other.magnitude();
        rounded(is_negative, product, scale.into(), Rest::Nothing, SCALE_MAX)
    }

    /// The quotient, see the [module](super) for how it is rounded.
    #[must_use]
    pub fn checked_div(self, other: Self) -> Option<Self> {
        // What 256 bits hold whatever its digits are.
        const DIGITS_HELD: u32 = 76;
        if other.is_zero() {
            return None;
        }
        let scale = self.scale.max(other.scale).max(DIVISION_SCALE);
        let wanted = u32::from(scale + other.scale - self.scale);
        // If this is less than what is wanted, the quotient has 38 digits all the same.
        let exponent = wanted.min(DIGITS_HELD - digits(self.magnitude()));
        let numerator = self.magnitude() * power(exponent)?;
        let (quotient, remainder) = numerator.div_rem(other.magnitude());
        let is_negative = self.is_negative() != other.is_negative();
        let behind = Rest::of(remainder, other.magnitude());
        let reached = u32::from(self.scale) + exponent - u32::from(other.scale);
        rounded(is_negative, quotient, reached, behind, scale)
    }

    /// What is left of a division whose quotient is an integer, rounded towards zero: it has the sign of
    /// this value.
    #[must_use]
    pub fn checked_rem(self, other: Self) -> Option<Self> {
        if other.is_zero() {
            return None;
        }
        let scale = self.scale.max(other.scale);
        let rest = self.magnitude_at(scale) % other.magnitude_at(scale);
        let is_negative = self.is_negative();
        rounded(is_negative, rest, scale.into(), Rest::Nothing, SCALE_MAX)
    }

    /// Without its sign.
    #[must_use]
    pub const fn abs(self) -> Self {
        Self {
            mantissa: self.mantissa.abs(),
            scale: self.scale,
        }
    }

    /// Rounded to at most `scale` digits behind the point, half to even.
    #[must_use]
    pub fn round(self, scale: u8) -> Self {
        let from = self.scale.into();
        rounded(
            self.is_negative(),
            self.magnitude(),
            from,
            Rest::Nothing,
            scale,
        )
        .expect("a value with a fraction is far below the greatest")
    }

    /// Rounded to `places` digits behind the point, or before it if that is below zero; a half goes away from
    /// zero, as SQL's ROUND has it. Nothing if that is not below 10^38.
    #[must_use]
    pub fn round_away(self, places: i32) -> Option<Self> {
        let dropped = i32::from(self.scale).saturating_sub(places);
        if dropped <= 0 {
            return Some(self);
        }
        // With as many digits as that dropped, not even a half is left.
        let Some(&unit) = POWERS.get(dropped.unsigned_abs() as usize) else {
            return Some(Self::ZERO);
        };
        let magnitude = self.mantissa.unsigned_abs();
        let (kept, rest) = (magnitude / unit, magnitude % unit);
        let kept = kept + u128::from(rest >= unit - rest);
        let digits = i128::try_from(kept).ok()?;
        let digits = if self.is_negative() { -digits } else { digits };
        if let Ok(scale) = u8::try_from(places) {
            return Self::new(digits, scale);
        }
        let unit = i128::try_from(*POWERS.get(places.unsigned_abs() as usize)?).ok()?;
        Self::new(digits.checked_mul(unit)?, 0)
    }

    /// Without what is behind the point.
    #[must_use]
    pub const fn trunc(self) -> Self {
        Self::whole(self.mantissa / POWERS[self.scale as usize] as i128)
    }

    /// The greatest integer that is not greater.
    #[must_use]
    pub const fn floor(self) -> Self {
        Self::whole(
            self.mantissa
                .div_euclid(POWERS[self.scale as usize] as i128),
        )
    }

    /// The least integer that is not less.
    #[must_use]
    pub fn ceil(self) -> Self {
        -(-self).floor()
    }
}

impl Neg for Decimal {
    type Output = Self;

    fn neg(self) -> Self {
        Self {
            mantissa: -self.mantissa,
            scale: self.scale,
        }
    }
}
