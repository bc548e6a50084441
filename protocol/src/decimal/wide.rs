//! Numbers of 256 bits on their way to a [`Decimal`]: products, quotients and sums before they are rounded.

use core::cmp::Ordering;

use ethnum::U256;

use super::{DIGITS_MAX, Decimal, POWERS, SCALE_MAX};

/// The greatest power of ten that 256 bits hold.
const EXPONENT_MAX: u32 = 77;

/// 10^`exponent`; nothing if 256 bits do not hold it.
pub(super) fn power(exponent: u32) -> Option<U256> {
    let narrow = |exponent: u32| U256::new(POWERS[exponent as usize]);
    match exponent {
        0..=DIGITS_MAX => Some(narrow(exponent)),
        _ if exponent <= EXPONENT_MAX => {
            let high = (exponent - DIGITS_MAX).min(DIGITS_MAX);
            let rest = exponent - DIGITS_MAX - high;
            Some(narrow(DIGITS_MAX) * narrow(high) * narrow(rest))
        }
        _ => None,
    }
}

/// How many decimal digits a number has; none for 0.
pub(super) fn digits(number: U256) -> u32 {
    if number == U256::ZERO {
        return 0;
    }
    let bits = 256 - number.leading_zeros();
    // log10(2) from below, so this is the count or one less.
    let digits = bits * 1233 / 4096;
    match power(digits) {
        Some(power) if number < power => digits,
        _ => digits + 1,
    }
}

/// What lies behind the last digit of a number, as far as rounding asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    Nothing,
    BelowHalf,
    Half,
    AboveHalf,
}

impl Rest {
    /// What `part` is of `whole`.
    pub(super) fn of(part: U256, whole: U256) -> Self {
        if part == U256::ZERO {
            return Self::Nothing;
        }
        match part.cmp(&(whole - part)) {
            Ordering::Less => Self::BelowHalf,
            Ordering::Equal => Self::Half,
            Ordering::Greater => Self::AboveHalf,
        }
    }

    /// This, with `behind` behind it.
    fn followed_by(self, behind: Self) -> Self {
        match (self, behind) {
            (same, Self::Nothing) => same,
            (Self::Nothing, _) => Self::BelowHalf,
            (Self::Half, _) => Self::AboveHalf,
            (same, _) => same,
        }
    }
}

/// `number / 10^scale` and what is behind its last digit, rounded to at most `scale_max` digits behind the
/// point and as few as make it a `Decimal`.
pub(super) fn rounded(
    is_negative: bool,
    number: U256,
    scale: u32,
    behind: Rest,
    scale_max: u8,
) -> Option<Decimal> {
    let scale_max = u32::from(scale_max.min(SCALE_MAX));
    let mut dropped = digits(number)
        .saturating_sub(DIGITS_MAX)
        .max(scale.saturating_sub(scale_max));
    loop {
        let scale = scale.checked_sub(dropped)?;
        let (kept, rest) = match power(dropped) {
            _ if dropped == 0 => (number, behind),
            Some(power) => {
                let (kept, part) = number.div_rem(power);
                (kept, Rest::of(part, power).followed_by(behind))
            }
            // Less than half, since it has at most 78 digits and this would be its 79th.
            None => (U256::ZERO, Rest::BelowHalf),
        };
        let is_up = match rest {
            Rest::Nothing | Rest::BelowHalf => false,
            Rest::Half => kept.as_u8() & 1 == 1,
            Rest::AboveHalf => true,
        };
        let kept = kept + U256::from(is_up);
        if digits(kept) <= DIGITS_MAX {
            let mantissa = kept.as_i128();
            let mantissa = if is_negative { -mantissa } else { mantissa };
            return Decimal::new(mantissa, scale as u8);
        }
        // Rounded up from nines to one digit more.
        dropped += 1;
    }
}
