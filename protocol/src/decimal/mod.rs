//! Exact decimal numbers: what money is counted in.
//!
//! A [`Decimal`] is a mantissa of at most [`DIGITS_MAX`] (38) decimal digits and a scale, the count of digits
//! behind the point, of at most [`SCALE_MAX`] (38): `mantissa / 10^scale`. So the greatest one is 10^38 - 1, and
//! the least above zero is 10^-38. A value has one form: no zeros at the end of a fraction, zero without a
//! sign or a scale. 38 digits are what the widest exact type of other SQL databases has, they hold every 64-bit
//! integer with 18 digits behind the point, and a mantissa of them fits an i128.
//!
//! Every operation gives the exact result if it is a `Decimal`. Otherwise:
//!
//! - `+`, `-`, `*`, remainder: rounded, half to even, to as many digits behind the point as fit.
//! - `/`: rounded, half to even, to the scale of the operand that has more digits behind the point, but
//!   at least to [`DIVISION_SCALE`] (20); to fewer if 38 digits do not hold the result.
//! - What is not below 10^38 is no `Decimal`: `None`. So is a division by zero.
//!
//! Comparisons, with integers and floats too, never round.
//!
//! Packed: the mantissa as i128, little-endian, then the scale as u8: 17 bytes.

use core::fmt;

use crate::error::CodecError;

mod arithmetic;
mod compare;
#[cfg(feature = "wire")]
mod serial;
mod sum;
mod text;
mod wide;

#[cfg(test)]
mod tests;

pub use sum::DecimalSum;
pub use text::NotADecimal;

/// Digits of a mantissa.
pub const DIGITS_MAX: u32 = 38;
/// Digits behind the point.
pub const SCALE_MAX: u8 = 38;
/// Digits behind the point that a division gives at least, if they fit.
pub const DIVISION_SCALE: u8 = 20;
/// Bytes of the packed form, and of the memcomparable one.
pub const PACKED_BYTES: usize = 17;

/// An exact decimal number, see the [module](self).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Decimal {
    /// Its absolute value is below 10^38. Not a multiple of 10 unless the scale is 0.
    mantissa: i128,
    scale: u8,
}

/// Powers of ten that a u128 holds.
const POWERS: [u128; DIGITS_MAX as usize + 1] = {
    let mut powers = [1; DIGITS_MAX as usize + 1];
    let mut exponent = 1;
    while exponent < powers.len() {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

/// The first mantissa that is too large.
const MANTISSA_END: u128 = POWERS[DIGITS_MAX as usize];

impl Decimal {
    /// 0.
    pub const ZERO: Self = Self::whole(0);
    /// 1.
    pub const ONE: Self = Self::whole(1);
    /// The greatest value, 10^38 - 1.
    pub const MAX: Self = Self::whole(MANTISSA_END as i128 - 1);
    /// The least value, -(10^38 - 1).
    pub const MIN: Self = Self::whole(-(MANTISSA_END as i128 - 1));

    const fn whole(mantissa: i128) -> Self {
        Self { mantissa, scale: 0 }
    }

    /// `mantissa / 10^scale`, if that is a `Decimal`: `new(1250, 2)` is 12.5.
    #[must_use]
    pub fn new(mantissa: i128, scale: u8) -> Option<Self> {
        let mut value = Self { mantissa, scale };
        if mantissa == 0 {
            return Some(Self::ZERO);
        }
        value.strip_zeros();
        let fits = value.mantissa.unsigned_abs() < MANTISSA_END && value.scale <= SCALE_MAX;
        fits.then_some(value)
    }

    /// Takes the zeros off the end of the fraction. The mantissa is not 0.
    fn strip_zeros(&mut self) {
        while self.scale > 0 {
            // Division of 128 bits is slow, and few mantissas need it.
            if let Ok(mut narrow) = i64::try_from(self.mantissa) {
                while self.scale > 0 && narrow % 10 == 0 {
                    narrow /= 10;
                    self.scale -= 1;
                }
                self.mantissa = narrow.into();
                return;
            }
            if self.mantissa % 10 != 0 {
                return;
            }
            self.mantissa /= 10;
            self.scale -= 1;
        }
    }

    /// The digits, without the point.
    #[must_use]
    pub const fn mantissa(self) -> i128 {
        self.mantissa
    }

    /// How many digits stand behind the point: none of them is left over at the end.
    #[must_use]
    pub const fn scale(self) -> u8 {
        self.scale
    }

    /// Whether this is 0.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// Whether this is below 0.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.mantissa < 0
    }

    /// Whether there is nothing behind the point.
    #[must_use]
    pub const fn is_integer(self) -> bool {
        self.scale == 0
    }

    /// The integer that this is, if it is one.
    #[must_use]
    pub fn to_i128(self) -> Option<i128> {
        self.is_integer().then_some(self.mantissa)
    }

    /// The packed form.
    #[must_use]
    pub fn to_packed(self) -> [u8; PACKED_BYTES] {
        let mut packed = [0; PACKED_BYTES];
        packed[..16].copy_from_slice(&self.mantissa.to_le_bytes());
        packed[16] = self.scale;
        packed
    }

    /// Reads the packed form; another form of the same value is refused.
    pub fn from_packed(packed: [u8; PACKED_BYTES]) -> Result<Self, CodecError> {
        let [mantissa @ .., scale] = packed;
        let mantissa = i128::from_le_bytes(mantissa);
        match Self::new(mantissa, scale) {
            Some(value) if value.mantissa == mantissa && value.scale == scale => Ok(value),
            _ => Err(CodecError::NotCanonical),
        }
    }

    /// The memcomparable form: bytes that sort as the values do. The first byte is the sign and the place
    /// of the first digit: 0x80 + 40 + that place above zero, 0x80 at zero, 0x80 - 40 - that place below. A mantissa
    /// follows, its first digit moved to the front of 38 digits, big-endian; below zero its complement.
    #[must_use]
    pub fn to_memcomparable(self) -> [u8; PACKED_BYTES] {
        const ZERO: u8 = 0x80;
        const PLACE_ZERO: u8 = 40;
        let mut key = [0; PACKED_BYTES];
        key[0] = ZERO;
        let Some(digits) = self.mantissa.unsigned_abs().checked_ilog10() else {
            return key;
        };
        let digits = digits + 1;
        // Within 40 - 37 and 40 + 38.
        let place = PLACE_ZERO + digits as u8 - self.scale;
        let aligned = self.mantissa.unsigned_abs() * POWERS[(DIGITS_MAX - digits) as usize];
        if self.is_negative() {
            key[0] -= place;
            key[1..].copy_from_slice(&(!aligned).to_be_bytes());
        } else {
            key[0] += place;
            key[1..].copy_from_slice(&aligned.to_be_bytes());
        }
        key
    }
}

macro_rules! from_integers {
    ($($int:ty)*) => {$(
        impl From<$int> for Decimal {
            fn from(value: $int) -> Self {
                Self::whole(value.into())
            }
        }
    )*};
}

from_integers!(i8 i16 i32 i64 u8 u16 u32 u64);

impl TryFrom<i128> for Decimal {
    type Error = NotADecimal;

    fn try_from(value: i128) -> Result<Self, NotADecimal> {
        Self::new(value, 0).ok_or(NotADecimal::OutOfRange)
    }
}

impl TryFrom<u128> for Decimal {
    type Error = NotADecimal;

    fn try_from(value: u128) -> Result<Self, NotADecimal> {
        let value = i128::try_from(value).map_err(|_| NotADecimal::OutOfRange)?;
        Self::try_from(value)
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
