//! Decimals as text and as floats.

use core::fmt;
use core::str::FromStr;

use ethnum::U256;

use super::wide::{Rest, rounded};
use super::{DIGITS_MAX, Decimal, POWERS, SCALE_MAX};

/// Why a text or a number is no [`Decimal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotADecimal {
    /// It is not written as one.
    #[error("not a decimal number")]
    Syntax,
    /// More than 38 digits, or more than 38 behind the point: it would have to be rounded.
    #[error("a decimal has at most 38 digits, and at most 38 behind the point")]
    OutOfRange,
}

/// Plain digits: `-12.5`, never an exponent.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.mantissa.unsigned_abs();
        if self.scale == 0 {
            return f.pad_integral(!self.is_negative(), "", Digits::of(digits).as_str());
        }
        let sign = if self.is_negative() { "-" } else { "" };
        let power = POWERS[usize::from(self.scale)];
        let width = usize::from(self.scale);
        write!(f, "{sign}{}.{:0width$}", digits / power, digits % power)
    }
}

/// Digits of a number, without an allocation.
struct Digits {
    bytes: [u8; 40],
    len: usize,
}

impl Digits {
    fn of(number: impl fmt::Display) -> Self {
        use fmt::Write;
        let mut digits = Self {
            bytes: [0; 40],
            len: 0,
        };
        // A number of more characters does not come here; it would be cut off.
        let _ = write!(digits, "{number}");
        digits
    }

    fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

impl fmt::Write for Digits {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self
            .bytes
            .get_mut(self.len..self.len + text.len())
            .ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len += text.len();
        Ok(())
    }
}

/// Digits with a sign, a point and an exponent, as JSON and SQL write numbers, and `.5`, `5.` and `+5`.
/// Never rounded: what a `Decimal` does not hold is an error.
impl FromStr for Decimal {
    type Err = NotADecimal;

    fn from_str(text: &str) -> Result<Self, NotADecimal> {
        let text = text.as_bytes();
        let (is_negative, text) = match text.split_first() {
            Some((b'-', rest)) => (true, rest),
            Some((b'+', rest)) => (false, rest),
            _ => (false, text),
        };
        let is_exponent = |byte: &u8| matches!(byte, b'e' | b'E');
        let (digits, exponent) = match text.iter().position(is_exponent) {
            Some(at) => (&text[..at], exponent(&text[at + 1..])?),
            None => (text, 0),
        };
        let (whole, fraction) = match digits.iter().position(|&byte| byte == b'.') {
            Some(at) => (&digits[..at], &digits[at + 1..]),
            None => (digits, &[][..]),
        };
        let mut all = whole.iter().chain(fraction);
        if whole.is_empty() && fraction.is_empty() || !all.all(u8::is_ascii_digit) {
            return Err(NotADecimal::Syntax);
        }
        let mut value = Significant::default();
        for digit in whole.iter().chain(fraction) {
            value.push(digit - b'0')?;
        }
        let fraction = i64::try_from(fraction.len()).map_err(|_| NotADecimal::OutOfRange)?;
        value.finish(is_negative, exponent - fraction)
    }
}

/// The power of ten of a number with an exponent.
fn exponent(text: &[u8]) -> Result<i64, NotADecimal> {
    // More says as much about a number as this does: no decimal, unless it is zero.
    const FAR: i64 = 1 << 40;
    let (is_negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(NotADecimal::Syntax);
    }
    let mut value = 0;
    for digit in digits {
        value = (value * 10 + i64::from(digit - b'0')).min(FAR);
    }
    Ok(if is_negative { -value } else { value })
}

/// A number while its digits come: the zeros at its end are counted and not kept.
#[derive(Default)]
struct Significant {
    mantissa: u128,
    digits: u32,
    zeros: u64,
}

impl Significant {
    fn push(&mut self, digit: u8) -> Result<(), NotADecimal> {
        if digit == 0 {
            self.zeros += u64::from(self.mantissa > 0);
            return Ok(());
        }
        let places = self.zeros + 1;
        if self.mantissa > 0 && u64::from(self.digits) + places > u64::from(DIGITS_MAX) {
            return Err(NotADecimal::OutOfRange);
        }
        if self.mantissa == 0 {
            self.digits = 1;
        } else {
            self.mantissa *= POWERS[places as usize];
            self.digits += places as u32;
        }
        self.mantissa += u128::from(digit);
        self.zeros = 0;
        Ok(())
    }

