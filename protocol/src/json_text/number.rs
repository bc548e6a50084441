//! Numbers of canonical JSON: doubles, in the form that ECMAScript's Number::toString has.

use core::fmt::{self, Write};

/// The text of a number, without an allocation.
pub(super) struct Written {
    bytes: [u8; 32],
    len: usize,
}

impl Written {
    fn empty() -> Self {
        Self {
            bytes: [0; 32],
            len: 0,
        }
    }

    /// The canonical text of a finite number.
    pub(super) fn of(number: f64) -> Self {
        let shortest = Shortest::of(number.abs());
        let mut out = Self::empty();
        if number < 0.0 {
            out.put(b"-");
        }
        let (digits, point) = (shortest.digits(), shortest.point);
        let count = digits.len() as i32;
        match point {
            // Digits, and zeros up to the point.
            _ if (count..=21).contains(&point) => {
                out.put(digits);
                out.put_zeros(point - count);
            }
            1..=21 => {
                let (whole, fraction) = digits.split_at(point as usize);
                out.put(whole);
                out.put(b".");
                out.put(fraction);
            }
            -5..=0 => {
                out.put(b"0.");
                out.put_zeros(-point);
                out.put(digits);
            }
            _ => {
                out.put(&digits[..1]);
                if count > 1 {
                    out.put(b".");
                    out.put(&digits[1..]);
                }
                let sign = if point > 0 { "+" } else { "-" };
                // Fits: a sign, 17 digits, a point, `e`, a sign and three digits.
                let _ = write!(out, "e{sign}{}", (point - 1).abs());
            }
        }
        out
    }

    pub(super) fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    fn put_zeros(&mut self, count: i32) {
        for _ in 0..count {
            self.put(b"0");
        }
    }
}

impl Write for Written {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text.as_bytes());
        Ok(())
    }
}

/// The fewest digits that are read as the number, and the place of the point among them.
struct Shortest {
    digits: Written,
    /// The number is `0.digits * 10^point`.
    point: i32,
}

impl Shortest {
    /// Of a finite number that is not below zero.
    fn of(number: f64) -> Self {
        let mut written = Written::empty();
        // At most 17 digits, a point, and an exponent of at most four characters.
        let _ = write!(written, "{number:e}");
        let text = written.as_str();
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let mut digits = Written::empty();
        for digit in mantissa.bytes().filter(u8::is_ascii_digit) {
            digits.put(&[digit]);
        }
        Self {
            point: exponent.parse::<i32>().unwrap_or_default() + 1,
            digits,
        }
    }

    fn digits(&self) -> &[u8] {
        self.digits.as_str().as_bytes()
    }
}

/// Length of the number that the text begins with, if it is written as JSON has it.
pub(super) fn scan(text: &[u8]) -> Option<usize> {
    let digits = |at: usize| {
        let rest = text.get(at..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (count > 0).then_some(count)
    };
    let mut at = usize::from(text.first() == Some(&b'-'));
    let whole = digits(at)?;
    if text[at] == b'0' && whole > 1 {
        return None;
    }
    at += whole;
    if text.get(at) == Some(&b'.') {
        at += 1 + digits(at + 1)?;
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        at += 1 + sign + digits(at + 1 + sign)?;
    }
    Some(at)
}

/// Whether the text, which [`scan`] found, is an integer that every double below 2^53 holds: the usual
/// one, and canonical.
pub(super) fn is_small_integer(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    digits.len() <= 15 && text != b"-0" && digits.iter().all(u8::is_ascii_digit)
}

/// The number that the text, which [`scan`] found, stands for. Nothing if it is out of the range of doubles,
/// or an integer that is not the one that a double is written as.
pub(super) fn parse(text: &str) -> Option<f64> {
    let number: f64 = text.parse().ok()?;
    if !number.is_finite() {
        return None;
    }
    let digits = text.trim_start_matches('-');
    let is_integer = digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_integer && number != 0.0 {
        let shortest = Shortest::of(number.abs());
        let significant = digits.trim_end_matches('0').as_bytes();
        if significant != shortest.digits() || digits.len() as i64 != i64::from(shortest.point) {
            return None;
        }
    }
    Some(number)
}
