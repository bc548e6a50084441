//! Strings of canonical JSON.

use core::cmp::Ordering;

use super::JsonProblem;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The letter behind the backslash of a character that has a short escape.
fn short_escape(byte: u8) -> Option<u8> {
    Some(match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0c => b'f',
        b'\r' => b'r',
        _ => return None,
    })
}

/// Appends the string with this text in it.
pub(super) fn put(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match short_escape(u8::try_from(c).unwrap_or_default()) {
            Some(letter) => {
                out.push('\\');
                out.push(char::from(letter));
            }
            None if c < ' ' => {
                out.push_str("\\u00");
                out.push(char::from(HEX[c as usize >> 4]));
                out.push(char::from(HEX[c as usize & 15]));
            }
            None => out.push(c),
        }
    }
    out.push('"');
}

/// Length of the string that the canonical text begins with, both quotes included. Everything up to there
/// is checked to be canonical but for UTF-8.
pub(super) fn check(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    if text.first() != Some(&b'"') {
        return None;
    }
    loop {
        match *text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => {
                at += match *text.get(at + 1)? {
                    b'u' => {
                        let &[b'0', b'0', high @ (b'0' | b'1'), low] = text.get(at + 2..at + 6)?
                        else {
                            return None;
                        };
                        let low = HEX.iter().position(|&digit| digit == low)?;
                        if short_escape((high - b'0') << 4 | low as u8).is_some() {
                            return None;
                        }
                        6
                    }
                    b'"' | b'\\' | b'b' | b't' | b'n' | b'f' | b'r' => 2,
                    _ => return None,
                };
            }
            ..0x20 => return None,
            _ => at += 1,
        }
    }
}

/// Where the string that checked text begins with ends, behind its second quote.
pub(super) fn end(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

/// Characters of what stands between the quotes of a string, in any JSON.
pub(super) struct Chars<'a> {
    pub(super) rest: &'a str,
}

impl Iterator for Chars<'_> {
    type Item = Result<char, JsonProblem>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut chars = self.rest.chars();
        let first = chars.next()?;
        self.rest = chars.as_str();
        Some(match first {
            '\\' => self.escape(),
            '\0'..' ' => Err(JsonProblem::Syntax),
            c => Ok(c),
        })
    }
}

impl Chars<'_> {
    fn take(&mut self, count: usize) -> Result<&str, JsonProblem> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(JsonProblem::Syntax)?;
        self.rest = rest;
        Ok(taken)
    }

    fn unit(&mut self) -> Result<u16, JsonProblem> {
        let digits = self.take(4)?;
        // `from_str_radix` takes a sign as well.
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(JsonProblem::Syntax);
        }
        u16::from_str_radix(digits, 16).map_err(|_| JsonProblem::Syntax)
    }

    fn escape(&mut self) -> Result<char, JsonProblem> {
        Ok(match self.take(1)? {
            "\"" => '"',
            "\\" => '\\',
            "/" => '/',
            "b" => '\u{8}',
            "f" => '\u{c}',
            "n" => '\n',
            "r" => '\r',
            "t" => '\t',
            "u" => {
                let unit = self.unit()?;
                if !(0xd800..=0xdfff).contains(&unit) {
                    return char::from_u32(unit.into()).ok_or(JsonProblem::Surrogate);
                }
                if self.take(2) != Ok("\\u") {
                    return Err(JsonProblem::Surrogate);
                }
                let mut pair = char::decode_utf16([unit, self.unit()?]);
                match (pair.next(), pair.next()) {
                    (Some(Ok(c)), None) => c,
                    _ => return Err(JsonProblem::Surrogate),
                }
            }
            _ => return Err(JsonProblem::Syntax),
        })
    }
}

/// Order of two texts as UTF-16.
pub(super) fn compare(left: &str, right: &str) -> Ordering {
    if left.is_ascii() && right.is_ascii() {
        return left.cmp(right);
    }
    left.encode_utf16().cmp(right.encode_utf16())
}

/// Order of the texts of two names of checked objects, given as they stand between their quotes.
pub(super) fn compare_escaped(left: &str, right: &str) -> Ordering {
    let is_plain = |name: &str| name.is_ascii() && !name.contains('\\');
    if is_plain(left) && is_plain(right) {
        return left.cmp(right);
    }
    let units = |name| Chars { rest: name }.flatten();
    let mut buffers = ([0; 2], [0; 2]);
    let (mut left, mut right) = (units(left), units(right));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            // Where characters differ, so do their units, and none is a prefix of the other's.
            (Some(left), Some(right)) => {
                let left: &[u16] = left.encode_utf16(&mut buffers.0);
                left.cmp(right.encode_utf16(&mut buffers.1))
            }
        };
        if order.is_ne() {
            return order;
        }
    }
}