    /// The digits, times ten to the power of `exponent`.
    fn finish(self, is_negative: bool, exponent: i64) -> Result<Decimal, NotADecimal> {
        if self.mantissa == 0 {
            return Ok(Decimal::ZERO);
        }
        let exponent = exponent + i64::try_from(self.zeros).map_err(|_| NotADecimal::OutOfRange)?;
        let mantissa = self.mantissa as i128;
        let mantissa = if is_negative { -mantissa } else { mantissa };
        let found = if exponent <= 0 {
            u8::try_from(-exponent)
                .ok()
                .and_then(|scale| Decimal::new(mantissa, scale))
        } else {
            let fits = exponent + i64::from(self.digits) <= i64::from(DIGITS_MAX);
            let power = || POWERS[exponent as usize] as i128;
            fits.then(|| Decimal::whole(mantissa * power()))
        };
        found.ok_or(NotADecimal::OutOfRange)
    }
}

impl Decimal {
    /// The decimal that a float is written as, in the fewest digits that are read as the same float:
    /// 0.1 is 0.1. Rounded to 38 digits behind the point; nothing if it is not below 10^38 or not a number.
    #[must_use]
    pub fn from_f64(float: f64) -> Option<Self> {
        if !float.is_finite() {
            return None;
        }
        let written = Digits::of(format_args!("{:e}", float.abs()));
        let (digits, exponent) = written.as_str().split_once('e')?;
        let exponent: i32 = exponent.parse().ok()?;
        let mut mantissa: u64 = 0;
        let mut behind = 0;
        for (place, digit) in digits.bytes().filter(u8::is_ascii_digit).enumerate() {
            mantissa = mantissa * 10 + u64::from(digit - b'0');
            behind = place as i32;
        }
        let scale = behind - exponent;
        let is_negative = float < 0.0;
        if scale >= 0 {
            let number = U256::from(mantissa);
            return rounded(is_negative, number, scale as u32, Rest::Nothing, SCALE_MAX);
        }
        let power = POWERS.get(scale.unsigned_abs() as usize)?;
        let whole = i128::try_from(u128::from(mantissa).checked_mul(*power)?).ok()?;
        Self::new(if is_negative { -whole } else { whole }, 0)
    }

    /// The decimal that is exactly this float, if there is one: of 0.5 but not of 0.1.
    #[must_use]
    pub fn exactly_f64(float: f64) -> Option<Self> {
        const FRACTION_BITS: u32 = 52;
        if float == 0.0 {
            return Some(Self::ZERO);
        }
        let exponent = float.to_bits() >> FRACTION_BITS & 0x7ff;
        // Neither infinite nor so small that it has hundreds of digits behind the point.
        if exponent == 0 || exponent == 0x7ff {
            return None;
        }
        let fraction = float.to_bits() & ((1 << FRACTION_BITS) - 1) | 1 << FRACTION_BITS;
        let zeros = fraction.trailing_zeros();
        let odd = u128::from(fraction >> zeros);
        // `odd * 2^exponent`
        let exponent = i32::try_from(exponent).ok()? - 1075 + i32::try_from(zeros).ok()?;
        let magnitude = if exponent >= 0 {
            2_u128.checked_pow(exponent.unsigned_abs())?
        } else {
            5_u128.checked_pow(exponent.unsigned_abs())?
        };
        let magnitude = i128::try_from(odd.checked_mul(magnitude)?).ok()?;
        let scale = u8::try_from((-exponent).max(0)).ok()?;
        Self::new(if float < 0.0 { -magnitude } else { magnitude }, scale)
    }

    /// The float that is nearest.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        /// Up to here a double holds every integer, and every power of ten with this exponent.
        const EXACT_MAX: u64 = 1 << 53;
        const EXACT_SCALE: u8 = 22;
        // A quotient of two exact doubles is the nearest one.
        if self.mantissa.unsigned_abs() <= u128::from(EXACT_MAX) && self.scale <= EXACT_SCALE {
            return self.mantissa as f64 / POWERS[usize::from(self.scale)] as f64;
        }
        let written = Digits::of(self.mantissa);
        let mut text = [0; 48];
        let digits = written.as_str().as_bytes();
        text[..digits.len()].copy_from_slice(digits);
        let mut end = digits.len();
        for byte in [b'e', b'-', b'0' + self.scale / 10, b'0' + self.scale % 10] {
            text[end] = byte;
            end += 1;
        }
        let text = core::str::from_utf8(&text[..end]).unwrap_or_default();
        text.parse().unwrap_or_default()
    }
}
